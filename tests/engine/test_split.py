"""A trial too large for a device is split over several: the same numbers, a part of the memory on each.

`python test_split.py short` with eight simulated CPU devices prints as JSON what the first tests compare, and
`python test_split.py long` what the heavy ones do.
"""

import dataclasses
import json
import os
import pathlib
import subprocess
import sys
import warnings
from unittest.mock import Mock

import jax
import numpy as np
import pandas as pd
import pytest
from jax.sharding import Mesh, PartitionSpec
from test_devices import HURRY, Square
from toy_problems import Mean

import simdiff
from simdiff.engine import (
    SESSION,
    batch_program,
    compilation,
    devices,
    groups,
    run_trials,
    sharding,
    trial_keys,
    trials,
    trials_per_call,
)
from simdiff.engine.column_shares import ColumnShares
from simdiff.engine.groups import Group
from simdiff.errors import InputError
from simdiff.problem import SHARED_AXIS
from simdiff.problems.denoising.split_solve import solve_split

pytestmark = pytest.mark.heavy

HERE = pathlib.Path(__file__).resolve()
FEATURES = simdiff.models.RandomFeatures(5.0)
CASES = {
    "gaussian": simdiff.DenoisingScoreMatching(model=FEATURES, m=32),
    "linear manifold": simdiff.DenoisingScoreMatching(simdiff.data.LinearManifold(0.5), FEATURES, m=32),
    "hidden manifold": simdiff.DenoisingScoreMatching(simdiff.data.HiddenManifold(0.5), FEATURES, m=8),
    "m = infinity": simdiff.DenoisingScoreMatching(model=FEATURES, m=np.inf),
    "few rows": simdiff.DenoisingScoreMatching(simdiff.data.LinearManifold(0.5), FEATURES, m=2),
}
"""200 features at d = 40, in store 256: of eight devices with 32 each the last has padding only."""
SHORT = ("gaussian", "few rows")
LONG = tuple(name for name in CASES if name not in SHORT)
BATCHES = {"linear manifold": 8}
"""Trials at a time, if not one."""
LARGE = {  # 1024 features at d = 128, in float64 as this ridge asks for
    m: simdiff.DenoisingScoreMatching(
        model=simdiff.models.RandomFeatures(8.0), trainer=simdiff.trainers.Ridge(1e-6), m=m
    )
    for m in (1, 32, np.inf)
}
KINKED = [  # quadratures have panels between the kinks
    simdiff.DenoisingScoreMatching(model=simdiff.models.RandomFeatures(8.0, "relu"), m=np.inf),
    simdiff.DenoisingScoreMatching(model=simdiff.models.RandomFeatures(1.0, "hard_tanh"), m=np.inf),
    simdiff.DenoisingScoreMatching(model=simdiff.models.RandomFeatures(1.0, "hard_tanh"), m=4),
]


def numbers(problem):
    """Metrics of two trials, a row each, as lists: JSON keeps every bit of them."""
    frame = pd.concat(run_trials(problem, 40, 0, range(2), "float64"), ignore_index=True)
    return frame[[metric.name for metric in problem.metrics]].to_numpy().tolist()


def system(p=96, c=3):
    """A positive definite matrix, and right-hand sides."""
    rng = np.random.default_rng(0)
    f = rng.standard_normal((2 * p, p))
    return f.T @ f / (2 * p), rng.standard_normal((p, c))


def split_solution(gram, right, count):
    """`solve_split` with ridge 0.01 on so many devices."""
    mesh = Mesh(np.array(jax.devices()[:count]), (SHARED_AXIS,))
    rows, columns = PartitionSpec(SHARED_AXIS), PartitionSpec(None, SHARED_AXIS)
    solve = lambda u, v: solve_split(u, jax.numpy.float64(0.01), v, ColumnShares(count))  # noqa: E731
    shared = jax.shard_map(solve, mesh=mesh, in_specs=(columns, rows), out_specs=rows, check_vma=False)
    return np.asarray(jax.jit(shared)(gram, right)).tolist()


def temporaries(problem, count):
    """Bytes that each of so many devices needs for a trial at d = 128."""
    kernel, inputs = problem.kernel(128)
    kernel = Group(count, split=True).kernel(kernel)
    use, keys = tuple(jax.devices()[:count]), trial_keys(problem, 128, 0, range(1))
    arguments = sharding.split(keys, use, count), sharding.copied(inputs, use, count)
    return compilation.program(kernel, *arguments, 1).memory_analysis().temp_size_in_bytes


def in_short():
    """What is compared with one device."""
    gram, right = system()
    wrong = gram.copy()
    wrong[:12, 84:] = wrong[84:, :12] = 0.0
    found = {"solutions": {count: split_solution(gram, right, count) for count in (2, 4, 8)}}
    found["wrong"] = split_solution(wrong, right, 8)
    return found | metrics_of(SHORT) | {"memory ran out": memory_runs_out(CASES["few rows"])}


