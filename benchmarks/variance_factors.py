"""What shapes generalization: one factor at a time, trained ensembles beside both theories.

    python benchmarks/variance_factors.py [--small]

The base is four points on the unit circle, 216 Gaussian features, P = 216, the variance-preserving schedule
down to 1e-3, ridge 0.1, 300 Euler steps. From it the steps (the paper takes 30), the schedule, the smallest
time, F/P, the family of features, the orientation of the points and their configuration (sets of six points,
read against one another) are changed one at a time. Measured on the samples of `MODELS` trained models of
1,024 samples each: the share in gaps and the mean squared distance to the nearest point, with standard errors
over models; beside them the corrected and the first-order theory, the theory at infinitely many draws
(`limit`), and what the exact score leaves in gaps with the same steps (`exact`): residual noise of the
smallest time and error of the steps, which are no generalization. `change` is what the factor does to the
share in gaps, trained minus the group's first setting, in standard errors. Stored in
results/variance_factors.csv and .png.
"""

from __future__ import annotations

import argparse
import dataclasses
import time

import numpy as np
import pandas as pd
from common import RESULTS, facts, store
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from variance_figures import exact_gap

import simdiff
from simdiff.data import PointMasses
from simdiff.models import FourierFeatures, GaussianFeatures
from simdiff.report.plots.style import BARS, PAGE, colours, house, legend_above, save
from simdiff.sampling import SquareRoot, VarianceExploding, VariancePreserving

MODELS, SEED = 1000, 0
THEORIES = {"corrected": "effective_dynamics", "first order": "effective_dynamics_first_order"}
BASE = simdiff.EnsembleSampling(
    PointMasses("square"),
    GaussianFeatures(6, 6),
    VariancePreserving(t_min=1e-3),
    simdiff.trainers.Ridge(0.1),
    P=216,
    steps=300,
)
F = BASE.features


def settings() -> dict[str, dict[str, simdiff.EnsembleSampling]]:
    """{factor: {value: problem}}; the base stands first where the factor has it."""

    def base(**changes: object) -> simdiff.EnsembleSampling:
        return dataclasses.replace(BASE, **changes)

    exploding = VarianceExploding(t_min=2e-3, t_max=80.0)
    return {
        "Euler steps": {f"{steps}": base(steps=steps) for steps in (30, 100, 300, 1000)},
        "schedule": {
            "preserving": BASE,
            "exploding": base(schedule=exploding),
            "square root": base(schedule=SquareRoot(t_min=1e-3)),
        },
        "smallest time": {
            f"{t:g}": base(schedule=VariancePreserving(t_min=t)) for t in (1e-4, 1e-3, 1e-2, 3e-2)
        },
        "F/P": {f"{ratio:g}": base(P=round(F / ratio)) for ratio in (2, 1, 0.5, 0.25, 0.125)},
        "features": {"Gaussian": BASE, "Fourier": base(model=FourierFeatures(6, 6))},
        "orientation": {
            f"{step} pi/8": base(data=PointMasses("square", angle=step * np.pi / 8)) for step in range(3)
        },
        "orientation, Fourier": {
            f"{step} pi/8": base(
                data=PointMasses("square", angle=step * np.pi / 8), model=FourierFeatures(6, 6)
            )
            for step in range(3)
        },
        "configuration": {
            name: base(data=PointMasses(name), radius=0.25)
            for name in ("hexagon", "diagonal", "corner", "scattered")
        },
    }


def measured(problem: simdiff.EnsembleSampling, models: int) -> dict[str, float]:
    """Trained means with standard errors, and what both theories say."""
    frame = simdiff.simulate(problem, d=problem.P, trials=models, seed=SEED)
    row: dict[str, float] = {}
    for name in ("gap", "nearest"):
        row |= {name: frame[name].mean(), f"{name}_stderr": frame[name].sem()}
    for label, theory in THEORIES.items():
        found = simdiff.predict(problem, theory=theory)
        row |= {f"{name}_{label}": float(found[name]) for name in ("gap", "nearest")}
    row["gap_limit"] = float(simdiff.predict(dataclasses.replace(problem, P=None))["gap"])
    return row | {"gap_exact": exact_gap(problem)}


