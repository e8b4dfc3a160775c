"""What a learned bias changes at size d: the training set's mean, and one degree of freedom less.

With a bias the denoiser subtracts the mean of N Gaussian samples, mean ~ N(0, Sigma / N), and Sigma_hat is
their covariance with divisor N, which is independent of the mean and is (N - 1)/N times the second moment of
N - 1 samples. So functionals of Sigma_hat are those of N - 1 samples of covariance (N - 1)/N Sigma, exactly,
and the mean adds, per dimension and on average over itself,

    test                 (1/N) (1/d) tr Sigma S(Sigma_hat)
    kl_sampled_target    (1/2N) (1/d) tr Sigma^-1 G(Sigma_hat) Sigma G(Sigma_hat)
    kl_target_sampled    (1/2N) (1/d) tr Sigma (G^2 / F)(Sigma_hat)

The middle one has two resolvents, R_i = (Sigma_hat - z_i)^{-1} ~ Q_i = (k_i Sigma - z_i)^{-1}, for which

    R_1 B R_2 ~ Q_1 B Q_2 + Q_1 Sigma Q_2 (q k_1 k_2 <s Q_1 B Q_2>) / (1 - q k_1 k_2 <s^2 Q_1 Q_2>)

with q = 1 / psi_n (e.g. Bai, Silverstein, Annals of Probability 32, 553 (2004)); B = Sigma, and traces are
averages over the spectrum. Its own corrections are of order 1/d^2, as in `one_point`.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Complex, Float

from simdiff.theory.linear_chain.one_point import SpectralLaw, companion, ellipse


class Training(NamedTuple):
    """The law of Sigma_hat; Sigma's own eigenvalues; 1/N if the samples' mean counts, else 0."""

    law: SpectralLaw
    eigenvalues: Float[np.ndarray, " s"]
    of_mean: float = 0.0


def training_law(
    eigenvalues: Float[np.ndarray, " s"],
    weights: Float[np.ndarray, " s"],
    psi_n: float,
    size: int | None,
    bias: bool,
) -> Training | None:
    """The training set's law, or None where a bias leaves a single sample no covariance."""
    if not bias or size is None:
        return Training(SpectralLaw(eigenvalues, weights, psi_n, size), eigenvalues)
    count = round(psi_n * size)
    if count < 2:
        return None
    law = SpectralLaw(eigenvalues * (count - 1) / count, weights, (count - 1) / size, size)
    return Training(law, eigenvalues, 1.0 / count)


def mean_divergence(
    training: Training,
    gain: Complex[np.ndarray, "t k"],
    offset: float,
    width: float,
) -> Float[np.ndarray, " t"]:
    """(1/d) tr Sigma^-1 G Sigma G with G given at the upper nodes of the contour of `one_point.rule`."""
    law, s = training.law, training.eigenvalues
    z, slopes = ellipse(law.support(), offset, width, gain.shape[1])
    k = -z * companion(law, z)
    weights = gain * (1j / gain.shape[1]) * slopes
    above = _kernel(law, s, (k, z), (k, z))
    across = _kernel(law, s, (k, z), (k.conj(), z.conj()))
    both = np.einsum("tj,jk,tk->t", weights, above, weights)
    mixed = np.einsum("tj,jk,tk->t", weights, across, weights.conj())
    return 0.5 * np.real(both + mixed)


def _kernel(
    law: SpectralLaw,
    s: Float[np.ndarray, " s"],
    first: tuple[np.ndarray, np.ndarray],
    second: tuple[np.ndarray, np.ndarray],
) -> Complex[np.ndarray, "j k"]:
    """(1/d) tr Sigma^-1 R_1 Sigma R_2 at pairs of nodes, each given by its k and z."""
    own, weights, q = law.eigenvalues, law.weights, 1.0 / law.psi_n
    one, two = (1.0 / (np.outer(k, own) - z[:, None]) for k, z in (first, second))

    def trace(w: np.ndarray) -> np.ndarray:
        return (one * (weights * w)) @ two.T

    pull = q * np.outer(first[0], second[0])
    return trace(np.ones_like(s)) + trace(own / s) * pull * trace(own * s) / (1.0 - pull * trace(own**2))
