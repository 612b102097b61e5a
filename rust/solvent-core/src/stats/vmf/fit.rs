//! Maximum likelihood: mu = S/|S| and A_d(kappa) = |S|/W, with the interval that proves kappa.

use super::VmfError;
use super::certify::{bracket, certificate};
use super::concentration::{MAX_STEPS, concentration};
use super::density::log_peak;
use super::moments::{Moments, moments};
use super::rows::Rows;
use crate::base::certificate::Certificate;
use crate::base::monitor::{Budget, Monitor, Observer};
use crate::base::outcome::Outcome;
use crate::base::status::Status;

/// What the caller asks of a fit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Options {
    /// Target for the certificate's bound.
    pub tol: f64,
    /// Steps of the scalar search.
    pub maxiter: u64,
}

impl Default for Options {
    fn default() -> Self {
        Self { tol: 1e-12, maxiter: MAX_STEPS }
    }
}

/// A fitted distribution and what is known about it.
#[derive(Debug, Clone)]
pub struct Fit {
    /// Mean direction.
    pub mu: Vec<f64>,
    /// Concentration; infinite where all rows point the same way.
    pub kappa: f64,
    /// R = |S|/W.
    pub mean_resultant_length: f64,
    /// Sum of the weighted log-densities at the fit.
    pub log_likelihood: f64,
    /// An interval that contains the maximum-likelihood concentration.
    pub interval: (f64, f64),
    /// How the fit ended, and what is proven about kappa and mu.
    pub outcome: Outcome,
}

/// The likelihood has no maximum at finite kappa: R + dR >= 1, or the rows are one and the same.
fn is_degenerate(m: &Moments) -> bool {
    m.parallel || m.complement() <= m.radius_error
}

/// The root and its interval.
struct Estimate {
    kappa: f64,
    interval: (f64, f64),
    nit: u64,
    settled: bool,
}

fn estimate(m: &Moments, maxiter: u64) -> Estimate {
    if is_degenerate(m) {
        let interval = (f64::INFINITY, f64::INFINITY);
        return Estimate { kappa: f64::INFINITY, interval, nit: 0, settled: true };
    }
    let d = m.dimension();
    if m.radius.hi <= m.radius_error {
        // A(kappa) is kappa/d here, so that A surely exceeds R + dR at the upper end.
        let interval = (0.0, 4.0 * d as f64 * m.radius_error);
        return Estimate { kappa: 0.0, interval, nit: 0, settled: true };
    }
    let root = concentration(d, m.radius.to_f64(), m.complement(), maxiter);
    let b = bracket(m, root.kappa);
    Estimate { kappa: b.kappa, interval: (b.low, b.high), nit: root.steps, settled: root.settled }
}

/// Fits the distribution to unit rows. Time O(n d): one pass over `rows`; memory O(d).
pub fn fit(
    rows: &Rows<'_>,
    weights: Option<&[f64]>,
    options: Options,
    observer: &mut dyn Observer,
) -> Result<Fit, VmfError> {
    let mut monitor = Monitor::new(Budget::new(options.tol, options.maxiter), observer, &[]);
    let m = moments(rows, weights, &mut monitor)?;
    let mut mu = m.direction();
    if let Rows::F32(_) = rows {
        // The payload is single precision, and the certificate judges the payload.
        mu.iter_mut().for_each(|x| *x = f64::from(*x as f32));
    }
    let Estimate { kappa, interval, nit, settled } = estimate(&m, options.maxiter);
    let certificate = certificate(&m, interval, &mu, kappa);
    let (status, message) = verdict(&m, &options, &certificate, kappa, settled);
    let success = match status {
        Status::Converged => true,
        Status::RoundingFloor => options.tol == 0.0,
        _ => false,
    };
    let outcome = Outcome {
        success,
        status,
        message,
        nit,
        elapsed: monitor.elapsed(),
        certificate: Some(certificate),
        history: None,
    };
    Ok(Fit {
        kappa,
        mean_resultant_length: m.radius.to_f64(),
        log_likelihood: log_likelihood(&m, kappa),
        interval,
        outcome,
        mu,
    })
}

