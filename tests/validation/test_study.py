"""Decisions are replayed from stored trials, whatever else is stored; verdicts are right and calibrated."""

import dataclasses

import pandas as pd
import pytest
from scipy import stats
from toy_problems import Fragile, Mean, Path, mean_theory, wrong_theory

import simdiff
from simdiff import engine
from simdiff.api import make_study
from simdiff.errors import InputError
from simdiff.validation import extrapolation_table, judge_table
from simdiff.validation.study import InMemoryTrials, collect, replay

SIZES = (20, 40, 80)


def study(
    problem=None, theory=mean_theory, precision=0.02, max_trials=200, seed=0, sizes=SIZES, dtype="auto"
):
    return make_study(problem or Mean(), theory, sizes, precision, 0.05, seed, max_trials, dtype)


def table(items, of):
    return judge_table(items, of.rule).table


def counted(monkeypatch):
    """Record the trials that the engine runs: [(d, trials), ...]."""
    calls, run = [], engine.run_trials

    def spy(problem, d, seed, trials, dtype="auto"):
        calls.append((d, list(trials)))
        return run(problem, d, seed, trials, dtype)

    monkeypatch.setattr(engine, "run_trials", spy)
    return calls


class Stops(InMemoryTrials):
    """A store that a run loses its process over, after some batches."""

    def __init__(self, batches):
        super().__init__()
        self.left = batches

    def append(self, frame):
        if self.left == 0:
            raise KeyboardInterrupt
        self.left -= 1
        super().append(frame)


@pytest.fixture(scope="module")
def uninterrupted():
    store = InMemoryTrials()
    items = collect(study(), store)
    return store, table(items, study())


@pytest.mark.parametrize("batches", [1, 2, 5, 9])
def test_a_resumed_run_ends_like_an_uninterrupted_one(batches, uninterrupted, monkeypatch):
    store, calls = Stops(batches), counted(monkeypatch)
    with pytest.raises(KeyboardInterrupt):
        collect(study(), store)
    store.left, there = -1, sum(len(store.trials(study().point, d, 0)) for d in SIZES)
    calls.clear()
    items = collect(study(), store)
    pd.testing.assert_frame_equal(table(items, study()), uninterrupted[1])
    run = [(d, trial) for d, trials in calls for trial in trials]
    assert len(run) == len(set(run))
    kept = sum(len(uninterrupted[0].trials(study().point, d, 0)) for d in SIZES)
    assert 0 < there <= 8 * batches
    assert len(run) == kept - there


def test_a_complete_run_computes_nothing_again(uninterrupted, monkeypatch):
    calls = counted(monkeypatch)
    items = collect(study(), uninterrupted[0])
    assert calls == []
    pd.testing.assert_frame_equal(table(items, study()), uninterrupted[1])


def test_trials_of_another_run_are_used_only_where_this_one_asks_for_them(uninterrupted):
    store = InMemoryTrials()
    for d in SIZES:
        for frame in engine.run_trials(Mean(), d, 0, range(160)):
            store.append(frame)
    pd.testing.assert_frame_equal(table(collect(study(), store), study()), uninterrupted[1])


def test_replay_is_collect_without_trials(uninterrupted, monkeypatch):
    calls = counted(monkeypatch)
    pd.testing.assert_frame_equal(table(replay(study(), uninterrupted[0]).items, study()), uninterrupted[1])
    assert replay(study(), uninterrupted[0]).lacking == {}
    assert calls == []


def test_replay_shows_what_there_is_and_what_is_missing():
    store = InMemoryTrials()
    empty = table(replay(study(), store).items, study())
    assert replay(study(), store).lacking == {20: 12, 40: 12, 80: 8}
    assert set(empty["trials"]) == {"0+0+0"}
    assert set(empty["verdict"]) == {"inconclusive"}
    for frame in engine.run_trials(Mean(), 20, 0, range(16)):
        store.append(frame)
    assert replay(study(), store).lacking == {40: 12, 80: 8}
    assert set(table(replay(study(), store).items, study())["trials"]) == {"12+0+0"}


@pytest.mark.parametrize("missing", [0, 17])
def test_a_hole_in_the_trials_is_missing(missing, uninterrupted):
    store = InMemoryTrials()
    for d in SIZES:
        rows = uninterrupted[0].trials(study().point, d, 0)
        store.append(rows[(rows["d"] != 40) | (rows["trial"] != missing)])
    assert replay(study(), store).lacking == {40: 1}


