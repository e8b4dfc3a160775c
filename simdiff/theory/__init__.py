"""Asymptotic theories, evaluated from a problem's description and population quantities alone.

`loader` finds a theory and checks what it returns. The built-in one, `gaussian_equivalence`, goes from
a problem to numbers in three steps, each usable by itself: `quadrature` (constants of the activation),
`fixed_point` (the limit of the resolvent) and `learning_curve` (the errors).
"""

from simdiff.theory.loader import evaluate, evaluate_many, load, names

__all__ = ["evaluate", "evaluate_many", "load", "names"]
