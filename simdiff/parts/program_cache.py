"""Compiled programs kept on disk by JAX's compilation cache, for every process of a user."""

from __future__ import annotations

import contextlib
import hashlib
import os
import platform
import tempfile
import threading
import warnings
from pathlib import Path
from typing import Any

import jax
from jax.experimental.compilation_cache import compilation_cache

from simdiff.errors import InputError

VARIABLE = "SIMDIFF_COMPILATION_CACHE"
"""The environment's say for the Python interface: what `use_cache` takes."""

_LEAST_SECONDS = 0.03
"""Programs that compile faster are not worth a file: to read one takes 10 ms."""

_MOST_BYTES = 2 * 2**30
"""A cache that is larger loses the programs that have not been used for longest, down to half of this."""

TRACED = "-cache"
"""How names of traced programs end, as those of compiled ones do."""

TRACED_VARIABLE = "SIMDIFF_TRACED_PROGRAMS"
"""The environment's say for traced programs alone: "off" keeps none."""

_chosen = threading.Event()


def keep_programs() -> None:
    """Keep the programs of the Python interface where the command keeps its own, unless something was chosen.

    That is, unless `use_cache` was called, or JAX has a cache already (JAX_COMPILATION_CACHE_DIR, say). The
    environment variable SIMDIFF_COMPILATION_CACHE names another folder, or turns it off.
    """
    if _chosen.is_set():
        return
    if getattr(jax.config, "jax_compilation_cache_dir", None) is None:
        use_cache(os.environ.get(VARIABLE) or "auto")
    _chosen.set()


def use_cache(where: Any) -> None:
    """Keep compiled programs on disk from now on, for this process and all others.

    A program is found by its code, options, devices and versions, so results do not depend on the cache.
    Several processes may share it: JAX compiles again what it finds torn. Programs of CPUs with different
    instructions are kept apart, since a home folder may serve many kinds of nodes.

    Args:
        where: "auto" (JAX_COMPILATION_CACHE_DIR if set, else the user's cache folder), "off", or a folder.

    The folder is kept below 2 GiB.

    Warns:
        RuntimeWarning: the folder cannot be written; the run goes on without it.

    Raises:
        InputError: something else.
    """
    _chosen.set()
    try:
        folder = _folder(where)
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)
            _prune(folder)
            with tempfile.TemporaryFile(dir=folder):
                pass
    except (OSError, RuntimeError) as error:  # RuntimeError: no home folder is known
        warnings.warn(f"compiled programs are not kept: {error}", RuntimeWarning, stacklevel=2)
        folder = None
    chosen = None if folder is None else str(folder)
    if chosen != getattr(jax.config, "jax_compilation_cache_dir", None):
        compilation_cache.reset_cache()
        jax.config.update("jax_compilation_cache_dir", chosen)
    jax.config.update("jax_persistent_cache_min_compile_time_secs", _LEAST_SECONDS)
    warnings.filterwarnings("ignore", message="Error (reading|writing) persistent compilation cache")


def traced_folder() -> Path | None:
    """Where traced programs are kept: below the folder of the compiled ones; None where neither is."""
    folder = getattr(jax.config, "jax_compilation_cache_dir", None)
    if not folder or "://" in folder or os.environ.get(TRACED_VARIABLE) == "off":
        return None
    return Path(folder) / "traced"


def _prune(folder: Path) -> None:
    """Delete what has not been read for longest, if all is too much. Other processes compile it again."""
    found = []
    for path in folder.rglob("*-cache"):
        with contextlib.suppress(OSError):  # another process deleted it
            about = path.stat()
            found.append((max(about.st_atime, about.st_mtime), about.st_size, path))
    excess = sum(size for _, size, _ in found)
    excess = excess - _MOST_BYTES // 2 if excess > _MOST_BYTES else 0
    for _, size, path in sorted(found):
        if excess <= 0:
            return
        path.unlink(missing_ok=True)
        excess -= size


def _folder(where: Any) -> Path | None:
    if where is False or where == "off":  # YAML reads off as false
        return None
    if not isinstance(where, str) or not where:
        raise InputError("compilation_cache", where, "auto, off, or a folder")
    if where != "auto":
        return Path(where).expanduser() / _machine()
    if given := os.environ.get("JAX_COMPILATION_CACHE_DIR"):
        return Path(given)
    home = os.environ.get("XDG_CACHE_HOME", "")
    return (Path(home) if os.path.isabs(home) else Path.home() / ".cache") / "simdiff" / _machine()


def _machine() -> str:
    """A name for what CPU programs are compiled for: the architecture and its instructions."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = [platform.processor()]
    said = next((line for line in lines if line.startswith(("flags", "Features"))), lines[0])
    words = " ".join(sorted(said.split()))
    return f"{platform.machine()}-{hashlib.sha256(words.encode()).hexdigest()[:8]}"
