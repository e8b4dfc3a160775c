"""A list of small problems that covers every problem, law, model, trainer and way of sampling.

Sizes are those at which a trial takes milliseconds: nearly all the time goes into compiling. Only names that
simdiff makes public are used, so that the list runs with any version that has the parts in it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, NamedTuple

import jax.numpy as jnp
from jax.random import normal

import simdiff
from simdiff import DenoisingScoreMatching, EnsembleSampling, LinearSampling, data, models, sampling
from simdiff.trainers import GradientFlow, Optax, Ridge

BOTH, ALL = ("float64", "float32"), ("float64", "float32", "mixed", "auto")


class Case(NamedTuple):
    """A problem, the size it is simulated at, the arithmetics, and the theories asked; None: its own.

    `finite` says whether theories are asked at the size simulated too, or in the limit alone.
    """

    name: str
    problem: simdiff.Problem
    d: int
    dtypes: tuple[str, ...] = ("float64",)
    theories: tuple[str | None, ...] = (None,)
    finite: bool = True


def softened(x: Any) -> Any:
    """An activation of one's own."""
    return x / (1.0 + 0.5 * x * x) + 0.2


def waves(x: Any, t: Any) -> Any:
    """Features of one's own, 10 of them in the plane."""
    grid = [f(k * x[:, i]) * t**k for f in (jnp.cos, jnp.sin) for k in (1, 2) for i in (0, 1)]
    return jnp.stack([jnp.ones_like(t), t, *grid], axis=1)


def two_layers(key: Any, d: int, p: int) -> dict[str, Any]:
    """Parameters of a network of one's own."""
    return {"first": normal(key, (p, d)), "second": jnp.ones((d, p)) / p}


def hidden(params: Any, x: Any, t: Any) -> Any:
    """Its output."""
    return t * params["second"] @ jnp.tanh(params["first"] @ x / jnp.sqrt(x.size))


def denoising(name: str, law: Any, model: Any, trainer: Any, psi_n: float, m: float, **more: Any) -> Case:
    """A case of `DenoisingScoreMatching`, at d = 12 unless the data say otherwise."""
    d = more.pop("d", 12)
    problem = DenoisingScoreMatching(law, model, trainer, psi_n=psi_n, m=m, t=more.pop("t", 0.2))
    theories = () if problem.default_theory is None else (None,)
    return Case("denoising " + name, problem, problem.only_size or d, theories=theories, **more)


def networks() -> Iterator[Case]:
    """Activations, linear networks, numbers of draws, primal and dual solutions."""
    features, linear, flat = models.RandomFeatures, models.Linear, data.Gaussian()
    levels = data.Gaussian(([0.5, 1.5], [0.5, 0.5]))
    yield denoising("tanh, dual", flat, features(4.0, "tanh"), Ridge(1e-2), 2.0, 1, dtypes=ALL)
    yield denoising("tanh, primal", flat, features(1.0, "tanh"), Ridge(1e-4), 2.0, 3, dtypes=("mixed",))
    yield denoising("tanh, small ridge", flat, features(1.5, "tanh"), Ridge(1e-6), 2.0, 3, dtypes=("auto",))
    yield denoising("tanh, m = inf", flat, features(1.0, "tanh"), Ridge(1e-2), 2.0, math.inf, dtypes=BOTH)
    yield denoising("relu, dual, two levels", levels, features(4.0, "relu"), Ridge(1e-2), 0.5, 3, dtypes=BOTH)
    yield denoising("relu, m = inf, two levels", levels, features(1.0, "relu"), Ridge(1e-2), 1.0, math.inf)
    yield denoising("erf, primal", levels, features(1.0, "erf"), Ridge(1e-2), 3.0, 1)
    yield denoising("erf, m = inf", flat, features(2.0, "erf"), Ridge(1e-1), 1.0, math.inf)
    yield denoising("own function", flat, features(1.0, softened), Ridge(1e-2), 2.0, 3, dtypes=BOTH)
    yield denoising(
        "imported function, m = inf", flat, features(1.0, "jax.nn:silu"), Ridge(1e-2), 1.0, math.inf
    )
    yield denoising("linear, dual", flat, linear(), Ridge(1e-2), 0.5, 1, dtypes=BOTH)
    yield denoising("linear, primal", levels, linear(), Ridge(1e-2), 2.0, 3)
    yield denoising("linear with bias", flat, linear(bias=True), Ridge(1e-2), 2.0, 3)
    yield denoising(
        "linear with bias, m = inf", levels, linear(bias=True), Ridge(1e-2), 2.0, math.inf, dtypes=BOTH
    )


