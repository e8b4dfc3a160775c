"""Shape buckets: lengths are padded up to a few values so that one compilation serves many points."""

from __future__ import annotations


def power_of_two(length: int, least: int = 1) -> int:
    """The smallest power of two that is at least `length` and at least `least`."""
    return max(least, 1 << max(0, length - 1).bit_length())


def bucket(length: int) -> int:
    """`length` padded to one of a few values an octave: 256, 512, 1024, 1536, 2048, 2560, ...

    A compilation costs as much as some fifty padded trials of length 1024 (measured on two cores),
    so small lengths have one bucket an octave; padding by x costs x^2 to x^3, so large ones have four.
    """
    octave = power_of_two(length, 256)
    step = octave if octave <= 1024 else octave // 4 if octave == 2048 else octave // 8
    return -(-length // step) * step
