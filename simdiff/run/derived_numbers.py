"""Numbers derived from a run's limits, as methods of the run; `derived` has how they are found."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from simdiff.run import derived
from simdiff.run.derived import Derived

_EVERYWHERE: Mapping[str, Any] = MappingProxyType({})


class DerivedNumbers:
    """Ratios, slopes, peaks and crossings, each with a jackknife error and the theory's value."""

    def ratio(
        self: Any,
        metric: str,
        over: str | None = None,
        at: Mapping[str, Any] = _EVERYWHERE,
        to: Mapping[str, Any] = _EVERYWHERE,
        time: float | None = None,
    ) -> Derived:
        """A metric over another one at the point `at`, or the metric at `at` over itself at the point `to`.

        Args:
            metric: its name.
            over: another metric of the same trials; None: the same metric at `to`.
            at: {parameter: value}, as many as tell one point; {} in a run of one point.
            to: likewise.
            time: the recorded time; None: the last.
        """
        return derived.ratio(self, metric, over, at, to, time)

    def slope(
        self: Any,
        metric: str,
        x: str,
        log: bool = False,
        where: Mapping[str, Any] = _EVERYWHERE,
        time: float | None = None,
    ) -> Derived:
        """The slope of a metric's limits in a parameter, by least squares; `log`: of logarithms, an exponent.

        Args:
            metric: its name.
            x: the parameter.
            log: whether both are taken as logarithms.
            where: {parameter: value} of the others that vary.
            time: the recorded time; None: the last.
        """
        return derived.slope(self, metric, x, log, where, time)

    def peak(
        self: Any,
        metric: str,
        x: str,
        log: bool = False,
        where: Mapping[str, Any] = _EVERYWHERE,
        time: float | None = None,
    ) -> Derived:
        """Where a metric is largest along a parameter: of the parabola through the three highest neighbours.

        Its error is that of the limits; what the parabola misses is not in it, and the theory's value is that
        of the same parabola through the theory. nan, with its reason, where the largest value is at an end.

        Args:
            metric: its name.
            x: the parameter.
            log: whether the parabola is in its logarithm.
            where: {parameter: value} of the others that vary.
            time: the recorded time; None: the last.
        """
        return derived.peak(self, metric, x, False, log, where, time)

    def argmin(
        self: Any,
        metric: str,
        x: str,
        log: bool = False,
        where: Mapping[str, Any] = _EVERYWHERE,
        time: float | None = None,
    ) -> Derived:
        """Where a metric is least along a parameter; otherwise as `peak`."""
        return derived.peak(self, metric, x, True, log, where, time)

    def crossing(
        self: Any,
        metric: str,
        x: str,
        other: str | float,
        where: Mapping[str, Any] = _EVERYWHERE,
        time: float | None = None,
    ) -> Derived:
        """Where a metric crosses another metric, or a level, along a parameter, by straight lines.

        nan, with its reason, where the points show no crossing, or several.

        Args:
            metric: its name.
            x: the parameter.
            other: a metric, or a number.
            where: {parameter: value} of the others that vary.
            time: the recorded time; None: the last.
        """
        return derived.crossing(self, metric, x, other, where, time)
