//! Distributionally robust logistic regression: the saddle of
//! `Σ q_i log(1 + exp(-b_i a_i.w)) + (reg/2) |w|²`, minimised over w and maximised over the weights q in the simplex
//! within the distance rho of the uniform ones ([`Ball`](crate::monotone::prox::WeightBall)). `u = (w, q)`,
//! `F(u) = (Σ q_i c_i a_i + reg w, -ℓ)` with `c_i = -b_i σ(-b_i a_i.w)` and `ℓ_i = log(1 + exp(-b_i a_i.w))`;
//! component i has the terms of row i, times n.

use super::blocks::Blocks;
use super::logistic::gram_norm;
use super::margins::{Loss, OfMargins, Slope, margins_twice, steepest};
use super::{Constants, Operator, Pick, Rows, gamma, twice};
use crate::base::error::Aborted;
use crate::base::monitor::Monitor;
use crate::base::sum::Sum;
use solvent_simd::dispatch;

/// See the [module](self).
pub struct DroLogistic<'a> {
    rows: Rows<'a>,
    labels: &'a [f64],
    rho: f64,
    reg: f64,
    /// The operator's q is this many times the coordinates' (see [`Operator::rescaled`]).
    unit: f64,
    blocks: Blocks,
}

impl<'a> DroLogistic<'a> {
    /// Rows `a_i` with their labels 1 or -1.
    pub fn new(rows: Rows<'a>, labels: &'a [f64], rho: f64, reg: f64) -> Self {
        assert_eq!(rows.count(), labels.len(), "one label a row");
        let blocks = Blocks::new(rows.size(), rows.columns());
        Self { rows, labels, rho, reg, unit: 1.0, blocks }
    }

    /// Slopes c and losses ℓ of the rows picked at w.
    fn slopes_and_losses(&self, part: Pick<'_>, w: &[f64], slopes: &mut [f64], losses: &mut [f64]) {
        let labels: Vec<f64> = (0..part.len()).map(|k| self.labels[part.at(k)]).collect();
        self.rows.dots(part, w, slopes);
        losses.copy_from_slice(slopes);
        dispatch(OfMargins { f: Loss, labels: &labels, z: losses });
        dispatch(OfMargins { f: Slope, labels: &labels, z: slopes });
    }
}

