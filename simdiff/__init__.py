"""simdiff: Monte-Carlo checks of asymptotic theory of diffusion-model learning.

The public surface is in `__init__.pyi`: three verbs (`predict`, `simulate`, `validate`), runs (`sweep`,
`open`), questions to theory alone (`best_ridge`, `sample_complexity`, `best_stopping`, `time_scales`), a
check of what theory takes for granted (`diagnose`), the problems they take, the parts that problems are made
of, and the contract for problems of your own. Each name is loaded when it is first used, so that what needs
little starts soon.

Importing simdiff switches JAX to 64-bit types: theory needs them, and simulation states its own.
"""

import os as _os
import sys as _sys

import lazy_loader as _lazy

if "jax" in _sys.modules:
    _sys.modules["jax"].config.update("jax_enable_x64", True)
else:  # JAX reads this when it is imported, by simdiff or by the user
    _os.environ["JAX_ENABLE_X64"] = "1"

__getattr__, __dir__, __all__ = _lazy.attach_stub(__name__, __file__)
