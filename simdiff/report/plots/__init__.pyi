"""What figures of runs are drawn with; each is loaded with its module."""

from .complexity import draw_complexity
from .curves import draw_curves
from .densities import DensityPanel, draw_densities
from .deviations import draw_deviations
from .extrapolation import draw_extrapolation
from .fields import FieldRow, draw_fields
from .maps import draw_maps
from .spectra import SpectrumPanel, draw_spectra
from .style import lay_out, save

__all__ = [
    "DensityPanel",
    "FieldRow",
    "SpectrumPanel",
    "draw_complexity",
    "draw_curves",
    "draw_densities",
    "draw_deviations",
    "draw_extrapolation",
    "draw_fields",
    "draw_maps",
    "draw_spectra",
    "lay_out",
    "save",
]
