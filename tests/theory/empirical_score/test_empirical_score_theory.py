"""Speciation and collapse in theory: against quadrature, brute force, each other and trials."""

import dataclasses
import math

import numpy as np
import pandas as pd
import pytest
from scipy import integrate, special, stats

import simdiff
from simdiff.data import Gaussian, GaussianMixture
from simdiff.errors import InputError
from simdiff.theory.empirical_score.classes import Classes, classes_of
from simdiff.theory.empirical_score.clones import clone_agreement, label_information
from simdiff.theory.empirical_score.energies import collapse, log_bessel, log_noncentral_chi
from simdiff.theory.empirical_score.limits import (
    collapse_time,
    entropy_density,
    information_variance,
    point_information,
    rounded_entropy_density,
    speciation_time,
)
from simdiff.validation import Rule, hypotheses, judge_table


def published(d, t, m=1.0, variance=1.0):
    """E[p^2 + (1 - p)^2], p = sigmoid(2 M y / Gamma), y ~ N(M, Gamma), by SciPy."""
    gamma, mean = 1 + math.exp(-2 * t) * (variance - 1), m * math.sqrt(d) * math.exp(-t)
    p = lambda y: special.expit(2 * mean * y / gamma)  # noqa: E731
    density = stats.norm(mean, math.sqrt(gamma)).pdf
    reach = (mean - 9 * math.sqrt(gamma), mean + 9 * math.sqrt(gamma))
    return integrate.quad(lambda y: (p(y) ** 2 + (1 - p(y)) ** 2) * density(y), *reach, limit=200)[0]


@pytest.mark.parametrize("d", [64, 4096])
@pytest.mark.parametrize("variance", [1.0, 0.3])
def test_clones_of_two_symmetric_classes_agree_as_published(d, variance):
    for shift in (-1.0, 0.0, 0.7, 2.0):
        t = 0.5 * math.log(d) + shift
        found = clone_agreement(classes_of(GaussianMixture(1.0, variance), d), d, t)
        assert found == pytest.approx(published(d, t, variance=variance), abs=1e-9)
        assert abs(found - published(d, t + 0.05, variance=variance)) > 1e-4


def test_at_the_speciation_time_of_many_dimensions_clones_agree_with_probability_0_775():
    law = GaussianMixture(1.0)
    assert speciation_time(law, 256) == pytest.approx(0.5 * math.log(257))
    classes = classes_of(law, 4096)
    assert clone_agreement(classes, 4096, 0.5 * math.log(4096)) == pytest.approx(0.775, abs=5e-4)


def test_unequal_classes_against_sampling():
    """Three classes of other means, variances and weights: agreement and label information."""
    classes = Classes(np.array([-1.5, 0.2, 2.0]), np.array([0.5, 1.0, 2.0]), np.array([0.2, 0.5, 0.3]))
    d, t, rng = 6, 0.6, np.random.default_rng(0)
    a, h = math.exp(-t), 1 - math.exp(-2 * t)
    k = rng.choice(3, 100_000, p=classes.weights)
    gamma = a**2 * classes.variances + h
    x = np.sqrt(gamma[k])[:, None] * rng.standard_normal((k.size, d))
    x[:, 0] += a * classes.places[k]
    gaps = x[:, :1] - a * classes.places
    square = gaps**2 + (x[:, 1:] ** 2).sum(1)[:, None]
    p = special.softmax(np.log(classes.weights) - 0.5 * square / gamma - 0.5 * d * np.log(gamma), axis=1)
    agree, entropy = (p**2).sum(1), -special.xlogy(p, p).sum(1)
    assert abs(clone_agreement(classes, d, t) - agree.mean()) < 4 * stats.sem(agree)
    information = -special.xlogy(classes.weights, classes.weights).sum() - entropy.mean()
    assert abs(label_information(classes, d, t) - information) < 4 * stats.sem(entropy)
    other = dataclasses.replace(classes, places=classes.places * 1.05)
    assert abs(clone_agreement(other, d, t) - agree.mean()) > 4 * stats.sem(agree)


