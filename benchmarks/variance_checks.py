"""Generalization through variance, checked piece by piece.

    python benchmarks/variance_checks.py [fields|naive|rates]

fields: moments of the proxy score at 50 random places and times of four point sets against averages over 10^6
    posterior draws by plain NumPy: pulls of score, covariance trace and variance fraction.
naive: the law of the naive estimator against its effective SDE as the step shrinks: expectations, propagated
    backwards on a grid, for three kappas in one and two dimensions; exponents of the step.
rates: linear features, trained ensembles against the first order and the corrected law of weights as P grows:
    errors of mean and spread of the weights, and Wasserstein-1 above its floor.
Stored in results/variance_<part>.csv.
"""

from __future__ import annotations

import sys
from collections.abc import Callable

import jax
import numpy as np
import pandas as pd
from common import exponent, facts, store
from scipy.interpolate import make_interp_spline
from scipy.ndimage import map_coordinates, spline_filter
from scipy.optimize import curve_fit

import simdiff
from simdiff.analysis.densities import learned_density
from simdiff.data.point_masses import NAMED
from simdiff.problems.ensemble.problem import train_models
from simdiff.sampling import VariancePreserving, flow_steps
from simdiff.theory.ensemble import weight_law
from simdiff.theory.ensemble.training_law import population

SEED = 0
SETS = ("hexagon", "diagonal", "corner", "scattered")
TIMES = (0.05, 0.1, 0.2, 0.5, 0.75)
DRAWS = 1_000_000


def fields() -> pd.DataFrame:
    """One row per point set: pulls over 50 places, three kinds of numbers each."""
    rng = np.random.default_rng(SEED)
    rows = []
    for name in SETS:
        points = NAMED[name]
        pulls = np.array([_pulls(points, rng) for _ in range(50)])
        found = {"set": name, "comparisons": int(np.isfinite(pulls).sum())}
        for kind, column in zip(("score", "trace", "fraction"), pulls.T, strict=True):
            column = column[np.isfinite(column)]
            found |= {f"rms_{kind}": np.sqrt(np.mean(column**2)), f"max_{kind}": np.abs(column).max()}
        rows.append(found)
    return pd.DataFrame(rows)


def _pulls(points: np.ndarray, rng: np.random.Generator) -> list[float]:
    """(formula - average over draws) / standard error; NaN where all draws are of one point."""
    x, t = rng.uniform(-2, 2, 2), rng.choice(TIMES)
    alpha, sig2 = np.sqrt(1 - t), t
    logs = -np.sum((x - alpha * points) ** 2, axis=1) / (2 * sig2)
    p = np.exp(logs - logs.max())
    counts = rng.multinomial(DRAWS, p / p.sum())
    if np.count_nonzero(counts) < 2:
        return [np.nan] * 3
    targets = (alpha * points - x) / sig2
    share = counts / DRAWS
    mean = share @ targets
    spread = share @ np.sum((targets - mean) ** 2, axis=1)
    square = share @ np.sum(targets**2, axis=1)
    exact = simdiff.proxy_score(points, x, alpha, sig2)
    trace = float(np.trace(exact.covariance))
    # Each estimate is a mean over draws but for 1/DRAWS: its error follows from the influence of one draw.
    pull = mean @ mean
    influence = np.sum((targets - mean) ** 2, axis=1) - spread
    along = (targets - mean) @ mean
    parts = {
        "score": (float(np.asarray(exact.score) @ mean) - pull, along),
        "trace": (trace - spread, influence),
        "fraction": (
            float(exact.variance_fraction) - spread / square,
            influence * pull / square**2 - 2 * along * spread / square**2,
        ),
    }
    return [gap / np.sqrt(share @ one**2 / DRAWS) for gap, one in parts.values()]


KAPPAS = (0.02, 0.1, 0.5)
COUNTS = {"1-D": (200, 400, 800, 1600, 3200), "2-D": (100, 200, 400, 800)}
PLACES = {"1-D": np.array([[-1.0], [0.0], [1.0]]), "2-D": np.array([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.2]])}
GRIDS = {"1-D": np.linspace(-6.0, 6.0, 1601), "2-D": np.linspace(-5.0, 5.0, 141)}
WAVE = np.array([2.0, 1.0])


