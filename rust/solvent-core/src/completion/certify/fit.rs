//! Without a ridge: how well the entries are met, and how large the gradient is where they are not.

use super::gap::relative_norm;
use super::residual::Residuals;
use super::{Depth, Evidence, U, gamma};
use crate::base::certificate::{Certificate, Kind};
use crate::base::dense::{Matrix, Qr};
use crate::base::monitor::Monitor;
use crate::completion::CompletionError;
use crate::completion::entry::Entry;
use crate::completion::factor::Factor;
use crate::completion::payload::Payload;
use crate::completion::step::product;

/// Where a residual counts as a fit that failed and no longer as noise.
const EXACT: f64 = 1e-3;

/// `|P(X - Y)| / |P(Y)|` from above.
pub fn interpolation(residuals: &Residuals) -> f64 {
    (residuals.norm + residuals.norm_slack) / residuals.data.max(f64::MIN_POSITIVE) * (1.0 + 16.0 * U)
}

/// The certificate: interpolation where it meets the target, else stationarity where that does, else whichever describes
/// the answer better.
pub fn certificate<T: Entry>(
    evidence: &Evidence<'_, T>,
    payload: &Payload<T>,
    residuals: &Residuals,
    depth: Depth,
    monitor: &mut Monitor<'_>,
) -> Result<Certificate, CompletionError> {
    let met = interpolation(residuals);
    let plain = evidence.penalty.lam == 0.0;
    let first_order = stationarity(evidence, payload, residuals, monitor)?;
    let kind = match () {
        () if plain && met <= depth.tol => Kind::Interpolation,
        () if first_order <= depth.tol || !plain => Kind::Stationarity,
        () if relative_norm(residuals) < EXACT => Kind::Interpolation,
        () => Kind::Stationarity,
    };
    let bound = if kind == Kind::Interpolation { met } else { first_order };
    Ok(Certificate::new(kind, bound)
        .part("residual", relative_norm(residuals))
        .part("first_order", first_order)
        .part("seed", depth.seed as f64)
        .part("evaluation", f64::from(depth.evaluation)))
}

/// `|P_T(Z)| / |P(Y)|` from above, Z = w psi(R): the gradient on the manifold of rank k; with biases their sums too. For
/// non-negative factors the residual of the KKT conditions.
fn stationarity<T: Entry>(
    evidence: &Evidence<'_, T>,
    payload: &Payload<T>,
    residuals: &Residuals,
    monitor: &mut Monitor<'_>,
) -> Result<f64, CompletionError> {
    let (entries, z) = (evidence.entries, &residuals.z);
    let k = payload.rank();
    let (turned, origin) = entries.transpose();
    let zt: Vec<f64> = origin.iter().map(|&e| z[e]).collect();
    let pattern = crate::base::sparse::Sparse {
        indptr: entries.indptr().to_vec(),
        indices: entries.indices().to_vec(),
        data: z.clone(),
        columns: entries.columns(),
    };
    let transposed = crate::base::sparse::Sparse {
        indptr: turned.indptr,
        indices: turned.indices,
        data: zt,
        columns: entries.rows(),
    };
    let scale = residuals.data.max(f64::MIN_POSITIVE);
    let zn = crate::base::sum::norm2(z);
    let longest = |x: &crate::base::sparse::Sparse<f64>| {
        x.indptr.windows(2).map(|p| (p[1] - p[0]) as f64).fold(0.0, f64::max)
    };
    // Rounding of the products and of the bases, and of the residuals themselves.
    let terms = longest(&pattern) + longest(&transposed) + (payload.m + payload.n) as f64;
    let rounding = 8.0 * gamma(terms + k as f64 + 16.0) * (k as f64).sqrt() * zn + residuals.weighted_slack;
    let mut square = 0.0;
    if evidence.penalty.nonneg {
        let (left, right) = (balanced_side(&residuals.u), balanced_side(&residuals.v));
        let gu = product(pattern.view(), &pattern.data, &right, monitor)?;
        let gv = product(transposed.view(), &transposed.data, &left, monitor)?;
        let lam = evidence.penalty.lam * residuals.unit;
        let (a, b) = super::gap::penalties(evidence);
        square += projected(&left, &gu, lam, &a) + projected(&right, &gv, lam, &b);
        // The gradient in the factors, per unit of their size.
        square /= spread(&left).max(spread(&right)).max(f64::MIN_POSITIVE);
    } else if k > 0 {
        let basis = |x: &Factor<f64>| -> Result<Factor<f64>, CompletionError> {
            Ok(Factor::from_matrix(&Qr::new(x.to_matrix(k).view())?.q()))
        };
        // The directions of U and V, not of U S^1/2: a small singular value is a direction like any other.
        let unscaled = |count: usize, x: &[T]| Factor::from_fn(count, k, |i, l| x[i * k + l].to_f64());
        let (qu, qv) = (basis(&unscaled(payload.m, &payload.u))?, basis(&unscaled(payload.n, &payload.v))?);
        let zq = product(pattern.view(), &pattern.data, &qv, monitor)?;
        let ztq = product(transposed.view(), &transposed.data, &qu, monitor)?;
        let core = qu.cross(&zq);
        // Z Qv less its part in Qu: no cancellation of squares.
        let mut outside = zq.clone();
        let back = qu.times(&core);
        for (x, y) in outside.as_mut_slice().iter_mut().zip(back.as_slice()) {
            *x -= y;
        }
        square += ztq.norm2() + outside.norm2();
    }
    if payload.bias.is_some() {
        for (side, values) in [(pattern.view(), &pattern.data), (transposed.view(), &transposed.data)] {
            for i in 0..side.rows() {
                let range = side.range(i);
                let count = range.len().max(1) as f64;
                let sum: f64 = values[range].iter().sum();
                square += sum * sum / count;
            }
        }
    }
    Ok((square.sqrt() * (1.0 + 1e-12) + rounding) / scale)
}

/// The columns of a factor as they are.
fn balanced_side(x: &Factor<f64>) -> Factor<f64> {
    x.clone()
}

/// The largest squared norm of a column.
fn spread(x: &Factor<f64>) -> f64 {
    let gram: Matrix<f64> = x.cross(x);
    (0..gram.rows()).map(|l| gram.get(l, l)).fold(0.0, f64::max)
}

/// Squares of the gradient `lam a x - g` where x > 0, of its negative part where x = 0.
fn projected(x: &Factor<f64>, g: &Factor<f64>, lam: f64, a: &[f64]) -> f64 {
    let mut square = 0.0;
    for i in 0..x.rows() {
        for l in 0..x.width() {
            let slope = lam * a[i] * x.row(i)[l] - g.row(i)[l];
            let free = if x.row(i)[l] > 0.0 { slope } else { slope.min(0.0) };
            square += free * free;
        }
    }
    square
}