def test_distances_have_the_law_that_scipy_gives_them():
    u = np.array([0.5, 2.0, 5.0, 9.0])
    for d, square in ((3, 2.0), (14, 30.0), (90, 40.0)):
        exact = stats.ncx2(d, square).logpdf(u**2) + np.log(2 * u)
        np.testing.assert_allclose(log_noncentral_chi(u, square, d), exact, rtol=1e-6, atol=1e-6)
    z = np.array([3.0, 30.0, 300.0])
    np.testing.assert_allclose(log_bessel(30.0, z), np.log(special.ive(30.0, z)) + z, atol=1e-6)


UNEQUAL = Classes(np.array([-1.0, 1.5]), np.array([0.6, 1.2]), np.array([0.35, 0.65]))


def brute_force(classes, d, n, t, sets, seed=0):
    """Training sets of n points and one x_t of each: (sets, 4), the entropy and so on."""
    rng, a, h = np.random.default_rng(seed), math.exp(-t), 1 - math.exp(-2 * t)

    def draw():
        k = rng.choice(len(classes.weights), n, p=classes.weights)
        x = np.sqrt(classes.variances[k])[:, None] * rng.standard_normal((n, d))
        x[:, 0] += classes.places[k]
        return x

    rows = []
    for _ in range(sets):
        x = draw()
        at = a * x[0] + math.sqrt(h) * rng.standard_normal(d)
        square = ((at - a * x) ** 2).sum(1)
        w = special.softmax(-square / (2 * h))
        fresh = ((at - a * draw()) ** 2).sum(1).min()
        rows.append([-special.xlogy(w, w).sum() / d, square.argmin() == 0, square.min() / d, fresh / d])
    return np.array(rows, float)


@pytest.mark.parametrize("t", [0.15, 0.5])
def test_the_law_of_n_energies_is_exact_at_a_small_size(t):
    """d = 5, n = 60, unequal classes: four averages within their errors; with n = 90 they are not."""
    rows = brute_force(UNEQUAL, 5, 60, t, 4_000)
    error = rows.std(0, ddof=1) / math.sqrt(len(rows))
    found = np.array(dataclasses.astuple(collapse(UNEQUAL, 5, math.log(60), t)))
    assert (np.abs(rows.mean(0) - found) < 4 * error).all()
    wrong = np.array(dataclasses.astuple(collapse(UNEQUAL, 5, math.log(90), t)))
    assert (np.abs(rows.mean(0) - wrong) > 4 * error)[[0, 1, 3]].all()


def test_a_finer_grid_changes_nothing_that_trials_could_see(monkeypatch):
    coarse = dataclasses.astuple(collapse(UNEQUAL, 4, 4.0, 0.25))
    for name, value in (("_STEP", 0.45), ("_LOG_STEP", 0.3), ("_CELLS", 0.08)):
        monkeypatch.setattr(f"simdiff.theory.empirical_score.energies.{name}", value)
    fine = dataclasses.astuple(collapse(UNEQUAL, 4, 4.0, 0.25))
    np.testing.assert_allclose(coarse, fine, rtol=5e-4)


def test_the_limit_is_approached_as_the_variance_of_the_information_says():
    """At the collapse time: sqrt(V / (2 pi d)) to first order; what is left falls as 1/d."""
    law, alpha = Gaussian(), 0.5
    t = collapse_time(law, alpha)
    assert t == pytest.approx(0.5 * math.log(1 + 1 / math.expm1(2 * alpha)))
    assert point_information(law, t)[0] == pytest.approx(alpha)
    gaps = []
    for d in (160, 640):
        exact = collapse(classes_of(law, d), d, alpha * d, t).excess_entropy
        first = rounded_entropy_density(law, alpha, t, d)
        assert first == pytest.approx(math.sqrt(information_variance(law, t)[0] / (2 * math.pi * d)))
        assert exact > 0.5 * first > 0 == pytest.approx(entropy_density(law, alpha, t), abs=1e-12)
        gaps.append((exact - first) * d)
    assert gaps[1] == pytest.approx(gaps[0], rel=0.25)


