"""Shape buckets: lengths are padded up to a few values so that one compilation serves many points."""

from __future__ import annotations


def power_of_two(length: int, least: int = 1) -> int:
    """The smallest power of two that is at least `length` and at least `least`."""
    return max(least, 1 << max(0, length - 1).bit_length())


def bucket(length: int, fine: bool = False, least: int = 256) -> int:
    """`length` padded to 256, 512, 1024, and above to one of sixteen values an octave.

    A compilation costs as much as twenty to fifty trials of length 1024 (measured on two cores), so
    small lengths have one bucket an octave. Padding by x costs x^2 in products and x^3 in a
    factorisation, so large lengths are padded by 3% on average. `least`: a smaller power of two for
    what is often that short. `fine`: small lengths in steps, too, of at least 16, for programs that run
    much longer than they compile.
    """
    if fine:
        return _up(length, max(16, power_of_two(length, 256) // 32))
    octave = power_of_two(length, least)
    return _up(length, octave if octave <= 1024 else octave // 32)


def _up(length: int, step: int) -> int:
    return -(-length // step) * step


def block_rows(rows: int, features: int) -> int:
    """Rows a block when `rows` of them are streamed: some thousand, for products at full speed.

    A few rows make a block of 64 or 128. Of some thousand the last block would be mostly padding, so
    blocks are shorter; of more there is one value, to share compilations; for large problems the value
    that leaves the last block fullest is worth a compilation.
    """
    if rows <= 512:
        return min(256, power_of_two(rows, SHORTEST))
    if features >= 1024:
        return min((1280, 1152, 1024, 896), key=lambda block: -(-rows // block) * block)
    if rows > 4 * 1024:
        return 1024
    return _up(-(-rows // -(-rows // 1024)), 128)


SHORTEST = 64
"""The least number of samples or rows of a block that trials are padded to."""
