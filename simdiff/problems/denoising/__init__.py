"""Denoising score matching at one noise level: the problem, the program of a trial, kernels, evaluators."""
