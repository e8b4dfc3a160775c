"""Each row once on disk: what two writers stored twice is taken out of the shards of a run that has ended.

Of a row in several shards the one stays that readers take, that of the file which sorts first; a shard that
loses some rows is written anew before it is deleted, so that every row is in some file at any moment. One
process does this at a time, and others may read and add shards meanwhile: readers list the files again when
one has gone. The lock is the system's and ends with its process; where a file system has none, shards stay as
they are, and readers leave out what they have twice, as always.
"""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

from simdiff.store import files, shards
from simdiff.store.columns import KEYS

try:
    import fcntl
except ImportError:  # not a POSIX system
    fcntl = None  # type: ignore[assignment]


def compact(root: Path) -> int:
    """Leave each row of the shards below `root` once; returns how many rows were taken out.

    Raises:
        InputError: a shard is damaged, or the disk cannot be written.
    """
    with _alone(root) as mine:
        points = shards.list_points(root) if mine else []
        return sum(_compact_point(root / point) for point in points)


@contextlib.contextmanager
def _alone(root: Path) -> Iterator[bool]:
    """Whether this process has the lock of the folder; waits for others to be done."""
    if fcntl is None or not root.is_dir():
        yield False
        return
    with (root / ".lock").open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
        except OSError:
            yield False
            return
        yield True


def _compact_point(folder: Path) -> int:
    there = shards.list_shards(folder)
    if not shards.overlapping(there):
        return 0
    found = [(shard.path, shards.read_shard(shard.path)) for shard in there]
    removed, written = 0, set[Path]()
    for (path, table), new in zip(found, _new_rows([table for _, table in found]), strict=True):
        if new.all():
            continue
        removed += int((~new).sum())
        if new.any():
            written |= {*shards.write_shards(folder.parent, table.filter(pa.array(new)).to_pandas())}
        if path not in written:
            path.unlink(missing_ok=True)
    if removed:
        files.sync_folder(folder)
    return removed


def _new_rows(tables: Sequence[pa.Table]) -> Iterator[np.ndarray]:
    """For each table, which of its rows no table before it has, nor any row before."""
    keys = [table.select([k for k in KEYS if k in table.column_names]).to_pandas() for table in tables]
    first = ~pd.concat(keys, ignore_index=True).astype({"point": str}).duplicated().to_numpy()
    ends = np.cumsum([0, *map(len, keys)])
    return (first[a:b] for a, b in itertools.pairwise(ends))
