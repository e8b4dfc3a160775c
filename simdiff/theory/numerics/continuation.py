"""How a fixed point is followed by Newton's method from a ridge so large that it is known to a small one."""

from __future__ import annotations

STRIDE = 1.5
"""Longest step in log ridge while the solution is followed down."""

NEAR = 0.3
"""Largest Newton step in the logarithms at which the ridge is lowered further."""

LONGEST_STEP = 2.0
"""Newton steps in the logarithms are cut to this length."""

MOST_STEPS = 40
"""Newton steps at one ridge."""
