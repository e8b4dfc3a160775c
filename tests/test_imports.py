"""What is loaded when: a session that needs little starts soon, and rooms have what their fronts name."""

import importlib
import subprocess
import sys
from pathlib import Path

import pytest

PREDICT = """
problem = simdiff.DenoisingScoreMatching(
    simdiff.data.Gaussian(), simdiff.models.RandomFeatures(psi_p=2.0), simdiff.trainers.Ridge(1e-3)
)
simdiff.predict(problem)
"""
LATE = {
    "import": ("", {"jax", "numpy", "scipy", "pandas", "pyarrow", "matplotlib", "optax", "hydra", "rich"}),
    "help": ("from simdiff.cli.main import main; main(['--help'])", {"jax", "numpy", "hydra", "rich"}),
    "version": ("from simdiff.cli.main import main; main(['--version'])", {"jax", "numpy", "hydra"}),
    "predict": (
        PREDICT,
        {"pandas", "pyarrow", "matplotlib", "hydra", "sklearn", "scipy.stats", "scipy.optimize", "joblib"}
        | {"optax"},
    ),
    "predict from the command line": (
        "from simdiff.cli.main import main; main(['predict'])",
        {"matplotlib", "sklearn", "scipy.stats", "scipy.optimize", "joblib", "submitit", "optax"},
    ),
    "simulate": ("simdiff.simulate", {"pyarrow.parquet", "matplotlib", "hydra", "sklearn", "scipy.stats"}),
    "validate": ("simdiff.Verdict", {"matplotlib", "hydra", "sklearn", "scipy.stats", "scipy.optimize"}),
}


def loaded(code: str) -> set[str]:
    """Names of the modules that a new process has loaded after `import simdiff` and the code."""
    text = f"import sys, simdiff\ntry: exec({code!r})\nexcept SystemExit: pass\nprint()\nprint(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, check=True)
    return set(done.stdout.splitlines()[-1].split())


@pytest.mark.parametrize("occasion", LATE)
def test_what_is_not_needed_is_not_loaded(occasion):
    code, late = LATE[occasion]
    assert not late & loaded(code)


def test_a_module_that_is_loaded_would_be_seen():
    assert {"simdiff", "simdiff.errors", "pandas"} <= loaded("simdiff.InputError; import pandas")


FRONTS = sorted(Path(importlib.import_module("simdiff").__file__).parent.rglob("__init__.pyi"))


@pytest.mark.parametrize("front", FRONTS, ids=lambda path: path.parent.name)
def test_fronts_name_what_there_is(front):
    name = ".".join(front.parent.parts[front.parent.parts.index("simdiff", -3) :])
    room = importlib.import_module(name)
    declared = {}
    exec(front.read_text().partition("__all__")[1] + front.read_text().partition("__all__")[2], declared)
    assert sorted(declared["__all__"]) == sorted(room.__all__)
    for found in declared["__all__"]:
        assert getattr(room, found) is not None


@pytest.mark.parametrize("first", ["simdiff", "jax"])
def test_64_bit_types_in_either_order(first):
    second = {"simdiff": "jax", "jax": "simdiff"}[first]
    code = f"import {first}, {second}, jax.numpy as jnp; print(jnp.ones(1).dtype)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "float64"
