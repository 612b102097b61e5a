//! Certified least squares, lp and quantile regression.

pub mod lp;
pub mod quantile;
