from .archive import export, unpack
from .columns import KEYS, OPTIONAL, REQUIRED, check_metric_names, metric_columns
from .files import expanded, replacing, write_text
from .provenance import commit, iso_date, machine, versions, versions_text
from .run_folder import MARKER, RunFolder
from .tables import plain, read_table, write_table

__all__ = [
    "KEYS",
    "MARKER",
    "OPTIONAL",
    "REQUIRED",
    "RunFolder",
    "check_metric_names",
    "commit",
    "expanded",
    "export",
    "iso_date",
    "machine",
    "metric_columns",
    "plain",
    "read_table",
    "replacing",
    "unpack",
    "versions",
    "versions_text",
    "write_table",
    "write_text",
]
