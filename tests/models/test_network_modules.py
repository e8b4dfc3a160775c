"""Modules of Equinox and Flax as networks, where these are installed: `pip install simdiff[networks]`."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import simdiff
from simdiff.models.denoising.network_functions import outputs

D = 6


def equinox_mlp(key, d):
    from equinox import nn

    return nn.MLP(d, d, width_size=2 * d, depth=1, key=key)


def linen_dense(key, d):
    from flax import linen

    return linen.Dense(d)


def linen_timed(key, d):
    from flax import linen

    class Timed(linen.Module):
        @linen.compact
        def __call__(self, x, t):
            return t * linen.Dense(d)(x)

    return Timed()


def nnx_linear(key, d):
    from flax import nnx

    return nnx.Linear(d, d, rngs=nnx.Rngs(key))


BUILDERS = [
    (equinox_mlp, "equinox"),
    (linen_dense, "flax.linen"),
    (linen_timed, "flax.linen"),
    (nnx_linear, "flax.nnx"),
]


@pytest.mark.parametrize(("build", "library"), BUILDERS)
def test_a_module_is_a_network_that_trains(build, library):
    pytest.importorskip(library)
    model = simdiff.models.Network(build, predicts="noise")
    start = model.functions.start(jax.random.key(1), D, 1, jnp.float32)
    leaves = jax.tree.leaves(start.trained)
    assert sum(leaf.size for leaf in leaves) >= D * D
    assert {leaf.dtype for leaf in leaves} == {jnp.dtype("float32")}
    x = jax.random.normal(jax.random.key(2), (5, D), jnp.float32)
    found = outputs(start, start.trained, x, jnp.asarray(0.5))
    assert found.shape == (5, D)
    weights = [leaf for leaf in leaves if leaf.shape == (D, D)]
    if weights:  # one linear layer without bias at the start
        scale = 0.5 if build is linen_timed else 1.0
        np.testing.assert_allclose(found, scale * x @ weights[0], rtol=1e-4, atol=1e-5)
    trainer = simdiff.trainers.Optax("adam", 0.02, steps=60, records=2)
    problem = simdiff.DenoisingScoreMatching(model=model, trainer=trainer, psi_n=4.0, m=2, t=0.3)
    rows = simdiff.simulate(problem, d=D, trials=2)
    first, last = (rows[rows["time"] == time]["train"].mean() for time in (1, 60))
    assert last < 0.9 * first
    assert model.code_fingerprint()
