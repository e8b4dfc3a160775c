"""Where numbers come from: package versions, the commit of the source, the machine, the date.

Everything but the date is found out once a process, so rows may ask as often as they like. Versions
come from the installed packages' records: asking does not import JAX.
"""

from __future__ import annotations

import datetime
import functools
import importlib.metadata
import json
import os
import platform
import subprocess
from pathlib import Path

PACKAGES = ("simdiff", "jax", "jaxlib", "numpy", "optax")
_PACKAGE_FOLDER = Path(__file__).resolve().parent.parent


def versions() -> dict[str, str]:
    """Versions of the packages that decide the numbers, and of Python; "" for one not installed."""
    return json.loads(versions_text())


@functools.cache
def versions_text() -> str:
    """`versions()` as JSON, keys sorted: the `versions` column of trial rows."""
    found = {name: _version(name) for name in PACKAGES} | {"python": platform.python_version()}
    return json.dumps(found, sort_keys=True)


def _version(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return ""


@functools.cache
def commit() -> str:
    """Return the commit of the checkout that this package runs from, or "" when it runs from none.

    "-dirty" is appended when a file of the package differs from that commit.
    """
    return commit_of(_PACKAGE_FOLDER)


def commit_of(folder: Path) -> str:
    """Return the commit of the checkout that tracks the sources in `folder`, as `commit` describes it."""
    # An installed copy may lie inside an unrelated checkout, in its .venv say: ask whether it is tracked.
    if not _git(folder, "ls-files", "--", "*.py"):
        return ""
    head = _git(folder, "rev-parse", "--verify", "HEAD")
    changes = _git(folder, "status", "--porcelain", "--", ".")
    if not head or changes is None:
        return ""
    return head + ("-dirty" if changes else "")


def _git(folder: Path, *arguments: str) -> str | None:
    # Inside a git hook GIT_DIR and others point elsewhere; status must not take the index lock.
    environment = {k: v for k, v in os.environ.items() if not k.startswith("GIT_")}
    environment["GIT_OPTIONAL_LOCKS"] = "0"
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *arguments],
            env=environment,
            capture_output=True,
            text=True,
            timeout=20,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()


@functools.cache
def machine() -> str:
    """Name the operating system and processor architecture, for example "Linux-6.8.0-x86_64"."""
    return f"{platform.system()}-{platform.release()}-{platform.machine()}"


def iso_date() -> str:
    """Tell the present moment in UTC, ISO 8601 to the second."""
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
