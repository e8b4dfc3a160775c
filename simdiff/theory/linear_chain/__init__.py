"""Chains of linear denoisers: one-point functionals of the sample covariance."""
