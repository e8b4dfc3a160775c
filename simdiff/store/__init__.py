"""What a run leaves on disk: trial rows, tables, texts, rules and configurations, and how they are read.

`RunFolder` is the door; the rest of the program touches files through it alone. `files` holds the
atomic writes, `schema` the columns, `shards` the trials, `recent` what was read last, `tables` the summaries,
`provenance` the versions, commit and date. Only Parquet, CSV, JSON and plain text are ever read.
"""

import lazy_loader as _lazy

__getattr__, __dir__, __all__ = _lazy.attach_stub(__name__, __file__)