def raising(problem):
    return {"value": 1 / (problem.level - 2.0), "twice": 4.0}


def test_a_theory_that_raises_is_named_with_the_problem_and_the_error():
    line = r"theory test_study:raising: got 'ZeroDivisionError: .* \(test_study.*, line \d+\)'.*'level': 2"
    with pytest.raises(InputError, match=line) as caught:
        simdiff.validate(Mean(), raising, sizes=SIZES)
    assert isinstance(caught.value.__cause__, ZeroDivisionError)


def test_stages_depend_on_standard_errors_not_on_agreement(uninterrupted):
    """A theory of the same magnitudes asks for the same precision, however wrong it is."""
    opposite = study(theory=lambda problem: {k: -v for k, v in mean_theory(problem).items()})
    found = table(collect(opposite, InMemoryTrials()), opposite)
    assert found["trials"].tolist() == uninterrupted[1]["trials"].tolist()
    assert set(found["verdict"]) == {"disagree"}


@pytest.mark.parametrize("max_trials", [4, 13, 50])
def test_no_size_gets_more_trials_than_allowed(max_trials):
    store, one = InMemoryTrials(), study(precision=1e-4, max_trials=max_trials)
    items = collect(one, store)
    assert max(len(store.trials(one.point, d, 0)) for d in SIZES) == max_trials
    assert set(table(items, one)["verdict"]) == {"inconclusive"}
    assert "precision not reached" in table(items, one)["reason"][0]


def test_more_trials_at_higher_precision():
    stores = InMemoryTrials(), InMemoryTrials()
    for store, precision in zip(stores, (0.05, 0.01), strict=True):
        collect(study(precision=precision), store)
    totals = [sum(len(s.trials(study().point, d, 0)) for d in SIZES) for s in stores]
    assert totals[1] > 2 * totals[0]


def test_progress_counts_up_to_what_is_wanted():
    seen = []
    collect(study(), InMemoryTrials(), lambda *state: seen.append(state))
    assert all(0 <= finished <= wanted for _, finished, wanted in seen)
    for d in SIZES:
        last = [state for state in seen if state[0] == d][-1]
        assert last[1] == last[2]


def test_points_differ_by_the_arithmetic_that_was_asked_for():
    assert study().point == Mean().digest()
    assert study(dtype="float64").point == Mean().digest() + "-float64"


@pytest.mark.parametrize(
    ("values", "verdicts"),
    [([2.0, 4.0, 8.0], ["agree"] * 3), ([2.0, 4.0, 8.2], ["agree", "agree", "disagree"])],
)
def test_times_are_compared_one_by_one(values, verdicts):
    verdict = simdiff.validate(Path(), lambda p: {"value": values}, sizes=(20, 40), precision=0.02, seed=1)
    assert verdict.table["time"].tolist() == [1.0, 2.0, 4.0]
    assert verdict.table["theory"].tolist() == values
    assert verdict.table["verdict"].tolist() == verdicts


def test_the_extrapolation_table_has_a_row_a_size():
    items = collect(study(), InMemoryTrials())
    sizes = extrapolation_table(items)
    assert sizes["d"].tolist() == [*SIZES] * 2
    expected = 2.0 + 3.0 / sizes["d"][:3]
    assert (abs(sizes["mean"][:3] - expected) < 4 * sizes["stderr"][:3]).all()


@pytest.mark.parametrize(("theory", "agree"), [(mean_theory, True), (wrong_theory, False)])
def test_a_theory_is_judged(theory, agree):
    verdict = simdiff.validate(Mean(spread=0.01), theory, sizes=SIZES, seed=2)
    assert verdict.agree is agree
    assert verdict.table.set_index("metric")["verdict"]["twice"] == "agree"


def test_a_theory_that_leaves_a_metric_out_is_compared_on_the_rest():
    verdict = simdiff.validate(Mean(spread=0.01), lambda p: {"twice": 4.0}, sizes=SIZES, seed=2)
    assert verdict.table["verdict"].tolist() == ["no theory", "agree"]
    assert verdict.agree is True