def in_long():
    """What takes long to compile."""
    found = {"bytes": [[temporaries(problem, 1), temporaries(problem, 8)] for problem in LARGE.values()]}
    found["kinked"] = [[temporaries(problem, 1), temporaries(problem, 8)] for problem in KINKED]
    return found | metrics_of(LONG)


def metrics_of(names):
    """The numbers of these cases, and how their trials were planned."""
    found = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(compilation, "FAST_CPU_COMPILATION", compilation.FAST_CPU_COMPILATION | HURRY)
        patch.setattr(devices, "usable_memory", lambda *_: problem.split_memory(40, 2))
        for name in names:
            problem = CASES[name]
            batch = BATCHES.get(name, 1)
            patch.setattr(trials, "batch_size", lambda problem, d, batch=batch: batch)
            group = trials.trial_group(problem, 40)
            found[f"plan {batch}"] = [group.devices, group.split, trials_per_call(problem, 40)]
            found[name] = numbers(problem)
    return found


def memory_runs_out(problem):
    """The numbers where only the run tells that two devices do not hold a trial, and what is said of it."""
    real, tried = batch_program.program, []

    def program(kernel, keys, inputs, width, check, session):
        tried.append(kernel.program.columns.devices)
        if tried[-1] < 4:
            raise jax.errors.JaxRuntimeError("RESOURCE_EXHAUSTED: Out of memory while trying to allocate")
        return real(kernel, keys, inputs, width, check, session)

    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings(record=True) as caught:
        patch.setattr(compilation, "FAST_CPU_COMPILATION", compilation.FAST_CPU_COMPILATION | HURRY)
        patch.setattr(SESSION, "fewest", {})
        patch.setattr(SESSION, "ready", {})
        patch.setattr(batch_program, "program", program)
        found = numbers(problem)
    return {"numbers": found, "tried": tried, "said": [str(warning.message) for warning in caught]}


@pytest.fixture(scope="module")
def eight():
    return on_eight_devices("short")


@pytest.fixture(scope="module")
def eight_long():
    return on_eight_devices("long")


def on_eight_devices(part):
    flags = f"{os.environ.get('XLA_FLAGS', '')} --xla_force_host_platform_device_count=8"
    paths = os.pathsep.join([str(HERE.parent), str(HERE.parent.parent), str(HERE.parent.parent.parent)])
    environment = os.environ | {"XLA_FLAGS": flags, "JAX_PLATFORMS": "cpu", "PYTHONPATH": paths}
    # conftest, so that shapes are checked there too
    program = f"import conftest, runpy; runpy.run_path({str(HERE)!r}, run_name='__main__')"
    command = [sys.executable, "-c", program, part]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("count", ["2", "4", "8"])
def test_devices_solve_a_linear_system_together(eight, count):
    gram, right = system()
    exact = np.linalg.solve(gram + 0.01 * np.eye(len(gram)), right)
    np.testing.assert_allclose(eight["solutions"][count], exact, rtol=1e-9, atol=1e-12)


def test_a_block_left_out_of_the_system_would_be_seen(eight):
    gram, right = system()
    exact = np.linalg.solve(gram + 0.01 * np.eye(len(gram)), right)
    assert np.abs(np.array(eight["wrong"]) - exact).max() > 1e-2


def on_one_device(monkeypatch, problem):
    monkeypatch.setattr(SESSION, "programs", {})
    monkeypatch.setattr(compilation, "FAST_CPU_COMPILATION", compilation.FAST_CPU_COMPILATION | HURRY)
    monkeypatch.setattr(trials, "batch_size", lambda problem, d: 1)
    return np.array(numbers(problem))


# Points of a hidden manifold come from float32 products, whose last digit differs between programs.
@pytest.mark.parametrize(
    ("name", "bound"), [(name, 1e-6 if name == "hidden manifold" else 1e-9) for name in LONG]
)
def test_further_split_trials_have_the_numbers_of_whole_ones(eight_long, monkeypatch, name, bound):
    same_as_whole(eight_long, monkeypatch, name, bound)


@pytest.mark.parametrize("name", SHORT)
def test_a_split_trial_has_the_numbers_of_a_whole_one(eight, monkeypatch, name):
    same_as_whole(eight, monkeypatch, name, 1e-9)


def same_as_whole(found, monkeypatch, name, bound):
    whole = on_one_device(monkeypatch, CASES[name])
    np.testing.assert_allclose(found[name], whole, rtol=bound)
    with pytest.raises(AssertionError):
        np.testing.assert_allclose(found[name], whole[::-1], rtol=1e-3)


