"""Low-rank matrix completion by robust alternating minimization."""
