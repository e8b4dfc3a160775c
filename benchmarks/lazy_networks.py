"""Finite networks against their lazy limit as the width grows, lazy ensembles against the V-kernel's theory.

    python benchmarks/lazy_networks.py

Two tables, of the learned scores at some places (x, t). In the first, networks of growing width and kernel
regressions with the tangent kernel are trained on the same training sets by the same steps of descent, so
that only the width tells them apart. Compared are each network with its own kernel regression (path), the
means of both ensembles (mean), and their covariances between places and times (V): root mean squares over
places, or pairs of them, in units of the kernel ensemble's standard deviations. What chance gives to the
last two (`chance`) is subtracted from their squares; the exponents of the width are fitted to what is left.

In the second, kernel ensembles of growing P are compared with the theory of first order in 1/P, at the same
places and in units of the theory's standard deviations: their covariance (V), their mean, and, for
comparison, their mean without the theory's own shift of the order of 1/P (mean_0).

Stored in results/lazy_networks_width.csv and results/lazy_networks_theory.csv.
"""

from __future__ import annotations

import argparse
import dataclasses
import itertools
import json
from collections.abc import Callable

import numpy as np
import pandas as pd
from common import RESULTS, facts, iso_date, store
from scipy.optimize import curve_fit

import simdiff
from simdiff.problems.ensemble.problem import evaluate_models, train_models
from simdiff.theory.ensemble import weight_law
from simdiff.theory.ensemble.effective_dynamics import law_of, v_kernel
from simdiff.theory.ensemble.tangent_basis import in_features

SEED, SIZE, MANY = 0, 256, 4096
WIDTHS = (16, 32, 64, 128, 256, 512, 1024, 2048, 4096)
UNITS = 2**18
"""Hidden units of all models of a width together: narrow networks are cheap, and their bias small."""
SIZES = (8, 16, 32, 64, 128, 256)
RATE, STEPS = 0.25, 40
X = np.tile([-1.2, -0.6, 0.0, 0.5, 1.0], 3)[:, None]
T = np.repeat([0.05, 0.2, 0.6], 5)
BLOCKS = 20
"""Of models, left out in turn for standard errors."""

Estimate = Callable[[np.ndarray], np.ndarray]
"""Indices of models -> squares."""


def problem(activation: str) -> simdiff.EnsembleSampling:
    """Descent of score models of three points on the line."""
    return simdiff.EnsembleSampling(
        simdiff.data.PointMasses([-1.0, 0.0, 1.0]),
        simdiff.models.LazyNetwork(activation, target="score"),
        simdiff.sampling.VariancePreserving(t_min=1e-2),
        simdiff.trainers.Optax("sgd", learning_rate=RATE, steps=STEPS),
        samples=0,
        fresh=0,
    )


def outputs(at: simdiff.EnsembleSampling, size: int, models: int) -> np.ndarray:
    """Scores of models at the places, (models, places)."""
    trained = train_models(at, size, models, seed=SEED)
    return np.asarray(evaluate_models(at, trained, X, T), float)[:, :, 0]


def squared_mean(each: np.ndarray) -> tuple[float, float]:
    """(square of the mean over models less chance, chance), averaged over everything else."""
    raw = np.mean(each.mean(axis=0) ** 2)
    chance = np.mean(each.var(axis=0, ddof=1)) / len(each)
    return float(raw - chance), float(chance)


def products(scores: np.ndarray) -> np.ndarray:
    """What every model adds to the covariance, (models, places, places)."""
    off = (scores - scores.mean(axis=0)) * np.sqrt(len(scores) / (len(scores) - 1))
    return off[:, :, None] * off[:, None, :]


def with_error(estimate: Estimate, models: int) -> tuple[np.ndarray, np.ndarray]:
    """Squares and their standard errors, by a jackknife over blocks of models."""
    blocks = np.array_split(np.arange(models), BLOCKS)
    left = np.array([estimate(np.setdiff1d(np.arange(models), block)) for block in blocks])
    error = np.sqrt((BLOCKS - 1) * np.mean((left - left.mean(axis=0)) ** 2, axis=0))
    return estimate(np.arange(models)), error


def row(
    names: tuple[str, ...], estimate: Estimate, models: int, chances: tuple[float, ...]
) -> dict[str, float]:
    """Squares under their names, with standard errors and, where there is one, the chance subtracted."""
    squares, errors = with_error(estimate, models)
    found: dict[str, float] = {}
    for name, square, error, chance in zip(names, squares, errors, chances, strict=True):
        found |= {f"{name}^2": square, f"{name}^2_stderr": error, f"{name}_chance^2": chance}
    return found


def width_row(networks: np.ndarray, lazy: np.ndarray) -> dict[str, float]:
    """Deviations of an ensemble of networks from that of their kernel regressions."""
    unit = lazy.std(axis=0, ddof=1)
    f, k = networks / unit, lazy / unit

    def estimate(index: np.ndarray) -> np.ndarray:
        off, moved = f[index] - k[index], products(f[index]) - products(k[index])
        return np.array([np.mean(off**2), squared_mean(off)[0], squared_mean(moved)[0]])

    chances = (0.0, squared_mean(f - k)[1], squared_mean(products(f) - products(k))[1])
    return row(("path", "mean", "V"), estimate, len(f), chances)


