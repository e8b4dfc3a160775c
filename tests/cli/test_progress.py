"""What the user sees of a run, and programs compiled ahead of it."""

import threading
import time

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
    assert task.fields["left"] == "0:00:00 left"


def test_stored_trials_are_done_but_tell_no_speed(studies):
    store = InMemoryTrials()
    collect(studies[0], store)
    with RunProgress(studies) as bar:
        collect(studies[0], store, bar.of(0))
        assert bar._done == bar._work(0)
        assert bar._left() == ""
        bar._start = time.monotonic() - 100
        collect(studies[1], store, bar.of(1))
    assert bar._fresh == bar._work(1)


def test_later_points_are_expected_to_grow_like_earlier_ones(studies, monkeypatch):
    moment = [0.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: moment[0])
    with RunProgress(studies) as bar:
        pilot = bar._total()
        update = bar.of(0)
        for d in (20, 40):
            update(d, 0, 48)
            moment[0] += 30.0
            update(d, 48, 48)
        assert bar._total() == pytest.approx(pilot * (48 + 12) / 24)
        bar.of(1)
        assert bar._total() == pytest.approx(pilot * (48 + 12) / 24)
        bar.of(1)(20, 0, 48)
    assert bar._left() != ""


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
        if len(seen) == 3:
            release.wait(60)

    class Waited(threading.Thread):
        def join(self, timeout=None):
            release.set()  # the third program is ready only when the run waits for the thread to end
            super().join(timeout)

    monkeypatch.setattr(engine, "prepare", prepare)
    monkeypatch.setattr(ahead.threading, "Thread", Waited)
    with compile_ahead(studies):
        while len(seen) < 3:
            time.sleep(0.001)
    assert seen == [(1.0, 20), (1.0, 40), (2.0, 20)]


def test_an_error_while_compiling_ahead_is_left_to_the_run(studies, monkeypatch):
    def prepare(*arguments):
        raise ValueError("no such program")

    monkeypatch.setattr(engine, "prepare", prepare)
    with compile_ahead(studies):
        pass
