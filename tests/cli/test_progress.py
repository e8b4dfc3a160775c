"""What the user sees of a run, and programs compiled ahead of it."""

import dataclasses
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from toy_problems import Mean, mean_theory

from simdiff import engine
from simdiff.api import make_study
from simdiff.cli import progress
from simdiff.cli.progress import RunProgress
from simdiff.run import ahead
from simdiff.run.ahead import compile_ahead
from simdiff.validation.study import InMemoryTrials, collect


@pytest.fixture
def studies():
    return [make_study(Mean(level=v), mean_theory, (20, 40), 0.05, 0.05, 0, 64, "auto") for v in (1.0, 2.0)]


def test_the_bar_ends_full(studies):
    with RunProgress(studies) as bar:
        for number, study in enumerate(studies):
            collect(study, InMemoryTrials(), bar.of(number))
    task = bar._bar.tasks[0]
    assert task.completed == task.total > 0
    assert task.fields["left"] == ""


def test_stored_trials_are_done_but_tell_no_speed(studies):
    store = InMemoryTrials()
    collect(studies[0], store)
    with RunProgress(studies) as bar:
        collect(studies[0], store, bar.of(0))
        assert bar._done == bar._work(0)
        assert bar._left() == ""
        collect(studies[1], store, bar.of(1))
    assert bar._left() == "0:00:00 left"


def test_later_points_are_expected_to_grow_like_earlier_ones(studies, monkeypatch):
    moment = [0.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: moment[0])
    with RunProgress(studies) as bar:
        costs = [studies[0].problem.cost(d) for d in (20, 40)]
        pilot = 12 * costs[0] + 8 * costs[1]
        assert bar._total() == 2 * pilot
        update = bar.of(0)
        for d in (20, 40):
            update(d, 0, 48)
            moment[0] += 30.0
            update(d, 48, 48)
        assert bar._total() == pytest.approx(48 * sum(costs) + pilot)
        bar.of(1)
        assert bar._total() == pytest.approx(48 * sum(costs) + pilot)
        bar.of(1)(20, 0, 48)
    assert bar._left() != ""


@dataclasses.dataclass(frozen=True)
class Wide(Mean):
    """Costs as cubes do; level is the width."""

    def cost(self, d):
        return 1e3 * (self.level * d) ** 3


@pytest.mark.parametrize("compilation", [0.0, 2.0])
def test_the_time_left_is_sane_from_the_first_point_on(monkeypatch, compilation):
    """Small trials are all overhead: work done in the time so far, as a rate, is off by large factors."""
    studies = [
        make_study(Wide(level=v), mean_theory, (20, 40, 80), 0.05, 0.05, 0, 64, "auto")
        for v in (1, 2, 4, 8, 16)
    ]
    moment = [0.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: moment[0])
    told = []
    with RunProgress(studies) as bar:
        for number, study in enumerate(studies):
            update = bar.of(number)
            for d in study.sizes:
                update(d, 0, 24)
                for batch in (8, 16, 24):
                    moment[0] += compilation * (batch == 8) + 8 * (0.02 + study.problem.cost(d) / 4e12)
                    update(d, batch, 24)
                    told.append((moment[0], bar._seconds_left(), bar._total() - bar._done, bar._done))
    left = np.array([moment[0] - at for at, *_ in told])
    ratio = np.array([seconds for _, seconds, _, _ in told]) / np.maximum(left, 1.0)
    assert np.isnan(ratio[:3]).all()  # of one size only
    assert (ratio[4:] < 3).all(), ratio
    assert (ratio[4:-3] > 0.3).all(), (
        ratio
    )  # the first point's twice as many trials as its pilot's are a surprise
    by_rate = np.array([at * rest / done for at, _, rest, done in told]) / np.maximum(left, 1.0)
    assert by_rate[3:].max() > 20


def test_a_line_a_point_where_there_is_no_terminal(studies, capsys):
    with RunProgress(studies) as bar:
        for number, study in enumerate(studies):
            collect(study, InMemoryTrials(), bar.of(number))
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "point 1/2"
    assert lines[1].startswith("point 2/2 0:00:")
    assert len(lines) == 2


def test_programs_are_compiled_ahead_and_stop_with_the_run(studies, monkeypatch):
    seen, release = [], threading.Event()

    def prepare(problem, d, seed, dtype):
        seen.append((problem.level, d))
        if len(seen) > 2:
            release.wait(60)

    class Waited(ThreadPoolExecutor):
        def shutdown(self, **named):
            super().shutdown(wait=False, **named)
            release.set()  # the third and fourth program are ready only after the run has ended
            super().shutdown()

    monkeypatch.setattr(engine, "prepare", prepare)
    monkeypatch.setattr(ahead, "ThreadPoolExecutor", Waited)
    with compile_ahead([*studies, *studies]):
        while len(seen) < 4:
            time.sleep(0.001)
    assert sorted(seen) == [(1.0, 20), (1.0, 40), (2.0, 20), (2.0, 40)]


def test_an_error_while_compiling_ahead_is_left_to_the_run(studies, monkeypatch):
    def prepare(*arguments):
        raise ValueError("no such program")

    monkeypatch.setattr(engine, "prepare", prepare)
    with compile_ahead(studies):
        pass
