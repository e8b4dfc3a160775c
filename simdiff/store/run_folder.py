"""The folder of a run: everything that a run leaves behind, and the only place it writes to.

    config.yaml             the resolved configuration; earlier ones as config-1.yaml, config-2.yaml, ...
    trials/<point>/         trial rows, see `shards`; meanwhile checkpoints of long trials
    rules/                  acceptance rules, each fixed before the trials it judges
    <name>.csv, .parquet    tables
    <name>                  texts such as report.md
    figures/
    simdiff.json            says that the folder is a run's, and what was in it before

Several processes may use one folder. Files that were there before the first run are never overwritten.
"""

from __future__ import annotations

import errno
import hashlib
import itertools
import json
import math
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from simdiff.errors import InputError
from simdiff.store import compaction, files, provenance, schema, shards, tables
from simdiff.store.checkpoints import Checkpoints
from simdiff.store.recent import Recent

MARKER = "simdiff.json"
OUTPUTS = ("config.yaml", "report.html", "report.md", "summary.csv", "summary.parquet")
"""Files that every run writes: a folder that has one of them from elsewhere is refused at once."""

_ALLOWED = "a folder that can be created and written"
_NAME = re.compile(r"\w[\w.+=,@-]*")


class RunFolder:
    """A run's folder at `path`, created if need be.

    Args:
        path: the folder; it may exist and hold other files.
        create: False to open a run that must exist already; nothing is written until asked for.

    Raises:
        InputError: the folder cannot be created or written, holds files that a run would overwrite,
            or, with `create=False`, is not a run's folder.
    """

    def __init__(self, path: str | os.PathLike[str], *, create: bool = True) -> None:
        self.path = files.expanded(path)
        self._cache, self._recent = shards.ShardCache(), Recent(most=50_000)
        if create:
            found = self._present()
            self._refuse_foreign(found)
            self.check_writable()
            self._adopt(found)
        elif not any((self.path / name).exists() for name in (MARKER, "trials")):
            raise InputError("run folder", str(path), f"the folder of a run (it holds {MARKER} or trials/)")
        self._foreign = frozenset(self._marker().get("foreign", ()))

    def check_writable(self) -> None:
        """Raise `InputError` unless files can be created in the folder and in its subfolders."""
        folders = (self.path, self._trials, self.path / "rules", self.path / "figures")
        try:
            for file in (folder for folder in folders if folder.exists() and not folder.is_dir()):
                raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(file))
            for folder in folders:
                files.make_folder(folder)
                files.probe(folder)
        except (OSError, ValueError) as error:
            raise InputError("run folder", str(self.path), _ALLOWED, _reason(error)) from error

    def append(self, frame: pd.DataFrame) -> list[Path]:
        """Store trial rows, all rows of a trial in one call; returns the new files.

        Each (point, d, seed) goes into one new file in one step. Columns: see `schema`.
        """
        return shards.write_shards(self._trials, frame)

    def trials(self, point: str | None = None, d: int | None = None, seed: int | None = None) -> pd.DataFrame:
        """Read the stored rows, all or those of a point (digest), size or seed.

        Each trial (and time) appears once. Rows are sorted by point, d, seed, trial and time, so the
        frame does not depend on how the trials were spread over processes and restarts. Metrics are
        joined by name, NaN where a problem has none of that name. Unchanged files are read once.

        Raises:
            InputError: a file is truncated or damaged; the message says which.
        """
        found = tuple(self._complete(point, d, seed))
        return self._recent.frame((point, d, seed), found, lambda: _selected(found, point, d, seed))

    def finished(self, point: str, d: int, seed: int) -> set[int]:
        """List the trials (indices) that are stored, whatever their status."""
        return shards.trials_of(self._complete(point, d, seed), point, d, seed)

    def checkpoints(self, point: str, facts: Mapping[str, Any]) -> Checkpoints:
        """Where the states of a point's trials are kept that are under way; see `checkpoints`."""
        return Checkpoints(self._trials / point, facts)

    def compact(self) -> int:
        """Leave each row once on disk, as another process may have stored the same trials meanwhile.

        To be called when trials are done; returns how many rows were taken out.
        """
        return compaction.compact(self._trials)

    def points(self) -> list[str]:
        """Digests of the points that have trials, sorted."""
        return [p for p in shards.list_points(self._trials) if shards.list_shards(self._trials / p)]

    def shard_names(self) -> list[str]:
        """Names of all files of trials, sorted; each has a checksum of its content."""
        return sorted(
            f"{point}/{s.path.name}" for point in self.points() for s in self._shards(point, None, None)
        )

    def write_table(self, name: str, frame: pd.DataFrame) -> tuple[Path, Path]:
        """Write (or replace) `<name>.csv` and `<name>.parquet`; see `tables.write_table`."""
        self._own(f"{name}.csv")
        self._own(f"{name}.parquet")
        return tables.write_table(self.path / name, frame)

    def read_table(self, name: str) -> pd.DataFrame:
        """Read a table by name; `InputError` if there is none or it is damaged."""
        return tables.read_table(self.path / _checked(name))

    def write_text(self, name: str, text: str) -> Path:
        """Write (or replace) a text file such as report.md."""
        path = self._own(name)
        files.write_text(path, text)
        return path

    def read_text(self, name: str) -> str:
        """Read a text file of the run; "" if there is none."""
        try:
            return (self.path / _checked(name)).read_text(encoding="utf-8")
        except FileNotFoundError:
            return ""

    def files(self) -> list[str]:
        """Names of the tables, texts and records of the run in the folder itself, sorted."""
        own = (name for name in _names(self.path) if name not in self._foreign)
        return sorted(name for name in own if name.endswith((".csv", ".parquet", ".md", ".yaml", ".json")))

    def set_report_aside(self) -> None:
        """Keep report, tables and figures under a number: report-1.md and .html, summary-1.csv, ..."""
        numbers = itertools.count(1)
        number = next(i for i in numbers if not (self.path / f"report-{i}.md").exists())
        text = self.read_text("report.md")
        if not text:
            return
        there = self._written(self.path)
        tables = [n.removesuffix(".csv") for n in there if n.endswith(".csv")]
        for name in (n for n in tables if f"{n}.parquet" in there):
            for kind in (".csv", ".parquet"):
                os.replace(self.path / f"{name}{kind}", self.path / f"{name}-{number}{kind}")
        for name in self._written(self.path / "figures"):
            files.make_folder(self.path / f"figures-{number}")
            os.replace(self.path / "figures" / name, self.path / f"figures-{number}" / name)
        if (self.path / "report.html").exists():
            os.replace(self.path / "report.html", self.path / f"report-{number}.html")
        files.write_text(self.path / f"report-{number}.md", text.replace("figures/", f"figures-{number}/"))
        (self.path / "report.md").unlink()

    def _written(self, folder: Path) -> list[str]:
        """Files of the last report in a folder: those that have no number and were not there before."""
        own = (n for n in _names(folder) if not re.search(r"-\d+\.\w+$", n))
        return [n for n in own if os.path.relpath(folder / n, self.path) not in self._foreign]

    def write_figure_path(self, name: str) -> Path:
        """Where to write the figure file `name`; wrap the writing in `replacing` to make it one step."""
        return self._own(name, "figures")

    def save_config(self, text: str) -> Path:
        """Keep the resolved configuration as config.yaml.

        Another text that is there moves to config-1.yaml, config-2.yaml, ...; none is ever lost.
        """
        path = self._own("config.yaml")
        files.supersede_text(path, text)
        return path

    def save_rule(self, rule: Mapping[str, Any], points: Iterable[str]) -> str:
        """Record the acceptance rule of some points, to be called before their first trial.

        Points that have the same rule on record keep their first date; a record is never changed.

        Args:
            rule: numbers, texts, lists and mappings; infinities are stored as "inf".
            points: digests of the points that the rule covers.

        Returns:
            16 hex digits that identify the rule.
        """
        content = _plain(rule)
        name = _digest(content)
        known = {p for record in self.rules() if record["hash"] == name for p in record["points"]}
        fresh = sorted(set(points) - known)
        if fresh:
            record = {"hash": name, "date": provenance.iso_date(), "rule": content, "points": fresh}
            file = f"{name}-{_digest(fresh)[:8]}.json"
            files.create_text(self.path / "rules" / file, json.dumps(record, indent=1, sort_keys=True))
        return name

    def rules(self) -> list[dict[str, Any]]:
        """Read the acceptance rules on record, oldest first: dicts with hash, date, rule and points."""
        paths = sorted((self.path / "rules").glob("[0-9a-f]*.json"))
        records = [_read_json(path, ("hash", "date", "rule", "points")) for path in paths]
        return sorted(records, key=lambda record: (record["date"], record["hash"]))

    @property
    def _trials(self) -> Path:
        return self.path / "trials"

    def _shards(self, point: str | None, d: int | None, seed: int | None) -> list[shards.Shard]:
        points = shards.list_points(self._trials) if point is None else [point]
        return [shard for p in points for shard in shards.list_shards(self._trials / p, d, seed)]

    def _complete(self, point: str | None, d: int | None, seed: int | None) -> list[pa.Table]:
        """The rows of all shards at one moment.

        If one goes before it is read, its rows may be in others. If one goes while files are listed, the one
        that took its place may not be in the list: what came since has to be read, too.
        """
        while True:
            there = self._shards(point, d, seed)
            tables = self._cache.tables(there)
            seen, now = {*_paths(there)}, {*_paths(self._shards(point, d, seed))}
            if now <= seen and (len(tables) == len(there) or seen <= now):
                return tables

    def _own(self, name: str, folder: str = "") -> Path:
        """Give the path of a file to write, unless a file from before the first run has that name."""
        place = os.path.join(folder, _checked(name))
        if place in self._foreign:
            raise _foreign_file(self.path / place)
        return self.path / place

    def _present(self) -> list[str]:
        """Files that are in the folder already."""
        figures = [f"figures/{name}" for name in _names(self.path / "figures")]
        return sorted([*_names(self.path), *figures])

    def _refuse_foreign(self, found: Sequence[str]) -> None:
        """Raise `InputError` if a file from elsewhere has a name that every run writes."""
        taken = [name for name in OUTPUTS if name in found]
        if taken and not (self.path / MARKER).exists():  # else a process marked it, then wrote them
            raise _foreign_file(self.path / taken[0])

    def _adopt(self, found: Sequence[str]) -> None:
        """Mark the folder as a run's, with a list of the files that are there already."""
        if not (self.path / MARKER).exists():
            marker = {"program": "simdiff", "created": provenance.iso_date(), "foreign": list(found)}
            files.create_text(self.path / MARKER, json.dumps(marker, indent=1))

    def _marker(self) -> dict[str, Any]:
        path = self.path / MARKER
        return _read_json(path, ("program", "foreign")) if path.exists() else {}


