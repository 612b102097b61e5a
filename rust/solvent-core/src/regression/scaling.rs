//! The first pass, and the powers of two that bring the problem to order one.
//!
//! Three coordinates, all exact powers of two apart (exponents are stored, so that nothing overflows on the way):
//!
//! * raw: A, b, x as the caller has them;
//! * balanced: `A' = A D⁻¹`, D the column norms rounded to powers of two; unknowns `y = D x s`, `s` the side's scale;
//! * global: `A'' = A 2^-max`, so that `|A''|_F` is of order one while its columns keep their proportions; the backward
//!   error, which is relative to `|A|_F`, lives here: `x''_j = y_j / D''_j`, `D'' = D 2^-max <= 1`.

use super::error::RegressionError;
use super::passes::gram::Augmented;
use super::passes::scan::Scan;
use super::problem::Problem;
use crate::base::dense::Matrix;
use crate::base::gram::{TERMS, WEIGHT_TERMS};
use crate::base::monitor::Monitor;

/// `x 2^e`, also where `2^e` alone is out of range.
pub fn ldexp(x: f64, e: i32) -> f64 {
    let power = |e: i32| f64::from_bits(((1023 + e.clamp(-1022, 1023)) as u64) << 52);
    let (half, rest) = (e / 2, e - e / 2);
    if e.abs() <= 1022 { x * power(e) } else { x * power(half) * power(rest) }
}

/// The exponent of the power of two nearest to positive x, by ratio.
pub fn exponent(x: f64) -> i32 {
    if x > 0.0 && x.is_finite() { x.log2().round() as i32 } else { 0 }
}

/// `γ_k = k u / (1 - k u)`.
pub fn gamma(k: usize) -> f64 {
    let ku = k as f64 * 0.5 * f64::EPSILON;
    ku / (1.0 - ku)
}

/// The columns of the Gram matrix of `[A 1 b]`, and the penalties.
#[derive(Debug, Clone, Copy)]
pub struct Layout<'a> {
    /// Columns of A.
    pub columns: usize,
    /// Right sides.
    pub sides: usize,
    /// Whether a column of ones stands between them.
    pub intercept: bool,
    /// Whether rows were multiplied by roots of weights.
    pub weighted: bool,
    /// Ridge penalties, one a column; empty = none.
    pub alpha: &'a [f64],
}

impl Layout<'_> {
    fn order(&self) -> usize {
        self.columns + usize::from(self.intercept)
    }
}

/// What the first pass found, in balanced coordinates.
#[derive(Debug, Clone)]
pub struct Moments {
    /// `A'ᵀ W A' + alpha'` with the intercept's column last; `None` where only its diagonal was summed.
    pub gram: Option<Matrix<f64>>,
    /// `A'ᵀ W b'`, one vector a right side.
    pub products: Vec<Vec<f64>>,
    /// Exponents of D, one a column; that of a zero column is the greatest of the others.
    pub columns: Vec<i32>,
    /// The greatest exponent of D.
    pub top: i32,
    /// Exponents of the right sides' scales: `b' = b 2^e`.
    pub sides: Vec<i32>,
    /// Norms of the columns of A', with the ridge rows, rounded up.
    pub norms: Vec<f64>,
    /// `|b'|`, one a right side, rounded up.
    pub side_norms: Vec<f64>,
    /// `|b'|²` as summed, for the judgement from moments alone.
    pub side_squares: Vec<f64>,
    /// Ridge penalties in balanced coordinates; empty = none.
    pub alpha: Vec<f64>,
    /// Roundings of an entry of the Gram matrix.
    pub terms: usize,
    /// `|A''|_F` with the ridge rows, rounded up.
    pub frobenius: f64,
}

/// Squares beyond these may have lost something to underflow or overflow.
pub(super) const SAFE: std::ops::RangeInclusive<f64> = 1e-270..=1e270;

impl Moments {
    /// Reads the rows once; twice more where entries are so large or small that squares leave the range of doubles.
    pub fn read(problem: &mut Problem<'_>, monitor: &mut Monitor<'_>) -> Result<Self, RegressionError> {
        let (d, k) = (problem.columns, problem.sides);
        let mut pass = Augmented { columns: d, intercept: problem.intercept, sides: k, scales: Vec::new() };
        let mut sum = problem.pass(&pass, monitor)?.expect("the first pass").gram;
        let order = problem.order() + k;
        let mut pre = vec![0; order];
        if !(0..order).all(|j| SAFE.contains(&sum.get(j, j))) {
            let scan = Scan { columns: d, sides: k, vector: problem.vector };
            if let Some(found) = problem.pass(&scan, monitor)? {
                found.check(&scan)?;
                let largest = |j: usize| match j {
                    j if j < d => found.columns[j],
                    j if j < order - k => 1.0,
                    j => found.sides[j - (order - k)],
                };
                let zero_or_safe = |j: usize| largest(j) == 0.0 || SAFE.contains(&sum.get(j, j));
                if !(0..order).all(zero_or_safe) {
                    pre = (0..order).map(|j| -exponent(largest(j))).collect();
                    pass.scales = pre.iter().map(|&e| ldexp(1.0, e.clamp(-1022, 1023))).collect();
                    pre.iter_mut().for_each(|e| *e = (*e).clamp(-1022, 1023));
                    if let Some(again) = problem.pass(&pass, monitor)? {
                        sum = again.gram;
                    }
                }
            } else if !(0..order).all(|j| sum.get(j, j).is_finite()) {
                return Err(crate::base::error::ArgumentError::new(
                    "a",
                    "the stream has an entry that is nan, infinite, or too large for its square",
                    "finite values",
                )
                .into());
            }
        }
        Ok(Self::assemble(&problem.layout(), |i, j| sum.get(i, j), &pre))
    }

