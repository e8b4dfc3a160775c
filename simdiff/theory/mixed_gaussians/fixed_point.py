"""The fixed point behind minimisers on mixtures of Gaussians: many groups of rows, features of several types.

Rows of group g are Gaussian features of class c(g): f = M_c (W / sqrt d) y + noise. M_c is diagonal and
depends on the feature's type q, y has variance sigma_g(s) along eigenvector s, the noise variance b_g(q).
There are nu_g n rows of weight w_g / n in U. To leading order the mean resolvent of U is the one of a
matrix that no longer fluctuates,

    (U + ridge)^{-1} ~ (sum_g k_g C_g + ridge)^{-1},      k_g = nu_g w_g kappa_g,  C_g the covariance of f

with kappa_g the factor by which training shrinks a row's residual, and the diagonal of that one is theta_q
for features of type q:

    psi_n (1 - kappa_g) = w_g kappa_g P_g,   P_g = <sigma_g H_cc> + sum_q psi_q b_g(q) = lim (1/d) tr C_g Q
    1 / theta_q = ridge + sum_g k_g b_g(q) + <phi_q^T N phi_q>,       psi_q = psi_p share_q theta_q

where at every s, in a space of as many dimensions as there are types or classes, whichever are fewer,

    mu_c(q) = phi_q . L_c                       strength of the linear part of a feature of type q on class c
    A = sum_c L_c L_c^T sum_{g in c} k_g sigma_g,        Gamma = sum_q psi_q phi_q phi_q^T
    J = (1 + Gamma A)^{-1},  N = A J,  H = L^T J Gamma L

With one type this is D = 1 + gamma sum_g k_g S_g of `theory.denoising.fixed_point`, H = mu mu^T gamma / D.
A linear denoiser is the limit psi_p = infinity of one type with mu = 1, where psi_q = 1 / ridge.

Newton steps are taken in (log kappa, log theta) from a ridge so large that the solution is known. Let

    O_gh = <sigma_g sigma_h H_cc'^2>,   V_qg = b_g(q) + <sigma_g (phi_q^T J^T L_c)^2>
    Z_qq' = <(phi_q^T N phi_q')^2>
    Delta = diag(1 / theta) - Z diag(psi): an M-matrix with row sums ridge + sum_h k_h V_qh
    T = O + (psi V)^T Delta^{-1} V,     T_gh = lim (1/d) tr C_g Q C_h Q,     T_g0 = lim (1/d) tr C_g Q^2

then the Jacobian of the first equations is an M-matrix, too, with row sums psi_n kappa_g + w_g kappa_g
ridge T_g0 and entries w_g kappa_g k_h T_gh, and nothing is lost where a ridge is small.

Sources: George, Veiga, Macris, arXiv 2502.00336, for one class; leaving one row, feature or direction out,
as there.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from simdiff.theory.numerics.continuation import LONGEST_STEP, MOST_STEPS, NEAR, STRIDE
from simdiff.theory.numerics.m_matrix import solve_m_matrix

SETTLED, TOLERANCE = 1e-11, 1e-8
"""Newton stops at a step below the first; a point with a last step above the second has not converged."""


class Groups(NamedTuple):
    """Signal and noise of K classes, and what combines them into groups; see the module's notation.

    Axis a of `variances` (2, K, s) and `excess` (q, 2, K) is (signal, noise): rows of group (1, c), the
    means of a sample's draws, have signal + i noise, those of group (2, c), what is left of its draws,
    noise alone.
    """

    psi_n: float
    psi_p: float
    i: float
    a2: float
    h: float
    ridge: float
    probabilities: Float[np.ndarray, " K"]
    directions: Float[np.ndarray, " s"]
    variances: Float[np.ndarray, "2 K s"]
    excess: Float[np.ndarray, "q 2 K"]
    shares: Float[np.ndarray, " q"]
    phi: Float[np.ndarray, "q r"]
    loads: Float[np.ndarray, "r K"]

    @property
    def weights(self) -> Float[np.ndarray, "2 1"]:
        """w of groups 1 and 2."""
        return np.array([[1.0], [self.i]])

    @property
    def rows(self) -> Float[np.ndarray, "2 K"]:
        """nu w: k = rows * kappa."""
        return np.outer([1.0, 1.0 - self.i], self.probabilities)

    @property
    def combined(self) -> Float[np.ndarray, "2 2"]:
        """Groups 1 and 2 in terms of signal and noise."""
        return np.array([[1.0, self.i], [0.0, 1.0]])


class Look(NamedTuple):
    """What the equations amount to at some kappa (2, K) and theta (q,); `g` runs over (2 K,).

    `signals` are O and V of signal and noise, axis by axis, of which groups are combinations.
    """

    psi: Float[np.ndarray, " q"]
    inverse: Float[np.ndarray, "s r r"]
    forms: Float[np.ndarray, "s q K"]
    overlaps: Float[np.ndarray, "s K K"]
    signals: Signals
    cross: Float[np.ndarray, "g g"]
    V: Float[np.ndarray, "q g"]
    P: Float[np.ndarray, " g"]
    Z: Float[np.ndarray, "q q"]
    level: Float[np.ndarray, " q"]
    sums: Float[np.ndarray, " q"]


class Signals(NamedTuple):
    """O (`cross`) among signals and noises (2, K, 2, K), V (q, 2, K)."""

    cross: Float[np.ndarray, "2 K 2 K"]
    V: Float[np.ndarray, "q 2 K"]


class Solution(NamedTuple):
    """The solution, the response to it, and whether to believe it."""

    kappa: Float[np.ndarray, "2 K"]
    look: Look
    response: Response
    converged: bool


class Response(NamedTuple):
    """T, and the M-matrix of the Jacobian as row sums and entries."""

    T: Float[np.ndarray, "g g"]
    sums: Float[np.ndarray, " g"]
    entries: Float[np.ndarray, "g g"]


def solve(groups: Groups) -> Solution:
    """Follow the solution from a large ridge down to the one asked for. Never raises: look at `converged`."""
    far = max(_large_ridge(groups), groups.ridge)
    stages = math.ceil(math.log(far / groups.ridge) / STRIDE)
    stride = math.log(far / groups.ridge) / max(stages, 1)
    x = np.zeros(groups.rows.size + groups.shares.size)
    x[groups.rows.size :] = -math.log(far)
    with np.errstate(all="ignore"):  # what strays becomes nan, and is not converged
        for left in range(stages, 0, -1):
            here = groups._replace(ridge=groups.ridge * math.exp(left * stride))
            x, _ = _newton(here, x, NEAR)
            x = x - stride * _steps(here, x)[1]
        x, size = _newton(groups, x, SETTLED)
        kappa, theta = _parted(groups, x)
        found = look(groups, kappa, theta)
        sound = bool(np.isfinite(size) and size <= TOLERANCE)
        return Solution(kappa, found, respond(groups, kappa, found), sound)


def look(groups: Groups, kappa: Float[np.ndarray, "2 K"], theta: Float[np.ndarray, " q"]) -> Look:
    """All averages at a point."""
    at, phi, k = groups, groups.phi, groups.rows * kappa
    psi = theta if math.isinf(at.psi_p) else at.psi_p * at.shares * theta
    sizes = np.einsum("ab,bcs->acs", at.combined, at.variances)
    a = np.einsum("rc,cs,tc->srt", at.loads, np.einsum("ac,acs->cs", k, sizes), at.loads)
    gamma = (phi * psi[:, None]).T @ phi
    inverse = np.linalg.inv(np.eye(phi.shape[1]) + gamma @ a)
    forms = np.einsum("qr,srt,tc->sqc", phi, inverse.swapaxes(1, 2), at.loads, optimize=True)
    overlaps = np.einsum("rc,srt,td->scd", at.loads, inverse @ gamma, at.loads, optimize=True)
    narrow = np.einsum("qr,srt,pt->sqp", phi, a @ inverse, phi, optimize=True)
    weighted = at.variances * at.directions
    signals = Signals(
        np.einsum("acs,bds,scd->acbd", weighted, at.variances, overlaps**2),
        at.excess + np.einsum("acs,sqc->qac", weighted, forms**2),
    )
    count = k.size
    o = np.einsum("ij,jckd,lk->icld", at.combined, signals.cross, at.combined).reshape(count, count)
    v = np.einsum("ij,qjc->qic", at.combined, signals.V).reshape(-1, count)
    excess = np.einsum("ij,qjc->qic", at.combined, at.excess).reshape(-1, count)
    p = np.einsum("acs,scc->ac", sizes * at.directions, overlaps).ravel() + psi @ excess
    z = np.einsum("s,sqp->qp", at.directions, narrow**2)
    level = at.ridge + excess @ k.ravel() + np.einsum("s,sqq->q", at.directions, narrow)
    return Look(psi, inverse, forms, overlaps, signals, o, v, p, z, level, at.ridge + v @ k.ravel())


def settle(groups: Groups, found: Look, right: Float[np.ndarray, "q k"]) -> Float[np.ndarray, "q k"]:
    """Delta^{-1} right; zero for a linear denoiser, whose psi does not respond."""
    if math.isinf(groups.psi_p):
        return np.zeros_like(right)
    return solve_m_matrix(found.sums, found.Z * found.psi, right)


def respond(groups: Groups, kappa: Float[np.ndarray, "2 K"], found: Look) -> Response:
    """T and the Jacobian at a point."""
    flat, k = kappa.ravel(), (groups.rows * kappa).ravel()
    weights = np.broadcast_to(groups.weights, kappa.shape).ravel()
    strength = found.psi[:, None] * found.V
    settled = settle(groups, found, np.column_stack([found.V, np.full(found.psi.shape, groups.ridge)]))
    t = found.cross + strength.T @ settled[:, :-1]
    held = strength.sum(axis=0) if math.isinf(groups.psi_p) else strength.T @ settled[:, -1]
    pull = weights * flat
    return Response(t, groups.psi_n * flat + pull * held, np.outer(pull, k) * t)


def _steps(groups: Groups, x: Float[np.ndarray, " n"]) -> tuple[np.ndarray, np.ndarray]:
    """The Newton step at x = log (kappa, theta), and dx / d log ridge along the solution.

    Each equation enters as log(its positive terms / their constant), which Newton solves from afar.
    """
    kappa, theta = _parted(groups, x)
    found = look(groups, kappa, theta)
    answer = respond(groups, kappa, found)
    k, pull = (groups.rows * kappa).ravel(), (groups.weights * kappa).ravel()
    filled = groups.psi_n * kappa.ravel() + pull * found.P
    first = np.column_stack([filled * np.log(groups.psi_n / filled), np.zeros(k.size)])
    if math.isinf(groups.psi_p):
        moved = np.column_stack([np.zeros(1), -np.ones(1)])  # psi = 1 / ridge
    else:
        residual = -found.level * np.log(theta * found.level)
        moved = settle(groups, found, np.column_stack([residual, np.full(theta.size, -groups.ridge)]))
    strength = (found.psi[:, None] * found.V).T
    change = solve_m_matrix(answer.sums, answer.entries, first - pull[:, None] * (strength @ moved))
    both = np.concatenate([change, moved - settle(groups, found, found.V @ (k[:, None] * change))])
    return both[:, 0], both[:, 1]


def _newton(groups: Groups, x: np.ndarray, enough: float) -> tuple[np.ndarray, float]:
    """Newton's method at one ridge, and the length of the last step."""
    size = math.inf
    for _ in range(MOST_STEPS):
        step, _ = _steps(groups, x)
        size = float(np.max(np.abs(step)))
        x = x + step * min(1.0, LONGEST_STEP / max(size, 1e-300))
        if not size > enough:
            break
    return x, size


def _parted(groups: Groups, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """kappa and theta; of a linear denoiser theta is 1 / ridge, whatever x says."""
    kappa, theta = np.exp(x[: groups.rows.size]).reshape(groups.rows.shape), np.exp(x[groups.rows.size :])
    return kappa, np.full(1, 1.0 / groups.ridge) if math.isinf(groups.psi_p) else theta


def _large_ridge(groups: Groups) -> float:
    """A ridge at which theta = 1 / ridge and kappa = 1 to about ten percent."""
    strength = np.einsum("qr,rc->qc", groups.phi, groups.loads) ** 2
    linear = np.einsum("s,acs->ac", groups.directions, groups.variances).sum(axis=0) * strength
    variance = float((linear + groups.excess.sum(axis=1)).max())
    width = 1.0 if math.isinf(groups.psi_p) else 1.0 + groups.psi_p
    wide = 1.0 if math.isinf(groups.psi_p) else groups.psi_p
    return 10.0 * variance * (width + wide / groups.psi_n)
