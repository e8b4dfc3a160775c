"""Two problems on common random numbers."""
