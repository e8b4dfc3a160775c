"""Which floating-point types a trial uses, and where each is accurate enough.

Measured at d = 200 to 400, psi_p = 4 to 8, against float64 with the same random numbers: with the
Gram matrix in float32 and the solve in float64 ("mixed") the errors are off by 1e-5 of their value
at ridge 1e-3, 3e-5 at 1e-4, 7e-4 at 1e-5 and by everything at 1e-8; with the solve in float32 too by
2e-4, 2e-4 and 4e-3. A trial's statistical spread is 1e-3 to 1e-2 of the value.
"""

from __future__ import annotations

from typing import NamedTuple

import jax.numpy as jnp

from simdiff.errors import check_choice


class Arithmetic(NamedTuple):
    """Types of the products (features, Gram matrices) and of the solves and sums."""

    name: str
    product: type
    solve: type


_PRECISIONS = {
    "float32": Arithmetic("float32", jnp.float32, jnp.float32),
    "mixed": Arithmetic("mixed", jnp.float32, jnp.float64),
    "float64": Arithmetic("float64", jnp.float64, jnp.float64),
}
_FLOAT32_LEAST_RIDGE = 5e-4
_MIXED_LEAST_RIDGE = 5e-5
"""Below these the float32 rounding of U, some 1e-7 of its norm, moves the least eigenvalues of U + ridge."""


def choose(dtype: str, ridge: float) -> Arithmetic:
    """The precision asked for; "auto" takes the fastest that is accurate at this ridge."""
    check_choice("dtype", dtype, ("auto", *_PRECISIONS))
    if dtype != "auto":
        return _PRECISIONS[dtype]
    if ridge >= _FLOAT32_LEAST_RIDGE:
        return _PRECISIONS["float32"]
    return _PRECISIONS["mixed" if ridge >= _MIXED_LEAST_RIDGE else "float64"]
