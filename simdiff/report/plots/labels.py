"""Readable names: parameters, metrics and values as they stand on axes and in legends (mathtext)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

AXES: dict[str, str] = {
    "psi_n": r"$\psi_n = n/d$",
    "model.psi_p": r"$\psi_p = p/d$",
    "data.psi_D": r"$\psi_D = D/d$",
    "data.exponent": "spectrum exponent",
    "m": r"noise draws per sample $m$",
    "t": r"diffusion time $t$",
    "time": r"training time $\tau$",
    "step": "training step",
    "trainer.ridge": r"ridge $\lambda$",
    "trainer.learning_rate": r"learning rate $\eta$",
    "trainer.steps": "steps",
    "trainer.batch": "batch size",
    "model.activation": "activation",
    "d": r"dimension $d$",
    "P": "training draws $P$",
    "schedule.t_min": r"smallest time $t_{\min}$",
    "data.angle": "angle of the data",
}

SYMBOLS: dict[str, str] = {
    "psi_n": r"$\psi_n$",
    "model.psi_p": r"$\psi_p$",
    "data.psi_D": r"$\psi_D$",
    "m": r"$m$",
    "t": r"$t$",
    "time": r"$\tau$",
    "trainer.ridge": r"$\lambda$",
    "trainer.learning_rate": r"$\eta$",
    "data.twin": "Gaussian twin",
    "d": r"$d$",
    "P": r"$P$",
    "schedule.t_min": r"$t_{\min}$",
    "data.points": "points",
}

Names = Mapping[str, str]
"""{metric: its name on axes}, as the metrics' declarations have it; others are named by their words."""

NO_NAMES: Names = MappingProxyType({})


def _words(name: str) -> str:
    """Return the last part of a dotted name as words; a dollar sign would start mathtext."""
    return name.rsplit(".", 1)[-1].replace("_", " ").replace("$", r"\$")


def axis_name(column: str) -> str:
    """Return a parameter's name for an axis: `model.psi_p` -> psi_p = p/d."""
    return AXES.get(column, _words(column))


def symbol(column: str) -> str:
    """Return a parameter's short name for a legend."""
    return SYMBOLS.get(column, _words(column))


def metric_name(metric: str, names: Names = NO_NAMES) -> str:
    """Return a metric's name for an axis."""
    return names.get(metric, _words(metric))


def value_text(value: Any) -> str:
    """Write a value for a tick or a legend: 4.0 -> 4, inf -> the infinity sign, 0.001 -> a power of ten."""
    if not isinstance(value, (int, float)):
        return "–" if value is None else str(value).replace("$", r"\$")
    if math.isinf(value):
        return r"$\infty$" if value > 0 else r"$-\infty$"
    if value == 0 or 1e-2 <= abs(value) < 1e4:
        return f"{value:.4g}"
    mantissa, exponent = f"{value:.3e}".split("e")
    head = f"{float(mantissa):g}"
    power = f"10^{{{int(exponent)}}}"
    return f"${power}$" if head == "1" else rf"${head}\times {power}$"


def key_text(key: Mapping[str, Any]) -> str:
    """Write a combination of parameters for a legend: {"m": 4} -> m = 4; words but yes and no stand alone."""
    parts = [
        value_text(v)
        if isinstance(v, str) and v not in ("yes", "no")
        else f"{symbol(c)}{': ' if isinstance(v, str) else ' = '}{value_text(v)}"
        for c, v in key.items()
    ]
    return ", ".join(parts)
