//! Halpern's iteration `u_{k+1} = λ_k u_0 + (1 - λ_k) N(u_k)` for a nonexpansive N: the last iterate's residual is
//! `O(1/k)`, and with restarts it falls linearly where the problem is sharp.

mod reflected;
mod resolvent;

pub use reflected::Reflected;
pub use resolvent::Resolvent;
