"""Symmetric products by halves: the same matrix, for fewer flops."""

from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
import pytest
from jax import Array

from simdiff.engine.padding import bucket
from simdiff.engine.symmetric_products import halvings, symmetric_product
from simdiff.problems.denoising.gram import accumulate


@pytest.mark.parametrize("p", [255, 1024])
def test_a_symmetric_product_is_the_product_and_exactly_symmetric(p):
    f = np.random.default_rng(0).standard_normal((p, 40))
    found = np.asarray(symmetric_product(jnp.asarray(f)))
    np.testing.assert_allclose(found, f @ f.T, atol=1e-12)
    assert np.array_equal(found, found.T)
    assert not np.allclose(found, f @ np.roll(f, 1, axis=0).T, atol=1e-3)


def test_accumulating_blocks_leaves_no_row_out():
    """13 rows in blocks of 4: the last block has one row."""
    rng = np.random.default_rng(1)
    f, z = rng.standard_normal((16, 1024)), rng.standard_normal((16, 3))
    f[13:], z[13:] = 0, 0
    given = jnp.asarray(f), jnp.asarray(z)

    class Stored(NamedTuple):
        index: Array

        def as_columns(self):
            return given[0][self.index].T, given[1][self.index]

    found = accumulate(Stored, jnp.asarray(13), 4)
    np.testing.assert_allclose(found.u, f.T @ f / 13, atol=1e-13)
    np.testing.assert_allclose(found.v, f.T @ z / 13, atol=1e-13)
    assert float(found.zz) == pytest.approx(np.sum(z**2) / 39)
    assert not np.allclose(found.u, f[:12].T @ f[:12] / 13, atol=1e-3)


def test_products_are_halved_down_to_256_rows():
    assert [halvings(p) for p in (256, 511, 512, 800, 1600, 2048, 3200)] == [0, 0, 1, 1, 2, 3, 3]


def test_padding_is_coarse_where_compiling_costs_more_and_fine_where_it_does_not():
    assert [bucket(p) for p in (40, 300, 800, 1600, 1601, 3200)] == [256, 512, 1024, 1600, 1664, 3200]
    assert [bucket(p, fine=True) for p in (40, 300, 400, 801, 1600)] == [48, 304, 400, 832, 1600]
