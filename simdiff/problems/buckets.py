"""Shape buckets: lengths are padded up to a few values so that one compilation serves many points."""

from __future__ import annotations


def power_of_two(length: int, least: int = 1) -> int:
    """The smallest power of two that is at least `length` and at least `least`."""
    return max(least, 1 << max(0, length - 1).bit_length())


def bucket(length: int) -> int:
    """`length` padded to 256, 512, 1024, and above to one of eight values an octave.

    A compilation costs as much as some fifty padded trials of length 1024 (measured on two cores), so
    small lengths have one bucket an octave. Padding by x costs x^2 in products and x^3 in a
    factorisation, so large lengths are padded by 6% on average.
    """
    octave = power_of_two(length, 256)
    step = octave if octave <= 1024 else octave // 16
    return -(-length // step) * step
