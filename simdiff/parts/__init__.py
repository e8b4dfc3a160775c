"""What parts of problems have in common: loading by import path, building from plain values."""
