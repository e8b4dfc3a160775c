"""Summary tables: the same frame as CSV, for people, and as Parquet, for programs."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from simdiff.errors import InputError
from simdiff.store import files

_INFINITIES = {"inf", "-inf"}


def write_table(stem: Path, frame: pd.DataFrame) -> tuple[Path, Path]:
    """Write `<stem>.csv` and `<stem>.parquet`, each in one step, and return both paths.

    The index is not stored. A column of numbers and texts mixed becomes float64 where all its texts
    are numbers ("inf" among them), and text otherwise.
    """
    frame = plain(frame)
    csv, parquet = (stem.with_name(stem.name + suffix) for suffix in (".csv", ".parquet"))
    table = pa.Table.from_pandas(frame, preserve_index=False).replace_schema_metadata(None)
    with files.replacing(csv) as temporary:
        frame.to_csv(temporary, index=False)
    with files.replacing(parquet) as temporary:
        pq.write_table(table, temporary, write_page_checksum=True)
    return csv, parquet


def read_table(stem: Path) -> pd.DataFrame:
    """Read the table written under `stem`, from the Parquet file or, without one, from the CSV file.

    Raises:
        InputError: neither file exists, or the one that does is damaged.
    """
    parquet, csv = stem.with_name(stem.name + ".parquet"), stem.with_name(stem.name + ".csv")
    path = parquet if parquet.exists() else csv
    try:
        if path == parquet:
            return pq.ParquetFile(path, page_checksum_verification=True).read().to_pandas()
        return pd.read_csv(path, float_precision="round_trip")
    except FileNotFoundError as error:
        raise InputError("results table", str(parquet), "a table that a run has written") from error
    except (pa.ArrowException, OSError, ValueError) as error:
        reason = str(error).splitlines()[0]
        hint = "delete that file; the report is written anew from the trials"
        raise InputError(f"results table {path}", reason, "a whole file", hint) from error


def plain(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the frame with one kind of value in every column."""
    settled = {name: _settle(frame[name]) for name in frame.columns}
    return pd.DataFrame(settled, index=frame.index, columns=frame.columns)


def _settle(column: pd.Series) -> pd.Series:
    """Return a column of one kind; see `write_table`."""
    if column.dtype != object and not isinstance(column.dtype, pd.StringDtype):
        return column
    present = column.dropna()
    texts = [isinstance(value, str) for value in present]
    if texts and (set(present) <= _INFINITIES or (any(texts) and not all(texts))):
        return _numbers_or_texts(column)
    return column


def _numbers_or_texts(column: pd.Series) -> pd.Series:
    if not any(isinstance(value, bool) for value in column):
        try:
            return pd.to_numeric(column).astype("float64")
        except (ValueError, TypeError):
            pass
    return column.map(str, na_action="ignore")
