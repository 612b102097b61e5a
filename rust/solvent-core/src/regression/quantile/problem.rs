//! The data, validated and in scaled units.

use super::QuantileError;
use super::design::{Design, panel_rows};
use crate::base::error::ArgumentError;
use crate::base::monitor::Monitor;
use crate::base::rng::Philox;

/// Exponents that need no scaling: their squares and products with counts stay far inside the range.
const CALM: f64 = 1e100;
/// Rows, over the square root of the coefficients, from which on samples pay.
const MANY: f64 = 2000.0;
/// The seed of samples and of a band's directions: they show in the time alone.
pub const SEED: u64 = 0x51EE7;

/// `min sum w_i rho_tau(b_i - a_i x) + alpha |x|_1`, in units in which nothing overflows.
///
/// With powers of two `b' = b unit_b`, `w' = w unit_w`, `A' = A scale` the coefficients are `x' = x unit_b/scale`, and
/// every objective is `unit_b unit_w` times the caller's.
#[derive(Debug, Clone)]
pub struct Problem<'a> {
    /// A', the column of the intercept last.
    pub design: Design<'a>,
    /// b'.
    pub b: Vec<f64>,
    /// w'; `None` where all are 1.
    pub w: Option<Vec<f64>>,
    /// `alpha unit_w scale_j`, 0 for the intercept.
    pub penalty: Vec<f64>,
    /// The caller's alpha.
    alpha: f64,
    /// What b was multiplied by.
    pub unit_b: f64,
    /// What w was multiplied by.
    pub unit_w: f64,
    /// Rows of positive weight; `None` where that is all of them.
    pub active: Option<Vec<u32>>,
    /// Whether coefficients come back in float32.
    pub single: bool,
}

impl<'a> Problem<'a> {
    /// Everything is finite, weights and alpha are not negative: the caller has seen to it.
    pub fn new(
        design: Design<'a>,
        b: &[f64],
        weights: Option<&[f64]>,
        alpha: f64,
        single: bool,
    ) -> Result<Self, QuantileError> {
        let n = design.rows();
        if b.len() != n {
            let because = format!("a has {n} rows");
            return Err(ArgumentError::shape("b", &[b.len()], &because, &[n]).into());
        }
        if let Some(w) = weights.filter(|w| w.len() != n) {
            let because = format!("a has {n} rows");
            return Err(ArgumentError::shape("weights", &[w.len()], &because, &[n]).into());
        }
        let unit_b = unit(largest(b));
        let unit_w = weights.map_or(1.0, |w| unit(largest(w)));
        let active = weights.filter(|w| w.contains(&0.0)).map(|w| {
            let positive = w.iter().enumerate().filter(|(_, w)| **w > 0.0);
            positive.map(|(i, _)| i as u32).collect::<Vec<_>>()
        });
        let penalty = penalties(&design, alpha * unit_w);
        Ok(Self {
            b: b.iter().map(|b| b * unit_b).collect(),
            w: weights.map(|w| w.iter().map(|w| w * unit_w).collect()),
            penalty,
            alpha,
            unit_b,
            unit_w,
            active,
            single,
            design,
        })
    }

    /// Scales every column to a size near 1: for columns whose squares overflow or vanish. An entry that is not finite
    /// is an error.
    pub fn calm(&mut self, monitor: &mut Monitor<'_>) -> Result<(), QuantileError> {
        let (n, width) = (self.rows(), self.width());
        let stride = panel_rows(width);
        let design = &self.design;
        let parts = monitor.map_blocks(n, stride, |rows| {
            let mut panel = vec![0.0; stride * width];
            design.fill(|i| rows.start + i, rows.len(), stride, &mut panel);
            let mut sizes = vec![0.0f64; width];
            for j in 0..width {
                for (i, v) in panel[j * stride..j * stride + rows.len()].iter().enumerate() {
                    if !v.is_finite() {
                        return Err((rows.start + i, j, *v));
                    }
                    sizes[j] = sizes[j].max(v.abs());
                }
            }
            Ok(sizes)
        })?;
        let mut sizes = vec![0.0f64; width];
        for part in parts {
            match part {
                Ok(part) => sizes.iter_mut().zip(&part).for_each(|(s, p)| *s = s.max(*p)),
                Err((i, j, v)) => {
                    return Err(ArgumentError::element("a", &[i, j], v, "finite values").into());
                }
            }
        }
        self.design = design.clone().scaled(sizes.iter().map(|&size| unit(size)).collect());
        self.penalty = penalties(&self.design, self.alpha * self.unit_w);
        Ok(())
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.b.len()
    }

