"""Mixtures of Gaussians: the theory of one class, identities among classes, a scalar equation, simulation."""

import math
import warnings

import numpy as np
import pytest
from scipy import stats

import simdiff
from simdiff.data import Elliptical, Gaussian, GaussianMixture
from simdiff.errors import InputError
from simdiff.models import Linear, RandomFeatures
from simdiff.theory.denoising.gaussian_equivalence import ConvergenceWarning
from simdiff.theory.mixed_gaussians import mixed_gaussians
from simdiff.theory.mixed_gaussians.classes import shifted_constants
from simdiff.trainers import Ridge

SPECTRUM = ([0.5, 1.5], [0.5, 0.5])
TANH, RELU = RandomFeatures(3.0, activation="tanh"), RandomFeatures(2.0, activation="relu")
IDENTITY = RandomFeatures(3.0, activation="identity")


def problem(data, model=TANH, m=1, ridge=1e-2, psi_n=2.0, t=0.1):
    return simdiff.DenoisingScoreMatching(data, model, Ridge(ridge), psi_n, m, t)


def predicted(*arguments, **named):
    return simdiff.predict(problem(*arguments, **named))


def close(found, expected, rel):
    assert {name: found[name] for name in expected} == pytest.approx(expected, rel=rel)


@pytest.mark.parametrize("model", [TANH, RELU, Linear()], ids=["tanh", "relu", "linear"])
@pytest.mark.parametrize("m", [1, 4, math.inf])
@pytest.mark.parametrize("ridge", [1e-1, 1e-6])
def test_one_class_is_the_theory_of_gaussian_data(model, m, ridge):
    known = predicted(Gaussian(SPECTRUM), model, m, ridge)
    found = predicted(Elliptical(SPECTRUM, radius=[3.0]), model, m, ridge)
    assert set(found) == set(known)
    close(found, known, 1e-10)
    same = predicted(GaussianMixture([0.0, 0.0], SPECTRUM, [0.3, 0.7]), model, m, ridge)
    close(same, known | {"test_class_0": known["test"], "test_class_1": known["test"]}, 1e-10)


@pytest.mark.parametrize("m", [1, 3])
def test_classes_may_be_exchanged_and_split(m):
    two = predicted(GaussianMixture([0.4, -0.9], [0.5, 1.5], [0.3, 0.7]), m=m)
    turned = predicted(GaussianMixture([-0.9, 0.4], [1.5, 0.5], [0.7, 0.3]), m=m)
    close(turned, two | {"test_class_0": two["test_class_1"], "test_class_1": two["test_class_0"]}, 1e-9)
    split = predicted(GaussianMixture([0.4, -0.9, -0.9], [0.5, 1.5, 1.5], [0.3, 0.3, 0.4]), m=m)
    close(split, two | {"test_class_2": two["test_class_1"]}, 1e-9)
    assert two["test"] == pytest.approx(0.3 * two["test_class_0"] + 0.7 * two["test_class_1"])
    assert two["test_class_0"] != pytest.approx(two["test_class_1"], rel=0.1)


def test_means_bias_features_but_neither_linear_ones_nor_a_sign():
    """Two directions of means are one where they lie on a line; odd features see no difference in sign."""
    here = GaussianMixture([0.5, -0.5], [0.5, 1.5])
    centred = GaussianMixture([0.0, 0.0], [0.5, 1.5])
    for model in (IDENTITY, Linear()):
        close(predicted(here, model), predicted(centred, model), 1e-9)
    assert predicted(here)["train"] != pytest.approx(predicted(centred)["train"], rel=0.01)
    close(predicted(GaussianMixture([0.5, 0.5], [0.5, 1.5])), predicted(here), 1e-9)
    turned = GaussianMixture([[0.3, 0.4], [-0.3, -0.4]], [0.5, 1.5])
    close(predicted(turned), predicted(here), 1e-9)


def test_features_that_a_bias_saturates_are_dead():
    """A sign far from its jump is constant: constants are zero, where by themselves their digits are lost."""
    sign = RandomFeatures(1.0, activation="sign").activation
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert np.abs(shifted_constants(sign, 8.0, 0.1, 0.1)).max() < 1e-8
    near = shifted_constants(sign, 0.5, 0.1, 0.1)
    variance, mean = 0.2, 2 * stats.norm.cdf(0.5 / math.sqrt(0.2)) - 1
    slope = 2 * stats.norm.pdf(0.5 / math.sqrt(variance)) / math.sqrt(variance)
    assert near[0] == pytest.approx(slope, rel=1e-8)
    assert near[0] ** 2 * variance + near[1] + near[2] == pytest.approx(1 - mean**2, rel=1e-8)


def test_radii_are_classes():
    elliptical = predicted(Elliptical(radius=[0.5, 1.5], weights=[0.75, 0.25]), m=4)
    squares = np.array([0.25, 2.25]) / (0.75 * 0.25 + 0.25 * 2.25)
    mixture = predicted(GaussianMixture([0.0, 0.0], squares.tolist(), [0.75, 0.25]), m=4)
    close(mixture, elliptical, 1e-10)


