//! Linear programs: restarted reflected Halpern PDHG, and exact proofs of infeasibility and unboundedness.
//!
//! min c·x over lc <= A x <= uc, lv <= x <= uv, with the dual max Σ y⁺lc + y⁻uc + r⁺lv + r⁻uv, r = c − Aᵀy.
//!
//! | file | what |
//! |---|---|
//! | `problem` | the data, checked |
//! | `scale` | Ruiz's and Pock and Chambolle's diagonal scaling |
//! | `sell`, `spmv`, `spmm` | the matrix, eight rows side by side; its products with a vector, and with many |
//! | `step` | one iteration |
//! | `restart`, `weight` | when to begin anew, and with which primal weight |
//! | `run`, `pdhg` | one run, and the same as a method of the one loop |
//! | `certify` | the optimality measures of a pair, from the original data, rounded up |
//! | `exact`, `rays`, `clean` | proofs that there is no solution: exact sums, the proofs, and how a candidate becomes one |
//! | `presolve`, `postsolve`, `lift` | reductions, and the way back |
//! | `polish` | the equations of the active set |
//! | `proximal` | exact proximal steps, for what turns |
//! | `solve` | from beginning to end |
//! | `batch`, `lockstep` | many problems with one matrix; sixteen of them iterated together |
//!
//! Sources: H. Lu & J. Yang, "Restarted Halpern PDHG for linear programming", arXiv 2407.16144; D. Applegate et al.,
//! "Practical large-scale linear programming using primal-dual hybrid gradient", NeurIPS 2021.

mod batch;
mod certify;
mod clean;
mod exact;
mod lift;
mod lockstep;
mod pdhg;
mod polish;
mod postsolve;
mod presolve;
mod problem;
mod proximal;
mod rays;
mod restart;
mod run;
mod scale;
mod sell;
mod solve;
mod spmm;
mod spmv;
mod step;
mod weight;

pub use batch::solve_batch;
pub use certify::{Judgement, certify};
pub use pdhg::{EXTRAS, Pair};
pub use problem::{Limits, Problem};
pub use rays::{Proof, Ray, certify_farkas, certify_recession};
pub use solve::{Options, Polish, Solution, solve};

use crate::base::error::{Aborted, ArgumentError};

/// What can go wrong with a linear program.
#[derive(Debug, thiserror::Error)]
pub enum LpError {
    /// An argument was refused before any work.
    #[error(transparent)]
    Argument(#[from] ArgumentError),
    /// The observer abandoned the work; it holds the reason.
    #[error(transparent)]
    Aborted(#[from] Aborted),
}
