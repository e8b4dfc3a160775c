"""Chains of linear denoisers over a noise schedule, and the law that sampling with them produces."""
