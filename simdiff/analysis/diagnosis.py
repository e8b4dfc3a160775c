"""How far features at a finite size are from the Gaussian equivalent that theory puts in their place.

Theory replaces a feature f = rho(W x_t / sqrt d) by mu1 times its pre-activation u plus independent noise,
of variance v2 shared by the draws of one sample and s2 not shared. That takes pre-activations which are
jointly Gaussian, alike in all features and in all samples, up to corrections that vanish like 1/d. Each
row of the table measures one of these statements on simulated features, relative to what it perturbs:

    mu1          regression of f on u; deviation in units of (std f) / (std u)
    v2, s2       covariance over two draws of what the regression leaves; relative to mu1^2 c + v2 and
                 mu1^2 h + s2, the variances that draws share and do not share
    <s>, <s^2>   first two moments of the covariance's spectrum, (1/d) E |x|^2 and (1/d) E (x . x')^2
    feature biases          variance over features of the mean of f, relative to the variance of f
    pre-activation biases   the same of u: data that are not centred
    length of x_t           variance over samples of |x_t|^2 / d, relative to its squared mean
    feature covariance      |D|^2 / p, D = Cov f - mu1^2 Cov u off the diagonal, relative to (Var f)^2

notation: c = a^2 <s>, tau = c + h. Sampling noise is removed from squares by products of two halves of
the samples, which are independent; standard errors come from independent repeats of everything.
"""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd

from simdiff.data import DataLaw, Sampler
from simdiff.engine.devices import check_bytes
from simdiff.errors import check_integer, check_type
from simdiff.functions.activations import Activation
from simdiff.functions.hermite import hermite_moments
from simdiff.models import RandomFeatures
from simdiff.parts.jax_settings import with_pinned_settings
from simdiff.problems import DenoisingScoreMatching
from simdiff.theory.numerics.quadrature import Constants, constants

REPEATS = 8

ENTRIES = 64
"""Numbers in memory at once, in units of d^2, or fewer: samples, noise, features and their products."""

TOLERANCE = 0.03
"""A deviation above this is a warning. Measured at d = 400, t = 0.1 with tanh and ReLU features: rows are
below 0.006 for isotropic Gaussian data, which is what finite size alone does, and below 0.015 for two
eigenvalues of ratio 77, for a power law of exponent 0.5 and for manifolds of psi_D = 0.5. Simulated errors
for such spectra are within 5% of theory at d = 200 and converge to it. Power laws of exponent 1 and 1.5
reach 0.13 and 2.4 (errors up to 8% and 30% off, whatever d), data that are not centred 0.3 and more, linear
manifolds of psi_D = 0.1 and 0.01 0.045 and 2.6 (with a spectrum like the former, errors up to 17% off at
d = 384, and shrinking)."""

SLOW = 0.4
"""From d / 4 to d a deviation of order 1/d falls to 0.25 of its value, one of order 1/sqrt(d) to 0.5. What
keeps more than this share does not fall like 1/d, and is a warning from a third of `TOLERANCE` on."""

LEAST_LINEAR_SHARE = 0.01
"""A manifold's nonlinearity without linear part leaves theory an isotropic covariance. Measured with the
second and third Hermite polynomial (psi_D = 0.5, d = 256): the score error is 7 to 15% off, and converges
slowly; other errors by 1 to 5%."""

_SIGNIFICANT = 4.0
"""Standard errors; with eight repeats pure noise exceeds so many in one row of 190."""


@dataclasses.dataclass(frozen=True, eq=False)
class Diagnosis:
    """What `diagnose` found.

    `table`: a row a quantity: its value in the `equivalent`, the `empirical` mean at size d and its
    `stderr`, the `deviation` relative to what it perturbs with `deviation_stderr`, and the same
    deviation at size d / 4, `quarter` with `quarter_stderr`. `warnings`: sentences; empty when nothing
    speaks against the equivalence.
    """

    d: int
    table: pd.DataFrame
    warnings: tuple[str, ...]

    def __str__(self) -> str:
        """The table and the warnings as text."""
        shown = self.table.to_string(index=False, float_format=lambda v: f"{v:.4g}")
        words = [f"warning: {text}" for text in self.warnings]
        return "\n".join([shown, "", *(words or [f"nothing against Gaussian equivalence at d = {self.d}"])])


