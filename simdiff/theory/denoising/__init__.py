"""Random-feature denoising: learning curves, gradient flow, spectrum of the Gram matrix, Bayes floors."""
