//! Transport with few arcs a column (Liu, Puigcerver & Blondel, Sparsity-constrained optimal transport, ICLR 2023).
//!
//! `min <C, T> + gamma/2 |T|^2` over couplings `T` of `a` and `b` with at most `k` nonzeros in each column. With the row
//! constraints in the Lagrangian the columns part (their semi-dual (11)): maximise
//!
//! `D(alpha) = <alpha, a> - sum_j h_j(alpha)`,
//! `h_j(alpha) = max { <alpha - C_j, t> - gamma/2 |t|^2 : t >= 0, sum t = b_j, at most k nonzeros }`,
//!
//! where the maximiser projects the `k` largest scores `s_i = alpha_i - C_ij` onto a simplex (their Proposition 4):
//! `t_i = (s_i - theta_j)_+ / gamma`, and `a - T(alpha) 1` is the gradient. `h_j` is a maximum of linear functions of
//! alpha, so D is concave and bounds the optimum from below whatever alpha is; the primal problem is not convex, and D
//! has a kink wherever the k-th and the next score of a column tie. At a kink the rows of `T(alpha)` need not have the
//! right sums: then [`repair`] looks for supports on which they have.
//!
//! | room | what lives there |
//! |---|---|
//! | [`problem`] | the data, validated |
//! | [`topk`] | one pass over the cost that keeps the best few entries of each column |
//! | [`column`] | the projection of one column |
//! | [`semidual`] | D and its gradient; lists that make most passes unnecessary |
//! | [`solve`] | ascent by L-BFGS, then the repair, then the certificate |
//! | [`repair`] | exact marginals on fixed supports, and exchanges of supports |
//! | [`plan`] | the coupling, column by column |
//! | [`certify`] | what a coupling and a pair (alpha, beta) prove |

pub mod certify;
mod column;
pub mod plan;
pub mod problem;
mod repair;
pub mod semidual;
pub mod solve;
mod topk;

pub use certify::certify;
pub use plan::Plan;
pub use problem::Problem;
pub use solve::{Solution, solve};
