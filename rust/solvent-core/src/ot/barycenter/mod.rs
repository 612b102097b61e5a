//! Barycenters of histograms (Benamou, Carlier, Cuturi, Nenna & Peyré, SIAM J. Sci. Comput. 37 (2015) A1111).
//!
//! `min over p of sum_k w_k min { <C, P_k> + reg sum P_k (log P_k - 1) : P_k 1 = p, P_k^T 1 = b_k }`. The plans are
//! `P_k = exp((f_k + g_k - C)/reg)`; p is free, so its multiplier says `sum_k w_k f_k = 0`. With every g_k the exact
//! answer to its f_k (`P_k^T 1 = b_k`) the dual is
//!
//! `D(f) = sum_k w_k (<g_k(f_k), b_k> - reg M)`,  `dD/df_k = -w_k P_k 1`  on  `sum_k w_k f_k = 0`,
//!
//! smooth and concave; it is maximal where all `r_k = P_k 1` agree, and then `p = r_k`. The classical projections,
//! `f_k += sum_l w_l reg log r_l - reg log r_k`, are steepest ascent in the metric `diag(w_k r_k)/reg`, up to the kind of
//! mean that stands for p. Here the same metric, with the logarithmic mean of r_k and `p = sum_l w_l r_l` for r_k, is
//! the initial metric of L-BFGS: without memory a step is a projection, with it the slow modes of the projections are
//! learnt. A line search makes D grow at every step. reg is lowered in stages, with potentials extrapolated in reg.
//!
//! | room | what lives there |
//! |---|---|
//! | [`problem`] | the data, validated |
//! | [`passes`] | sums of exponentials along both sides of the cost, for all k on one pass |
//! | [`kernels`] | the vector code of those passes |
//! | [`dual`] | D, its gradient and its metric |
//! | [`solve`] | stages, steps, when to ask for a certificate |
//! | [`certify`] | the bracket that (p, f, g) prove |

pub mod certify;
mod dual;
mod kernels;
mod passes;
pub mod problem;
pub mod solve;

pub use certify::certify;
pub use problem::Problem;
pub use solve::{Solution, solve};
