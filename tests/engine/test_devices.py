"""Devices share trials and change no number; memory is planned, and running out of it costs no trial.

`python test_devices.py` with eight simulated CPU devices prints as JSON what the first tests compare.
"""

import dataclasses
import json
import math
import os
import pathlib
import subprocess
import sys
import threading
from unittest.mock import Mock

import jax
import numpy as np
import pandas as pd
import pytest
from toy_problems import Mean, Path, mean_theory

import simdiff
from simdiff.api import make_study
from simdiff.engine import (
    SESSION,
    batch_program,
    compilation,
    devices,
    prepare,
    run_trials,
    trial_keys,
    trials,
    trials_per_call,
    use_devices,
)
from simdiff.errors import InputError
from simdiff.validation.study import InMemoryTrials, collect

HERE = pathlib.Path(__file__).resolve()
RIDGE = simdiff.DenoisingScoreMatching(model=simdiff.models.RandomFeatures(1.5), m=32)
AVERAGE = dataclasses.replace(RIDGE, psi_n=16.0, m=math.inf)
"""Three blocks of rows at d = 40."""
HURRY = {"xla_backend_optimization_level": 1}
"""Shortens compilation; level 0 would change the last bit of 4% of the normals, which are float32."""


def numbers(problem, wanted, seed=0, dtype="auto"):
    """The trials' indices and metrics, as lists: JSON keeps every bit of them."""
    frame = pd.concat(run_trials(problem, 40, seed, wanted, dtype), ignore_index=True)
    return frame[["trial", *(metric.name for metric in problem.metrics)]].to_numpy().tolist()


def studied():
    """The trials that a study asks for: [d, trial, value]."""
    store = InMemoryTrials()
    collect(make_study(Mean(), mean_theory, (20, 40), 0.02, 0.05, 0, 200, "auto"), store)
    rows = pd.concat(store.trials(Mean().digest(), d, 0) for d in (20, 40))
    return rows[["d", "trial", "value"]].to_numpy().tolist()


