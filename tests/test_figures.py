"""The theory behind the simulated points: dense lines, maps, thresholds; and figures that lack a part."""

import math
import shutil
from pathlib import Path

import numpy as np
import pytest

import simdiff
from simdiff import cli
from simdiff.figures import _lines, dense_values, theory_table, threshold_marks
from simdiff.verbs import make_study

HERE = Path(__file__).parent
OWN = {"problem": "toy_problems:Mean", "theory": "toy_problems:mean_theory"}


def points(*words):
    found = cli._plan(list(words), True, "simdiff")
    return found.points, found.axes


def test_dense_values_keep_the_simulated_ones():
    linear = dense_values("t", [0.2, 0.5, 1.0], 9)
    assert linear == sorted({*np.linspace(0.2, 1.0, 9)[1:-1], 0.2, 0.5, 1.0})
    logarithmic = dense_values("psi_n", [0.1, 10.0], 5)
    np.testing.assert_allclose(logarithmic, [0.1, 10**-0.5, 1.0, 10**0.5, 10.0])
    assert dense_values("m", [1, 16], 60) == list(range(1, 17))


def test_lines_are_the_theory_for_every_other_value():
    found = _lines(*points("psi_n=1,2,4", "m=1,inf"), "psi_n", 5)
    assert set(found["m"]) == {1, "inf"}
    assert sorted(set(found["psi_n"])) == pytest.approx([1, 1.75, 2, 2.5, 3.25, 4])
    study = make_study(
        simdiff.DenoisingScoreMatching(psi_n=1.75, m=math.inf), None, (50, 60), 0.1, 0.05, 0, 8, "auto"
    )
    row = found[(found["psi_n"] == 1.75) & (found["m"] == "inf") & (found["metric"] == "test")]
    assert row["theory"].item() == pytest.approx(study.predictions[0]["test"], rel=1e-9)


def test_one_value_has_no_line():
    assert _lines(*points("psi_n=2", "m=1,2"), "psi_n", 5) is None


def test_thresholds_lie_at_p_equal_to_n_m():
    studies = [
        make_study(simdiff.DenoisingScoreMatching(m=m, psi_n=2.0), None, (50, 60), 0.1, 0.05, 0, 8, "auto")
        for m in (1, 4, math.inf)
    ]
    assert threshold_marks(studies, "model.psi_p") == {1: 2, 4: 8}
    assert threshold_marks(studies, "psi_n") == {1: 4, 4: 1}
    assert threshold_marks(studies, "t") == {}


def test_a_theory_that_fails_between_the_points_costs_its_line_only():
    with pytest.warns(UserWarning, match=r"no theory between the simulated points \(ZeroDivisionError"):
        assert (
            theory_table([OWN | {"level": v, "theory": "test_figures:fragile"} for v in (1.0, 1.5)]) is None
        )
    assert len(theory_table([OWN | {"level": v} for v in (1.0, 1.5)])) == 4


def fragile(problem):
    return {"value": 1 / (problem.level - 1.5)}


def test_no_theory_is_no_line():
    assert theory_table([OWN | {"level": 1.0, "theory": None}]) is None


@pytest.fixture
def here(tmp_path, monkeypatch):
    shutil.copy(HERE / "toy_problems.py", tmp_path / "own_problem.py")
    monkeypatch.chdir(tmp_path)


QUICK = ["problem=own_problem:Mean", "sizes=[20,40]", "precision=0.5", "max_trials=8"]


def test_maps_without_a_theory_show_the_estimates(here, capsys):
    axes = ["level=1,2", "slope=1,2", "figure.kind=maps", "figure.x=level", "figure.y=slope"]
    assert cli.main(["run", "-m", *QUICK, *axes, "out=maps"]) == 0
    assert "warning" not in capsys.readouterr().err
    assert {path.name for path in Path("maps/figures").iterdir()} >= {"maps.png", "maps.pdf"}


def test_a_prepared_axis_that_is_fixed_leaves_a_figure_of_one_value(here):
    words = [*QUICK, "theory=own_problem:mean_theory", "level=2", "figure.x=level", "figure.series=slope"]
    assert cli.main(["run", *words, "out=one"]) == 0
    assert Path("one/figures/curves.png").exists()