    /// Number of coefficients, the intercept's included.
    pub fn width(&self) -> usize {
        self.design.width()
    }

    /// Number of rows of positive weight.
    pub fn count(&self) -> usize {
        self.active.as_ref().map_or(self.rows(), Vec::len)
    }

    /// The k-th row of positive weight.
    pub fn index(&self, k: usize) -> usize {
        self.active.as_ref().map_or(k, |active| active[k] as usize)
    }

    /// How many rows a sample for `d` coefficients has, `sqrt(d) n^(2/3)` (Portnoy & Koenker, section 5); `None` where
    /// there are too few rows for it to pay.
    pub fn sample_size(&self, d: usize) -> Option<usize> {
        let (n, root) = (self.count() as f64, (d as f64).sqrt());
        (d > 0 && n > MANY * root).then(|| (root * n.powf(2.0 / 3.0)).ceil() as usize)
    }

    /// One row at random of each of `m` equal parts, ascending.
    pub fn sample(&self, m: usize, round: u32) -> Vec<u32> {
        let n = self.count();
        let mut rng = Philox::new(SEED, 0, round);
        let part = |k: usize| (k as u128 * n as u128 / m as u128) as usize;
        let row = |k: usize| {
            let (from, to) = (part(k), part(k + 1));
            self.index(from + rng.below((to - from).max(1) as u64) as usize) as u32
        };
        (0..m).map(row).collect()
    }

    /// w'_i
    pub fn weight(&self, i: usize) -> f64 {
        self.w.as_ref().map_or(1.0, |w| w[i])
    }

    /// Whether coefficients are penalised.
    pub fn penalised(&self) -> bool {
        self.penalty.iter().any(|p| *p > 0.0)
    }

    /// Coefficients as the caller sees them, from those of A': finite, whatever the units.
    pub fn to_caller(&self, x: &[f64]) -> Vec<f64> {
        let largest = if self.single { f64::from(f32::MAX) } else { f64::MAX };
        let back = x.iter().enumerate().map(|(j, x)| x * self.design.scale(j) / self.unit_b);
        let back = back.map(|x| if x.is_nan() { 0.0 } else { x.clamp(-largest, largest) });
        back.map(|x| if self.single { f64::from(x as f32) } else { x }).collect()
    }

    /// Coefficients of A', from the caller's.
    pub fn from_caller(&self, x: &[f64]) -> Vec<f64> {
        x.iter().enumerate().map(|(j, x)| x * self.unit_b / self.design.scale(j)).collect()
    }

    /// A number in units of the objective, as the caller sees it.
    pub fn objective(&self, value: f64) -> f64 {
        value / self.unit_b / self.unit_w
    }
}

/// `alpha scale_j`, 0 for the intercept.
fn penalties(design: &Design<'_>, alpha: f64) -> Vec<f64> {
    let caller = design.columns();
    (0..design.width()).map(|j| if j < caller { alpha * design.scale(j) } else { 0.0 }).collect()
}

/// The largest absolute value.
fn largest(x: &[f64]) -> f64 {
    x.iter().fold(0.0f64, |m, v| m.max(v.abs()))
}

/// The power of two that takes `x` near 1; 1 where it is not far from it.
fn unit(x: f64) -> f64 {
    if x == 0.0 || (1.0 / CALM..=CALM).contains(&x) {
        return 1.0;
    }
    2f64.powi(-(x.log2().round() as i32).clamp(-1000, 1000))
}
