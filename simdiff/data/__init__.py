"""Data laws: what x is drawn from."""

from simdiff.data.base import DataLaw, Sampler
from simdiff.data.elliptical import Elliptical
from simdiff.data.gaussian import Gaussian, PowerLaw
from simdiff.data.gaussian_mixture import GaussianMixture
from simdiff.data.hidden_manifold import HiddenManifold
from simdiff.data.images import Digits, Images, Patches
from simdiff.data.linear_manifold import LinearManifold
from simdiff.data.point_masses import PointMasses
from simdiff.data.points import PointSet
from simdiff.data.spiked import Spiked

__all__ = [
    "DataLaw",
    "Digits",
    "Elliptical",
    "Gaussian",
    "GaussianMixture",
    "HiddenManifold",
    "Images",
    "LinearManifold",
    "Patches",
    "PointMasses",
    "PointSet",
    "PowerLaw",
    "Sampler",
    "Spiked",
]
