//! What every solver returns beside its payload.
//!
//! The rule of `tol = 0`: no bound meets it, not even 0. The run uses its whole budget, the running bound ends
//! nothing, the certificate settles nothing, and the status is the budget's (`success` is false). Only the
//! method itself may end such a run, with a status of its own: `Converged` where its rule holds exactly (a fixed
//! point to the last bit), the rounding floor, a ray.

use super::certificate::Certificate;
use super::monitor::{Ending, History};
use super::status::Status;

/// The common fields of a result; the bindings turn it into the Python result the same way for all families.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    /// The certificate asked for holds; without one, the method's own stopping rule was met.
    pub success: bool,
    /// How the run ended.
    pub status: Status,
    /// Cause, and what to do about it.
    pub message: String,
    /// Units of work done.
    pub nit: u64,
    /// Seconds from the start of the run to its end, certificate included.
    pub elapsed: f64,
    /// What the result proves; `None` where the caller asked for none.
    pub certificate: Option<Certificate>,
    /// One row a unit of work, if it was asked for.
    pub history: Option<History>,
}

impl Outcome {
    /// Joins the end of the loop and the final certificate. The status is settled against the certificate
    /// ([`Status::settle`]), the message is the status's own; replace either where the family knows more.
    pub fn new(ending: Ending, certificate: Option<Certificate>) -> Self {
        let status = match &certificate {
            Some(certificate) => ending.status.settle(certificate.bound, ending.tol),
            None => ending.status,
        };
        Self {
            success: status == Status::Converged,
            status,
            message: status.describe().to_owned(),
            nit: ending.nit,
            elapsed: ending.started.elapsed().as_secs_f64(),
            certificate,
            history: ending.history,
        }
    }

    /// Replaces the message.
    #[must_use]
    pub fn with_message(mut self, message: impl Into<String>) -> Self {
        self.message = message.into();
        self
    }
}
