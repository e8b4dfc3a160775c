"""The commands from end to end, on problems and theories in files outside the repository."""

import json
import math
import re
import shutil
from pathlib import Path

import pandas as pd
import pytest

import simdiff
from simdiff import engine
from simdiff.cli import commands
from simdiff.cli import compose as composition
from simdiff.cli import main as cli
from simdiff.cli.compose import CONFIGS, make_plan, options
from simdiff.parts.build import RUN_SETTINGS, build_problem
from simdiff.store import RunFolder

HERE = Path(__file__).parent.parent
OWN = ["problem=own_problem:Mean", "theory=own_problem:mean_theory", "sizes=[20,40,80]", "precision=0.05"]
QUIET = "figure.kind=none"


def settle(folder, patch):
    """Make `folder` the working directory, with a user's problem in it."""
    shutil.copy(HERE / "toy_problems.py", folder / "own_problem.py")
    patch.chdir(folder)


@pytest.fixture
def here(tmp_path, monkeypatch):
    settle(tmp_path, monkeypatch)
    return tmp_path


@pytest.fixture(scope="module")
def swept(tmp_path_factory):
    """The folder of a finished sweep with figures; nothing may change in it."""
    place = tmp_path_factory.mktemp("swept")
    with pytest.MonkeyPatch.context() as patch:
        settle(place, patch)
        assert cli.main(["run", "-m", *OWN, "level=1,2", "out=runs/mine"]) == 0
    return place / "runs" / "mine"


@pytest.fixture
def again(swept, here):
    """A copy of that folder, in a working directory of its own."""
    shutil.copytree(swept, here / "runs" / "mine")
    return here / "runs" / "mine"


@pytest.fixture
def ran(monkeypatch):
    """What the engine runs: [(problem, d, trials), ...]."""
    calls, run = [], engine.run_trials

    def spy(problem, d, seed, trials, dtype="auto", **named):
        calls.append((problem, d, list(trials)))
        return run(problem, d, seed, trials, dtype, **named)

    monkeypatch.setattr(engine, "run_trials", spy)
    return calls


def plan(*words, multirun=False):
    return make_plan(list(words), multirun, "simdiff")


# --- run and report


def test_a_run_leaves_configuration_trials_tables_report_and_figures(swept):
    names = {str(path.relative_to(swept)) for path in swept.rglob("*") if path.is_file()}
    expected = {"config.yaml", "points.json", "report.md", "report.html", "simdiff.json", "theories.json"}
    expected |= {f"{table}.{kind}" for table in ("summary", "finite_sizes") for kind in ("csv", "parquet")}
    figures = ("curves", "deviations", "finite_sizes")
    expected |= {f"figures/{figure}.{kind}" for figure in figures for kind in ("png", "pdf")}
    assert expected <= names
    rest = {name.split("/")[0] for name in names - expected}
    assert rest == {"rules", "trials", "finished.json"}


def test_the_tables_have_a_row_for_every_comparison(swept):
    summary = pd.read_csv(swept / "summary.csv")
    assert summary[["level", "metric"]].values.tolist() == [
        [1.0, "value"],
        [1.0, "twice"],
        [2.0, "value"],
        [2.0, "twice"],
    ]
    assert summary["theory"].tolist() == [1.0, 2.0, 2.0, 4.0]
    assert (summary["type"] == "Mean").all()
    assert set(summary["verdict"]) == {"agree"}
    assert set(summary["sizes"]) == {"20+40+80"}
    assert len(pd.read_csv(swept / "finite_sizes.csv")) == 4 * 3


def test_every_trial_is_a_row_with_its_origin(swept):
    rows = RunFolder(swept, create=False).trials()
    assert (rows["status"] == "ok").all()
    assert not rows.duplicated(["point", "d", "seed", "trial"]).any()
    row = rows.iloc[0]
    described = json.loads(row["problem"])
    assert [*described.pop("digits of the user's code")] == ["Mean"]
    assert described == {"type": "Mean", "level": described["level"], "slope": 3, "spread": 0.05}
    assert {"jax", "simdiff", "python"} <= set(json.loads(row["versions"]))
    assert row["platform"] in ("cpu", "gpu", "cuda")
    assert rows["dtype"].unique().tolist() == ["float64"]
    problem = build_problem({"problem": "own_problem:Mean", "level": 1.0})
    stored = rows[(rows["point"] == problem.digest()) & (rows["d"] == 20)]
    fresh = simdiff.simulate(problem, d=20, trials=len(stored))
    assert stored["value"].tolist() == fresh["value"].tolist()


