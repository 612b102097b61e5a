//! Optimal transport.

pub mod barycenter;
pub mod cardinality;
pub mod entry;
mod error;

pub use error::OtError;
