"""Trials of the exact score against NumPy on the same points, against real clones, and bad input."""

import dataclasses
import itertools
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import simdiff
from simdiff.data import Gaussian, GaussianMixture
from simdiff.engine.random_numbers import integer_rows, normal_rows
from simdiff.errors import InputError
from simdiff.problems.empirical_score.kernel import Level, bridge, flow_step, levels_of, middle, split_keys
from simdiff.problems.empirical_score.posterior import Points, TrainingSet

LAW = GaussianMixture(0.6, (1.0, 0.5), (0.3, 0.7))
D, N = 5, 300


def points(block, stored=0):
    sampler, frame = LAW.sampler(D), LAW.mixture(D)
    key = jax.random.key(4)
    kept = sampler.sample(key, frame, jnp.arange(stored)) if stored else None
    return TrainingSet(sampler, D, 2, block, "float64"), Points(key, frame, jnp.int32(N), kept)


def by_hand(x, level):
    """Energies, weights, points and labels, from all points at once."""
    _, held = points(64)
    rows = jnp.arange(N)
    places = np.asarray(LAW.sampler(D).sample(held.key, held.frame, rows), float)
    labels = np.asarray(LAW.sampler(D).labels(held.key, held.frame, rows))
    energy = ((np.asarray(x)[:, None] - float(level.a) * places) ** 2).sum(2) / (2 * float(level.h))
    weight = np.exp(-(energy - energy.min(1, keepdims=True)))
    return energy, weight / weight.sum(1, keepdims=True), places, labels


def level(t):
    return levels_of(jnp.asarray(t))


LEVEL = level(0.4)
X = jnp.asarray(np.random.default_rng(0).standard_normal((7, D)))


@pytest.mark.heavy
@pytest.mark.parametrize(("block", "stored"), [(64, 0), (512, 512)])
def test_one_pass_over_the_points_gives_what_all_of_them_at_once_give(block, stored):
    training, held = points(block, stored)
    sums = training.look(held, X, LEVEL, jax.random.key(1))
    energy, weight, places, labels = by_hand(X, LEVEL)
    entropy = -(weight * np.log(np.maximum(weight, 1e-300))).sum(1)
    np.testing.assert_allclose(sums.entropy, entropy, rtol=1e-9)
    np.testing.assert_allclose(sums.denoised, weight @ places, rtol=1e-9)
    np.testing.assert_allclose(sums.class_probabilities[:, 1], weight @ labels, rtol=1e-9)
    np.testing.assert_array_equal(sums.nearest, energy.argmin(1))
    least = ((np.asarray(X)[:, None] - float(LEVEL.a) * places) ** 2).sum(2).min(1) / D
    np.testing.assert_allclose(training.least(held, X, LEVEL), least, rtol=1e-9)


@pytest.mark.heavy
def test_points_are_drawn_from_their_probabilities():
    """4,000 draws at one place: counts of the likeliest points, and of the rest, against the softmax."""
    training, held = points(64)
    copies = jnp.tile(X[:1], (4000, 1))
    sums = training.look(held, copies, LEVEL, jax.random.key(1))
    index, place = training.draw(held, copies, LEVEL, sums.block, jax.random.key(2))
    _, weight, places, _ = by_hand(X[:2], LEVEL)
    np.testing.assert_array_equal(np.asarray(place), places[np.asarray(index)])
    assert chi2(np.asarray(index), weight[0]) < 2
    assert chi2(np.asarray(index), weight[1]) > 20


def chi2(index, weight):
    """Of the cells with 10 expected draws and more, and of all others together; per degree of freedom."""
    expected = weight * len(index)
    large = expected >= 10
    counts = np.bincount(index, minlength=len(weight))
    found = np.append(counts[large], counts[~large].sum())
    wanted = np.append(expected[large], expected[~large].sum())
    return float(((found - wanted) ** 2 / np.maximum(wanted, 1e-9)).sum() / large.sum())


