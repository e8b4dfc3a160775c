"""Trial rows as Arrow tables: the check of one, and the union of many.

Tables with different metrics are joined by name. The columns are those of `columns`.
"""

from __future__ import annotations

import functools
import numbers
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from simdiff.errors import InputError
from simdiff.store.columns import KEYS, OPTIONAL, REQUIRED, TEXT, TYPES, column_order


def to_table(frame: pd.DataFrame) -> pa.Table:
    """Trial rows as an Arrow table of the types above.

    Raises:
        InputError: a column is missing, appears twice, or holds values of another kind.
    """
    check_columns(list(frame.columns))
    arrays = {name: _array(frame[name]) for name in column_order(frame.columns)}
    table = pa.table(arrays)
    _check_least(table, "d", 1)
    _check_least(table, "trial", 0)
    return table


def conform(table: pa.Table) -> pa.Table:
    """Check a stored table and cast it to the types above, with text columns dictionary-encoded."""
    check_columns(table.column_names)
    if all(kind == _encoded(name) for name, kind in zip(table.column_names, table.schema.types, strict=True)):
        return table
    columns = {name: table.column(name) for name in column_order(table.column_names)}
    return pa.table({name: _cast(name, column) for name, column in columns.items()})


def union(tables: Sequence[pa.Table]) -> pd.DataFrame:
    """Join conforming tables by name into one frame; a metric that a table lacks becomes NaN.

    Every (point, d, seed, trial, time) is kept once, from the first table that has it, and the rows
    are sorted by that key.
    """
    whole = pa.concat_tables([_empty(), *tables], promote_options="default")
    names = [n for n in column_order(whole.column_names) if n not in OPTIONAL or _used(n, tables)]
    # Encoded texts are reordered as numbers, which is quick; they are spelt out afterwards.
    whole = whole.select(names).unify_dictionaries().combine_chunks()
    whole = whole.take(pa.array(_order(whole)))
    return whole.cast(pa.schema([(name, _arrow(name)) for name in names])).to_pandas(use_threads=False)


def _order(table: pa.Table) -> np.ndarray:
    """Which rows of the table to keep, in the order to keep them in."""
    keys = [_sortable(table.column(key)) for key in KEYS if key in table.column_names]
    order = np.lexsort(keys[::-1])  # stable: of equal rows the first comes first
    fresh = np.zeros(len(order), dtype=bool)
    fresh[:1] = True
    for key in keys:
        here = key[order]
        fresh[1:] |= (here[1:] != here[:-1]) & ~((here[1:] != here[1:]) & (here[:-1] != here[:-1]))
    return order[fresh]


def _sortable(column: pa.ChunkedArray) -> np.ndarray:
    """A column of keys as numbers (rows,) in the same order: texts by their rank, null last."""
    if not pa.types.is_dictionary(column.type):
        return column.to_numpy()
    whole = column.combine_chunks()
    names = np.array(whole.dictionary.to_pylist(), dtype=str)
    places = np.append(np.unique(names, return_inverse=True)[1], len(names))
    return places[whole.indices.fill_null(-1).to_numpy()]


def check_columns(names: Sequence[Any]) -> None:
    """Raise `InputError` unless the names are unique texts with every required one among them."""
    missing = [name for name in REQUIRED if name not in names]
    if missing:
        raise InputError(
            "columns of trial rows", list(names), "all of " + ", ".join(REQUIRED), _lack(missing)
        )
    odd = [n for i, n in enumerate(names) if not isinstance(n, str) or not n or n in names[:i]]
    if odd:
        raise InputError("columns of trial rows", odd[0], "names, each of them once")


def _lack(missing: Sequence[str]) -> str:
    return "missing: " + ", ".join(missing)


def _used(name: str, tables: Sequence[pa.Table]) -> bool:
    return any(name in table.column_names for table in tables)


@functools.cache
def _empty() -> pa.Table:
    """No rows of the full schema: it gives an empty union its columns and types."""
    return pa.schema([(name, _encoded(name)) for name in TYPES]).empty_table()


@functools.cache
def _arrow(name: str) -> pa.DataType:
    return pa.type_for_alias(TYPES.get(name, "float64"))


@functools.cache
def _encoded(name: str) -> pa.DataType:
    return pa.dictionary(pa.int32(), pa.string()) if name in TEXT else _arrow(name)


def _cast(name: str, column: pa.ChunkedArray) -> pa.ChunkedArray:
    if column.type == _encoded(name):
        return column
    return column.dictionary_encode().cast(_encoded(name)) if name in TEXT else column.cast(_encoded(name))


def _array(column: pd.Series) -> pa.Array:
    kind = _arrow(str(column.name))
    if kind == pa.string():
        return pa.array(_texts(column), type=kind)
    if column.dtype == kind.to_pandas_dtype():  # as it is to be stored
        return pa.array(column.to_numpy(), type=kind, from_pandas=False)
    if kind == pa.int64():
        return pa.array(_integers(column), type=kind)
    return pa.array(_floats(column), type=kind, from_pandas=False)


def _texts(column: pd.Series) -> list[str]:
    values = column.tolist()
    for value in values:
        if not isinstance(value, str):
            raise InputError(f"column {column.name!r}", value, "text")
    return values


def _integers(column: pd.Series) -> np.ndarray:
    values = np.asarray(column.tolist() if len(column) else [], dtype=None if len(column) else np.int64)
    kind = values.dtype.kind
    if kind != "i" and not (kind == "f" and np.all((values == np.floor(values)) & (np.abs(values) < 2**53))):
        raise InputError(f"column {column.name!r}", values.tolist()[0], "integers below 2**63")
    return values.astype(np.int64)


def _floats(column: pd.Series) -> np.ndarray:
    for value in column.tolist() if column.dtype == object else []:
        if value is not None and not isinstance(value, numbers.Real):
            raise InputError(f"column {column.name!r}", value, "real numbers")
    if column.dtype != object and (not pd.api.types.is_numeric_dtype(column) or column.dtype.kind == "c"):
        raise InputError(f"column {column.name!r}", str(column.dtype), "real numbers", _METRIC_HINT)
    return column.to_numpy(dtype=np.float64, na_value=np.nan)


_METRIC_HINT = "a column that is not part of the schema is a metric"


def _check_least(table: pa.Table, name: str, least: int) -> None:
    values = table.column(name).to_numpy()
    if len(values) and values.min() < least:
        raise InputError(f"column {name!r}", values.min(), f"integers >= {least}")
