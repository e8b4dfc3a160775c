"""Whole files or none: the only ways in which a run folder is written.

Every file is written under a temporary name in its own folder, flushed to disk and renamed, so that
a reader, a second writer or a crash at any moment meets either the whole file or no file. Nothing
here takes a lock: locks outlive dead processes on network file systems, renames don't.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import secrets
from collections.abc import Iterator
from pathlib import Path

from simdiff.errors import InputError

TEMPORARY = ".tmp-"
"""How the names of unfinished files start. A killed process leaves some behind; readers skip them."""


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a temporary path with the suffix of `path`; when the block ends well, it becomes `path`.

    The block writes and closes the temporary file. If it raises, `path` is left as it was.

    Raises:
        InputError: the disk is full, has gone, or may not be written.
    """
    with _one_line(path), _temporary(path) as temporary:
        make_folder(path.parent)
        yield temporary
        _sync(temporary, os.O_RDWR)
        os.replace(temporary, path)
        sync_folder(path.parent)


def write_text(path: Path, text: str) -> None:
    """Replace `path` by `text` (UTF-8, line ends as given) in one step."""
    with replacing(path) as temporary:
        temporary.write_bytes(text.encode())


def create_text(path: Path, text: str) -> bool:
    """Write `text` to `path` unless something has that name already; True if this call wrote it.

    Raises:
        InputError: as `replacing`.
    """
    with _one_line(path), _temporary(path) as temporary:
        make_folder(path.parent)
        temporary.write_bytes(text.encode())
        _sync(temporary, os.O_RDWR)
        try:
            os.link(temporary, path)
        except FileExistsError:
            return False
        except OSError:  # a file system without hard links
            if path.exists():
                return False
            os.replace(temporary, path)
        sync_folder(path.parent)
    return True


@contextlib.contextmanager
def _one_line(path: Path) -> Iterator[None]:
    """Say which file could not be written and why, in place of what the system says."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error).splitlines()[0]
        kept = "what was stored before is kept, and the same command goes on from there"
        raise InputError(
            "run folder", str(path), "a disk that can be written", f"{reason}; {kept}"
        ) from error


def supersede_text(path: Path, text: str) -> None:
    """Make `path` hold `text`; another text that was there moves to `<stem>-1<suffix>`, `-2`, ...

    No text is ever lost, even with several processes at it: a file is moved, never overwritten.
    """
    while not create_text(path, text):
        with contextlib.suppress(FileNotFoundError):  # another process has just moved it
            if path.read_bytes() == text.encode():
                return
            _move_aside(path)


def _move_aside(path: Path) -> None:
    """Move `path` to the first free numbered name, or drop it there if an older copy is equal."""
    kept = _claim_number(path)
    try:
        os.replace(path, kept)
    except FileNotFoundError:
        kept.unlink(missing_ok=True)
        raise
    older = itertools.takewhile(lambda p: p != kept, _numbered(path))
    content = kept.read_bytes()
    if any(p.exists() and p.read_bytes() == content for p in older):
        kept.unlink()
    sync_folder(path.parent)


def _claim_number(path: Path) -> Path:
    return next(p for p in _numbered(path) if not p.exists() and create_text(p, ""))


def _numbered(path: Path) -> Iterator[Path]:
    return (path.with_name(f"{path.stem}-{i}{path.suffix}") for i in itertools.count(1))


def make_folder(path: Path) -> None:
    """Create a folder and its parents, each one flushed to disk."""
    if path.is_dir():
        return
    make_folder(path.parent)
    path.mkdir(exist_ok=True)
    sync_folder(path.parent)


def probe(folder: Path) -> None:
    """Raise `OSError` unless a file can be created in `folder`; leaves nothing behind."""
    with _temporary(folder / "probe") as temporary:
        temporary.touch(exist_ok=False)


def sync_folder(path: Path) -> None:
    """Flush a folder's list of names to disk, where the file system can do that."""
    with contextlib.suppress(OSError):
        _sync(path, os.O_RDONLY)


@contextlib.contextmanager
def _temporary(path: Path) -> Iterator[Path]:
    temporary = path.with_name(f"{TEMPORARY}{secrets.token_hex(4)}-{path.name}")
    try:
        yield temporary
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)


def _sync(path: Path, flags: int) -> None:
    descriptor = os.open(path, flags)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def expanded(path: str | os.PathLike[str]) -> Path:
    """The path, a leading ~ or ~NAME replaced by the home folder of a user.

    Raises:
        InputError: there is no such user.
    """
    try:
        return Path(path).expanduser()
    except RuntimeError as error:
        raise InputError("folder", os.fspath(path), "a path; ~NAME is the home folder of a user") from error
