"""Images as data laws: points turned into the eigenbasis of their covariance, draws, twins, bad input."""

import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import simdiff
from simdiff.data import Digits, Images, Patches
from simdiff.data.points import length_ratios, prepare
from simdiff.parts.build import build_problem

KEY = jax.random.key(5)


def stored(folder, array, name="points.npy"):
    path = folder / name
    np.save(path, array)
    return str(path)


@pytest.mark.parametrize(
    ("law", "points", "d", "rank"),
    [
        (Digits(), 1797, 64, 61),
        (Digits(components=20), 1797, 20, 20),
        (Patches(), 2 * 53 * 80, 64, 64),
        (Patches(side=4, stride=16), 2 * 27 * 40, 16, 16),
    ],
    ids=["digits", "components", "patches", "stride"],
)
def test_points_are_the_images_in_their_eigenbasis(law, points, d, rank):
    found = law.prepared
    assert (law.count, law.only_size, found.rank) == (points, d, rank)
    raw = law.load()
    raw = raw - raw.mean(axis=0)
    exact = np.linalg.eigvalsh(raw.T @ raw / points)[::-1][:d]
    np.testing.assert_allclose(found.eigenvalues, exact / exact.mean(), rtol=1e-9, atol=1e-13)
    x = found.points.astype(float)
    np.testing.assert_allclose(x.T @ x / points, np.diag(found.eigenvalues), atol=1e-5)
    np.testing.assert_allclose(x.mean(axis=0), 0.0, atol=1e-6)
    assert np.all(x[:, rank:] == 0.0)
    assert np.all(found.eigenvalues[rank:] == 0.0)
    if d == raw.shape[1]:  # a rotation keeps distances
        before, after = (np.linalg.norm(y[:50, None] - y[None, :50], axis=2) for y in (raw, x))
        np.testing.assert_allclose(after, before / np.sqrt(exact.mean()), rtol=1e-5, atol=1e-5)


