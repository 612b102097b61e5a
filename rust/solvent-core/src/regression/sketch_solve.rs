//! Sketch and solve: x' = argmin |S A x - S b| from one pass over A (Song, Ye, Yin & Zhang, arXiv:2302.00248).
//!
//! For a dense sketch (SRHT) with m = eps^-2 d log^3(n/delta) rows, |x' - x*|_inf <= eps d^-1/2 |A x* - b| |A^+| with
//! probability 1 - delta (here with constant 1, which is not proven). CountSketch and leverage sampling
//! have no such guarantee (Price, Song & Woodruff, ICALP 2017).
//!
//! The error bars are those of the Gaussian model: e_j is about N(0, |r|^2 |row_j(A^+)|^2/(m - d)), so that
//!
//! |e_j| <= t |row_j(R^-1)| |S r'|/sqrt(m - d) for all j, t = sqrt(2 log(2 d/delta)), R = qr(S A), r' = A x' - b,
//!
//! with probability about 1 - delta: measured, not proven.

use super::RegressionError;
use super::scores::table::{Table, inverse_powers};
use crate::base::certificate::{Certificate, Kind};
use crate::base::dense::{Matrix, Onto, Qr, Triangle, gemm, solve_triangular, svd};
use crate::base::error::ArgumentError;
use crate::base::monitor::Monitor;
use crate::base::outcome::Outcome;
use crate::base::status::Status;
use crate::base::sum::norm2;
use crate::base::view::MatrixView;
use crate::sketch::{Key, Name, Operator, apply, padded_size};

/// How many rows the sketch gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rule {
    /// m = d + 2 d log(2 d/delta)/eps^2: the error bars then reach the guarantee's size.
    Practical,
    /// m = d log^3(n/delta)/eps^2: the theorem's.
    Theory,
}

impl Rule {
    /// m, unless it is half of n or more.
    pub fn rows(self, (n, d): (usize, usize), eps: f64, delta: f64) -> Option<usize> {
        let (count, columns) = (n as f64, d as f64);
        let m = match self {
            Self::Practical => columns + (2.0 * columns * (2.0 * columns / delta).ln() / (eps * eps)).ceil(),
            Self::Theory => (columns * (count / delta).ln().powi(3) / (eps * eps)).ceil(),
        };
        (m < 0.5 * count).then_some(m as usize)
    }
}

/// What is asked.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Request {
    /// Which sketch.
    pub sketch: Name,
    /// Its rows; `None` solves the whole problem.
    pub m: Option<usize>,
    /// Probability that an error bar is too short.
    pub delta: f64,
    /// Seed of the sketch.
    pub seed: u64,
}

/// A solution with error bars.
#[derive(Debug, Clone)]
pub struct Solution {
    /// Coefficients, d by k in C order.
    pub x: Vec<f64>,
    /// Error bars, likewise.
    pub error_bars: Vec<f64>,
    /// |S (A x - b)|, one a right side.
    pub residual_norms: Vec<f64>,
    /// Rows of the sketch; n if there was none.
    pub m: usize,
    /// How it was found.
    pub outcome: Outcome,
}

/// The sketched problem in scaled columns, solved.
struct Solved {
    /// d by k, in the caller's columns.
    x: Matrix<f64>,
    bars: Matrix<f64>,
    residuals: Vec<f64>,
    rank: usize,
}

