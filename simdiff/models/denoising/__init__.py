"""Score networks of denoising score matching."""
