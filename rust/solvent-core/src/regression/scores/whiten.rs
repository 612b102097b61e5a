//! A matrix W that makes the columns of A W nearly orthonormal, and how nearly: what every score here stands on.
//!
//! With D powers of two: V diag(s)^-1 from the singular value decomposition of the sketch S A D^-1 gives T, whose A D^-1 T
//! has condition below 5 or so; L L^T = (A D^-1 T)^T (A D^-1 T) gives W = T L^-T. A last pass computes the Gram matrix of
//! the rows of A D^-1 W that the scores are made from, so that the certificate judges the W that is used, whatever
//! rounding did to make it:
//!
//! |(A D^-1 W)^T (A D^-1 W) - I| <= eta = |G - I|_F + gamma_c B2 + 2 delta sqrt(B2) + delta^2, B2 = trace(G)(1 + gamma_c),
//!
//! delta the rounding of the rows: row i of A D^-1 W errs by at most gamma_(d+1) sum_j |a_ij| |W_j.|, D^-1 folded in, and
//! delta^2 is the sum of the squares of that; c the roundings of an entry of G.

use super::table::{Table, inverse_powers};
use crate::base::dense::{Cholesky, DenseError, Matrix, Onto, Qr, Triangle, gemm, solve_triangular, svd};
use crate::base::gram::{Gram, Panels, TERMS, WEIGHT_TERMS, accumulators};
use crate::base::monitor::Monitor;
use crate::base::view::MatrixView;
use crate::regression::RegressionError;
pub use crate::regression::scaling::gamma;
use crate::sketch::{BlockHadamard, Key, Operator, SparseSign};

/// Rows that are multiplied at a time.
const BLOCK: usize = 256;
/// The factor of T is taken as a bad sketch's beyond this condition.
const WORST: f64 = 1e3;
/// Covers the roundings of sums of up to 10^7 terms in the allowances themselves.
const UP: f64 = 1.0 + 1e-8;

/// W, and the scales of the columns it acts on.
#[derive(Debug, Clone)]
pub struct Whitening {
    /// d by rank.
    pub w: Matrix<f64>,
    /// D^-1.
    pub scale: Vec<f64>,
}

/// One row as it was found: the squared norm of its image under W, and a bound on the error of that image.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Image {
    /// |a W|^2 as computed.
    pub square: f64,
    /// At least the norm of what rounding added to a W.
    pub error: f64,
}

/// What a pass over the rows found.
pub struct Passed {
    /// One a row.
    pub images: Vec<Image>,
    /// The Gram matrix of the images, weighted.
    pub gram: Matrix<f64>,
    /// At least the Frobenius norm of the rounding of the images, weighted.
    pub delta: f64,
    /// Roundings of an entry of the Gram matrix.
    terms: usize,
}

impl Whitening {
    /// The rank of the range of A W.
    pub fn rank(&self) -> usize {
        self.w.columns()
    }

    /// W L^-T, L the Cholesky factor of a Gram matrix of the images.
    pub fn refined(&self, gram: &Matrix<f64>) -> Result<Self, DenseError> {
        let factor = Cholesky::new(gram.view())?;
        let mut transposed = Matrix::from(self.w.view().transpose());
        solve_triangular(factor.lower().view(), Triangle::Lower, &mut transposed);
        Ok(Self { w: Matrix::from(transposed.view().transpose()), scale: self.scale.clone() })
    }

