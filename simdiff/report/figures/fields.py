"""The share of noise in the training target around every different point set, at chosen times."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import jax.numpy as jnp
import numpy as np

from simdiff.errors import InputError, check_number
from simdiff.parts.registry import register
from simdiff.report import plots
from simdiff.report.figures.base import Figure, Material, Settings
from simdiff.report.figures.densities import ONLY, check_dimension
from simdiff.sampling.diffusions import Diffusion
from simdiff.sampling.proxy import proxy_score
from simdiff.validation.study import Study

CELLS = 60
"""Cells of a field along an axis."""
REACH = 2.0
"""Half width of a field's window, in units of the largest coordinate."""


@register("figure", "fields")
class TargetFields(Figure):
    """The figure of figure.fields=[times]: tr C / (tr C + |s|^2) of the proxy score."""

    order: ClassVar[int] = 40
    settings: ClassVar[Settings] = {"fields": None}

    def check(self, settings: Settings, studies: Sequence[Study]) -> None:
        """Point sets in the plane, and times that their schedules have."""
        times = settings["fields"]
        if times and not all("point set" in study.problem.offers for study in studies):
            raise InputError("figure.fields", times, "null", ONLY)
        if times is None:
            return
        if not isinstance(times, (list, tuple)) or not times:
            raise InputError("figure.fields", times, "a list of times, as in [0.1,0.5]")
        for study in studies:
            _check_times(times, study.problem.schedule)  # type: ignore[attr-defined]
        check_dimension("figure.fields", studies, exactly=True)

    def draw(self, material: Material) -> Any:
        """One row for each different point set."""
        times = material.settings["fields"]
        if not times:
            return None
        sets: dict[Any, Any] = {problem.data: problem for problem in map(_any, material.problems)}
        rows = [field_row(data, problem.schedule, times) for data, problem in sets.items()]
        return plots.draw_fields(rows, times, r"share of noise in the target, tr $C$ / (tr $C$ + $|s|^2$)")


def _any(problem: Any) -> Any:
    return problem


def _check_times(times: Sequence[Any], schedule: Diffusion) -> None:
    """Whether the schedule has finite coefficients and noise at these times."""
    for time in times:
        level = schedule.level(jnp.asarray(check_number("figure.fields", time, above=0), jnp.float64))
        if not (np.all(np.isfinite(level)) and level.sig2 > 0):
            kind, low, high = type(schedule).__name__, schedule.t_min, schedule.t_max
            allowed = f"times at which {kind} is defined, as those from {low:g} to {high:g} are"
            raise InputError("figure.fields", time, allowed)


def field_row(data: Any, schedule: Diffusion, times: Sequence[float]) -> plots.FieldRow:
    """The field of one point set."""
    points, _ = data.arrays()
    reach = REACH * float(np.abs(points).max())
    edges = np.linspace(-reach, reach, CELLS + 1)
    middle = 0.5 * (edges[1:] + edges[:-1])
    x = np.stack(np.meshgrid(middle, middle, indexing="ij"), axis=-1)
    level = schedule.level(jnp.asarray(times, jnp.float64)[:, None, None])
    found = proxy_score(data, np.broadcast_to(x, (len(times), *x.shape)), level.alpha, level.sig2)
    return plots.FieldRow(
        data.name or f"{len(points)} points", points, edges, np.asarray(found.variance_fraction)
    )