def naive() -> pd.DataFrame:
    """One row per dimension, kappa and number of steps: E cos(2 x_1 + x_2) at the end, and rates so far.

    Between the naive estimator and its SDE stands `mirrored`, which takes x_0 - E x_0 with either sign: it
    has the estimator's even moments and the SDE's odd ones. So the difference is split by its two rates,
    sqrt(dt) from third moments and dt from fourth ones.
    """
    rows = []
    for name, points in PLACES.items():
        for kappa in KAPPAS:
            gaps: list[np.ndarray] = []
            for count in COUNTS[name]:
                naive, mirrored, sde = (
                    expectation(points, GRIDS[name], kappa, count, kind)
                    for kind in ("naive", "mirrored", "sde")
                )
                gaps.append(np.array([naive - mirrored, mirrored - sde, naive - sde]))
                rates = np.log2(np.abs(gaps[-2] / gaps[-1])) if len(gaps) > 1 else np.full(3, np.nan)
                row = {"dimension": name, "kappa": kappa, "steps": count, "naive": naive, "sde": sde}
                for part, gap, rate in zip(("odd", "even", "sum"), gaps[-1], rates, strict=True):
                    row |= {part: gap, f"{part}_exponent": rate}
                rows.append(row)
                print({key: f"{v:.4g}" if isinstance(v, float) else v for key, v in row.items()}, flush=True)
    return pd.DataFrame(rows)


def expectation(points: np.ndarray, grid: np.ndarray, kappa: float, count: int, kind: str) -> float:
    """E cos(wave x) at the end of the flow with noise: backwards, u <- E[u(next x) | x], on a grid."""
    D = points.shape[1]
    steps = jax.tree.map(np.asarray, flow_steps(VariancePreserving(t_min=0.05), count))
    x = np.stack(np.meshgrid(*[grid] * D, indexing="ij"), axis=-1).reshape(-1, D)
    u = np.cos(x @ WAVE[:D])
    for k in range(count)[::-1]:
        dt, (a, h, beta, strength) = steps.dt[k], (part[k] for part in steps.level)
        logs = -np.sum((x[:, None] - a * points) ** 2, axis=2) / (2 * h)
        p = np.exp(logs - logs.max(1, keepdims=True))
        p /= p.sum(1, keepdims=True)
        mean = p @ points
        centre = x + dt * (beta * x + strength * (a * mean - x) / h)
        noise = np.sqrt(kappa * dt) * strength * a / h
        ahead = interpolant(u, grid, D)
        if kind == "sde":
            u = gaussian_average(ahead, centre, noise * covariance_root(points, p, mean))
        else:
            signs = (1.0,) if kind == "naive" else (1.0, -1.0)
            each = [[ahead(centre + sign * noise * (x0 - mean)) for sign in signs] for x0 in points]
            u = np.sum(p.T * np.mean(each, axis=1), axis=0)
    start = np.exp(-0.5 * np.sum(x**2, axis=1) / float(steps.level.sig2[0]))
    return float(start @ u / start.sum())


def interpolant(u: np.ndarray, grid: np.ndarray, D: int) -> Callable[[np.ndarray], np.ndarray]:
    """Cubic splines, constant beyond the grid."""
    if D == 1:
        spline = make_interp_spline(grid, u, k=3)
        return lambda x: spline(np.clip(x[:, 0], grid[0], grid[-1]))
    coefficients = spline_filter(u.reshape(grid.size, grid.size), order=3, mode="nearest")
    spacing = grid[1] - grid[0]
    return lambda x: map_coordinates(
        coefficients,
        (np.clip(x.T, grid[0], grid[-1]) - grid[0]) / spacing,
        order=3,
        mode="nearest",
        prefilter=False,
    )


def covariance_root(points: np.ndarray, p: np.ndarray, mean: np.ndarray) -> np.ndarray:
    """Symmetric root of the covariance of x_0 at every x, (n, D, D)."""
    away = points - mean[:, None]
    values, vectors = np.linalg.eigh(np.einsum("nm,nmi,nmj->nij", p, away, away))
    return np.einsum("nij,nj,nkj->nik", vectors, np.sqrt(np.maximum(values, 0.0)), vectors)


def gaussian_average(ahead: Callable, centre: np.ndarray, root: np.ndarray) -> np.ndarray:
    """E ahead(centre + root z) by Gauss-Hermite nodes, 9 an axis in one dimension and 5 in two."""
    D = centre.shape[1]
    z, w = np.polynomial.hermite_e.hermegauss(9 if D == 1 else 5)
    w = w / w.sum()
    nodes = np.stack(np.meshgrid(*[z] * D, indexing="ij"), axis=-1).reshape(-1, D)
    weights = np.prod(np.stack(np.meshgrid(*[w] * D, indexing="ij"), axis=-1).reshape(-1, D), axis=1)
    return sum(weight * ahead(centre + root @ node) for weight, node in zip(weights, nodes, strict=True))


RATIOS = (0.5, 1, 2, 4, 8, 16, 32, 100)
MODELS = 4000


