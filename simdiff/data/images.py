"""Real images as data laws: handwritten digits, patches of two photographs, and any file of samples."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from simdiff.data.files import KINDS, read_samples
from simdiff.data.points import PointSet
from simdiff.errors import InputError, check_integer
from simdiff.parts.registry import register

_GREY = np.array([0.299, 0.587, 0.114])
"""Luma of red, green and blue (ITU-R BT.601)."""


@register("data", "digits")
@dataclasses.dataclass(frozen=True)
class Digits(PointSet):
    """Scikit-learn's 1797 handwritten digits of 8 x 8 pixels: d = 64.

    Three pixels are the same in all of them, so the covariance has rank 61; `components` = 61 leaves them
    out. `components` and `twin` are those of `PointSet`.
    """

    components: int | None = None
    twin: bool = False

    def load(self) -> Float[np.ndarray, "m d"]:
        """Pixels in [0, 1]."""
        return np.asarray(_bundled("Digits", "load_digits").data, np.float64) / 16.0


@register("data", "patches")
@dataclasses.dataclass(frozen=True)
class Patches(PointSet):
    """Grey patches of the two photographs that come with scikit-learn, 427 x 640 pixels each: d = side^2.

    Args:
        side: pixels along an edge of a patch, 2 to 427.
        stride: pixels from one patch to the next, down and across; None: `side`, so that patches do not
            overlap (8,480 of them at side 8). A smaller stride gives more patches, which share pixels.
        components, twin: see `PointSet`.

    Raises:
        InputError: a value outside its range, or fewer than two patches.
    """

    side: int = 8
    stride: int | None = None
    components: int | None = None
    twin: bool = False

    def check(self) -> None:
        """Side and stride are whole numbers."""
        object.__setattr__(self, "side", check_integer("data.side", self.side, least=2))
        if self.stride is not None:
            object.__setattr__(self, "stride", check_integer("data.stride", self.stride, least=1))

    def load(self) -> Float[np.ndarray, "m d"]:
        """Patches of both photographs, grey levels in [0, 1]."""
        photographs = _bundled("Patches", "load_sample_images").images
        return np.concatenate([self._cut(np.asarray(photo) @ _GREY / 255.0) for photo in photographs])

    def _cut(self, photo: Float[np.ndarray, "h w"]) -> Float[np.ndarray, "m d"]:
        if self.side > min(photo.shape):
            raise InputError("data.side", self.side, f"at most {min(photo.shape)}, a photograph's height")
        step = self.stride or self.side
        windows = np.lib.stride_tricks.sliding_window_view(photo, (self.side, self.side))[::step, ::step]
        return windows.reshape(-1, self.side**2)


@register("data", "images", path=None)
@dataclasses.dataclass(frozen=True)
class Images(PointSet):
    """Samples in a file of your own: .npy, .npz, or IDX as MNIST uses it, gzipped or not.

    Args:
        path: the file; its array (m, ...) is flattened to m points of dimension d.
        name: which array of an .npz archive; None: the first.
        components, twin: see `PointSet`.

    Raises:
        InputError: see `read_samples` and `PointSet`.
    """

    path: str | os.PathLike
    name: str | None = None
    components: int | None = None
    twin: bool = False

    def check(self) -> None:
        """The path as text."""
        if not isinstance(self.path, (str, os.PathLike)) or not os.fspath(self.path):
            raise InputError("data.path", self.path, f"the path of {KINDS}")
        object.__setattr__(self, "path", os.fspath(self.path))
        if self.name is not None and not isinstance(self.name, str):
            raise InputError("data.name", self.name, "the name of an array in an .npz archive")

    def load(self) -> Float[np.ndarray, "m d"]:
        """The file's array."""
        return read_samples(self.path, self.name)

    def stamp(self) -> tuple[int, ...]:
        """The file's size and the time at which it was changed."""
        if not Path(self.path).is_file():
            return ()
        status = os.stat(self.path)
        return status.st_size, status.st_mtime_ns

    def description(self) -> dict[str, object]:
        """The arguments, without the folder, and what tells the content of the file from another."""
        own = {"path": Path(self.path).name, "content": self.prepared.content}
        return super().description() | own


def _bundled(asking: str, loader: str) -> Any:
    """What a loader of scikit-learn returns; imported only when asked for, for that takes a second."""
    try:
        import sklearn.datasets

        return getattr(sklearn.datasets, loader)()
    except ImportError as error:
        hint = f"pip install scikit-learn pillow: {error}"
        raise InputError("data", asking, "an installed scikit-learn, which holds the images", hint) from error
