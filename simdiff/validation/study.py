"""As many trials as a rule asks for, from a store that may hold some of them already.

The number of trials is decided in stages, each from the trials of the stages before it alone. A run
that was interrupted therefore takes the same decisions again and ends with the same trials, and trials
that another run left behind are used only where this one would have asked for them.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol, runtime_checkable

import numpy as np
import pandas as pd

from simdiff import engine
from simdiff.errors import InputError
from simdiff.problem import Problem
from simdiff.theory import evaluate
from simdiff.validation import Hypothesis, Rule, hypotheses, next_trials

Progress = Callable[[int, int, int], None]
"""`progress(d, trials finished, trials wanted)` after every batch and every decision."""


@runtime_checkable
class TrialStore(Protocol):
    """Where trial rows are kept: a run folder, or memory."""

    def trials(self, point: str, d: int, seed: int) -> pd.DataFrame:
        """Stored rows."""

    def append(self, frame: pd.DataFrame) -> Any:
        """Keep rows."""


@runtime_checkable
class KeepsCheckpoints(Protocol):
    """A store that can keep the state of trials that are under way, too."""

    def checkpoints(self, point: str, facts: Mapping[str, Any]) -> engine.Keeper:
        """Where that of a point is kept; `facts`: what numbers depend on beside the problem."""


class InMemoryTrials:
    """Trial rows kept for the life of the process."""

    def __init__(self) -> None:
        self._rows: dict[tuple[str, int, int], list[pd.DataFrame]] = {}

    def trials(self, point: str, d: int, seed: int) -> pd.DataFrame:
        """Rows appended so far."""
        frames = self._rows.get((point, d, seed), [])
        return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame({"trial": []})

    def append(self, frame: pd.DataFrame) -> None:
        """Keep rows of one point, size and seed."""
        first = frame.iloc[0]
        self._rows.setdefault((first["point"], int(first["d"]), int(first["seed"])), []).append(frame)


@dataclasses.dataclass(frozen=True)
class Study:
    """One point under one rule: what is simulated, and what it is compared with."""

    problem: Problem
    theory: Callable[[Problem], Mapping[str, Any]] | None
    sizes: tuple[int, ...]
    rule: Rule
    seed: int = 0
    dtype: str = "auto"
    facts: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    """Columns added to every row: versions, commit."""
    theory_name: str = ""
    """Where several theories are compared with the same trials: which one this is."""

    @functools.cached_property
    def point(self) -> str:
        """The problem's digest, with the arithmetic where one was asked for."""
        suffix = "" if self.dtype == "auto" else f"-{self.dtype}"
        return self.problem.digest() + suffix

    @functools.cached_property
    def predictions(self) -> tuple[dict[str, Any], dict[int, dict[str, Any]]]:
        """The theory at the nominal ratios and at those of each size; {} without a theory.

        Where nothing is extrapolated, those of the only size take the place of the nominal ones.
        """
        if self.theory is None:
            return {}, {d: {} for d in self.sizes}
        with raised_by_theory(self.theory, [self.problem]):
            at = {d: evaluate(self.theory, self.problem.at_size(d)) for d in self.sizes}
            return evaluate(self.theory, self.problem) if self.rule.extrapolate else at[self.sizes[0]], at

    def hypotheses(self, rows: pd.DataFrame) -> list[Hypothesis]:
        """Every compared metric (and time) with the trials in `rows`; theory at the realised ratios."""
        nominal, at = self.predictions
        compared = [metric for metric in self.problem.metrics if metric.compare]
        eps = _relative_rounding(rows)
        return hypotheses(
            rows,
            [metric.name for metric in compared],
            self.sizes,
            theory=nominal,
            theory_at=at,
            times=self.problem.times,
            point=self.point,
            roundings={metric.name: metric.rounding(eps) for metric in compared},
            theory_name=self.theory_name,
            approximate=self.problem.approximate,
        )


def _relative_rounding(rows: pd.DataFrame) -> float:
    """The coarsest arithmetic among the trials."""
    kinds = {*rows["dtype"].dropna()} if "dtype" in rows else set()
    return float(np.finfo(np.float32 if kinds & {"float32", "mixed"} else np.float64).eps)


