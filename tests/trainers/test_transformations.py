"""Optimisers by name, path and object: the same numbers, identities of their own, and what is refused."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from trial_reference import run_kernel

import simdiff
from simdiff.trainers.transformations import averaged, transformation

KEY = jax.random.key(5)
D = 12
LINEAR = simdiff.models.Network(
    lambda key, d: jnp.zeros((d, d)), lambda w, x: w @ x, predicts="noise", extrapolates=True
)


def problem(trainer, model=None):
    model = model or simdiff.models.Linear()
    return simdiff.DenoisingScoreMatching(model=model, trainer=trainer, psi_n=2.0, m=2, t=0.3)


def trained(name="sgd", model=None, **settings):
    trainer = simdiff.trainers.Optax(name, **{"steps": 5, "records": 2, "ridge": 0.1} | settings)
    return run_kernel(problem(trainer, model), D, KEY)


@pytest.mark.parametrize(
    ("digest", "settings"),
    [
        ("0d6999f3b7f3021d", {}),
        (
            "8b306475c4697f36",
            {
                "name": "sgd",
                "learning_rate": 0.1,
                "steps": 10,
                "batch": 4,
                "ridge": 1e-3,
                "schedule": "cosine",
            },
        ),
    ],
)
def test_trainers_by_name_are_the_points_that_they_were(digest, settings):
    trainer = simdiff.trainers.Optax(**settings)
    assert simdiff.DenoisingScoreMatching(trainer=trainer, m=2).digest() == digest
    shaped = simdiff.trainers.Optax(**settings, clip=1.0)
    assert simdiff.DenoisingScoreMatching(trainer=shaped, m=2).digest() != digest


def stepped(name, steps=3, **settings):
    """Parameters after some steps on |x|^2 / 2."""
    optimiser = simdiff.trainers.Optax(name, **settings).optimiser
    now = jnp.asarray([1.0, -2.0, 0.03])
    memory = optimiser.init(now)
    for _ in range(steps):
        change, memory = optimiser.update(now, memory, now)
        now = optax.apply_updates(now, change)
    return np.asarray(now)


def test_an_object_a_path_and_a_name_are_one_optimiser(tmp_path, monkeypatch):
    text = "import optax\ndef mine(rate):\n    return optax.lion(rate, b1=0.8)\n"
    text += "ready = optax.lion(0.02, b1=0.8)\n"
    (tmp_path / "my_optimisers.py").write_text(text)
    monkeypatch.chdir(tmp_path)
    by_name = stepped("lion(b1=0.8)", learning_rate=0.02)
    np.testing.assert_array_equal(stepped("my_optimisers.py:mine", learning_rate=0.02), by_name)
    for name in (optax.lion(0.02, b1=0.8), "my_optimisers.py:ready"):
        np.testing.assert_array_equal(stepped(name), by_name)
    assert np.any(stepped("lion(b1=0.8)", learning_rate=0.01) != by_name)


def test_objects_are_told_apart_by_what_they_hold():
    def digest(made):
        return problem(simdiff.trainers.Optax(made, steps=3)).digest()

    makers = [
        lambda: optax.adam(1e-2),
        lambda: optax.adam(1e-3),
        lambda: optax.adam(optax.cosine_decay_schedule(1e-2, 10)),
        lambda: optax.adam(optax.cosine_decay_schedule(1e-2, 20)),
        lambda: optax.chain(optax.clip(1.0), optax.adam(1e-2)),
        lambda: optax.masked(optax.adam(1e-2), lambda tree: True),
    ]
    digests = [digest(make()) for make in makers]
    assert len(set(digests)) == len(makers)
    assert [digest(make()) for make in makers] == digests


def test_the_average_is_that_of_the_parameters_along_the_way():
    start, steps, decay = jnp.asarray([1.0, -2.0]), 6, 0.7
    chained = optax.chain(optax.sgd(0.1), averaged(decay))
    now, memory, expected = start, chained.init(start), start
    for _ in range(steps):
        change, memory = chained.update(now, memory, now)  # the gradient of |x|^2 / 2
        now = optax.apply_updates(now, change)
        expected = decay * expected + (1 - decay) * now
    np.testing.assert_allclose(memory[-1].average, expected, rtol=1e-6)
    mean = (1 - decay) * sum(decay ** (steps - k) * 0.9**k for k in range(1, steps + 1)) + decay**steps
    np.testing.assert_allclose(memory[-1].average, mean * start, rtol=1e-6)


@pytest.mark.heavy
def test_averages_and_clipped_gradients_are_what_metrics_are_measured_on():
    first = trained(ema=0.9, learning_rate=0.1, records=1, steps=1, model=LINEAR)
    tenth = trained(learning_rate=0.01, records=1, steps=1)
    np.testing.assert_allclose(first["train"], tenth["train"], rtol=1e-5)  # one step from zero, averaged
    clipped = trained(clip=0.5, learning_rate=0.1, steps=1, records=1, model=LINEAR)
    norm = (clipped["objective"] - clipped["train"]) * D / 0.1  # |W|^2, from the ridge term
    np.testing.assert_allclose(norm, (0.1 * 0.5) ** 2, rtol=1e-4)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("adm", "did you mean 'adam'"),
        ("lion(b3=1)", r"arguments of optax\.lion.*b3"),
        ("lion(0.1)", "allowed: sgd"),
        ("clip_by_global_norm(max_norm=1)", "learning rate|by another name|allowed: sgd"),
        (3, "it is a int"),
        ({"init": 1}, "got 'dict'"),
        ("json:dumps", r"a function of the learning rate, or of nothing"),
        ("math:pi", "it is a float"),
    ],
)
def test_what_is_no_optimiser_is_refused_in_one_line(name, words):
    with pytest.raises(simdiff.InputError, match=words) as caught:
        simdiff.trainers.Optax(name)
    assert caught.value.field == "trainer.name"


@pytest.mark.parametrize("model", [None, LINEAR], ids=["linear", "network"])
def test_an_optimiser_that_cannot_step_is_refused_before_anything_runs(model):
    trainer = simdiff.trainers.Optax(optax.lbfgs(0.1), steps=2)
    with pytest.raises(simdiff.InputError, match=r"trainer\.name.*needs the gradient.*value"):
        problem(trainer, model).kernel(D)


@pytest.mark.parametrize(
    "settings",
    [
        {"clip": 0},
        {"ema": 1.0},
        {"ema": -0.1},
        {"name": optax.adam(1e-2), "learning_rate": 0.1},
        {"name": optax.adam(1e-2), "schedule": "cosine"},
    ],
)
def test_bad_settings_are_refused(settings):
    with pytest.raises(simdiff.InputError):
        simdiff.trainers.Optax(**settings)


def test_theories_of_training_in_time_do_not_know_an_object():
    trainer = simdiff.trainers.Optax(optax.sgd(0.1), steps=2)
    assert trainer.solution is None
    with pytest.raises(simdiff.InputError, match="how far its steps go"):
        simdiff.predict(problem(trainer), "linear_denoiser")
    assert transformation("adamw(weight_decay=0.1)", 0.1).init(jnp.zeros(2))
