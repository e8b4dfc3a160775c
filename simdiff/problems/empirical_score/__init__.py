"""The exact score of a training set, without a network, and its backward trajectories."""