def rates() -> pd.DataFrame:
    """A row a family and P: relative errors of both laws of the weights, and their densities' distances."""
    line = simdiff.data.PointMasses("line")
    schedule = VariancePreserving(t_min=1e-2)
    families = {
        "Gaussian": simdiff.models.GaussianFeatures(6, 5),
        "Fourier": simdiff.models.FourierFeatures(6, 5),
    }
    rows = []
    for family, model in families.items():
        problem = simdiff.EnsembleSampling(line, model, schedule, simdiff.trainers.Ridge(0.1))
        for ratio in RATIOS:
            P = round(ratio * problem.features)
            row = {"features": family, "F": problem.features, "P": P, "P/F": ratio}
            rows.append(row | _weights(problem, P) | _distances(problem, P))
            print(
                {
                    key: f"{value:.4g}" if isinstance(value, float) else value
                    for key, value in rows[-1].items()
                },
                flush=True,
            )
    return pd.DataFrame(rows)


def _weights(problem: simdiff.EnsembleSampling, P: int) -> dict[str, float]:
    """How far both laws are from trained weights.

    Relative: the distance of the mean, and the r.m.s. error of standard deviations. In standard errors: the
    r.m.s. deviation of the variances, and of all entries of the covariance.
    """
    sample = np.asarray(train_models(problem, P, MODELS, SEED)).reshape(MODELS, -1)
    away = sample - sample.mean(0)
    covariance = away.T @ away / (MODELS - 1)
    errors = np.sqrt(((away**2).T @ away**2 / MODELS - covariance**2) / MODELS)
    nodes, found = population(problem.at_size(1)), {}
    for name, law in (("first", weight_law.first_order), ("corrected", weight_law.corrected)):
        expected = law(problem, nodes, P)
        off = expected.mean.ravel() - sample.mean(0)
        found[f"mean_{name}"] = float(np.linalg.norm(off) / np.linalg.norm(sample.mean(0)))
        spread = np.sqrt(np.diag(expected.covariance)) / sample.std(0)
        found[f"sd_{name}"] = float(np.sqrt(np.mean((spread - 1) ** 2)))
        pulls = (expected.covariance - covariance) / errors
        found[f"variance_pull_{name}"] = float(np.sqrt(np.mean(np.diag(pulls) ** 2)))
        found[f"covariance_pull_{name}"] = float(np.sqrt(np.mean(pulls**2)))
    noise = np.linalg.norm(sample.std(0)) / np.sqrt(MODELS) / np.linalg.norm(sample.mean(0))
    return found | {"mean_noise": float(noise)}


def _distances(problem: simdiff.EnsembleSampling, P: int) -> dict[str, float]:
    found = {}
    for name, theory in (("first", "effective_dynamics_first_order"), ("corrected", "effective_dynamics")):
        distance = learned_density(problem, P, MODELS, 500, seed=SEED, theory=theory).distance
        found |= {f"W1_{name}": distance.excess, f"W1_{name}_stderr": distance.stderr}
    return found | {"W1_floor": distance.floor}


def fitted(table: pd.DataFrame) -> dict[str, str]:
    """Exponents of P in the errors of the first order, from P = 4 F on, and what the corrected law gains."""
    found = {}
    for family, part in table.groupby("features"):
        large = part[part["P/F"] >= 4]
        for name in ("sd_first", "sd_corrected"):
            found[f"{family}: exponent of P in {name}"] = f"{exponent(large['P'], large[name]):.2f}"
        for law in ("first", "corrected"):
            found[f"{family}: W1 excess, {law}, from P = F"] = _power_law(part[part["P/F"] >= 1], f"W1_{law}")
        middle = part[part["P/F"].between(1, 10)]
        for name in ("mean", "sd", "W1"):
            worse, better = middle[f"{name}_first"].sum(), middle[f"{name}_corrected"].sum()
            found[f"{family}: summed error in {name}, F <= P <= 10 F, first / corrected"] = (
                f"{worse / better:.2f}"
            )
    return found


def _power_law(part: pd.DataFrame, name: str) -> str:
    """C (P / F)^-r fitted to values that may be below zero by chance."""
    power = lambda ratio, size, rate: size * ratio**-rate  # noqa: E731
    values, spread = curve_fit(
        power, part["P/F"], part[name], (0.1, 1.0), part[f"{name}_stderr"], absolute_sigma=True
    )
    errors = np.sqrt(np.diag(spread))
    chi2 = np.sum(((part[name] - power(part["P/F"], *values)) / part[f"{name}_stderr"]) ** 2)
    terms = [f"{value:.3f} +- {error:.3f}" for value, error in zip(values, errors, strict=True)]
    return f"({terms[0]}) (P/F)^-({terms[1]}), chi^2 {chi2:.1f} for {len(part) - 2} degrees of freedom"


PARTS = {"fields": fields, "naive": naive, "rates": rates}

if __name__ == "__main__":
    for part in sys.argv[1:] or PARTS:
        table = PARTS[part]()
        about = {"seed": SEED, **({"models": MODELS, **fitted(table)} if part == "rates" else {})}
        store(f"variance_{part}", table, facts(f"python benchmarks/variance_checks.py {part}", **about))
