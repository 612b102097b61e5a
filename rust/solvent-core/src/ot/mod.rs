//! Entropic optimal transport, certified, up to exact transport.
//!
//! `min <C, P> + reg KL(P | a b^T)` over `P >= 0` with marginals a and b, each held exactly or by a penalty
//! `tau KL(marginal | weights)`. The optimal plan is `P_ij = a_i b_j exp((f_i + g_j - C_ij)/reg)` (Cuturi 2013), and
//! any potentials give a lower bound, any feasible plan an upper one: the certificate is that gap, computed.
//!
//! The default method anneals reg from the scale of the costs down to what was asked, extrapolates the potentials from
//! stage to stage, and ends each stage with Newton's method on the semi-dual (columns exact), whose Hessian is the
//! Laplacian of a graph that the plan's few large entries span: Sinkhorn-Newton-Sparse (Tang, Shavlovsky, Rahmanian,
//! Tardini, Thekumparampil, Xiao, Ying, ICLR 2024) with an error-controlled support.
//!
//! | room | what lives there |
//! |---|---|
//! | [`problem`] | the data, checked: weights of 0 leave, rows are contiguous |
//! | [`cost`], [`points`] | the ground cost as rows: stored, or computed from points |
//! | [`side`] | one marginal: its weights, how firmly it is held, its share of the dual |
//! | [`passes`] | the O(nm) work: one exponential an entry, nothing stored |
//! | [`support`], [`linsys`] | the plan's entries that matter, and Newton's system on them |
//! | [`anneal`] | the schedule of reg |
//! | [`newton`], [`auto`] | the default method |
//! | [`partial`] | partial transport |
//! | [`sns`], [`cg`] | the method of the paper, for comparison |
//! | [`flow`] | proof that no plan avoids the forbidden arcs |
//! | [`iteration`] | which of these runs |
//! | [`certify`] | lower and upper bounds from potentials alone |
//! | [`routes`] | rounding to the marginals where arcs are forbidden |
//! | [`plan`] | the plan of given potentials: whole, sparse, as an operator |
//! | [`derivative`], [`slopes`] | derivatives of the plan, and of costs between points |
//! | [`solve`] | the door |
//! | [`simplex`], [`exact`] | the network simplex method; transport without regularisation |
//! | [`entry`] | a stored cost line by line, whatever its order and precision |
//! | [`cardinality`] | plans with few arcs a column |
//! | [`barycenter`] | barycenters of histograms |

pub mod anneal;
pub mod auto;
pub mod barycenter;
pub mod cardinality;
pub mod certify;
pub mod cg;
pub mod cost;
pub mod derivative;
pub mod entry;
pub mod exact;
pub mod flow;
pub mod iteration;
pub mod linsys;
pub mod newton;
pub mod partial;
pub mod passes;
pub mod plan;
pub mod points;
pub mod problem;
pub mod routes;
pub mod side;
pub mod simplex;
pub mod slopes;
pub mod sns;
pub mod solve;
pub mod support;

use crate::base::error::{Aborted, ArgumentError};

/// What can go wrong with a transport problem.
#[derive(Debug, thiserror::Error)]
pub enum OtError {
    /// An argument was refused.
    #[error(transparent)]
    Argument(#[from] ArgumentError),
    /// The observer abandoned the work; it holds the reason.
    #[error(transparent)]
    Aborted(#[from] Aborted),
}
