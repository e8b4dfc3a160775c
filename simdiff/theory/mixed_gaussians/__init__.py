"""The theory of exact minimisers on data that are a mixture of Gaussians with common eigenvectors.

`classes` reads the mixture from a data law, makes continuous ones finite and turns it into
groups of Gaussian rows and types of features, `fixed_point` solves for the mean resolvent, `class_errors`
gives the errors of every class, and `mixed_gaussians` is the theory as problems see it.
"""
