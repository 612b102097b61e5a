//! Exact optimal transport: `min <C, P>` over P >= 0, P1 = a, Pᵀ1 = b, with a certificate of its own.
//!
//! 1. **Anneal** ([`anneal`]): a few Sinkhorn steps at each of a falling sequence of temperatures, in single precision,
//!    give potentials f, g that are nearly optimal, and with them a few promising arcs a row.
//! 2. **Basis** ([`basis`]): the arcs are filled greedily by reduced cost C_ij − f_i − g_j; what comes out is a feasible,
//!    strongly feasible spanning tree.
//! 3. **Pivot**: the primal network simplex method ([`simplex`](super::simplex)) on the listed arcs, in integer flows.
//! 4. **Price out** ([`pricing`]): one hard c-transform of all arcs. The worst violated ones of each row are listed, and 3
//!    begins again; none left proves the basis optimal.
//!
//! Forbidden arcs (C_ij = +inf) cost a large number instead, which is raised until none is used or a set of rows is found
//! that weighs more than all it reaches ([`hall`]): the pattern then admits no plan.
//!
//! The certificate ([`certify`]) knows nothing of this: it reads C, a, b, the coupling and f, g.

pub mod anneal;
pub mod basis;
pub mod certify;
pub mod cost;
mod forest;
pub mod hall;
pub mod pricing;
pub mod problem;
pub mod solve;
pub mod start;

pub use certify::{Coupling, Payload, certify};
pub use solve::{Depth, Solution, default_maxiter, solve};
