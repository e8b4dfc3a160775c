"""Runs as objects: tables, figures, folders, more precision, other theories; nothing is overwritten."""

import json
import math
from pathlib import Path

import matplotlib
import numpy as np
import pandas as pd
import pytest
from toy_problems import Mean, mean_theory, wrong_theory
from toy_problems import Path as Times

import simdiff
from simdiff.cli import main as cli
from simdiff.cli.compose import CONFIGS
from simdiff.report.figures import SHARED, figures
from simdiff.run.writing import write

matplotlib.use("agg")
NONE = {"kind": "none"}
QUICK = {"sizes": (20, 40, 80), "precision": 0.05}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("runs") / "mine"


@pytest.fixture(scope="module")
def run(folder):
    return simdiff.sweep(Mean(), {"level": [1.0, 2.0, 3.0]}, mean_theory, out=folder, **QUICK)


def test_what_is_done_after_the_last_trial_is_told(run):
    heard = []
    write(run, heard.append)
    assert heard[0] == "asking the theory for tables"
    assert "drawing curves" in heard
    assert heard[-1] == "writing the report"


def test_a_table_begins_with_what_people_look_at_and_ends_with_digests(run):
    first = ["level", "metric", "theory", "estimate", "stderr", "p_adjusted", "verdict"]
    assert list(run.table.columns[:7]) == first
    assert run.table.columns[-1] == "point"
    assert run.table["level"].tolist() == [1, 1, 2, 2, 3, 3]
    assert list(run.trials.columns[:3]) == ["level", "d", "trial"]
    assert run.trials.columns[-1] == "point"
    assert run.agree is True


def test_a_sweep_is_the_validations_of_its_points(run):
    """The same trials and limits; p-values are corrected for all points."""
    alone = simdiff.validate(Mean(level=2.0), mean_theory, **QUICK)
    rows = run.table[run.table["level"] == 2]
    for column in ("theory", "estimate", "stderr", "p_value"):
        assert rows[column].tolist() == alone.table[column].tolist()
    assert (rows["p_adjusted"].to_numpy() >= alone.table["p_adjusted"].to_numpy()).all()


def test_a_verdict_is_short_and_has_the_methods_of_its_run():
    found = simdiff.validate(Mean(), mean_theory, **QUICK)
    assert repr(found) == "Verdict(agree=True: 2 agree; print() shows the table)"
    assert list(found.table.columns[:2]) == ["point", "metric"]  # as it always was
    assert len(found.trials) >= 12 + 12 + 8
    assert "agree in all of 2" in found._repr_html_()
    assert "finite_sizes" in dir(found)
    with pytest.raises(AttributeError, match="a run has no 'nonsense'"):
        _ = found.nonsense


def test_a_folder_opens_as_the_run_that_wrote_it(run, folder):
    again = simdiff.open(folder)
    assert again.table.equals(run.table)
    assert again.trials["value"].tolist() == run.trials["value"].tolist()
    assert (again.rule, again.agree, again.notes) == (run.rule, run.agree, run.notes)
    assert again.verdict.table["p_value"].tolist() == run.verdict.table["p_value"].tolist()
    assert repr(again) == repr(run)
    assert len(repr(again)) < 300


def test_runs_of_the_command_line_open_too_also_those_without_a_record_of_points(tmp_path, monkeypatch):
    (tmp_path / "own_problem.py").write_text((Path(__file__).parents[1] / "toy_problems.py").read_text())
    monkeypatch.chdir(tmp_path)
    words = [
        "problem=own_problem:Mean",
        "theory=own_problem:mean_theory",
        "sizes=[20,40,80]",
        "precision=0.05",
    ]
    assert cli.main(["run", "-m", *words, "level=1,2", "precision=0.05", "figure.kind=none", "out=mine"]) == 0
    with_points = simdiff.open("mine")
    (tmp_path / "mine" / "points.json").unlink()
    for opened in (with_points, simdiff.open("mine")):
        assert opened.table["level"].tolist() == [1, 1, 2, 2]
        assert opened.verdict.table["estimate"].tolist() == opened.table["estimate"].tolist()
    (tmp_path / "mine" / "config.yaml").write_text(
        (tmp_path / "mine" / "config.yaml").read_text().replace("mean_theory", "none_such")
    )
    with pytest.raises(simdiff.InputError, match="give it to simdiff"):
        simdiff.open("mine")
    assert simdiff.open("mine", theory=mean_theory).agree is True