def laws() -> Iterator[Case]:
    """Laws of the data that networks are trained on."""
    features, linear, ridge = models.RandomFeatures(1.0, "tanh"), models.Linear(), Ridge(1e-2)
    yield denoising("power law", data.PowerLaw(0.5), features, ridge, 2.0, 3)
    yield denoising("power law, linear, m = inf", data.PowerLaw(1.0), linear, ridge, 2.0, math.inf)
    yield denoising("linear manifold", data.LinearManifold(0.5), features, ridge, 2.0, 1, dtypes=BOTH)
    yield denoising("linear manifold, psi_D = 2", data.LinearManifold(2.0), features, ridge, 1.0, math.inf)
    isometric = data.LinearManifold(0.5, isometric=True)
    yield denoising("isometric manifold", isometric, features, ridge, 1.0, math.inf)
    yield denoising("isometric manifold, linear", isometric, linear, ridge, 2.0, 1)
    yield denoising("hidden manifold", data.HiddenManifold(0.5, "tanh"), features, ridge, 2.0, 1)
    bent = data.HiddenManifold(1.5, "relu")
    yield denoising("hidden manifold, relu, m = inf", bent, features, ridge, 1.0, math.inf, dtypes=BOTH)
    yield denoising("digits", data.Digits(), linear, ridge, 2.0, 1, dtypes=BOTH)
    yield denoising("digits, 12 components", data.Digits(components=12), features, ridge, 4.0, 3)
    yield denoising("digits twin", data.Digits(twin=True), linear, ridge, 2.0, math.inf)
    yield denoising("patches", data.Patches(side=4), features, ridge, 4.0, math.inf)


def trainers() -> Iterator[Case]:
    """Gradient flow and optimisers."""
    flat, linear = data.Gaussian(), models.Linear(bias=True)
    narrow, wide = models.RandomFeatures(1.0, "tanh"), models.RandomFeatures(3.0, "erf")
    flow = GradientFlow((0.5, 5.0, 50.0), ridge=1e-3)
    yield denoising("flow, primal", flat, narrow, flow, 2.0, 3, dtypes=BOTH)
    yield denoising("flow, dual", data.LinearManifold(0.5), wide, flow, 1.0, 1)
    yield denoising("flow, m = inf", flat, narrow, GradientFlow((1.0, 10.0)), 1.0, math.inf, dtypes=BOTH)
    yield denoising("flow, linear", data.PowerLaw(0.5), linear, flow, 2.0, math.inf)
    optimisers = {
        "sgd": (Optax("sgd", 0.1, steps=40, records=4), 3),
        "sgd with ridge, m = inf": (Optax("sgd", 0.1, steps=20, ridge=1e-2, records=2), math.inf),
        "adam": (Optax("adam", 0.01, steps=30, records=3), 1),
        "adam, fresh noise": (Optax("adam", 0.01, steps=30, batch=8, noise="fresh", records=3), math.inf),
        "momentum, batches": (Optax("momentum", 0.02, steps=30, batch=8, schedule="cosine", records=1), 3),
        "sgd, batches": (Optax("sgd", 0.05, steps=30, batch=5, schedule="linear", records=5), 1),
    }
    for name, (trainer, m) in optimisers.items():
        yield denoising(name, flat, narrow, trainer, 2.0, m, dtypes=("float32",) if trainer.batch else BOTH)
    yield denoising("sgd, linear", flat, models.Linear(), Optax("sgd", 0.1, steps=20, records=2), 2.0, 3)
    net = models.Network(two_layers, hidden, "noise", psi_p=1.5, ridged="second")
    clipped = Optax("lion(b1=0.8)", 0.01, steps=20, batch=8, ridge=1e-2, records=2, clip=1.0, ema=0.9)
    yield denoising("network", data.LinearManifold(0.5), net, clipped, 2.0, 3, dtypes=("float32",))
    rms = Optax("rmsprop", 0.01, steps=20, batch=4, ridge=1e-3, records=2)
    yield denoising("rmsprop, hidden manifold", data.HiddenManifold(0.5, "tanh"), narrow, rms, 2.0, 1)


