"""The command line, and the only home of Hydra: `main` reads the words, `compose` makes configurations."""
