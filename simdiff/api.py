"""Two of the verbs, predict and simulate, and the checked study of a point that validation begins with."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from simdiff.errors import InputError, check_integer
from simdiff.identity.description import flatten
from simdiff.parts.jax_settings import with_pinned_settings
from simdiff.problem import MOST_TRIALS, Metric, Problem
from simdiff.theory import evaluate, load

if TYPE_CHECKING:
    import pandas as pd

    from simdiff.engine.sizes import Sizes
    from simdiff.validation.study import Study

LARGEST_SIZE = 10**9
"""Far beyond what can be simulated; counts of eigenvalues are still exact integers."""

TheorySpec = str | Callable[[Problem], Mapping[str, Any]] | None


def predict(problem: Problem, theory: TheorySpec = None, d: int | None = None) -> dict[str, Any]:
    """What the theory says: {metric: float, or array over `problem.times`}.

    Args:
        problem: the problem.
        theory: a built-in name, an import path "package.module:name", a callable problem -> mapping, or
            None for the problem's own.
        d: evaluate at the ratios that size d really has after rounding; None: at the nominal ones.

    Raises:
        InputError: no such theory, or one that does not cover this problem.
    """
    check_problem(problem)
    at = problem if d is None else problem.at_size(check_integer("d", d, least=1, most=LARGEST_SIZE))
    return evaluate(load(theory, problem), at)


def simulate(
    problem: Problem, d: int | None = None, trials: int = 8, seed: int = 0, dtype: str = "auto"
) -> pd.DataFrame:
    """Run Monte-Carlo trials: one row per trial (and time), metrics as columns.

    A trial's numbers depend on (problem, d, seed, trial index) alone.

    Args:
        problem: the problem.
        d: the size; None: the only one that the data have, else 200.
        trials: how many; trial i is the same whatever this number.
        seed: an integer from 0 to 2^32 - 1.
        dtype: "float32", "mixed", "float64", or "auto", the fastest that is accurate enough.

    Raises:
        InputError: a bad argument, or more memory needed than there is, before anything is computed.
    """
    import pandas as pd

    from simdiff import engine

    check_problem(problem)
    only = problem.only_size
    d = (200 if only is None else only) if d is None else check_integer("d", d, least=1)
    if only is not None and d != only:
        raise InputError("d", d, f"{only}", "the data have this one size")
    count = check_integer("trials", trials, least=1, most=MOST_TRIALS)
    engine.check_memory(problem, d, field="d")
    frames = engine.run_trials(problem, d, engine.check_seed(seed), range(count), dtype)
    return pd.concat(frames).sort_values("trial", kind="stable", ignore_index=True)


@with_pinned_settings
def make_study(
    problem: Problem,
    theory: TheorySpec,
    sizes: Sizes | None,
    precision: float,
    alpha: float,
    seed: int,
    max_trials: int,
    dtype: str,
    facts: Mapping[str, Any] | None = None,
    *,
    here: bool = True,
    extrapolation: Any = None,
    absolute: float = 0.0,
    theory_name: str = "",
) -> Study:
    """Check everything that can be checked before the first trial.

    `here`: trials will run on this machine, whose memory must suffice.
    """
    from simdiff import engine
    from simdiff.validation import Rule
    from simdiff.validation.study import Study

    check_problem(problem)
    rounded = engine.whole_sizes(problem, sizes)
    if len(set(rounded)) < len(rounded):
        raise InputError(
            "sizes",
            [] if sizes is None else list(sizes),
            "sizes farther apart",
            f"they become {rounded} for whole n and p",
        )
    pilot = min(12, check_integer("max_trials", max_trials, least=4))
    rule = Rule(
        precision=precision,
        alpha=alpha,
        sizes=rounded,
        min_trials=pilot,
        max_trials=max_trials,
        batch=1,
        extrapolate=problem.only_size is None and problem.has_limit,
        extrapolation=extrapolation,
        absolute=absolute,
    )
    for d in rounded if here else ():
        engine.check_memory(problem, d)
    if not problem.on_host:
        problem.kernel(rounded[-1], dtype)
    chosen = load(theory, problem) if theory is not None or problem.default_theory is not None else None
    told = facts or {}
    study = Study(problem, chosen, rounded, rule, engine.check_seed(seed), dtype, told, theory_name)
    _ = study.predictions
    return study


def check_problem(problem: Any) -> None:
    """Raise `InputError` unless it is a problem with metrics, whose names and fields tables can hold."""
    from simdiff.store import check_metric_names
    from simdiff.validation import check_fields

    if not isinstance(problem, Problem):
        raise InputError("problem", problem, "an instance of a simdiff.Problem")
    owner, metrics = type(problem).__name__, tuple(problem.metrics)
    if hasattr(problem, "realised"):
        hint = "rename the method: the contract calls it at_size(d) now"
        raise InputError(f"{owner}.realised", "a method", "at_size(d)", hint)
    if not metrics or not all(isinstance(metric, Metric) for metric in metrics):
        raise InputError(f"{owner}.metrics", metrics, "one simdiff.Metric or more")
    if problem.on_host and type(problem).trial is not Problem.trial:
        raise InputError(owner, "trial() and trial_host()", "one of them")
    check_metric_names(owner, [metric.name for metric in metrics])
    check_fields(owner, flatten(problem.describe()))