def on_all_devices():
    """What is said to be equal on eight devices, and what differs."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(compilation, "FAST_CPU_COMPILATION", compilation.FAST_CPU_COMPILATION | HURRY)
        ahead = threading.Thread(target=prepare, args=(RIDGE, 40, 0, "float64"))
        ahead.start()
        ahead.join()
    programs = len(SESSION.programs)
    found = {"ridge": numbers(RIDGE, range(8), dtype="float64")}
    found["compiled late"] = len(SESSION.programs) - programs
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(compilation, "FAST_CPU_COMPILATION", compilation.FAST_CPU_COMPILATION | HURRY)
        patch.setattr(trials, "batch_size", lambda problem, d: 2)
        found["shared"] = [numbers(RIDGE, range(2), dtype="float64"), trials.trial_group(RIDGE, 40).devices]
        found["exact average"] = numbers(AVERAGE, range(2), dtype="float64")
        found["launched"] = [trials_per_call(RIDGE, 40), trials_per_call(Mean(), 40)]
    found |= {"mean": numbers(Mean(), range(13)), "path": numbers(Path(), [2, 9]), "study": studied()}
    few = batch_program.BatchProgram(Mean(), 40, "auto", 16)
    spans = [few(trial_keys(Mean(), 40, 0, few.order), (), span)["value"] for span in ((3, 11), (5, 7))]
    found["busy"] = [np.isfinite(values).reshape(8, 2).sum(axis=1).tolist() for values in spans]
    for count in (3, 1, None):
        use_devices(count)
        frame = next(iter(run_trials(Mean(), 40, 0, range(13))))
        found[f"on {count}"] = [numbers(Mean(), range(13)), trials_per_call(Mean(), 40), frame["device"][0]]
    return found


@pytest.fixture(scope="module")
def eight():
    flags = f"{os.environ.get('XLA_FLAGS', '')} --xla_force_host_platform_device_count=8"
    paths = os.pathsep.join([str(HERE.parent.parent), str(HERE.parent.parent.parent)])
    environment = os.environ | {"XLA_FLAGS": flags, "JAX_PLATFORMS": "cpu", "PYTHONPATH": paths}
    command = [sys.executable, str(HERE)]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_eight_devices_give_the_very_numbers_of_one(eight):
    assert eight["mean"] == numbers(Mean(), range(13))
    assert eight["path"] == numbers(Path(), [2, 9])
    assert eight["mean"] != numbers(Mean(), range(13), seed=1)


@pytest.mark.heavy
def test_matrix_products_differ_by_rounding_only(eight, monkeypatch):
    """XLA orders their sums by the threads of the process, the loop around a trial, the devices sharing it.

    A row left out or counted twice would change errors by some 1e-4.
    """
    monkeypatch.setattr(SESSION, "programs", {})
    monkeypatch.setattr(compilation, "FAST_CPU_COMPILATION", compilation.FAST_CPU_COMPILATION | HURRY)
    here = np.array(numbers(RIDGE, range(8), dtype="float64"))
    np.testing.assert_allclose(eight["ridge"], here, rtol=1e-9)
    shared, devices_a_trial = eight["shared"]
    assert devices_a_trial == 4
    np.testing.assert_allclose(shared, here[:2], rtol=1e-9)
    with pytest.raises(AssertionError):
        np.testing.assert_allclose(eight["ridge"], here[::-1], rtol=1e-3)
    average = numbers(AVERAGE, range(2), dtype="float64")
    np.testing.assert_allclose(eight["exact average"], average, rtol=1e-9)


def test_a_few_trials_of_a_batch_are_dealt_out_to_all_devices(eight):
    assert eight["busy"] == [[1] * 8, [0, 0, 0, 0, 0, 1, 1, 0]]


def test_devices_share_a_trial_where_there_are_fewer_trials_than_devices(eight):
    """Two trials a batch: two groups of four, or one trial for each of eight where rows cannot be shared."""
    assert eight["launched"] == [2, 8]


def test_devices_change_no_decision_about_trials(eight):
    assert eight["study"] == studied()


def test_programs_for_several_devices_are_compiled_ahead(eight):
    assert eight["compiled late"] == 0


def test_any_number_of_devices_can_be_chosen(eight):
    one, three, every = eight["on 1"], eight["on 3"], eight["on None"]
    assert one[0] == three[0] == every[0] == eight["mean"]
    assert (one[1], three[1], every[1]) == (8, 9, 8)  # batches of eight, rounded up to whole devices
    assert (three[2], every[2]) == (f"3 x {one[2]}", f"8 x {one[2]}")


@pytest.mark.parametrize(("count", "words"), [(0, "an integer >= 1"), (1000, "1 to .*this process sees")])
def test_devices_that_are_not_there_are_named(count, words):
    with pytest.raises(InputError, match=f"devices: got {count}; allowed: .*{words}"):
        use_devices(count)


@dataclasses.dataclass(frozen=True)
class Square(Mean):
    """8 d^2 bytes a trial."""

    def memory(self, d):
        return 8 * d**2


def accelerators(monkeypatch, *in_use):
    """Devices of a million bytes, of which some are in use."""
    found = tuple(Mock(spec=jax.Device, platform="gpu", device_kind="toy") for _ in in_use)
    for device, used in zip(found, in_use, strict=True):
        device.memory_stats.return_value = {"bytes_limit": 10**6, "bytes_in_use": used}
    monkeypatch.setattr(devices, "in_use", lambda *_: found)
    return found


def test_trials_side_by_side_fill_the_fullest_device(monkeypatch):
    accelerators(monkeypatch, 0, 500_000)  # 400,000 bytes to plan for
    found = {d: devices.side_by_side(Square(), d, 12) for d in (10, 70, 100, 120, 200, 220)}
    assert found == {10: 12, 70: 6, 100: 4, 120: 3, 200: 1, 220: 1}
    devices.check_memory(Square(), 223)
    with pytest.raises(InputError, match=r"at most about 223 for .* at hand on each of 2 devices"):
        devices.check_memory(Square(), 224)


def test_cores_stay_idle_where_memory_does_not_hold_a_trial_each(monkeypatch):
    found = tuple(Mock(spec=jax.Device, platform="cpu", device_kind="toy") for _ in range(4))
    monkeypatch.setattr(devices, "in_use", lambda *_: found)
    monkeypatch.setattr(devices, "free_memory", lambda *_: 10**6)  # of the machine: 800,000 to plan for
    counts = {d: len(devices.devices_for(Square(), d)) for d in (158, 159, 223, 224, 316, 317)}
    assert counts == {158: 4, 159: 3, 223: 2, 224: 1, 316: 1, 317: 1}
    assert trials_per_call(Square(), 159) == 9
    devices.check_memory(Square(), 316)
    with pytest.raises(InputError, match="at most about 316 for"):
        devices.check_memory(Square(), 317)


def test_memory_of_a_running_batch_counts_as_free_for_the_next(monkeypatch):
    (device,) = accelerators(monkeypatch, 200_000)
    assert devices.free_memory(device) == 800_000
    device.memory_stats.return_value = {"bytes_limit": 10**6, "bytes_in_use": 900_000}
    assert devices.free_memory(device) == 800_000


def test_a_size_is_named_only_where_one_can_be():
    assert devices.largest_size(Square(), 100, 4.0) == "no size of this problem fits here"
    assert devices.largest_size(Mean(), 100, 10.0) == "a smaller problem"


def short_of_memory(monkeypatch, most):
    """A device that plans eight trials at a time and holds `most`; returns the attempts made."""
    attempts, real = [], batch_program.program

    def program(kernel, keys, inputs, width, check, session):
        attempts.append(width)
        if width > most:
            raise jax.errors.JaxRuntimeError("RESOURCE_EXHAUSTED: Out of memory while trying to allocate")
        return real(kernel, keys, inputs, width, check, session)

    monkeypatch.setattr(SESSION, "side_by_side", {})
    monkeypatch.setattr(SESSION, "notes", [])
    monkeypatch.setattr(batch_program, "side_by_side", lambda problem, d, count, session: count)
    monkeypatch.setattr(batch_program, "program", program)
    return attempts


def test_when_memory_runs_out_fewer_trials_run_side_by_side(monkeypatch):
    plain = numbers(Mean(), range(16))
    attempts = short_of_memory(monkeypatch, 2)
    with pytest.warns(RuntimeWarning, match="memory ran out on .*: trials at d = 40 go on") as caught:
        found = numbers(Mean(), range(16))
    ends = [str(warning.message).split("go on ")[1] for warning in caught]
    assert ends == [f"{new} side by side on a device instead of {old}" for old, new in [(8, 4), (4, 2)]]
    assert batch_program.memory_notes() == tuple(str(warning.message) for warning in caught)
    assert found == plain
    assert attempts == [8, 4, 2, 2, 2]  # what was learnt is kept
    assert numbers(Mean(), range(8)) == plain[:8]
    assert max(attempts[5:]) == 2


def test_memory_that_runs_out_in_the_middle_of_a_run(monkeypatch):
    plain = numbers(Mean(), range(16))
    short_of_memory(monkeypatch, 8)
    failing, real = [True], batch_program.to_host

    def to_host(metrics):
        if failing:
            failing.clear()
            raise jax.errors.JaxRuntimeError("RESOURCE_EXHAUSTED: Out of memory while trying to allocate")
        return real(metrics)

    monkeypatch.setattr(batch_program, "to_host", to_host)
    with pytest.warns(RuntimeWarning, match="go on 4 side by side on a device instead of 8"):
        assert numbers(Mean(), range(16)) == plain


def test_one_trial_that_does_not_fit_is_refused_after_all(monkeypatch):
    short_of_memory(monkeypatch, 0)
    with (
        pytest.warns(RuntimeWarning, match="memory ran out"),
        pytest.raises(InputError, match=r"sizes: got 40; allowed: at most about 28 .*one trial at a time"),
    ):
        numbers(Square(), range(8))


def test_other_failures_are_not_taken_for_it(monkeypatch):
    def program(*arguments):
        raise jax.errors.JaxRuntimeError("INTERNAL: something else")

    monkeypatch.setattr(batch_program, "program", program)
    with pytest.raises(jax.errors.JaxRuntimeError, match="something else"):
        numbers(Mean(), range(8))


if __name__ == "__main__":
    json.dump(on_all_devices(), sys.stdout)


POOLS = """
import threadpoolctl, jax
from simdiff.engine import devices
pools = lambda found: sorted(pool["filepath"] for pool in found.select(user_api="blas").info())
before = pools(devices._pools())
jax.block_until_ready(jax.numpy.linalg.cholesky(jax.numpy.eye(2)))
print(before == pools(threadpoolctl.ThreadpoolController()), any("scipy" in path for path in before))
"""


def test_a_factorisation_loads_no_pool_that_is_not_held():
    done = subprocess.run([sys.executable, "-c", POOLS], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["True", "True"]
