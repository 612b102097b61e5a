//! How a run ended, in words: the status, why, and what to do.

use crate::base::certificate::{Certificate, Kind};
use crate::base::monitor::Monitor;
use crate::base::outcome::Outcome;
use crate::base::status::Status;

/// What the words depend on beside the certificate.
pub struct Facts {
    /// The method's own stopping rule, where it ended the run.
    pub rule: Option<&'static str>,
    /// Whether the rank is as large as it may become.
    pub capped: bool,
    /// Whether there is no ridge: the entries alone decide.
    pub exact: bool,
}

/// The status, and a message that says why and what to do.
pub fn outcome(
    facts: &Facts,
    status: Status,
    certificate: Option<Certificate>,
    monitor: Monitor<'_>,
) -> Outcome {
    let ruled = facts.rule.filter(|_| status == Status::Converged);
    let ending = monitor.end(status);
    let (tol, nit) = (ending.tol, ending.nit);
    let mut outcome = if ruled.is_some() {
        let mut outcome = Outcome::new(ending, None);
        outcome.certificate = certificate;
        outcome
    } else {
        Outcome::new(ending, certificate)
    };
    if let Some(rule) = ruled {
        outcome.message = rule.to_owned();
        return outcome;
    }
    if tol == 0.0 && outcome.status == Status::MaxIterations {
        outcome.success = true;
        return outcome.with_message(format!("all {nit} sweeps that maxiter asked for were done"));
    }
    let Some(certificate) = &outcome.certificate else { return outcome };
    let (bound, kind) = (certificate.bound, certificate.kind);
    let residual = certificate.get("residual").unwrap_or(f64::NAN);
    let unknown = certificate.get("identifiable") == Some(0.0);
    let rank = facts.capped && certificate.get("rank_sufficient") == Some(0.0);
    let mut message = match (outcome.status, kind) {
        (Status::Converged, Kind::Stationarity) => {
            format!("a critical point; residual {residual:.3e}")
        }
        (Status::Stalled, Kind::NuclearGap) if rank => format!(
            "the factors no longer move and the gap stays at {bound:.3e}: the rank is too small for this lam; raise \
             rank (or leave it out), or raise lam"
        ),
        (Status::Stalled, _) => format!(
            "the factors no longer move at a bound of {bound:.3e} (relative residual {residual:.3e}); raise tol or \
             rank, or try another method"
        ),
        (Status::RoundingFloor, _) => format!(
            "rounding allows no smaller bound than {bound:.3e} for these data; raise tol, or pass float64 arrays if \
             they are float32"
        ),
        (Status::Diverged, _) => "the factors grew without limit; raise lam, or lower the rank".to_owned(),
        (status, _) => status.describe().to_owned(),
    };
    if unknown && facts.exact {
        message.push_str(
            "; the observed entries do not determine the others: too few of them, a row or column with fewer than \
             rank, or a pattern in several pieces",
        );
    }
    outcome.with_message(message)
}
