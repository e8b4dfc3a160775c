"""The integrals of state evolution: what one noisy nonlinear output tells about its Gaussian input.

notation:
    y = sigma(u) + eps z,  eps = sqrt(h) / a      one coordinate of x_t / a for x = sigma(M xi / sqrt D)
    u = p + sqrt(V) w,  p ~ N(0, 1 - V),  w, z ~ N(0, 1);  p is known, q = 1 - V is the overlap
    explained = E (E[w | y, p])^2                 = V I(q), I = E ((E[u | y, p] - p) / V)^2
    floor     = 1 - E (E[z | y, p])^2             = E Var(sigma(u) | y, p) / eps^2, since sigma = y - eps z

Over p: panels of Gauss-Legendre nodes, halved until the integrands are polynomials on them. Over u: panels
within reach of p, each a few sqrt(V) wide, a few eps wide in sigma, no wider than those on which sigma is a
polynomial, and split at its kinks. Over y: the trapezoid rule with a step below eps. A value of u
reaches few of y, so P(y | u) is one sparse matrix for all p; its product with the weights of u gives the
posterior moments.

Source: Barbier, Krzakala, Macris, Miolane, Zdeborova, PNAS 116 (2019): the scalar channel of a generalized
linear model.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.polynomial import legendre
from scipy import sparse

from simdiff.errors import InputError

_REACH, _NOISE_REACH, _EDGE = 7.0, 7.5, 8.5
"""Integrals run over |w|, |p| / sqrt(q) < 7, |z| < 7.5 and |u| < 8.5; outside lies 3e-12 of the mass."""

_POINTS = 10
_NODES, _NODE_WEIGHTS = legendre.leggauss(_POINTS)
_LAST_TWO = (legendre.legvander(_NODES, _POINTS - 1) * (_NODE_WEIGHTS[:, None] * (np.arange(_POINTS) + 0.5)))[:, -2:]
"""Nodes and weights on [-1, 1]; the map from values at the nodes to the last two Legendre coefficients."""

_TAIL = 1e-5
"""Panels are halved until the last coefficients, times half the width, are below this share of the scale.
The nodes integrate twice as many degrees exactly: the error of an integral is of the order of the square."""

_WIDTH = 3.5
"""Panels of u are at most this many sqrt(V) wide, and sigma varies by at most this many eps on them."""

_NARROW = 0.05

_Y_STEP = 1.0 / 3.0
_CHUNK = 1 << 14
"""Nodes of u handled at once. sigma is called with no fewer: JAX compiles an operation once a shape."""


@dataclasses.dataclass(frozen=True, eq=False)
class Channel:
    """V in (0, 1] -> array (explained, floor), see the module's notation; made by `channel`.

    `needed` at the places `u` is the number of panels that sigma needs up to there. `scale` is Var sigma
    over Var y, above every floor. A `level` above 1 makes all steps finer.
    """

    fn: Callable
    kinks: np.ndarray
    narrow: np.ndarray
    eps: float
    u: np.ndarray
    needed: np.ndarray
    scale: float
    level: float = 1.0

    def __call__(self, v: float) -> np.ndarray:
        q = 1.0 - v
        if q <= 0.0:
            return self.given(np.zeros(1), v)[:, 0]
        reach = _REACH * math.sqrt(q)
        ends = np.linspace(-reach, reach, max(8, math.ceil(2.0 * reach)) + 1)
        ladder = math.sqrt(v) * 4.0 ** np.arange(math.log(4.0 * reach / math.sqrt(v), 4.0))
        steep = (self.kinks[:, None] + np.concatenate([-ladder, [0.0], ladder])).ravel()
        ends = np.unique(np.clip(np.concatenate([ends, steep, self.narrow]), -reach, reach))

        def integrand(p: np.ndarray) -> np.ndarray:
            return self.given(p, v) * np.exp(-0.5 * p * p / q) / math.sqrt(2.0 * math.pi * q)

        _, half, values = _resolve(integrand, ends, self.scale * _TAIL / self.level**4)
        return np.einsum("fkn,k,n->f", values, half, _NODE_WEIGHTS)

    def given(self, p: np.ndarray, v: float) -> np.ndarray:
        """(explained, floor) when p is known, for p of shape (n,): an array (2, n)."""
        panels = _panels(self, p, math.sqrt(v))
        first = np.searchsorted(panels[0], np.arange(len(p) + 1))
        parts = []
        for start, stop in _chunks(first):
            owner, left, right = (part[first[start] : first[stop]] for part in panels)
            half = 0.5 * (right - left)[:, None]
            u = (0.5 * (right + left)[:, None] + half * _NODES).ravel()
            parts.append(
                _moments(self, v, p[start:stop], np.repeat(owner - start, _POINTS), u, (half * _NODE_WEIGHTS).ravel())
            )
        return np.concatenate(parts, axis=1)


def channel(nonlinearity: Any, t: float) -> Channel:
    """The channel of `nonlinearity` (`.fn`, and `.kinks` if it has any) at diffusion time t > 0.

    Raises:
        InputError: fn is not elementwise, or not finite on [-8.5, 8.5].
    """
    fn, eps = nonlinearity.fn, math.sqrt(math.expm1(2.0 * t))
    kinks = np.array([k for k in getattr(nonlinearity, "kinks", ()) if abs(k) < _EDGE], dtype=np.float64)
    grid = np.linspace(-_EDGE, _EDGE, 9) + np.array([0.0, *[0.1 / math.pi] * 7, 0.0])  # hits no special place
    typical = float(np.ptp(_call(fn, np.linspace(-3.0, 3.0, 601))))
    middle, half, values = _resolve(
        lambda u: _call(fn, u)[None], np.union1d(grid, kinks), _TAIL * min(eps, typical)
    )
    order = np.argsort(middle)
    narrow = middle[half < _NARROW]
    u, sigma = (middle[:, None] + half[:, None] * _NODES)[order], values[0, order]
    steps = np.abs(np.diff(sigma.ravel())) / (_WIDTH * eps)
    steps[_POINTS - 1 :: _POINTS][np.isin((middle + half)[order][:-1], kinks)] = 0.0
    bends = np.arange(len(order))[:, None] + 0.5 * (1.0 + _NODES)
    needed = np.concatenate([[0.0], np.cumsum(steps)]) + bends.ravel()
    weight = half[order, None] * _NODE_WEIGHTS * np.exp(-0.5 * u**2) / math.sqrt(2.0 * math.pi)
    variance = float(np.sum(weight * (sigma - np.sum(weight * sigma)) ** 2))
    return Channel(fn, kinks, narrow, eps, u.ravel(), needed, variance / (variance + eps**2))


def _resolve(
    function: Callable[[np.ndarray], np.ndarray], ends: np.ndarray, tolerance: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Panels on which `function`, (n,) -> (f, n), is a polynomial: middles and half widths (k,), values (f, k, nodes)."""
    middle, half = 0.5 * (ends[1:] + ends[:-1]), 0.5 * np.diff(ends)
    done = []
    while len(middle):
        nodes = middle[:, None] + half[:, None] * _NODES
        values = function(nodes.ravel()).reshape(-1, *nodes.shape)
        tail = np.abs(values @ _LAST_TWO).max(axis=(0, 2)) * half
        good = (tail <= tolerance + 1e-15) | (half < 1e-9)
        done.append((middle[good], half[good], values[:, good]))
        middle, half = middle[~good], 0.5 * half[~good]
        middle, half = np.concatenate([middle - half, middle + half]), np.concatenate([half, half])
    middles, halves, every = zip(*done, strict=True)
    return np.concatenate(middles), np.concatenate(halves), np.concatenate(every, axis=1)


