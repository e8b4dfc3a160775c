"""What a validation will take, before it is run: trials, seconds, memory, and what it will be able to see.

The plan runs what the validation would begin with, its pilot stage, with the same trials, and asks the rule
how many more it would want (`simdiff.run.pilots`). In a sweep some points have a whole pilot. The others have
one at their smallest size, and their other trials are taken to last as long, by cost, as those nearest in
cost that ran.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from simdiff import engine
from simdiff.api import check_problem
from simdiff.errors import InputError
from simdiff.parts.jax_settings import with_pinned_settings
from simdiff.problem import Problem
from simdiff.run.pilots import Pilot, pilot
from simdiff.run.verbs import Theories, make_studies, points_of
from simdiff.validation import Rule, fit_limit, sequential_stderr
from simdiff.validation.corrections import Corrections
from simdiff.validation.study import InMemoryTrials, Study, TrialStore

if TYPE_CHECKING:
    import pandas as pd

    from simdiff.engine.sizes import Sizes

POWER = 0.8
"""The chance with which the smallest deviation of a plan is seen."""


PILOTS, PILOT_SECONDS = 4, 60.0
"""Of a sweep so many points have a whole pilot, and none takes longer than this at one size."""


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Plan:
    """What `simdiff.plan` expects.

    table: one row for each point and size: parameters that vary, d, trials (all that will be run), seconds
        (of these trials), bytes (of one trial; nan where the problem does not say), piloted.
    detectable: one row for each point with a pilot and metric: the smallest deviation of a theory that is
        rejected with 80% power, absolute and relative to the theory (or to the estimate without one).
    compile_seconds: of all programs.
    """

    table: pd.DataFrame
    detectable: pd.DataFrame
    compile_seconds: float
    rule: Rule

    @property
    def trials(self) -> int:
        """How many trials there will be."""
        return int(self.table["trials"].sum())

    @property
    def seconds(self) -> float:
        """How long trials and compilation will take on this machine."""
        return float(self.table["seconds"].sum()) + self.compile_seconds

    @property
    def bytes(self) -> float:
        """Memory that the largest trial needs; nan where no problem says."""
        return float(self.table["bytes"].max())

    def __str__(self) -> str:
        smallest = self.detectable["relative"].max()
        compiling, memory = duration(self.compile_seconds), size(self.bytes)
        return (
            f"{self.trials} trials, {duration(self.seconds)}, {compiling} of it compilation; "
            f"{memory} for the largest trial; whichever metric it is, a theory that is {smallest:.2%} "
            f"off is rejected in {POWER:.0%} of such runs"
        )

    def __repr__(self) -> str:
        return f"Plan({self})"

    def _repr_html_(self) -> str:
        return f"<p>{self}</p>{self.table.to_html(index=False, float_format=lambda v: f'{v:.3g}')}"


def duration(seconds: float) -> str:
    """A time for people: 45 s, 12 min, 3.5 h."""
    if seconds < 90:
        return f"{seconds:.2g} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def size(count: float) -> str:
    """A number of bytes for people."""
    if not np.isfinite(count):
        return "unknown memory"
    unit = min(int(np.log2(max(count, 1)) // 10), 4)
    return f"{count / 1024**unit:.3g} {('B', 'KiB', 'MiB', 'GiB', 'TiB')[unit]}"


def plan(
    problem: Problem,
    axes: Mapping[str, Sequence[Any]] | None = None,
    theory: Theories = None,
    sizes: Sizes | None = None,
    precision: float = 0.005,
    alpha: float = 0.05,
    seed: int = 0,
    max_trials: int = 512,
    dtype: str = "auto",
    extrapolation: Any = None,
    absolute: float = 0.0,
    pilots: int = PILOTS,
    pilot_seconds: float = PILOT_SECONDS,
) -> Plan:
    """What `validate` or `sweep` with the same arguments would take, from its first trials.

    Args:
        problem: as for `sweep`.
        axes: as for `sweep`; None: the problem alone.
        theory: as for `validate`.
        sizes: as for `validate`.
        precision: as for `validate`.
        alpha: as for `validate`.
        seed: as for `validate`.
        max_trials: as for `validate`.
        dtype: as for `validate`.
        extrapolation: as for `validate`.
        absolute: as for `validate`.
        pilots: of a sweep at most this many points have a pilot at every size, spread over their costs; the
            others have one at their smallest size.
        pilot_seconds: a size whose pilot would take longer has none.

    Raises:
        InputError: a bad argument, before anything is computed.
    """
    check_problem(problem)
    settings = {
        **{"sizes": sizes, "precision": precision, "alpha": alpha, "seed": seed, "max_trials": max_trials},
        **{"dtype": dtype, "extrapolation": extrapolation, "absolute": absolute},
    }
    studies = make_studies(points_of(problem, axes or {}), theory, settings, {})
    points = list({study.point: study for study in studies}.values())
    return planned(points, InMemoryTrials(), pilots, pilot_seconds)


@with_pinned_settings
def planned(studies: Sequence[Study], store: TrialStore, pilots: int, pilot_seconds: float) -> Plan:
    """The plan of some points; trials that the store has are not run again."""
    if pilots < 1 or pilot_seconds <= 0:
        raise InputError("pilots", (pilots, pilot_seconds), "one point or more, and some seconds")
    whole = _spread(studies, pilots)
    found = {i: pilot(studies[i], store, pilot_seconds) for i in whole}
    sketches = {i: _sketch(studies[i], store, pilot_seconds) for i in range(len(studies)) if i not in found}
    known = {**found, **sketches}
    timed = [pair for i in known for pair in _timed(studies[i], known[i])]
    rows = [row for i, one in known.items() for row in _rows(studies[i], one, timed, i in found)]
    family = len(studies) * len(next(iter(found.values())).items)
    seen = [row for i, one in found.items() for row in detectable(one, studies[i], family)]
    compiling = _compiling(studies, known.values())
    return Plan(_with_parameters(rows, studies), _with_parameters(seen, studies), compiling, studies[0].rule)


def _spread(studies: Sequence[Study], count: int) -> list[int]:
    """Which points have a whole pilot: `count` of them, spread over their costs."""
    order = np.argsort([_cost(study) for study in studies], kind="stable")
    return sorted({int(order[round(i)]) for i in np.linspace(0, len(order) - 1, min(count, len(order)))})


def _cost(study: Study) -> float:
    return float(sum(map(study.problem.cost, study.sizes)))


def _sketch(study: Study, store: TrialStore, most: float) -> Pilot:
    """A pilot at the smallest size alone: how many trials a point needs varies more than what they take."""
    return pilot(study, store, most, study.sizes[:1])


def _compiling(studies: Sequence[Study], pilots: Iterable[Pilot]) -> float:
    """Seconds of all programs, each counted once however many points share it.

    Those that no pilot compiled take as long as the median of the others. That later ones are compiled while
    trials run saves little: both use all cores.
    """
    known: dict[Hashable, float] = {}
    for one in pilots:
        known = {**one.compiling, **known}
    keys = {engine.program_key(s.problem, d, s.dtype) for s in studies for d in s.sizes} - {None}
    usual = float(np.median([*known.values()])) if known else 0.0
    return sum(known.get(key, usual) for key in keys)


def _with_parameters(rows: list[dict[str, Any]], studies: Sequence[Study]) -> pd.DataFrame:
    """A table with the parameters that vary in front, and the digest of the point last."""
    import pandas as pd

    from simdiff.report.plots.columns import varying
    from simdiff.run.contents import parameters

    known = pd.DataFrame([parameters(study) for study in studies])
    whole = known[[*varying(known), "point"]].merge(pd.DataFrame(rows), on="point")
    return whole[[name for name in whole if name != "point"] + ["point"]]


def _timed(study: Study, found: Pilot) -> list[tuple[float, float]]:
    """(cost, seconds) of a trial at every size that had some."""
    return [(study.problem.cost(d), found.seconds[d]) for d in found.timed]


def _seconds(cost: float, timed: Sequence[tuple[float, float]]) -> float:
    """Of a trial of this cost, from the one that is nearest: small ones take longer than it says."""
    near, seconds = min(timed, key=lambda pair: abs(np.log(pair[0] / cost)))
    return seconds * cost / near


def _rows(
    study: Study, found: Pilot, timed: Sequence[tuple[float, float]], whole: bool
) -> list[dict[str, Any]]:
    """What is expected at every size."""
    rows = []
    for d in study.sizes:
        each = found.seconds[d] if d in found.timed else _seconds(study.problem.cost(d), timed)
        row = {"point": study.point, "d": d, "trials": found.totals[d], "seconds": found.totals[d] * each}
        rows.append(row | {"bytes": float(study.problem.memory(d) or np.nan), "piloted": whole})
    return rows


def detectable(found: Pilot, study: Study, family: int) -> list[dict[str, Any]]:
    """The smallest deviation of every metric's theory that is rejected with 80% power, at the planned trials.

    Corrected for `family` comparisons as Holm's first step is; where the rule has rival corrections, these
    must reject, too, at twice the level.
    """
    rows = []
    for item in found.items:
        counts = np.array([found.totals[int(d)] for d in item.stats.sizes], np.int64)
        stats = dataclasses.replace(item.stats, counts=counts)
        level = study.rule.alpha / family
        gaps = [_gap(stats, study.rule.corrections, level)]
        if study.rule.rival is not None:
            gaps.append(_gap(stats, study.rule.rival, min(2 * level, 1.0)))
        scale = abs(item.reference) if item.tested else abs(fit_limit(stats, study.rule.corrections).limit)
        time_of = {} if item.time is None else {"time": item.time}
        gap = max(gaps)
        rows.append(
            {"point": study.point, **time_of, "metric": item.metric}
            | {"absolute": gap, "relative": gap / scale if scale else np.nan}
        )
    return rows


def _gap(stats: Any, corrections: Corrections, level: float) -> float:
    """The distance at which a two-sided t test of this level has 80% power."""
    from scipy import stats as distributions

    fit = fit_limit(stats, corrections)
    needed = distributions.t.isf(level / 2, fit.dof) + distributions.t.isf(1 - POWER, fit.dof)
    return float(needed * sequential_stderr(fit))
