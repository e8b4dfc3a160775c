"""Flops and bytes of a trial whose network is linear in what is trained."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from simdiff.engine.column_shares import ColumnShares

_QUADRATURE_BYTES = 2**22
_KINKED_BYTES = 5 * 2**23
"""At the nodes of a tile of the exact noise average: where rho is smooth; for each panel between kinks."""
_KINKED_ENTRIES = 2**11
"""At the nodes of one feature's averages over fresh data, for each kink."""


def memory(problem: Any, d: int, network: Any, columns: ColumnShares) -> int:
    """Bytes of the matrices one trial holds at its peak, float64 solve included."""
    shape = problem.shape(d)
    width = columns.width(shape.p)
    square = max(shape.p * width, shape.dual_rows * columns.width(shape.dual_rows))
    terms = network.average_terms(d) if shape.exact_noise else 0
    copies = 6 + terms * np.dtype(problem.precision("auto").product).itemsize // 4  # of four bytes an entry
    frame = 4 * d**2 if problem.data.random_frame else 0  # its eigenvalues, before anything else
    blocks = shape.block * ((3 + 2 * terms) * width + 6 * d) + 8 * width * d + 2 * shape.p * d
    entries = max(square * copies // 2, frame) + blocks + shape.stored_rows * d
    kinks = len(problem.model.kinks)
    nodes = _KINKED_BYTES * (kinks + 1) if kinks else _QUADRATURE_BYTES
    entries += _KINKED_ENTRIES * kinks * width
    return problem.data.stored_bytes + 8 * entries + nodes * shape.exact_noise


def cost(problem: Any, d: int, network: Any, padded: bool = False) -> float:
    """Flops of one trial, products of a matrix with its own transpose counted once."""
    n, p = problem.counts(d)
    p = problem.shape(d).p if padded else p
    exact = math.isinf(problem.m)
    rows, fresh = (n, 0) if exact else (n * int(problem.m), 4 * d)
    average = n * network.average_terms(d) * p**2
    products = average if exact else rows * p * min(p, rows) + 2 * rows * p * d
    side = p if exact else min(p, rows)
    solve = side**3 / 3 + 2 * side**2 * d
    errors = 2 * p**2 * d + 2 * fresh * p * d
    return 2 * (rows + fresh) * p * d + products + errors + (problem.trainer.flops(p, d) or solve)
