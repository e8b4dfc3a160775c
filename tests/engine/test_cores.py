"""The commands see the CPU as a device a core, unless something else is said; libraries are left alone."""

import os
import subprocess
import sys

import jax
import pytest

from simdiff.engine import cores, spread_over_cores

SHOW = "import jax; print(len(jax.devices()))"
THREE = "import simdiff.engine.cores as c; c.available_cores = lambda: 3"
SPREAD = f"{THREE}; c.spread_over_cores(); {SHOW}"
COMMAND = f"""
{THREE}
from simdiff.cli.commands import Plan, _take_devices
_take_devices(Plan("", {{"devices": None}}, {{}}, []))
{SHOW}
"""


@pytest.mark.parametrize(
    ("code", "count"),
    [
        (COMMAND, 3),
        (f"import simdiff; simdiff.data.Gaussian(); {SHOW}", 1),
        (f"import jax; jax.numpy.ones(1); {SPREAD}", 1),
    ],
    ids=["a command", "a library", "too late"],
)
def test_devices_of_a_process(code, count):
    plain = {k: v for k, v in os.environ.items() if k not in ("XLA_FLAGS", "JAX_NUM_CPU_DEVICES")}
    words = [sys.executable, "-c", code]
    environment = plain | {"JAX_PLATFORMS": "cpu"}
    done = subprocess.run(words, env=environment, capture_output=True, text=True, check=True)
    assert int(done.stdout) == count


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, {"jax_num_cpu_devices": 8}),  # no more than a batch has trials
        ({"XLA_FLAGS": "--xla_force_host_platform_device_count=2"}, {}),
        ({"JAX_NUM_CPU_DEVICES": "1"}, {}),
    ],
    ids=["96 cores", "XLA says", "JAX says"],
)
def test_what_was_said_before_counts(environment, expected, monkeypatch):
    said = {}
    monkeypatch.setattr(cores, "available_cores", lambda: 96)
    monkeypatch.setattr(jax.config, "update", said.__setitem__)
    monkeypatch.delenv("XLA_FLAGS")
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    spread_over_cores()
    assert said == expected
