"""Files of samples: every kind read back, every kind of damage one clear line, nothing unpickled."""

import gzip
import io
import pickle
import struct
import zipfile

import numpy as np
import pytest

from simdiff.data.files import read_samples
from simdiff.errors import InputError

CODES = {"u1": 8, "i1": 9, "i2": 11, "i4": 12, "f4": 13, "f8": 14}
WHOLE = np.random.default_rng(0).integers(0, 100, (5, 2, 3))


def idx(array):
    code = CODES[array.dtype.str[1:]]
    head = struct.pack(f">BBBB{array.ndim}I", 0, 0, code, array.ndim, *array.shape)
    return head + array.astype(array.dtype.newbyteorder(">")).tobytes()


def npy(array, **options):
    out = io.BytesIO()
    np.save(out, array, **options)
    return out.getvalue()


def npz(**arrays):
    out = io.BytesIO()
    np.savez(out, **arrays)
    return out.getvalue()


def written(folder, content, name="samples.bin"):
    path = folder / name
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("kind", CODES)
def test_every_kind_of_file_is_read_back(kind, tmp_path):
    array = WHOLE.astype(kind)
    scale = np.iinfo(array.dtype).max if array.dtype.kind in "iu" else 1.0
    wanted = WHOLE.reshape(5, 6) / scale
    for content in (idx(array), gzip.compress(idx(array)), npy(array), npz(first=array, other=array[:2])):
        np.testing.assert_allclose(read_samples(written(tmp_path, content)), wanted, rtol=1e-15)
    named = read_samples(written(tmp_path, npz(first=array, other=array[:2])), "other")
    np.testing.assert_allclose(named, wanted[:2], rtol=1e-15)
    big_endian = read_samples(written(tmp_path, npy(array.astype(array.dtype.newbyteorder(">")))))
    np.testing.assert_allclose(big_endian, wanted, rtol=1e-15)


BYTES = idx(WHOLE.astype("u1"))
FLOATS = WHOLE.astype(float)
OBJECTS = np.array([{}, {}], dtype=object)


def holed(value):
    array = FLOATS.copy()
    array[3, 1, 1] = value
    return array


BAD = {
    "empty": (b"", r"begins with b''"),
    "text": (b"1,2\n3,4\n", r"\.npy, \.npz or IDX"),
    "JPEG": (b"\xff\xd8\xff\xe0", "as none of them does"),
    "pickle": (pickle.dumps(FLOATS), "as none of them does"),
    "objects in .npy": (npy(OBJECTS, allow_pickle=True), "Python objects, which are never loaded"),
    "objects in .npz": (npz(a=OBJECTS), "Python objects, which are never loaded"),
    "no number in it": (npz(), "the archive is empty"),
    "IDX cut short": (BYTES[:-1], r"promises 30 bytes for shape \(5, 2, 3\), 29 follow"),
    "IDX too long": (BYTES + b"\0", "31 follow"),
    "IDX header cut": (BYTES[:9], "header is incomplete"),
    "IDX without axes": (b"\0\0\x08\0", "header is incomplete"),
    "IDX type unknown": (b"\0\0\x0a\1\0\0\0\1\0", "as none of them does"),
    "IDX of absurd size": (b"\0\0\x08\2" + b"\xff" * 8, "promises 18446744065119617025 bytes"),
    "gzip cut short": (gzip.compress(BYTES)[:-9], "EOFError"),
    "gzip damaged": (gzip.compress(BYTES)[:-6] + b"abcdef", "BadGzipFile|error"),
    ".npy cut short": (npy(FLOATS)[:-8], "ValueError"),
    ".npy header cut": (npy(FLOATS)[:20], r"ValueError|EOFError"),
    ".npz cut short": (npz(a=FLOATS)[:-30], "BadZipFile"),
    "NaN": (npy(holed(np.nan)), "1 of 5 samples hold NaN or infinity, the first is number 3"),
    "infinity": (npy(holed(np.inf)), "finite numbers"),
    "one sample": (npy(FLOATS[:1]), r"two samples or more.*\(1, 2, 3\)"),
    "no samples": (npy(FLOATS[:0]), "none of them empty"),
    "one axis": (npy(FLOATS.ravel()), r"its shape is \(30,\)"),
    "complex": (npy(FLOATS + 1j), "complex128"),
    "words": (npy(np.array([["a", "b"], ["c", "d"]])), "real numbers"),
    "dates": (npy(np.zeros((2, 2), "M8[s]")), "real numbers"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_files_are_one_clear_line(case, tmp_path):
    content, message = BAD[case]
    with pytest.raises(InputError, match=message) as caught:
        read_samples(written(tmp_path, content))
    assert caught.value.field == "data.path"
    assert "\n" not in str(caught.value)
    assert "allow_pickle" not in str(caught.value)


def test_bad_paths_and_names_are_one_clear_line(tmp_path):
    path = written(tmp_path, npz(a=FLOATS, b=FLOATS))
    for arguments, message in (
        ((tmp_path / "none.npy",), "an existing file"),
        ((tmp_path,), "IsADirectoryError"),
        ((path, "c"), "data.name: got 'c'; allowed: one of a, b"),
        ((written(tmp_path, npy(FLOATS), "x.npy"), "a"), "data.name: got 'a'; allowed: null"),
    ):
        with pytest.raises(InputError, match=message):
            read_samples(*arguments)


class Trap:
    """Leaves a trace when it is unpickled."""

    def __init__(self, trace):
        self.trace = trace

    def __reduce__(self):
        return open, (str(self.trace), "w")


def test_nothing_is_ever_unpickled(tmp_path):
    trap = np.array([[Trap(tmp_path / "trace")] * 2] * 2, dtype=object)
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as members:
        members.writestr("a.npy", npy(trap, allow_pickle=True))
    for content in (pickle.dumps(trap), npy(trap, allow_pickle=True), archive.getvalue()):
        with pytest.raises(InputError):
            read_samples(written(tmp_path, content))
    assert not (tmp_path / "trace").exists()
    pickle.loads(pickle.dumps(trap))  # the trap works
    assert (tmp_path / "trace").exists()
