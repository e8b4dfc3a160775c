"""The theory behind the simulated points: dense lines, maps, thresholds, sample complexities; and figures
that lack a part."""

import dataclasses
import math
import shutil
import warnings
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest
from toy_problems import Mean, mean_theory

import simdiff
from simdiff.api import make_study
from simdiff.cli import main as cli
from simdiff.cli.compose import make_plan, options
from simdiff.parts.build import build_problem
from simdiff.report.figures.base import Material
from simdiff.report.figures.curves import in_steps, threshold_marks
from simdiff.report.figures.sample_complexity import SampleComplexityFigure, complexity_table
from simdiff.report.figures.theory_lines import dense_values, lines, theory_table
from simdiff.theory import load
from simdiff.trainers import Ridge

HERE = Path(__file__).parent.parent


def points(*words):
    return [build_problem(point) for point in make_plan(list(words), True, "simdiff").points]


def own(problem, x, grid):
    """Dense lines of the problems' own theory."""
    return lines(problem, load(None, problem[0]), x, grid)


def test_dense_values_keep_the_simulated_ones():
    problem = simdiff.DenoisingScoreMatching()
    linear = dense_values(problem, "t", [0.2, 0.5, 1.0], 9)
    assert linear == sorted({*np.linspace(0.2, 1.0, 9)[1:-1], 0.2, 0.5, 1.0})
    logarithmic = dense_values(problem, "psi_n", [0.1, 10.0], 5)
    np.testing.assert_allclose(logarithmic, [0.1, 10**-0.5, 1.0, 10**0.5, 10.0])
    assert dense_values(problem, "psi_n", [1, 2], 3) == [1.0, 1.5, 2.0]
    assert dense_values(problem, "m", [1, 16], 60) == list(range(1, 17))
    assert dense_values(simdiff.Generations(), "generations", [1, 8], 60) == list(range(1, 9))


@pytest.mark.parametrize("name", options("experiment"))
def test_lines_of_every_experiment_are_of_problems_that_there_are(name):
    found = make_plan([f"experiment={name}"], False, "simdiff")
    x = found.setting("figure")["x"]
    problems = [build_problem(point) for point in found.points]
    asked = []
    if x is not None:
        lines(problems, lambda problem: asked.append(problem) or {}, x, 5)
        assert x == "time" or len(asked) >= len(problems)


def test_lines_are_the_theory_for_every_other_value():
    found = own(points("psi_n=1,2,4", "m=1,inf"), "psi_n", 5)
    assert set(found["m"]) == {1, "inf"}
    assert sorted(set(found["psi_n"])) == pytest.approx([1, 1.75, 2, 2.5, 3.25, 4])
    study = make_study(
        simdiff.DenoisingScoreMatching(psi_n=1.75, m=math.inf), None, (50, 60), 0.1, 0.05, 0, 8, "auto"
    )
    row = found[(found["psi_n"] == 1.75) & (found["m"] == "inf") & (found["metric"] == "test")]
    assert row["theory"].item() == pytest.approx(study.predictions[0]["test"], rel=1e-9)


def test_an_optimiser_has_an_axis_of_steps_and_a_dense_line_along_it():
    some = points(
        "trainer=optax", "trainer.name=sgd", "trainer.steps=100", "trainer.records=3", "model.psi_p=1"
    )
    dense = own(some, "time", 9)
    recorded = simdiff.predict(some[0])["test"]
    test = dense[dense["metric"] == "test"].set_index("time")["theory"]
    assert len(test) == 9
    assert test.loc[[1.0, 10.0, 100.0]].tolist() == pytest.approx(recorded.tolist(), rel=1e-6)
    shown, along, axis = in_steps(some, dense, dense)
    assert (axis, "time" in shown, "step" in along) == ("step", False, True)
    flow = points("trainer=gradient_flow")
    assert in_steps(flow, dense, None) == (dense, None, "time")


def test_one_value_has_no_line():
    assert own(points("psi_n=2", "m=1,2"), "psi_n", 5) is None


def test_thresholds_lie_at_p_equal_to_n_m():
    problems = [simdiff.DenoisingScoreMatching(m=m, psi_n=2.0) for m in (1, 4, math.inf)]
    assert threshold_marks(problems, "model.psi_p") == {1: 2, 4: 8}
    assert threshold_marks(problems, "psi_n") == {1: 4, 4: 1}
    assert threshold_marks(problems, "t") == {}


def test_a_theory_that_fails_between_the_points_costs_its_line_only():
    problems = [Mean(level=v) for v in (1.0, 1.5)]
    with pytest.warns(UserWarning, match=r"no theory between the simulated points \(ZeroDivisionError"):
        assert theory_table(problems, fragile) is None
    assert len(theory_table(problems, mean_theory)) == 4


def fragile(problem):
    return {"value": 1 / (problem.level - 1.5)}


def test_no_theory_is_no_line():
    assert theory_table([Mean()], None) is None


@pytest.fixture
def here(tmp_path, monkeypatch):
    shutil.copy(HERE / "toy_problems.py", tmp_path / "own_problem.py")
    monkeypatch.chdir(tmp_path)


QUICK = ["problem=own_problem:Mean", "sizes=[20,40]", "precision=0.5", "max_trials=8"]


@pytest.mark.heavy
def test_maps_without_a_theory_show_the_estimates(here, capsys):
    axes = ["level=1,2", "slope=1,2", "figure.kind=maps", "figure.x=level", "figure.y=slope"]
    assert cli.main(["run", "-m", *QUICK, *axes, "out=maps"]) == 0
    assert "warning" not in capsys.readouterr().err
    assert {path.name for path in Path("maps/figures").iterdir()} >= {"maps.png", "maps.pdf"}


