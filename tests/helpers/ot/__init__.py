"""Independent oracles of optimal transport: references in NumPy, Arb and rational numbers, and the problems to try."""
