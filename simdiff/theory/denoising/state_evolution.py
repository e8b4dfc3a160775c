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
import functools
import math
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.polynomial import chebyshev, legendre

from simdiff.errors import InputError

_REACH, _NOISE_REACH, _EDGE = 7.0, 8.5, 8.5
"""Integrals run over |w|, |p| / sqrt(q) < 7, |z| < 8.5 and |u| < 8.5; outside lies 3e-12 of the mass."""

_POINTS = 10
_NODES, _NODE_WEIGHTS = legendre.leggauss(_POINTS)
_SERIES = legendre.legvander(_NODES, _POINTS - 1) * _NODE_WEIGHTS[:, None] * (np.arange(_POINTS) + 0.5)
"""Nodes and weights on [-1, 1]; the map from values at the nodes to Legendre coefficients."""

_TAIL = 1e-5
"""Panels are halved until their last two coefficients, times half the width, are below this share of the
scale. The nodes integrate twice as many degrees: the error of an integral is of the order of the square."""

_ROUNDING = 1e-13
"""Differences this small, relative to 1 or to the values of sigma, are no reason to halve a panel."""

_WIDTH = 3.5
"""Panels of u are at most this many sqrt(V) wide, and sigma varies by at most this many eps on them."""

_NARROW = 0.1
"""Where sigma needs panels of u as narrow as this, panels of p begin with their ends: halving might never
meet a feature that narrow."""

_Y_STEP = 1.0 / 3.0
_CHUNK = 1 << 14
"""Nodes of u handled at once. sigma is called with no fewer: JAX compiles an operation once a shape."""


@dataclasses.dataclass(frozen=True, eq=False)
class OutputChannel:
    """V in (0, 1] -> array (explained, floor), see the module's notation; made by `channel`.

    `needed` at the places `u` counts the panels that sigma needs up to there. `scale` is Var sigma over
    Var y, which no floor exceeds. A `level` above 1 makes all steps finer.
    """

    fn: Callable
    eps: float
    scale: float
    kinks: np.ndarray
    narrow: np.ndarray
    u: np.ndarray
    needed: np.ndarray
    level: float = 1.0

    def __call__(self, v: float) -> np.ndarray:
        """(explained, floor) at V = v."""
        q = 1.0 - v
        if q <= 0.0:
            return self.given(np.zeros(1), v)[:, 0]

        def integrand(p: np.ndarray) -> np.ndarray:
            return self.given(p, v) * np.exp(-0.5 * p * p / q) / math.sqrt(2.0 * math.pi * q)

        tolerance = max(self.scale * _TAIL / self.level**4, _ROUNDING)
        panels = _resolve(integrand, self._first_ends(v), tolerance)
        return np.einsum("fkn,k,n->f", panels.values, panels.half, _NODE_WEIGHTS)

    def _first_ends(self, v: float) -> np.ndarray:
        """Panel ends in p to begin with: even, and around kinks at distances that grow from sqrt(V)."""
        reach, width = _REACH * math.sqrt(1.0 - v), math.sqrt(v)
        even = np.linspace(-reach, reach, max(8, math.ceil(2.0 * reach)) + 1)
        ladder = width * 4.0 ** np.arange(math.log(4.0 * reach / width, 4.0))
        graded = self.kinks[:, None] + np.concatenate([-ladder, [0.0], ladder])
        return np.unique(np.clip(np.concatenate([even, graded.ravel(), self.narrow]), -reach, reach))

    def given(self, p: np.ndarray, v: float) -> np.ndarray:
        """(explained, floor) when p is known, for p of shape (n,): an array (2, n)."""
        owner, left, right = _inner_panels(self, p, math.sqrt(v))
        first = np.searchsorted(owner, np.arange(len(p) + 1))
        parts = []
        for start, stop in _chunks(first):
            mine = slice(first[start], first[stop])
            half = 0.5 * (right[mine] - left[mine])[:, None]
            u = 0.5 * (right[mine] + left[mine])[:, None] + half * _NODES
            inner = _Nodes(u.ravel(), (half * _NODE_WEIGHTS).ravel(), np.repeat(owner[mine] - start, _POINTS))
            parts.append(_moments(self, v, p[start:stop], inner))
        return np.concatenate(parts, axis=1)


def channel(nonlinearity: Any, t: float) -> OutputChannel:
    """The channel of `nonlinearity` (`.fn`, and `.kinks` if it has any) at diffusion time t > 0.

    Raises:
        InputError: fn is not elementwise, not finite on [-8.5, 8.5], or constant.
    """
    fn, eps = nonlinearity.fn, math.sqrt(math.expm1(2.0 * t))
    kinks = np.array([k for k in getattr(nonlinearity, "kinks", ()) if abs(k) < _EDGE], dtype=np.float64)
    inner = np.linspace(-_EDGE, _EDGE, 9)[1:-1] + 0.1 / math.pi  # hits no special place
    spread = float(np.ptp(_call(fn, np.linspace(-3.0, 3.0, 601))))
    if spread == 0.0:
        raise InputError("nonlinearity", fn, "a function that is not constant")
    panels = _resolve(
        lambda u: _call(fn, u)[None], np.unique([-_EDGE, *inner, *kinks, _EDGE]), _TAIL * min(eps, spread)
    )
    order = np.argsort(panels.middle)
    middle, half, sigma = panels.middle[order, None], panels.half[order, None], panels.values[0, order]
    u = middle + half * _NODES
    steps = np.abs(np.diff(sigma.ravel())) / (_WIDTH * eps)
    steps[_POINTS - 1 :: _POINTS][np.isin((middle + half)[:-1, 0], kinks)] = 0.0
    bends = np.arange(len(order))[:, None] + 0.5 * (1.0 + _NODES)
    weight = half * _NODE_WEIGHTS * np.exp(-0.5 * u**2) / math.sqrt(2.0 * math.pi)
    variance = float(np.sum(weight * (sigma - np.sum(weight * sigma)) ** 2))
    return OutputChannel(
        fn=fn,
        eps=eps,
        scale=variance / (variance + eps**2),
        kinks=kinks,
        narrow=middle[2.0 * half < _NARROW],
        u=u.ravel(),
        needed=np.concatenate([[0.0], np.cumsum(steps)]) + bends.ravel(),
    )


