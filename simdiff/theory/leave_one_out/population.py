"""The law that a leave-one-out equivalent averages over: finitely many points, all equally likely."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float

from simdiff.errors import InputError


class Population(NamedTuple):
    """Points in the eigenbasis of their covariance, and its eigenvalues, largest first, of mean 1."""

    points: Float[np.ndarray, "m d"]
    eigenvalues: Float[np.ndarray, " d"]

    @property
    def lengths(self) -> Float[np.ndarray, " m"]:
        """|x|^2 of every point."""
        return np.einsum("ij,ij->i", self.points, self.points)

    def spread_out(self, number: int, place: float = 0.5) -> np.ndarray:
        """Indices of that many points, spread evenly over all lengths |x|; other ones at another place."""
        total = len(self.points)
        number = min(number, total)
        order = np.argsort(self.lengths, kind="stable")
        return order[((np.arange(number) + place) * total / number).astype(int)]


def population_of(data: Any) -> Population:
    """The points of a data law that is a finite set of them.

    Raises:
        InputError: a law that has no points.
    """
    points = getattr(data, "population", lambda: None)()
    if points is None:
        hint = "the leave-one-out equivalent averages over points; Gaussian data have linear_sampling"
        raise InputError("data", type(data).__name__, "a finite set of points such as images", hint)
    return Population(points, data.spectrum()[0])
