"""A run's folder as one file, and back: what a colleague needs, with a dictionary of what is in it.

Only what a run writes is packed, and only that is unpacked; an archive never writes outside the new folder.
"""

from __future__ import annotations

import json
import os
import re
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from simdiff.errors import InputError
from simdiff.store import files
from simdiff.store.run_folder import MARKER, RunFolder

DICTIONARY = "DATA.md"

_KINDS = ("csv", "html", "json", "md", "parquet", "pdf", "png", "yaml")
_PLACES = re.compile(r"(trials/[A-Za-z0-9_-]+|rules|figures(-\d+)?)")
_ALLOWED = "an archive that `simdiff export` wrote"
_DAMAGE = (
    *(OSError, EOFError, zlib.error, zipfile.BadZipFile, zipfile.LargeZipFile),
    *(NotImplementedError, RuntimeError),  # a way of packing or a password that no export uses
)


def export(folder: str | os.PathLike[str], archive: str | os.PathLike[str], dictionary: str) -> Path:
    """Write a new zip file with everything that a run has in its folder.

    Args:
        folder: of the run.
        archive: the file, which must not exist yet.
        dictionary: what the tables and their columns are; it becomes DATA.md.

    Raises:
        InputError: the folder is no run's, or the file exists or cannot be written.
    """
    run = RunFolder(folder, create=False)
    target = files.expanded(archive)
    if target.exists():
        raise InputError("archive", str(archive), "a file that does not exist yet", "nothing is overwritten")
    found = sorted(_contents(run.path))
    try:
        with files.replacing(target) as part, zipfile.ZipFile(part, "w", zipfile.ZIP_DEFLATED) as packed:
            packed.writestr(DICTIONARY, dictionary)
            for name in found:
                packed.write(run.path / name, name)
    except OSError as error:
        raise InputError("archive", str(archive), "a file that can be written", str(error)) from error
    return target


def unpack(archive: str | os.PathLike[str], folder: str | os.PathLike[str]) -> Path:
    """Write the files of an archive into a new folder.

    Raises:
        InputError: it is no archive of a run, it is damaged, or the folder exists and is not empty.
    """
    target = files.expanded(folder)
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise InputError("out", str(folder), "a folder that does not exist yet", "nothing is overwritten")
    try:
        with zipfile.ZipFile(archive) as packed:
            names = _checked(packed, str(archive))
            for name in names:
                place = target / name
                files.make_folder(place.parent)
                with files.replacing(place) as part:
                    part.write_bytes(packed.read(name))
    except _DAMAGE as error:
        raise InputError("archive", str(archive), _ALLOWED, str(error)) from error
    return target


def _checked(packed: zipfile.ZipFile, archive: str) -> list[str]:
    """Names of the files to unpack; all are read once, so that damage shows before anything is written."""
    names = packed.namelist()
    strange = [name for name in names if name != DICTIONARY and not _is_of_a_run(name)]
    if strange or not any(name == MARKER or name.startswith("trials/") for name in names):
        hint = f"it has {strange[0]}" if strange else f"it has neither {MARKER} nor trials"
        raise InputError("archive", archive, _ALLOWED, hint)
    if (bad := packed.testzip()) is not None:
        raise InputError("archive", archive, _ALLOWED, f"{bad} in it is damaged")
    return names


def _contents(folder: Path) -> Iterator[str]:
    """Names of the files that a run wrote, and not of those that were there before."""
    marker = folder / MARKER
    foreign = json.loads(marker.read_text()).get("foreign", ()) if marker.exists() else ()
    for path in folder.rglob("*"):
        name = path.relative_to(folder).as_posix()
        if path.is_file() and not path.is_symlink() and name not in foreign and _is_of_a_run(name):
            yield name


def _is_of_a_run(name: str) -> bool:
    """Whether a run writes files of this name: a plain name, in the folder itself or one of its own."""
    parts = PurePosixPath(name)
    plain = re.fullmatch(r"[\w][\w.+=,@-]*", parts.name) is not None and parts.as_posix() == name
    place = parts.parent.as_posix()
    return plain and parts.suffix[1:] in _KINDS and (place == "." or _PLACES.fullmatch(place) is not None)
