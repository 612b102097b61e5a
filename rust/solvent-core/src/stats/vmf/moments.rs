//! The one pass over the data: column sums in doubled precision, norms checked on the way.

use std::borrow::Cow;

use solvent_simd::dispatch;

use super::VmfError;
use super::kernels::ColumnSums;
use super::rows::Rows;
use crate::base::error::ArgumentError;
use crate::base::monitor::Monitor;
use crate::base::sum::{Dd, Sum};

/// Unit roundoff of a double.
const U: f64 = 1.110_223_024_625_156_5e-16;
/// Elements of one item of parallel work: 2 MiB, about a fifth of a millisecond.
const ITEM_ELEMENTS: usize = 1 << 18;
/// Items whose sums are held together before they are merged.
const WAVE: usize = 64;

/// S = sum w_i x_i, W = sum w_i, and what follows from them.
#[derive(Debug, Clone)]
pub struct Moments {
    /// S, column by column.
    pub sum: Vec<Dd>,
    /// W.
    pub weight: Dd,
    /// |S|.
    pub length: Dd,
    /// R = |S|/W.
    pub radius: Dd,
    /// The exact R of the rows as they are given lies within this distance of `radius`.
    pub radius_error: f64,
    /// Whether all rows of positive weight point the same way, to rounding.
    pub parallel: bool,
}

impl Moments {
    /// Dimension of the space.
    pub fn dimension(&self) -> usize {
        self.sum.len()
    }

    /// 1 - R, without cancellation: both are known to about 32 digits.
    pub fn complement(&self) -> f64 {
        (Dd::ONE - self.radius).to_f64()
    }

    /// S/|S|, rounded to doubles; the first unit vector where S = 0.
    pub fn direction(&self) -> Vec<f64> {
        if self.length.hi <= 0.0 {
            return (0..self.sum.len()).map(|c| if c == 0 { 1.0 } else { 0.0 }).collect();
        }
        self.sum.iter().map(|&s| (s / self.length).to_f64()).collect()
    }

    /// |mu - S/|S||; 0 where S = 0, as every direction is then a maximiser.
    pub fn direction_error(&self, mu: &[f64]) -> f64 {
        if self.length.hi <= 0.0 {
            return 0.0;
        }
        let off = |(&s, &m): (&Dd, &f64)| ((s / self.length) - Dd::from(m)).to_f64();
        self.sum.iter().zip(mu).map(off).map(|e| e * e).sum::<f64>().sqrt()
    }
}

/// Checks the weights; scales them by a power of two where products with them could leave the range of doubles.
fn checked_weights(weights: Option<&[f64]>) -> Result<Option<Cow<'_, [f64]>>, ArgumentError> {
    let Some(weights) = weights else { return Ok(None) };
    if let Some((i, &w)) = weights.iter().enumerate().find(|&(_, &w)| !(w >= 0.0 && w.is_finite())) {
        return Err(ArgumentError::element("weights", &[i], w, "a finite number >= 0"));
    }
    let largest = weights.iter().fold(0.0f64, |m, &w| m.max(w));
    if largest == 0.0 {
        return Err(ArgumentError::new("weights", "weights are all 0", "at least one weight > 0"));
    }
    let scale = match largest {
        w if w > 1e200 => 2f64.powi(-800),
        w if w < 1e-200 => 2f64.powi(800),
        _ => return Ok(Some(Cow::Borrowed(weights))),
    };
    Ok(Some(weights.iter().map(|w| w * scale).collect()))
}

/// The row is refused: the first of its elements that is not finite, or its norm.
pub(super) fn refused_row(rows: &Rows<'_>, i: usize, norm2: f64, name: &str) -> ArgumentError {
    let row = rows.row(i);
    match row.iter().position(|x| !x.is_finite()) {
        Some(j) => ArgumentError::element(name, &[i, j], row[j], "finite values"),
        None => ArgumentError::new(name, format!("{name}[{i}] has norm {:?}", norm2.sqrt()), "unit rows"),
    }
}

/// Column sums of one item.
struct Part {
    head: Vec<f64>,
    tail: Vec<f64>,
    /// The first row that is not unit, and its squared norm.
    refused: Option<(usize, f64)>,
}

