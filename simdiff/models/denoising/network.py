"""Any network: two functions of the user's, trained by gradient descent.

`init(key, d)` returns the parameters at the start, a pytree; `apply(params, x)` or `apply(params, x, t)` the
output of shape (d,) at one noisy point x, at diffusion time t. `predicts` says what the output stands for:

    "score"   s(x_t) itself
    "noise"   an estimate of z, s = -output / sqrt(h)
    "data"    an estimate of x, s = (a output - x_t) / h
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import jax
import jax.numpy as jnp

from simdiff.errors import InputError, check_choice, check_number
from simdiff.identity.fingerprint import fingerprint
from simdiff.models.denoising.base import ScoreNetwork
from simdiff.models.denoising.linear import Linear
from simdiff.models.denoising.network_functions import NetworkFunctions
from simdiff.models.denoising.random_features import RandomFeatures
from simdiff.parts.import_paths import is_path, load_object
from simdiff.parts.jax_settings import with_pinned_settings
from simdiff.parts.registry import register
from simdiff.problem import Metric

PREDICTS = ("score", "noise", "data")

DIVERGED = Metric("diverged", "step at which the loss was first not finite, 0 for never", compare=False)

_FEWEST_POINTS = 1024
_TRIED = 24, 48
"""Sizes at which the shapes of parameters tell whether a network grows with d."""


@register("model", "network", init=None)
@dataclasses.dataclass(frozen=True)
class Network(ScoreNetwork):
    """A score network of any architecture.

    The loss is (1/d) <||sqrt(h) s(x_t) + z||^2> + ridge |theta|^2 / d, theta all that is trained, or what
    `ridged` names of it; optimisers step on d / 2 times that.

    Args:
        init: `init(key, d)` -> parameters, any pytree. A function or an import path "file.py:name" or
            "package.module:name". With `psi_p` it is called as `init(key, d, p)`. Without `apply` it returns
            a network that can be called: an Equinox module, a Flax module.
        apply: `apply(params, x)` or `apply(params, x, t)` -> output of shape (d,); a function or an import
            path.
        predicts: what the output is: "score", "noise" or "data".
        psi_p: hands `init` the width p = round(psi_p d), which can be swept over.
        like: the model of simdiff whose theory this is compared with: "linear", or the activation of random
            features (which need `psi_p`).
        exact: whether the network is that model, not only like it: then theory gets verdicts. Otherwise it is
            an approximation, and the report shows distances.
        frozen: dotted names of parameters, or of what holds them, that are not trained.
        ridged: dotted names of those that the trainer's ridge is on; () for all that are trained.
        extrapolates: whether the network grows with d so that there is a limit; None: found out from the
            shapes of its parameters.

    Raises:
        InputError: no such function, or a setting that is not allowed.
    """

    init: Callable | str
    apply: Callable | str | None = None
    predicts: str = "score"
    psi_p: float | None = None
    like: Callable | str | None = None
    exact: bool = False
    frozen: tuple[str, ...] | str = ()
    ridged: tuple[str, ...] | str = ()
    extrapolates: bool | None = None

    diagnostics: ClassVar[tuple[Metric, ...]] = (DIVERGED,)

    def __post_init__(self) -> None:
        check_choice("model.predicts", self.predicts, PREDICTS)
        if self.psi_p is not None:
            object.__setattr__(self, "psi_p", check_number("model.psi_p", self.psi_p, above=0))
        for field in ("frozen", "ridged"):
            object.__setattr__(self, field, _names(f"model.{field}", getattr(self, field)))
        _ = self.functions, self.stand_in
        if self.exact and self.like is None:
            raise InputError("model.exact", True, "false", "model.like says which model the network is")

    @functools.cached_property
    def functions(self) -> NetworkFunctions:
        """The two functions."""
        init = _function("model.init", self.init)
        apply = None if self.apply is None else _function("model.apply", self.apply)
        frozen, ridged = _names("model.frozen", self.frozen), _names("model.ridged", self.ridged)
        return NetworkFunctions(init, apply, frozen, ridged, sized=self.psi_p is not None)

    @functools.cached_property
    def stand_in(self) -> ScoreNetwork | None:
        """The model that theories are told of in place of this one."""
        if self.like is None:
            return None
        if self.like == "linear":
            return Linear()
        if self.psi_p is None:
            raise InputError("model.psi_p", None, "a number > 0", "random features that it is like need one")
        return RandomFeatures(self.psi_p, self.like)

    @property
    def theory(self) -> str | None:  # type: ignore[override]
        """That of the model it is like."""
        return None if self.stand_in is None else self.stand_in.theory

    @property
    def path_theory(self) -> str | None:  # type: ignore[override]
        """That of the model it is like."""
        return None if self.stand_in is None else self.stand_in.path_theory

    def code_fingerprint(self) -> str:
        """Digits of the user's functions."""
        given = (self.functions.init, self.functions.apply, None if isinstance(self.like, str) else self.like)
        return "".join(fingerprint(function) for function in given if function is not None)

    def width(self, d: int) -> int:
        """P at size d, 1 where there is no psi_p."""
        return 1 if self.psi_p is None else max(1, round(self.psi_p * d))

    def at_size(self, d: int) -> Network:
        """psi_p = p / d for the whole number p."""
        return self if self.psi_p is None else dataclasses.replace(self, psi_p=self.width(d) / d)

    def ratios(self) -> Mapping[str, float]:
        """p should be a whole number."""
        return {} if self.psi_p is None else {"model.psi_p": self.psi_p}

    @property
    def approximate(self) -> bool:  # type: ignore[override]
        """Whether theories are of another model."""
        return not self.exact

    @functools.cached_property
    def has_limit(self) -> bool:  # type: ignore[override]
        """Whether it grows with d: each axis of every array of two axes or more does, unless it is told."""
        return grows(self) if self.extrapolates is None else self.extrapolates

    def check_training(self, trainer: Any, m: float) -> None:
        """It is trained by steps, on draws that can be made."""
        if trainer.optimiser is None:
            hint = "the exact minimum is known for RandomFeatures and Linear only"
            raise InputError("trainer", type(trainer).__name__, "Optax(...)", hint)
        if m == float("inf") and not trainer.fresh_noise:
            hint = "m = inf without draws is an average that is known for RandomFeatures and Linear only"
            raise InputError("trainer.noise", "fixed", "fresh, with a batch size", hint)

    def notes(self) -> tuple[str, ...]:
        """How errors are measured, and whether there is a limit."""
        measured = (
            f"test and score errors of the network are measured on max(4 d, {_FEWEST_POINTS}) fresh points"
        )
        basis = "the network sees x in the eigenbasis of its covariance"
        return (f"{measured}; {basis}", *(() if self.has_limit else (FIXED,)))


