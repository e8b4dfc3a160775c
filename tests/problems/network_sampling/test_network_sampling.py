"""Networks at all noise levels: a linear one against the exact chain, what is measured, copies, bad input."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import simdiff
from simdiff.problems.network_sampling.measured import measured
from simdiff.problems.network_sampling.noise_levels import NoiseLevels
from simdiff.sampling.schedules import DDPM, ProbabilityFlow

SCHEDULE = DDPM(4, 0.2, 0.5)
TIMES = -np.log(SCHEDULE.plan().a)


def init(key, d):
    """One matrix for each level of the schedule."""
    return {"w": jnp.zeros((len(TIMES), d, d))}


def apply(params, x, t):
    """Linear in x; the level is that of the time."""
    return params["w"][jnp.argmin(jnp.abs(jnp.asarray(TIMES, x.dtype) - t))] @ x


LINEAR = simdiff.models.Network(init, apply, predicts="noise", extrapolates=True)


def problem(**settings):
    trainer = simdiff.trainers.Optax("adam", 0.02, 1500, 256, "fresh", schedule="cosine", records=1)
    made = {"model": LINEAR, "trainer": trainer, "psi_n": 3.0, "schedule": SCHEDULE, "samples": 128}
    made["data"] = simdiff.data.PowerLaw(0.5)
    return simdiff.NetworkSampling(**(made | settings))


@pytest.mark.heavy
def test_a_linear_network_is_the_chain_of_exact_linear_denoisers():
    """The same losses at the same d by the same schedule, and not those of half the data."""
    ours = simdiff.simulate(problem(samples=2), d=6, trials=64)
    chain = simdiff.LinearSampling(simdiff.data.PowerLaw(0.5), schedule=SCHEDULE, psi_n=3.0, kl=False)
    exact = simdiff.simulate(chain, d=6, trials=512)
    for metric in ("test", "train"):
        error = np.hypot(ours[metric].sem(), exact[metric].sem())
        assert abs(ours[metric].mean() - exact[metric].mean()) < 4 * error
    half = simdiff.simulate(dataclasses.replace(chain, psi_n=1.5), d=6, trials=512)
    assert abs(ours["train"].mean() - half["train"].mean()) > 4 * np.hypot(
        ours["train"].sem(), half["train"].sem()
    )


def test_what_is_measured_is_what_numpy_gives():
    rng = np.random.default_rng(0)
    made, sets, fresh = rng.normal(size=(2, 5, 8)), rng.normal(size=(2, 7, 8)), rng.normal(size=(7, 8))
    made[0, 0] = sets[0, 3] + 0.01  # a copy
    variances = rng.uniform(0.5, 2.0, 8)
    with jax.enable_x64(True):
        found = measured(*(jnp.asarray(array) for array in (made, sets, fresh, variances)))
    squares = np.sort(((made[:, :, None] - sets[:, None]) ** 2).sum(-1), axis=-1)
    to_fresh = ((made[:, :, None] - fresh) ** 2).sum(-1).min(-1)
    order = np.argsort(-variances)
    kept = (made**2).mean((0, 1)) / variances
    expected = {
        "nearest_training": squares[..., 0].mean() / 8,
        "nearest_fresh": to_fresh.mean() / 8,
        "nearest_ratio": squares[..., 0].mean() / to_fresh.mean(),
        "copied": np.float32((squares[..., 0] < squares[..., 1] / 9).mean()),  # of float32, as JAX counts
        "variance": (made**2).sum(-1).mean() / variances.sum(),
        "leading_variance": kept[order[0]],
        "trailing_variance": kept[order[-1]],
        "consistency": (made[0] * made[1]).sum(-1).mean() / variances.sum(),
        "spread": ((made[0] - made[1]) ** 2).sum(-1).mean() / 8,
    }
    assert found.keys() == expected.keys()
    assert {name: float(value) for name, value in found.items()} == pytest.approx(expected, rel=1e-12)
    assert expected["copied"] > 0


@pytest.mark.parametrize("law", ["levels", "uniform", "log_uniform"])
def test_times_follow_their_law(law):
    levels = jnp.array([2.0, 0.5, 0.1])
    with jax.enable_x64(True):
        drawn = NoiseLevels(law, "score").draw(jax.random.key(0), jnp.arange(20_000), levels)
    t = np.asarray(drawn.t)
    mean = {"levels": 2.6 / 3, "uniform": 1.05, "log_uniform": 1.9 / np.log(20)}[law]
    assert t.mean() == pytest.approx(mean, abs=4 * t.std() / 141)
    assert t.min() >= 0.1 - 1e-7
    assert t.max() <= 2 + 1e-6
    h = -np.expm1(-2 * t)
    assert np.asarray(drawn.weight) == pytest.approx(1 / h, rel=1e-5)
    assert np.asarray(drawn.root**2 + drawn.a**2) == pytest.approx(1, rel=1e-5)


@pytest.mark.heavy
def test_few_points_are_copied_and_many_are_not():
    """The default network: with 2 d points it copies and two models part, with 32 d they agree."""
    trainer = simdiff.trainers.Optax("adam", 1e-3, 3000, 64, "fresh", records=1)
    few, many = (
        simdiff.simulate(simdiff.NetworkSampling(trainer=trainer, psi_n=n, splits=2), d=8, trials=4).mean(
            numeric_only=True
        )
        for n in (2.0, 32.0)
    )
    assert few["nearest_ratio"] < 0.5 < 0.7 < many["nearest_ratio"]
    assert few["consistency"] < 0.5 < 0.7 < many["consistency"]
    assert few["train"] < 0.6 * few["test"]


def test_a_training_that_diverges_says_at_which_step():
    def loud(key, d):
        return {"w": jnp.full((len(TIMES), d, d), 1e30)}

    model = simdiff.models.Network(loud, apply, predicts="noise", extrapolates=True)
    trainer = simdiff.trainers.Optax("sgd", 1.0, 4, 8, "fresh", records=1)
    rows = simdiff.simulate(problem(model=model, trainer=trainer, samples=2), d=4, trials=1)
    assert rows["status"].tolist() == ["diverged at step 1"]


BAD = {
    "fixed draws": ({"trainer": simdiff.trainers.Optax("adam", 1e-3, 10)}, "trainer.noise: got 'fixed'"),
    "no steps": ({"schedule": simdiff.sampling.Exact()}, "schedule: got 'Exact'; allowed: a schedule with"),
    "law": ({"law": "normal"}, "law: got 'normal'; allowed: levels, uniform, log_uniform"),
    "weight": ({"weight": "h"}, "weight: got 'h'"),
    "splits": ({"splits": 3}, "splits: got 3"),
    "psi_n": ({"psi_n": -1}, "psi_n: got -1"),
    "images": ({"data": simdiff.data.Digits(components=8), "psi_n": 150.0, "splits": 2}, "psi_n: got"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_named(name):
    settings, words = BAD[name]
    with pytest.raises(simdiff.InputError, match=words):
        problem(**settings)


def test_a_problem_knows_its_network():
    assert problem().has_limit
    assert problem(schedule=ProbabilityFlow(8)).times == (1500.0,)
    exact = simdiff.NetworkSampling(psi_n=2.3).at_size(10)
    assert (exact.psi_n, exact.model.psi_p) == (2.3, 8.0)
    assert problem().memory(64) > problem().memory(16) > 0
    assert problem(splits=2).cost(16) == pytest.approx(2 * problem().cost(16))
    assert problem(law="uniform").digest() != problem().digest()