def _panels(channel: Channel, p: np.ndarray, width: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Panels of u for every p, in order: the index of their p, left ends, right ends."""
    measure = channel.level * (channel.needed + channel.u / (_WIDTH * width))
    low, high = (np.interp(p + side * _REACH * width, channel.u, measure) for side in (-1, 1))
    count = np.ceil(high - low).astype(np.int64)
    owner = np.repeat(np.arange(len(p)), count + 1)
    last = np.cumsum(count + 1) - 1
    place = np.arange(len(owner)) - np.repeat(last - count, count + 1)
    ends = np.interp(low[owner] + place * ((high - low) / count)[owner], measure, channel.u)
    inside = (ends[last - count, None] < channel.kinks) & (channel.kinks < ends[last, None])
    which, kink = np.nonzero(inside)
    owner, ends = np.concatenate([owner, which]), np.concatenate([ends, channel.kinks[kink]])
    order = np.lexsort((ends, owner))
    owner, ends = owner[order], ends[order]
    same = owner[1:] == owner[:-1]
    return owner[1:][same], ends[:-1][same], ends[1:][same]


def _chunks(first: np.ndarray) -> Iterator[tuple[int, int]]:
    """Ranges of p with about `_CHUNK` nodes of u each; the panels of p begin at first[p]."""
    start = 0
    while start < len(first) - 1:
        room = first[start] + _CHUNK // _POINTS
        stop = max(start + 1, int(np.searchsorted(first, room, side="right")) - 1)
        yield start, stop
        start = stop


def _moments(
    channel: Channel, v: float, p: np.ndarray, owner: np.ndarray, u: np.ndarray, widths: np.ndarray
) -> np.ndarray:
    """(explained, floor) given each p; node u with its share `widths` of a panel belongs to p[owner].

    Rows of the matrix are the grids of y of one p after the other, in steps of `step` eps.
    """
    step = _Y_STEP / channel.level
    offsets = np.arange(-math.ceil(_NOISE_REACH / step), math.ceil(_NOISE_REACH / step) + 1)
    sigma = _call(channel.fn, u) / (channel.eps * step)
    nearest = np.rint(sigma).astype(np.int64)
    starts = np.searchsorted(owner, np.arange(len(p)))
    lowest = np.minimum.reduceat(nearest, starts)
    rows = np.maximum.reduceat(nearest, starts) - lowest + len(offsets)
    base = np.cumsum(rows) - rows
    y = step * (np.arange(rows.sum()) - np.repeat(base, rows) + offsets[0])
    density = np.exp(-0.5 * ((sigma - nearest)[:, None] - offsets) ** 2 * step**2)
    row = (nearest + (base - lowest)[owner])[:, None] + (offsets - offsets[0])
    columns = (np.arange(len(u) + 1) * len(offsets)).astype(np.int32)
    matrix = sparse.csc_array((density.ravel(), row.astype(np.int32).ravel(), columns), shape=(len(y), len(u)))

    w = (u - p[owner]) / math.sqrt(v)
    weight = widths * np.exp(-0.5 * w * w) * (step / (2.0 * math.pi * math.sqrt(v)))
    signal = step * (sigma - lowest[owner])
    total, first, second = (matrix @ np.stack([weight, weight * w, weight * signal], axis=1)).T
    safe = np.where(total > 0.0, total, 1.0)
    noise = second - y * total
    return np.stack([np.add.reduceat(first**2 / safe, base), np.add.reduceat(total - noise**2 / safe, base)])


def _call(fn: Callable, u: np.ndarray) -> np.ndarray:
    """fn(u), checked; u is padded to a power of two."""
    padded = np.zeros(max(_CHUNK, 1 << (u.size - 1).bit_length()))
    padded[: u.size] = u
    values = np.asarray(fn(padded), dtype=np.float64)
    if values.shape != padded.shape:
        hint = f"shape {padded.shape} became {values.shape}"
        raise InputError("nonlinearity", fn, "an elementwise function", hint)
    values = values[: u.size]
    if not np.isfinite(values).all():
        hint = f"not finite at {float(u[~np.isfinite(values)][0]):.4g}"
        raise InputError("nonlinearity", fn, "a function finite on the reals", hint)
    return values