def test_the_configuration_and_the_rule_are_kept(swept):
    config = json.loads((swept / "config.yaml").read_text())
    assert config["command"].startswith("simdiff run -m problem=own_problem:Mean")
    assert config["axes"] == {"level": ["1", "2"]}
    assert config["precision"] == 0.05
    (record,) = RunFolder(swept, create=False).rules()
    assert record["rule"]["sizes"] == [20, 40, 80]
    assert len(record["points"]) == 2


def test_the_report_says_it_all(swept):
    text = (swept / "report.md").read_text()
    assert "agree in all of 4 comparisons" in text
    for word in ("simdiff run -m", "seed: 0", "precision: 0.05", "jax 0", "figures/curves.png", "curves.pdf"):
        assert word in text, word


def test_the_same_command_again_computes_nothing(again, monkeypatch):
    def never(*arguments, **named):
        raise AssertionError("a trial was run")

    monkeypatch.setattr(engine, "run_trials", never)
    before = {name: (again / name).read_bytes() for name in ("summary.csv", "finite_sizes.csv")}
    shards = sorted(again.glob("trials/*/*"))
    assert cli.main(["run", "-m", *OWN, "level=1,2", "out=runs/mine"]) == 0
    assert {name: (again / name).read_bytes() for name in before} == before
    assert sorted(again.glob("trials/*/*")) == shards
    assert not (again / "config-1.yaml").exists()


def test_a_changed_sweep_uses_the_points_it_has_in_common(again, ran):
    assert cli.main(["run", "-m", *OWN, "level=2,3", QUIET, "out=runs/mine"]) == 0
    assert {problem.level for problem, _, _ in ran} == {3}
    assert pd.read_csv(again / "summary.csv")["level"].unique().tolist() == [2.0, 3.0]
    assert (again / "config-1.yaml").exists()


def test_another_seed_is_another_set_of_trials(again, ran):
    before = pd.read_csv(again / "summary.csv")
    assert cli.main(["run", "-m", *OWN, "level=1,2", "seed=5", QUIET, "out=runs/mine"]) == 0
    assert ran
    after = pd.read_csv(again / "summary.csv")
    assert (after["estimate"] != before["estimate"]).all()
    assert set(after["verdict"]) == {"agree"}


def test_more_precision_adds_trials_and_less_ignores_them(again, ran):
    before = (again / "summary.csv").read_bytes()
    assert cli.main(["run", "-m", *OWN, "precision=0.03", "level=1,2", QUIET, "out=runs/mine"]) == 0
    assert all(min(trials) > 0 for _, _, trials in ran)
    assert (again / "summary.csv").read_bytes() != before
    ran.clear()
    assert cli.main(["run", "-m", *OWN, "level=1,2", QUIET, "out=runs/mine"]) == 0
    assert ran == []
    assert (again / "summary.csv").read_bytes() == before


def test_report_writes_the_same_again(again, capsys):
    before = (again / "summary.csv").read_bytes()
    for name in ("report.md", "summary.csv", "summary.parquet"):
        (again / name).unlink()
    assert cli.main(["report", "-m", *OWN, "level=1,2", QUIET, "out=runs/mine"]) == 0
    assert (again / "summary.csv").read_bytes() == before
    assert "agree in all of 4" in (again / "report.md").read_text()
    assert "agree in all of 4" in capsys.readouterr().out


def test_report_of_an_unfinished_run_says_what_is_missing(again, capsys):
    second = build_problem({"problem": "own_problem:Mean", "level": 2.0})
    shutil.rmtree(again / "trials" / second.digest())
    assert cli.main(["report", "-m", *OWN, "level=1,2", QUIET, "out=runs/mine"]) == 0
    text = (again / "report.md").read_text()
    assert "2 agree, 0 disagree, 2 inconclusive" in text
    assert "**Unfinished: 1 of 2 points, 32 or more trials still to run.**" in text
    assert re.search(r"level = 2: unfinished: 12 trials to run at d = 20, .* \(there are 0\+0\+0 at", text)
    assert "Unfinished: 1 of 2 points" in capsys.readouterr().out