def fresh_points(d: int) -> int:
    """Fresh points that test and score errors are measured on: 4 d, at least 1,024.

    The estimate has no bias; its scatter is part of the trial's.
    """
    return max(4 * d, _FEWEST_POINTS)


def scaled_score(predicts: str, output: Any, x_t: Any, a: Any, root: Any) -> Any:
    """sqrt(h) s from the output at x_t, root = sqrt(h): what is trained to be minus the noise."""
    if predicts == "score":
        return root * output
    return -output if predicts == "noise" else (a * output - x_t) / root


FIXED = (
    "the network's architecture is fixed: sizes cannot be extrapolated, and every number is that of one size "
    "(let widths grow with d, as psi_p does, or say extrapolates=True)"
)


@with_pinned_settings
def grows(model: Network) -> bool:
    """Whether each axis of every array of parameters with two axes or more grows in proportion to d."""
    small, large = _TRIED
    try:
        shapes = [_shapes(model, d) for d in _TRIED]
    except Exception:  # told at the size at which it is to be used, if it fails there too
        return True
    pairs = [pair for leaves in zip(*shapes, strict=False) for pair in zip(*leaves, strict=False)]
    return len(shapes[0]) == len(shapes[1]) and all(abs(b * small - a * large) <= large for a, b in pairs)


def _shapes(model: Network, d: int) -> list[tuple[int, ...]]:
    """Shapes of the arrays with two axes or more."""

    def start(key: jax.Array) -> list[jax.Array]:
        found = model.functions.start(key, d, model.width(d), jnp.float32)
        return [x for x in jax.tree.leaves((found.trained, found.fixed)) if hasattr(x, "shape")]

    leaves = jax.eval_shape(start, jax.ShapeDtypeStruct((), jax.random.key(0).dtype))
    return [leaf.shape for leaf in leaves if len(leaf.shape) >= 2]


def _function(field: str, given: Callable | str) -> Callable:
    """The function itself, or the one at an import path."""
    found = load_object(field, given) if isinstance(given, str) and is_path(given) else given
    if not callable(found):
        raise InputError(field, given, "a function, or an import path file.py:name or package.module:name")
    return found


def _names(field: str, given: object) -> tuple[str, ...]:
    names = (given,) if isinstance(given, str) else given
    if not isinstance(names, tuple | list) or not all(isinstance(name, str) and name for name in names):
        raise InputError(field, given, "names of parameters, as ('first',)")
    return tuple(names)
