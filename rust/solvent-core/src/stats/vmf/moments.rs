//! The one pass over the data: column sums in doubled precision, norms checked on the way.

use std::borrow::Cow;

use solvent_simd::dispatch;

use super::VmfError;
use super::kernels::{ColumnSums, anchor};
use super::rows::Rows;
use crate::base::error::ArgumentError;
use crate::base::monitor::Monitor;
use crate::base::sum::{Dd, Sum, two_sum};

/// Unit roundoff of a double.
const U: f64 = 1.110_223_024_625_156_5e-16;
/// Elements of one item of parallel work: 2 MiB, about a fifth of a millisecond.
const ITEM_ELEMENTS: usize = 1 << 18;
/// Items whose sums are held together before they are merged.
const WAVE: usize = 64;
/// Rows that are summed around one anchor.
const SPAN: usize = 512;

/// S = sum w_i x_i, W = sum w_i, and what follows from them.
#[derive(Debug, Clone)]
pub struct Moments {
    /// What the weights were divided by.
    pub unit: f64,
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
        let inverse = Dd::ONE / self.length;
        self.sum.iter().map(|&s| (s * inverse).to_f64()).collect()
    }

    /// |mu - S/|S||; 0 where S = 0, as every direction is then a maximiser.
    pub fn direction_error(&self, mu: &[f64]) -> f64 {
        if self.length.hi <= 0.0 {
            return 0.0;
        }
        let inverse = Dd::ONE / self.length;
        let off = |(&s, &m): (&Dd, &f64)| (s * inverse - Dd::from(m)).to_f64();
        self.sum.iter().zip(mu).map(off).map(|e| e * e).sum::<f64>().sqrt()
    }
}

/// Checks the weights.
fn checked_weights(weights: Option<&[f64]>) -> Result<(), ArgumentError> {
    let Some(weights) = weights else { return Ok(()) };
    if let Some((i, &w)) = weights.iter().enumerate().find(|&(_, &w)| !(w >= 0.0 && w.is_finite())) {
        return Err(ArgumentError::element("weights", &[i], w, "a finite number >= 0"));
    }
    let largest = weights.iter().fold(0.0f64, |m, &w| m.max(w));
    if largest == 0.0 {
        return Err(ArgumentError::new("weights", "weights are all 0", "at least one weight > 0"));
    }
    Ok(())
}

/// Positive weights divided by a power of two, where their squares could leave the range of doubles; and that power.
pub(super) fn scaled_weights(weights: &[f64]) -> (Cow<'_, [f64]>, f64) {
    let largest = weights.iter().fold(0.0f64, |m, &w| m.max(w));
    if (1e-100..1e100).contains(&largest) {
        return (Cow::Borrowed(weights), 1.0);
    }
    let exponent = (largest.log2().floor() as i32).clamp(-1000, 1000);
    let scale = 2f64.powi(-exponent);
    (weights.iter().map(|w| w * scale).collect(), 2f64.powi(exponent))
}

/// The row is refused: the first of its elements that is not finite, or its norm.
pub(super) fn refused_row(rows: &Rows<'_>, i: usize, norm2: f64, name: &str) -> ArgumentError {
    let row = rows.row(i);
    match row.iter().position(|x| !x.is_finite()) {
        Some(j) => ArgumentError::element(name, &[i, j], row[j], "finite values"),
        None => ArgumentError::new(name, format!("{name}[{i}] has norm {:?}", norm2.sqrt()), "unit rows"),
    }
}

/// Sums with the rounding of every addition kept beside them, apart so that the loop over them vectorises.
struct DoubledSums {
    head: Vec<f64>,
    tail: Vec<f64>,
}

impl DoubledSums {
    fn new(d: usize) -> Self {
        Self { head: vec![0.0; d], tail: vec![0.0; d] }
    }

    /// Adds `(head - start) + tail`.
    fn add(&mut self, head: &[f64], start: f64, tail: &[f64]) {
        let own = self.head.iter_mut().zip(&mut self.tail);
        for ((h, t), (&head, &tail)) in own.zip(head.iter().zip(tail)) {
            let (sum, error) = two_sum(*h, head - start);
            *h = sum;
            *t += error + tail;
        }
    }
}

/// Column sums of one item.
struct Part {
    sum: DoubledSums,
    /// The first row that is not unit, and its squared norm.
    refused: Option<(usize, f64)>,
}

