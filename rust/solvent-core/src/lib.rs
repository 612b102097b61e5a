//! skeleton
pub mod special;
