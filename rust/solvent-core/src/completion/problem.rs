//! The data: observed entries by rows and by columns, the penalty, the loss.

use super::CompletionError;
use super::entry::Entry;
use crate::base::error::ArgumentError;
use crate::base::sparse::{Sparse, SparseView};

/// What is minimised beside the data.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Penalty {
    /// The ridge of both factors, `lam`.
    pub lam: f64,
    /// Whether it counts once for each entry of a row or column.
    pub count: bool,
    /// Whether there are biases.
    pub bias: bool,
    /// Whether the factors are non-negative.
    pub nonneg: bool,
    /// Where the loss turns from quadratic to linear, in data units; `None`: never.
    pub delta: Option<f64>,
}

impl Penalty {
    /// Least squares with a ridge at most.
    pub fn is_smooth(&self) -> bool {
        !self.bias && !self.nonneg && self.delta.is_none()
    }

    /// Plain least squares at the entries: no ridge, no biases, no signs.
    pub fn is_plain(&self) -> bool {
        self.lam == 0.0 && !self.bias && !self.nonneg && self.delta.is_none()
    }

    /// Plain least squares with a ridge.
    pub const fn ridge(lam: f64) -> Self {
        Self { lam, count: false, bias: false, nonneg: false, delta: None }
    }
}

/// With biases and no other ridge, this one fixes the gauge, relative to the scale of the data.
pub const GAUGE: f64 = 1e-9;

/// The observed entries: canonical rows (ascending columns, none twice), borrowed, and columns, owned.
pub struct Problem<'a, T> {
    /// By rows.
    pub rows: SparseView<'a, T>,
    /// Positive weights in the order of the rows; `None`: all one.
    pub weights: Option<&'a [T]>,
    columns: Sparse<T>,
    column_weights: Option<Vec<T>>,
    /// Fixed mean that is subtracted.
    pub mean: f64,
    /// The power of two that brings the largest entry, less the mean, near one.
    pub unit: f64,
    /// What is minimised beside the data.
    pub penalty: Penalty,
    /// `|P(Y - mean)|²` in scaled units.
    pub squares: f64,
    /// `sum w (y - mean)²` in scaled units.
    pub energy: f64,
}

impl<'a, T: Entry> Problem<'a, T> {
    /// Checks what Python cannot see cheaply (at least one entry, finite values) and builds the columns.
    pub fn new(
        rows: SparseView<'a, T>,
        weights: Option<&'a [T]>,
        penalty: Penalty,
        mean: Option<f64>,
    ) -> Result<Self, CompletionError> {
        if rows.nnz() == 0 {
            return Err(ArgumentError::new("A", "A has no observed entry".to_owned(), "at least one").into());
        }
        let (columns, origin) = rows.transpose();
        let column_weights = weights.map(|w| origin.iter().map(|&e| w[e]).collect());
        let mean =
            mean.unwrap_or_else(|| if penalty.bias { weighted_mean(rows.data(), weights) } else { 0.0 });
        let mean = T::from_f64(mean).to_f64();
        let unit = unit_of(rows.data(), mean, T::UNIT > 1e-10);
        let (mut squares, mut energy) = (0.0, 0.0);
        for (e, y) in rows.data().iter().enumerate() {
            let y = (y.to_f64() - mean) * unit;
            squares += y * y;
            energy += weights.map_or(y * y, |w| w[e].to_f64() * y * y);
        }
        Ok(Self { rows, weights, columns, column_weights, mean, unit, penalty, squares, energy })
    }

    /// The entries by columns.
    pub fn columns(&self) -> SparseView<'_, T> {
        self.columns.view()
    }

    /// Their weights.
    pub fn column_weights(&self) -> Option<&[T]> {
        self.column_weights.as_deref()
    }

    /// Shape of the matrix.
    pub fn shape(&self) -> (usize, usize) {
        (self.rows.rows(), self.rows.columns())
    }

    /// `lam` for the scaled data.
    pub fn ridge(&self) -> f64 {
        let lam = self.penalty.lam;
        // Scaling the data by s scales the nuclear norm's weight by s for a quadratic loss.
        lam * self.unit
    }

    /// `delta` for the scaled data.
    pub fn delta(&self) -> Option<f64> {
        self.penalty.delta.map(|delta| delta * self.unit)
    }
}

/// The weighted mean of the entries.
pub fn weighted_mean<T: Entry>(values: &[T], weights: Option<&[T]>) -> f64 {
    use crate::base::sum::Sum;
    let (mut sum, mut total) = (Sum::new(), Sum::new());
    // Halved exponents: neither sum overflows.
    for (e, y) in values.iter().enumerate() {
        let w = weights.map_or(1.0, |w| w[e].to_f64());
        sum.add(w * (y.to_f64() * 2f64.powi(-64)));
        total.add(w);
    }
    sum.value() / total.value() * 2f64.powi(64)
}

/// The power of two that brings the largest of `|y - mean|` into [1, 2), as far as the type can multiply by it.
pub fn unit_of<T: Entry>(values: &[T], mean: f64, single: bool) -> f64 {
    let largest = values.iter().fold(0.0f64, |m, y| m.max((y.to_f64() - mean).abs()));
    if largest == 0.0 || !largest.is_finite() {
        return 1.0;
    }
    let most = if single { 120 } else { 1000 };
    2f64.powi(-(largest.log2().floor() as i32).clamp(-most, most))
}
