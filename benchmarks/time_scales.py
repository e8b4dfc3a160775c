"""When networks generalize and when they memorize, against psi_n at fixed psi_p: theory alone.

    python benchmarks/time_scales.py

Times are read off the curves (`simdiff.time_scales`: first time the test error is within 0.1% of its
minimum; first later time at which the memorization error has fallen to half) and off the spectrum of the
feature Gram matrix (the slowest time 1/low of the last group, of order d, and of the group of n that carries
the memory of single samples; nan where those are not apart). Isotropic data, tanh, psi_p = 64, t = 0.1,
ridge 0, m = infinity. Stored in results/time_scales.csv with a figure.
"""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
from common import RESULTS, facts, store
from matplotlib.figure import Figure

import simdiff
from simdiff.report.plots import style
from simdiff.report.plots.labels import axis_name

PSI_P, T = 64.0, 0.1
PSI_N = np.geomspace(0.5, 16.0, 11)


def row(psi_n: float) -> dict[str, float]:
    """The scales of one problem."""
    model = simdiff.models.RandomFeatures(PSI_P)
    trainer = simdiff.trainers.GradientFlow((1.0,))
    problem = simdiff.DenoisingScoreMatching(
        model=model, trainer=trainer, psi_n=float(psi_n), m=math.inf, t=T
    )
    scales = simdiff.time_scales(problem)
    spectrum = simdiff.feature_spectrum(problem)
    times = spectrum.time_scales
    apart = psi_n > 1 and len(times) == 3  # d linear directions, n samples, and the rest: s2 of U
    return {
        "psi_n": float(psi_n),
        "generalization": scales.generalization,
        "memorization": scales.memorization,
        "window": scales.window,
        "groups": len(spectrum.edges),
        "linear_group_ends": times[-1, 1] if apart else math.nan,
        "sample_group_starts": times[-2, 0] if apart else math.nan,
        "sample_group_ends": times[-2, 1] if apart else math.nan,
    }


@style.house()
def draw(table: pd.DataFrame) -> Figure:
    """The scales of the curves, and the times that the group of n eigenvalues takes to be learned."""
    figure, (ax,) = style.panels(1)
    for number, name in enumerate(("generalization", "memorization")):
        look = {"color": style.PALETTE[number], "marker": style.MARKERS[number]}
        ax.plot(table["psi_n"], table[name], label=name, **look)
    low, high = table["sample_group_starts"], table["sample_group_ends"]
    ax.fill_between(table["psi_n"], low, high, color="#DDDDDD", label="1/x of the n eigenvalues")
    ax.set(xscale="log", yscale="log", xlabel=axis_name("psi_n"), ylabel=axis_name("time"))
    handles, _ = ax.get_legend_handles_labels()
    style.legend_above(figure, handles, title="")
    return figure


if __name__ == "__main__":
    table = pd.DataFrame([row(psi_n) for psi_n in PSI_N])
    store("time_scales", table, facts("python benchmarks/time_scales.py"))
    draw(table).savefig(RESULTS / "time_scales.png", dpi=style.DPI)