    /// From the diagonal of that Gram matrix and its rows of the right sides; `None` where squares may have lost
    /// something, or a column is zero.
    pub fn outline(layout: &Layout<'_>, sum: impl Fn(usize, usize) -> f64) -> Option<Self> {
        let order = layout.order() + layout.sides;
        (0..order)
            .all(|j| SAFE.contains(&sum(j, j)))
            .then(|| Self::from_margins(layout, sum, &vec![0; order]))
    }

    /// Reads the Gram matrix where only its diagonal is known.
    pub fn complete(
        &mut self,
        problem: &mut Problem<'_>,
        monitor: &mut Monitor<'_>,
    ) -> Result<(), RegressionError> {
        if self.gram.is_none() {
            let (columns, intercept, sides) = (problem.columns, problem.intercept, problem.sides);
            let pass = Augmented { columns, intercept, sides, scales: Vec::new() };
            let sum = problem.pass(&pass, monitor)?.expect("rows in memory").gram;
            self.gram = Some(self.balance(|i, j| sum.get(i, j), &self.columns));
        }
        Ok(())
    }

    /// The Gram matrix of `2^-own` times the columns, and the penalties.
    fn balance(&self, sum: impl Fn(usize, usize) -> f64, own: &[i32]) -> Matrix<f64> {
        let penalty = |j: usize| self.alpha.get(j).copied().unwrap_or(0.0);
        Matrix::from_fn(own.len(), own.len(), |i, j| {
            ldexp(sum(i, j), -(own[i] + own[j])) + if i == j { penalty(i) } else { 0.0 }
        })
    }

    /// From the Gram matrix of `[A 1 b]` whose columns were scaled by `2^pre`.
    pub fn assemble(layout: &Layout<'_>, sum: impl Fn(usize, usize) -> f64, pre: &[i32]) -> Self {
        let mut moments = Self::from_margins(layout, &sum, pre);
        let own: Vec<i32> = moments.columns.iter().zip(pre).map(|(e, pre)| e + pre).collect();
        moments.gram = Some(moments.balance(sum, &own));
        moments
    }

    fn from_margins(layout: &Layout<'_>, sum: impl Fn(usize, usize) -> f64, pre: &[i32]) -> Self {
        let (order, k) = (layout.order(), layout.sides);
        let root = |j: usize| layout.alpha.get(j).map_or(0.0, |a: &f64| a.sqrt());
        let norm = |j: usize| sum(j, j).max(0.0).sqrt().hypot(ldexp(root(j), pre[j]));
        // Exponents of the scaled columns, then of the raw ones.
        let own: Vec<Option<i32>> =
            (0..order).map(|j| Some(norm(j)).filter(|&n| n > 0.0).map(exponent)).collect();
        let top = (0..order).filter_map(|j| own[j].map(|e| e - pre[j])).max().unwrap_or(0);
        let columns: Vec<i32> = (0..order).map(|j| own[j].map_or(top, |e| e - pre[j])).collect();
        let own: Vec<i32> = (0..order).map(|j| columns[j] + pre[j]).collect();
        let alpha: Vec<f64> = if layout.alpha.is_empty() {
            Vec::new()
        } else {
            (0..order).map(|j| ldexp(root(j), -columns[j]).powi(2)).collect()
        };
        let penalty = |j: usize| alpha.get(j).copied().unwrap_or(0.0);
        let diagonal = |j: usize| ldexp(sum(j, j), -2 * own[j]) + penalty(j);
        let terms = TERMS + if layout.weighted { WEIGHT_TERMS } else { 0 } + 2;
        let up = 1.0 + gamma(terms + 4);
        let norms: Vec<f64> = (0..order).map(|j| diagonal(j).max(0.0).sqrt() * up).collect();
        let (mut sides, mut products) = (Vec::new(), Vec::new());
        let (mut side_norms, mut side_squares) = (Vec::new(), Vec::new());
        for c in 0..k {
            let at = order + c;
            let square = sum(at, at).max(0.0);
            let e = -(exponent(square.sqrt()) - pre[at]);
            sides.push(e);
            products.push((0..order).map(|j| ldexp(sum(at, j), e - pre[at] - own[j])).collect());
            // Two steps: the square of a scale may be out of range.
            let square = ldexp(ldexp(square, e - pre[at]), e - pre[at]);
            side_squares.push(square);
            side_norms.push(square.sqrt() * up);
        }
        let scaled = norms.iter().zip(&columns).map(|(n, &e)| ldexp(*n, e - top));
        let frobenius = scaled.map(|n| n * n).sum::<f64>().sqrt() * (1.0 + gamma(order + 4));
        Self {
            gram: None,
            products,
            columns,
            top,
            sides,
            norms,
            side_norms,
            side_squares,
            alpha,
            terms,
            frobenius,
        }
    }

    /// Number of unknowns.
    pub fn order(&self) -> usize {
        self.columns.len()
    }

    /// The Gram matrix, where it was read.
    pub fn whole(&self) -> &Matrix<f64> {
        self.gram.as_ref().expect("the whole Gram matrix was read")
    }

    /// `D''_j`.
    pub fn weight(&self, j: usize) -> f64 {
        ldexp(1.0, self.columns[j] - self.top)
    }

    /// Raw coefficient j of side c from the balanced one.
    pub fn raw(&self, y: f64, j: usize, c: usize) -> f64 {
        ldexp(y, -self.columns[j] - self.sides[c])
    }

    /// The balanced coefficient of a raw one.
    pub fn balanced(&self, x: f64, j: usize, c: usize) -> f64 {
        ldexp(x, self.columns[j] + self.sides[c])
    }
}
