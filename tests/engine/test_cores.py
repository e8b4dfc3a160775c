"""The commands see the CPU as a device a core, unless something else is said; libraries are left alone."""

import os
import subprocess
import sys

import jax
import pytest

from simdiff.engine import cores, spread_over_cores

SHOW = "import jax; print(len(jax.devices()))"
SPREAD = f"from simdiff.engine import spread_over_cores; spread_over_cores(); {SHOW}"
CORES = f"import simdiff.engine.cores as c; c._cores = lambda: 3; {SPREAD}"


def devices(code, **environment):
    plain = {k: v for k, v in os.environ.items() if k not in ("XLA_FLAGS", "JAX_NUM_CPU_DEVICES")}
    plain |= {"JAX_PLATFORMS": "cpu"} | environment
    done = subprocess.run([sys.executable, "-c", code], env=plain, capture_output=True, text=True, check=True)
    return int(done.stdout)


@pytest.mark.parametrize(
    ("code", "environment", "count"),
    [
        (CORES, {}, 3),
        (CORES, {"XLA_FLAGS": "--xla_force_host_platform_device_count=2"}, 2),
        (CORES, {"JAX_NUM_CPU_DEVICES": "1"}, 1),
        (f"import simdiff; simdiff.data.Gaussian(); {SHOW}", {}, 1),
        (f"import jax; jax.numpy.ones(1); {CORES}", {}, 1),
    ],
    ids=["a core each", "XLA says", "JAX says", "not asked", "too late"],
)
def test_devices(code, environment, count):
    assert devices(code, **environment) == count


def test_no_more_devices_than_a_batch_has_trials(monkeypatch):
    said = {}
    monkeypatch.setattr(cores, "_cores", lambda: 96)
    monkeypatch.setattr(jax.config, "update", said.__setitem__)
    monkeypatch.delenv("XLA_FLAGS")
    spread_over_cores()
    assert said == {"jax_num_cpu_devices": 8}
