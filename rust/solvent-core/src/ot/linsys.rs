//! Newton's linear system on the semi-dual, by conjugate gradients.
//!
//! With the columns exact, the dual's Hessian in the rows' potentials is `-S/reg`,
//! `S = diag(r + k) - P diag(1/(c (1 + reg/tau))) P^T`, k the curvature of the rows' penalty: a weighted graph Laplacian
//! where both marginals are hard. P is replaced by its support, the diagonal keeps the full row sums: S stays a symmetric
//! M-matrix with nonnegative row sums, so it is positive semidefinite for every support.

use super::cg::{self, Operator};
use super::support::{Block, Support};
use crate::base::error::Aborted;
use crate::base::monitor::Monitor;

/// The matrix S.
#[derive(Debug)]
pub struct Laplacian<'a> {
    support: &'a Support,
    /// Row sums r.
    sums: &'a [f64],
    /// r and the curvature.
    diagonal: Vec<f64>,
    /// 1/(c (1 + reg/tau)).
    weights: &'a [f64],
}

/// A little of the diagonal is added to S, so that rounding leaves it definite.
const SHIFT: f64 = 1e-14;
/// Threads share a product from this many entries on.
const SHARED: usize = 100_000;

impl<'a> Laplacian<'a> {
    /// `columns` are the sums of the plan that the support was taken from. `sums` and `diagonal` are as long as it has rows,
    /// the others as it has columns.
    pub fn new(
        support: &'a Support,
        sums: &'a [f64],
        columns: &[f64],
        diagonal: &[f64],
        weights: &'a [f64],
    ) -> Self {
        let mut diagonal = diagonal.to_vec();
        if support.rounded() {
            // The rows' shares add up to what they should, the columns' do not: S 1 is to be what it is without rounding.
            let held = support.transposed_times(sums);
            let off: Vec<f64> = (0..columns.len()).map(|j| weights[j] * (held[j] - columns[j])).collect();
            for ((d, r), v) in diagonal.iter_mut().zip(sums).zip(support.times(&off)) {
                *d = (*d + r * v).max(f64::MIN_POSITIVE);
            }
        }
        Self { support, sums, diagonal, weights }
    }

    /// `diag(S)`, floored.
    fn preconditioner(&self) -> Vec<f64> {
        let mut out = vec![0.0; self.sums.len()];
        let weights = self.support.columns_of(self.weights);
        self.support.blocks().iter().for_each(|block| block.squares(&weights, &mut out[block.range()]));
        for ((out, d), r) in out.iter_mut().zip(&self.diagonal).zip(self.sums) {
            *out = (d - r * r * *out).max(1e-14 * d).max(f64::MIN_POSITIVE);
        }
        out
    }

    /// Whether a product is worth sharing.
    fn shared(&self) -> bool {
        self.support.entries() >= SHARED
    }

    /// `diag(1/(c ..)) P^T x`: the columns' answer to the rows' move x, but for its sign.
    pub fn answer(&self, x: &[f64], monitor: &mut Monitor<'_>) -> Result<Vec<f64>, Aborted> {
        let scaled: Vec<f64> = x.iter().zip(self.sums).map(|(x, r)| x * r).collect();
        let m = self.support.columns();
        let mut out;
        if self.shared() {
            out = vec![0.0; m];
            let parts = monitor.map_items(self.support.blocks().iter(), |block| {
                let mut part = vec![0.0; m];
                block.add_transposed(&scaled, &mut part);
                part
            })?;
            for part in parts {
                out.iter_mut().zip(&part).for_each(|(o, p)| *o += p);
            }
        } else {
            out = self.support.transposed_times(&scaled);
        }
        out.iter_mut().zip(self.weights).for_each(|(o, w)| *o *= w);
        Ok(out)
    }
}

impl Operator for Laplacian<'_> {
    fn product(&self, x: &[f64], monitor: &mut Monitor<'_>) -> Result<Vec<f64>, Aborted> {
        let w = self.answer(x, monitor)?;
        let w = self.support.columns_of(&w);
        let rows = |block: &Block| {
            let mut out = vec![0.0; block.range().len()];
            block.dots(&w, &mut out);
            for (i, out) in block.range().zip(&mut out) {
                let d = self.diagonal[i];
                *out = d * x[i] - self.sums[i] * *out + SHIFT * d * x[i];
            }
            out
        };
        let parts = if self.shared() {
            monitor.map_items(self.support.blocks().iter(), rows)?
        } else {
            self.support.blocks().iter().map(rows).collect()
        };
        Ok(parts.concat())
    }

    /// The 1-norm, as the error of a marginal is.
    fn size(&self, residual: &[f64]) -> f64 {
        residual.iter().map(|r| r.abs()).sum()
    }
}

/// Solves `S x = rhs` until the residual's l1 norm is `accuracy` times that of rhs. Returns x and the number of iterations.
pub fn solve(
    matrix: &Laplacian<'_>,
    rhs: &[f64],
    accuracy: f64,
    most: u64,
    monitor: &mut Monitor<'_>,
) -> Result<(Vec<f64>, u64), Aborted> {
    cg::solve(matrix, &matrix.preconditioner(), rhs, accuracy, most, monitor)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::monitor::{Budget, Silent};
    use crate::base::rng::Philox;
    use crate::ot::support;

    /// Rows with few entries and full ones, which are rounded unless `exact`.
    fn it_solves(exact: bool, accuracy: f64) {
        let (n, m) = (90, 70);
        let mut rng = Philox::new(5, 1, 0);
        let mut support = Support::new(m);
        let mut block = support::Block::new(0..n, m);
        let (mut sums, mut columns) = (vec![0.0; n], vec![0.0; m]);
        for (i, sum) in sums.iter_mut().enumerate() {
            let row: Vec<f64> = (0..m).map(|j| if (i + j) % 9 < 4 { rng.uniform() } else { 0.0 }).collect();
            *sum = row.iter().sum();
            row.iter().enumerate().for_each(|(j, p)| columns[j] += p);
            let kept: Vec<u32> = (0..m as u32).filter(|&j| row[j as usize] > 0.0).collect();
            block.push(&row, *sum, if i % 2 == 0 { &kept } else { &kept[..4] }, exact);
        }
        support.push(block);
        assert_eq!(support.rounded(), !exact);
        let weights: Vec<f64> = columns.iter().map(|c| 1.0 / c).collect();
        let matrix = Laplacian::new(&support, &sums, &columns, &sums, &weights);
        let mut silent = Silent;
        let mut monitor = Monitor::new(Budget::new(0.0, 1), &mut silent, &[]);
        let mut rhs: Vec<f64> = (0..n).map(|_| rng.normal()).collect();
        let mean = rhs.iter().sum::<f64>() / n as f64;
        rhs.iter_mut().for_each(|r| *r -= mean);
        let (x, iterations) = solve(&matrix, &rhs, accuracy, 500, &mut monitor).unwrap();
        let product = matrix.product(&x, &mut monitor).unwrap();
        let left: f64 = product.iter().zip(&rhs).map(|(p, r)| (p - r).abs()).sum();
        assert!(left < 10.0 * accuracy * rhs.iter().map(|r| r.abs()).sum::<f64>() && iterations < 200);
        // What is dropped of a row or column stiffens it, and rounding does not loosen any.
        let of_ones = matrix.product(&vec![1.0; n], &mut monitor).unwrap();
        assert!(of_ones.iter().zip(&sums).all(|(v, r)| *v >= -1e-6 * r));
    }

    #[test]
    fn it_solves_what_it_multiplies() {
        it_solves(true, 1e-10);
        it_solves(false, 1e-6);
    }
}
