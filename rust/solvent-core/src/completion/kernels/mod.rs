//! What one row of a half-sweep costs: gathering its design, and the solvers of its small least-squares problem.
//!
//! | kernel | when |
//! |---|---|
//! | [`gram`] + [`cholesky`] | few columns, or asked for: exact, `n k²` |
//! | [`dual`] | fewer entries than columns, with a ridge: `n² k` |
//! | [`cg`] | many columns: a few steps of conjugate gradients from the row's last solution, `n k` each |
//! | [`nonneg`] | coordinate descent on the Gram matrix |
//! | [`fallback`] | a pivot that is noise: filtered singular values in double precision |
//!
//! Weights enter as their square roots, on gathered row and target alike, so that every solver sees a plain problem.

pub mod cg;
pub mod cholesky;
pub mod dual;
pub mod fallback;
pub mod gather;
pub mod gram;
pub mod nonneg;
pub mod normal;
pub mod pass;
pub mod product;
pub mod residual;
pub mod row;
pub mod tangent;
