"""Kernels that run long are compiled in full, the others quickly."""

import jax
import numpy as np
import pytest

import simdiff
from simdiff.engine import compilation
from simdiff.engine.span_map import whole
from simdiff.problem import Kernel


@pytest.mark.parametrize("long", [False, True])
def test_only_kernels_that_run_long_pay_for_a_full_compilation(long, monkeypatch):
    class Draw(Kernel):
        runs_long = long

        def __call__(self, key, inputs):
            return {"value": jax.random.normal(key)}

    kernel = Draw()
    asked, real = [], jax.stages.Lowered.compile

    def compile_(lowered, compiler_options=None):
        asked.append(compiler_options)
        return real(lowered)

    monkeypatch.setattr(jax.stages.Lowered, "compile", compile_)
    keys = jax.random.split(jax.random.key(0), 2)
    found = compilation.program(kernel, keys, (), 1)(keys, (), whole(keys))
    assert np.isfinite(found["value"]).all()
    assert asked == [None if long else compilation.FAST_CPU_COMPILATION]


def test_gradient_training_and_wide_networks_run_long():
    def kernel(trainer, psi_p=1.0, d=40):
        model = simdiff.models.RandomFeatures(psi_p)
        return simdiff.DenoisingScoreMatching(model=model, trainer=trainer, m=2).kernel(d)[0]

    assert kernel(simdiff.trainers.Optax()).runs_long
    assert kernel(simdiff.trainers.Ridge(1e-3), 4.0, 400).runs_long
    assert not kernel(simdiff.trainers.Ridge(1e-3)).runs_long