def test_a_linear_denoiser_on_elliptical_data_obeys_the_scalar_equation():
    """test = 1 - 2 (h/a^2) tr G + h (tr G (a^2 Sigma + h) G) / a^4, by derivatives of (1/d) log det.

    k = E r^2 / (1 + r^2 X), X = <s / (k s + mu)> / psi_n.
    """
    law, ridge, psi_n, t = Elliptical(SPECTRUM, radius=[0.5, 1.5]), 0.05, 1.5, 0.2
    a2, h = math.exp(-2 * t), -math.expm1(-2 * t)
    r2, p = law.law.rule()
    s, w = law.spectrum()

    def log_det(mu, epsilon):
        """(1/d) log det (Sigma_hat + mu + epsilon Sigma): stationary in k and X."""
        k = 1.0
        for _ in range(2000):
            x = w @ (s / (k * s + mu + epsilon * s)) / psi_n
            k = p @ (r2 / (1 + r2 * x))
        return w @ np.log(k * s + mu + epsilon * s) + psi_n * (p @ np.log1p(r2 * x) - k * x)

    mu, step = (h + ridge) / a2, 1e-3
    trace = (log_det(mu + step, 0) - log_det(mu - step, 0)) / (2 * step)
    square = -(log_det(mu + step, 0) - 2 * log_det(mu, 0) + log_det(mu - step, 0)) / step**2
    corners = [a * b * log_det(mu + a * step, b * step) for a in (1, -1) for b in (1, -1)]
    weighted = -sum(corners) / (4 * step**2)  # (1/d) tr G Sigma G
    train = 1 - 2 * h / a2 * trace + h / a2 * (trace - mu * square) + h * h / a2**2 * square
    test = 1 - 2 * h / a2 * trace + h / a2 * weighted + h * h / a2**2 * square
    found = predicted(law, Linear(), math.inf, ridge, psi_n, t)
    assert found["test"] == pytest.approx(test, rel=1e-5)
    assert found["train"] == pytest.approx(train, rel=1e-5)
    gaussian = predicted(Gaussian(SPECTRUM), Linear(), math.inf, ridge, psi_n, t)
    assert gaussian["train"] != pytest.approx(train, rel=0.05)


