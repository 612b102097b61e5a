//! Monotone inclusions, fixed points, matrix games and linear programs by Halpern iterations.

pub mod halpern;
pub mod inclusion;
pub mod operator;
pub mod prox;
pub mod scheme;
pub mod variance;
pub mod vector;
