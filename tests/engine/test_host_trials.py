"""Trials in any Python: their seeds, their rows, what becomes of bad ones and of killed processes."""

import dataclasses
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pandas as pd
import pytest

import simdiff
from simdiff.engine.host_trials import seed_words
from simdiff.store import RunFolder

FILE = '''"""Least squares: the training error is noise^2 (1 - gamma) at every size."""

import dataclasses
import time

import numpy as np

import simdiff


def fit(x, y):
    return x @ np.linalg.lstsq(x, y, rcond=None)[0]


@dataclasses.dataclass(frozen=True)
class Fit(simdiff.Problem):
    gamma: float = 0.5
    rest: float = 0.0
    metrics = (simdiff.Metric("train", "mean squared residual"),)

    def trial_host(self, rng, d):
        x = rng.standard_normal((round(d / self.gamma), d))
        y = x.sum(1) + rng.standard_normal(len(x))
        time.sleep(self.rest)
        return {"train": ((y - fit(x, y)) ** 2).mean()}


def theory(problem):
    return {"train": 1 - problem.gamma}


def wrong(problem):
    return {"train": 1.1 * (1 - problem.gamma)}
'''


@dataclasses.dataclass(frozen=True)
class Draws(simdiff.Problem):
    """The first normal of the trial's generator, and what goes wrong in trials where it is large."""

    trouble: str = ""
    metrics = (simdiff.Metric("first"), simdiff.Metric("threads"))

    def trial_host(self, rng, d):
        first = rng.standard_normal(d)[0]
        print("what is printed disturbs nobody")
        if first > 0.5 and self.trouble == "raise":
            raise ValueError("too\nlarge")
        if first > 0.5 and self.trouble == "exit":
            os._exit(3)
        if first > 0.5 and self.trouble == "kill":
            os.kill(os.getpid(), signal.SIGSEGV)
        return {"first": first, "threads": int(os.environ["OMP_NUM_THREADS"])}


@dataclasses.dataclass(frozen=True)
class Times(simdiff.Problem):
    """Two recorded times, or what the test wants to be returned."""

    returned: str = "right"
    metrics = (simdiff.Metric("a"),)

    @property
    def times(self):
        return (1.0, 2.0)

    def trial_host(self, rng, d):
        return {"right": {"a": [1, d]}, "shape": {"a": 1}, "names": {"b": [1, 2]}, "kind": 3}[self.returned]


def direct(problem, d, seed, trial):
    return np.random.default_rng(np.random.SeedSequence(seed_words(problem, d, seed, trial))).standard_normal(
        d
    )[0]


def test_a_trial_depends_on_problem_size_seed_and_index_alone():
    rows = simdiff.simulate(Draws(), d=3, trials=9, seed=4)
    assert rows["first"].tolist() == [direct(Draws(), 3, 4, trial) for trial in range(9)]
    assert rows["trial"].tolist() == list(range(9))
    assert set(rows["threads"]) == {1}
    assert set(rows["status"]) == {"ok"}
    again = simdiff.simulate(Draws(), d=3, trials=4, seed=4)
    pd.testing.assert_frame_equal(again[["trial", "first"]], rows[["trial", "first"]].head(4))
    others = [direct(Draws(), 3, 5, 0), direct(Draws(), 4, 4, 0), direct(Draws("x"), 3, 4, 0)]
    assert not {*others} & {*rows["first"]}


@pytest.mark.parametrize(
    ("trouble", "status"),
    [
        ("raise", r"failed: ValueError: too large (test_host_trials.py, line \d+)"),
        ("exit", "crashed: exit status 3"),
        ("kill", "crashed: SIGSEGV"),
    ],
)
def test_a_trial_that_fails_is_a_row_with_a_status_and_the_others_are_what_they_were(trouble, status):
    problem = Draws(trouble)
    rows = simdiff.simulate(problem, d=3, trials=8)
    expected = np.array([direct(problem, 3, 0, trial) for trial in range(8)])
    assert 0 < (expected > 0.5).sum() < 8
    np.testing.assert_array_equal(rows["first"], np.where(expected > 0.5, np.nan, expected))
    found = rows["status"].str.replace(r"line \d+", r"line \\d+", regex=True)
    assert found.tolist() == np.where(expected > 0.5, status, "ok").tolist()


def test_recorded_times_are_rows():
    rows = simdiff.simulate(Times(), d=7, trials=2)
    assert rows["a"].tolist() == [1, 7, 1, 7]
    assert rows["time"].tolist() == [1, 2, 1, 2]


@pytest.mark.parametrize(
    ("returned", "words"),
    [
        ("shape", r"trial_host\['a'\].*shape \(2,\)"),
        ("names", r"trial_host.*\['b'\].*disagree"),
        ("kind", r"trial_host.*a int.*mapping"),
    ],
)
def test_something_else_than_the_metrics_is_told(returned, words):
    with pytest.raises(simdiff.InputError, match=words):
        simdiff.simulate(Times(returned), d=3, trials=1)


def test_one_way_to_run_a_trial():
    class Both(Draws):
        def trial(self, key, d):
            return {}

    with pytest.raises(simdiff.InputError, match="one of them"):
        simdiff.simulate(Both(), d=3, trials=1)


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "fit.py").write_text(FILE)
    return tmp_path


def run(folder, out, *words):
    command = [sys.executable, "-m", "simdiff.cli", "run", "problem=fit.py:Fit", "theory=fit.py:theory"]
    command += [
        "sizes=[8,12]",
        "extrapolation=none",
        "precision=0.05",
        "figure.kind=none",
        f"out={out}",
        *words,
    ]
    log = (folder / "log.txt").open("a")
    return subprocess.Popen(command, cwd=folder, stdout=log, stderr=log)


def trials(folder, out):
    rows = RunFolder(folder / out).trials().sort_values(["d", "trial"], ignore_index=True)
    return rows[["d", "trial", "seed", "status", "train"]]


@pytest.mark.heavy
def test_two_processes_killed_and_resumed_end_with_the_same_trials_and_the_right_verdict(folder):
    slow = ["rest=0.02", "max_trials=64", "precision=0.2"]
    both = [run(folder, "killed", *slow) for _ in range(2)]
    deadline = time.monotonic() + 200
    while not list(folder.glob("killed/trials/*/d*.parquet")) and time.monotonic() < deadline:
        time.sleep(0.05)
    for process in both:
        process.kill()
        process.wait()
    partly = len(trials(folder, "killed"))
    ends = [process.wait(300) for process in (run(folder, "killed", *slow), run(folder, "whole", *slow))]
    assert ends == [0, 0], (folder / "log.txt").read_text()
    assert 0 < partly < len(trials(folder, "whole"))
    pd.testing.assert_frame_equal(trials(folder, "killed"), trials(folder, "whole"))
    assert "agree in all" in (folder / "whole" / "report.md").read_text()


ESTIMATOR = """
from sklearn.linear_model import LinearRegression


def fit(x, y):
    return LinearRegression(fit_intercept=False).fit(x, y).predict(x)


"""


@pytest.mark.heavy
def test_an_estimator_of_scikit_learn_gets_its_verdicts_from_a_script_without_a_guard(folder):
    script = FILE + ESTIMATOR + "settings = dict(sizes=(8, 12), extrapolation='none', precision=0.05)\n"
    script += "print(*(simdiff.validate(Fit(), t, **settings).agree for t in (theory, wrong)))\n"
    (folder / "script.py").write_text(script)
    done = subprocess.run(
        [sys.executable, "script.py"], cwd=folder, capture_output=True, text=True, timeout=300
    )
    assert done.stdout == "True False\n", done.stderr
