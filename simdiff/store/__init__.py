"""What a run leaves on disk: trial rows, tables, texts, rules and configurations, and how they are read.

`RunFolder` is the door; the rest of the program touches files through it alone. `files` holds the
atomic writes, `schema` the columns, `shards` the trials, `tables` the summaries, `provenance` the
versions, commit and date. Only Parquet, CSV, JSON and plain text are ever read.
"""

from simdiff.store.files import replacing
from simdiff.store.provenance import commit, iso_date, machine, versions, versions_text
from simdiff.store.run_folder import RunFolder
from simdiff.store.schema import KEYS, OPTIONAL, REQUIRED, check_metric_names, metric_columns
from simdiff.store.tables import plain, read_table, write_table

__all__ = [
    "KEYS",
    "OPTIONAL",
    "REQUIRED",
    "RunFolder",
    "check_metric_names",
    "commit",
    "iso_date",
    "machine",
    "metric_columns",
    "plain",
    "read_table",
    "replacing",
    "versions",
    "versions_text",
    "write_table",
]
