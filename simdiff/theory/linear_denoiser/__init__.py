"""Linear denoisers at one noise level, at any number of noise draws."""
