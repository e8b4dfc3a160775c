"""Features that devices share: each holds its own columns of every p x p matrix, and none a whole one.

Device i of k has the features J_i: q of them in a row, k q >= p, those beyond p zero as all padding is.
Of a symmetric matrix it computes the blocks (J_{i+s}, J_i), s = 0 .. k/2 modulo k: every pair of devices is
met once, but for pairs that are k/2 apart, which are met from both sides. A device's flops are
(k/2 + 1) / k^2 of those of a full product.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from simdiff.problem import SHARED_AXIS

_BLOCKS = 16
"""Blocks of columns of a p x p matrix, or some more. What a device needs besides its own columns, some blocks
and rows of blocks, is then p^2 / 256 and p^2 / 16 k entries."""


@dataclasses.dataclass(frozen=True)
class ColumnShares:
    """`devices` along the axis `SHARED_AXIS`; one of them has all columns and needs no axis."""

    devices: int = 1

    @property
    def me(self) -> Int[Array, ""]:
        """The number i of this device."""
        return jax.lax.axis_index(SHARED_AXIS)

    @property
    def pieces(self) -> int:
        """Blocks of a device's columns."""
        return -(-_BLOCKS // self.devices)

    def width(self, p: int) -> int:
        """Features of a device, q: a multiple of its blocks."""
        return p if self.devices == 1 else -(-p // (self.devices * self.pieces)) * self.pieces

    def own(self, p: int) -> Int[Array, " q"]:
        """J_i of this device, of features 0 .. p - 1 and some that pad them."""
        if self.devices == 1:
            return jnp.arange(p)
        return self.me * self.width(p) + jnp.arange(self.width(p))

    def total(self, sums: Any) -> Any:
        """The sums of all devices, on each of them."""
        return sums if self.devices == 1 else jax.lax.psum(sums, SHARED_AXIS)

    def of(self, device: Array | int, value: Array) -> Array:
        """The value that one device has, on each of them."""
        return jax.lax.psum(jnp.where(self.me == device, value, 0), SHARED_AXIS)

    def gathered(self, value: Float[Array, "q c"]) -> Float[Array, "p c"]:
        """The rows of all devices, on each of them."""
        return value if self.devices == 1 else jax.lax.all_gather(value, SHARED_AXIS, tiled=True)

    @property
    def shifts(self) -> range:
        """The values of s."""
        return range(self.devices // 2 + 1)

    def multiplicity(self, s: int) -> int:
        """How often a block at shift s stands in the matrix for each time that it is computed."""
        return 1 if 2 * s in (0, self.devices) else 2

    def shifted(self, value: Array, s: int) -> Array:
        """The value of device i + s, on device i."""
        if s == 0:
            return value
        moves = [((i + s) % self.devices, i) for i in range(self.devices)]
        return jax.lax.ppermute(value, SHARED_AXIS, moves)

    def products(self, f: Float[Array, "q r"]) -> tuple[Float[Array, "q q"], ...]:
        """The blocks of F F^T that this device computes, one a shift; f are its rows."""
        return tuple(self.shifted(f, s) @ f.T for s in self.shifts)

    def joined(self, blocks: tuple[Float[Array, "q q"], ...]) -> Float[Array, "p q"]:
        """This device's columns of a symmetric matrix from the blocks that it and the others computed."""
        k = self.devices
        met = [self.shifted(blocks[s], -s).T for s in range((k - 1) // 2, 0, -1)]
        around = jnp.stack([*blocks, *met])  # from this device's own block on
        from_first = (jnp.arange(k) - self.me) % k
        return around[from_first].reshape(-1, around.shape[-1])


ALL_COLUMNS = ColumnShares()
