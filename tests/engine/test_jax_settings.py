"""Trials and theory are the same, bit for bit, whatever settings of JAX the user has chosen."""

import json
import os
import subprocess
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import pytest
from toy_problems import Fragile, Mean

import simdiff
from simdiff.engine.session import SESSION
from simdiff.parts import jax_settings

HERE = Path(__file__)

ENVIRONMENT = {
    "JAX_THREEFRY_PARTITIONABLE": "0",
    "JAX_RANDOM_SEED_OFFSET": "7",
    "JAX_DEFAULT_PRNG_IMPL": "rbg",
    "JAX_HIGH_DYNAMIC_RANGE_GUMBEL": "1",
    "JAX_LEGACY_PRNG_KEY": "error",
    "JAX_ENABLE_X64": "0",
    "JAX_NUMPY_DTYPE_PROMOTION": "strict",
    "JAX_NUMPY_RANK_PROMOTION": "raise",
    "JAX_DEFAULT_MATMUL_PRECISION": "bfloat16",
    "JAX_DEFAULT_DTYPE_BITS": "32",
    "JAX_SOFTMAX_CUSTOM_JVP": "1",
    "JAX_DISABLE_JIT": "1",
    "JAX_DISABLE_MOST_OPTIMIZATIONS": "1",
    "JAX_CHECK_TRACER_LEAKS": "1",
    "JAX_DEBUG_NANS": "1",
    "JAX_DEBUG_INFS": "1",
    "JAX_TRANSFER_GUARD": "disallow",
}
AFTER_IMPORT = {
    "jax_enable_x64": False,
    "jax_threefry_partitionable": False,
    "jax_random_seed_offset": 7,
    "jax_default_prng_impl": "rbg",
    "jax_numpy_dtype_promotion": "strict",
    "jax_numpy_rank_promotion": "raise",
    "jax_default_matmul_precision": "bfloat16",
    "jax_debug_nans": True,
    "jax_transfer_guard": "disallow",
}


def numbers():
    """Every bit of some trials, and of what theory says."""
    tanh = simdiff.DenoisingScoreMatching(model=simdiff.models.RandomFeatures(1.5, jnp.tanh), m=2)
    problems = {"Mean": Mean(), "Fragile": Fragile(), "tanh": tanh}
    found = {}
    for name, problem in problems.items():
        rows = simdiff.simulate(problem, d=16, trials=2)
        kept = [metric.name for metric in problem.metrics]
        found[name] = {"dtype": rows["dtype"][0], **{m: [float(v).hex() for v in rows[m]] for m in kept}}
    found["theory"] = {m: float(v).hex() for m, v in simdiff.predict(tanh).items()}
    found["kinks"] = simdiff.functions.activation(lambda x: jnp.abs(x - 0.5)).kinks
    return found


def in_a_process(environment=(), after=()):
    paths = os.pathsep.join([str(HERE.parent.parent.parent), str(HERE.parent.parent)])
    command = [sys.executable, str(HERE), json.dumps(dict(after))]
    kept = {k: v for k, v in os.environ.items() if not k.startswith("JAX_")}
    done = subprocess.run(
        command, capture_output=True, text=True, env=kept | {"PYTHONPATH": paths, **dict(environment)}
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def usual():
    return in_a_process()


def test_the_environment_changes_no_bit(usual):
    assert in_a_process(ENVIRONMENT)["numbers"] == usual["numbers"]


def test_settings_changed_after_the_import_change_no_bit_and_stay_as_the_user_set_them(usual):
    found = in_a_process(after=AFTER_IMPORT)
    assert found["numbers"] == usual["numbers"]
    assert found["settings"] == AFTER_IMPORT


def test_settings_that_are_not_held_would_change_bits(monkeypatch):
    held = simdiff.simulate(Mean(), d=17, trials=2)["value"]
    monkeypatch.delitem(jax_settings.PINS, "threefry_partitionable")
    monkeypatch.setattr(SESSION, "programs", {})
    with jax.threefry_partitionable(False):
        free = simdiff.simulate(Mean(), d=17, trials=2)["value"]
    assert (free != held).all()


def test_what_held_is_told():
    told = json.loads(jax_settings.settings_text())
    assert told["jax"]["threefry_partitionable"] is True
    assert told["jax"]["random_seed_offset"] == 0
    assert told["environment"].get("XLA_FLAGS", "") == os.environ.get("XLA_FLAGS", "")


def test_threads_that_overlap_give_the_settings_back_once(monkeypatch):
    jax.config.update("jax_random_seed_offset", 7)
    try:
        first, second = jax_settings.pinned(), jax_settings.pinned()
        first.__enter__()
        second.__enter__()
        first.__exit__(None, None, None)
        assert jax.config.jax_random_seed_offset == 0
        second.__exit__(None, None, None)
        assert jax.config.jax_random_seed_offset == 7
    finally:
        jax.config.update("jax_random_seed_offset", 0)


if __name__ == "__main__":
    after = json.loads(sys.argv[1])
    for setting, value in after.items():
        jax.config.update(setting, value)
    said = {"numbers": numbers()}
    plain = {name: getattr(jax.config, name) for name in after}
    print(json.dumps(said | {"settings": {k: getattr(v, "value", v) for k, v in plain.items()}}))
