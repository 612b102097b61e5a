//! What an answer proves: made from the original entries and the payload alone, in double precision.
//!
//! | kind | when | theorem |
//! |---|---|---|
//! | nuclear gap | lam > 0 | weak duality of the weighted nuclear-norm problem ([`gap`]) |
//! | interpolation | lam = 0, the entries are met | none needed: the residual itself ([`fit`]) |
//! | stationarity | otherwise | the gradient on the manifold, or the KKT residual; no optimality ([`fit`]) |
//!
//! Everything is computed on data multiplied by a power of two (exact but for subnormals, which the absolute term of
//! [`residual::Residuals`] covers), so that squares neither overflow nor vanish.

pub mod fit;
pub mod gap;
pub mod glance;
pub mod implicit;
pub mod krylov;
pub mod local;
pub mod matrix;
pub mod norm;
pub mod pattern;
pub mod residual;

use super::CompletionError;
use super::entry::Entry;
use super::payload::Payload;
use super::problem::Penalty;
use crate::base::certificate::Certificate;
use crate::base::monitor::Monitor;
use crate::base::sparse::SparseView;

/// Unit roundoff of double precision.
pub const U: f64 = 1.1102230246251565e-16;

/// A smallest singular value of the sampling below this part of the largest determines nothing.
const DETERMINED: f64 = 1e-8;

/// `gamma_n = n u / (1 - n u)`: the relative error of n operations in a row.
pub fn gamma(n: f64) -> f64 {
    let nu = n * U;
    if nu < 0.5 { nu / (1.0 - nu) } else { f64::INFINITY }
}

/// The data that a payload is judged against.
#[derive(Clone, Copy)]
pub struct Evidence<'a, T> {
    /// Observed entries, canonical.
    pub entries: SparseView<'a, T>,
    /// Positive weights.
    pub weights: Option<&'a [T]>,
    /// The penalty and the loss.
    pub penalty: Penalty,
}

/// How thorough the judgement is, and where its randomness comes from.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Depth {
    /// Whether costlier parts are wanted.
    pub full: bool,
    /// Key of the random start vector.
    pub seed: u64,
    /// How many certified evaluations of this run, this one included.
    pub evaluation: u32,
    /// Target, which decides between the kinds at lam = 0.
    pub tol: f64,
}

/// Judges a payload.
pub fn certify<T: Entry>(
    evidence: &Evidence<'_, T>,
    payload: &Payload<T>,
    depth: Depth,
    monitor: &mut Monitor<'_>,
) -> Result<Certificate, CompletionError> {
    let residuals = residual::Residuals::new(evidence, payload, monitor)?;
    certify_with(evidence, payload, &residuals, depth, monitor)
}

/// The same where the residuals are at hand.
pub fn certify_with<T: Entry>(
    evidence: &Evidence<'_, T>,
    payload: &Payload<T>,
    residuals: &residual::Residuals,
    depth: Depth,
    monitor: &mut Monitor<'_>,
) -> Result<Certificate, CompletionError> {
    let certificate = if evidence.penalty.lam > 0.0 && !evidence.penalty.nonneg {
        gap::certificate(evidence, payload, residuals, depth, monitor)?
    } else {
        fit::certificate(evidence, payload, residuals, depth, monitor)?
    };
    let refuted = pattern::is_refuted(&evidence.entries, payload.rank());
    let seen = if refuted { 0.0 } else { f64::NAN };
    if !depth.full {
        return Ok(certificate.part("identifiable", seen));
    }
    let k = payload.rank();
    let local = local::Local::new(evidence, payload, monitor)?;
    // Lanczos steps bring the smallest value from above: a small one refutes, a large one does not prove.
    let identifiable = match local.least {
        _ if refuted => 0.0,
        least if least > DETERMINED * local.most => 1.0,
        least if least.is_nan() => f64::NAN,
        _ => 0.0,
    };
    let short = |counts: &mut dyn Iterator<Item = usize>| counts.filter(|&c| c < k).count() as f64;
    let rows = short(&mut (0..payload.m).map(|i| evidence.entries.range(i).len()));
    let amplification = 1.0 / local.least;
    let size = local.norm * residuals.unit;
    let error = if residuals.norm == 0.0 { 0.0 } else { amplification * residuals.norm / size };
    Ok(certificate
        .part("identifiable", identifiable)
        .part("sigma_min", local.least)
        .part("amplification", amplification)
        .part("error_estimate", error)
        .part("min_pivot_ratio", local.pivot)
        .part("coherence_row", coherence(&payload.u, payload.m, k))
        .part("coherence_col", coherence(&payload.v, payload.n, k))
        .part("short_rows", rows)
        .part("short_cols", short(&mut pattern::column_counts(&evidence.entries).into_iter())))
}

/// The largest squared row norm over its mean for orthonormal columns, k/m: 1 where all rows weigh the same.
fn coherence<T: Entry>(x: &[T], rows: usize, k: usize) -> f64 {
    if k == 0 {
        return f64::NAN;
    }
    let square = |row: &[T]| row.iter().map(|x| x.to_f64() * x.to_f64()).sum::<f64>();
    x.chunks_exact(k).map(square).fold(0.0, f64::max) * rows as f64 / k as f64
}
