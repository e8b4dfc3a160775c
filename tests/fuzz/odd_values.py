"""Values that nobody should pass, and some that look odd but are right: texts to be read by `value_of`.

Texts, so that a case that failed can be stored, printed and pasted. The plain ones are in `odd_values.txt`.
"""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

PLAIN = Path(__file__).with_name("odd_values.txt").read_text(encoding="utf-8").splitlines()
NAMES = ("tanh", "relu", "sign", "sin", "float32", "mixed", "auto", "test", "score", "linear", "none")


def odd_value(rng: random.Random) -> str:
    """One text."""
    kind = rng.randrange(10)
    if kind == 0:
        return repr(rng.choice(NAMES))
    if kind == 1:
        return f"[{', '.join(rng.choice(PLAIN) for _ in range(rng.randrange(4)))}]"
    if kind == 2:
        return f"({rng.choice(PLAIN)}, {rng.choice(PLAIN)})"
    if kind == 3:
        return repr(rng.choice([-1, 1]) * 10.0 ** rng.randrange(-320, 308, 20))
    return rng.choice(PLAIN)


def value_of(text: str) -> Any:
    """What a text stands for."""
    import datetime as dt
    import enum
    import re
    from decimal import Decimal
    from fractions import Fraction

    import jax.numpy as jnp
    import numpy as np
    import pandas as pd

    color = enum.Enum("Color", "RED BLUE")
    names = {"dt": dt, "re": re, "jnp": jnp, "np": np, "pd": pd, "Color": color}
    names |= {"Decimal": Decimal, "Fraction": Fraction, "Path": Path}
    return eval(text, names)