def table(models: int, factors: dict[str, dict[str, simdiff.EnsembleSampling]]) -> pd.DataFrame:
    """A row a setting."""
    rows, known = [], {}
    for factor, values in factors.items():
        for value, problem in values.items():
            start = time.time()
            if problem not in known:
                known[problem] = measured(problem, models)
            rows.append({"factor": factor, "value": value, "P": problem.P, **known[problem]})
            first = next(row for row in rows if row["factor"] == factor)
            error = np.hypot(rows[-1]["gap_stderr"], first["gap_stderr"])
            rows[-1]["change"] = (rows[-1]["gap"] - first["gap"]) / error if first is not rows[-1] else np.nan
            print(factor, value, f"gap {rows[-1]['gap']:.4f}", f"{time.time() - start:.0f} s", flush=True)
    return pd.DataFrame(rows)


@house()
def draw(rows: pd.DataFrame) -> Figure:
    """The share in gaps: a group a factor."""
    figure = Figure(figsize=(PAGE, 3.3))
    ax = figure.add_subplot()
    hues = dict(zip(("trained", *THEORIES), ("black", *colours(2)), strict=True))
    place, names, ticks, bounds = 0.0, [], [], []
    for factor, part in rows.groupby("factor", sort=False):
        x = place + np.arange(len(part))
        for shift, (label, marker) in zip(
            (-0.2, 0.2), (("corrected", "D"), ("first order", "s")), strict=True
        ):
            ax.plot(x + shift, part[f"gap_{label}"], marker, color=hues[label], ms=4, mfc="white")
        ax.plot(x, part["gap_exact"], "_", color="0.4", ms=9)
        ax.errorbar(x, part["gap"], part["gap_stderr"], fmt="o", color="black", ms=3.5, **BARS)
        ax.text(
            x.mean(),
            1.02,
            factor.replace(", ", ",\n"),
            ha="center",
            va="bottom",
            transform=ax.get_xaxis_transform(),
            fontsize=7.5,
        )
        ticks, names = [*ticks, *x], [*names, *part["value"]]
        place = x[-1] + 1.8
        bounds.append(place - 0.9)
    for bound in bounds[:-1]:
        ax.axvline(bound, color="0.8", lw=0.7)
    ax.set_xticks(ticks, names, rotation=60, ha="right", rotation_mode="anchor", fontsize=7.5)
    ax.set(ylabel="share of samples in gaps", ylim=(0, None), xlim=(-0.8, place - 1.0))
    ax.grid(axis="x", visible=False)
    shapes = {"trained": "o", "corrected": "D", "first order": "s", "exact score": "_"}
    hues = hues | {"exact score": "0.4"}
    legend_above(
        figure,
        [
            Line2D(
                [],
                [],
                ls="none",
                marker=shapes[k],
                color=hue,
                mfc="white" if k != "trained" else hue,
                label=f"theory, {k}" if k in THEORIES else k,
            )
            for k, hue in hues.items()
        ],
    )
    return figure


def main() -> None:
    """Measure, store, draw."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--small", action="store_true", help="a trial run of two factors that stores nothing")
    small = parser.parse_args().small
    factors = settings()
    if small:
        factors = {name: factors[name] for name in ("Euler steps", "features")}
    rows = table(64 if small else MODELS, factors)
    if small:
        print(rows.to_string())
        return
    about = facts("python benchmarks/variance_factors.py", seed=SEED, models=MODELS, features=F)
    store("variance_factors", rows, about)
    save(draw(rows), RESULTS / "variance_factors")
    (RESULTS / "variance_factors.pdf").unlink()


if __name__ == "__main__":
    main()
