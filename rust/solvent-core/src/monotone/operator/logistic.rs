//! Logistic regression: `F(u) = -(1/n) Σ b_i a_i σ(-b_i a_i.u) + reg u`, the gradient of the mean of
//! `log(1 + exp(-b_i a_i.u)) + (reg/2) |u|²`.

use super::blocks::Blocks;
use super::margins::{OfMargins, Slope, margins_twice, steepest};
use super::{Constants, Operator, Pick, Rows, gamma, twice};
use crate::base::error::Aborted;
use crate::base::monitor::Monitor;
use crate::base::sum::Sum;
use crate::monotone::vector::norm;
use solvent_simd::dispatch;
use std::borrow::Cow;

/// See the [module](self).
pub struct Logistic<'a> {
    rows: Rows<'a>,
    /// 1 or -1, one a row.
    labels: Cow<'a, [f64]>,
    reg: f64,
    components: usize,
    blocks: Blocks,
}

impl<'a> Logistic<'a> {
    /// Rows `a_i` with their labels 1 or -1.
    pub fn new(rows: Rows<'a>, labels: &'a [f64], reg: f64) -> Self {
        assert_eq!(rows.count(), labels.len(), "one label a row");
        let blocks = Blocks::new(rows.size(), rows.columns());
        Self { components: labels.len(), rows, labels: Cow::Borrowed(labels), reg, blocks }
    }

    /// `Σ_k (c_k(u) - c_k(v)) a_k` over the rows picked.
    fn sum(
        &self,
        u: &[f64],
        v: Option<&[f64]>,
        pick: Pick<'_>,
        out: &mut [f64],
        monitor: &mut Monitor<'_>,
    ) -> Result<(), Aborted> {
        let chunk = self.rows.chunk();
        self.blocks.sum(pick, out, monitor, |pick, out| {
            let (mut c, mut other) = (vec![0.0; chunk], vec![0.0; chunk]);
            let mut labels = vec![0.0; chunk];
            for from in (0..pick.len()).step_by(chunk) {
                let part = pick.part(from, pick.len().min(from + chunk));
                let (c, other, b) =
                    (&mut c[..part.len()], &mut other[..part.len()], &mut labels[..part.len()]);
                (0..b.len()).for_each(|k| b[k] = self.labels[part.at(k)]);
                self.rows.dots(part, u, c);
                dispatch(OfMargins { f: Slope, labels: b, z: c });
                if let Some(v) = v {
                    self.rows.dots(part, v, other);
                    dispatch(OfMargins { f: Slope, labels: b, z: other });
                    c.iter_mut().zip(other).for_each(|(c, other)| *c -= *other);
                }
                self.rows.accumulate(part, c, out);
            }
        })
    }
}

