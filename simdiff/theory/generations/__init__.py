"""Models trained on the samples of models: exact means at size d, and limits by free probability."""
