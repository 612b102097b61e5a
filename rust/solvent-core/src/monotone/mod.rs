//! Monotone inclusions, fixed points, matrix games and linear programs by Halpern iterations.
//!
//! | room | what lives there |
//! |---|---|
//! | [`game`] | zero-sum matrix games |

pub mod game;