def test_a_prepared_axis_that_is_fixed_leaves_a_figure_of_one_value(here):
    words = [*QUICK, "theory=own_problem:mean_theory", "level=2", "figure.x=level", "figure.series=slope"]
    assert cli.main(["run", *words, "out=one"]) == 0
    assert Path("one/figures/curves.png").exists()


# --- sample complexity


@dataclasses.dataclass(frozen=True)
class Learner(simdiff.Problem):
    """`value` falls as level / psi_n at its best ridge, 0.01, and is higher at any other."""

    level: float = 1.0
    slow: float = 1.0
    psi_n: float = 2.0
    trainer: Ridge = dataclasses.field(default_factory=lambda: Ridge(1e-2))

    metrics = (simdiff.Metric("value"),)

    def trial(self, key, d):
        return {"value": self.level / self.psi_n + 0.01 * jax.random.normal(key, (), jnp.float64)}


def learner_theory(problem):
    bent = 1 + math.log10(problem.trainer.ridge / 0.01) ** 2
    return {"value": problem.slow * problem.level / problem.psi_n * bent}


LEARNER = ["problem=test_figures:Learner", "theory=test_figures:learner_theory", "trainer=ridge"]
ASKED = ["figure.x=level", "figure.complexity.metric=value", "figure.complexity.threshold=0.5"]


@pytest.fixture
def coarse(monkeypatch):
    monkeypatch.setattr("simdiff.report.figures.sample_complexity.GRID", 4)


def found_at(*words):
    plan = make_plan([*LEARNER, *ASKED, *words], True, "simdiff")
    problems = [build_problem(point) for point in plan.points]
    return complexity_table(plan.base["figure"], problems, learner_theory)


def test_complexity_is_sought_once_for_each_x_and_series(coarse):
    found = found_at("level=1,3,300", "slow=1,2", "psi_n=2,4", "trainer.ridge=0.01,0.1")
    assert not {"psi_n", "trainer.ridge"} & set(found)
    assert found.groupby("slow")["level"].nunique().tolist() == [5, 5]
    assert not found.duplicated(["slow", "level"]).any()
    reached = found["reachable"]
    assert (found["slow"] * found["level"] <= 500).equals(reached)
    exact = (found["slow"] * found["level"] / 0.5)[reached]
    np.testing.assert_allclose(found["sample_complexity"][reached], exact, rtol=1e-4)
    np.testing.assert_allclose(found["ridge"][reached], 0.01, rtol=0.01)


def test_complexity_at_given_ridges_keeps_them_apart(coarse):
    found = found_at("figure.complexity.ridge=given", "level=1,2", "trainer.ridge=0.01,0.1")
    assert set(found["trainer.ridge"]) == {0.01, 0.1}
    exact = found["level"] / 0.5 * (1 + np.log10(found["trainer.ridge"] / 0.01) ** 2)
    np.testing.assert_allclose(found["sample_complexity"], exact, rtol=1e-6)


@pytest.mark.parametrize(("threshold", "said"), [(0.5, True), (None, False)])
def test_a_theory_that_fails_costs_the_complexity_only(threshold, said):
    study = make_study(Learner(level=1.5), None, (20, 40), 0.5, 0.05, 0, 8, "auto")
    settings = {"x": "level", "complexity": {"metric": "value", "threshold": threshold, "ridge": 0.01}}
    material = Material(
        settings, [dataclasses.replace(study, theory=fragile)], pd.DataFrame(), pd.DataFrame()
    )
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        assert not SampleComplexityFigure().tables(material)
    assert [("no sample complexity (ZeroDivisionError" in str(w.message)) for w in caught] == [True] * said


@pytest.mark.heavy
def test_complexity_reaches_the_folder_and_the_report(coarse, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    words = [*LEARNER, *ASKED, "level=1,300", "slow=2", "sizes=[20,40]", "precision=0.5", "max_trials=8"]
    assert cli.main(["run", "-m", *words, "figure.complexity.ridge=0.01", "out=one"]) == 0
    table = pd.read_csv("one/sample_complexity.csv")
    assert table["reachable"].tolist() == (table["level"] <= 250).tolist()
    drawn = {path.name for path in Path("one/figures").glob("sample*")}
    assert drawn == {"sample_complexity.png", "sample_complexity.pdf"}
    report = Path("one/report.md").read_text()
    assert "## Sample complexity" in report
    assert "The least psi_n at which theory has value <= 0.5" in report
    assert "![sample complexity](figures/sample_complexity.png)" in report


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("figure.x=null", "figure.x: got None; allowed: the axis of the sample complexity"),
        ("figure.x=psi_n", "figure.x: got 'psi_n'"),
        ("figure.x=trainer.ridge", "figure.x: got 'trainer.ridge'"),
        ("figure.complexity.metric=score", "metric: got 'score'; allowed: value"),
        ("figure.complexity.threshold=-1", "threshold: got -1"),
        ("figure.complexity.ridge=good", "ridge: got 'good'"),
        ("figure.complexity.level=1", "override: got 'figure.complexity.level=1'"),
    ],
)
def test_what_cannot_be_sought_is_refused_before_anything_runs(word, message, monkeypatch, capsys, tmp_path):
    monkeypatch.chdir(tmp_path)
    words = [asked for asked in ASKED if asked.split("=")[0] != word.split("=")[0]]
    assert cli.main(["run", "-m", *LEARNER, *words, word, "level=1,2", "psi_n=1,2", "out=never"]) == 2
    assert message in capsys.readouterr().err
    assert not Path("never").exists()