@with_pinned_settings
def diagnose(problem: DenoisingScoreMatching, d: int = 400, seed: int = 0) -> Diagnosis:
    """Measure features of the problem's data and activation at its time t against their equivalent.

    Eight times 4 d samples with two noise draws each and d features are simulated, at size d and at
    size d / 4; psi_n, psi_p and m do not matter. Time grows like d^3.

    Args:
        problem: its `data`, `model.activation`, `t` and, for one warning, `trainer.ridge` are used.
        d: the size, at least 40.
        seed: an integer >= 0; the same seed gives the same numbers.

    Raises:
        InputError: not a `DenoisingScoreMatching` of random features, or a bad d or seed.
    """
    check_type("problem", problem, DenoisingScoreMatching)
    _activation(problem)
    d, seed = check_integer("d", d, least=40), check_integer("seed", seed, least=0)
    check_bytes("d", d, ENTRIES * 8 * d**2)
    full, quarter = (_deviations(problem, size, seed) for size in (d, d // 4))
    columns = {"deviation": "quarter", "deviation_stderr": "quarter_stderr"}
    table = full.join(quarter[list(columns)].rename(columns=columns)).reset_index()
    measured = [_measured_warning(row, d) for _, row in table.iterrows()]
    warnings = [*measured, _no_linear_part(problem.data), _unresolved_noise(problem, d)]
    return Diagnosis(d, table, tuple(filter(None, warnings)))


def _activation(problem: DenoisingScoreMatching) -> Activation:
    """The model's, if it is one whose features have a Gaussian equivalent."""
    hint = "the theory of a linear denoiser puts nothing in the place of features"
    check_type("model", problem.model, RandomFeatures, hint)
    return problem.model.activation  # type: ignore[attr-defined]


def _deviations(problem: DenoisingScoreMatching, d: int, seed: int) -> pd.DataFrame:
    """One size: equivalent, empirical, stderr, deviation, deviation_stderr of every quantity."""
    a2, h = math.exp(-2.0 * problem.t), -math.expm1(-2.0 * problem.t)
    eigenvalues, weights = problem.data.at_size(d).spectrum()
    first, second = float(weights @ eigenvalues), float(weights @ eigenvalues**2)
    moments = constants(_activation(problem), a2 * first, h)
    samples = pd.DataFrame(_quantities(*_draw(problem, d, [seed, i]), moments.mu1) for i in range(REPEATS))
    equivalent = {"mu1": moments.mu1, "v2": moments.v2, "s2": moments.s2, "<s>": first, "<s^2>": second}
    scale = _scales(moments, a2 * first, h) | {"<s>": first, "<s^2>": second}
    table = pd.DataFrame({"equivalent": {name: equivalent.get(name, 0.0) for name in samples}})
    table["empirical"] = samples.mean()
    table["stderr"] = samples.std(ddof=1) / math.sqrt(REPEATS)
    unit = pd.Series({name: scale[name] for name in samples})
    table["deviation"] = (table["empirical"] - table["equivalent"]) / unit
    table["deviation_stderr"] = table["stderr"] / unit
    table.index.name = "quantity"
    return table


def _scales(moments: Constants, c: float, h: float) -> dict[str, float]:
    """What each quantity perturbs."""
    linear, tau = moments.mu1**2, c + h
    variance = linear * tau + moments.v2 + moments.s2
    return {
        "mu1": math.sqrt(variance / tau),
        "v2": (linear * c + moments.v2) or variance,
        "s2": linear * h + moments.s2,
        "feature biases": variance,
        "pre-activation biases": tau,
        "length of x_t": tau**2,
        "feature covariance": variance**2,
    }


def _draw(
    problem: DenoisingScoreMatching, d: int, seed: list[int]
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """New data, noise and weights: (x, x_t, u, f).

    The axes are halves of the samples, draws (one for x), samples, and dimensions or features.
    """
    rng, rows = np.random.default_rng([*seed, d]), 2 * d
    inputs = {name: jnp.asarray(value) for name, value in problem.data.inputs(d).items()}
    key = jax.random.key(rng.integers(2**32))
    sampled = _sample(key, inputs, sampler=problem.data.sampler(d), count=2 * rows)
    x = np.asarray(sampled, dtype=np.float64).reshape(2, 1, rows, d)
    h = -math.expm1(-2.0 * problem.t)
    noisy = math.exp(-problem.t) * x + math.sqrt(h) * rng.standard_normal((2, 2, rows, d))
    u = noisy @ rng.standard_normal((d, d)) / math.sqrt(d)
    return x, noisy, u, np.asarray(_activation(problem).fn(u), dtype=np.float64)


@functools.partial(jax.jit, static_argnames=("sampler", "count"))
def _sample(key: Any, inputs: dict[str, Any], *, sampler: Sampler, count: int) -> Any:
    frame, samples = jax.random.split(key)
    return sampler.sample(samples, sampler.frame(frame, inputs), jnp.arange(count))


def _quantities(
    x: np.ndarray, noisy: np.ndarray, u: np.ndarray, f: np.ndarray, mu1: float
) -> dict[str, float]:
    """Every quantity once; `mu1` is the theory's."""
    overlaps = x[0, 0] @ x[1, 0].T
    return {
        **_moments(u, f),
        "<s>": float(np.mean(x**2)),
        "<s^2>": float(np.mean(overlaps**2)) / x.shape[-1],
        "feature biases": _shared_variance(f),
        "pre-activation biases": _shared_variance(u),
        "length of x_t": float(np.var(np.mean(noisy**2, axis=-1), axis=(0, 2), ddof=1).mean()),
        "feature covariance": _spurious_covariance(u, f, mu1),
    }


def _moments(u: np.ndarray, f: np.ndarray) -> dict[str, float]:
    """mu1, v2 and s2 from pre-activations and features (halves, draws, samples, features)."""
    u, f = (part - part.mean(axis=(0, 1, 2)) for part in (u, f))
    mu1 = np.vdot(u, f) / np.vdot(u, u)
    rest = f - mu1 * u
    shared = np.mean(rest[:, 0] * rest[:, 1])
    return {"mu1": float(mu1), "v2": float(shared), "s2": float(np.mean(rest**2) - shared)}


def _shared_variance(values: np.ndarray) -> float:
    """Variance over features of their mean, free of sampling noise."""
    first, second = values.mean(axis=(1, 2))
    return float(np.mean((first - first.mean()) * (second - second.mean())))


def _spurious_covariance(u: np.ndarray, f: np.ndarray, mu1: float) -> float:
    """|D|^2 / p, free of sampling noise."""

    def excess(half: int) -> np.ndarray:
        centred = (part[half] - part[half].mean(axis=(0, 1)) for part in (u, f))
        pre, features = (part.reshape(-1, part.shape[-1]) for part in centred)
        found = (features.T @ features - mu1**2 * pre.T @ pre) / len(pre)
        np.fill_diagonal(found, 0.0)
        return found

    return float(np.vdot(excess(0), excess(1)) / f.shape[-1])


_WORDS: Mapping[str, str] = {
    "mu1": "the linear part of a feature is not the equivalent's",
    "v2": "the noise that draws of a sample share is not the equivalent's",
    "s2": "the noise that draws of a sample do not share is not the equivalent's",
    "<s>": "the variance of the data is not the equivalent's",
    "<s^2>": "the data have another covariance than their equivalent",
    "feature biases": "features differ in their means",
    "pre-activation biases": "features have random biases, as from data that are not centred",
    "length of x_t": "|x_t|^2 varies between samples: the data vary in few directions",
    "feature covariance": "features are correlated beyond their linear parts",
}


def _measured_warning(row: Mapping[str, Any], d: int) -> str:
    """The warning that a row of the table deserves, or nothing."""
    now, before = abs(row["deviation"]), abs(row["quarter"])
    error, earlier = row["deviation_stderr"], row["quarter_stderr"]
    slow = now - SLOW * before > 2.0 * math.hypot(error, SLOW * earlier)
    if now < _SIGNIFICANT * error or now < TOLERANCE / (3.0 if slow else 1.0):
        return ""
    trend = (
        "it does not fall like 1/d, so extrapolation is in doubt, and the limit with it"
        if slow
        else "it falls as d grows, so the limit may hold, but this size is far from it"
    )
    what = f"{row['quantity']}: {_WORDS[row['quantity']]}"
    return f"{what} ({_percent(now)} at d = {d}, {_percent(before)} at d = {d // 4}); {trend}"


def _percent(share: float) -> str:
    return f"{100 * share:.{0 if share >= 0.1 else 1}f}%"


def _no_linear_part(data: DataLaw) -> str:
    sigma = getattr(data, "nonlinearity", None)
    if sigma is None:
        return ""
    psi, square = hermite_moments(sigma, jnp.zeros(()), jnp.ones(()), 2, 200)
    share = float(psi[1] ** 2 / (square - psi[0] ** 2))
    if share > LEAST_LINEAR_SHARE:
        return ""
    return (
        f"{sigma.name} has hardly a linear part ({_percent(share)} of its variance): to theory the data are "
        "isotropic noise, and what there is of a manifold is beyond Gaussian equivalence"
    )


def _unresolved_noise(problem: DenoisingScoreMatching, d: int) -> str:
    """Noise of less than unit length in all, that the ridge does not cover.

    Measured with Gaussian data at psi_n = psi_p = 2, m = 8, ridge 1e-6: test errors 2 to 4% off at d h = 0.2,
    13 to 25% at 0.01 to 0.02, shrinking with d; within 1% at ridge 1e-2.
    """
    h = -math.expm1(-2.0 * problem.t)
    eigenvalues, weights = problem.data.spectrum()
    c = math.exp(-2.0 * problem.t) * float(weights @ eigenvalues)
    moments = constants(_activation(problem), c, h)
    ridge = getattr(problem.trainer, "ridge", 0.0)
    if d * h > 1.0 or ridge > moments.mu1**2 * h + moments.s2:
        return ""
    return (
        f"t = {problem.t:.3g} is very small: at d = {d} the noise has squared length d h = {d * h:.2g}, and "
        f"the ridge, {ridge:.2g}, does not cover it; sizes far above 1/h = {1 / h:.3g} are needed"
    )
