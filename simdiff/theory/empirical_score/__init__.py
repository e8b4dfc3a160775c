"""Theory of the exact score of a training set: speciation, collapse, and their rounding at finite d."""
