"""The eigenvalues of U = (1/(n m)) sum f f^T in a trial."""

from __future__ import annotations

import dataclasses
from typing import Any

import jax.numpy as jnp
from jaxtyping import Array, Float

from simdiff.problem import Kernel
from simdiff.problems.denoising.program import TrialProgram


@dataclasses.dataclass(frozen=True)
class SpectrumKernel(Kernel):
    """key, inputs -> all eigenvalues in ascending order; those of padding features, zeros, come first."""

    program: TrialProgram

    def __call__(self, key: Array, inputs: dict[str, Any]) -> dict[str, Float[Array, " p"]]:
        """No network is trained: samples, noise and first layer are those of the trial with this key."""
        normal = self.program.normal(self.program.setup(key, inputs))
        return {"eigenvalues": jnp.linalg.eigvalsh(normal.u.astype(jnp.float64))}
