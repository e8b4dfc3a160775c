"""Trials of one CPU device in threads: the same numbers, and no more at once than fit."""

import threading

import numpy as np
import pandas as pd
import pytest
from toy_problems import Mean

import simdiff
from simdiff.engine import Session, devices, lanes, run_trials

TRIALS = 8


def filled(span):
    """Trials of a batch, of which those in the span have numbers."""
    values = np.full((TRIALS, 2), np.nan)
    values[span[0] : span[1]] = np.arange(TRIALS)[span[0] : span[1], None]
    return {"value": values, "other": values[:, 0] + 1}


@pytest.mark.parametrize("count", [1, 2, 3, 50])
@pytest.mark.parametrize(("first", "stop"), [(0, TRIALS), (3, 4), (2, 7)])
def test_spans_make_up_the_whole(first, stop, count):
    found = lanes.in_lanes(filled, first, stop, count)
    expected = filled((first, stop))
    for name in expected:
        np.testing.assert_array_equal(found[name], expected[name])
    assert np.isfinite(found["value"]).sum() == 2 * (stop - first)


def test_spans_run_at_once_and_each_trial_once():
    """Each waits for the other, which one after the other could not."""
    together, seen = threading.Barrier(2, timeout=30), []

    def run(span):
        together.wait()
        seen.append(tuple(int(end) for end in span))
        return filled(span)

    lanes.in_lanes(run, 1, 6, 2)
    assert sorted(seen) in ([(1, 3), (3, 6)], [(1, 4), (4, 6)])


def test_what_a_span_raises_is_raised():
    def run(span):
        if span[0] > 0:
            raise RuntimeError("no memory")
        return filled(span)

    with pytest.raises(RuntimeError, match="no memory"):
        lanes.in_lanes(run, 0, TRIALS, 2)


def test_trials_are_those_of_one_thread_to_the_bit(monkeypatch):
    problem = simdiff.DenoisingScoreMatching(model=simdiff.models.RandomFeatures(1.5), m=2)
    found = []
    for cores in (1, 3):
        monkeypatch.setattr(lanes, "available_cores", lambda cores=cores: cores)
        session = Session(devices=1)
        frame = pd.concat(run_trials(problem, 40, 0, range(11), session=session), ignore_index=True)
        assert lanes.lanes(problem, 40, session) == cores
        found.append(frame.drop(columns="duration"))
    pd.testing.assert_frame_equal(*found, check_exact=True)
    assert found[0]["test"].nunique() == 11


def test_no_more_trials_at_once_than_fit(monkeypatch):
    monkeypatch.setattr(lanes, "available_cores", lambda: 8)
    monkeypatch.setattr(devices, "free_memory", lambda *given: 1000)
    monkeypatch.setattr(Mean, "memory", lambda self, d: 300)
    most = int(devices._SHARE * 1000 / 300)
    assert 1 <= most < 8
    assert lanes.lanes(Mean(), 40, Session(devices=1)) == most
    monkeypatch.setattr(Mean, "memory", lambda self, d: 10**6)
    assert lanes.lanes(Mean(), 40, Session(devices=1)) == 1


def test_several_devices_need_no_threads(monkeypatch):
    monkeypatch.setattr(lanes, "in_use", lambda session: (*devices.in_use(session), *devices.in_use(session)))
    assert lanes.lanes(Mean(), 40, Session()) == 1
