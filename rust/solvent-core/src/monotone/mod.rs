//! Monotone inclusions, fixed points, matrix games and linear programs by Halpern iterations.
//!
//! | room | what lives there |
//! |---|---|
//! | [`fixed_point`] | fixed points of a caller's map |
//! | [`game`] | zero-sum matrix games |

pub mod fixed_point;
pub mod game;
