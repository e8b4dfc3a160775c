"""Nothing finished is overwritten by another configuration: folders' names, reports on folders, refusals."""

import hashlib
import shutil
from pathlib import Path

import pandas as pd
import pytest

from simdiff.cli import main as cli
from simdiff.cli.compose import make_plan

HERE = Path(__file__).parent.parent
OWN = ["problem=own_problem:Mean", "theory=own_problem:mean_theory", "sizes=[20,40,80]", "precision=0.5"]
SWEEP = ["run", "-m", *OWN, "level=1,2", "figure.kind=none"]


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    place = tmp_path_factory.mktemp("finished")
    with pytest.MonkeyPatch.context() as patch:
        shutil.copy(HERE / "toy_problems.py", place / "own_problem.py")
        patch.chdir(place)
        assert cli.main([*SWEEP, "out=mine"]) == 0
    return place


@pytest.fixture
def mine(finished, tmp_path, monkeypatch):
    """A copy of the finished run, in a working directory of its own."""
    shutil.copytree(finished, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    return Path("mine")


def content(folder, *but):
    files = [path for path in folder.rglob("*") if path.is_file() and path.name not in but]
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def without_date(text):
    return [line for line in text.splitlines() if "date" not in line]


@pytest.mark.parametrize("word", ["{}", "out={}"])
@pytest.mark.parametrize("name", ["mine", "copy, of 'it' (1)"])
def test_a_report_on_a_folder_alone_is_that_of_its_run(mine, word, name, capsys):
    if name != "mine":
        mine.rename(name)
    folder, before = Path(name), content(Path(name), "report.md", "report.html")
    text = (folder / "report.md").read_text()
    (folder / "report.md").unlink()
    typed = word.format(name if word == "{}" else f'"{name}"')
    assert cli.main(["report", typed]) == 0
    assert content(folder, "report.md", "report.html") == before
    assert without_date((folder / "report.md").read_text()) == without_date(text)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["-m", *OWN, "level=1,3"], 'axes is {"level": ["1", "2"]} there, {"level": ["1", "3"]} here'),
        (["-m", *OWN, "level=1,2", "seed=7"], "seed is 0 there, 7 here"),
        (["psi_n=3"], 'problem is "own_problem:Mean" there, "denoising" here'),
        (["-m", *OWN, "level=1,2", "slope=1"], "slope is null there, 1 here"),
    ],
)
def test_a_report_of_another_configuration_is_refused_in_one_line(mine, words, told, capsys):
    before = content(mine)
    assert cli.main(["report", *words, "out=mine"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert told in line
    assert "simdiff report mine takes the run's own, --replace" in line
    assert content(mine) == before


@pytest.mark.heavy
def test_figures_devices_and_launchers_are_no_other_configuration(mine):
    words = ["-m", *OWN, "level=1,2", "figure.kind=curves", "devices=1", "name=other"]
    assert cli.main(["report", *words, "out=mine"]) == 0
    assert cli.main(["report", "mine", "figure.kind=curves"]) == 0
    assert (mine / "figures" / "curves.png").exists()


def test_replace_writes_over_the_report(mine):
    assert cli.main(["report", "--replace", *OWN, "level=1", "out=mine"]) == 0
    assert len(pd.read_csv(mine / "summary.csv")) == 2


def test_a_run_of_another_configuration_keeps_the_finished_report_under_a_number(mine):
    text, table = (mine / "report.md").read_text(), (mine / "summary.csv").read_bytes()
    (mine / "notes.csv").write_text("of a colleague")
    for count, level in ((1, "1,2,3"), (2, "1,2,3,4")):
        words = [*SWEEP[:-2], f"level={level}", "figure.kind=none"]
        assert cli.main([*words, "out=mine"]) == 0
        assert cli.main([*words, "out=mine"]) == 0  # which sets nothing aside
        names = {path.name for path in mine.glob("report-*.md")}
        assert names == {f"report-{i}.md" for i in range(1, count + 1)}
    assert (mine / "report-1.md").read_text() == text
    assert (mine / "summary-1.csv").read_bytes() == table
    assert (mine / "notes.csv").read_text() == "of a colleague"
    assert [len(pd.read_csv(mine / f"summary{n}.csv")) for n in ("-1", "-2", "")] == [4, 6, 8]


def test_a_finished_run_that_is_started_again_stands_as_it_is(mine, capsys):
    assert cli.main([*SWEEP, "out=mine"]) == 0  # the record of the copied folder is for its former commit
    before = content(mine)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("simdiff.cli.commands.make_study", None)
        assert cli.main([*SWEEP, "out=mine"]) == 0
    assert "Finished before; nothing has changed since." in capsys.readouterr().out
    assert content(mine) == before
    shard = next(mine.glob("trials/*/*.parquet"))
    shard.unlink()
    assert cli.main([*SWEEP, "out=mine"]) == 0
    assert "Finished before" not in capsys.readouterr().out
    assert cli.main([*SWEEP[:-1], "figure.kind=curves", "out=mine"]) == 0
    assert (mine / "figures" / "curves.png").exists()


def test_folders_without_a_name_are_named_after_what_is_run(mine):
    def folder(*words, multirun=False):
        return make_plan(list(words), multirun, "simdiff").setting("out")

    names = [
        folder(),
        folder("psi_n=3"),
        folder("psi_n=3", "seed=1"),
        folder("m=1,2", multirun=True),
        folder(*OWN),
    ]
    assert len({*names}) == len(names)
    assert names[-1].startswith("runs/Mean-")
    assert names[0] == folder("psi_n=2.0", "devices=1", "figure.kind=none")
    assert folder("name=x") == "runs/x"
    assert folder("out=y") == "y"
    assert folder("experiment=gaussian_learning_curve") == "runs/gaussian_learning_curve"


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["nowhere"], "run folder: got 'nowhere'"),
        (["out=nowhere"], "run folder: got 'nowhere'"),
        (["mine", "other"], "command line: got 'mine other'; allowed: one folder"),
        (["broken"], "broken/config.yaml: got"),
        (["empty"], "run folder: got 'empty'; allowed: a run's folder with its config.yaml"),
    ],
)
def test_what_is_no_run_of_its_own_is_told(mine, words, told, capsys):
    for name, text in (("broken", "a: [1"), ("empty", None)):
        (Path(name) / "trials").mkdir(parents=True)
        if text:
            (Path(name) / "config.yaml").write_text(text)
    assert cli.main(["report", *words]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert told in line
