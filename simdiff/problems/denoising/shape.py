"""The static shapes of a trial."""

from __future__ import annotations

import dataclasses

from simdiff.engine.padding import block_rows


@dataclasses.dataclass(frozen=True)
class Shape:
    """Static shapes: all that a compiled trial depends on besides its functions.

    `p` and `rows` are bucketed; `stored_rows` is 0 when samples are drawn again block by block;
    `dual_rows` is 0 for the primal solver; `exact_noise` is m = infinity; `score_nodes` is the length of
    message passing's quadrature, 0 where the score is known in closed form.
    """

    d: int
    p: int
    block: int
    stored_rows: int
    dual_rows: int
    exact_noise: bool
    score_nodes: int = 0

    @property
    def fresh_block(self) -> int:
        """Rows a block where errors are averaged over some 4 d fresh ones."""
        return min(self.block, block_rows(4 * self.d, self.p)) if self.d < 256 else self.block

    @property
    def score_points(self) -> int:
        """Test points at which message passing finds the score: their error shrinks as a trial's does."""
        return max(32, self.d // 4)
