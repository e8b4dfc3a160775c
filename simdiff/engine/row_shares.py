"""Blocks of rows that devices share: each sums its own blocks, then all add up.

A row's numbers depend on its index alone, so sharing changes the order of sums and nothing else.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array

from simdiff.problem import SHARED_AXIS


@dataclasses.dataclass(frozen=True)
class RowShares:
    """`devices` along the axis `SHARED_AXIS`; one of them shares with nobody and needs no axis."""

    devices: int = 1

    def part(self, blocks: Array) -> tuple[Array, Array]:
        """First and last (excluded) of this device's blocks, of `blocks` in all."""
        if self.devices == 1:
            return jnp.zeros_like(blocks), blocks
        each = -(-blocks // self.devices)
        first = jnp.minimum(jax.lax.axis_index(SHARED_AXIS) * each, blocks)
        return first, jnp.minimum(first + each, blocks)

    def total(self, sums: Any) -> Any:
        """The sums of all devices, on each of them."""
        return sums if self.devices == 1 else jax.lax.psum(sums, SHARED_AXIS)


ALL_ROWS = RowShares()