def collect(study: Study, store: TrialStore, progress: Progress | None = None) -> list[Hypothesis]:
    """Run what is missing until the rule is satisfied or its limits are reached."""
    totals = dict.fromkeys(study.sizes, 0)
    items = study.hypotheses(rows_below(study, store, totals))
    while (wanted := next_totals(study, items)) != totals:
        for d, count in wanted.items():
            fill(study, store, d, count, progress)
        totals, items = wanted, study.hypotheses(rows_below(study, store, wanted))
    return items


class Replay(NamedTuple):
    """What is known without running anything."""

    items: list[Hypothesis]
    lacking: dict[int, int]
    """{d: trials that the first unfinished stage lacks}; {} when the rule asks for no more."""


def replay(study: Study, store: TrialStore) -> Replay:
    """What `collect` would return if it stopped at the first trial that the store lacks; runs nothing."""
    totals, lacking = dict.fromkeys(study.sizes, 0), dict[int, int]()
    items = study.hypotheses(rows_below(study, store, totals))
    while not lacking and (wanted := next_totals(study, items)) != totals:
        rows = rows_below(study, store, wanted)
        totals, items = wanted, study.hypotheses(rows)
        there = rows[["d", "trial"]].drop_duplicates()["d"].value_counts()
        lacking = {d: count - int(there.get(d, 0)) for d, count in wanted.items() if there.get(d, 0) < count}
    return Replay(items, lacking)


@contextlib.contextmanager
def raised_by_theory(theory: Any, problems: Sequence[Problem]) -> Iterator[None]:
    """Turn whatever a theory raises into one line that names it, the problem, the error and its place.

    Raises:
        InputError: in place of any other exception.
    """
    try:
        yield
    except InputError:
        raise
    except Exception as error:
        frames = traceback.extract_tb(error.__traceback__)
        last = [frame for frame in frames if "site-packages" not in frame.filename][-1]
        asked = problems[0].describe() if len(problems) == 1 else f"{len(problems)} points"
        raise InputError(
            f"theory {_name(theory)}",
            f"{type(error).__name__}: {error} ({Path(last.filename).name}, line {last.lineno})",
            "a number, or nan, at every point",
            f"raised for {asked}",
        ) from error


def _name(theory: Any) -> str:
    if theory is None or isinstance(theory, str):
        return theory or "of the problem"
    known = hasattr(theory, "__qualname__")
    return f"{theory.__module__}:{theory.__qualname__}" if known else type(theory).__name__


def fill(study: Study, store: TrialStore, d: int, count: int, progress: Progress | None) -> None:
    """Run the trials below `count` that the store lacks."""
    done = {int(trial) for trial in store.trials(study.point, d, study.seed)["trial"]}
    keeper = store.checkpoints(study.point, study.facts) if isinstance(store, KeepsCheckpoints) else None
    if keeper is not None:
        keeper.clear(d, study.seed, done)
    missing = [trial for trial in range(count) if trial not in done]
    report = progress or (lambda d, finished, wanted: None)
    report(d, count - len(missing), count)
    if not missing:
        return
    finished = count - len(missing)
    named: dict[str, Any] = {} if keeper is None else {"keeper": keeper}
    for frame in engine.run_trials(study.problem, d, study.seed, missing, study.dtype, **named):
        store.append(frame.assign(point=study.point, **study.facts))
        finished += frame["trial"].nunique()
        report(d, finished, count)


def rows_below(study: Study, store: TrialStore, totals: Mapping[int, int]) -> pd.DataFrame:
    """The stored rows of the trials below `totals`."""
    frames = []
    for d, count in totals.items():
        rows = store.trials(study.point, d, study.seed)
        frames.append(rows[rows["trial"] < count])
    frames = [frame for frame in frames if len(frame)]
    if frames:
        return pd.concat(frames, ignore_index=True)
    names = [metric.name for metric in study.problem.metrics]
    return pd.DataFrame(columns=["d", "trial", "status", "time", *names])


def next_totals(study: Study, items: list[Hypothesis]) -> dict[int, int]:
    """The trials wanted next, rounded up."""
    costs = {d: study.problem.cost(d) for d in study.sizes}
    sizes = {d: engine.stage_size(study.problem, d) for d in study.sizes}
    wanted = next_trials(items, study.rule, costs)
    whole = {d: -(-count // sizes[d]) * sizes[d] for d, count in wanted.items()}
    return {d: max(count, min(whole[d], study.rule.max_trials)) for d, count in wanted.items()}
