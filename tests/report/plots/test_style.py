from __future__ import annotations

from pathlib import Path

import matplotlib
import pytest
from matplotlib.figure import Figure
from matplotlib.image import imread
from matplotlib.lines import Line2D

from simdiff.report.plots import style


@style.house()
def one_line(width: float = 3.0) -> Figure:
    figure = Figure(figsize=(width, 2.0))
    figure.add_subplot().plot([1, 2, 3], [1, 4, 9], label="$x^2$")
    return figure


def test_save_writes_both_files_and_nothing_else(tmp_path):
    png, pdf = style.save(one_line(), tmp_path / "new folder" / "curve.v2")
    assert (png.name, pdf.name) == ("curve.v2.png", "curve.v2.pdf")
    assert sorted(p.name for p in png.parent.iterdir()) == ["curve.v2.pdf", "curve.v2.png"]
    assert pdf.read_bytes().startswith(b"%PDF")
    assert imread(png).shape[:2] == (2.0 * style.DPI, 3.0 * style.DPI)


def test_saved_bytes_depend_on_the_figure_alone(tmp_path):
    first, again, other = (
        style.save(one_line(width), tmp_path / name) for width, name in ((3, "a"), (3, "b"), (3.2, "c"))
    )
    for i in range(2):
        assert first[i].read_bytes() == again[i].read_bytes()
        assert first[i].read_bytes() != other[i].read_bytes()


@style.house()
def two_panels_with_a_bar() -> Figure:
    figure, axes = style.panels(2)
    lines = [ax.plot([1, 2, 3], [1, 4, 9], label="$x^2$")[0] for ax in axes]
    axes[1].set(xlabel=r"$\psi_p$", ylabel="test error")
    figure.colorbar(axes[0].imshow([[0.0, 1.0]]), ax=axes[0])
    style.legend_above(figure, lines)
    return figure


def places_of(figure: Figure) -> list[tuple[float, ...]]:
    return [ax.get_position(original=True).bounds for ax in figure.axes]


@pytest.mark.parametrize("make", [one_line, two_panels_with_a_bar])
def test_a_figure_that_is_laid_out_is_drawn_once_a_file_and_looks_the_same(tmp_path, monkeypatch, make):
    drawn, draw = [], Figure.draw
    monkeypatch.setattr(Figure, "draw", lambda self, *rest: drawn.append(self) or draw(self, *rest))
    usual, _ = style.save(make(), tmp_path / "usual")
    assert len(drawn) == 4
    figure = style.lay_out(make())
    places = places_of(figure)
    drawn.clear()
    style.svg(figure, "curve")
    png, _ = style.save(figure, tmp_path / "curve")
    assert len(drawn) == 3
    assert png.read_bytes() == usual.read_bytes()
    assert places_of(figure) == places != places_of(make())


def test_failed_save_keeps_the_old_file(tmp_path, monkeypatch):
    png, _ = style.save(one_line(), tmp_path / "curve")
    before = png.read_bytes()

    def break_off(self, target, **_):
        target.write_bytes(b"half")
        raise OSError("disk full")

    monkeypatch.setattr(Figure, "savefig", break_off)
    with pytest.raises(OSError, match="disk full"):
        style.save(one_line(2.0), tmp_path / "curve")
    assert png.read_bytes() == before
    assert len(list(tmp_path.iterdir())) == 2


def test_house_leaves_the_settings_of_others_alone():
    size = matplotlib.rcParams["font.size"]
    with matplotlib.rc_context({"lines.linewidth": 9}):
        with style.house():
            assert matplotlib.rcParams["lines.linewidth"] == style.RC["lines.linewidth"]
        assert matplotlib.rcParams["lines.linewidth"] == 9
    assert matplotlib.rcParams["font.size"] == size


@pytest.mark.parametrize("count", [1, 6, 7, 40])
def test_colours_are_distinct_and_none_is_the_ring(count):
    found = style.colours(count)
    assert len(set(found)) == count
    assert style.RING not in found


@pytest.mark.parametrize(
    ("count", "shape"), [(1, (1, 1)), (2, (1, 2)), (4, (2, 2)), (5, (2, 3)), (7, (3, 3))]
)
def test_panels_fill_a_grid(count, shape):
    with style.house():
        _, axes = style.panels(count)
    assert len(axes) == count
    spec = axes[0].get_subplotspec()
    assert spec is not None
    assert spec.get_gridspec().get_geometry() == shape


def test_a_long_legend_fits_the_figure_and_keeps_its_parts_in_rows():
    with style.house():
        figure, _ = style.panels(2)
        parts = [[Line2D([], [], label=f"{name} number {i}") for i in range(7)] for name in ("one", "two")]
        style.legend_above(figure, *parts)
        figure.draw_without_rendering()
        box = figure.legends[0].get_window_extent()
        rows: dict[int, list[str]] = {}
        for text in figure.legends[0].get_texts():
            if text.get_text().strip():
                rows.setdefault(round(text.get_window_extent().y0), []).append(text.get_text()[:3])
    assert box.x0 >= 0
    assert box.x1 <= figure.bbox.width
    assert all(len(set(names)) == 1 for names in rows.values())


def test_figures_need_no_pyplot():
    sources = list(Path(style.__file__).parent.glob("*.py"))
    assert len(sources) > 5
    imports = [line for p in sources for line in p.read_text().splitlines() if "import" in line.split()]
    assert not [line for line in imports if "pyplot" in line]
