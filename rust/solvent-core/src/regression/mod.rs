//! Certified least squares, lp and quantile regression.

pub mod scores;
pub mod sketch_solve;