impl Operator for Logistic<'_> {
    fn dim(&self) -> usize {
        self.rows.columns()
    }

    fn components(&self) -> usize {
        self.components
    }

    fn products(&self) -> f64 {
        2.0
    }

    fn full(&self, u: &[f64], out: &mut [f64], monitor: &mut Monitor<'_>) -> Result<(), Aborted> {
        self.batch(u, Pick::all(self.components), out, monitor)
    }

    fn batch(
        &self,
        u: &[f64],
        pick: Pick<'_>,
        out: &mut [f64],
        monitor: &mut Monitor<'_>,
    ) -> Result<(), Aborted> {
        self.sum(u, None, pick, out, monitor)?;
        let count = pick.len() as f64;
        out.iter_mut().zip(u).for_each(|(out, u)| *out = *out / count + self.reg * u);
        Ok(())
    }

    fn diff(
        &self,
        u: &[f64],
        v: &[f64],
        pick: Pick<'_>,
        out: &mut [f64],
        monitor: &mut Monitor<'_>,
    ) -> Result<(), Aborted> {
        self.sum(u, Some(v), pick, out, monitor)?;
        let count = pick.len() as f64;
        for ((out, u), v) in out.iter_mut().zip(u).zip(v) {
            *out = *out / count + self.reg * (u - v);
        }
        Ok(())
    }

    /// `L = |A|²/(4n) + reg`, because the slope of σ is at most 1/4; `L_i = |a_i|²/4 + reg`.
    fn constants(&self, monitor: &mut Monitor<'_>) -> Result<Option<Constants>, Aborted> {
        let n = self.components as f64;
        let top = gram_norm(&self.rows, monitor)?;
        let squares: f64 = (0..self.components).map(|i| (0.25 * self.rows.norm2(i) + self.reg).powi(2)).sum();
        Ok(Some(Constants { full: 0.25 * top / n + self.reg, average: (squares / n).sqrt() }))
    }

    /// With `z_i = a_i.u`, `c_i = -b_i σ(-b_i z_i)`:
    /// * `z_i` errs by `δ_i = γ_d |a_i|.|u|`, and `c_i` with it by `min(δ_i/4, |c_i| (e^δ_i - 1))`, for the slope of σ
    ///   is at most 1/4 and at most σ;
    /// * evaluating σ takes an `exp` (1 ulp), an addition and a division: `5u |c_i|`, and 1e-300 where it underflows;
    /// * the sum over i errs by the blocks' γ, the division by n and what `reg` adds by `3u`.
    fn allowance(&self, u: &[f64], out: &mut [f64], monitor: &mut Monitor<'_>) -> Result<bool, Aborted> {
        let n = self.components;
        let (dots, sums) = (gamma(self.rows.longest() + 2), self.blocks.gamma(n) + gamma(6));
        let chunk = self.rows.chunk();
        self.blocks.sum(Pick::all(n), out, monitor, |pick, out| {
            let (mut c, mut size) = (vec![0.0; chunk], vec![0.0; chunk]);
            for from in (0..pick.len()).step_by(chunk) {
                let part = pick.part(from, pick.len().min(from + chunk));
                let (c, size) = (&mut c[..part.len()], &mut size[..part.len()]);
                self.rows.dots(part, u, c);
                self.rows.dots_of_magnitudes(part, u, size);
                dispatch(OfMargins {
                    f: Slope,
                    labels: &self.labels[part.at(0)..part.at(0) + part.len()],
                    z: c,
                });
                for (c, size) in c.iter_mut().zip(size) {
                    let slope = c.abs();
                    let delta = dots * *size;
                    *c = slope * sums + (0.25 * delta).min(1.01 * slope * delta.exp_m1()) + 1e-300;
                }
                self.rows.accumulate_magnitudes(part, c, out);
            }
        })?;
        for (out, u) in out.iter_mut().zip(u) {
            *out = 1.001 * (*out / n as f64 + gamma(3) * (self.reg * u).abs());
        }
        Ok(true)
    }

    /// `(1/n) Σ |c_i| |a_i| + reg |u|`.
    fn terms(&self, u: &[f64], out: &mut [f64], monitor: &mut Monitor<'_>) -> Result<bool, Aborted> {
        let n = self.components;
        let chunk = self.rows.chunk();
        self.blocks.sum(Pick::all(n), out, monitor, |pick, out| {
            let mut c = vec![0.0; chunk];
            for from in (0..pick.len()).step_by(chunk) {
                let part = pick.part(from, pick.len().min(from + chunk));
                let c = &mut c[..part.len()];
                self.rows.dots(part, u, c);
                dispatch(OfMargins {
                    f: Slope,
                    labels: &self.labels[part.at(0)..part.at(0) + part.len()],
                    z: c,
                });
                c.iter_mut().for_each(|c| *c = c.abs());
                self.rows.accumulate_magnitudes(part, c, out);
            }
        })?;
        out.iter_mut().zip(u).for_each(|(out, u)| *out = *out / n as f64 + (self.reg * u).abs());
        Ok(true)
    }

    /// As in [`allowance`](Operator::allowance), where `z_i` errs by `δ_i = u |z_i| + γ² |a_i|.|u|` and the sum over i by
    /// `γ²` of the sum of magnitudes; the slopes themselves are floats, `5u |c_i|` from exact.
    fn precise(
        &self,
        u: &[f64],
        out: &mut [f64],
        slack: &mut [f64],
        monitor: &mut Monitor<'_>,
    ) -> Result<bool, Aborted> {
        let (n, d) = (self.components, out.len());
        let sums = gamma(6) + twice::error(self.blocks.chain(n, 1));
        let mut total = vec![Sum::new(); d];
        slack.fill(0.0);
        let part = |range: std::ops::Range<usize>| {
            let pick = Pick::Run { first: range.start, len: range.len() };
            let (mut c, delta) = margins_twice(&self.rows, pick, u);
            dispatch(OfMargins { f: Slope, labels: &self.labels[range], z: &mut c });
            let (mut partial, mut errors) = (vec![Sum::new(); d], vec![0.0; d]);
            self.rows.accumulate_twice(pick, &c, &mut partial);
            for (c, &delta) in c.iter_mut().zip(&delta) {
                let slope = c.abs();
                *c = slope * sums + (0.25 * delta).min(steepest(slope, delta)) + 1e-300;
            }
            self.rows.accumulate_magnitudes(pick, &c, &mut errors);
            (partial, errors)
        };
        self.blocks.fold(n, monitor, part, |(partial, errors): (Vec<Sum>, Vec<f64>)| {
            total.iter_mut().zip(partial).for_each(|(total, partial)| total.merge(partial));
            slack.iter_mut().zip(&errors).for_each(|(slack, error)| *slack += error);
        })?;
        let count = n as f64;
        for j in 0..d {
            // Two roundings of the mean, one of the penalty, one of their sum.
            let (mean, pull) = (total[j].value() / count, self.reg * u[j]);
            out[j] = mean + pull;
            slack[j] = 1.001 * (slack[j] / count + gamma(3) * (mean.abs() + pull.abs()));
        }
        Ok(true)
    }

    fn arranged(&self, order: &[usize], limit: usize) -> Option<Box<dyn Operator + '_>> {
        let rows = self.rows.arranged(order, limit)?;
        let labels = order.iter().map(|&i| self.labels[i]).collect();
        Some(Box::new(Logistic { rows, labels: Cow::Owned(labels), ..*self }))
    }
}

