"""Figures: theory as lines, simulation as points with error bars, what each number means on the axes.

`style` holds the one look and the atomic `save`; `labels` the readable names; `columns` reads the
result tables (no matplotlib); `axes` places values, infinity and words included, on an axis.
On these stand the figures: `curves` (against one parameter), `extrapolation` (against 1/d, and the
deviation of every comparison in units of its standard error) and `maps` (over two parameters).
Every figure takes pandas tables and returns a `matplotlib.figure.Figure`; none touches pyplot.

Matplotlib is loaded when the first of them is drawn.
"""

import lazy_loader as _lazy

__getattr__, __dir__, __all__ = _lazy.attach_stub(__name__, __file__)
