//! The minimum-norm solution where the columns are dependent.

use super::scaling::{Moments, ldexp};
use crate::base::dense::{DenseError, Matrix, svd};

/// The range of A as singular vectors of a factor of it, in global coordinates.
#[derive(Debug, Clone)]
pub struct Range {
    /// Right singular vectors that count: columns of A by rank.
    v: Matrix<f64>,
    /// All singular values, descending, in global scale.
    pub values: Vec<f64>,
    /// How many count.
    pub rank: usize,
    /// `K_Aᵀ k_1` and `|k_1|²` of the intercept's column.
    ones: Option<(Vec<f64>, f64)>,
}

/// `K'' = R D''`: a factor of A in global coordinates.
fn global(r: &Matrix<f64>, moments: &Moments) -> Matrix<f64> {
    Matrix::from_fn(r.rows(), r.columns(), |i, j| r.get(i, j) * moments.weight(j))
}

impl Range {
    /// From a factor `R` with `A'ᵀ A' = Rᵀ R` (of any shape with that many columns). Singular values up to `rcond` times
    /// the greatest count as zero. The intercept's column is projected out first: it has no part in the norm.
    pub fn new(r: &Matrix<f64>, moments: &Moments, intercept: bool, rcond: f64) -> Result<Self, DenseError> {
        let mut k = global(r, moments);
        let d = k.columns() - usize::from(intercept);
        let ones = intercept.then(|| project_out(&mut k, d));
        let part = Matrix::from_column_major(k.as_slice()[..k.rows() * d].to_vec(), k.rows(), d);
        let parts = svd(part.view())?;
        let greatest = parts.s.first().copied().unwrap_or(0.0);
        let rank = parts.s.iter().filter(|&&s| s > rcond * greatest).count();
        let v = Matrix::from_column_major(parts.v.as_slice()[..d * rank].to_vec(), d, rank);
        Ok(Self { v, values: parts.s, rank, ones: ones.filter(|(_, square)| *square > 0.0) })
    }

    /// The correction for a gradient, both in balanced coordinates.
    pub fn solve(&self, g: &[f64], moments: &Moments) -> Vec<f64> {
        let (d, h) = (self.v.rows(), self.project(g, moments));
        let scaled: Vec<f64> = h.iter().zip(&self.values).map(|(h, s)| h / s).collect();
        let mut x = vec![0.0; g.len()];
        for (k, &h) in scaled.iter().enumerate() {
            x[..d].iter_mut().zip(self.v.column(k)).for_each(|(x, v)| *x += h * v);
        }
        if let Some((p, square)) = &self.ones {
            let fitted: f64 = p.iter().zip(&x).map(|(p, x)| p * x).sum();
            x[d] = (g[d] * moments.weight(d) - fitted) / square;
        }
        x.iter().enumerate().map(|(j, x)| ldexp(*x, moments.columns[j] - moments.top)).collect()
    }

    /// `S⁻¹ Vᵀ g''`: its norm is that of `A (x* - x)` within the range, less the intercept's part.
    pub fn project(&self, g: &[f64], moments: &Moments) -> Vec<f64> {
        let d = self.v.rows();
        let mut global: Vec<f64> = (0..g.len()).map(|j| g[j] * moments.weight(j)).collect();
        if let Some((p, square)) = &self.ones {
            let top = global[d] / square;
            global.iter_mut().zip(p).for_each(|(g, p)| *g -= p * top);
        }
        let dot = |k: usize| self.v.column(k).iter().zip(&global).map(|(v, g)| v * g).sum::<f64>();
        (0..self.rank).map(|k| dot(k) / self.values[k]).collect()
    }
}

/// Takes the last column's direction off the others; returns their products with it and its square.
fn project_out(k: &mut Matrix<f64>, d: usize) -> (Vec<f64>, f64) {
    let one = k.column(d).to_vec();
    let square: f64 = one.iter().map(|v| v * v).sum();
    let mut products = vec![0.0; d];
    if square > 0.0 {
        for j in 0..d {
            let column = k.column_mut(j);
            products[j] = column.iter().zip(&one).map(|(a, b)| a * b).sum();
            // Twice is enough: what the first projection leaves of the direction is rounding.
            for _ in 0..2 {
                let along = column.iter().zip(&one).map(|(a, b)| a * b).sum::<f64>() / square;
                column.iter_mut().zip(&one).for_each(|(a, b)| *a -= along * b);
            }
        }
    }
    (products, square)
}

/// Singular values of A in raw scale from its factor, descending.
pub fn singular_values(r: &Matrix<f64>, moments: &Moments) -> Result<Vec<f64>, DenseError> {
    let values = svd(global(r, moments).view())?.s;
    Ok(values.into_iter().map(|s| ldexp(s, moments.top)).collect())
}
