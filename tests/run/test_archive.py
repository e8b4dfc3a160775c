"""A run as one file, and back; archives that are none, are damaged, or would overwrite files are refused."""

import zipfile
from pathlib import Path

import pytest
from toy_problems import Mean, mean_theory

import simdiff
from simdiff.cli import main as cli
from simdiff.run.dictionary import COLUMNS

NONE = {"kind": "none"}


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    place = tmp_path_factory.mktemp("archive")
    (place / "mine").mkdir()
    (place / "mine" / "private.csv").write_text("there before the run")
    simdiff.sweep(
        Mean(spread=0.02),
        {"level": [1.0, 2.0]},
        mean_theory,
        (20, 40, 80),
        0.05,
        out=place / "mine",
        figure=NONE,
    )
    assert cli.main(["export", str(place / "mine"), str(place / "x.zip")]) == 0
    return place


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def content(folder):
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_what_was_packed_is_unpacked_and_opens(place, capsys):
    assert cli.main(["import", str(place / "x.zip")]) == 0
    assert capsys.readouterr().out.strip() == "runs/x"
    original, copy = content(place / "mine"), content(Path("runs/x"))
    assert copy.pop("DATA.md")
    assert original.pop("private.csv")
    original.pop("trials/.lock", None)
    assert copy == original
    again = simdiff.open("runs/x")
    assert again.table.equals(simdiff.open(place / "mine").table)
    assert len(again.extend(precision=0.02).trials) > len(simdiff.open(place / "mine").trials)


def test_the_dictionary_tells_every_column(place):
    text = zipfile.ZipFile(place / "x.zip").read("DATA.md").decode()
    run = simdiff.open(place / "mine")
    for name in {*run.summary, *run.sizes, *run.trials} - {"problem"}:
        assert f"\n- `{name}`: " in text, name
    own = {"level", "slope", "spread", "value", "twice"}
    assert {*run.summary, *run.sizes, *run.trials} - own <= {*COLUMNS}
    assert "- `twice`: about two of it" in text


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (
            ["export", "{}/mine", "{}/x.zip"],
            "archive: got '{}/x.zip'; allowed: a file that does not",
        ),
        (["export", "{}", "y.zip"], "run folder"),
        (["export", "{}/mine"], "FILE.zip"),
        (["import", "{}/x.zip", "{}/mine"], "out: got '{}/mine'; allowed: a folder that does not exist yet"),
        (["import", "{}/nothing.zip"], "archive"),
        (["import", "{}/x.zip", "new", "seed=1"], "command line"),
    ],
)
def test_nothing_is_overwritten_and_one_line_is_said(place, words, told, capsys):
    before = content(place)
    assert cli.main([word.format(place) for word in words]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert told.format(place) in line
    assert content(place) == before
    assert content(Path(".")) == {}


def spoilt(place, change):
    """A copy of the archive with other names or bytes."""
    with zipfile.ZipFile(place / "x.zip") as good, zipfile.ZipFile("bad.zip", "w") as bad:
        for name, data in change({name: good.read(name) for name in good.namelist()}).items():
            bad.writestr(name, data)


@pytest.mark.parametrize(
    "name",
    ["../evil.csv", "/evil.csv", "trials/../../evil.csv", ".bashrc", "evil.py", "other/evil.csv", "a\\b.csv"],
)
def test_an_archive_with_a_file_of_no_run_is_refused_whole(place, name, capsys):
    spoilt(place, lambda files: {**files, name: b"x"})
    assert cli.main(["import", "bad.zip", "new"]) == 2
    assert "an archive that `simdiff export` wrote" in capsys.readouterr().err
    assert not Path("new").exists()


@pytest.mark.parametrize("share", [0.02, 0.2, 0.4, 0.6, 0.8, 0.98])
@pytest.mark.parametrize("bits", [0x01, 0xFF])
def test_damage_anywhere_is_refused_or_does_not_matter(place, share, bits, capsys):
    data = bytearray((place / "x.zip").read_bytes())
    data[int(share * len(data))] ^= bits
    Path("bad.zip").write_bytes(data)
    status = cli.main(["import", "bad.zip", f"new-{share}-{bits}"])
    assert status in (0, 2)
    if status == 0:  # a date or a permission, say
        contents = {p.name: p.read_bytes() for p in Path(f"new-{share}-{bits}").rglob("*") if p.is_file()}
        with zipfile.ZipFile(place / "x.zip") as whole:
            assert contents == {Path(n).name: whole.read(n) for n in whole.namelist()}
    else:
        assert not Path(f"new-{share}-{bits}").exists()
        assert capsys.readouterr().err.count("\n") == 1


def test_what_is_no_archive_is_refused_whole(place, capsys):
    Path("bad.zip").write_text("no archive")
    assert cli.main(["import", "bad.zip", "new"]) == 2
    spoilt(place, lambda files: {"report.md": files["report.md"]})
    assert cli.main(["import", "bad.zip", "new"]) == 2
    assert "neither" in capsys.readouterr().err.splitlines()[-1]
    assert not Path("new").exists()
