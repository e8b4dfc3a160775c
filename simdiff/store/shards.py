"""Trials on disk: small Parquet files under trials/<point>/, each written in one step, never changed.

A file's name says what it holds, `d<d>-s<seed>-<first trial>-<last trial>-<8 hex>.parquet`, so that a
reader opens only what it needs. The last part is the CRC-32 of the content: it keeps writers apart, and
damage never passes as data. Rows that two files both hold count once: the file that sorts first wins.
"""

from __future__ import annotations

import io
import itertools
import os
import re
import threading
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from simdiff.errors import InputError
from simdiff.store import columns, files, schema

SUFFIX = ".parquet"
_NAME = re.compile(r"d(?P<d>\d+)-s(?P<seed>-?\d+)-(?P<first>\d+)-(?P<last>\d+)-(?P<crc>[0-9a-f]{8})\.parquet")
_POINT = re.compile(r"[A-Za-z0-9_-]+")


class Shard(NamedTuple):
    """A shard on disk as last seen; equal values mean an unchanged file."""

    path: Path
    changed: int
    """Time of the last change, nanoseconds."""
    size: int


def write_shards(root: Path, frame: pd.DataFrame) -> list[Path]:
    """Write trial rows below `root`, one new file for each (point, d, seed); returns the files.

    All rows of a trial must come in one call: a trial of which any row is stored counts as finished.
    """
    table = schema.to_table(frame)
    for point in pc.unique(table.column("point")).to_pylist():
        if not _POINT.fullmatch(point):
            raise InputError("column 'point'", point, "letters, digits, '-' and '_'")
    return [_write(root / point, d, seed, rows) for (point, d, seed), rows in _groups(table)]


def _groups(table: pa.Table) -> Iterator[tuple[tuple[str, int, int], pa.Table]]:
    """Each (point, d, seed) in the table, sorted, and its rows."""
    found: dict[tuple[str, int, int], list[int]] = {}
    keys = (table.column(name).to_pylist() for name in ("point", "d", "seed"))
    for row, key in enumerate(zip(*keys, strict=True)):
        found.setdefault(key, []).append(row)
    for key in sorted(found):
        yield key, table if len(found) == 1 else table.take(pa.array(found[key]))


def _write(folder: Path, d: int, seed: int, table: pa.Table) -> Path:
    trials = table.column("trial").to_numpy()
    buffer = io.BytesIO()
    pq.write_table(table, buffer, store_schema=False)
    content = buffer.getvalue()
    path = folder / f"d{d}-s{seed}-{trials.min()}-{trials.max()}-{_crc(content)}{SUFFIX}"
    with files.replacing(path) as temporary:
        temporary.write_bytes(content)
    return path


def _crc(content: bytes) -> str:
    return f"{zlib.crc32(content):08x}"


def read_shard(path: Path) -> pa.Table:
    """Read the rows of one shard, text columns dictionary-encoded.

    Raises:
        FileNotFoundError: the file has gone.
        InputError: it cannot be opened, is truncated or damaged, or holds something else.
    """
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise
    except OSError as error:
        raise _unreadable(path, str(error.strerror), "check the permissions of that file") from error
    match = _NAME.fullmatch(path.name)
    if match is not None and match["crc"] != _crc(content):
        raise _unreadable(path, f"truncated or damaged: {len(content)} bytes, not those that were written")
    try:
        file = pq.ParquetFile(pa.py_buffer(content), read_dictionary=list(columns.REQUIRED_TEXT))
        return schema.conform(file.read(use_threads=False))
    except KeyError as error:
        raise _unreadable(path, f"not trial rows: it has no column {error.args[0].decode()!r}") from error
    except (pa.ArrowException, OSError, ValueError) as error:  # ValueError covers bad UTF-8 and InputError
        raise _unreadable(
            path, f"truncated, damaged or not trial rows: {str(error).splitlines()[0]}"
        ) from error


def _unreadable(
    path: Path, reason: str, remedy: str = "delete that file; its trials will be recomputed"
) -> InputError:
    return InputError(f"results file {path}", reason, "a whole Parquet file of trial rows", remedy)


def list_shards(folder: Path, d: int | None = None, seed: int | None = None) -> list[Shard]:
    """List the shards in one point's folder by name, those named for another d or seed left out."""
    found = [_seen(entry) for entry in _entries(folder) if _wanted(entry.name, d, seed)]
    return sorted(shard for shard in found if shard is not None)


def overlapping(shards: Iterable[Shard]) -> bool:
    """Whether two of one point's shards may hold the same trial, by their names."""
    found = [_NAME.fullmatch(shard.path.name) for shard in shards]
    if not all(found):
        return True
    spans = sorted((m["d"], m["seed"], int(m["first"]), int(m["last"])) for m in found if m)
    return any(a[:2] == b[:2] and b[2] <= a[3] for a, b in itertools.pairwise(spans))


def list_points(root: Path) -> list[str]:
    """List the points that have a folder below `root`, sorted."""
    return sorted(entry.name for entry in _entries(root) if entry.is_dir())


def _entries(folder: Path) -> Iterator[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            yield from entries
    except FileNotFoundError:
        return


def _wanted(name: str, d: int | None, seed: int | None) -> bool:
    if name.startswith(".") or not name.endswith(SUFFIX):
        return False
    match = _NAME.fullmatch(name)
    if match is None:  # renamed or merged by hand: only its rows tell
        return True
    return d in (None, int(match["d"])) and seed in (None, int(match["seed"]))


def _seen(entry: os.DirEntry[str]) -> Shard | None:
    try:
        stat = entry.stat()
    except FileNotFoundError:
        return None
    return Shard(Path(entry.path), stat.st_mtime_ns, stat.st_size)


class ShardCache:
    """Reads shards, and each unchanged one only once; threads may share it."""

    def __init__(self) -> None:
        self._tables: dict[Path, tuple[Shard, pa.Table]] = {}
        self._lock = threading.Lock()

    def tables(self, shards: Iterable[Shard]) -> list[pa.Table]:
        """The rows of each shard; fewer tables than shards where some have gone since they were listed."""
        return [table for shard in shards if (table := self._table(shard)) is not None]

    def _table(self, shard: Shard) -> pa.Table | None:
        with self._lock:
            known = self._tables.get(shard.path)
        if known is not None and known[0] == shard:
            return known[1]
        try:
            table = read_shard(shard.path)
        except FileNotFoundError:
            return None
        with self._lock:
            self._tables[shard.path] = (shard, table)
        return table


def trials_of(tables: Iterable[pa.Table], point: str, d: int, seed: int) -> set[int]:
    """List the trials of one point, size and seed in the tables of shards, whatever their status."""
    found: set[int] = set()
    for table in tables:
        match = (table["d"].to_numpy() == d) & (table["seed"].to_numpy() == seed)
        match &= pc.equal(table["point"].cast(pa.string()), point).to_numpy()
        found.update(table["trial"].to_numpy()[match].tolist())
    return found
