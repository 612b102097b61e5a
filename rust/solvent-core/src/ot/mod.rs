//! Optimal transport.

pub mod exact;
pub mod simplex;