fn verdict(
    m: &Moments,
    options: &Options,
    certificate: &Certificate,
    kappa: f64,
    settled: bool,
) -> (Status, String) {
    let bound = certificate.bound;
    if kappa.is_infinite() {
        let message = "all rows point the same way: the likelihood has no maximum; add rows or cap kappa";
        return (Status::Degenerate, message.to_owned());
    }
    if bound <= options.tol {
        let message = if m.length.hi == 0.0 {
            "the mean resultant length is 0: kappa = 0, and every direction is a maximiser".to_owned()
        } else {
            format!("the interval proves kappa to {bound:.1e} relative")
        };
        return (Status::Converged, message);
    }
    if !settled {
        let message = format!("maxiter is used up at a proven {bound:.1e} relative; raise maxiter");
        return (Status::MaxIterations, message);
    }
    let message = format!("rounding allows no interval narrower than {bound:.1e} relative; raise tol");
    (Status::RoundingFloor, message)
}

/// W (log C_d(kappa) + kappa R), formed as W (log-density at the mode - kappa (1 - R)).
fn log_likelihood(m: &Moments, kappa: f64) -> f64 {
    if kappa.is_infinite() {
        return f64::INFINITY;
    }
    m.weight.to_f64() * (log_peak(m.dimension(), kappa) - kappa * m.complement()) * m.unit
}

/// Judges any `mu` and `kappa` against the data: the same certificate that [`fit`] gives for its own, and the interval.
pub fn certify(
    rows: &Rows<'_>,
    weights: Option<&[f64]>,
    mu: &[f64],
    kappa: f64,
    observer: &mut dyn Observer,
) -> Result<(Certificate, (f64, f64)), VmfError> {
    let mut monitor = Monitor::new(Budget::new(0.0, MAX_STEPS), observer, &[]);
    let m = moments(rows, weights, &mut monitor)?;
    let interval = estimate(&m, MAX_STEPS).interval;
    Ok((certificate(&m, interval, mu, kappa), interval))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::monitor::Silent;
    use crate::base::view::MatrixView;

    fn run(x: &[f64], d: usize) -> Fit {
        let rows = Rows::F64(MatrixView::row_major(x, x.len() / d, d).unwrap());
        fit(&rows, None, Options::default(), &mut Silent).unwrap()
    }

    #[test]
    fn equal_rows_have_no_maximum_and_opposite_rows_no_direction() {
        let same = run(&[0.6, 0.8, 0.6, 0.8, 0.6, 0.8], 2);
        assert_eq!((same.outcome.status, same.kappa), (Status::Degenerate, f64::INFINITY));
        assert_eq!(same.outcome.certificate.map(|c| c.bound), Some(f64::INFINITY));
        assert!(!same.outcome.success);
        let opposite = run(&[0.6, 0.8, -0.6, -0.8], 2);
        assert_eq!(
            (opposite.outcome.status, opposite.kappa, opposite.mu),
            (Status::Converged, 0.0, vec![1.0, 0.0])
        );
    }

    #[test]
    fn the_interval_holds_the_root_and_is_narrow() {
        // R = 1/sqrt(2) from two orthogonal rows.
        let f = run(&[1.0, 0.0, 0.0, 0.0, 1.0, 0.0], 3);
        assert_eq!(f.outcome.status, Status::Converged);
        assert!(f.interval.0 < f.kappa && f.kappa < f.interval.1);
        assert!(f.outcome.certificate.unwrap().bound < 1e-14);
        let r = 1.0 / f.kappa.tanh() - 1.0 / f.kappa;
        assert!((r - 0.5f64.sqrt()).abs() < 1e-15);
    }
}
