//! Orthonormal coordinates of the tangent space at `U S V^T`: `U M V^T + L V^T + U R^T` with `U^T L = 0`, `V^T R = 0`.
//!
//! The three parts are orthogonal to each other, so the norm of the coordinates is that of the matrix, and there is no
//! gauge.

use super::{Pair, Pattern, add, dot};
use crate::base::dense::Matrix;
use crate::base::error::Aborted;
use crate::base::monitor::Monitor;
use crate::completion::factor::Factor;

/// A tangent vector.
#[derive(Clone)]
pub struct Coordinates {
    /// M, k by k.
    pub core: Matrix<f64>,
    /// L, m by k.
    pub left: Factor<f64>,
    /// R, n by k.
    pub right: Factor<f64>,
}

/// What multiplies each part: an entry of the core, a column of the sides.
pub struct Scales {
    /// k by k,
    pub core: Matrix<f64>,
    /// k.
    pub sides: Vec<f64>,
}

impl Scales {
    /// Each scale through a function.
    pub fn map(&self, f: impl Fn(f64) -> f64) -> Self {
        let k = self.sides.len();
        Self {
            core: Matrix::from_fn(k, k, |i, j| f(self.core.get(i, j))),
            sides: self.sides.iter().map(|&x| f(x)).collect(),
        }
    }
}

impl Coordinates {
    /// Zero.
    pub fn zeros(m: usize, n: usize, k: usize) -> Self {
        Self { core: Matrix::zeros(k, k), left: Factor::zeros(m, k), right: Factor::zeros(n, k) }
    }

    /// The inner product.
    pub fn dot(&self, other: &Self) -> f64 {
        dot(self.core.as_slice(), other.core.as_slice())
            + dot(self.left.as_slice(), other.left.as_slice())
            + dot(self.right.as_slice(), other.right.as_slice())
    }

    /// `self += s other`.
    pub fn add(&mut self, s: f64, other: &Self) {
        add(s, other.core.as_slice(), self.core.as_mut_slice());
        add(s, other.left.as_slice(), self.left.as_mut_slice());
        add(s, other.right.as_slice(), self.right.as_mut_slice());
    }

    /// `self + s other`.
    #[must_use]
    pub fn plus(mut self, s: f64, other: &Self) -> Self {
        self.add(s, other);
        self
    }

    /// `self = s self + other`.
    pub fn scale_add(&mut self, s: f64, other: &Self) {
        let one = |x: &mut [f64], y: &[f64]| {
            for (x, y) in x.iter_mut().zip(y) {
                *x = s * *x + y;
            }
        };
        one(self.core.as_mut_slice(), other.core.as_slice());
        one(self.left.as_mut_slice(), other.left.as_slice());
        one(self.right.as_mut_slice(), other.right.as_slice());
    }

    /// Each part times its scale.
    #[must_use]
    pub fn scaled(&self, by: &Scales) -> Self {
        let mut out = self.clone();
        for (x, s) in out.core.as_mut_slice().iter_mut().zip(by.core.as_slice()) {
            *x *= s;
        }
        for side in [&mut out.left, &mut out.right] {
            for i in 0..side.rows() {
                for (x, s) in side.row_mut(i).iter_mut().zip(&by.sides) {
                    *x *= s;
                }
            }
        }
        out
    }
}

/// The observed entries of tangent vectors at orthonormal factors.
pub struct Sampling<'a, 'b> {
    /// Which entries.
    pub pattern: &'a Pattern<'b>,
    /// Orthonormal left factor,
    pub u: &'a Factor<f64>,
    /// and right factor.
    pub v: &'a Factor<f64>,
}

impl Sampling<'_, '_> {
    /// `t = sqrt(w) P(g)`, and the adjoint's image of t.
    pub fn normal(
        &self,
        g: &Coordinates,
        t: &mut [f64],
        monitor: &mut Monitor<'_>,
    ) -> Result<Coordinates, Aborted> {
        let mut du = self.u.times(&g.core);
        add(1.0, g.left.as_slice(), du.as_mut_slice());
        let d = (du, g.right.clone());
        let mut out = self.room();
        self.pattern.normal((self.u, self.v), (&d, None), t, &mut out, monitor)?;
        Ok(self.project(out))
    }

    /// The adjoint's image of entries t.
    pub fn adjoint(&self, t: &[f64], monitor: &mut Monitor<'_>) -> Result<Coordinates, Aborted> {
        let mut out = self.room();
        self.pattern.back_rows(t, self.v, &mut out.0, monitor)?;
        self.pattern.back_columns(t, self.u, &mut out.1, monitor)?;
        Ok(self.project(out))
    }

    fn room(&self) -> Pair {
        let k = self.u.width();
        (Factor::zeros(self.u.rows(), k), Factor::zeros(self.v.rows(), k))
    }

    /// Coordinates of the part of a matrix in the tangent space, from its products `X V` and `X^T U`.
    pub fn project(&self, (mut xv, mut xtu): Pair) -> Coordinates {
        let core = self.u.cross(&xv);
        subtract(&mut xv, self.u, &core);
        subtract(&mut xtu, self.v, &transposed(&core));
        Coordinates { core, left: xv, right: xtu }
    }
}

/// `x -= q c`.
pub fn subtract(x: &mut Factor<f64>, q: &Factor<f64>, c: &Matrix<f64>) {
    let back = q.times(c);
    add(-1.0, back.as_slice(), x.as_mut_slice());
}

/// The transpose.
pub fn transposed(x: &Matrix<f64>) -> Matrix<f64> {
    Matrix::from_fn(x.columns(), x.rows(), |i, j| x.get(j, i))
}