impl Operator for DroLogistic<'_> {
    fn dim(&self) -> usize {
        self.rows.columns() + self.labels.len()
    }

    fn components(&self) -> usize {
        self.labels.len()
    }

    fn products(&self) -> f64 {
        2.0
    }

    fn full(&self, u: &[f64], out: &mut [f64], monitor: &mut Monitor<'_>) -> Result<(), Aborted> {
        let d = self.rows.columns();
        let (w, q) = u.split_at(d);
        let (sum, losses) = out.split_at_mut(d);
        sum.fill(0.0);
        let mut first = 0;
        let part = |range: std::ops::Range<usize>| {
            let pick = Pick::Run { first: range.start, len: range.len() };
            let (mut c, mut l, mut sum) = (vec![0.0; range.len()], vec![0.0; range.len()], vec![0.0; d]);
            self.slopes_and_losses(pick, w, &mut c, &mut l);
            c.iter_mut().zip(&q[range]).for_each(|(c, q)| *c *= self.unit * q);
            self.rows.accumulate(pick, &c, &mut sum);
            (l, sum)
        };
        monitor.fold_blocks(
            self.labels.len(),
            self.blocks.size(),
            64,
            part,
            |(l, part): (Vec<f64>, Vec<f64>)| {
                for (out, l) in losses[first..].iter_mut().zip(&l) {
                    *out = -self.unit * l;
                }
                first += l.len();
                sum.iter_mut().zip(&part).for_each(|(out, part)| *out += part);
                Ok::<(), Aborted>(())
            },
        )?;
        sum.iter_mut().zip(w).for_each(|(out, w)| *out += self.reg * w);
        Ok(())
    }

    fn batch(
        &self,
        u: &[f64],
        pick: Pick<'_>,
        out: &mut [f64],
        monitor: &mut Monitor<'_>,
    ) -> Result<(), Aborted> {
        let d = self.rows.columns();
        let (w, q) = u.split_at(d);
        out.fill(0.0);
        let weight = self.labels.len() as f64 / pick.len() as f64;
        let (mut c, mut l) = (vec![0.0; pick.len()], vec![0.0; pick.len()]);
        self.slopes_and_losses(pick, w, &mut c, &mut l);
        for k in 0..pick.len() {
            c[k] *= weight * (self.unit * q[pick.at(k)]);
            out[d + pick.at(k)] -= weight * self.unit * l[k];
        }
        self.rows.accumulate(pick, &c, &mut out[..d]);
        out[..d].iter_mut().zip(w).for_each(|(out, w)| *out += self.reg * w);
        monitor.poll()
    }

    fn diff(
        &self,
        u: &[f64],
        v: &[f64],
        pick: Pick<'_>,
        out: &mut [f64],
        monitor: &mut Monitor<'_>,
    ) -> Result<(), Aborted> {
        let d = self.rows.columns();
        out.fill(0.0);
        let weight = self.labels.len() as f64 / pick.len() as f64;
        let (mut c, mut l) = (vec![0.0; pick.len()], vec![0.0; pick.len()]);
        let (mut other_c, mut other_l) = (vec![0.0; pick.len()], vec![0.0; pick.len()]);
        self.slopes_and_losses(pick, &u[..d], &mut c, &mut l);
        self.slopes_and_losses(pick, &v[..d], &mut other_c, &mut other_l);
        for k in 0..pick.len() {
            let i = d + pick.at(k);
            c[k] = weight * self.unit * (u[i] * c[k] - v[i] * other_c[k]);
            out[i] -= weight * self.unit * (l[k] - other_l[k]);
        }
        self.rows.accumulate(pick, &c, &mut out[..d]);
        for (out, (u, v)) in out[..d].iter_mut().zip(u.iter().zip(v)) {
            *out += self.reg * (u - v);
        }
        monitor.poll()
    }

    /// Near the uniform weights the Jacobian's block in w is `|A|²/(4n) + reg`, here taken twice; the blocks that couple w
    /// and q are at most |A|, and skew: `L` is their sum. Far from them, where single rows have most of the weight, L is
    /// larger, and a run raises it where it gets there: the worst case over the whole set would slow all runs down by
    /// its factor. Those of component i are n times `q_i |a_i|²/4` and `|a_i|`.
    fn constants(&self, monitor: &mut Monitor<'_>) -> Result<Option<Constants>, Aborted> {
        let n = self.labels.len();
        let gram = gram_norm(&self.rows, monitor)?;
        let heaviest = (1.0 / n as f64 + self.rho).min(2.0 / n as f64).min(1.0);
        let norms: Vec<f64> = (0..n).map(|i| self.rows.norm2(i)).collect();
        let largest = norms.iter().fold(0.0f64, |m, &x| m.max(x));
        let full = 0.25 * (heaviest * gram).min(largest) + self.reg + self.unit * gram.sqrt();
        let square = |x: &f64| (n as f64 * (0.25 * heaviest * x + self.unit * x.sqrt()) + self.reg).powi(2);
        let average = (norms.iter().map(square).sum::<f64>() / n as f64).sqrt();
        Ok(Some(Constants { full, average: average.max(full) }))
    }

    /// Weights are of size 1/n, coefficients of size 1: with `q = q̂/√n` the blocks that couple them have norm `|A|/√n`,
    /// that of a row or so, in place of |A|.
    fn rescaled(&self) -> Option<(Box<dyn Operator + '_>, Vec<f64>)> {
        let (n, d) = (self.labels.len(), self.rows.columns());
        let unit = 1.0 / (n as f64).sqrt();
        let mut scale = vec![1.0; d];
        scale.resize(d + n, unit);
        let rows = self.rows.borrowed();
        Some((Box::new(DroLogistic { rows, labels: self.labels, unit, ..*self }), scale))
    }

    /// As in [`Logistic`](super::Logistic), with the weights: `z_i` errs by `δ_i`, `ℓ_i` by `min(δ_i, c_i (e^δ_i - 1)) + 6u ℓ_i`
    /// (its slope is c_i, at most 1), and `q_i c_i` as there, with one rounding more.
    fn allowance(&self, u: &[f64], out: &mut [f64], monitor: &mut Monitor<'_>) -> Result<bool, Aborted> {
        let (n, d) = (self.labels.len(), self.rows.columns());
        let (w, q) = u.split_at(d);
        let (dots, sums) = (gamma(self.rows.longest() + 2), self.blocks.gamma(n) + gamma(7));
        let (sum, losses) = out.split_at_mut(d);
        sum.fill(0.0);
        let mut first = 0;
        let part = |range: std::ops::Range<usize>| {
            let pick = Pick::Run { first: range.start, len: range.len() };
            let (mut c, mut l, mut size) =
                (vec![0.0; range.len()], vec![0.0; range.len()], vec![0.0; range.len()]);
            let mut sum = vec![0.0; d];
            self.slopes_and_losses(pick, w, &mut c, &mut l);
            self.rows.dots_of_magnitudes(pick, w, &mut size);
            for k in 0..range.len() {
                let (slope, delta) = (c[k].abs(), dots * size[k]);
                let steep = 1.01 * slope * delta.exp_m1();
                l[k] = 1.001 * (delta.min(steep) + gamma(6) * l[k]) + 1e-300;
                c[k] = (self.unit * q[range.start + k]).abs()
                    * (slope * sums + (0.25 * delta).min(steep) + 1e-300);
            }
            self.rows.accumulate_magnitudes(pick, &c, &mut sum);
            (l, sum)
        };
        monitor.fold_blocks(n, self.blocks.size(), 64, part, |(l, part): (Vec<f64>, Vec<f64>)| {
            losses[first..first + l.len()].copy_from_slice(&l);
            first += l.len();
            sum.iter_mut().zip(&part).for_each(|(out, part)| *out += part);
            Ok::<(), Aborted>(())
        })?;
        for (out, w) in sum.iter_mut().zip(w) {
            *out = 1.001 * (*out + gamma(3) * (self.reg * w).abs());
        }
        Ok(true)
    }

    /// `(Σ |q_i c_i| |a_i| + reg |w|, ℓ)`.
    fn terms(&self, u: &[f64], out: &mut [f64], monitor: &mut Monitor<'_>) -> Result<bool, Aborted> {
        let d = self.rows.columns();
        let (w, q) = u.split_at(d);
        let (sum, losses) = out.split_at_mut(d);
        sum.fill(0.0);
        let mut first = 0;
        let part = |range: std::ops::Range<usize>| {
            let pick = Pick::Run { first: range.start, len: range.len() };
            let (mut c, mut l, mut sum) = (vec![0.0; range.len()], vec![0.0; range.len()], vec![0.0; d]);
            self.slopes_and_losses(pick, w, &mut c, &mut l);
            c.iter_mut().zip(&q[range]).for_each(|(c, q)| *c = (*c * self.unit * q).abs());
            self.rows.accumulate_magnitudes(pick, &c, &mut sum);
            (l, sum)
        };
        self.blocks.fold(self.labels.len(), monitor, part, |(l, part): (Vec<f64>, Vec<f64>)| {
            losses[first..first + l.len()].iter_mut().zip(&l).for_each(|(out, l)| *out = self.unit * l);
            first += l.len();
            sum.iter_mut().zip(&part).for_each(|(out, part)| *out += part);
        })?;
        sum.iter_mut().zip(w).for_each(|(out, w)| *out += (self.reg * w).abs());
        Ok(true)
    }

    /// As in [`Logistic`](super::Logistic), with the weights: three roundings more in `q_i c_i`, and losses as in the plain
    /// allowance, of products in twice the precision.
    fn precise(
        &self,
        u: &[f64],
        out: &mut [f64],
        slack: &mut [f64],
        monitor: &mut Monitor<'_>,
    ) -> Result<bool, Aborted> {
        let (n, d) = (self.labels.len(), self.rows.columns());
        let (w, q) = u.split_at(d);
        let sums = gamma(9) + twice::error(self.blocks.chain(n, 1));
        let mut total = vec![Sum::new(); d];
        slack[..d].fill(0.0);
        let mut first = d;
        let part = |range: std::ops::Range<usize>| {
            let pick = Pick::Run { first: range.start, len: range.len() };
            let count = range.len();
            let (mut c, delta) = margins_twice(&self.rows, pick, w);
            let mut l = c.clone();
            let labels = &self.labels[range.clone()];
            dispatch(OfMargins { f: Loss, labels, z: &mut l });
            dispatch(OfMargins { f: Slope, labels, z: &mut c });
            let (mut partial, mut errors) = (vec![Sum::new(); d], vec![0.0; d]);
            let (mut size, mut of_losses) = (vec![0.0; count], vec![0.0; count]);
            for k in 0..count {
                let (slope, weight) = (c[k].abs(), self.unit * q[range.start + k]);
                let steep = steepest(slope, delta[k]);
                c[k] *= weight;
                size[k] = weight.abs() * (slope * sums + (0.25 * delta[k]).min(steep) + 1e-300);
                of_losses[k] = 1.001 * self.unit * (delta[k].min(steep) + gamma(7) * l[k]) + 1e-300;
                l[k] *= -self.unit;
            }
            self.rows.accumulate_twice(pick, &c, &mut partial);
            self.rows.accumulate_magnitudes(pick, &size, &mut errors);
            (l, of_losses, partial, errors)
        };
        type Part = (Vec<f64>, Vec<f64>, Vec<Sum>, Vec<f64>);
        self.blocks.fold(n, monitor, part, |(l, of_losses, partial, errors): Part| {
            out[first..first + l.len()].copy_from_slice(&l);
            slack[first..first + l.len()].copy_from_slice(&of_losses);
            first += l.len();
            total.iter_mut().zip(partial).for_each(|(total, partial)| total.merge(partial));
            slack[..d].iter_mut().zip(&errors).for_each(|(slack, error)| *slack += error);
        })?;
        for j in 0..d {
            let (sum, pull) = (total[j].value(), self.reg * w[j]);
            out[j] = sum + pull;
            slack[j] = 1.001 * (slack[j] + gamma(3) * (sum.abs() + pull.abs()));
        }
        Ok(true)
    }
}