def test_a_wrong_theory_is_a_finding_not_a_failure(again, capsys):
    theory = "def far(problem):\n    return {'value': 1.2 * problem.level, 'twice': 2 * problem.level}\n"
    Path("far_theory.py").write_text(theory)
    assert cli.main(["run", *OWN, "theory=far_theory:far", "level=2", QUIET, "out=runs/mine"]) == 0
    assert "disagree" in capsys.readouterr().out
    assert "contradicts the theory" in (again / "report.md").read_text()


def test_trials_without_a_number_are_counted_in_the_report(here, capsys):
    words = ["problem=own_problem:Fragile", *OWN[1:3], "precision=0.5", "max_trials=16", QUIET, "out=lost"]
    assert cli.main(["run", *words]) == 0
    rows = RunFolder("lost", create=False).trials()
    lost = rows[rows["status"] == "non-finite"]
    assert len(lost) == rows["value"].isna().sum() > 0
    assert f"{len(lost)} trials, stored with status and seed" in (here / "lost" / "report.md").read_text()
    assert f"{len(lost)} trials without a finite result" in capsys.readouterr().out


def test_times_are_an_axis(here):
    (here / "steps.py").write_text("def linear(p):\n    return {'value': [p.level * t for t in p.times]}\n")
    words = [
        "problem=own_problem:Path",
        "theory=steps:linear",
        "sizes=[20,40]",
        "precision=0.05",
        "out=timed",
    ]
    assert cli.main(["run", "seed=1", *words]) == 0
    assert pd.read_csv("timed/summary.csv")["time"].tolist() == [1.0, 2.0, 4.0]
    assert Path("timed/figures/curves.pdf").exists()


def test_a_run_without_a_theory_reports_estimates(here):
    assert cli.main(["run", OWN[0], *OWN[2:], QUIET, "out=bare"]) == 0
    assert set(pd.read_csv("bare/summary.csv")["verdict"]) == {"no theory"}
    assert "No comparison with a theory" in Path("bare/report.md").read_text()


def test_denoising_from_the_command_line(here):
    words = ["model.psi_p=1.5", "sizes=[60,72]", "precision=1", "max_trials=4", QUIET]
    assert cli.main(["run", "-m", "m=1,2", *words]) == 0
    (folder,) = Path("runs").iterdir()
    assert re.fullmatch(r"denoising-[0-9a-f]{6}", folder.name)
    summary = pd.read_csv(folder / "summary.csv")
    assert summary["m"].unique().tolist() == [1, 2]
    assert set(summary["metric"]) == {"test", "train", "score", "memorization", "objective"}
    assert set(summary["trials"]) == {"4+4"}
    (first, *_) = summary["theory"]
    problem = simdiff.DenoisingScoreMatching(model=simdiff.models.RandomFeatures(1.5))
    assert first == pytest.approx(simdiff.predict(problem)["test"], rel=1e-12)
    assert set(summary["sizes"]) == {"60+72"}


def test_interrupting_exits_with_130_and_one_line(here, monkeypatch, capsys):
    def interrupted(*arguments, **named):
        raise KeyboardInterrupt

    monkeypatch.setattr(engine, "run_trials", interrupted)
    assert cli.main(["run", *OWN, QUIET, "out=stopped"]) == 130
    assert (
        capsys.readouterr().err == "point 1/1\n\nsimdiff: interrupted; the same command goes on from here\n"
    )


# --- predict