    /// One read of A. `weight` maps the index and the image of a row to the weight with which it enters the Gram matrix.
    pub fn pass(
        &self,
        table: &Table<'_>,
        weight: Option<&(dyn Fn(usize, f64) -> f64 + Sync)>,
        monitor: &mut Monitor<'_>,
    ) -> Result<Passed, RegressionError> {
        let ((n, d), r) = (table.shape(), self.rank());
        let norms: Vec<f64> = (0..d).map(|j| row_norm(&self.w, j) * UP).collect();
        let rounding = gamma(d + 1) * UP;
        let share = ((1 << 17) / d.max(1)).div_ceil(BLOCK).max(1) * BLOCK;
        let count = accumulators(n, d, Gram::bytes(r));
        let mut running: Vec<_> = (0..count).map(|_| (Gram::new(r), Panels::new(r), 0.0f64)).collect();
        let mut images = Vec::with_capacity(n);
        let transposed = self.w.view().transpose();
        for wave in (0..n).step_by(share * count) {
            let work = |(i, (gram, panels, squares)): (usize, &mut (Gram, Panels, f64))| {
                let from = (wave + i * share).min(n);
                let to = (from + share).min(n);
                let mut found = Vec::with_capacity(to - from);
                let (mut block, mut weights) = (Vec::new(), Vec::new());
                for start in (from..to).step_by(BLOCK) {
                    let rows = start..to.min(start + BLOCK);
                    table.read(rows.clone(), &self.scale, &mut block);
                    let view = MatrixView::column_major(&block, d, rows.len())?;
                    // Column i of the product is row i of A W.
                    let mut image = Matrix::zeros(r, rows.len());
                    gemm(&mut image, Onto::Replace, 1.0, transposed, view);
                    weights.clear();
                    for (k, i) in rows.clone().enumerate() {
                        let row = &block[k * d..(k + 1) * d];
                        let square = sum_of(image.column(k), |x| x * x);
                        let error = rounding * dot_abs(row, &norms);
                        found.push(Image { square, error });
                        let heavy = weight.map_or(1.0, |weight| weight(i, square));
                        weights.push(heavy);
                        *squares += heavy * error * error;
                    }
                    gram.accumulate(panels, image.as_slice(), r, weight.map(|_| &weights[..]));
                }
                Ok::<_, RegressionError>(found)
            };
            for part in monitor.map_items(running.iter_mut().enumerate(), work)? {
                images.extend(part?);
            }
        }
        let mut parts = running.into_iter().map(|(gram, _, squares)| (gram, squares));
        let (mut total, mut squares) = parts.next().unwrap_or_else(|| (Gram::new(r), 0.0));
        for (gram, more) in parts {
            total.merge(&gram);
            squares += more;
        }
        let terms = TERMS + if weight.is_some() { WEIGHT_TERMS } else { 0 };
        Ok(Passed { images, gram: total.matrix(), delta: (squares * UP).sqrt() * UP, terms })
    }
}

impl Passed {
    /// At least |(sqrt(w) A D^-1 W)^T (sqrt(w) A D^-1 W) - I|.
    pub fn eta(&self) -> f64 {
        let r = self.gram.rows();
        let mut distance = 0.0;
        for j in 0..r {
            for i in 0..r {
                let e = self.gram.get(i, j) - if i == j { 1.0 } else { 0.0 };
                distance += e * e;
            }
        }
        let trace: f64 = (0..r).map(|i| self.gram.get(i, i)).sum();
        let b2 = trace * (1.0 + gamma(self.terms)) * UP;
        let (rounding, delta) = (gamma(self.terms) * b2, self.delta);
        let eta = distance.sqrt() + rounding + 2.0 * delta * b2.sqrt() + delta * delta;
        if eta.is_nan() { f64::INFINITY } else { eta * UP }
    }
}

/// |row j of w|.
fn row_norm(w: &Matrix<f64>, j: usize) -> f64 {
    (0..w.columns()).map(|k| w.get(j, k) * w.get(j, k)).sum::<f64>().sqrt()
}

/// Sum in eight lanes.
fn sum_of(x: &[f64], f: impl Fn(f64) -> f64) -> f64 {
    let mut lanes = [0.0; 8];
    let chunks = x.chunks_exact(8);
    let rest: f64 = chunks.remainder().iter().map(|&x| f(x)).sum();
    for chunk in chunks {
        for l in 0..8 {
            lanes[l] += f(chunk[l]);
        }
    }
    lanes.iter().sum::<f64>() + rest
}