/// `|A|₂²`, 1.01 times an estimate from below: power iteration on `AᵀA`, begun on a sample of the rows.
pub(super) fn gram_norm(rows: &Rows<'_>, monitor: &mut Monitor<'_>) -> Result<f64, Aborted> {
    let (n, d) = (rows.count(), rows.columns());
    if n == 0 || d == 0 {
        return Ok(0.0);
    }
    let blocks = Blocks::new(rows.size(), d);
    let chunk = rows.chunk();
    let mut apply = |v: &[f64], pick: Pick<'_>, out: &mut [f64]| {
        blocks.sum(pick, out, monitor, |pick, out| {
            let mut z = vec![0.0; chunk];
            for from in (0..pick.len()).step_by(chunk) {
                let part = pick.part(from, pick.len().min(from + chunk));
                let z = &mut z[..part.len()];
                rows.dots(part, v, z);
                rows.accumulate(part, z, out);
            }
        })
    };
    // A start without symmetry, so that it is not orthogonal to the vector that is sought.
    let mut v: Vec<f64> =
        (0..d).map(|j| 1.0 + 0.5 * ((j as f64 + 1.0) * 0.618_033_988_749_895).fract()).collect();
    let mut image = vec![0.0; d];
    let stride = n.div_ceil(4096);
    let sample: Vec<usize> = (0..n).step_by(stride).collect();
    // The sample costs little, so it is iterated long; all rows then need a few steps.
    let stages = [(Pick::List(&sample), if stride > 1 { 100 } else { 0 }), (Pick::all(n), 100)];
    let mut top = 0.0;
    for (pick, most) in stages {
        let mut before = 0.0;
        for _ in 0..most {
            let size = norm(&v);
            if size == 0.0 {
                return Ok(0.0);
            }
            v.iter_mut().for_each(|v| *v /= size);
            apply(&v, pick, &mut image)?;
            top = norm(&image);
            std::mem::swap(&mut v, &mut image);
            if top <= 1.002 * before {
                break;
            }
            before = top;
        }
    }
    Ok(1.01 * top)
}
