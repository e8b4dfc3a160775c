"""Models trained on the samples of models: linear diffusion models over generations."""
