"""All points in this process, one after another."""

import dataclasses

from simdiff.parts.registry import register


@register("launcher", "basic")
@dataclasses.dataclass(frozen=True)
class Basic:
    """No jobs: the command that was typed runs the trials and shows how far they are."""