def test_predict_prints_a_line_a_point(here, capsys):
    assert cli.main(["predict", "-m", "m=1,4,inf", "model.psi_p=0.5,2"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["m", "model.psi_p", "test", "train", "score", "memorization", "objective"]
    assert len(lines) == 7
    problem = simdiff.DenoisingScoreMatching(model=simdiff.models.RandomFeatures(2.0), m=math.inf)
    expected = simdiff.predict(problem)
    assert [float(word) for word in lines[-1].split()[2:]] == pytest.approx([*expected.values()], rel=1e-5)
    assert list(here.glob("runs*")) == []


def test_predict_with_a_theory_of_the_user(here, capsys):
    (here / "own_theory.py").write_text("def half(problem):\n    return {'test': problem.psi_n / 2}\n")
    assert cli.main(["predict", "-m", "psi_n=1,3", "theory=own_theory:half"]) == 0
    assert capsys.readouterr().out.split() == ["psi_n", "test", "1", "0.5", "3", "1.5"]


# --- list and help


def test_list_names_everything(capsys):
    assert cli.main(["list"]) == 0
    out = capsys.readouterr().out
    for name in ("gaussian", "power_law", "random_features", "ridge", "optax", "tanh", "hard_tanh"):
        assert re.search(rf"\b{name}\b", out), name
    for file in (CONFIGS / "experiment").glob("*.yaml"):
        assert re.search(rf"^ +{file.stem}  +\w.{{20,}}", out, re.MULTILINE), file.stem
    assert "gaussian_equivalence" in out
    assert "package.module:Class" in out


@pytest.mark.parametrize("words", [["--help"], ["run", "--help"], ["predict", "-h"], ["report", "-h"]])
def test_help(words, capsys):
    with pytest.raises(SystemExit) as caught:
        cli.main(words)
    assert caught.value.code == 0
    out = capsys.readouterr().out
    assert max(map(len, out.splitlines())) <= 110
    for word in ("run", "predict", "report", "list") if words == ["--help"] else RUN_SETTINGS:
        assert word in out or word in ("sweep", "name", "known"), word


def test_help_without_a_command(capsys):
    assert cli.main([]) == 0
    assert "simdiff COMMAND --help" in capsys.readouterr().out


def test_version(capsys):
    with pytest.raises(SystemExit) as caught:
        cli.main(["--version"])
    assert caught.value.code == 0
    assert re.fullmatch(r"\d+\.\d+\.\d+\n", capsys.readouterr().out)


# --- composition


def test_a_sweep_is_every_combination():
    found = plan("m=1,4,inf", "model.psi_p=0.5,2", "psi_n=3", multirun=True)
    assert found.axes == {"m": ["1", "4", "inf"], "model.psi_p": ["0.5", "2"]}
    pairs = [(point["m"], point["model"]["psi_p"]) for point in found.points]
    assert pairs == [(m, p) for m in (1, 4, math.inf) for p in (0.5, 2)]
    assert {point["psi_n"] for point in found.points} == {3}


def test_sweeps_over_groups_lists_ranges_and_references():
    found = plan("data=gaussian,power_law", "m=range(1,4)", multirun=True)
    assert [(p["data"]["type"], p["m"]) for p in found.points] == [
        (kind, m) for kind in ("Gaussian", "PowerLaw") for m in (1, 2, 3)
    ]
    spectra = plan("data.spectrum=[[1],[1]],[[0.5,1.5],[0.5,0.5]]", multirun=True)
    assert [point["data"]["spectrum"] for point in spectra.points] == [[[1], [1]], [[0.5, 1.5], [0.5, 0.5]]]
    assert plan("name=mine").base["out"] == "runs/mine"


def test_flags_and_overrides_come_in_any_order(monkeypatch):
    seen = []
    monkeypatch.setattr(commands, "predict", seen.append)
    for words in ("-m psi_n=1,2 m=3", "m=3 -m psi_n=1,2", "m=3 psi_n=1,2 --multirun"):
        assert cli.main(["predict", *words.split()]) == 0
    assert seen[0].points == seen[1].points == seen[2].points
    assert len(seen[0].points) == 2


def test_a_long_sweep_is_composed_once(monkeypatch):
    calls, compose = [], composition.compose
    monkeypatch.setattr(composition, "compose", lambda *a, **k: calls.append(a) or compose(*a, **k))
    values = ",".join(map(str, range(1, 26)))
    assert len(plan(f"psi_n={values}", "m=1,2", multirun=True).points) == 50
    assert len(calls) == 1
    calls.clear()
    assert len(plan(f"psi_n={values}", "data=gaussian,power_law", multirun=True).points) == 50
    assert len(calls) == 3


EXPERIMENTS = options("experiment")


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_experiments_build(name):
    found = plan(f"experiment={name}")
    card = name.removeprefix("papers/").replace(".", "_").replace("/", "-")
    assert found.base["name"] == card
    assert found.base["out"] == f"runs/{card}"
    problems = [build_problem(point) for point in found.points]
    assert sum(len(problem.times or (0.0,)) for problem in problems) > (5 if card == name else 1)
    assert len({problem.digest() for problem in problems}) == len(problems)


def test_a_problem_gets_the_arguments_that_were_named_and_its_own_defaults_else():
    default = build_problem(plan("problem=linear_sampling").base)
    assert default == simdiff.LinearSampling()  # not the ridge that config.yaml has for denoising
    words = ("trainer=ridge", "trainer.ridge=0.2", "schedule=ddpm", "schedule.steps=7")
    named = build_problem(plan("problem=linear_sampling", *words).base)
    assert (named.trainer, named.schedule) == (simdiff.trainers.Ridge(0.2), simdiff.sampling.DDPM(7))
    without = build_problem(plan("experiment=linear_kl", "trainer=none", "psi_n=4").base)
    assert without.trainer is None


def test_overrides_win_over_an_experiment():
    whole = plan("experiment=gaussian_learning_curve")
    assert len(whole.points) == 27
    fixed = plan("experiment=gaussian_learning_curve", "m=4", "t=0.3")
    assert list(fixed.axes) == ["model.psi_p"]
    assert {point["m"] for point in fixed.points} == {4}
    assert {point["t"] for point in fixed.points} == {0.3}
    assert len(fixed.points) == 9
    other = plan("experiment=gaussian_learning_curve", "model.psi_p=1,2", multirun=True)
    assert other.axes == {"m": ["1", "4", "inf"], "model.psi_p": ["1", "2"]}
    single = plan("experiment=gaussian_learning_curve", "m=4", "model.psi_p=2")
    assert (len(single.points), single.axes) == (1, {})


def test_defaults_of_the_users_class_win_over_those_of_the_program(here):
    (here / "ratio.py").write_text(
        "import dataclasses, simdiff\n"
        "@dataclasses.dataclass(frozen=True)\n"
        "class Ratio(simdiff.Problem):\n"
        "    psi_n: float = 7.0\n"
        "    levels: tuple = (1, 2)\n"
        "    metrics = (simdiff.Metric('value'),)\n"
    )
    (point,) = plan("problem=ratio:Ratio").points
    assert build_problem(point).psi_n == 7.0
    assert not {"m", "data", "model", "trainer"} & set(point)
    (point,) = plan("problem=ratio:Ratio", "psi_n=3").points
    assert build_problem(point).psi_n == 3
    points = plan("problem=ratio:Ratio", "psi_n=3,4", "levels=[5,6]", multirun=True).points
    assert [build_problem(p).psi_n for p in points] == [3, 4]
    assert hash(build_problem(points[0])) != hash(build_problem(points[1]))
    assert build_problem(points[0]).levels == (5, 6)


def test_points_that_are_the_same_problem_are_run_once(here, ran):
    assert cli.main(["run", "-m", *OWN, "level=2,2.0", QUIET, "out=once"]) == 0
    assert len(pd.read_csv("once/summary.csv")) == 2


def test_sizes_nudged_apart_are_stated(here):
    (here / "halves.py").write_text(
        "import dataclasses\nfrom own_problem import Mean, mean_theory\n"
        "@dataclasses.dataclass(frozen=True)\n"
        "class Halves(Mean):\n"
        "    ratio: float = 1.0\n"
        "    def ratios(self):\n"
        "        return {'ratio': self.ratio}\n"
    )
    words = ["problem=halves:Halves", OWN[1], "sizes=[21,40,81]", "precision=0.05", QUIET, "out=rounded"]
    assert cli.main(["run", "-m", "ratio=1,0.5", *words]) == 0
    assert set(pd.read_csv("rounded/summary.csv")["sizes"]) == {"21+40+81", "20+40+80"}
    rules = RunFolder("rounded", create=False).rules()
    assert sorted(record["rule"]["sizes"] for record in rules) == [[20, 40, 80], [21, 40, 81]]
    text = Path("rounded/report.md").read_text()
    assert "sizes: 21, 40, 81" in text
    assert "sizes differ between points" in text