def test_the_bridge_is_the_conditional_law_of_the_forward_process():
    at, to = level(0.9), level(0.3)
    ratio = float(at.a / to.a)
    cross = ratio * float(to.h)  # covariance of x_s and x_t given x_0
    x, point, zero = jnp.array([[0.7]]), jnp.array([[-1.3]]), jnp.zeros((1, 1))
    gain = cross / float(at.h)
    mean = float(to.a) * -1.3 + gain * (0.7 - float(at.a) * -1.3)
    centre = bridge(x, point, at, to, zero)
    assert float(centre[0, 0]) == pytest.approx(mean)
    width = float((bridge(x, point, at, to, zero + 1) - centre)[0, 0])
    assert width**2 == pytest.approx(float(to.h) - gain * cross)


def test_a_flow_step_is_exact_for_one_training_point_and_second_order_for_a_gaussian():
    at, to = level(0.9), level(0.3)
    x, point = jnp.array([[0.7]]), jnp.array([[-1.3]])
    noise = (0.7 + 1.3 * float(at.a)) / math.sqrt(float(at.h))
    exact = float(to.a) * -1.3 + math.sqrt(float(to.h)) * noise
    assert float(flow_step(x, point, at, to)[0, 0]) == pytest.approx(exact)

    def denoised(y, here):
        return 4 * here.a / (4 * here.a**2 + here.h) * y

    def error(steps):
        """N(0, 4): the flow multiplies by the ratio of standard deviations."""
        logs = np.linspace(*(float(jnp.log(v.a) - 0.5 * jnp.log(v.h)) for v in (at, to)), steps + 1)
        levels = [Level(jnp.sqrt(jax.nn.sigmoid(2 * v)), jax.nn.sigmoid(-2 * v)) for v in logs]
        y = jnp.ones((1, 1))
        for start, end in itertools.pairwise(levels):
            half = middle(start, end)
            inside = flow_step(y, denoised(y, start), start, half)
            y = flow_step(y, denoised(inside, half), start, end)
        gamma = [float(4 * v.a**2 + v.h) for v in (at, to)]
        return abs(float(y[0, 0]) / math.sqrt(gamma[1] / gamma[0]) - 1)

    assert error(8) < error(4) / 3.5
    assert error(8) < 2e-3


EMPIRICAL = simdiff.EmpiricalScore(alpha=0.7, times=(0.2, 0.5, 1.5), trajectories=32)


def test_a_trial_is_what_numpy_gives_at_the_largest_time():
    """Where trajectories start: their places follow from the trial's key, and all metrics from these."""
    d, t = 8, 1.5
    kernel, inputs = EMPIRICAL.kernel(d)
    key = jax.random.key(5)
    found = jax.jit(kernel)(key, jax.tree.map(jnp.asarray, inputs))
    keys, sampler, n = split_keys(key), EMPIRICAL.data.sampler(d), EMPIRICAL.count(d)
    frame, index = EMPIRICAL.data.mixture(d), jnp.arange(n)
    places = np.asarray(sampler.sample(keys.points, frame, index), float)
    fresh = np.asarray(sampler.sample(keys.fresh, frame, index), float)
    source = np.asarray(integer_rows(keys.start, jnp.arange(32), jnp.int32(n)))
    noise = normal_rows(jax.random.fold_in(keys.noise, 0), jnp.arange(32), d)
    a, h = math.exp(-t), 1 - math.exp(-2 * t)
    x = a * places[source] + math.sqrt(h) * np.asarray(noise, float)
    squares = ((x[:, None] - a * places) ** 2).sum(2)
    weight = np.exp(-squares / (2 * h))
    weight /= weight.sum(1, keepdims=True)
    p = weight @ np.eye(2)[np.asarray(sampler.labels(keys.points, frame, index))]
    reference = {
        "clone_agreement": (p**2).sum(1).mean(),
        "excess_entropy": -(weight * np.log(weight)).sum(1).mean() / d,
        "nearest_training": squares.min(1).mean() / d,
        "nearest_fresh": ((x[:, None] - a * fresh) ** 2).sum(2).min(1).mean() / d,
    }
    for name, value in reference.items():
        assert float(found[name][2]) == pytest.approx(value, rel=1e-9), name
        assert float(found[name][1]) != pytest.approx(value, rel=1e-3), name
    assert np.asarray(found["collapsed"])[0] > 0.7 > 0.3 > np.asarray(found["collapsed"])[2]