/// Solves for k right sides, `b` n by k in C order.
pub fn solve(
    table: &Table<'_>,
    b: MatrixView<'_, f64>,
    request: Request,
    monitor: Monitor<'_>,
) -> Result<Solution, RegressionError> {
    let mut monitor = monitor;
    let (n, d) = table.shape();
    let solved = reduced(table, b, request, &mut monitor)?;
    let m = request.m.unwrap_or(n);
    let certificate = certificate(&solved.bars, request, m);
    let (status, message) = if solved.rank < d {
        let text = format!(
            "the sketched matrix has rank {} of {d}: no error bars; minimum-norm solution of the sketched problem",
            solved.rank
        );
        (Status::Degenerate, text)
    } else if request.m.is_none() {
        (
            Status::Converged,
            format!("the sketch would have n/2 rows or more: all {n} rows were solved directly"),
        )
    } else {
        (Status::Converged, format!("solved on a sketch of {m} of {n} rows"))
    };
    let ending = monitor.end(status);
    let outcome = Outcome {
        success: status == Status::Converged,
        status,
        message,
        nit: 1,
        elapsed: ending.started.elapsed().as_secs_f64(),
        certificate: Some(certificate),
        history: ending.history,
    };
    let flat = |matrix: &Matrix<f64>| matrix.view().to_row_major().into_owned();
    Ok(Solution {
        x: flat(&solved.x),
        error_bars: flat(&solved.bars),
        residual_norms: solved.residuals,
        m,
        outcome,
    })
}

/// The certificate of any coefficients (d by k): the bars of the sketch's own solution, plus the distance from it.
pub fn certify(
    table: &Table<'_>,
    b: MatrixView<'_, f64>,
    x: MatrixView<'_, f64>,
    request: Request,
    monitor: &mut Monitor<'_>,
) -> Result<Certificate, RegressionError> {
    let mut solved = reduced(table, b, request, monitor)?;
    for c in 0..x.columns() {
        for j in 0..x.rows() {
            let bar = solved.bars.get(j, c) + (x.get(j, c) - solved.x.get(j, c)).abs();
            solved.bars.set(j, c, bar);
        }
    }
    Ok(certificate(&solved.bars, request, request.m.unwrap_or(table.shape().0)))
}

fn certificate(bars: &Matrix<f64>, request: Request, m: usize) -> Certificate {
    let bound =
        bars.as_slice().iter().fold(0.0f64, |w, &x| if x.is_nan() { f64::INFINITY } else { w.max(x) });
    let certificate = Certificate::new(Kind::ErrorBars, bound).absolute().estimate();
    let certificate = certificate.part("sketch_rows", m as f64);
    if request.m.is_some() { certificate.failing_with(request.delta) } else { certificate }
}

/// S A and S b, solved.
fn reduced(
    table: &Table<'_>,
    b: MatrixView<'_, f64>,
    request: Request,
    monitor: &mut Monitor<'_>,
) -> Result<Solved, RegressionError> {
    let ((n, d), k) = (table.shape(), b.columns());
    if d == 0 || n == 0 {
        let residuals = (0..k).map(|c| norm2(&b.column(c).to_contiguous())).collect();
        return Ok(Solved { x: Matrix::zeros(d, k), bars: infinite(d, k), residuals, rank: 0 });
    }
    let (rows, right, m) = match request.m {
        Some(m) => {
            let m = if request.sketch == Name::Srht { m.min(padded_size(n) as usize) } else { m };
            let key = Key::new(request.seed);
            let sketch = Operator::new(request.sketch, m, (n, d), key);
            (table.sketch(&sketch, monitor)?, apply(&sketch, b, None, monitor)?, m)
        }
        None => {
            let mut rows = Vec::new();
            table.read(0..n, &vec![1.0; d], &mut rows);
            (rows, b.to_row_major().into_owned(), n)
        }
    };
    if !rows.iter().all(|x| x.is_finite()) {
        // Either an entry is at fault, and is named, or the sums overflowed.
        table.greatest(monitor)?;
        let was = "the sketch of a overflows";
        return Err(ArgumentError::new("a", was, "entries below 1e300").into());
    }
    monitor.poll()?;
    solve_dense(&rows, &right, (m, d, k), request)
}

fn infinite(d: usize, k: usize) -> Matrix<f64> {
    Matrix::from_fn(d, k, |_, _| f64::INFINITY)
}