@pytest.mark.parametrize(
    "problem",
    [
        simdiff.DenoisingScoreMatching(
            simdiff.data.Gaussian(spectrum=([0.5, 1.5], [0.5, 0.5])), m=math.inf, psi_n=1.5
        ),
        simdiff.DenoisingScoreMatching(trainer=simdiff.trainers.GradientFlow(times=(1.0, 10.0)), m=2),
        simdiff.LinearSampling(simdiff.data.PowerLaw(1.0), psi_n=4.0),
    ],
)
def test_built_in_problems_come_back_from_plain_values(problem):
    from simdiff.parts.build import build_problem
    from simdiff.run.verbs import problem_name

    fields = json.loads(json.dumps(problem.describe() | {"problem": problem_name(problem)}))
    assert build_problem(fields).digest() == problem.digest()


def test_an_edited_problem_is_told_not_compared_with_trials_of_the_old_one(tmp_path):
    run = simdiff.sweep(Mean(), {"level": [1.0]}, mean_theory, out=tmp_path / "x", figure=NONE, **QUICK)
    text = (tmp_path / "x" / "points.json").read_text()
    (tmp_path / "x" / "points.json").write_text(text.replace('"slope": 3', '"slope": 4'))
    with pytest.raises(simdiff.InputError, match=f"the problem of point {run.studies[0].point}"):
        simdiff.open(tmp_path / "x")


def test_figures_are_methods_take_axes_and_give_them(run):
    from matplotlib import pyplot

    assert set(run.figures) == set(figures()) <= set(dir(run))
    panels = run.curves()
    assert [ax.get_ylabel() for ax in panels] == ["value", "twice"]
    _, axes = pyplot.subplots(1, 2)
    assert run.curves(ax=axes) is axes
    assert all(ax.lines for ax in axes)
    with pytest.raises(simdiff.InputError, match="2, one for each panel"):
        run.curves(ax=axes[0])
    assert run.curves(ax=axes[0], metrics=["twice"]) is axes[0]
    assert set(run.plot()) == {"curves", "deviations", "finite_sizes"}
    with pytest.raises(simdiff.InputError, match="nothing to show"):
        simdiff.validate(Mean(), mean_theory, **QUICK).curves()
    for wrong in ({"metrics": ["none"]}, {"x": "none"}, {"colour": 1}):
        with pytest.raises(simdiff.InputError):
            run.curves(**wrong)
    pyplot.close("all")


def test_shared_settings_of_figures_are_those_of_the_configuration():
    from omegaconf import OmegaConf

    assert OmegaConf.load(CONFIGS / "config.yaml").figure == {**SHARED}


def test_latex_has_errors_in_brackets_and_no_special_character_left(run):
    lines = run.to_latex().splitlines()
    assert lines[2] == r"level & metric & theory & simulation & $p$ & verdict \\"
    estimate, stderr = run.table.loc[0, ["estimate", "stderr"]]
    assert f"{estimate:.3f}({stderr * 1000:.0f})" in lines[4]
    assert lines[-2] == r"\bottomrule"
    assert "p adjusted" in run.to_latex(["metric", "p_adjusted"])
    with pytest.raises(simdiff.InputError, match="columns"):
        run.to_latex(["nothing"])


def test_a_second_theory_on_the_same_trials(run):
    both = run.compare(wrong_theory)
    first, second = (both.table[both.table["theory_name"] == n] for n in both.table["theory_name"].unique())
    assert first["estimate"].tolist() == pytest.approx(run.table["estimate"].tolist(), rel=1e-14)
    assert np.allclose(second["theory"], first["theory"] * np.where(first["metric"] == "value", 1.01, 1))
    assert (first["p_adjusted"] >= run.table["p_adjusted"].to_numpy()).all()  # one family of both
    with pytest.raises(simdiff.InputError, match="different names"):
        run.compare(mean_theory)


def test_a_theory_is_asked_once_for_every_size_and_for_the_limit():
    asked = []

    def theory(problem):
        asked.append(problem)
        return mean_theory(problem)

    simdiff.validate(Mean(), theory, **QUICK)
    assert len(asked) == len(QUICK["sizes"]) + 1


def test_of_several_theories_the_wrong_one_is_rejected():
    problem, asked = Mean(spread=0.02), {"sizes": (20, 40, 80), "precision": 0.005, "extrapolation": (1.0,)}
    found = simdiff.validate(problem, [mean_theory, wrong_theory], seed=1, **asked)
    words = found.table.set_index(["theory_name", "metric"])["verdict"]
    assert words["toy_problems:wrong_theory", "value"] == "disagree"
    assert words["toy_problems:mean_theory", "value"] == "agree"


