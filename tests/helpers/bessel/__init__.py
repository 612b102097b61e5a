"""References, points and tables for the Bessel functions of `special`."""