def linear_trial(d, rng):
    """Errors of a linear denoiser at m = infinity on two radii, in NumPy: exact averages over the noise."""
    psi_n, ridge, t = 1.5, 0.05, 0.2
    a2, h = math.exp(-2 * t), -math.expm1(-2 * t)
    s = np.repeat(SPECTRUM[0], d // 2)
    r2 = rng.choice([0.25, 2.25], round(psi_n * d)) / 1.25
    x = rng.standard_normal((r2.size, d)) * np.sqrt(s * r2[:, None])
    u = a2 * x.T @ x / r2.size
    b = math.sqrt(h) * np.linalg.inv(u + (h + ridge) * np.eye(d))
    left = 1 - 2 * math.sqrt(h) * np.trace(b) / d + h * np.sum(b * b) / d
    return [left + a2 * np.sum(b * b * s) / d, left + np.sum(b * (u @ b)) / d]


def feature_trial(d, rng):
    """Test errors by class and the train error of random features at m = 1 on two classes, in NumPy."""
    psi_n, psi_p, ridge, t = 1.5, 2.0, 1e-2, 0.2
    a, h = math.exp(-t), -math.expm1(-2 * t)
    n, p = round(psi_n * d), round(psi_p * d)
    first = rng.standard_normal((p, d)) / math.sqrt(d)

    def rows(count, chosen):
        z = rng.standard_normal((count, d))
        x = (
            np.where(chosen, 0.8, -0.8)[:, None]
            + rng.standard_normal((count, d)) * np.where(chosen, math.sqrt(0.3), math.sqrt(1.5))[:, None]
        )
        return np.tanh((a * x + math.sqrt(h) * z) @ first.T), z

    f, z = rows(n, rng.random(n) < 0.4)
    b = -np.linalg.solve(f.T @ f / n + ridge * np.eye(p), f.T @ z / n)
    errors = []
    for chosen in (True, False):
        fresh, noise = rows(3 * d, np.full(3 * d, chosen))
        errors.append(np.mean((fresh @ b + noise) ** 2))
    return [*errors, np.mean((f @ b + z) ** 2)]


def extrapolated(trial, sizes, trials):
    means, errors = [], []
    for d, count in zip(sizes, trials, strict=True):
        found = np.array([trial(d, np.random.default_rng([d, k])) for k in range(count)])
        means.append(found.mean(axis=0))
        errors.append(found.std(axis=0, ddof=1) / math.sqrt(count))
    return 2 * means[1] - means[0], np.hypot(2 * errors[1], errors[0])


def pulls(simulated, values):
    estimate, error = simulated
    assert (error < 0.012 * estimate).all()
    return np.abs(estimate - values) / error


def test_linear_errors_are_those_of_a_simulation_and_not_the_gaussian_ones():
    simulated = extrapolated(linear_trial, (60, 120), (160, 80))
    arguments = (Linear(), math.inf, 0.05, 1.5, 0.2)
    found = predicted(Elliptical(SPECTRUM, radius=[0.5, 1.5]), *arguments)
    gaussian = predicted(Gaussian(SPECTRUM), *arguments)
    assert pulls(simulated, [found["test"], found["train"]]).max() < 3.5
    assert pulls(simulated, [gaussian["test"], gaussian["train"]]).min() > 8


def test_classes_of_random_features_are_those_of_a_simulation():
    simulated = extrapolated(feature_trial, (50, 100), (120, 60))
    arguments = (RandomFeatures(2.0, activation="tanh"), 1, 1e-2, 1.5, 0.2)
    names = ("test_class_0", "test_class_1", "train")

    def of(means):
        found = predicted(GaussianMixture(means, [0.3, 1.5], [0.4, 0.6]), *arguments)
        return [found[name] for name in names]

    assert pulls(simulated, of(0.8)).max() < 3.5
    assert pulls(simulated, of(0.0)).max() > 8  # features without a bias of their own
    gaussian = predicted(Gaussian(([1.02], [1.0])), *arguments)
    assert pulls(simulated, [gaussian["test"], gaussian["test"], gaussian["train"]]).max() > 8


def test_a_continuous_radius_is_averaged_until_it_settles():
    law = Elliptical(SPECTRUM, df=5.0)
    squares, weights = law.law.rule()
    edges = np.searchsorted(np.cumsum(np.r_[0.0, weights[np.argsort(squares)]]), np.linspace(0, 1, 301)[1:-1])
    parts = np.split(np.argsort(squares), edges)
    fine = [
        (weights[i].sum(), weights[i] @ squares[i] / weights[i].sum()) for i in parts if weights[i].sum() > 0
    ]
    mass, mean = np.array(fine).T
    given = Elliptical(SPECTRUM, radius=np.sqrt(mean).tolist(), weights=(mass / mass.sum()).tolist())
    # 300 bins, each at its mean, against Gauss rules
    close(predicted(given, Linear(), 2), predicted(law, Linear(), 2), 2e-3)
    assert predicted(Elliptical(SPECTRUM, df=5.5), Linear(), 2)["test"] != pytest.approx(
        predicted(law, Linear(), 2)["test"], rel=2e-3
    )


def test_images_are_compared_with_the_elliptical_law_of_their_radii():
    digits = simdiff.data.Digits(components=12)
    known = simdiff.predict(problem(Elliptical.fit(digits), Linear()))
    found = simdiff.predict(problem(digits, Linear()), theory="mixed_gaussians")
    close(found, {name: known[name] for name in found}, 1e-6)
    with pytest.raises(InputError, match="mixture of Gaussians"):
        simdiff.predict(problem(digits.gaussian_twin(), Linear()), theory="mixed_gaussians")


def test_a_rule_that_does_not_settle_gives_nan_and_says_so(monkeypatch):
    monkeypatch.setattr(mixed_gaussians, "RADII", (2, 3))
    monkeypatch.setattr(mixed_gaussians, "BIASES", (2, 3))
    with pytest.warns(ConvergenceWarning, match="do not settle"):
        found = predicted(Elliptical(df=3.0))
    assert all(math.isnan(value) for value in found.values())


def test_a_fixed_point_that_is_not_found_gives_nan_and_says_so(monkeypatch):
    from simdiff.theory.mixed_gaussians import fixed_point

    monkeypatch.setattr(fixed_point, "MOST_STEPS", 1)
    monkeypatch.setattr(fixed_point, "STRIDE", 20.0)
    with pytest.warns(ConvergenceWarning, match="fixed point was not found at psi_n=2, m=1"):
        found = predicted(GaussianMixture(0.0), Linear())
    assert math.isnan(found["test_class_1"])


def test_what_is_refused():
    many = GaussianMixture(np.eye(3).tolist(), 1.0)
    assert predicted(many, Linear())["test"] > 0
    with pytest.raises(InputError, match="at most 2 directions"):
        predicted(many)
    with pytest.raises(InputError, match="mixture of Gaussians"):
        simdiff.predict(problem(Gaussian()), theory="mixed_gaussians")
    flow = simdiff.DenoisingScoreMatching(
        Elliptical(), TANH, simdiff.trainers.GradientFlow([1.0]), 2.0, math.inf
    )
    assert flow.default_theory is None
    with pytest.raises(InputError, match="Ridge"):
        simdiff.predict(flow, theory="mixed_gaussians")
    with pytest.raises(InputError, match="classes"):
        simdiff.predict(problem(Elliptical()), theory="gaussian_equivalence")
