"""A finished run that is started again: told from what its report was made of, without any theory or trial.

When a run has all its trials, digits of everything that its report depends on are kept in finished.json: the
command and configuration, the problems and the code in them, the theory's code, the shards (whose names have
checksums of their content), versions and commit. Where they are the same, the report stands as it is.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import sys
from collections.abc import Mapping
from typing import Any

from simdiff.identity.fingerprint import fingerprint
from simdiff.parts.build import build_problem
from simdiff.report.console import console_table
from simdiff.run.several import listed
from simdiff.store import MARKER, RunFolder, commit, expanded, versions_text
from simdiff.theory import load

NAME = "finished.json"


def told(record: Mapping[str, Any], points: list[dict[str, Any]], out: str) -> bool:
    """Whether the run in `out` is finished and its report up to date; then its verdicts are printed."""
    folder = _folder(out)
    if folder is None or not (folder.path / "report.html").exists():
        return False
    kept = json.loads(folder.read_text(NAME) or "{}").get("digits")
    if kept is None or kept != _digits(record, points, folder):
        return False
    width = shutil.get_terminal_size((100, 24)).columns
    summary = folder.read_table("summary")
    known = " ".join((record.get("known") or "").split())
    print(console_table(summary, width, color=sys.stdout.isatty(), known=known))
    print(f"Finished before; nothing has changed since. Report: {folder.path / 'report.md'}")
    return True


def keep(record: Mapping[str, Any], points: list[dict[str, Any]], folder: RunFolder) -> None:
    """Record what the report of a finished run was made of."""
    folder.write_text(NAME, json.dumps({"digits": _digits(record, points, folder)}) + "\n")


def _folder(out: str) -> RunFolder | None:
    path = expanded(out)
    return RunFolder(path, create=False) if (path / MARKER).exists() else None


def _digits(record: Mapping[str, Any], points: list[dict[str, Any]], folder: RunFolder) -> str:
    """Digits of everything that the report depends on."""
    problems = [build_problem(point) for point in points]
    known = [one for one in listed(record["theory"]) if one is not None or problems[0].default_theory]
    code = [fingerprint(load(one, problems[0])) for one in known]
    own = [problem.digest() for problem in problems]
    content = [dict(record), own, code, folder.shard_names(), versions_text(), commit()]
    return hashlib.sha256(json.dumps(content, sort_keys=True, default=str).encode()).hexdigest()[:16]