def width_table(activation: str, widths: tuple[int, ...], units: int) -> pd.DataFrame:
    """A row a width."""
    base, rows = problem(activation), []
    for width in widths:
        models = min(MANY, max(256, units // width))
        lazy = outputs(base, SIZE, models)
        network = simdiff.models.WideNetwork(width, activation, target="score")
        found = width_row(outputs(dataclasses.replace(base, model=network), SIZE, models), lazy)
        rows.append({"activation": activation, "width": width, "P": SIZE, "models": models, **found})
        show(rows[-1])
    return pd.DataFrame(rows)


def theory_table(activation: str, sizes: tuple[int, ...], models: int) -> pd.DataFrame:
    """A row a number of training draws."""
    base, rows = problem(activation), []
    centre = mean_at(base, law_of(base))
    for size in sizes:
        law = law_of(base.at_size(size), weight_law.first_order)
        V = v_kernel(base, law, X, T)[:, 0, :, 0]
        unit = np.sqrt(np.diag(V))
        scores = outputs(base, size, models) / unit
        middle, first, V = centre / unit, mean_at(base, law) / unit, V / np.outer(unit, unit)
        rows.append({"activation": activation, "P": size, "models": models})
        rows[-1] |= theory_row(scores, first, middle, V)
        rows[-1]["variance_ratio"] = float(np.mean(scores.var(axis=0, ddof=1)))
        show(rows[-1])
    return pd.DataFrame(rows)


def show(row: dict) -> None:
    """Print a row as it comes."""
    values = (v if isinstance(v, str) else f"{v:.4g}" for v in row.values())
    print(*(f"{key}={value}" for key, value in zip(row, values, strict=True)), flush=True)


def theory_row(scores: np.ndarray, first: np.ndarray, middle: np.ndarray, V: np.ndarray) -> dict[str, float]:
    """Deviations of an ensemble from the theory's means and covariance."""

    def each(index: np.ndarray) -> tuple[np.ndarray, ...]:
        return products(scores[index]) - V, scores[index] - first, scores[index] - middle

    def estimate(index: np.ndarray) -> np.ndarray:
        return np.array([squared_mean(part)[0] for part in each(index)])

    chances = tuple(squared_mean(part)[1] for part in each(np.arange(len(scores))))
    return row(("V", "mean", "mean_0"), estimate, len(scores), chances)


def mean_at(base: simdiff.EnsembleSampling, law: weight_law.WeightLaw) -> np.ndarray:
    """The theory's mean score at the places."""
    span = np.array([base.schedule.t_min, base.schedule.t_max])
    return np.asarray(in_features(base).model.features(X, T, span) @ law.mean.T)[:, 0]


def exponents(
    table: pd.DataFrame, axis: str, names: tuple[str, ...], least: tuple[int, ...]
) -> dict[str, str]:
    """Exponents of the axis in root mean squares, fitted to squares that may be negative by chance.

    Fitted from each of `least` on: where chi^2 is large, corrections to the power are still seen.
    """
    found = {}
    for activation, first, name in itertools.product(("relu", "erf"), least, names):
        rows = table[(table["activation"] == activation) & (table[axis] >= first)]
        square, error = rows[f"{name}^2"].to_numpy(), rows[f"{name}^2_stderr"].to_numpy()
        n, start = rows[axis] / rows[axis].iloc[0], (np.sqrt(abs(square[0])), -0.7)
        values, spread = curve_fit(power, n, square, start, error, absolute_sigma=True)
        chi2 = np.sum(((square - power(n, *values)) / error) ** 2)
        found[f"{activation}: exponent of {axis} >= {first} in {name}"] = (
            f"{values[1]:.3f} +- {np.sqrt(spread[1, 1]):.3f}, "
            f"chi^2 {chi2:.1f} for {len(rows) - 2} degrees of freedom"
        )
    return found


def power(n: np.ndarray, size: float, exponent: float) -> np.ndarray:
    """The square of size n^exponent."""
    return size**2 * np.asarray(n) ** (2 * exponent)


FITS = {
    "width": {"axis": "width", "names": ("path", "mean", "V"), "least": (16, 64)},
    "theory": {"axis": "P", "names": ("V", "mean", "mean_0"), "least": (8,)},
}


def measure(small: bool) -> None:
    """Make both tables; a small run stores nothing."""
    widths, sizes = (WIDTHS[:5], SIZES[:4]) if small else (WIDTHS, SIZES)
    units, many = (UNITS // 8, 512) if small else (UNITS, MANY)
    about = {"seed": SEED, "learning rate": RATE, "steps": STEPS}
    makers = {
        "width": lambda name: width_table(name, widths, units),
        "theory": lambda name: theory_table(name, sizes, many),
    }
    for name, maker in makers.items():
        table = pd.concat([maker("relu"), maker("erf")])
        fitted = exponents(table, **(FITS[name] | ({"least": FITS[name]["least"][:1]} if small else {})))
        print(fitted)
        if not small:
            store(
                f"lazy_networks_{name}", table, facts("python benchmarks/lazy_networks.py", **about, **fitted)
            )


def fit_again() -> None:
    """Fit the stored tables; the rest of what is known of them stays."""
    for name, wanted in FITS.items():
        path = RESULTS / f"lazy_networks_{name}.json"
        about = {key: value for key, value in json.loads(path.read_text()).items() if "exponent" not in key}
        fitted = exponents(pd.read_csv(path.with_suffix(".csv")), **wanted)
        path.write_text(json.dumps(about | {"fitted": f"{iso_date()}, --fit"} | fitted, indent=1) + "\n")


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--small", action="store_true", help="a trial run that stores nothing")
    parser.add_argument("--fit", action="store_true", help="fit the stored tables again, measure nothing")
    chosen = parser.parse_args()
    if chosen.fit:
        fit_again()
    else:
        measure(chosen.small)
