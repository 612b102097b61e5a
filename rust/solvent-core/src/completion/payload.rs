//! The answer, in the form that is returned and judged: singular vectors and values, biases, the mean.

use super::CompletionError;
use super::entry::Entry;
use super::factor::Factor;
use super::options::Held;
use super::problem::unit_of;
use super::step::fitted;
use crate::base::dense::{Matrix, Onto, Qr, gemm, svd};
use crate::base::error::Aborted;
use crate::base::monitor::Monitor;
use crate::base::sparse::SparseView;

/// `mean + beta_i + gamma_j + sum_l U_il S_l V_jl`.
#[derive(Debug, Clone, PartialEq)]
pub struct Payload<T> {
    /// Rows of the matrix.
    pub m: usize,
    /// Columns of the matrix.
    pub n: usize,
    /// Left factor, m by `s.len()`, row-major.
    pub u: Vec<T>,
    /// Scales, descending.
    pub s: Vec<T>,
    /// Right factor, n by `s.len()`, row-major.
    pub v: Vec<T>,
    /// Biases of rows and columns.
    pub bias: Option<(Vec<T>, Vec<T>)>,
    /// What was subtracted from the data.
    pub mean: f64,
}

impl<T: Entry> Payload<T> {
    /// All zeros but the mean.
    pub fn zero((m, n): (usize, usize), bias: bool, mean: f64) -> Self {
        let bias = bias.then(|| (vec![T::ZERO; m], vec![T::ZERO; n]));
        Self { m, n, u: Vec::new(), s: Vec::new(), v: Vec::new(), bias, mean }
    }

    /// Number of columns of the factors.
    pub fn rank(&self) -> usize {
        self.s.len()
    }

    /// Root mean square error at held-out entries, in the units of the data.
    pub fn rmse(&self, held: &Held) -> f64 {
        let k = self.rank();
        let mut sum = 0.0;
        for ((&i, &j), &y) in held.rows.iter().zip(&held.columns).zip(&held.values) {
            let (i, j) = (i as usize, j as usize);
            let (u, v) = (&self.u[i * k..(i + 1) * k], &self.v[j * k..(j + 1) * k]);
            let mut x: f64 = (0..k).map(|l| u[l].to_f64() * self.s[l].to_f64() * v[l].to_f64()).sum();
            if let Some((row, column)) = &self.bias {
                x += row[i].to_f64() + column[j].to_f64();
            }
            sum += (y - self.mean - x).powi(2);
        }
        (sum / held.values.len().max(1) as f64).sqrt()
    }

    /// Root of the sum of the squared residuals at the entries.
    pub fn deviation(&self, entries: SparseView<'_, T>, monitor: &mut Monitor<'_>) -> Result<f64, Aborted> {
        let unit = unit_of(entries.data(), self.mean, T::UNIT > 1e-10);
        let (u, v) = self.balanced(unit, 0);
        let x = fitted(entries, &u, &v, monitor)?;
        let mut sum = 0.0;
        for i in 0..entries.rows() {
            let own = self.bias.as_ref().map_or(0.0, |(row, _)| row[i].to_f64());
            for e in entries.range(i) {
                let j = entries.indices()[e] as usize;
                let shift = own + self.bias.as_ref().map_or(0.0, |(_, column)| column[j].to_f64());
                let r = (entries.data()[e].to_f64() - self.mean - shift) * unit - x[e].to_f64();
                sum += r * r;
            }
        }
        Ok(sum.sqrt() / unit)
    }

    /// The factors `U S^1/2` and `V S^1/2` times `unit^1/2`, each with `extra` more columns of zeros.
    pub fn balanced(&self, unit: f64, extra: usize) -> (Factor<T>, Factor<T>) {
        let r = self.rank();
        let roots: Vec<f64> = self.s.iter().map(|s| (s.to_f64() * unit).sqrt()).collect();
        let side = |count: usize, x: &[T]| {
            Factor::from_fn(count, r + extra, |i, l| {
                if l < r { T::from_f64(x[i * r + l].to_f64() * roots[l]) } else { T::ZERO }
            })
        };
        (side(self.m, &self.u), side(self.n, &self.v))
    }
}

