"""Ball-arithmetic proofs of the constants in the error bounds of log I_v and log K_v; see tools/prove_bessel_bounds.py."""
