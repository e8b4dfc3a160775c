"""Manifold data: spectra against drawn matrices, samples against their definition, bad input."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import simdiff
from simdiff.data import HiddenManifold, LinearManifold
from simdiff.data.linear_manifold import intrinsic_dimension
from simdiff.data.marchenko_pastur import marchenko_pastur

RATIOS = (0.1, 0.5, 1.0, 2.0)


def law_of(psi_D):
    values, weights = (np.array(part) for part in marchenko_pastur(psi_D))
    return values, weights


@pytest.mark.parametrize("psi_D", RATIOS)
def test_marchenko_pastur_moments_are_exact(psi_D):
    values, weights = law_of(psi_D)
    y = 1 / psi_D
    exact = (1.0, 1 + y, 1 + 3 * y + y**2, 1 + 6 * y + 6 * y**2 + y**3)
    assert [weights @ values**k for k in (1, 2, 3, 4)] == pytest.approx(exact, rel=1e-12)
    assert weights[values == 0].sum() == pytest.approx(max(0.0, 1 - psi_D), abs=1e-15)


@pytest.mark.parametrize("psi_D", RATIOS)
def test_marchenko_pastur_resolvent_is_the_root_of_its_quadratic(psi_D):
    values, weights = law_of(psi_D)
    y = 1 / psi_D
    for pole in (1e-2, 0.3, 5.0):
        # g = <1 / (s + pole)> solves y pole g^2 + (pole + 1 - y) g - 1 = 0
        b = pole + 1 - y
        exact = (-b + np.sqrt(b * b + 4 * y * pole)) / (2 * y * pole)
        found = weights @ (1 / (values + pole))
        assert found == pytest.approx(exact, rel=1e-9)
    assert weights @ (1 / (1.01 * values + pole)) != pytest.approx(exact, rel=1e-4)


@pytest.mark.parametrize("data", [LinearManifold(0.5), LinearManifold(2.0), LinearManifold(0.25, True)])
def test_eigenvalues_of_a_trial_are_those_of_its_law(data):
    d = 200
    sampler, inputs = data.sampler(d), jax.tree.map(jnp.asarray, data.inputs(d))
    keys = jax.random.split(jax.random.key(1), 20)
    drawn = np.array([sampler.frame(key, inputs) for key in keys])
    values, weights = data.spectrum()
    assert (drawn == 0).sum(1) == pytest.approx(d * weights[values == 0].sum())
    # moments of a Wishart matrix at finite size, with their spread over the draws
    y = 0.0 if data.isometric else 1 / data.psi_D
    square = weights @ values**2 + (0 if data.isometric else y / d)
    spread = max(drawn.var(1).std() / np.sqrt(len(keys)), 1e-12)
    assert abs((drawn**2).mean() - square) < 4 * spread + 1e-12
    assert abs((drawn**2).mean() - 1.03 * square) > 4 * spread


def test_samples_of_a_linear_manifold_have_the_covariance_of_its_definition():
    """In the eigenbasis; compared through rotation invariant moments with x = M xi / sqrt(D) itself."""
    d, data = 40, LinearManifold(0.5)
    sampler, inputs = data.sampler(d), jax.tree.map(jnp.asarray, data.inputs(d))
    rng = np.random.default_rng(0)
    ours, direct = [], []
    for k in range(40):
        frame = sampler.frame(jax.random.key(k), inputs)
        x = np.asarray(sampler.sample(jax.random.key(100 + k), frame, jnp.arange(200)), float)
        y = rng.standard_normal((200, 20)) @ rng.standard_normal((20, d)) / np.sqrt(20)
        for found, z in ((ours, x), (direct, y)):
            gram = z @ z.T / d
            off = gram[~np.eye(200, dtype=bool)]
            found.append([np.diag(gram).mean(), (off**2).mean(), (off**4).mean()])
    ours, direct = np.array(ours), np.array(direct)
    error = np.sqrt((ours.var(0) + direct.var(0)) / 40)
    assert (np.abs(ours.mean(0) - direct.mean(0)) < 4 * error).all()
    assert (np.abs(ours.mean(0) * 1.25 - direct.mean(0)) > 4 * error).all()


@pytest.mark.parametrize("name", ["tanh", "relu", "sign", "sin", "erf"])
def test_equivalent_moments_of_a_nonlinearity(name):
    data = HiddenManifold(0.5, name)
    g = np.random.default_rng(3).standard_normal(400_000)
    value = np.asarray(data.nonlinearity.fn(jnp.asarray(g)))
    values, weights = data.spectrum()
    linear = np.mean(g * value)
    error = np.std(g * value) / np.sqrt(g.size)
    smallest = value.var() - linear**2  # nu_*^2: the weight of directions outside is 1/2
    assert values.min() == pytest.approx(smallest, abs=6 * error + 1e-3 * smallest)
    assert weights @ values == pytest.approx(value.var(), abs=6 * error)
    assert weights @ values != pytest.approx(1.05 * value.var(), abs=6 * error)


def test_linear_nonlinearity_is_the_linear_manifold():
    hidden, linear = HiddenManifold(0.5, "identity").spectrum(), LinearManifold(0.5).spectrum()
    assert hidden[0] == pytest.approx(linear[0], abs=1e-12)
    assert hidden[1] == pytest.approx(linear[1])


@pytest.mark.parametrize("name", ["tanh", "relu"])
def test_samples_of_a_hidden_manifold_are_centred_and_padding_changes_nothing(name):
    d, data = 64, HiddenManifold(0.5, name)
    sampler, inputs = data.sampler(d), jax.tree.map(jnp.asarray, data.inputs(d))
    frame = sampler.frame(jax.random.key(0), inputs)
    assert frame.factor.shape == (64, 256)
    assert not np.asarray(frame.factor[:, 32:]).any()
    x = np.asarray(sampler.sample(jax.random.key(1), frame, jnp.arange(4000)), float)
    latent = np.asarray(simdiff.data.hidden_manifold.normal_rows(jax.random.key(1), jnp.arange(4000), 256))
    m = np.asarray(frame.factor)[:, :32]
    direct = np.asarray(data.nonlinearity.fn(jnp.asarray(latent[:, :32] @ m.T))) - float(frame.shift)
    assert np.abs(x - direct).max() < 1e-5
    # over many manifolds a coordinate has mean zero; on one of them it is off by its row's norm alone
    means = []
    for k in range(30):
        frame = sampler.frame(jax.random.key(10 + k), inputs)
        means.append(float(sampler.sample(jax.random.key(50 + k), frame, jnp.arange(64)).mean()))
    error = np.std(means) / np.sqrt(len(means))
    assert abs(np.mean(means)) < 4 * error
    uncentred = HiddenManifold(0.5, name, centred=False)
    assert uncentred.mean == pytest.approx({"tanh": 0.0, "relu": 1 / np.sqrt(2 * np.pi)}[name], abs=1e-9)
    assert data.mean == 0


def test_sizes_have_whole_dimensions():
    assert intrinsic_dimension(0.1, 64) == 6
    assert intrinsic_dimension(0.999, 10) == 9  # a direction outside must remain
    assert intrinsic_dimension(1.0, 10) == 10
    assert intrinsic_dimension(0.01, 10) == 1
    assert LinearManifold(0.1).at_size(64).psi_D == 6 / 64
    assert HiddenManifold(0.1, "relu", False).at_size(64) == HiddenManifold(6 / 64, "relu", False)


@pytest.mark.parametrize(
    ("build", "words"),
    [
        (lambda: LinearManifold(0.0), "data.psi_D"),
        (lambda: LinearManifold(-1.0), "data.psi_D"),
        (lambda: LinearManifold(1.5, isometric=True), "isometric"),
        (lambda: HiddenManifold(0.0), "data.psi_D"),
        (lambda: HiddenManifold(0.5, lambda u: 0 * u + 1), "constant"),
        (lambda: HiddenManifold(0.5, "tahn"), "tanh"),
        (lambda: simdiff.data.Gaussian(([-1.0, 1.0], [0.5, 0.5])), "negative"),
    ],
)
def test_bad_input_is_named(build, words):
    with pytest.raises(simdiff.InputError, match=words):
        build()
