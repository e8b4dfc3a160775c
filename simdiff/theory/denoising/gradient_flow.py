"""Learning curves in training time: the random-feature score under gradient flow from zero.

Training to time tau makes B = -V^T phi(U) (`filters`), a superposition of ridge solutions at complex
ridges along a contour around the spectrum of U (`contour`) with weights w_j. Errors follow from theirs:

    b(tau) = sum_j w_j b_j                     mean output, along each eigen-direction
    test   = <floor + (b - b*)^2 (a^2 s + h) / h> + sum_ij w_i w_j <test form>_ij
    memorization = <(1 - b)^2>                    + sum_ij w_i w_j <memorization form>_ij
    score  = (test - floor) / h, never computed as a difference

(`pair_response` has the forms). What concerns training pairs alone needs one contour only: with Q(z) the
minimised loss at ridge -z,

    train     = (1/2 pi i) oint psi(z)^2 Q(z) dz / z
    objective = train + ridge |B|^2 / d,   |B|^2 / d = (1/2 pi i) oint phi(z)^2 Q(z) dz

One contour serves all times. Rules with a half and a quarter of its nodes come for free and say how
accurate it is; nodes are added until that is enough.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Complex, Float

from simdiff.errors import InputError, check_number
from simdiff.parts.registry import register
from simdiff.theory.denoising.contour_region import feature_variance, region_of
from simdiff.theory.denoising.gaussian_equivalence import ConvergenceWarning
from simdiff.theory.denoising.inputs import (
    bayes_floor,
    gaussian_floor,
    inputs_of_many,
    parts_of,
    place_of,
    power_of_four,
)
from simdiff.theory.denoising.learning_curve import TheoryInputs
from simdiff.theory.denoising.pair_response import (
    ContourResponse,
    Nodes,
    contour_response,
    mean_output,
    moments,
    ridge_objective,
    signal_strength,
    solve_nodes,
)
from simdiff.theory.numerics.contour import Contour, Region, contour_in
from simdiff.theory.numerics.filters import Filter, training_filter
from simdiff.theory.numerics.vanishing import Estimate, Training, refined_train_errors, train_errors
from simdiff.theory.protocols import Described, takes_time

INTERVALS = (128, 256, 512)
"""Numbers of intervals on the upper half of the contour: few, because each is compiled."""

TOLERANCE = 1e-6
"""Estimated error, relative to 1 + the value, at which no more nodes are added. The estimate is some
hundred times the error."""

ROUNDING = 1e-13
"""What the error estimate adds for rounding."""

PerTime = Float[np.ndarray, " t"]
PerPart = Float[np.ndarray, "g t"]


class FlowCurves(NamedTuple):
    """Errors at every time (columns), averaged over the eigen-directions of each part (rows).

    `error` estimates the largest error of any number here, relative to 1 + its size. `converged` is
    False where the numbers must not be used: a fixed point was not found, the contour does not hold the
    whole spectrum, or the error estimate is not below `TOLERANCE` with the most nodes.
    """

    test: PerPart
    train: PerPart
    score: PerPart
    memorization: PerPart
    objective: PerPart
    error: float
    converged: bool
    intervals: int


def flow_curves(
    setting: TheoryInputs,
    times: Sequence[float] | PerTime,
    step: float = 0.0,
    parts: Float[np.ndarray, "g s"] | None = None,
) -> FlowCurves:
    """Errors of training from zero, at `setting.ridge` >= 0, at the given times.

    Args:
        setting: NumPy arrays or floats.
        times: tau > 0, in the unit of dB/dtau = -(B (U + ridge) + V^T); descent of step eta on the loss
            L(A) has tau = 2 eta h k / (d p) after k steps.
        step: 0 for gradient flow; otherwise of descent with this step in units of tau, and times are
            whole multiples of it.
        parts: weights of eigen-directions, one row a part; by default the total. `np.eye(s)` resolves
            the errors by direction.

    Raises:
        InputError: times that are not positive and sorted or no multiples of the step, or a step at
            which descent diverges.
    """
    times, step = check_times(times), check_number("trainer.step", step, least=0)
    parts = np.asarray(setting.weights)[None, :] if parts is None else np.asarray(parts)
    region = region_of(setting, float(times[-1]), step)
    traced = _traced(setting)
    for intervals in INTERVALS[_first_choice(region) :]:
        contour = contour_in(region, intervals)
        response = jax.tree.map(np.asarray, contour_response(traced, jnp.asarray(contour.nodes)))
        rules = [_rule(contour, response.nodes, stride) for stride in (1, 2, 4)]
        filters = [training_filter(r.contour.nodes, times, float(setting.ridge), step) for r in rules]
        nested = _errors(setting, response, rules, filters, parts)
        error = _estimated_error(*nested)
        if not error > TOLERANCE:  # more nodes do not mend a nan
            break
    sound = bool(response.nodes.converged.all()) and _holds_spectrum(setting, contour, response.nodes)
    test, score, memorization, penalty = nested[0]
    converged = sound and error <= TOLERANCE
    training = Training(times, float(setting.ridge), step)
    train, off = _train_errors(setting, region, contour, response.nodes, training, parts)
    error = max(error, float(np.max(np.nan_to_num(off * np.abs(train) / (1.0 + np.abs(train))))))
    return FlowCurves(test, train, score, memorization, train + penalty, error, converged, intervals)


def _train_errors(
    setting: TheoryInputs,
    region: Region,
    contour: Contour,
    nodes: Nodes,
    training: Training,
    parts: np.ndarray,
) -> Estimate:
    """Train errors at full relative accuracy; nan where they are lost in rounding."""

    def probe(z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        at = jax.tree.map(np.asarray, solve_nodes(_traced(setting), jnp.asarray(z)))
        trace = np.where(at.converged, at.gamma, math.nan) / float(setting.psi_p)
        return np.asarray(ridge_objective(setting, at)) @ parts.T, trace

    outer = train_errors(contour, np.asarray(ridge_objective(setting, nodes)) @ parts.T, training)
    pairs = math.inf if setting.i == 0 else float(setting.psi_n / setting.i)
    return refined_train_errors(outer, probe, pairs / float(setting.psi_p), region, training)


def _traced(setting: TheoryInputs) -> TheoryInputs:
    return TheoryInputs(*(jnp.asarray(field, dtype=jnp.float64) for field in setting))


def check_times(times: Any) -> PerTime:
    """Times as an array: at least one, positive, finite, in ascending order."""
    allowed = "positive finite times in ascending order"
    try:
        array = np.asarray(times, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise InputError("trainer.times", times, allowed) from error
    if array.ndim != 1 or array.size == 0 or not np.isfinite(array).all():
        raise InputError("trainer.times", times, allowed)
    if array[0] <= 0:
        raise InputError("trainer.times", float(array[0]), allowed, "at time 0 the network is zero")
    if (np.diff(array) < 0).any():
        raise InputError("trainer.times", times, allowed, "sort them")
    return array


def _first_choice(region: Region) -> int:
    """The first rule worth trying: the error falls geometrically in intervals / length of the segment."""
    first, last = region.segment()
    return sum(intervals < 6.0 * (last - first) for intervals in INTERVALS[:-1])


class _Rule(NamedTuple):
    """A rule of every `stride`-th node."""

    stride: int
    contour: Contour
    nodes: Nodes


def _rule(contour: Contour, nodes: Nodes, stride: int) -> _Rule:
    return _Rule(stride, contour.thinned(stride), jax.tree.map(lambda leaf: leaf[::stride], nodes))


def _errors(
    setting: TheoryInputs,
    response: ContourResponse,
    rules: Sequence[_Rule],
    filters: Sequence[Filter],
    parts: Float[np.ndarray, "g s"],
) -> list[list[PerPart]]:
    """By every rule: test, score, memorization, and the ridge's part of the objective."""
    weights = [-made.solution * rule.contour.measure for rule, made in zip(rules, filters, strict=True)]
    spreads = _fluctuations(setting, response, rules, weights, parts)
    variance = setting.a2 * setting.eigenvalues + setting.h
    floor = parts @ (1.0 - setting.h / variance)
    found = []
    for rule, made, weight, (test, memorization) in zip(rules, filters, weights, spreads, strict=True):
        b = 2.0 * np.real(weight @ mean_output(setting, rule.nodes)).T
        gap = (b - (setting.h / variance)[:, None]) ** 2 * (variance / setting.h)[:, None]
        excess = parts @ gap + test
        memorization = parts @ (1.0 - b) ** 2 + memorization
        penalty = setting.ridge * _squared_norm(setting, rule, made, parts)
        found.append([floor[:, None] + excess, excess / setting.h, memorization, penalty])
    return found


