"""The command line, and the only home of Hydra: `main` reads the words, `compose` makes configurations."""

import os

# Figures are files only. A shell that a notebook has started names a backend that there is nowhere else.
os.environ["MPLBACKEND"] = "agg"
