//! The data of a mixture, validated.

use std::borrow::Cow;
use std::ops::Range;

use solvent_simd::dispatch;

use crate::base::error::ArgumentError;
use crate::base::monitor::Monitor;
use crate::base::sum::{Sum, norm2};
use crate::stats::vmf::VmfError;
use crate::stats::vmf::kernels::Norms;
use crate::stats::vmf::moments::{refused_row, scaled_weights};
use crate::stats::vmf::rows::Rows;

/// Rows with what turns them into weighted directions. Nothing of the data is copied: the inverse norms of
/// `normalize` are multiplied into the dots and the shares.
#[derive(Debug)]
pub struct Problem<'a> {
    /// The rows as they came.
    pub rows: Rows<'a>,
    /// 1/|x_i|, where rows are to be normalised.
    pub scale: Option<Vec<f64>>,
    /// Weights of the rows, in a unit in which their squares are numbers; 1 each if there are none.
    pub weights: Option<Cow<'a, [f64]>>,
    /// Sum of the weights.
    pub total: f64,
}

/// Elements of one item of the pass over the norms.
const ITEM_ELEMENTS: usize = 1 << 18;

impl<'a> Problem<'a> {
    /// Checks the rows (finite; unit, or of positive norm if they are to be normalised) and the weights.
    pub fn new(
        rows: Rows<'a>,
        weights: Option<&'a [f64]>,
        normalize: bool,
        monitor: &mut Monitor<'_>,
    ) -> Result<Self, VmfError> {
        let refused = |w: &'a [f64]| w.iter().position(|&w| !(w >= 0.0 && w.is_finite())).map(|i| (i, w[i]));
        if let Some((i, bad)) = weights.and_then(refused) {
            return Err(ArgumentError::element("sample_weight", &[i], bad, "a finite number >= 0").into());
        }
        if weights.is_some_and(|w| w.iter().all(|&w| w == 0.0)) {
            let was = "sample_weight is zero everywhere";
            return Err(ArgumentError::new("sample_weight", was, "at least one weight > 0").into());
        }
        let total = weights.map_or(rows.len() as f64, |w| w.iter().copied().collect::<Sum>().value());
        if !total.is_finite() {
            let was = format!("sample_weight adds up to {total:?}");
            return Err(ArgumentError::new("sample_weight", was, "a finite sum").into());
        }
        let (weights, unit) = weights.map(scaled_weights).unzip();
        let total = total / unit.unwrap_or(1.0);
        let norms2 = squared_norms(&rows, monitor)?;
        let scale = if normalize {
            Some(inverse_norms(&rows, norms2)?)
        } else {
            let tolerance = rows.norm_tolerance();
            let (low, high) = ((1.0 - tolerance) * (1.0 - tolerance), (1.0 + tolerance) * (1.0 + tolerance));
            if let Some(i) = norms2.iter().position(|s| !(low..=high).contains(s)) {
                return Err(refused_row(&rows, i, norms2[i], "X").into());
            }
            None
        };
        Ok(Self { rows, scale, weights, total })
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Dimension.
    pub fn dimension(&self) -> usize {
        self.rows.dimension()
    }

    /// The weight of a row.
    pub fn weight(&self, i: usize) -> f64 {
        self.weights.as_ref().map_or(1.0, |w| w[i])
    }

    /// What a row is multiplied by.
    pub fn scale(&self, i: usize) -> f64 {
        self.scale.as_ref().map_or(1.0, |s| s[i])
    }

    /// One row as a unit vector.
    pub fn direction(&self, i: usize) -> Vec<f64> {
        let row = self.rows.row(i);
        // A row may be off the sphere by the tolerance; a mean may not.
        let norm = norm2(&row);
        row.into_iter().map(|x| x / norm).collect()
    }
}

fn squared_norms(rows: &Rows<'_>, monitor: &mut Monitor<'_>) -> Result<Vec<f64>, VmfError> {
    let (n, d, step) = (rows.len(), rows.dimension(), rows.block_rows());
    let item = (ITEM_ELEMENTS / d).max(1).next_multiple_of(step);
    let mut norms2 = vec![0.0; n];
    let items = norms2.chunks_mut(item).enumerate();
    monitor.map_items(items, |(index, norms2)| {
        let mut scratch = Vec::new();
        for (block, part) in norms2.chunks_mut(step).enumerate() {
            let first = index * item + block * step;
            let range: Range<usize> = first..first + part.len();
            let x = rows.block(range, &mut scratch);
            dispatch(Norms { x, norms2: part });
        }
    })?;
    Ok(norms2)
}

/// 1/|x_i|; where the squares leave the range of doubles, from the scaled norm.
fn inverse_norms(rows: &Rows<'_>, mut norms2: Vec<f64>) -> Result<Vec<f64>, VmfError> {
    for i in 0..norms2.len() {
        let square = norms2[i];
        let norm = if (1e-280..1e280).contains(&square) { square.sqrt() } else { norm2(&rows.row(i)) };
        if !norm.is_finite() {
            return Err(refused_row(rows, i, square, "X").into());
        }
        let inverse = 1.0 / norm;
        if norm == 0.0 || !inverse.is_finite() {
            let was =
                format!("X[{i}] has norm {}", if norm == 0.0 { "0".to_owned() } else { format!("{norm:?}") });
            return Err(ArgumentError::new("X", was, "a direction").into());
        }
        norms2[i] = inverse;
    }
    Ok(norms2)
}