def test_idle_devices_help_to_split(eight):
    """Two are enough. One trial a batch takes all eight."""
    assert eight["plan 1"] == [8, True, 1]


def test_eight_trials_run_on_four_pairs(eight_long):
    assert eight_long["plan 8"] == [2, True, 8]


def test_memory_of_a_split_trial(eight_long):
    for problem, (whole, part) in zip(LARGE.values(), eight_long["bytes"], strict=True):
        assert part < 0.4 * whole < 0.4 * problem.memory(128)
        assert part < problem.split_memory(128, 8) < problem.split_memory(128, 2) < problem.memory(128)
        assert problem.split_memory(128, 1) == problem.memory(128)


def test_memory_of_activations_with_kinks(eight_long):
    for problem, (whole, part) in zip(KINKED, eight_long["kinked"], strict=True):
        assert whole < problem.memory(128)
        assert part < problem.split_memory(128, 8)


def test_a_trial_is_split_when_memory_runs_out(eight, monkeypatch):
    found = eight["memory ran out"]
    np.testing.assert_allclose(found["numbers"], on_one_device(monkeypatch, CASES["few rows"]), rtol=1e-9)
    assert list(dict.fromkeys(found["tried"])) == [1, 2, 4]
    assert [said.split("go on ")[1] for said in found["said"]] == [
        "split over more devices than 1",
        "split over more devices than 2",
    ]


def test_only_exact_training_of_random_features_is_split():
    whole = [
        dataclasses.replace(LARGE[32], model=simdiff.models.Linear()),
        dataclasses.replace(LARGE[32], trainer=simdiff.trainers.GradientFlow(times=(1.0,))),
        dataclasses.replace(LARGE[32], trainer=simdiff.trainers.Optax(steps=10)),
    ]
    assert [problem.split_memory(128, 8) - problem.memory(128) for problem in whole] == [0] * 3


@dataclasses.dataclass(frozen=True)
class Divisible(Square):
    """8 d^2 bytes a trial, in equal parts."""

    def split_memory(self, d, devices):
        return self.memory(d) // devices


@pytest.fixture
def four(monkeypatch):
    """Four accelerators of a million bytes: 800,000 bytes to plan for on each."""
    found = tuple(Mock(spec=jax.Device, platform="gpu", device_kind="toy") for _ in range(4))
    for device in found:
        device.memory_stats.return_value = {"bytes_limit": 10**6, "bytes_in_use": 0}
    monkeypatch.setattr(devices, "in_use", lambda *_: found)
    return found


def test_a_trial_is_split_only_where_it_must_be(four):
    assert [devices.fewest_devices(Divisible(), d) for d in (316, 317, 447, 448, 632)] == [1, 2, 2, 4, 4]
    assert [devices.fewest_devices(problem, 317) for problem in (Square(), Mean())] == [1, 1]
    assert [groups.group(Divisible(), 317, batch) for batch in (64, 4, 2, 1)] == [
        *[Group(2, split=True)] * 3,
        Group(4, split=True),
    ]
    assert groups.group(Divisible(), 316, 1) == Group()
    assert [trials_per_call(Divisible(), d) for d in (316, 317, 448)] == [8, 8, 8]


def test_what_was_planned_holds_while_trials_take_memory(four, monkeypatch):
    devices.check_memory(Divisible(), 300)
    monkeypatch.setattr(devices, "usable_memory", lambda *_: 400_000)
    assert devices.fewest_devices(Divisible(), 300) == 1
    assert devices.fewest_devices(Divisible(), 299) == 2


def test_a_run_is_not_refused_half_way(four, monkeypatch):
    devices.check_memory(Square(), 300)
    monkeypatch.setattr(devices, "usable_memory", lambda *_: 400_000)
    devices.check_memory(Square(), 300)
    devices.check_memory(Square(), 300, split=False)
    with pytest.raises(InputError, match="got 299"):
        devices.check_memory(Square(), 299)


def test_a_trial_is_refused_where_splitting_does_not_help(four):
    devices.check_memory(Divisible(), 632)
    words = (
        r"at most about 632 for .*needs 0.0 GiB, or 0.0 GiB on each of 4 devices that split it, "
        r"0.0 GiB are at hand on each of 4 devices"
    )
    with pytest.raises(InputError, match=words):
        devices.check_memory(Divisible(), 633)
    with pytest.raises(InputError, match="at most about 316 for"):
        devices.check_memory(Divisible(), 317, split=False)
    with pytest.raises(InputError, match=r"at most about 316 for .*needs 0.0 GiB, 0.0 GiB are"):
        devices.check_memory(Square(), 317)


if __name__ == "__main__":
    json.dump({"short": in_short, "long": in_long}[sys.argv[1]](), sys.stdout)
