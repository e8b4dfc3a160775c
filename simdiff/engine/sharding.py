"""Trials spread over devices: keys are split along the batch, inputs are copied to every device.

A trial runs on one device from beginning to end, and devices exchange nothing; or on a group of devices
that share it (`groups`). Trials are dealt out like cards, so that a few neighbours of a batch keep all
devices busy.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from simdiff.problem import SHARED_AXIS, Inputs

_TRIALS = PartitionSpec("trials")
_COPIES = PartitionSpec()


def dealt(count: int, groups: int) -> np.ndarray:
    """The trials of a batch in the order of their keys: those of the first group, of the second, ..."""
    return np.arange(count).reshape(-1, groups).T.ravel()


def split(keys: jax.Array, devices: tuple[jax.Device, ...], group: int = 1) -> jax.Array:
    """Keys, in the order of `dealt`, in equal parts on the groups; one device is JAX's own default."""
    if len(devices) == 1:
        return keys
    return jax.device_put(keys, NamedSharding(_mesh(devices, group), _TRIALS))


def arrays(inputs: Inputs) -> Inputs:
    """Inputs as arrays of JAX, without a compilation: `jnp.asarray` compiles a program for every shape."""
    return jax.device_put(plain(inputs))


def copied(inputs: Inputs, devices: tuple[jax.Device, ...], group: int = 1) -> Inputs:
    """Inputs as arrays that every device holds."""
    if len(devices) == 1:
        return arrays(inputs)
    return jax.device_put(plain(inputs), NamedSharding(_mesh(devices, group), _COPIES))


def plain(inputs: Inputs) -> Inputs:
    """The same with numbers as arrays, which have a type of their own."""
    return jax.tree.map(lambda leaf: leaf if isinstance(leaf, jax.Array) else np.asarray(leaf), inputs)


def mapped(batch: Callable, keys: jax.Array) -> Callable:
    """`batch(keys, inputs, span)` run by each device on its group's part of `keys`, and of the span.

    The span is one of trials, keys are in the order of `dealt`. In the place of keys there may come a pytree
    of arrays as long as they are.
    """
    if len(keys.devices()) == 1:
        return batch
    mesh = keys.sharding.mesh  # type: ignore[attr-defined]

    def own(keys: Any, inputs: Inputs, span: jax.Array) -> Any:
        if mesh.shape[SHARED_AXIS] > 1:  # XLA lets groups that exchange numbers wait for all the others
            return batch(keys, inputs, jnp.array([0, len(jax.tree.leaves(keys)[0])]))
        return batch(keys, inputs, -((jax.lax.axis_index("trials") - span) // mesh.shape["trials"]))

    # Loops of a kernel may start from constants, which the check of varying values would refuse.
    specs = (_TRIALS, _COPIES, _COPIES)
    return jax.shard_map(own, mesh=mesh, in_specs=specs, out_specs=_TRIALS, check_vma=False)


def _mesh(devices: tuple[jax.Device, ...], group: int) -> Mesh:
    return Mesh(np.array(devices).reshape(-1, group), ("trials", SHARED_AXIS))
