"""A data collapse: curves as they are, and against the scaled variable, with the scaling function."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from simdiff.validation.curves import Curve
from simdiff.validation.scaling import Collapse


def collapse_figure(curves: Sequence[Curve], fit: Collapse, x: str = "t", y: str = "y") -> Any:
    """A Matplotlib figure of two panels; `x` and `y` are mathtext for the axes, without dollars."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.0, 2.9), layout="constrained")
    raw, scaled = figure.subplots(1, 2)
    reach = np.concatenate([fit.scaled(curve) for curve in curves])
    grid = np.linspace(reach.min(), reach.max(), 200)
    scaled.plot(grid, fit.function(grid), color="0.4", linewidth=1, label="fit")
    for curve in sorted(curves, key=lambda curve: curve.d):
        style: dict[str, Any] = {"fmt": "o", "markersize": 3, "capsize": 1.5, "label": f"$d = {curve.d:g}$"}
        raw.errorbar(curve.t, curve.mean, curve.stderr, **style)
        factor = curve.d**fit.amplitude.value
        scaled.errorbar(fit.scaled(curve), factor * curve.mean, factor * curve.stderr, **style)
    raw.axvline(fit.critical.value, color="0.7", linewidth=0.8)
    raw.set(xlabel=f"${x}$", ylabel=f"${y}$")
    power = f"d^{{{fit.exponent.value:.3g}}}"
    scaled.set(xlabel=f"$({x} - {fit.critical.value:.4g})\\, {power}$", ylabel=f"${y}$")
    quality = f"$\\chi^2 = {fit.chi2:.3g}$ for {fit.chi2_dof}, p = {fit.p_fit:.2g}"
    scaled.set_title(quality, fontsize="small")
    raw.legend(frameon=False, fontsize="small")
    return figure