/// `sum |x_j| y_j` in eight lanes.
fn dot_abs(x: &[f64], y: &[f64]) -> f64 {
    let mut lanes = [0.0; 8];
    let body = x.len() - x.len() % 8;
    for (a, b) in x[..body].chunks_exact(8).zip(y[..body].chunks_exact(8)) {
        for l in 0..8 {
            lanes[l] += a[l].abs() * b[l];
        }
    }
    let rest: f64 = x[body..].iter().zip(&y[body..]).map(|(a, b)| a.abs() * b).sum();
    lanes.iter().sum::<f64>() + rest
}

/// T: V diag(s)^-1 of the sketch, without the directions that count as zero.
pub fn from_sketch(
    sketched: &[f64],
    m: usize,
    scale: &[f64],
    rcond: f64,
) -> Result<Matrix<f64>, RegressionError> {
    let d = scale.len();
    let scaled: Vec<f64> = sketched.iter().enumerate().map(|(k, x)| x * scale[k % d]).collect();
    let view = MatrixView::row_major(&scaled, m, d)?;
    let decomposed = if m > d { svd(Qr::new(view)?.r().view())? } else { svd(view)? };
    let top = decomposed.s.first().copied().unwrap_or(0.0);
    let rank = decomposed.s.iter().filter(|&&s| s > rcond * top).count();
    Ok(Matrix::from_fn(d, rank, |i, j| decomposed.v.get(i, j) / decomposed.s[j]))
}

/// Rows of the sketch that only preconditions.
fn preconditioner_rows(d: usize) -> usize {
    (4 * d).max(16)
}

/// W of A: exact to rounding, from a sketch that only preconditions.
pub fn whiten(table: &Table<'_>, seed: u64, monitor: &mut Monitor<'_>) -> Result<Whitening, RegressionError> {
    let (n, d) = table.shape();
    let greatest = table.greatest(monitor)?;
    let scale = inverse_powers(&greatest);
    if greatest.iter().all(|&x| x == 0.0) {
        return Ok(Whitening { w: Matrix::zeros(d, 0), scale });
    }
    let rcond = f64::EPSILON * n.max(d) as f64;
    let key = Key { seed, stream: 0 };
    let m = preconditioner_rows(d);
    let attempts = [
        Operator::BlockHadamard(BlockHadamard::for_columns(m, d, key)),
        Operator::SparseSign(SparseSign::new(3 * m, 8, Key { stream: 1, ..key })),
    ];
    if n <= 2 * m {
        return direct(table, scale, rcond, monitor);
    }
    for sketch in attempts {
        let rows = table.sketch(&sketch, monitor)?;
        let count = rows.len() / d;
        let first = Whitening { w: from_sketch(&rows, count, &scale, rcond)?, scale: scale.clone() };
        let passed = first.pass(table, None, monitor)?;
        if condition(&passed.gram)? <= WORST * WORST
            && let Ok(refined) = first.refined(&passed.gram)
        {
            return Ok(refined);
        }
    }
    // Two sketches lost a direction: the rows themselves, whatever their number.
    direct(table, scale, rcond, monitor)
}

/// From the rows themselves.
fn direct(
    table: &Table<'_>,
    scale: Vec<f64>,
    rcond: f64,
    monitor: &mut Monitor<'_>,
) -> Result<Whitening, RegressionError> {
    let (n, d) = table.shape();
    let mut rows = Vec::new();
    table.read(0..n, &scale, &mut rows);
    monitor.poll()?;
    let first = Whitening { w: from_sketch(&rows, n, &vec![1.0; d], rcond)?, scale };
    let passed = first.pass(table, None, monitor)?;
    Ok(first.refined(&passed.gram).unwrap_or(first))
}

/// The condition of a symmetric matrix.
fn condition(gram: &Matrix<f64>) -> Result<f64, RegressionError> {
    let values = crate::base::dense::eigh(gram.view())?.values;
    match (values.first(), values.last()) {
        (Some(&low), Some(&high)) if low > 0.0 => Ok(high / low),
        (None, _) => Ok(1.0),
        _ => Ok(f64::INFINITY),
    }
}
