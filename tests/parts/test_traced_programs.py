"""Traced programs on disk give the bits of a program that was traced here, and damage is nothing new."""

import dataclasses
import inspect
import os
import subprocess
import sys

import jax
import numpy as np
import pandas as pd
import pytest
from toy_problems import Mean

import simdiff
from simdiff.engine.session import Session
from simdiff.engine.trials import run_trials
from simdiff.parts import program_cache, traced_programs
from simdiff.parts.traced_programs import kept_program
from simdiff.problems.linear_chain import kernel
from simdiff.theory.denoising import fixed_point, learning_curve

PROBLEM = simdiff.LinearSampling(psi_n=2.0, samples=0)
"""Its inputs are objects, too; it compiles in a fraction of the time of others."""
DENOISING = simdiff.DenoisingScoreMatching(model=simdiff.models.RandomFeatures(0.5), psi_n=1.0, m=2)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A cache of its own with traced programs switched on."""
    monkeypatch.delenv(program_cache.TRACED_VARIABLE, raising=False)
    before = jax.config.jax_compilation_cache_dir
    program_cache.use_cache(str(tmp_path))
    yield program_cache.traced_folder()
    program_cache.use_cache(before or "off")


@pytest.fixture
def traced(monkeypatch):
    """Counts the kernels that are traced."""
    calls = []
    export = traced_programs.export.export
    monkeypatch.setattr(
        traced_programs.export, "export", lambda f, **named: calls.append(f) or export(f, **named)
    )
    return calls


def rows(problem=PROBLEM):
    """Trials of a new session: no program is in memory."""
    found = pd.concat(run_trials(problem, 16, 0, range(3), session=Session()))
    return found.drop(columns="duration")


def test_a_program_from_disk_gives_the_same_bits_and_is_not_traced(folder, traced, monkeypatch):
    first, second = rows(), rows()
    assert len(traced) == 1
    pd.testing.assert_frame_equal(first, second, check_exact=True)
    monkeypatch.setenv(program_cache.TRACED_VARIABLE, "off")
    assert program_cache.traced_folder() is None
    pd.testing.assert_frame_equal(first, rows(), check_exact=True)
    assert len(list(folder.iterdir())) == len(traced) == 1


def test_trials_of_denoising_are_kept_too(folder, traced):
    pd.testing.assert_frame_equal(rows(DENOISING), rows(DENOISING), check_exact=True)
    assert len(traced) == len(list(folder.iterdir())) == 1


def test_another_kernel_has_another_file(folder, traced):
    rows()
    rows(dataclasses.replace(PROBLEM, kl=False))
    rows(dataclasses.replace(PROBLEM, psi_n=2.5))
    assert len(traced) == len(list(folder.iterdir())) == 2


@pytest.mark.parametrize("damage", [lambda c: c[:-1], lambda c: c[:-1] + bytes([c[-1] ^ 1]), lambda c: b""])
def test_a_damaged_file_is_replaced(folder, traced, damage):
    whole = rows()
    (path,) = folder.iterdir()
    content = path.read_bytes()
    path.write_bytes(damage(content))
    pd.testing.assert_frame_equal(whole, rows(), check_exact=True)
    assert len(traced) == 2
    rows()
    assert len(traced) == 2


def test_the_code_of_users_is_traced_every_time(folder, traced):
    rows(Mean())
    rows(dataclasses.replace(DENOISING, model=simdiff.models.RandomFeatures(0.5, jax.nn.silu)))
    kept = len(traced)
    rows(dataclasses.replace(DENOISING, model=simdiff.models.RandomFeatures(0.5, lambda x: x**3)))
    assert len(traced) == kept == len(list(folder.iterdir()))


def test_code_replaced_in_memory_is_traced(folder, traced, monkeypatch):
    """Twin of the first test: a program from disk would hide what was replaced."""
    right = rows()
    plain = kernel.losses
    monkeypatch.setattr(
        kernel, "losses", lambda trained: plain(trained) | {"train": 2 * plain(trained)["train"]}
    )
    wrong = rows()
    assert (wrong["train"] == 2 * right["train"]).all()
    assert len(traced) == 1


def curves(more=0.0):
    """Learning curves of two settings, by a process that has compiled none."""
    kinds = learning_curve.LearningCurve, learning_curve.Directions, fixed_point.FixedPoint
    new = kept_program(*kinds)(inspect.unwrap(learning_curve.learning_curves))
    numbers = dict.fromkeys(learning_curve.TheoryInputs._fields, np.array([0.5, 0.7 + more]))
    atoms = {"eigenvalues": np.ones((2, 1)), "weights": np.ones((2, 1))}
    return jax.tree.map(np.asarray, new(learning_curve.TheoryInputs(**numbers | atoms)))


def test_programs_of_theories_are_kept_with_the_structure_of_what_they_return(folder, traced):
    first, second, other = curves(), curves(), curves(more=0.1)
    assert len(traced) == len(list(folder.iterdir())) == 1
    assert isinstance(second.point, fixed_point.FixedPoint)
    assert jax.tree.structure(first) == jax.tree.structure(second)
    assert all(map(np.array_equal, jax.tree.leaves(first), jax.tree.leaves(second)))
    assert first.test[0] == other.test[0] != first.test[1] != other.test[1]


def test_settings_of_the_caller_change_no_program_of_a_theory(folder, traced):
    right = curves()
    with jax.enable_x64(False):
        found = curves()
    assert found.test.dtype == np.float64
    assert all(map(np.array_equal, jax.tree.leaves(right), jax.tree.leaves(found)))
    assert len(traced) == 1


def test_a_theory_replaced_in_memory_is_traced(folder, traced, monkeypatch):
    """Twin: what was replaced shows, and is not kept for others."""
    right = curves()
    plain = learning_curve._objective
    monkeypatch.setattr(learning_curve, "_objective", lambda *given: 2 * plain(*given))
    assert np.array_equal(curves().objective, 2 * right.objective)
    assert len(traced) == len(list(folder.iterdir())) == 1


def test_a_folder_that_cannot_be_written_keeps_nothing(folder, traced):
    folder.write_text("a file in its place")
    whole = rows()
    pd.testing.assert_frame_equal(whole, rows(), check_exact=True)
    assert len(traced) == 2


CODE = """
import jax
if "{devices}" != "1": jax.config.update("jax_num_cpu_devices", {devices})
import simdiff
from simdiff.parts import traced_programs as t
count = []
export = t.export.export
t.export.export = lambda f, **named: count.append(f) or export(f, **named)
problem = simdiff.LinearSampling(psi_n=2.0, samples=0)
print(float(simdiff.simulate(problem, d=16, trials=3)["test"].sum()), len(count))
"""


@pytest.mark.parametrize("devices", [pytest.param(1, marks=pytest.mark.heavy), 2])
def test_another_process_takes_it_from_disk(tmp_path, devices):
    kept = {program_cache.VARIABLE: str(tmp_path), "XLA_FLAGS": ""}
    environment = {k: v for k, v in os.environ.items() if k != program_cache.TRACED_VARIABLE} | kept
    words = [sys.executable, "-c", CODE.format(devices=devices)]
    said = [
        subprocess.run(words, env=environment, capture_output=True, text=True, check=True).stdout.split()
        for _ in range(2)
    ]
    assert [count for _, count in said] == ["1", "0"]
    assert said[0][0] == said[1][0]
