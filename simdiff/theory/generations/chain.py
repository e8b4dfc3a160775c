"""The mean resolvent of the last of several generations' second moments, as a function of Sigma alone.

The second moment of generation g is A_g = old A_{g-1} + (1 - old) Y_g, Y_g that of N samples, N rho of them
of covariance Sigma and N (1 - rho) of covariance F_{g-1} = (A_{g-1} + ridge) / (1 - ridge). For any R,

    E (A_g + R)^{-1} ~ (old A_{g-1} + fresh k_1 Sigma + new k_2 F_{g-1} + R)^{-1}
    k_1 = 1 / (1 + (c/d) tr Sigma G),   k_2 = 1 / (1 + (c/d) tr F_{g-1} G),     c = (1 - old) / psi_n

with fresh = (1 - old) rho, new = (1 - old)(1 - rho) and G the left-hand side (leave one sample out, as in
`linear_chain.one_point`; old samples are those of earlier generations). Applied again to A_{g-1}, and so on
down to Sigma, this leaves a rational function of Sigma with two scalars k per generation: free sums and
products of spectra, without any measure in between. At R > 0 everything is real and positive, and the scalars
are found by iteration.

notation:
    b A_L + a Sigma + c      what is inverted when generation L is reached
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Float

ROUNDS, TOLERANCE = 20000, 1e-13

PerShift = Float[np.ndarray, " u"]
PerAtom = Float[np.ndarray, "s u"]


class Mixture(NamedTuple):
    """Shares of generation g's data: those of generations before, real ones and the last model's."""

    old: float
    fresh: float
    new: float


class Chain(NamedTuple):
    """Sigma's eigenvalues and weights, samples per dimension, ridge, each generation's mixture."""

    eigenvalues: Float[np.ndarray, " s"]
    weights: Float[np.ndarray, " s"]
    psi_n: float
    ridge: float
    mixtures: tuple[Mixture, ...]


def mixtures(generations: int, keep: str, share: float) -> tuple[Mixture, ...]:
    """Of each generation; keep is "replace" (with a share of real data or none) or "accumulate"."""
    first = Mixture(0.0, 1.0, 0.0)
    if keep == "accumulate":
        return (first, *(Mixture((g - 1) / g, 0.0, 1 / g) for g in range(2, generations + 1)))
    return (first, *((Mixture(0.0, share, 1.0 - share),) * (generations - 1)))


def resolvents(chain: Chain, shifts: PerShift) -> PerAtom | None:
    """E (A_g + shift)^{-1} of the last generation along every eigenvector of Sigma; None where not found."""
    k = np.ones((2, len(chain.mixtures), shifts.size))
    for _ in range(ROUNDS):
        after, inverse = _round(chain, shifts, k)
        change, k = np.max(np.abs(after - k)), after
        if change < TOLERANCE:
            return inverse
    return None


def _round(chain: Chain, shifts: PerShift, k: np.ndarray) -> tuple[np.ndarray, PerAtom]:
    """New scalars (2, g, u), and the resolvent at the ones given."""
    a, c, lines, factors = np.zeros_like(shifts), shifts, [], []
    for mix, (k1, k2) in reversed([*zip(chain.mixtures, k.swapaxes(0, 1), strict=True)]):
        b = mix.old + mix.new * k2 / (1.0 - chain.ridge)
        a, c = a + mix.fresh * k1, c + mix.new * k2 * chain.ridge / (1.0 - chain.ridge)
        if mix is not chain.mixtures[0]:
            a, c = a / b, c / b
        lines.append((a, c))
        factors.append(b)
    s = chain.eigenvalues[:, None]
    inverse = 1.0 / (a * s + c)
    found = [_scalars(chain, chain.mixtures[0], inverse, 0.0 * shifts)]
    for mix, b, (a, c) in zip(chain.mixtures[1:], factors[-2::-1], lines[-2::-1], strict=True):
        trace = (chain.weights @ (1.0 - (a * s + c) * inverse)) / b  # of A_{g-1} G
        inverse = inverse / b
        made = (trace + chain.ridge * (chain.weights @ inverse)) / (1.0 - chain.ridge)
        found.append(_scalars(chain, mix, inverse, made))
    return np.stack(found, axis=1), inverse


def _scalars(chain: Chain, mix: Mixture, inverse: PerAtom, made: PerShift) -> np.ndarray:
    """k_1 and k_2 (2, u) from the traces of Sigma G and F G."""
    share = (1.0 - mix.old) / chain.psi_n
    real = (chain.weights * chain.eigenvalues) @ inverse
    return 1.0 / (1.0 + share * np.stack([real, made]))