def test_without_a_theory_the_limit_is_estimated():
    verdict = simdiff.validate(Mean(spread=0.01), sizes=SIZES)
    assert verdict.agree is None
    row = verdict.table.iloc[0]
    assert abs(row["estimate"] - 2.0) < 4 * row["stderr"]
    assert set(verdict.table["verdict"]) == {"no theory"}


def test_sizes_that_collapse_are_refused():
    @dataclasses.dataclass(frozen=True)
    class Tenths(Mean):
        def ratios(self):
            return {"tenth": 0.1}

    with pytest.raises(InputError, match="sizes farther apart"):
        simdiff.validate(Tenths(), mean_theory, sizes=(99, 101))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"precision": 0.0}, "precision: got 0.0"),
        ({"precision": float("nan")}, "precision: got nan"),
        ({"alpha": 1.0}, "alpha: got 1.0"),
        ({"max_trials": 3}, "max_trials: got 3; allowed: an integer >= 4"),
        ({"max_trials": "many"}, "max_trials: got 'many'"),
        ({"theory": "no_such"}, "theory: got 'no_such'"),
        ({"theory": 3}, "theory: got 3"),
        ({"theory": lambda p: {"vlaue": 1.0}}, "did you mean 'value'"),
        ({"theory": lambda p: 3.0}, "a mapping from metric names"),
        ({"theory": lambda p: {"value": [1.0, 2.0]}}, "theory's value: got .*a number"),
        ({"sizes": (20,)}, "sizes: got .20.; allowed: two or more"),
        ({"problem": Mean}, "problem: got <class"),
    ],
    ids=lambda part: part if isinstance(part, str) else "+".join(part),
)
def test_bad_arguments_are_named_before_the_first_trial(arguments, words, monkeypatch):
    calls = counted(monkeypatch)
    with pytest.raises(InputError, match=words):
        simdiff.validate(**{"problem": Mean(), "theory": mean_theory, "sizes": SIZES, **arguments})
    assert calls == []


SEEDS = 60
QUICK = Mean(spread=0.01)


@pytest.fixture(scope="module")
def verdicts():
    """One store a seed serves both theories: the trials do not depend on what they are compared with."""
    found = {"right": [], "wrong": []}
    for seed in range(SEEDS):
        store = InMemoryTrials()
        for name, theory in [("right", mean_theory), ("wrong", both_wrong)][: 1 + (seed % 2)]:
            one = study(QUICK, theory, precision=0.005, max_trials=512, seed=seed)
            found[name].append(judge_table(collect(one, store), one.rule))
    return found


def both_wrong(problem):
    return {name: 1.01 * value for name, value in mean_theory(problem).items()}


@pytest.mark.heavy
@pytest.mark.heavy
def test_a_correct_theory_is_rejected_no_more_often_than_alpha(verdicts):
    rejected = sum(verdict.agree is False for verdict in verdicts["right"])
    assert rejected <= stats.binom.ppf(0.999, SEEDS, 0.05)
    assert sum(verdict.agree is True for verdict in verdicts["right"]) >= 0.8 * SEEDS


@pytest.mark.heavy
def test_p_values_of_a_correct_theory_are_uniform(verdicts):
    p = pd.concat([verdict.table for verdict in verdicts["right"]])
    for _, values in p.groupby("metric")["p_value"]:
        assert stats.kstest(values, "uniform").pvalue > 1e-3 / 2


@pytest.mark.heavy
@pytest.mark.heavy
def test_a_theory_one_per_cent_off_is_rejected(verdicts):
    rejected = sum(verdict.agree is False for verdict in verdicts["wrong"])
    assert rejected >= 0.95 * len(verdicts["wrong"])


def test_trials_without_a_number_leave_no_verdict():
    one = study(Fragile(), precision=0.5, max_trials=20)
    found = table(collect(one, InMemoryTrials()), one).set_index("metric")
    assert found["verdict"]["value"] == "inconclusive"
    assert found["bad"]["value"] > 0


class OldName(Mean):
    """A problem written for the method's former name."""

    def realised(self, d):
        return self


def test_the_former_name_of_at_size_is_pointed_out():
    with pytest.raises(simdiff.InputError, match=r"OldName.realised.*at_size"):
        simdiff.simulate(OldName(), d=10, trials=1)
