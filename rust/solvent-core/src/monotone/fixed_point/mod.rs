//! Fixed points `x = T(x)` of nonexpansive and contractive maps that only their caller can evaluate.
//!
//! 1. **Anderson** ([`anderson`]): the last differences of iterates and residuals give a secant model of `T - I`; very fast
//!    near a fixed point of a smooth or piecewise smooth map, and without any guarantee elsewhere, so it is guarded.
//! 2. **Halpern** ([`solve`]): `x <- (k+1)/(k+2) T(x) + x₀/(k+2)`. For a nonexpansive T the residual of the last iterate
//!    is at most `2‖x₀ - x*‖/(k+1)` (Lieder, Optim. Lett. 15 (2021) 405), restarted it falls geometrically wherever the
//!    distance to the fixed points is at most a multiple of the residual.
//!
//! The certificate is the residual `‖x - T(x)‖` itself. For a γ-contraction in that norm it bounds the distance,
//! `‖x - x*‖ <= ‖x - T(x)‖/(1 - γ)` (Banach).

pub mod anderson;
pub mod solve;

pub use solve::{Map, Norm, Options, Route, Solution, judge, solve};
