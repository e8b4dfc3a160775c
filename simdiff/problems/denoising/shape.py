"""The static shapes of a trial."""

from __future__ import annotations

import dataclasses


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
    def score_points(self) -> int:
        """Test points at which message passing finds the score: their error shrinks as a trial's does."""
        return max(32, self.d // 4)
