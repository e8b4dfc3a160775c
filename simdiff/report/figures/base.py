"""The contract of a figure of a run, and what it draws from."""

from __future__ import annotations

import abc
import dataclasses
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, ClassVar

import pandas as pd

from simdiff.identity.description import flatten
from simdiff.problem import Problem
from simdiff.report.plots.labels import key_text
from simdiff.validation.study import Study

Settings = Mapping[str, Any]
"""The entry `figure` of a configuration."""

BY = "predicted by"
"""The column that tells theories apart in figures, as a parameter of the points would."""


def told_apart(table: pd.DataFrame) -> pd.DataFrame:
    """Where several theories are compared: a point of its own for each, so that no figure mixes them."""
    if "theory_name" not in table:
        return table
    names = table["theory_name"].astype(str)
    short = names.str.rpartition(":")[2]
    shown = short if short.nunique() == names.nunique() else names
    return table.assign(point=table["point"] + names).assign(**{BY: shown})


NO_TABLES: Mapping[str, pd.DataFrame] = MappingProxyType({})


@dataclasses.dataclass(frozen=True)
class Material:
    """What figures draw from: settings, the points of a run, its tables of verdicts and of finite sizes."""

    settings: Settings
    studies: Sequence[Study]
    summary: pd.DataFrame
    sizes: pd.DataFrame
    tables: Mapping[str, pd.DataFrame] = dataclasses.field(default_factory=dict)

    def with_tables(self, tables: Mapping[str, pd.DataFrame]) -> Material:
        """The same with tables that figures have made."""
        return dataclasses.replace(self, tables=tables)

    @property
    def theories(self) -> dict[str, Any]:
        """{name, as in the column `BY`: theory}; the name is "" where there is one."""
        named = {study.theory_name: study.theory for study in self.studies}
        if len(named) < 2:
            return {"": self.studies[0].theory}
        column = told_apart(pd.DataFrame({"point": "", "theory_name": list(named)}))[BY]
        return dict(zip(column, named.values(), strict=True))

    @property
    def problems(self) -> list[Problem]:
        """The problem of every point."""
        return list({study.point: study.problem for study in self.studies}.values())

    @property
    def precision(self) -> float:
        """The relative half width asked for."""
        return self.studies[0].rule.precision

    @property
    def names(self) -> dict[str, str]:
        """{metric: its name on axes}, where its declaration gives one."""
        metrics = [metric for problem in self.problems for metric in problem.metrics]
        return {metric.name: metric.label for metric in metrics if metric.label}

    @property
    def labels(self) -> list[str]:
        """For every point the parameters in which it differs from others."""
        flat = [scalars(problem) for problem in self.problems]
        names = sorted({name for each in flat for name, value in each.items() if value != flat[0].get(name)})
        return [key_text({name: each[name] for name in names if name in each}) for each in flat]


class Figure(abc.ABC):
    """One kind of figure, registered under the name of its files."""

    order: ClassVar[int] = 100
    """Figures are drawn and shown in this order."""

    settings: ClassVar[Settings] = MappingProxyType({})
    """Its own entries of `figure`, with defaults; those that several figures read are in config.yaml."""

    reads_metrics: ClassVar[bool] = False
    """Whether it reads figure.metrics; if not, a caller's choice leaves other metrics out of its tables."""

    asked: ClassVar[Settings] = MappingProxyType({})
    """Settings under which it is drawn: those of a caller who names it."""

    def check(self, settings: Settings, studies: Sequence[Study]) -> None:
        """Raise `InputError` for settings that these points cannot have, before anything is run."""
        return

    def tables(self, material: Material) -> Mapping[str, pd.DataFrame]:
        """{name: table} that is drawn, and written beside the figures."""
        return NO_TABLES

    @abc.abstractmethod
    def draw(self, material: Material) -> Any:
        """The matplotlib figure; None where it is not asked for, or there is nothing to show."""


def scalars(problem: Problem) -> dict[str, Any]:
    """{parameter: value} of those that are single values."""
    flat = flatten(problem.describe())
    return {name: value for name, value in flat.items() if isinstance(value, (str, int, float, bool))}
