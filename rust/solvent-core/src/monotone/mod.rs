//! Monotone inclusions, fixed points, matrix games and linear programs by Halpern iterations.
//!
//! | room | what lives there |
//! |---|---|
//! | [`binary`] | powers of two |
//! | [`vector`], [`operator`], [`prox`] | what an inclusion is made of |
//! | [`scheme`], [`halpern`], [`variance`] | iterations: deterministic, and with variance reduction |
//! | [`inclusion`] | `0 in F(u) + G(u)`: choice of the iteration, guard, certificate |
//! | [`fixed_point`] | fixed points of a caller's map |
//! | [`game`] | zero-sum matrix games |
//! | [`lp`] | linear programs |

pub mod binary;
pub mod fixed_point;
pub mod game;
pub mod halpern;
pub mod inclusion;
pub mod lp;
pub mod operator;
pub mod prox;
pub mod scheme;
pub mod variance;
pub mod vector;
