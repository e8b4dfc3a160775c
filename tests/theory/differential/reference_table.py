"""The table of slow results, `reference.csv`; python tests/theory/differential/reference_table.py makes it.

200 problems fill the space evenly, 100 are drawn by hypothesis. Numbers have 17 digits; inputs are stored
with them, so that the table does not depend on what a version of hypothesis or Python draws.
"""

from __future__ import annotations

import csv
import pathlib
from typing import Any, NamedTuple

import mpmath
from slow_curves import Point, slow_curves

PATH = pathlib.Path(__file__).with_name("reference.csv")
METRICS = ("test", "train", "memorization", "objective", "score", "floor")
EVEN, DRAWN, SEED = 200, 100, 15


class Row(NamedTuple):
    """A problem and its slow results."""

    point: Point
    values: dict[str, float]


def read() -> list[Row]:
    with PATH.open(encoding="utf-8", newline="") as file:
        return [_row(line) for line in csv.DictReader(file)]


def _row(line: dict[str, str]) -> Row:
    names = "activation", "spectrum"
    point = Point(**{f: line[f] if f in names else float(line[f]) for f in Point._fields})  # type: ignore[arg-type]
    return Row(point, {name: float(line[name]) for name in METRICS})


def compute(point: Point) -> dict[str, Any]:
    """The slow results as they are stored."""
    return {name: mpmath.nstr(value, 17) for name, value in slow_curves(point).items()}


def main() -> None:
    from problem_space import drawn, even_point

    points = [*map(even_point, range(EVEN)), *drawn(DRAWN, SEED)]
    with PATH.open("w", encoding="utf-8", newline="") as file:
        table = csv.DictWriter(file, (*Point._fields, *METRICS), lineterminator="\n")
        table.writeheader()
        for point in points:
            table.writerow({name: str(value) for name, value in point._asdict().items()} | compute(point))


if __name__ == "__main__":
    main()