/// Sums the rows of `rows`, each times its weight, and checks that each is finite and of norm 1.
///
/// Time O(n d), one pass over memory; memory O(d). The rounding allowance, u = 2^-53: around an anchor of at most
/// `8.4 w` for m <= 512 rows of weight w in all, each error is at most `8.4 w u` and exact, so that only the sum of the
/// m of them rounds: by `8.4 w m^2 u^2` a column, sqrt(d) times that in norm, and so `8.4 m^2 sqrt(d) u^2 W` over all
/// spans. Each of J joins of spans and items rounds a tail of at most `(J+1) u W` three times: `4 J^2 u^2 W`. |S|^2, the
/// root and the quotient are double-double operations of at most 10 u^2 each, relative, d of them in |S|^2; W is a
/// compensated sum with an error of `2 n^2 u^2` (0 without weights).
pub fn moments(
    rows: &Rows<'_>,
    weights: Option<&[f64]>,
    monitor: &mut Monitor<'_>,
) -> Result<Moments, VmfError> {
    let (n, d) = (rows.len(), rows.dimension());
    if n == 0 {
        return Err(ArgumentError::new("x", "x has 0 rows", "at least 1").into());
    }
    checked_weights(weights)?;
    let (weights, unit) = weights.map(scaled_weights).unzip();
    let weights = weights.as_deref();
    let step = rows.block_rows();
    let item = (ITEM_ELEMENTS / d).max(1).next_multiple_of(step);
    let tolerance = rows.norm_tolerance();
    let (low, high) = ((1.0 - tolerance) * (1.0 - tolerance), (1.0 + tolerance) * (1.0 + tolerance));

    let part = |range: std::ops::Range<usize>| {
        let mut part = Part { sum: DoubledSums::new(d), refused: None };
        let (mut scratch, mut norms2) = (Vec::new(), vec![0.0; step]);
        let (mut head, mut tail) = (vec![0.0; d], vec![0.0; d]);
        for begin in range.clone().step_by(SPAN) {
            let end = range.end.min(begin + SPAN);
            let weight = weights.map_or((end - begin) as f64, |w| w[begin..end].iter().sum());
            let start = if weight > 0.0 { anchor(weight) } else { 1.0 };
            head.fill(start);
            tail.fill(0.0);
            for first in (begin..end).step_by(step) {
                let last = end.min(first + step);
                let norms2 = &mut norms2[..last - first];
                dispatch(ColumnSums {
                    x: rows.block(first..last, &mut scratch),
                    weights: weights.map(|w| &w[first..last]),
                    norms2,
                    head: &mut head,
                    tail: &mut tail,
                });
                // Nan fails both comparisons.
                if let Some(i) = norms2.iter().position(|s| !(low..=high).contains(s)) {
                    part.refused = Some((first + i, norms2[i]));
                    return part;
                }
            }
            part.sum.add(&head, start, &tail);
        }
        part
    };

    let mut sum = DoubledSums::new(d);
    monitor.fold_blocks(n, item, WAVE, part, |part| match part.refused {
        Some((i, norm2)) => Err(VmfError::from(refused_row(rows, i, norm2, "x"))),
        None => {
            sum.add(&part.sum.head, 0.0, &part.sum.tail);
            Ok(())
        }
    })?;

    let sum: Vec<Dd> = sum.head.iter().zip(&sum.tail).map(|(&h, &t)| Dd::new(h, t)).collect();
    let weight = match weights {
        None => Dd::from(n as f64),
        Some(w) => w.iter().copied().collect::<Sum>().double(),
    };
    let length2 = sum.iter().fold(Dd::ZERO, |total, &s| total + s * s);
    let length = length2.sqrt();
    let (m, n_weights) = (SPAN.min(n) as f64, if weights.is_some() { n as f64 } else { 0.0 });
    let joins = (n.div_ceil(item) + item.div_ceil(SPAN)) as f64;
    let in_norm = 8.4 * m * m * (d as f64).sqrt();
    let relative = 2.0 * n_weights * n_weights + 4.0 * joins * joins + 4.0 * d as f64 + 64.0;
    let radius_error = U * U * (in_norm + relative);
    let radius = length / weight;
    let close = (Dd::ONE - radius).to_f64() <= 4.0 * tolerance;
    let parallel = close && all_parallel(rows, weights);
    Ok(Moments { unit: unit.unwrap_or(1.0), sum, weight, length, radius, radius_error, parallel })
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