def chains() -> Iterator[Case]:
    """`LinearSampling`, which has one arithmetic: schedules, trainers, laws."""
    levels, singular, images = data.Gaussian(([0.5, 1.5], [0.5, 0.5])), data.LinearManifold(0.5), data.Digits
    flow, isometric = GradientFlow((1.0, 10.0)), data.LinearManifold(0.5, isometric=True)
    ddpm, posterior = sampling.DDPM(40, 1e-3, 0.2), sampling.DDPM(20, 1e-2, 0.3, variance="posterior")
    chain = LinearSampling
    problems = {
        "exact": chain(),
        "exact, flow, horizon": chain(levels, Ridge(0.1), sampling.Exact("flow", 3.0), 0.5),
        "exact, trained early": chain(levels, flow, None, 2.0, bias=True),
        "ddpm": chain(levels, Ridge(1e-2), ddpm, 2.0),
        "ddpm, posterior, bias": chain(data.PowerLaw(0.5), None, posterior, 3.0, bias=True),
        "reverse SDE": chain(levels, Ridge(1e-2), sampling.ReverseSDE(30, 4.0), 0.5, samples=4),
        "reverse SDE, euler": chain(data.Gaussian(), flow, sampling.ReverseSDE(60, 4.0, "euler"), 2.0),
        "probability flow": chain(levels, Ridge(1e-2), sampling.ProbabilityFlow(30, 4.0), 2.0, samples=0),
        "probability flow, euler": chain(levels, flow, sampling.ProbabilityFlow(60, 4.0, "euler"), 0.5),
        "linear manifold": chain(singular, None, None, 2.0, kl=False),
        "isometric manifold": chain(isometric, Ridge(0.1), ddpm, 0.5, kl=False),
        "digits": chain(images(components=20), Ridge(0.1), None, 4.0),
        "digits twin": chain(images(twin=True), Ridge(0.1), ddpm, 0.5, kl=False, samples=4),
        "patches": chain(data.Patches(side=4), None, None, 4.0),
    }
    for name, problem in problems.items():
        yield Case(f"chain {name}", problem, problem.only_size or 16, ("auto",))
    yield Case("chain exact, Wishart", chain(psi_n=6.0), 16, ("auto",), ("wishart_kl",))


def ensembles() -> Iterator[Case]:
    """`EnsembleSampling`: models, trainers, diffusions."""
    turned = data.PointMasses([[1.0, 0.0], [-1.0, 0.5], [0.0, -1.0]], weights=[1.0, 2.0, 1.0], angle=0.3)
    bumps, fourier = models.GaussianFeatures(5, 4), models.FourierFeatures(5, 3, target="score")
    square_root, exploding = sampling.SquareRoot(), sampling.VarianceExploding(t_max=10.0)
    own = models.FunctionFeatures(waves, 10, dimension=2)
    lazy, smooth = models.LazyNetwork(), models.LazyNetwork("erf", scale=0.5)
    adam, sgd = Optax("adam", 0.01, steps=20), Optax("sgd", 0.05, steps=20)
    parts = {
        "gaussian features": ("line", bumps, None, Ridge(0.1)),
        "gaussian features, dual": ("square", models.GaussianFeatures(6, 4), None, Ridge(0.01)),
        "fourier features": (turned, fourier, square_root, Ridge(0.1)),
        "fourier features, flow": ("line", models.FourierFeatures(5, 3), exploding, GradientFlow((5.0,))),
        "own features, sgd": ("hexagon", own, None, sgd),
        "lazy network": ("line", lazy, None, Ridge(0.1)),
        "lazy network, erf, flow": ("square", smooth, None, GradientFlow((2.0,), ridge=0.01)),
        "wide network, adam": ("line", models.WideNetwork(32), None, adam),
        "wide network, sgd": ("square", models.WideNetwork(32, "erf"), square_root, sgd),
    }
    untold = ("lazy network, erf, flow", "wide network, adam", "wide network, sgd")
    # Theory of lazy networks takes half a minute: it is asked once.
    for name, (points, model, schedule, trainer) in parts.items():
        law = points if isinstance(points, data.PointMasses) else data.PointMasses(points)
        more = {"weight": "one"} if schedule is square_root else {"P": 64}
        schedule = schedule or sampling.VariancePreserving()
        problem = EnsembleSampling(law, model, schedule, trainer, steps=8, samples=32, fresh=32, **more)
        dtypes = ("auto", "float64") if law.dimension == 1 else ("auto",)
        theories = () if name in untold else (None,)
        yield Case(f"ensemble {name}", problem, 64, dtypes, theories, finite=False)


def every_case() -> Iterator[Case]:
    """All of them."""
    for group in (networks, laws, trainers, chains, ensembles):
        yield from group()