class _Panels(NamedTuple):
    """Middles and half widths (k,) of panels, and the values (f, k, nodes) of f functions at their nodes."""

    middle: np.ndarray
    half: np.ndarray
    values: np.ndarray


class _Nodes(NamedTuple):
    """Nodes of u, their shares of the panel's width, and the index of the p that they belong to."""

    u: np.ndarray
    widths: np.ndarray
    owner: np.ndarray


def _resolve(function: Callable, ends: np.ndarray, tolerance: float) -> _Panels:
    """Halve panels until `function`, (n,) -> (f, n), is a polynomial on each."""
    middle, half = 0.5 * (ends[1:] + ends[:-1]), 0.5 * np.diff(ends)
    done = []
    while len(middle):
        nodes = middle[:, None] + half[:, None] * _NODES
        values = function(nodes.ravel()).reshape(-1, *nodes.shape)
        tail = np.abs(values @ _SERIES[:, -2:]).max(axis=(0, 2))
        good = tail * half <= tolerance + _ROUNDING * np.abs(values).max(axis=(0, 2))
        done.append((middle[good], half[good], values[:, good]))
        middle, half = middle[~good], 0.5 * half[~good]
        middle, half = np.concatenate([middle - half, middle + half]), np.concatenate([half, half])
    middles, halves, every = zip(*done, strict=True)
    return _Panels(np.concatenate(middles), np.concatenate(halves), np.concatenate(every, axis=1))


def _inner_panels(
    channel: OutputChannel, p: np.ndarray, width: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Panels of u within reach of every p, in order: the index of their p, left ends, right ends."""
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
    """Ranges of p with about `_CHUNK` nodes of u; the panels of p number i begin at first[i]."""
    start = 0
    while start < len(first) - 1:
        room = first[start] + _CHUNK // _POINTS
        stop = max(start + 1, int(np.searchsorted(first, room, side="right")) - 1)
        yield start, stop
        start = stop


def _moments(channel: OutputChannel, v: float, p: np.ndarray, nodes: _Nodes) -> np.ndarray:
    """(explained, floor) given each p. The rows of `matrix` are the grids of y of one p after the other."""
    from scipy import sparse

    step = _Y_STEP / channel.level
    offsets, bell = _bell(step)
    sigma = _call(channel.fn, nodes.u) / (channel.eps * step)
    nearest = np.rint(sigma)
    starts = np.searchsorted(nodes.owner, np.arange(len(p)))
    lowest = np.minimum.reduceat(nearest, starts)
    rows = (np.maximum.reduceat(nearest, starts) - lowest).astype(np.int64) + len(offsets)
    base = np.cumsum(rows) - rows
    row = (nearest - lowest[nodes.owner]).astype(np.int32) + base[nodes.owner].astype(np.int32)
    density = chebyshev.chebvander(2.0 * (sigma - nearest), len(bell) - 1) @ bell
    columns = (np.arange(len(row) + 1) * len(offsets)).astype(np.int32)
    entries = (density.ravel(), (row[:, None] + (offsets - offsets[0])).ravel(), columns)
    matrix = sparse.csc_array(entries, shape=(int(rows.sum()), len(row)))

    w = (nodes.u - p[nodes.owner]) / math.sqrt(v)
    weight = nodes.widths * np.exp(-0.5 * w * w) * (step / (2.0 * math.pi * math.sqrt(v)))
    signal = step * (sigma - lowest[nodes.owner])
    total, first, second = (matrix @ np.stack([weight, weight * w, weight * signal], axis=1)).T
    y = step * (np.arange(len(total)) - np.repeat(base, rows) + offsets[0])
    safe = np.where(total > 0.0, total, 1.0)
    noise = second - y * total
    return np.stack([np.add.reduceat(first**2 / safe, base), np.add.reduceat(total - noise**2 / safe, base)])


@functools.cache
def _bell(step: float) -> tuple[np.ndarray, np.ndarray]:
    """Offsets j, and Chebyshev coefficients (17, j) in 2 x of exp(-(x - j)^2 step^2 / 2) for |x| < 1/2.

    To rounding; a product of matrices costs a fifth of as many exponentials.
    """
    reach = math.ceil(_NOISE_REACH / step)
    offsets = np.arange(-reach, reach + 1, dtype=np.int32)
    x = chebyshev.chebpts1(40)
    values = np.exp(-0.5 * (0.5 * x[:, None] - offsets) ** 2 * step**2)
    return offsets, chebyshev.chebfit(x, values, 16)


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
