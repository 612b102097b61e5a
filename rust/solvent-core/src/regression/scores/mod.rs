//! How much each row of a matrix matters: leverage scores, Lewis weights, lp sensitivities, and samples of rows drawn by
//! them.
//!
//! * tau_i = max_x |a_i x|^2/|A x|_2^2, the leverage ([`leverage`]);
//! * w_i = (a_i (A^T W^(1-2/p) A)^-1 a_i^T)^(p/2), the lp Lewis weights, the fixed point of a contraction for 0 < p < 4
//!   (Cohen & Peng, STOC 2015, sec. 3; [`lewis`]);
//! * sigma_i = max_x |a_i x|^p/|A x|_p^p, the lp sensitivity, which leverage bounds ([`sensitivity`]);
//! * [`sample`] draws rows with replacement.
//!
//! All stand on [`whiten`]: a matrix W with A W nearly orthonormal, and a bound on how nearly.

pub mod leverage;
pub mod lewis;
pub mod sample;
pub mod sensitivity;
pub mod table;
pub mod whiten;

use crate::base::certificate::Certificate;
use crate::base::monitor::Monitor;
use crate::base::outcome::Outcome;
use crate::base::status::Status;
use crate::base::sum;

/// One score a row.
#[derive(Debug, Clone)]
pub struct Scores {
    /// The scores.
    pub scores: Vec<f64>,
    /// Their sum.
    pub total: f64,
    /// The rank of the matrix.
    pub rank: usize,
    /// How it was found.
    pub outcome: Outcome,
}

/// Scores without a tolerance: the status says whether the method's own rule was met.
fn finish(
    scores: Vec<f64>,
    rank: usize,
    certificate: Certificate,
    status: Status,
    message: Option<String>,
    monitor: Monitor<'_>,
) -> Scores {
    let ending = monitor.end(status);
    let outcome = Outcome {
        success: status == Status::Converged,
        status,
        message: message.unwrap_or_else(|| "the scores and their certificate were computed".to_owned()),
        nit: ending.nit,
        elapsed: ending.started.elapsed().as_secs_f64(),
        certificate: Some(certificate),
        history: ending.history,
    };
    Scores { total: sum::sum(&scores), scores, rank, outcome }
}
