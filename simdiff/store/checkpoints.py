"""Checkpoints on disk: the states of trials that are under way, one file for each batch of a point.

    trials/<point>/d<d>-s<seed>-<first trial>-<last trial>.npz

A file is replaced in one step and goes when its trials are stored. It says what it is of; one that is torn,
or of something else, is told of and left unused. It has arrays and one text in JSON, nothing to execute.
"""

from __future__ import annotations

import contextlib
import json
import re
import warnings
import zipfile
import zlib
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from simdiff.store import files

_NAME = re.compile(r"d\d+-s\d+-(?P<first>\d+)-(?P<last>\d+)\.npz")
_ABOUT = "about"


class Checkpoints:
    """Those of one point: `folder` is that of its trials, `facts` what they depend on beside the problem."""

    def __init__(self, folder: Path, facts: Mapping[str, Any]) -> None:
        self._folder, self._facts = folder, dict(facts)

    def load(self, name: str, identity: Mapping[str, Any]) -> dict[str, np.ndarray] | None:
        """The arrays in a file; None where there is none, or it is not used.

        Warns:
            RuntimeWarning: it is torn or of another identity.
        """
        path = self._folder / f"{name}.npz"
        try:
            with np.load(path, allow_pickle=False) as file:
                arrays = {key: file[key] for key in file.files}
            there = json.loads(arrays.pop(_ABOUT).tobytes())
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error) as error:
            _tell(path, f"it is torn ({type(error).__name__})")
            return None
        here = self._identity(identity)
        other = sorted(key for key in {*here, *there} if here.get(key) != there.get(key))
        if other:
            _tell(path, f"it is of another {', '.join(other)}")
            return None
        return arrays

    def save(self, name: str, identity: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> None:
        """Write or replace a file in one step.

        Raises:
            InputError: the disk is full, has gone, or may not be written.
        """
        about = np.frombuffer(json.dumps(self._identity(identity)).encode(), np.uint8)
        content: dict[str, Any] = {_ABOUT: about, **arrays}
        with files.replacing(self._folder / f"{name}.npz") as temporary, temporary.open("wb") as file:
            np.savez(file, **content)

    def drop(self, name: str) -> None:
        """Delete a file, if it is there."""
        with contextlib.suppress(OSError):
            (self._folder / f"{name}.npz").unlink(missing_ok=True)

    def clear(self, d: int, seed: int, finished: Collection[int]) -> None:
        """Delete files all of whose trials are stored: a process was killed before it could."""
        for path in self._folder.glob(f"d{d}-s{seed}-*.npz"):
            match = _NAME.fullmatch(path.name)
            if match and {*range(int(match["first"]), int(match["last"]) + 1)} <= {*finished}:
                self.drop(path.stem)

    def _identity(self, identity: Mapping[str, Any]) -> dict[str, Any]:
        return json.loads(json.dumps({**self._facts, **identity}, default=str))


def _tell(path: Path, reason: str) -> None:
    said = f"checkpoint {path.parent.name}/{path.name} is not used: {reason}; its trials begin anew"
    warnings.warn(said, RuntimeWarning, stacklevel=3)
