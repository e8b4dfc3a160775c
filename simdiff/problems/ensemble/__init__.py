"""Ensembles of models of a few points, and the samples that each generates."""