def test_patches_are_cut_from_grey_photographs():
    from sklearn.datasets import load_sample_images

    china, flower = (photo @ [0.299, 0.587, 0.114] / 255.0 for photo in load_sample_images().images)
    cut = Patches(side=8, stride=5).load()
    across = (640 - 8) // 5 + 1
    np.testing.assert_allclose(cut[0].reshape(8, 8), china[:8, :8])
    np.testing.assert_allclose(cut[across + 2].reshape(8, 8), china[5:13, 10:18])
    np.testing.assert_allclose(cut[len(cut) // 2].reshape(8, 8), flower[:8, :8])


def test_fewer_points_than_dimensions_have_the_same_geometry():
    x = np.random.default_rng(1).standard_normal((6, 40))
    found = prepare(x, None)
    centred = x - x.mean(axis=0)
    scale = np.trace(centred.T @ centred) / (6 * 40)
    assert (found.points.shape, found.rank) == ((6, 40), 5)
    np.testing.assert_allclose(found.points @ found.points.T, centred @ centred.T / scale, atol=1e-5)
    np.testing.assert_allclose(np.diag(found.points.T @ found.points / 6), found.eigenvalues, atol=1e-5)


def test_trials_draw_points_uniformly_and_with_replacement(tmp_path):
    law = Images(stored(tmp_path, np.random.default_rng(2).standard_normal((8, 3))))
    sampler, inputs = law.sampler(3), jax.tree.map(jnp.asarray, law.inputs(3))
    frame = sampler.frame(KEY, inputs)
    drawn = np.asarray(sampler.sample(KEY, frame, jnp.arange(4000)))
    which = np.argmin(np.sum((drawn[:, None] - law.prepared.points) ** 2, axis=2), axis=1)
    np.testing.assert_array_equal(law.prepared.points[which], drawn)
    expected, error = 500.0, np.sqrt(4000 * 7 / 64)
    assert np.max(np.abs(np.bincount(which, minlength=8) - expected)) < 4 * error
    again = sampler.sample(KEY, frame, jnp.arange(4000)[::-1])  # a row does not depend on its neighbours
    np.testing.assert_array_equal(again, drawn[::-1])


def test_the_twin_is_gaussian_with_the_same_spectrum():
    twin = Digits(components=20).gaussian_twin()
    assert twin == Digits(components=20, twin=True)
    np.testing.assert_array_equal(twin.spectrum(), Digits(components=20).spectrum())
    drawn = np.asarray(twin.sampler(20).sample(KEY, twin.inputs(20)["eigenvalues"], jnp.arange(4000)))
    kurtosis = np.mean(drawn**4, axis=0) / np.mean(drawn**2, axis=0) ** 2
    np.testing.assert_allclose(kurtosis, 3.0, atol=5 * np.sqrt(24 / 4000))


def test_notes_measure_the_distance_from_gaussian_data():
    rng = np.random.default_rng(3)
    normal = rng.standard_normal((20000, 4)) * [2.0, 1.0, 1.0, 0.5]
    # one standard error of a variance of a chi-squared-like variable, as a share, is about sqrt(10 / m)
    np.testing.assert_allclose(length_ratios(prepare(normal, None)), 1.0, atol=4 * np.sqrt(10 / 20000))
    signs = np.sign(rng.standard_normal((20000, 4)))
    assert max(length_ratios(prepare(signs, None))) < 0.01
    lengths = np.repeat([0.5, np.sqrt(1.75)], 10000)[:, None]
    # x = r g, E r^2 = 1: Var x^T Sigma^-1 x = E r^4 (d^2 + 2 d) - d^2
    exact = (np.mean(lengths**4) * (16 + 8) - 16) / 8
    np.testing.assert_allclose(length_ratios(prepare(lengths * normal, None))[1], exact, rtol=0.1)
    assert "variance of |x|^2 is 0.287 times" in Digits().notes()[0]


def test_points_that_repeat_others_are_counted_in_a_note(tmp_path):
    points = np.random.default_rng(4).standard_normal((9, 4))
    assert len(Images(stored(tmp_path, points)).notes()) == 1
    again = Images(stored(tmp_path, points[[0, 1, 1, 2, 3, 0, 1, 4, 5]])).notes()
    assert "3 of the 9 points repeat an earlier one" in again[1]


def test_a_file_that_changes_is_another_problem(tmp_path):
    points = np.random.default_rng(4).standard_normal((9, 4))
    path = stored(tmp_path, points)
    before = simdiff.LinearSampling(Images(path), kl=False, psi_n=2.0)
    assert before.digest() == simdiff.LinearSampling(Images(path), kl=False, psi_n=2.0).digest()
    stored(tmp_path, np.vstack([points, points + 1]))
    after = simdiff.LinearSampling(Images(path), kl=False, psi_n=2.0)
    assert (after.data.count, before.data.count) == (18, 9)
    assert after.digest() != before.digest()
    moved = simdiff.LinearSampling(Images(stored(tmp_path.parent, points)), kl=False, psi_n=2.0)
    assert moved.digest() == before.digest()


def test_configurations_build_them(tmp_path):
    path = stored(tmp_path, np.random.default_rng(4).standard_normal((9, 4)))
    for spec, law in (
        ({"type": "Digits", "components": 20, "twin": True}, Digits(20, True)),
        ({"type": "Patches", "side": 4, "stride": 16, "components": None}, Patches(4, 16)),
        ({"type": "Images", "path": path, "name": None}, Images(path)),
    ):
        problem = build_problem({"problem": "linear_sampling", "data": spec, "kl": False, "psi_n": 0.5})
        assert problem.data == law


BAD = {
    "too many components": (lambda: Digits(components=62), r"data.components: got 62; allowed: at most 61"),
    "no component": (lambda: Digits(components=0), "an integer >= 1"),
    "side": (lambda: Patches(side=1), "data.side: got 1"),
    "large side": (lambda: Patches(side=428), "at most 427"),
    "stride": (lambda: Patches(stride=0), "data.stride"),
    "no path": (lambda: Images(""), "the path of a .npy"),
    "missing file": (lambda: Images("nowhere.npy"), "an existing file"),
    "size": (lambda: Digits().sampler(100), r"sizes: got 100; allowed: 64"),
    "size, realised": (lambda: Digits().at_size(100), "this one size"),
    "all the same": (lambda: prepare(np.ones((5, 3)), None), "points that differ"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_one_clear_line(case):
    make, message = BAD[case]
    with pytest.raises(simdiff.InputError, match=message) as caught:
        make()
    assert "\n" not in str(caught.value)


def test_a_missing_scikit_learn_is_said_so(monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn.datasets", None)
    for law, name in ((Digits, "Digits"), (Patches, "Patches")):
        with pytest.raises(simdiff.InputError, match=f"data: got '{name}'.*pip install scikit-learn"):
            law.load(object.__new__(law))
