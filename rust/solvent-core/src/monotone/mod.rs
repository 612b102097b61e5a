//! Monotone inclusions, fixed points, matrix games and linear programs by Halpern iterations.

pub mod lp;
