"""Ensembles of models of point sets: their laws, and the effective dynamics of their samples."""
