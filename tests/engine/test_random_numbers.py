"""Rows of random numbers depend on their index alone and have the moments they should."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from simdiff.engine import threefry as generator
from simdiff.engine.random_numbers import _at_once, integer_rows, normal_rows, streams
from simdiff.engine.symmetric_products import symmetric_product
from simdiff.engine.threefry import threefry

KEY = jax.random.key(3)
ROWS = jax.jit(normal_rows, static_argnums=2)
INTEGERS = jax.jit(integer_rows)


def rows(index, columns=16, key=KEY):
    return np.asarray(ROWS(key, jnp.asarray(index), columns))


def test_a_row_does_not_depend_on_the_table_around_it():
    table = rows(range(64))
    np.testing.assert_array_equal(rows(range(36, 100))[:28], table[36:])
    shuffled = np.random.default_rng(0).permutation(64)
    np.testing.assert_array_equal(rows(shuffled), table[shuffled])
    np.testing.assert_array_equal(rows([63] * 3 + [0] * 61)[:4], table[[63, 63, 63, 0]])
    np.testing.assert_array_equal(rows([17]), table[[17]])


def test_the_same_inside_a_larger_program():
    """A fused program may round the last bit of what it derives from a row, never the row itself."""

    @jax.jit
    def use(index):
        z = normal_rows(KEY, index, 16)
        return z, jnp.tanh(3 * z).sum()

    np.testing.assert_array_equal(use(jnp.arange(64))[0], rows(range(64)))


def test_a_table_is_drawn_once_however_many_operations_use_it():
    """XLA would rather draw it anew in each of them."""

    parity = f"constant({0x1BD11BDA})"  # of the generator's key

    def generators(use):
        return jax.jit(use).lower(KEY).compile().as_text().count(parity)

    table = lambda key: normal_rows(key, jnp.arange(1024), 16)  # noqa: E731
    assert 0 < generators(lambda key: symmetric_product(table(key).T)) == generators(table)


def test_tables_may_be_empty():
    assert ROWS(KEY, jnp.arange(0), 16).shape == (0, 16)
    assert rows(range(3), 0).shape == (3, 0)
    np.testing.assert_array_equal(rows(range(1), 16), rows(range(3), 16)[:1])


def test_other_devices_draw_the_same_bits():
    """They draw a table at once."""
    draw = jax.jit(_at_once, static_argnums=0)
    for count in (1, 300):
        np.testing.assert_array_equal(draw(150, KEY, jnp.arange(count)), rows(range(count), 150))


def test_other_keys_and_rows_give_other_numbers():
    assert (rows(range(64)) != rows(range(64), key=jax.random.key(4))).all()
    assert len(np.unique(rows(range(64)))) > 0.999 * 64 * 16


def test_moments_are_those_of_a_normal():
    x = rows(range(2000)).astype(float)
    n = x.size
    assert x.dtype == float
    assert abs(x.mean()) < 4 / np.sqrt(n)
    assert abs(x.var() - 1) < 4 * np.sqrt(2 / n)
    assert abs((x**4).mean() - 3) < 4 * np.sqrt(96 / n)
    assert stats.kstest(x.ravel(), "norm").pvalue > 1e-3
    correlation = np.corrcoef(x.T)[np.triu_indices(16, 1)]
    assert np.abs(correlation).max() < 4.5 / np.sqrt(2000)
    successive = (x[1:] * x[:-1]).mean()
    assert abs(successive) < 4 / np.sqrt(n)


def test_a_variance_four_per_cent_off_would_be_seen():
    x = 1.02 * rows(range(2000)).astype(float)
    assert abs(x.var() - 1) > 4 * np.sqrt(2 / x.size)


def test_draws_are_float32_in_every_mode():
    assert rows([17]).dtype == np.float32


@pytest.mark.parametrize("below", [1, 7, 1000])
def test_integers_are_uniform_and_addressed_by_row(below):
    found = np.asarray(INTEGERS(KEY, jnp.arange(4000), jnp.int32(below)))
    assert found.min() >= 0
    assert found.max() < below
    backwards = np.asarray(INTEGERS(KEY, jnp.arange(4000)[::-1], jnp.int32(below)))
    np.testing.assert_array_equal(backwards[::-1], found)
    expected = np.histogram(np.arange(below), bins=min(7, below))[0] * 4000 / below
    assert stats.chisquare(np.histogram(found, bins=min(7, below))[0], expected).pvalue > 1e-3 or below == 1


def jax_rows(index, columns, key=KEY):
    """Rows as JAX's own functions draw them."""
    row = lambda r: jax.random.normal(jax.random.fold_in(key, r), (columns,), jnp.float32)  # noqa: E731
    with jax.threefry_partitionable(True):
        return np.asarray(jax.jit(jax.vmap(row))(jnp.asarray(index)))


@pytest.mark.parametrize("columns", [1, 7, 16, 200])
def test_rows_are_those_of_jax_to_the_bit(columns):
    index = np.array([0, 1, 2, 77, 2**20 + 1, 2**31 - 1])
    np.testing.assert_array_equal(rows(index, columns), jax_rows(index, columns))


def hashed(key, counter):
    """The two words of one counter, as integers."""
    found = threefry(*(tuple(map(jnp.uint32, words)) for words in (key, counter)))
    return tuple(int(word) for word in found)


ZEROS = (0x6B200159, 0x99BA4EFE)


def test_threefry_is_that_of_its_authors():
    """Known answers of Random123 for Threefry-2x32 with twenty rounds."""
    assert hashed((0, 0), (0, 0)) == ZEROS
    assert hashed((0x13198A2E, 0x03707344), (0x243F6A88, 0x85A308D3)) == (0xC4923A9C, 0x483DF7A0)


def test_another_rotation_would_be_seen(monkeypatch):
    monkeypatch.setattr(generator, "_ROTATIONS", ((13, 15, 26, 6), (17, 29, 16, 25)))
    assert hashed((0, 0), (0, 0)) != ZEROS


def test_streams_are_keys_folded_one_by_one():
    own = jax.random.key_data(streams(KEY, 5))
    each = [jax.random.key_data(jax.random.fold_in(KEY, k)) for k in range(5)]
    np.testing.assert_array_equal(own, each)
