"""Features: closed forms, and the model at one time is W phi."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

import simdiff
from simdiff.data import PointMasses
from simdiff.models import FourierFeatures, FunctionFeatures, GaussianFeatures
from simdiff.sampling import VariancePreserving, flow, flow_steps

SPAN = np.array([0.01, 1.0])
RNG = np.random.default_rng(3)
X, T = RNG.uniform(-2, 2, (20, 2)), RNG.uniform(0.01, 1, 20)


def polynomials(x, t):
    return jnp.stack([jnp.ones_like(t), t, x[:, 0] * t, x[:, 0] * x[:, -1]], axis=1)


def densities(z, low, high, count):
    grid = np.linspace(low, high, count)
    return stats.norm.pdf(z[:, None], grid, 0.5 * (grid[1] - grid[0]))


def waves(z, period, count):
    turns = 2 * np.pi * z[:, None] / period
    sines = (count - 1) // 2
    return np.hstack(
        [
            np.ones((len(z), 1)),
            np.cos(turns * np.arange(1, count - sines)),
            np.sin(turns * np.arange(1, sines + 1)),
        ]
    )


def product(*tables):
    total = np.ones((len(X), 1))
    for table in tables:
        total = (total[:, :, None] * table[:, None]).reshape(len(X), -1)
    return total


CASES = {
    "gaussian": (
        GaussianFeatures(4, 5),
        product(*(densities(z, -1.5, 1.5, 4) for z in X.T), densities(T, 0.01, 1, 5)),
    ),
    "fourier, odd": (FourierFeatures(5, 3), product(*(waves(z, 3.0, 5) for z in X.T), waves(T, 0.99, 3))),
    "fourier, even": (FourierFeatures(4, 6), product(*(waves(z, 3.0, 4) for z in X.T), waves(T, 0.99, 6))),
    "own": (FunctionFeatures(polynomials, 4), np.asarray(polynomials(X, T))),
}


@pytest.mark.parametrize("name", CASES)
def test_features_have_their_closed_form_and_give_the_model_at_a_time(name):
    library, wanted = CASES[name]
    assert library.count(2) == wanted.shape[1]
    x, t = jnp.asarray(X), jnp.asarray(T)
    np.testing.assert_allclose(library.features(x, t, SPAN), wanted, rtol=1e-10, atol=1e-12)
    W = RNG.standard_normal((2, wanted.shape[1]))
    phi = library.features(x, jnp.full(len(X), 0.3), SPAN)
    for kind, tolerance in ((jnp.float64, 1e-12), (jnp.float32, 1e-5)):
        got = library.at(jnp.asarray(W, kind), jnp.asarray(0.3, kind), SPAN)(tuple(x.T.astype(kind)))
        assert got[0].dtype == kind
        np.testing.assert_allclose(
            np.stack(got, 1), phi @ W.T, rtol=0, atol=tolerance * np.abs(phi @ W.T).max()
        )


def test_names_stand_for_functions(tmp_path, monkeypatch):
    (tmp_path / "my_features.py").write_text(
        "import jax.numpy as jnp\ndef f(x, t):\n    return jnp.stack([t, x[:, 0]], 1)\n"
    )
    monkeypatch.chdir(tmp_path)
    library = FunctionFeatures("my_features:f", 2, dimension=2)
    assert library.features(jnp.asarray(X), jnp.asarray(T), SPAN).shape == (20, 2)
    assert library.description()["function"] == "my_features:f"
    assert hash(library) == hash(FunctionFeatures("my_features:f", 2, dimension=2))


def test_bad_input_is_one_clear_message():
    data, x, t = PointMasses([0.0, 1.0]), jnp.asarray(X), jnp.asarray(T)
    plane = FunctionFeatures(polynomials, 4, dimension=2)
    for make, field in (
        (lambda: GaussianFeatures(1, 4), "model.x_count"),
        (lambda: FourierFeatures(3, 3, target="noise"), "model.target"),
        (lambda: GaussianFeatures(4, 4, window=-1.0), "model.window"),
        (lambda: FunctionFeatures("nowhere", 4), "model.function"),
        (
            lambda: simdiff.EnsembleSampling(data, plane),
            "model.dimension",
        ),
        (
            lambda: FunctionFeatures(polynomials, 5).features(x, t, SPAN),
            "model.function",
        ),
    ):
        with pytest.raises(simdiff.InputError, match=field):
            make()


def test_samples_do_not_depend_on_blocks_and_models_are_apart(monkeypatch):
    library, steps = FunctionFeatures(polynomials, 4, target="score"), flow_steps(VariancePreserving(), 3)
    W = jnp.asarray(0.1 * RNG.standard_normal((3, 2, 4)))
    run = lambda W, first: np.asarray(  # noqa: E731
        flow.sample_models(library, W, steps, SPAN, jax.random.key(1), 10, first)
    )
    whole = run(W, 0)
    monkeypatch.setattr(flow, "BLOCK", 4)
    np.testing.assert_allclose(run(W, 0), whole, rtol=1e-12)
    np.testing.assert_allclose(run(W[1:2], 1), whole[1:2], rtol=1e-12)
