"""Every kernel lowered for CUDA, on a machine that has none: what a GPU would run, read from the program.

No product may have less than float32's precision (NVIDIA's TF32 keeps half the digits), nothing may call back
to the host, and the library routines called are those that are known here.
"""

import re
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import pytest

from simdiff.parts.jax_settings import pinned

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))
from small_problems import every_case

ROUTINES = {
    "cusolver_potrf_ffi": "Cholesky, batched by cuSOLVER",
    "cusolver_syevd_ffi": "symmetric eigendecomposition, a batch is worked off one by one above 32 x 32",
    "cu_threefry2x32_ffi": "random numbers",
}
"""Routines of libraries that kernels call on NVIDIA GPUs."""

CASES = {case.name: case for case in every_case()}
KINDS = [
    *(
        "denoising tanh, dual",
        "denoising tanh, primal",
        "denoising tanh, m = inf",
        "denoising relu, m = inf, two levels",
    ),
    *(
        "denoising linear, primal",
        "denoising hidden manifold",
        "denoising flow, dual",
        "denoising flow, m = inf",
    ),
    *("denoising adam, fresh noise", "denoising network", "denoising digits, 12 components"),
    *("chain exact", "chain ddpm, posterior, bias", "chain linear manifold", "chain probability flow, euler"),
    *("ensemble gaussian features", "ensemble fourier features, flow", "ensemble own features, sgd"),
    *("ensemble lazy network", "ensemble wide network, adam"),
]
"""One case of every kernel, and of every kind of data that changes it."""


def lowered_for_cuda(kernel, inputs):
    keys = jax.random.split(jax.random.key(0), 2)
    arrays = jax.tree.map(jnp.asarray, inputs)
    with pinned():
        batch = jax.jit(jax.vmap(kernel, in_axes=(0, None)))
        return jax.export.export(batch, platforms=["cuda"])(keys, arrays).mlir_module()


def imprecise(text):
    """Products of float32 that are not asked for in full."""
    products = [line for line in text.splitlines() if "stablehlo.dot_general" in line and "xf32>" in line]
    return [line.strip() for line in products if "precision = [HIGHEST, HIGHEST]" not in line]


@pytest.mark.parametrize("name", KINDS)
def test_kernels_are_lowered_for_cuda(name):
    case = CASES[name]
    with pinned():
        kernel, inputs = case.problem.kernel(
            case.d, "float32" if "float32" in case.dtypes else case.dtypes[-1]
        )
    text = lowered_for_cuda(kernel, inputs)
    assert imprecise(text) == []
    called = set(re.findall(r"custom_call @([\w.$]+)", text))
    assert called <= set(ROUTINES), called - set(ROUTINES)
    assert not re.search(r"infeed|outfeed|stablehlo\.(send|recv)\b", text)


def test_a_product_without_precision_would_be_seen():
    def kernel(key, inputs):
        x = jax.random.normal(key, (4, 4), jnp.float32)
        with jax.default_matmul_precision("default"):
            return {"value": jnp.sum(x @ x)}

    assert imprecise(lowered_for_cuda(kernel, {}))


def test_a_kernel_that_calls_back_to_the_host_is_not_lowered():
    def kernel(key, inputs):
        jax.debug.callback(print, 1)
        return {"value": jax.random.normal(key)}

    with pytest.raises(ValueError, match="backend cpu is different"):
        lowered_for_cuda(kernel, {})


def test_every_kernel_is_among_the_cases():
    def kind(case):
        return type(case.problem.kernel(case.d)[0])

    assert {kind(CASES[name]) for name in KINDS} == {kind(case) for case in CASES.values()}
