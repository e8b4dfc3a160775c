"""Kernels whose float32 products keep all their digits on every device."""

from __future__ import annotations

from typing import Any

import jax
from jaxtyping import Array


def full_precision(step: Any) -> Any:
    """Run a kernel without TF32: on NVIDIA GPUs float32 products would otherwise lose half their digits."""

    def run(self: Any, key: Array, inputs: dict[str, Any]) -> dict[str, Array]:
        with jax.default_matmul_precision("float32"):
            return step(self, key, inputs)

    run.__doc__ = step.__doc__
    return run