/// `U`, `S` and `V`.
pub type Triple = (Matrix<f64>, Vec<f64>, Matrix<f64>);

/// `U S V^T` of the first `k` columns of two factors, in double precision.
pub fn singular<T: Entry>(u: &Factor<T>, v: &Factor<T>, k: usize) -> Result<Triple, CompletionError> {
    let wide = |x: &Factor<T>| Matrix::from_fn(x.rows(), k, |i, l| x.row(i)[l].to_f64());
    let (left, right) = (Qr::new(wide(u).view())?, Qr::new(wide(v).view())?);
    let (ra, rb) = (left.r(), right.r());
    let mut core = Matrix::zeros(ra.rows(), rb.rows());
    gemm(&mut core, Onto::Replace, 1.0, ra.view(), rb.view().transpose());
    let parts = svd(core.view())?;
    let product = |q: Matrix<f64>, x: &Matrix<f64>| {
        let mut out = Matrix::zeros(q.rows(), x.columns());
        gemm(&mut out, Onto::Replace, 1.0, q.view(), x.view());
        out
    };
    Ok((product(left.q(), &parts.u), parts.s, product(right.q(), &parts.v)))
}

/// Non-negative factors as columns of norm one and their scales, descending.
fn scaled<T: Entry>(u: &Factor<T>, v: &Factor<T>, k: usize) -> (Matrix<f64>, Vec<f64>, Matrix<f64>) {
    let norm = |x: &Factor<T>, l: usize| {
        let column: Vec<f64> = (0..x.rows()).map(|i| x.row(i)[l].to_f64()).collect();
        crate::base::sum::norm2(&column)
    };
    let mut order: Vec<(f64, f64, usize)> = (0..k).map(|l| (norm(u, l), norm(v, l), l)).collect();
    order.sort_by(|a, b| (b.0 * b.1).total_cmp(&(a.0 * a.1)));
    let side = |x: &Factor<T>, left: bool| {
        Matrix::from_fn(x.rows(), k, |i, l| {
            let (a, b, from) = order[l];
            let norm = if left { a } else { b };
            if norm > 0.0 { x.row(i)[from].to_f64() / norm } else { 0.0 }
        })
    };
    (side(u, true), order.iter().map(|(a, b, _)| a * b).collect(), side(v, false))
}

/// What the factors of a run stand for, in the units of the data. The last column of each holds biases where there
/// are any, in units of `constant`. Directions below `cut` of the largest are left out.
pub fn payload<T: Entry>(
    u: &Factor<T>,
    v: &Factor<T>,
    k: usize,
    bias: Option<f64>,
    nonneg: bool,
    (unit, mean, cut): (f64, f64, f64),
) -> Result<Payload<T>, CompletionError> {
    let (left, s, right) = if nonneg { scaled(u, v, k) } else { singular(u, v, k)? };
    let first = s.first().copied().unwrap_or(0.0);
    let rank = if cut > 0.0 { s.iter().filter(|&&x| x > cut * first).count() } else { k.min(s.len()) };
    let flat = |x: &Matrix<f64>| {
        (0..x.rows())
            .flat_map(|i| (0..rank).map(move |l| (i, l)))
            .map(|(i, l)| T::from_f64(x.get(i, l)))
            .collect()
    };
    let biases =
        |x: &Factor<T>, c: f64| (0..x.rows()).map(|i| T::from_f64(x.row(i)[k].to_f64() * c / unit)).collect();
    Ok(Payload {
        m: u.rows(),
        n: v.rows(),
        u: flat(&left),
        s: s[..rank].iter().map(|&x| T::from_f64(x / unit)).collect(),
        v: flat(&right),
        bias: bias.map(|c| (biases(u, c), biases(v, c))),
        mean,
    })
}
