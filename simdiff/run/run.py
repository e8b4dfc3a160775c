"""One object for a run: its tables, trials, rule and notes; figures; more precision; other theories.

A run reads its trials from a store, memory or a folder, and judges them as the command line does. What is
derived from them is computed when it is asked for, once.
"""

from __future__ import annotations

import dataclasses
import functools
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from simdiff.errors import InputError
from simdiff.run import contents
from simdiff.run.contents import About
from simdiff.run.derived_numbers import DerivedNumbers
from simdiff.store import RunFolder, write_text
from simdiff.validation import Hypothesis, Rule, Verdict, extrapolation_table, judge_table, overall
from simdiff.validation.study import Progress, Replay, Study, TrialStore, collect, replay

if TYPE_CHECKING:
    import pandas as pd

ROWS_SHOWN = 24
"""Rows of a table that a notebook shows, those that disagree first."""


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Run(DerivedNumbers):
    """A sweep, or a single point: trials, verdicts and figures.

    `simdiff.open`, `simdiff.sweep` and the result of `simdiff.validate` give one. Beside what is listed here
    it has a method for every figure, `run.curves()` for instance; `run.figures` names them.

    Args:
        studies: one for each point, and each theory where there are several.
        store: where the trials are.
        about: title, command and settings of figures.
        folder: the run's folder; None: everything is in memory.
        stored: tables of the report that the folder has; None: they are made from the trials.
    """

    studies: tuple[Study, ...]
    store: TrialStore
    about: About
    folder: RunFolder | None = None
    stored: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    @functools.cached_property
    def summary(self) -> pd.DataFrame:
        """The table as `summary.csv` has it: one row for each point, theory, time and metric."""
        if "summary" in self.stored:
            return self.stored["summary"]
        return contents.summary(self.studies, self.verdict.table)

    @property
    def table(self) -> pd.DataFrame:
        """One row for each point, theory, time and metric.

        What varies comes first, then metric, theory, estimate, stderr (of the limit), p_adjusted (the
        p-value, corrected for the number of comparisons) and verdict; then details, the parameters that are
        the same in all rows, and last the digest of the point.
        """
        return contents.by_interest(self.summary)

    @property
    def agree(self) -> bool | None:
        """True if everything that has a theory agrees, False if something disagrees, None if undecided."""
        return overall(self.summary["verdict"])

    @property
    def trials(self) -> pd.DataFrame:
        """One row for each trial (and time): parameters that vary, d, trial, metrics, then where it ran."""
        import pandas as pd

        rows = contents.stored_rows(self.store, self.studies)
        known = pd.DataFrame({s.point: contents.parameters(s) for s in self.studies}.values())
        varying = [name for name in known if name != "point" and known[name].astype(str).nunique() > 1]
        whole = known[[*varying, "point"]].merge(rows, on="point")
        heads = [*varying, "d", "trial"]
        last = [name for name in contents.LAST if name in whole and name not in heads]
        return whole[[*heads, *(name for name in whole if name not in (*heads, *last)), *last]]

    @functools.cached_property
    def rule(self) -> Rule:
        """The acceptance rule that was fixed before the first trial; `str(run.rule)` is a sentence."""
        return contents.shared_rule(self.studies, self.about.sizes)

    @functools.cached_property
    def notes(self) -> list[str]:
        """What a reader of the results must know."""
        return contents.notes(self.studies, self.about, self.folder)

    @functools.cached_property
    def verdict(self) -> Verdict:
        """The verdict on the trials there are."""
        return dataclasses.replace(judge_table(self._items, self.rule), run=self)

    @functools.cached_property
    def sizes(self) -> pd.DataFrame:
        """The means at every size: one row for each point, time, metric and size."""
        if "finite_sizes" in self.stored:
            return self.stored["finite_sizes"]
        return extrapolation_table(self._items)

    @property
    def lacking(self) -> dict[str, dict[int, int]]:
        """{point: {d: trials that are still to run at least}}; {} for a finished run."""
        return {study.point: found.lacking for study, found in self._replays if found.lacking}

    @functools.cached_property
    def _replays(self) -> list[tuple[Study, Replay]]:
        return [(study, replay(study, self.store)) for study in self.studies]

    @property
    def _items(self) -> list[Hypothesis]:
        return [item for _, found in self._replays for item in found.items]

    @property
    def figures(self) -> tuple[str, ...]:
        """Names of the figures, each a method of the run."""
        from simdiff.report.figures import figures

        return tuple(figures())

    def plot(self, figure: str | None = None, ax: Any = None, **settings: Any) -> Any:
        """Draw one figure, or all that the run's settings ask for.

        Args:
            figure: its name; None: all of them, as {name: axes}.
            ax: matplotlib axes to draw in, one or as many as the figure has panels; None: a new figure.
            **settings: of the figure, as `figure.x=` and so on on the command line: x, y, series, metrics,
                threshold, grid, ...

        Returns:
            The axes: one, or a list.

        Raises:
            InputError: no such figure or setting, nothing to draw, or another number of axes is needed.
        """
        from simdiff.run.drawing import draw, draw_asked

        return draw_asked(self, settings) if figure is None else draw(self, figure, ax, settings)

    def __getattr__(self, name: str) -> Callable[..., Any]:
        if name.startswith("_") or name not in self.figures:
            raise AttributeError(f"a run has no {name!r}; its figures are {', '.join(self.figures)}")
        return functools.partial(self.plot, name)

    def __dir__(self) -> list[str]:
        return [*super().__dir__(), *self.figures]

    def to_latex(self, columns: Sequence[str] | None = None) -> str:
        r"""The table for a paper, a `tabular` with rules of booktabs (`\usepackage{booktabs}`).

        Args:
            columns: of `table`; None: what varies, metric, theory, simulation, p-value and verdict, with
                errors in brackets in units of the last digits.
        """
        from simdiff.report.latex import latex_table

        return latex_table(self.summary, columns, self.labels)

    def to_html(self, path: str | os.PathLike[str] | None = None) -> str:
        """The run as a page of its own: verdict, figures, tables that sort and filter, rule, provenance.

        Args:
            path: a file to write it to, replaced if it is there; None: it is returned only.
        """
        from simdiff.run.writing import page

        text = page(self)
        if path is not None:
            write_text(Path(path), text)
        return text

    @property
    def labels(self) -> dict[str, str]:
        """{metric: its name in mathtext}, where its declaration gives one."""
        found = [metric for study in self.studies for metric in study.problem.metrics]
        return {metric.name: metric.label for metric in found if metric.label}

    def compare(self, theory: Any) -> Run:
        """The same trials against another theory as well: a run whose table has rows of both.

        Args:
            theory: whatever `simdiff.predict` takes, or a list of these.

        Raises:
            InputError: no such theory, or it has the name of one that is there.
        """
        from simdiff.run.several import with_theories

        return with_theories(self, theory)

    def extend(
        self,
        precision: float | None = None,
        max_trials: int | None = None,
        progress: Progress | None = None,
    ) -> Run:
        """Run more trials, until the limits are as precise as now asked; the trials there are count.

        p-values are those of a second look: a run that is extended because of what it said is no longer a
        test at level alpha, and its notes say so.

        Args:
            precision: as for `simdiff.validate`; None: as before.
            max_trials: most trials at one size; None: as before.
            progress: as for `simdiff.validate`.

        Returns:
            A new run in the same place; in a folder the former report is kept under a number.
        """
        from simdiff.run.extending import extended

        return extended(self, precision, max_trials, progress)

    def collect(self, progress: Progress | None = None) -> Run:
        """Run the trials that the rule asks for and that are not there yet."""
        found = [(study, Replay(collect(study, self.store, progress), {})) for study in self.studies]
        return self.judged(found)

    def judged(self, found: Sequence[tuple[Study, Replay]]) -> Run:
        """The same with what is known of every study, so that no trial need be read again."""
        made = dataclasses.replace(self, stored={})
        made.__dict__["_replays"] = list(found)
        return made

    def write(self) -> Path:
        """Write tables, figures and report to the folder; returns the path of report.md.

        Raises:
            InputError: the run is in memory; `out=` of `sweep` and `validate` names a folder.
        """
        from simdiff.run.writing import write

        return write(self)

    def export(self, archive: str | os.PathLike[str]) -> Path:
        """Pack the folder, and a dictionary of its files and columns, into a new zip file.

        `simdiff import` unpacks it.

        Raises:
            InputError: the run is in memory, or the file exists.
        """
        from simdiff.run.dictionary import dictionary
        from simdiff.store import export

        if self.folder is None:
            raise InputError("run", "a run in memory", "a run that has a folder", "give it a folder, out=")
        return export(self.folder.path, archive, dictionary(self))

    def __repr__(self) -> str:
        from simdiff.report.text import headline

        points = len({study.point for study in self.studies})
        where = "in memory" if self.folder is None else str(self.folder.path)
        return f"Run({self.about.title}: {points} points, {where}). {headline(self.summary)}"

    def _repr_html_(self) -> str:
        from simdiff.report.page.fragment import fragment

        return fragment(self.summary, str(self.rule), ROWS_SHOWN)