/// Least squares of an m by d matrix with scaled columns and right sides.
fn solve_dense(
    rows: &[f64],
    right: &[f64],
    (m, d, k): (usize, usize, usize),
    request: Request,
) -> Result<Solved, RegressionError> {
    let greatest = |data: &[f64], width: usize| {
        let mut most = vec![0.0f64; width];
        for row in data.chunks(width.max(1)) {
            most.iter_mut().zip(row).for_each(|(m, x)| *m = m.max(x.abs()));
        }
        inverse_powers(&most)
    };
    let (scale, sides) = (greatest(rows, d), greatest(right, k));
    let a = Matrix::from_fn(m, d, |i, j| rows[i * d + j] * scale[j]);
    let b = Matrix::from_fn(m, k, |i, c| right[i * k + c] * sides[c]);
    let rcond = f64::EPSILON * m.max(d) as f64;
    let qr = Qr::new(a.view())?;
    let decomposed = svd(qr.r().view())?;
    let top = decomposed.s.first().copied().unwrap_or(0.0);
    let rank = decomposed.s.iter().filter(|&&s| s > rcond * top).count();
    let mut projected = Matrix::zeros(m.min(d), k);
    gemm(&mut projected, Onto::Replace, 1.0, qr.q().view().transpose(), b.view());
    let mut x = projected;
    if rank == d {
        solve_triangular(qr.r().view(), Triangle::Upper, &mut x);
    } else {
        let mut inner = Matrix::zeros(decomposed.u.columns(), k);
        gemm(&mut inner, Onto::Replace, 1.0, decomposed.u.view().transpose(), x.view());
        let inner =
            Matrix::from_fn(
                inner.rows(),
                k,
                |i, c| {
                    if i < rank { inner.get(i, c) / decomposed.s[i] } else { 0.0 }
                },
            );
        x = Matrix::zeros(d, k);
        gemm(&mut x, Onto::Replace, 1.0, decomposed.v.view(), inner.view());
    }
    let mut residual = b;
    gemm(&mut residual, Onto::Add, -1.0, a.view(), x.view());
    let norms: Vec<f64> = (0..k).map(|c| norm2(residual.column(c))).collect();
    let bars = if rank < d {
        infinite(d, k)
    } else {
        let mut inverse = Matrix::identity(d);
        solve_triangular(qr.r().view(), Triangle::Upper, &mut inverse);
        let lengths: Vec<f64> =
            (0..d).map(|j| norm2(&(0..d).map(|i| inverse.get(j, i)).collect::<Vec<_>>())).collect();
        match request.m {
            Some(_) => {
                let t = (2.0 * (2.0 * (d * k) as f64 / request.delta).ln()).sqrt();
                let freedom = (m.saturating_sub(d).max(1) as f64).sqrt();
                Matrix::from_fn(d, k, |j, c| t * lengths[j] * norms[c] / freedom)
            }
            None => rounding_bars(&a, &x, &inverse, &lengths, &norms, (m, d, k)),
        }
    };
    let unscaled =
        |matrix: &Matrix<f64>| Matrix::from_fn(d, k, |j, c| matrix.get(j, c) * scale[j] / sides[c]);
    let residuals = norms.iter().zip(&sides).map(|(x, s)| x / s).collect();
    Ok(Solved { x: unscaled(&x), bars: unscaled(&bars), residuals, rank })
}

/// What rounding does to a solution by Householder reflections: a first-order estimate from the columnwise backward error
/// (Higham, Accuracy and Stability of Numerical Algorithms, thm 20.3), with the usual growth of the square root of m d.
fn rounding_bars(
    a: &Matrix<f64>,
    x: &Matrix<f64>,
    inverse: &Matrix<f64>,
    lengths: &[f64],
    norms: &[f64],
    (m, d, k): (usize, usize, usize),
) -> Matrix<f64> {
    let unit = 8.0 * f64::EPSILON * (m as f64).sqrt() * d as f64;
    let columns: Vec<f64> = (0..d).map(|j| norm2(a.column(j))).collect();
    let frobenius = norm2(&columns);
    let mut second = Matrix::zeros(d, d);
    gemm(&mut second, Onto::Replace, 1.0, inverse.view(), inverse.view().transpose());
    Matrix::from_fn(d, k, |j, c| {
        let size: f64 = (0..d).map(|i| x.get(i, c).abs() * columns[i]).sum::<f64>() + norms[c];
        unit * (lengths[j] * 2.0 * size + norm2(second.column(j)) * frobenius * norms[c])
    })
}