def _selected(tables: Sequence[pa.Table], point: str | None, d: int | None, seed: int | None) -> pd.DataFrame:
    """The rows in the tables of a point, size or seed: a shard that was renamed may have others too."""
    rows = schema.union(tables)
    mask = np.ones(len(rows), dtype=bool)
    for name, value in (("point", point), ("d", d), ("seed", seed)):
        mask &= True if value is None else (rows[name] == value).to_numpy()
    return rows if mask.all() else rows[mask].reset_index(drop=True)


def _paths(found: Iterable[shards.Shard]) -> Iterator[Path]:
    return (shard.path for shard in found)


def _names(folder: Path) -> list[str]:
    """Files in the folder; none where there is no such folder, or it cannot be read."""
    try:
        with os.scandir(folder) as entries:
            return [entry.name for entry in entries if entry.is_file() and entry.name[0] != "."]
    except (OSError, ValueError):
        return []


def _checked(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise InputError("name of a result", name, "a file name without folders")
    return name


def _foreign_file(path: Path) -> InputError:
    hint = "it was there before the first run; move it away or choose another folder"
    return InputError("run folder", str(path), "no file that a run would overwrite", hint)


def _reason(error: Exception) -> str:
    if isinstance(error, (FileExistsError, NotADirectoryError)):
        return f"{error.filename} is a file, not a folder, or lies under one"
    if isinstance(error, OSError):
        return f"{error.strerror}: {error.filename}"
    return str(error)


def _digest(content: Any) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]


def _plain(value: Any) -> Any:
    """`value` in the types of JSON, infinities as texts."""
    if isinstance(value, Mapping):
        return {str(name): _plain(part) for name, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(part) for part in value]
    if isinstance(value, np.generic):
        return _plain(value.item())
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    raise InputError("acceptance rule", value, "numbers, texts, lists and mappings")


def _read_json(path: Path, fields: tuple[str, ...]) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(
            f"file {path}", str(error), "whole JSON", "restore that file or move it away"
        ) from error
    if not isinstance(content, dict) or any(field not in content for field in fields):
        raise InputError(f"file {path}", content, "a record with " + ", ".join(fields), "move it away")
    return content