/// Sums the rows of `rows`, each times its weight, and checks that each is finite and of norm 1.
///
/// Time O(n d), one pass over memory; memory O(d). The rounding allowance: with m rows an item, `two_sum` chains leave
/// an error only in the sums of the tails, at most `(m+1)^2 u^2 W` in norm (Ogita, Rump & Oishi 2005, Proposition 4.5,
/// taken as vectors); merging items, |S|^2, the root and the quotient are double-double operations of at most 10 u^2
/// each, d of them in |S|^2.
pub fn moments(
    rows: &Rows<'_>,
    weights: Option<&[f64]>,
    monitor: &mut Monitor<'_>,
) -> Result<Moments, VmfError> {
    let (n, d) = (rows.len(), rows.dimension());
    if n == 0 {
        return Err(ArgumentError::new("x", "x has 0 rows", "at least 1").into());
    }
    let weights = checked_weights(weights)?;
    let weights = weights.as_deref();
    let step = rows.block_rows();
    let item = (ITEM_ELEMENTS / d).max(1).next_multiple_of(step);
    let tolerance = rows.norm_tolerance();
    let (low, high) = ((1.0 - tolerance) * (1.0 - tolerance), (1.0 + tolerance) * (1.0 + tolerance));

    let part = |range: std::ops::Range<usize>| {
        let mut part = Part { head: vec![0.0; d], tail: vec![0.0; d], refused: None };
        let (mut scratch, mut norms2) = (Vec::new(), vec![0.0; step]);
        for first in range.clone().step_by(step) {
            let last = range.end.min(first + step);
            let norms2 = &mut norms2[..last - first];
            dispatch(ColumnSums {
                x: rows.block(first..last, &mut scratch),
                weights: weights.map(|w| &w[first..last]),
                norms2,
                head: &mut part.head,
                tail: &mut part.tail,
            });
            // Nan fails both comparisons.
            if let Some(i) = norms2.iter().position(|s| !(low..=high).contains(s)) {
                part.refused = Some((first + i, norms2[i]));
                break;
            }
        }
        part
    };

    let mut sum = vec![Dd::ZERO; d];
    for wave in (0..n).step_by(item * WAVE) {
        let count = (n - wave).min(item * WAVE);
        for part in monitor.map_blocks(count, item, |r| part(r.start + wave..r.end + wave))? {
            if let Some((i, norm2)) = part.refused {
                return Err(refused_row(rows, i, norm2, "x").into());
            }
            for ((s, &head), &tail) in sum.iter_mut().zip(&part.head).zip(&part.tail) {
                *s = *s + Dd::new(head, tail);
            }
        }
    }

    let weight = match weights {
        None => Dd::from(n as f64),
        Some(w) => w.iter().copied().collect::<Sum>().double(),
    };
    let length2 = sum.iter().fold(Dd::ZERO, |total, &s| total + s * s);
    let length = length2.sqrt();
    let m = if weights.is_some() { n.max(item) } else { item.min(n) } as f64 + 1.0;
    let merges = n.div_ceil(item) as f64;
    let radius_error = U * U * (2.0 * m * m + 8.0 * merges + 4.0 * d as f64 + 64.0);
    let radius = length / weight;
    let close = (Dd::ONE - radius).to_f64() <= 4.0 * tolerance;
    let parallel = close && all_parallel(rows, weights);
    Ok(Moments { sum, weight, length, radius, radius_error, parallel })
}

/// Whether every row of positive weight is a multiple of the first such row, to the rounding of the products. Ends at
/// the first that is not, so that it costs nothing on data that can be fitted.
fn all_parallel(rows: &Rows<'_>, weights: Option<&[f64]>) -> bool {
    let counts = |i: &usize| weights.is_none_or(|w| w[*i] > 0.0);
    let mut counted = (0..rows.len()).filter(counts);
    let Some(first) = counted.next() else { return true };
    let a = rows.row(first);
    let norm_a = a.iter().map(|x| x * x).sum::<f64>().sqrt();
    let unit = match rows {
        Rows::F64(_) => U,
        Rows::F32(_) => 5.960_464_477_539_063e-8,
    };
    let mut scratch = Vec::new();
    counted.all(|i| {
        let b = rows.block(i..i + 1, &mut scratch);
        let norm_b = b.iter().map(|x| x * x).sum::<f64>().sqrt();
        let off = a.iter().zip(b).map(|(x, y)| x / norm_a - y / norm_b);
        off.map(|e| e * e).sum::<f64>() <= 16.0 * unit * unit
    })
}