@pytest.mark.heavy
def test_flow_trajectories_have_the_same_laws_but_end_elsewhere():
    """The entropy at a time depends on the law of x_t alone: equal, within errors, for SDE and flow."""
    flow = dataclasses.replace(EMPIRICAL, process="flow", steps=6, fresh=False)
    rows = {p.process: simdiff.simulate(p, d=8, trials=40) for p in (EMPIRICAL, flow)}
    means = {k: v.groupby("time")["excess_entropy"].agg(["mean", "sem"]) for k, v in rows.items()}
    error = np.hypot(means["sde"]["sem"], means["flow"]["sem"])
    assert (np.abs(means["sde"]["mean"] - means["flow"]["mean"]) < 4 * error).all()
    assert (np.abs(means["sde"]["mean"] - 1.15 * means["flow"]["mean"]) > 4 * error)[1.5]
    assert "clone_agreement" not in rows["flow"]
    assert rows["flow"].groupby("time")["collapsed"].mean()[0.2] > 0.8


def test_real_clones_agree_as_often_as_their_posterior_says():
    """An independent reverse SDE of the population's score, step by step in NumPy; clones part at t."""
    d, times, copies = 16, (0.8, 1.3, 2.0), 1500
    rng, mu = np.random.default_rng(1), np.ones(16)
    grid = np.append(np.geomspace(0.01, 2.0, 160)[::-1], 0.0)
    x = math.exp(-2.0) * rng.choice([-1, 1], (copies, 1)) * mu + rng.standard_normal((copies, d))
    clones, parted = np.repeat(x[None], 3, 0), np.zeros(3, bool)

    def moved(x, t, step):
        score = -x + math.exp(-t) * mu * np.tanh(math.exp(-t) * (x @ mu))[..., None]
        return x + step * (x + 2 * score) + math.sqrt(2 * step) * rng.standard_normal(x.shape)

    for t, after in itertools.pairwise(grid):
        parted |= t <= np.array(times) + 1e-9
        x, apart = moved(x, t, t - after), moved(clones, t, t - after)
        clones = np.where(parted[:, None, None], apart, x)
    agree = (np.sign(clones @ mu) == np.sign(x @ mu)).mean(1)
    problem = simdiff.EmpiricalScore(alpha=math.inf, times=times, trajectories=256)
    found = simdiff.simulate(problem, d=d, trials=16).groupby("time")["clone_agreement"].mean().to_numpy()
    error = np.sqrt(agree * (1 - agree) / copies)
    assert (np.abs(agree - found) < 4 * error).all()
    assert (np.abs(agree - found[[1, 2, 2]]) > 4 * error)[:2].all()


def test_sizes_numbers_of_points_and_what_they_cost():
    at = simdiff.EmpiricalScore(alpha=0.5).at_size(14)
    assert at.count(14) == round(math.exp(7)) == 1097
    assert at.alpha == pytest.approx(math.log(1097) / 14, rel=1e-15)
    assert simdiff.EmpiricalScore(psi_n=3.0).count(10) == 30
    assert simdiff.EmpiricalScore(data=Gaussian()).metrics[0].name == "collapsed"
    large, small = simdiff.EmpiricalScore(alpha=0.5), simdiff.EmpiricalScore(alpha=0.25)
    assert large.memory(36) < 4 * small.memory(36)  # 6e7 points against 8e3: not held
    assert large.cost(36) > 1000 * small.cost(36)


@pytest.mark.parametrize(
    ("arguments", "field"),
    [
        ({"alpha": 0.5, "psi_n": 2.0}, "psi_n"),
        ({"alpha": 0.0}, "alpha"),
        ({"times": ()}, "times"),
        ({"times": (0.1, 0.1)}, "times"),
        ({"times": (-0.1,)}, "times"),
        ({"process": "ode"}, "process"),
        ({"alpha": math.inf, "process": "flow"}, "alpha"),
        ({"alpha": math.inf, "data": Gaussian()}, "alpha"),
    ],
)
def test_bad_arguments_are_refused(arguments, field):
    with pytest.raises(InputError, match=f"^{field}"):
        simdiff.EmpiricalScore(**arguments)


def test_too_many_points_are_refused_before_anything_is_computed():
    with pytest.raises(InputError, match="at most d = 36"):
        simdiff.simulate(simdiff.EmpiricalScore(alpha=0.5), d=80)
