"""A trial's row does not depend on how trials are batched; nothing is dropped, nothing too large starts."""

import dataclasses
import itertools

import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest
from toy_problems import Fragile, Mean, Path

import simdiff
from simdiff.engine import batch_size, batches, devices, program_key, run_trials
from simdiff.engine import trials as engine_trials
from simdiff.engine.session import Session
from simdiff.errors import InputError

FACTS = ["duration"]


def numbers(problem, trials, d=40, seed=0):
    frame = pd.concat(run_trials(problem, d, seed, trials), ignore_index=True)
    return frame.drop(columns=FACTS)


SMALL = simdiff.DenoisingScoreMatching(model=simdiff.models.RandomFeatures(1.5), m=2)


@pytest.mark.parametrize("problem", [Mean(), Path(), SMALL], ids=lambda p: type(p).__name__)
def test_rows_do_not_depend_on_the_batches(problem):
    d, size = 60, batch_size(problem, 60)
    whole = numbers(problem, range(2 * size), d)
    order = np.random.default_rng(0).permutation(2 * size).tolist()
    parts = [numbers(problem, part, d) for part in (order[:3], order[3:])]
    again = pd.concat(parts).sort_values("trial", kind="stable", ignore_index=True)
    pd.testing.assert_frame_equal(again, whole)
    assert whole["trial"].nunique() == 2 * size
    first = problem.metrics[0].name
    assert whole[first].nunique() == len(whole)


def test_the_number_of_trials_asked_for_changes_none(monkeypatch):
    few = simdiff.simulate(Mean(), d=40, trials=3).drop(columns=FACTS)
    many = simdiff.simulate(Mean(), d=40, trials=20).drop(columns=FACTS)
    pd.testing.assert_frame_equal(many[many["trial"] < 3], few)
    assert len(many) == 20


def test_batches_follow_a_fixed_grid():
    assert batch_size(Mean(), 40) == 8
    assert batches(Mean(), 40, [17, 3, 4, 8, 3]) == [[3, 4], [8], [17]]
    assert batches(Mean(), 40, []) == []


@dataclasses.dataclass(frozen=True)
class Priced(Mean):
    """Any cost."""

    flops: float = 1.0

    def cost(self, d):
        return self.flops


def test_batches_are_smaller_where_trials_are_dearer():
    sizes = [batch_size(Priced(flops=10.0**k), 10) for k in range(0, 15)]
    assert sizes == sorted(sizes, reverse=True)
    assert (sizes[0], sizes[8], sizes[9], sizes[-1]) == (64, 64, 8, 1)
    assert all(size & (size - 1) == 0 for size in sizes)


def test_points_with_the_same_padded_lengths_share_a_program():
    """Though their costs differ, and so would their batches."""
    of = lambda psi_p: dataclasses.replace(SMALL, model=simdiff.models.RandomFeatures(psi_p))  # noqa: E731
    assert program_key(of(0.25), 64) == program_key(of(1.0), 64) != program_key(of(2.0), 64)
    assert of(2.0).cost(64) > 3 * of(0.25).cost(64)


def test_columns_of_a_trial():
    frame = simdiff.simulate(Path(), d=20, trials=2, seed=3)
    expected = ["point", "d", "trial", "seed", "time", "status", "value"]
    assert list(frame.columns) == [*expected, "duration", "device", "platform", "dtype"]
    assert frame["time"].tolist() == [1.0, 2.0, 4.0] * 2
    assert frame["trial"].tolist() == [0, 0, 0, 1, 1, 1]
    np.testing.assert_allclose(frame["value"] / frame["time"], 2.0, atol=0.1)
    assert set(frame["seed"]) == {3}
    assert set(frame["point"]) == {Path().digest()}
    assert (frame["duration"] > 0).all()


def test_a_trial_without_a_number_is_stored_and_counted():
    frame = simdiff.simulate(Fragile(), d=20, trials=40)
    lost = frame["value"].isna()
    assert 5 <= lost.sum() <= 20
    assert (frame["status"] == np.where(lost, "non-finite", "ok")).all()
    assert np.isfinite(frame["twice"]).all()
    verdict = simdiff.validate(
        Fragile(), lambda p: {"value": 2.0, "twice": 4.0}, sizes=(20, 40), precision=0.5, max_trials=40
    )
    bad = verdict.table.set_index("metric")["bad"]
    assert bad["value"] > 0
    assert verdict.agree is None
    assert "gave no finite result" in verdict.table["reason"][0]