def test_of_several_theories_each_has_its_line_and_its_points(run):
    drawn = run.compare(wrong_theory).curves(metrics=["value"])
    ends = sorted(list(line.get_ydata()[[0, -1]]) for line in drawn.lines if line.get_gid() == "theory")
    np.testing.assert_allclose(ends, [[1.0, 3.0], [1.01, 3.03]])
    axes = run.compare(wrong_theory).finite_sizes(metrics=["value"])
    (means,) = (line for line in axes.lines if line.get_gid() == "points")
    assert len(means.get_xdata()) == 3


def test_the_command_line_takes_several_theories(tmp_path, monkeypatch):
    (tmp_path / "own_problem.py").write_text((Path(__file__).parents[1] / "toy_problems.py").read_text())
    monkeypatch.chdir(tmp_path)
    both = "theory=[own_problem:mean_theory,own_problem:wrong_theory]"
    words = ["problem=own_problem:Mean", both, "sizes=[20,40,80]", "precision=0.05", "figure.kind=none"]
    assert cli.main(["run", "-m", *words, "level=1,2", "out=mine"]) == 0
    table = simdiff.open("mine").table
    assert table.groupby("theory_name").size().tolist() == [4, 4]
    assert cli.main(["run", "-m", *words, "level=1,2", "out=mine", "launcher=joblib"]) == 2


def test_extending_adds_trials_and_says_that_it_is_a_second_look(tmp_path):
    problem = Mean(spread=0.02)
    run = simdiff.sweep(problem, {"level": [1.0]}, mean_theory, out=tmp_path / "x", figure=NONE, **QUICK)
    text = (tmp_path / "x" / "report.md").read_text()
    before = len(run.trials)
    more = run.extend(precision=0.01)
    assert len(more.trials) > before
    assert more.table["stderr"].max() < run.table["stderr"].max()
    assert any("looked at before, with precision 0.05" in note for note in more.notes)
    assert "looked at before" in (tmp_path / "x" / "report.md").read_text()
    assert (tmp_path / "x" / "report-1.md").read_text() == text
    again = simdiff.open(tmp_path / "x")
    assert (again.rule.precision, again.notes) == (0.01, more.notes)
    in_memory = simdiff.validate(Mean(level=1.0, spread=0.02), mean_theory, **QUICK).extend(precision=0.01)
    assert in_memory.table["estimate"].tolist() == more.table["estimate"].tolist()
    with pytest.raises(simdiff.InputError, match="out="):
        in_memory.write()


def test_another_sweep_in_the_folder_keeps_the_former_report(tmp_path, capsys):
    for levels in ([1.0], [1.0, 2.0]):
        simdiff.sweep(Mean(), {"level": levels}, mean_theory, out=tmp_path / "x", figure=NONE, **QUICK)
    assert len(pd.read_csv(tmp_path / "x" / "summary-1.csv")) == 2
    assert len(pd.read_csv(tmp_path / "x" / "summary.csv")) == 4
    text = (tmp_path / "x" / "report.md").read_text()
    (tmp_path / "x" / "report.md").unlink()
    assert cli.main(["report", str(tmp_path / "x")]) == 0
    assert without_date((tmp_path / "x" / "report.md").read_text()) == without_date(text)
    assert cli.main(["report", str(tmp_path / "x"), "seed=3"]) == 2
    assert "Python began this run" in capsys.readouterr().err


def without_date(text):
    return [line for line in text.splitlines() if "date" not in line]


def test_times_stand_beside_the_parameters():
    found = simdiff.sweep(Times(), {"level": np.array([1.0, 2.0])}, sizes=(20, 40), precision=0.5)
    assert list(found.table.columns[:3]) == ["level", "time", "metric"]
    assert len(found.table) == 6


@pytest.mark.parametrize(
    ("axes", "told"),
    [
        ({"levle": [1.0]}, "an argument of Mean"),
        ({"level": []}, "one value or more"),
        ({"level": "12"}, "a list of values"),
        ({"level": 3}, "a list of values"),
    ],
)
def test_a_sweep_over_nothing_is_told(axes, told):
    with pytest.raises(simdiff.InputError, match=told):
        simdiff.sweep(Mean(), axes, mean_theory, **QUICK)
