"""The example of a convolutional network on digits, run small; the basis that it sees pixels in."""

import importlib.util
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import simdiff

PATH = Path(__file__).parents[2] / "docs" / "examples" / "convolution_on_digits.py"


@pytest.fixture(scope="module")
def example():
    spec = importlib.util.spec_from_file_location("convolution_on_digits", PATH)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.heavy
def test_the_network_is_that_of_three_convolutions_of_pixels(example):
    """Written out pixel by pixel."""
    layers = jax.tree.map(lambda v: np.asarray(v, np.float64), example.init(jax.random.key(0), 64))
    x = np.random.default_rng(0).standard_normal(64)
    image = (x @ example.BASIS.astype(np.float64)).reshape(1, 8, 8)
    for number, filters in enumerate(layers):
        padded = np.pad(image, ((0, 0), (1, 1), (1, 1)))
        image = np.array(
            [
                [[np.sum(padded[:, i : i + 3, j : j + 3] * kernel) for j in range(8)] for i in range(8)]
                for kernel in filters
            ]
        )
        if number < 2:
            image = np.asarray(jax.nn.gelu(image))
    expected = x + example.BASIS @ image.reshape(-1)
    np.testing.assert_allclose(example.apply(layers, jnp.asarray(x)), expected, rtol=1e-5, atol=1e-6)


@pytest.mark.heavy
def test_few_digits_are_memorized_and_many_are_not(example, tmp_path):
    files = tmp_path / "digits.csv", tmp_path / "digits.png"
    table = example.main(*map(str, files), counts=(16, 512), steps=400, trials=1)
    assert all(file.stat().st_size > 100 for file in files)
    first, last = (table[table["step"] == step].set_index("n") for step in (1, 400))
    easier = [rows["test"] / rows["memorization"] for rows in (first, last)]  # some digits are, to begin with
    grown = easier[1] / easier[0]
    assert grown[16] > 1.03 > 1.01 > grown[512]
    assert table.groupby("n")["stop"].sum().tolist() == [1, 1]
    assert (last["train"] < 0.8 * first["train"]).all()


@pytest.mark.parametrize("law", [simdiff.data.Digits(), simdiff.data.Patches(stride=16)])
def test_samples_of_trials_are_pixels_in_the_basis(law):
    basis, pixels = law.basis(), law.load()
    np.testing.assert_allclose(basis @ basis.T, np.eye(64), atol=1e-12)
    centred = pixels - pixels.mean(axis=0)
    scale = np.sqrt(np.mean(np.sum(centred**2, axis=1)) / 64)
    np.testing.assert_allclose(scale * law.prepared.points @ basis, centred, atol=2e-6)
    assert np.abs(scale * law.prepared.points @ np.roll(basis, 1, axis=0) - centred).max() > 0.1