@dataclasses.dataclass(frozen=True)
class Returns(simdiff.Problem):
    """Returns whatever is asked."""

    names: tuple[str, ...] = ("a", "b")
    shape: tuple[int, ...] = ()
    metrics = (simdiff.Metric("a"), simdiff.Metric("b"))

    def trial(self, key, d):
        return {name: jnp.zeros(self.shape) for name in self.names}


@pytest.mark.parametrize(
    ("problem", "words"),
    [
        (Returns(names=("a",)), r"Returns\.trial: got \['a'\]; allowed: \['a', 'b'\]"),
        (Returns(names=("a", "b", "c")), r"Returns\.trial: got \['a', 'b', 'c'\]; allowed: \['a', 'b'\]"),
        (Returns(shape=(3,)), r"Returns\.trial\['a'\]: got \(3,\); allowed: shape \(\)"),
    ],
    ids=["too few", "too many", "shape"],
)
def test_a_trial_must_return_its_metrics(problem, words):
    with pytest.raises(InputError, match=words):
        simdiff.simulate(problem, d=20, trials=1)
    assert len(simdiff.simulate(Returns(), d=20, trials=1)) == 1


@dataclasses.dataclass(frozen=True)
class Large(Mean):
    """d^2 numbers a trial."""

    def memory(self, d):
        return 8 * d**2


def test_a_trial_that_does_not_fit_is_refused_with_the_size_that_would(monkeypatch):
    monkeypatch.setattr(devices, "free_memory", lambda *_: 10**6)
    most = int((0.8 * 10**6 / 8) ** 0.5)
    with pytest.raises(InputError, match=r"one trial needs .* GiB, .* GiB are at hand") as caught:
        simdiff.simulate(Large(), d=2000, trials=1)
    assert caught.value.field == "d"
    named = int(caught.value.allowed.split("about ")[1].split()[0])
    assert 0.94 * most <= named <= most
    assert len(simdiff.simulate(Large(), d=named, trials=1)) == 1
    with pytest.raises(InputError, match="sizes: got 2000"):
        simdiff.validate(Large(), lambda p: {}, sizes=(20, 2000))


def test_denoising_states_memory_that_grows_with_p_and_not_with_m():
    sizes = itertools.pairwise([50, 100, 400, 1000])
    assert all(SMALL.memory(a) < SMALL.memory(b) for a, b in sizes)
    many, more = (dataclasses.replace(SMALL, m=m) for m in (10**3, 10**5))
    assert many.memory(1000) == more.memory(1000) < 2 * SMALL.memory(1000)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"problem": 3}, "problem: got 3; allowed: an instance of a simdiff.Problem"),
        ({"d": 0}, "d: got 0; allowed: an integer >= 1"),
        ({"d": 2.5}, "d: got 2.5"),
        ({"trials": 0}, "trials: got 0"),
        ({"seed": -1}, "seed: got -1"),
    ],
    ids=str,
)
def test_bad_arguments_of_simulate_are_named(arguments, words):
    with pytest.raises(InputError, match=words):
        simdiff.simulate(**{"problem": Mean(), **arguments})


def values(problem, session, seed=0):
    return pd.concat(run_trials(problem, 10, seed, range(3), session=session))["value"].to_numpy()


def test_a_problem_is_made_ready_once_until_it_changes(monkeypatch):
    asked, plain = [], engine_trials.prepare
    monkeypatch.setattr(engine_trials, "prepare", lambda *given: asked.append(given[0]) or plain(*given))
    session, problem = Session(), Mean()
    first = values(problem, session)
    assert len(asked) == 1
    values(problem, session, seed=1)
    assert len(asked) == 1
    np.testing.assert_array_equal(values(dataclasses.replace(problem), session), first)
    assert len(asked) == 2
    object.__setattr__(problem, "level", 3.0)  # a user's own problem may allow it
    np.testing.assert_allclose(values(problem, session), values(Mean(3.0), Session()), rtol=1e-15)
    assert len(asked) == 4


def test_the_problems_kept_ready_are_few():
    session = Session()
    for k in range(12):
        values(Mean(float(k)), session)
    assert len(session.ready) == 8
    assert [problem.level for problem, _ in session.ready.values()] == [float(k) for k in range(4, 12)]
