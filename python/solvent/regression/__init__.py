"""Certified least squares, lp and quantile regression."""
