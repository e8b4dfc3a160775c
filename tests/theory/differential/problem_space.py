"""The whole space of problems that the theory of random features claims, as strategies for hypothesis.

`points` draws as hypothesis does, which repeats numbers and likes round ones: psi_p = psi_n, d = n, ends of
ranges. `even_points` fills the space evenly, one problem for each integer.
"""

from __future__ import annotations

import math
import random

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from slow_constants import FORMULAS
from slow_curves import SPECTRA, Point

DRAWS = (1, 2, 3, 5, 20, 1000, 10**6, math.inf)
LOGS = {"psi_n": (-2, 3), "psi_p": (-2, 3), "t": (-5, 1), "ridge": (-12, 3)}
"""Ranges of log10."""


def _power(low: int, high: int) -> st.SearchStrategy[float]:
    uniform = st.floats(low, high, allow_nan=False).map(lambda x: 10.0**x)
    return uniform | st.integers(low, high).map(lambda k: 10.0**k)


@st.composite
def points(draw: st.DrawFn) -> Point:
    """Any problem."""
    numbers = {name: draw(_power(*ends)) for name, ends in LOGS.items()}
    names = draw(st.sampled_from(sorted(FORMULAS))), draw(st.sampled_from(sorted(SPECTRA)))
    return _at_peak(
        Point(**numbers, m=draw(st.sampled_from(DRAWS)), activation=names[0], spectrum=names[1]),
        draw(st.integers(0, 7)),
    )


def even_point(number: int) -> Point:
    """Problem number `number` of an even filling of the space."""
    rng = random.Random(number)
    numbers = {name: 10.0 ** rng.uniform(*ends) for name, ends in LOGS.items()}
    names = rng.choice(sorted(FORMULAS)), rng.choice(sorted(SPECTRA))
    return _at_peak(
        Point(**numbers, m=rng.choice(DRAWS), activation=names[0], spectrum=names[1]), rng.randrange(8)
    )


def _at_peak(point: Point, chance: int) -> Point:
    """One problem in eight has as many features as training pairs: there errors peak."""
    width = point.psi_n * point.m
    return point._replace(psi_p=width) if chance == 0 and 0.01 <= width <= 1000 else point


even_points = st.integers(0, 2**32 - 1).map(even_point)


def drawn(count: int, number: int) -> list[Point]:
    """That many different problems that hypothesis draws from one seed."""
    found: dict[Point, None] = {}

    @seed(number)
    @settings(
        max_examples=4 * count,
        database=None,
        phases=[Phase.generate],
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(points())
    def collect(point: Point) -> None:
        found.setdefault(point)

    collect()
    return list(found)[:count]
