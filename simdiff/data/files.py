"""Arrays of samples from files: NumPy's .npy and .npz, and IDX as MNIST uses it, gzipped or not.

What a file is, its first bytes say, not its name. Nothing is ever unpickled.

IDX (Y. LeCun, the MNIST page): two zero bytes, a type, the number of axes, then each axis' length as a
big-endian 32-bit integer, then the values, big-endian too.
"""

from __future__ import annotations

import io
import os
import struct
import tokenize
import zipfile
import zlib
from gzip import decompress
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from simdiff.errors import InputError

FIELD = "data.path"
KINDS = "a .npy, .npz or IDX file (gzipped or not)"

_NPY, _ZIP, _GZIP = b"\x93NUMPY", (b"PK\x03\x04", b"PK\x05\x06"), b"\x1f\x8b"
_IDX_TYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
_DAMAGED = (
    *(ValueError, OSError, EOFError, SyntaxError, KeyError, OverflowError, MemoryError, NotImplementedError),
    *(tokenize.TokenError, zipfile.BadZipFile, zlib.error),
)
"""What NumPy and the decompressors raise on files that are not what their first bytes promise."""


def read_samples(path: str | os.PathLike, name: str | None = None) -> Float[np.ndarray, "m d"]:
    """The samples of a file as rows, float64; integers are divided by the largest of their type.

    Args:
        path: a .npy file, an .npz archive, or an IDX file; the last may be gzipped. Arrays (m, ...) are
            flattened to (m, d).
        name: which array of an archive; None: its first.

    Raises:
        InputError: a file that is missing, damaged or of another kind, objects or pickles, fewer than two
            samples, values that are not real numbers or not finite.
    """
    content = _content(path)
    array = _from_bytes(path, content, name)
    if name is not None and not content.startswith(_ZIP):
        raise InputError(
            "data.name", name, "null", f"{os.fspath(path)} is no .npz archive: it holds one array"
        )
    return check_samples(array, FIELD, os.fspath(path))


def check_samples(array: np.ndarray, field: str, source: Any) -> Float[np.ndarray, "m d"]:
    """`array` (m, ...) as float64 rows, or `InputError` that says what `source` lacks."""
    if array.dtype.kind not in "biuf":
        raise InputError(field, source, "real numbers", f"the array has type {array.dtype}")
    if array.ndim < 2 or array.size == 0:
        allowed = "an array (samples, ...) of two or more axes, none of them empty"
        raise InputError(field, source, allowed, f"its shape is {array.shape}")
    if len(array) < 2:
        raise InputError(field, source, "two samples or more", f"its shape is {array.shape}")
    rows = array.reshape(len(array), -1).astype(np.float64)
    bad = ~np.isfinite(rows).all(axis=1)
    if bad.any():
        hint = f"{bad.sum()} of {len(rows)} samples hold NaN or infinity, the first is number {bad.argmax()}"
        raise InputError(field, source, "finite numbers", hint)
    return rows / np.iinfo(array.dtype).max if array.dtype.kind in "iu" else rows


def _content(path: str | os.PathLike) -> bytes:
    """The file's bytes, decompressed if it is gzipped."""
    try:
        content = Path(path).read_bytes()
        return decompress(content) if content.startswith(_GZIP) else content
    except FileNotFoundError as error:
        raise InputError(FIELD, os.fspath(path), "an existing file", "there is none of this name") from error
    except _DAMAGED as error:
        raise InputError(FIELD, os.fspath(path), KINDS, _reason(error)) from error


def _from_bytes(path: Any, content: bytes, name: str | None) -> np.ndarray:
    """The array in `content`, by its first bytes."""
    try:
        if content.startswith(_NPY):
            return np.load(io.BytesIO(content), allow_pickle=False)
        if content.startswith(_ZIP):
            return _from_archive(path, content, name)
    except _DAMAGED as error:
        raise InputError(FIELD, os.fspath(path), KINDS, _reason(error)) from error
    if content[:2] == b"\x00\x00" and len(content) >= 4 and content[2] in _IDX_TYPES:
        return _from_idx(path, content)
    raise InputError(FIELD, os.fspath(path), KINDS, f"it begins with {content[:4]!r}, as none of them does")


def _from_archive(path: Any, content: bytes, name: str | None) -> np.ndarray:
    with np.load(io.BytesIO(content), allow_pickle=False) as archive:
        names = archive.files
        if not names:
            raise InputError(FIELD, os.fspath(path), KINDS, "the archive is empty")
        if name is not None and name not in names:
            raise InputError("data.name", name, f"one of {', '.join(names)}", f"in {os.fspath(path)}")
        found = archive[names[0] if name is None else name]
    if not isinstance(found, np.ndarray):
        raise InputError(FIELD, os.fspath(path), KINDS, "the archive holds something else than arrays")
    return found


def _from_idx(path: Any, content: bytes) -> np.ndarray:
    """The array of an IDX file whose header and length agree."""
    kind, axes = np.dtype(_IDX_TYPES[content[2]]), content[3]
    start = 4 + 4 * axes
    if axes == 0 or len(content) < start:
        raise InputError(FIELD, os.fspath(path), KINDS, "its IDX header is incomplete")
    shape = struct.unpack(f">{axes}I", content[4:start])
    wanted = kind.itemsize
    for length in shape:
        wanted *= length
    if len(content) - start != wanted:
        hint = f"its header promises {wanted} bytes for shape {shape}, {len(content) - start} follow"
        raise InputError(FIELD, os.fspath(path), "a complete IDX file", hint)
    return np.frombuffer(content, kind, offset=start).reshape(shape)


def _reason(error: Exception) -> str:
    """One line; NumPy's advice to allow pickles is not passed on."""
    text = " ".join(str(error).split())
    if "allow_pickle" in text or "pickle" in text:
        return "it holds Python objects, which are never loaded"
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
