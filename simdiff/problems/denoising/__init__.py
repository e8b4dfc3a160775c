"""Denoising score matching at one noise level: the problem, the program of a trial, kernels, evaluators.

`dispatch` chooses a trainer's kernel, a model's feature map and a data law's evaluator; each registers itself
in its own file, so all modules of this room are imported.
"""

from simdiff.parts.registry import import_all

import_all(__name__)
