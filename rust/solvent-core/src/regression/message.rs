//! What is said of a result: what holds, and what to do where the target is missed.

use crate::base::certificate::Kind;
use crate::base::outcome::Outcome;
use crate::base::status::Status;

/// What a message speaks of beside the outcome.
#[derive(Debug, Clone, Copy)]
pub struct Facts {
    /// Columns of A.
    pub columns: usize,
    /// Those that count.
    pub rank: usize,
    /// Relative singular values up to this count as zero.
    pub rcond: f64,
    /// The target.
    pub tol: f64,
    /// Whether the rows could be read but once.
    pub exhausted: bool,
}

/// Writes the message of an outcome.
pub fn describe(outcome: &mut Outcome, facts: &Facts) {
    let Facts { columns, rank, rcond, tol, exhausted } = *facts;
    let bound = outcome.certificate.as_ref().map_or(f64::NAN, |c| c.bound);
    let kind = outcome.certificate.as_ref().map_or("", |c| match c.kind {
        Kind::ForwardError => "forward",
        _ => "backward",
    });
    let mut text = match outcome.status {
        Status::Converged => format!("{kind} error bound {bound:.1e} <= tol {tol:.1e}"),
        Status::RoundingFloor => format!(
            "{kind} error bound {bound:.1e} > tol {tol:.1e}: these data allow no more in float64; pass tol={:.0e}",
            10f64.powf((2.0 * bound).log10().ceil())
        ),
        Status::MaxIterations if exhausted => format!(
            "{kind} error bound {bound:.1e} > tol {tol:.1e} from the one pass that this source allows; pass a list or \
             another source that can be read again"
        ),
        status => format!("{kind} error bound {bound:.1e}; {}", status.describe()),
    };
    if rank < columns {
        text = format!("rank {rank} of {columns} at rcond={rcond:.1e}: minimum-norm solution; {text}");
        if outcome.status == Status::Degenerate {
            text.push_str(" (no bound of the coefficients exists; use accuracy='backward')");
        }
    }
    outcome.message = text;
}
