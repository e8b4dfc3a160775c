"""Models of point sets at all times, whose ensembles are sampled."""
