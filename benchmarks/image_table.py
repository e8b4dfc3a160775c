"""Theory against simulation on real images: losses and divergences of linear denoisers at the images' size.

    python benchmarks/image_table.py                 # digits and patches of photographs
    python benchmarks/image_table.py FILE            # and images of your own, their 64 leading components

Every point is run on the images and on Gaussian data of the same covariance (twin). Theory, with its 1/d
term, should hold for the twins; what images deviate by on top is how far they are from Gaussian data. Two
columns measure that distance: the variances of |x|^2 and of x^T Sigma^-1 x, divided by those of Gaussian
data. The rule is fixed before any trial: one size, precision 0.005 at alpha 0.05, Holm over all points and
metrics. Trials are kept in runs/image_table, so the command can be interrupted; results/image_table.* holds
the outcome.
"""

from __future__ import annotations

import itertools
import sys
from collections.abc import Sequence

import pandas as pd
from common import RESULTS
from tables import run_table

import simdiff
from simdiff.data import Digits, Images, Patches, PointSet
from simdiff.data.points import length_ratios

RATIOS = (0.5, 1.0, 2.0, 4.0, 8.0)
RIDGES = (1e-2, 1e-1)
RUN_SETTINGS = {"sizes": None, "precision": 0.005, "alpha": 0.05, "seed": 0, "max_trials": 1024}


def laws(paths: Sequence[str]) -> list[PointSet]:
    """Images whose covariance has full rank: digits by their 40 leading components, patches as they are."""
    return [Digits(components=40), Patches(side=8), *(Images(path, components=64) for path in paths)]


def problems(found: Sequence[PointSet]) -> list[simdiff.LinearSampling]:
    """All combinations, the twin right after the images."""
    points = itertools.product(found, RIDGES, RATIOS)
    return [
        simdiff.LinearSampling(law, simdiff.trainers.Ridge(ridge), psi_n=psi_n, samples=0)
        for image, ridge, psi_n in points
        for law in (image, image.gaussian_twin())
    ]


def add_distances(found: Sequence[PointSet]) -> None:
    """Put the two measures of distance from Gaussian data into the stored table; 1 for twins."""
    path = RESULTS / "image_table.csv"
    table = pd.read_csv(path)
    known = {type(law).__name__: length_ratios(law.prepared) for law in found}
    for i, name in enumerate(("length_variance", "whitened_variance")):
        own = [known[data][i] for data in table["data"]]
        table[name] = [1.0 if twin else value for twin, value in zip(table["data.twin"], own, strict=True)]
    table.to_csv(path, index=False, float_format="%.6g")


if __name__ == "__main__":
    chosen = laws(sys.argv[1:])
    run_table("image_table", problems(chosen), RUN_SETTINGS, within=0.005)
    add_distances(chosen)