def test_far_from_the_collapse_time_the_label_is_all_that_is_missing():
    law, alpha, d, t = GaussianMixture(1.0), 0.5, 60, 0.9
    exact = collapse(classes_of(law, d), d, alpha * d, t).excess_entropy
    labelled, bare = (entropy_density(law, alpha, t, d, label=label) for label in (True, False))
    assert bare - labelled == pytest.approx(math.log(2) / d, rel=0.02)
    assert exact == pytest.approx(labelled, abs=2e-4)
    assert abs(exact - bare) > 5e-3
    assert collapse_time(law, alpha, d) == pytest.approx(
        collapse_time(law, alpha - math.log(2) / d), abs=1e-4
    )
    assert collapse_time(law, alpha, d, label=False) == collapse_time(law, alpha)


def test_classes_with_spectra_have_limits_but_no_exact_law():
    law = GaussianMixture(1.0, (([0.5, 1.5], [0.5, 0.5]), 1.0))
    problem = simdiff.EmpiricalScore(data=law, alpha=0.4, times=(0.3,), fresh=False)
    assert simdiff.predict(problem, d=20) == {}
    a2, h = math.exp(-0.6), 1 - math.exp(-0.6)
    each = [0.25 * (math.log1p(0.5 * a2 / h) + math.log1p(1.5 * a2 / h)), 0.5 * math.log1p(a2 / h)]
    limit = 0.4 - np.mean(np.minimum(each, 0.4))
    assert simdiff.predict(problem)["excess_entropy"][0] == pytest.approx(limit)
    assert classes_of(GaussianMixture(((1, 0), (0, 1), (0, 0))), 9) is None
    assert math.isnan(entropy_density(law, 0.4, 0.3, d=20))


@pytest.mark.heavy
def test_the_exact_law_agrees_with_trials_and_the_curve_of_the_limit_is_rejected():
    problem = simdiff.EmpiricalScore(alpha=0.6, times=(0.25, 0.6), trajectories=256)
    sizes = (6, 9)
    table = pd.concat([simdiff.simulate(problem, d=d, trials=96, seed=1) for d in sizes], ignore_index=True)
    rule = Rule(precision=0.05, sizes=sizes, extrapolation=(), min_trials=96)

    def words(theory, factor=1.0):
        at = {d: {name: factor * value for name, value in found.items()} for d, found in theory.items()}
        items = hypotheses(table, list(at[6]), sizes, theory=at[9], theory_at=at, times=problem.times)
        return {*judge_table(items, rule).table["verdict"]}

    at_sizes = lambda name: {d: simdiff.predict(problem, name, d=d) for d in sizes}  # noqa: E731
    exact = at_sizes("empirical_score")
    assert words(exact) == {"agree"}
    assert "disagree" in words(exact, 1.03)
    for other in ("collapse_limit", "collapse_label"):
        assert words(at_sizes(other)) <= {"disagree", "does not fit"}


def test_a_shift_of_0_05_in_time_is_rejected_by_clones_at_one_size():
    d = 64
    times = tuple(0.5 * math.log(d) + np.array([-0.5, 0.0, 0.5, 1.0]))
    problem = simdiff.EmpiricalScore(alpha=math.inf, times=times, trajectories=512)
    rows = simdiff.simulate(problem, d=d, trials=16).groupby("time")["clone_agreement"].agg(["mean", "sem"])
    right = simdiff.predict(problem, d=d)["clone_agreement"]
    late = dataclasses.replace(problem, times=tuple(np.array(times) + 0.05))
    wrong = simdiff.predict(late, d=d)["clone_agreement"]
    chi2 = [float((((rows["mean"] - theory) / rows["sem"]) ** 2).sum()) for theory in (right, wrong)]
    assert chi2[0] < stats.chi2(4).ppf(0.999)
    assert chi2[1] > stats.chi2(4).ppf(1 - 1e-6)


def test_a_limit_of_clones_and_what_theories_refuse():
    far = simdiff.EmpiricalScore(alpha=math.inf, times=(1.0, 2.0))
    assert (simdiff.predict(far)["clone_agreement"] == 1).all()
    near = dataclasses.replace(far, data=GaussianMixture(2.0, decay=0.5))
    assert simdiff.predict(near)["clone_agreement"][0] == pytest.approx(published(4, 1.0))
    with pytest.raises(InputError, match="EmpiricalScore"):
        simdiff.predict(simdiff.DenoisingScoreMatching(), "empirical_score")
    with pytest.raises(InputError, match="variance above 1"):
        speciation_time(Gaussian(), 10)
