//! Logarithms of modified Bessel functions, their ratios and gradients.