def _squared_norm(
    setting: TheoryInputs, rule: _Rule, made: Filter, parts: Float[np.ndarray, "g s"]
) -> PerPart:
    """|B|^2 / d."""
    loss = ridge_objective(setting, rule.nodes) @ parts.T
    return 2.0 * np.real((made.solution**2 * rule.contour.measure) @ loss).T


def _fluctuations(
    setting: TheoryInputs,
    response: ContourResponse,
    rules: Sequence[_Rule],
    weights: Sequence[Complex[np.ndarray, "t _"]],
    parts: Float[np.ndarray, "g s"],
) -> Float[np.ndarray, "r 2 g t"]:
    """sum_ij w_i w_j <form>_ij over the whole contour: by every rule, for test and memorization."""
    inverse, signal = response.nodes.inverse, signal_strength(setting)
    both = np.concatenate([inverse, inverse.conj()])
    found = np.empty((len(rules), 2, len(parts), len(weights[0])))
    for g, part in enumerate(parts):
        held = part != 0.0
        powers = moments(signal[held], part[held], inverse[:, held], both[:, held])
        for k, form in enumerate(response.pairs):
            average = sum(c * power for c, power in zip(form, powers, strict=True))
            near, far = np.hsplit(average, 2)
            for r, (rule, w) in enumerate(zip(rules, weights, strict=True)):
                step = slice(None, None, rule.stride)
                products = (w @ near[step, step]) * w + (w @ far[step, step]) * w.conj()
                found[r, k, g] = 2.0 * np.real(products.sum(axis=1))
    return found


