"""A user's network as two functions: its parameters at the start, and its output at one point.

The user gives `init(key, d)` and `apply(params, x)`, or `init` alone where what it returns is a network that
can be called: an Equinox module (or any other callable pytree), a Flax Linen module, a Flax NNX module. Flax
is imported only where the object comes from it, and Equinox never: its modules are pytrees.

Arrays of floating point are trained, but for those that are frozen; other leaves go to the network as they
are.
"""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from simdiff.errors import InputError

Tree = Any
"""A pytree of parameters."""

Output = Callable[[Tree, Array, Array], Array]
"""`output(tree, x, t)`: the network at one point x (d,) and diffusion time t."""


class Parameters(NamedTuple):
    """A network at some moment: one tree in two parts, each with None where the other has a leaf.

    `output` takes them joined; `ridged` says of each leaf of what is trained whether the ridge is on it.
    """

    trained: Tree
    fixed: Tree
    output: Output
    ridged: tuple[bool, ...]

    def squared_norm(self, trained: Tree) -> Array:
        """Of all entries that the ridge is on."""
        leaves = zip(self.ridged, jax.tree.leaves(trained), strict=True)
        return sum((jnp.sum(leaf**2) for on, leaf in leaves if on), jnp.zeros(()))

    def joined(self, trained: Tree) -> Tree:
        """The whole tree with other values of what is trained."""
        pick = lambda new, kept: kept if new is None else new  # noqa: E731
        return jax.tree.map(pick, trained, self.fixed, is_leaf=lambda leaf: leaf is None)


@dataclasses.dataclass(frozen=True)
class NetworkFunctions:
    """Hashable; equal functions share compiled programs.

    `sized`: whether `init` is given a width beside d.
    """

    init: Callable
    apply: Callable | None
    frozen: tuple[str, ...]
    ridged: tuple[str, ...]
    sized: bool

    def start(self, key: Array, d: int, width: int, dtype: type) -> Parameters:
        """The parameters at the start, floating-point ones in the given type.

        Raises:
            InputError: `init` returns no network and there is no `apply`; a name in `frozen` that is nowhere.
        """
        made = self.init(key, d, width) if self.sized else self.init(key, d)
        tree, output, free = _network(made, self.apply, key, d)
        if isinstance(tree, Array | np.ndarray | float):
            tree = jnp.asarray(tree)
        return self._parted(jax.tree.map(lambda leaf: _cast(leaf, dtype), tree), free, output)

    def _parted(self, tree: Tree, free: str, output: Output) -> Parameters:
        """The tree in its two parts; below `free` leaves are trained."""
        leaves, structure = jax.tree_util.tree_flatten_with_path(tree)
        names = [jax.tree_util.keystr(path, simple=True, separator=".") for path, _ in leaves]
        _check_names("model.frozen", self.frozen, names)
        _check_names("model.ridged", self.ridged, names)
        kept = [
            not _floating(leaf) or not _below(name, (free,)) or _below(name, self.frozen)
            for name, (_, leaf) in zip(names, leaves, strict=True)
        ]
        if all(kept):
            allowed = "one array of floating-point numbers or more"
            raise InputError("model", "no parameter to train", allowed)
        trained = [None if fixed else leaf for fixed, (_, leaf) in zip(kept, leaves, strict=True)]
        fixed = [leaf if fixed else None for fixed, (_, leaf) in zip(kept, leaves, strict=True)]
        ridged = [_below(n, self.ridged or ("",)) for n, fixed in zip(names, kept, strict=True) if not fixed]
        first, second = (jax.tree.unflatten(structure, part) for part in (trained, fixed))
        return Parameters(first, second, output, tuple(ridged))


def _check_names(field: str, prefixes: tuple[str, ...], names: list[str]) -> None:
    for prefix in prefixes:
        if not any(_below(name, (prefix,)) for name in names):
            raise InputError(field, prefix, f"names of parameters: {', '.join(names)}")


def _below(name: str, prefixes: tuple[str, ...]) -> bool:
    """Whether a dotted name is one of the prefixes, or inside of one; everything is inside of ""."""
    return any(not prefix or name == prefix or name.startswith(f"{prefix}.") for prefix in prefixes)


def _floating(leaf: Any) -> bool:
    return isinstance(leaf, Array | np.ndarray) and jnp.issubdtype(leaf.dtype, jnp.floating)


def _cast(leaf: Any, dtype: type) -> Any:
    return jnp.asarray(leaf, dtype) if _floating(leaf) else leaf


def _network(made: Any, apply: Callable | None, key: Array, d: int) -> tuple[Tree, Output, str]:
    """(tree, output, name below which leaves are trained) of what `init` returned."""
    if apply is not None:
        return made, _timed(apply, 1), ""
    kinds = [base.__module__ for base in type(made).__mro__]
    if any(kind.startswith("flax.linen") for kind in kinds):
        return _linen(made, key, d)
    if any(kind.startswith("flax.nnx") for kind in kinds):
        return _nnx(made)
    if callable(made) and not jax.tree_util.all_leaves([made]):
        timed = _takes_time(made, 1)
        return made, lambda tree, x, t: tree(x, t) if timed else tree(x), ""
    allowed = "a network that can be called (of Equinox or Flax), or apply beside init"
    raise InputError("model.init", f"a {type(made).__name__}", allowed, "what init returned")


def _linen(module: Any, key: Array, d: int) -> tuple[Tree, Output, str]:
    """Collections beside "params" are kept as they are."""
    timed = _takes_time(module.__call__, 1)
    rest = (jnp.zeros(()),) if timed else ()
    variables = module.init(key, jnp.zeros(d), *rest)
    return variables, lambda tree, x, t: module.apply(tree, x, *((t,) if timed else ())), "params"


def _nnx(module: Any) -> tuple[Tree, Output, str]:
    """The state as a mapping of two collections, of which "params" is trained."""
    from flax import nnx

    timed = _takes_time(module.__call__, 1)
    definition, *states = nnx.split(module, nnx.Param, ...)

    def output(tree: Tree, x: Array, t: Array) -> Array:
        whole = nnx.merge(definition, tree["params"], tree["rest"])
        return whole(x, t) if timed else whole(x)

    return dict(zip(("params", "rest"), states, strict=True)), output, "params"


def _timed(apply: Callable, before: int) -> Output:
    if _takes_time(apply, before + 1):
        return lambda tree, x, t: apply(tree, x, t)
    return lambda tree, x, t: apply(tree, x)


def _takes_time(function: Callable, before: int) -> bool:
    """Whether it has an argument for t behind the first `before` ones: a required one, or one called t."""
    try:
        found = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return False
    places = [p for p in found if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)][before:]
    return bool(places) and (places[0].default is places[0].empty or places[0].name == "t")


def outputs(parameters: Parameters, trained: Tree, x: Float[Array, "r d"], t: Array) -> Array:
    """The network at every row of x, (r, d) if it is one."""
    whole = parameters.joined(trained)
    return jax.vmap(lambda point: parameters.output(whole, point, t))(x)