def _estimated_error(fine: list[PerPart], half: list[PerPart], quarter: list[PerPart]) -> float:
    """The error of `fine`, from above: with every doubling of nodes it falls by a growing factor.

    (It is squared, up to constants.) nan where a value is nan.
    """

    def distance(left: list[PerPart], right: list[PerPart]) -> float:
        pairs = zip(left, right, strict=True)
        return float(np.max([np.max(np.abs(a - b) / (1.0 + np.abs(b))) for a, b in pairs]))

    first, second = distance(quarter, half), distance(half, fine)
    return ROUNDING + second * min(1.0, second / (first + ROUNDING))


def _holds_spectrum(setting: TheoryInputs, contour: Contour, nodes: Nodes) -> bool:
    """Whether the contour holds every eigenvalue: their number and their sum are known exactly.

    It holds by construction; this would notice a fixed point on a wrong branch, too.
    """
    density = -contour.measure * nodes.gamma / float(setting.psi_p)
    number, total = (2.0 * np.sum(density * power).real for power in (1.0, contour.nodes))
    off = max(abs(number - 1.0), abs(total / feature_variance(setting) - 1.0))
    return bool(off < 1e-6)


@register("theory", "gradient_flow")
def predict(problem: Any) -> dict[str, PerTime]:
    """Limits of the problem's metrics as d grows, each an array over `problem.trainer.times`.

    test, train, memorization and objective for every data law with a spectrum; score and floor where the
    Bayes floor is known; test_parallel and test_orthogonal where the problem lists them. The trainer
    is a `GradientFlow`, or any with `training_times` and `ridge` >= 0; with a `step` > 0 it is descent (see
    `flow_curves`), and without one whatever optimiser it is is compared with the flow. A curve whose
    accuracy cannot be vouched for is nan, with a `ConvergenceWarning` that names it; so is a train error
    that is lost in rounding.

    Raises:
        InputError: another trainer, data without `spectrum()`, a model without `psi_p` and
            `activation`, or a value outside its range.
    """
    return predict_many([problem])[0]


def predict_many(problems: Sequence[Any]) -> list[dict[str, PerTime]]:
    """`predict` for every problem; problems with spectra of similar length share one compilation."""
    settings = inputs_of_many(problems, [_ridge(problem) for problem in problems])
    return [_row(problem, setting) for problem, setting in zip(problems, settings, strict=True)]


predict.many = predict_many  # type: ignore[attr-defined]


def _ridge(problem: Described) -> float:
    trainer = getattr(problem, "trainer", None)
    if not takes_time(trainer):
        hint = "gradient_flow describes training from zero in time; use trainer=GradientFlow(...)"
        raise InputError("trainer", type(trainer).__name__, "a trainer with training_times", hint)
    return check_number("trainer.ridge", problem.trainer.ridge, least=0)


def _row(problem: Described, setting: TheoryInputs) -> dict[str, PerTime]:
    step = problem.trainer.step
    parts = {"": np.asarray(setting.weights)} | parts_of(setting)
    padded, weights = _padded(setting, np.stack(list(parts.values())))
    curves = flow_curves(padded, problem.trainer.training_times, step, weights)
    values = {name: getattr(curves, name)[0] for name in ("test", "train", "memorization", "objective")}
    values |= {name: curves.test[k] for k, name in enumerate(parts) if k > 0}
    floor = bayes_floor(problem, setting)
    if floor is not None:
        values["floor"] = np.full_like(values["test"], floor)
        values["score"] = curves.score[0] + (gaussian_floor(setting) - floor) / setting.h
    lost = np.asarray(problem.trainer.training_times)[np.isnan(values["train"])]
    if lost.size and curves.converged:
        message = f"the train error at {place_of(problem)}, time {lost[0]:.4g} is lost in rounding: it is nan"
        warnings.warn(message, ConvergenceWarning, stacklevel=4)
    if not curves.converged:
        message = f"no reliable learning curve at {place_of(problem)} (error {curves.error:.1g}): it is nan"
        warnings.warn(message, ConvergenceWarning, stacklevel=4)
        values = {name: np.full_like(value, math.nan) for name, value in values.items()}
    return {m.name: values[m.name] for m in problem.metrics if m.name in values}


def _padded(setting: TheoryInputs, parts: np.ndarray) -> tuple[TheoryInputs, np.ndarray]:
    """Spectra padded to a power of four of atoms, 4 or more: one compilation then serves many lengths."""
    atoms = setting.eigenvalues.size
    more = max(4, power_of_four(atoms)) - atoms
    spectrum = {name: np.pad(getattr(setting, name), (0, more)) for name in ("eigenvalues", "weights")}
    return TheoryInputs(**(setting._asdict() | spectrum)), np.pad(parts, ((0, 0), (0, more)))
