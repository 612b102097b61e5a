//! The interior point: Mehrotra's predictor-corrector for the program with boxes (Portnoy & Koenker, Statist. Sci. 12
//! (1997) 279, section 3.2).
//!
//! `max y^T a, X^T a = 0, lo <= a <= hi` and its dual `min sum rho(y - X x)`. With `p = a - lo`, `s = hi - a` and
//! `y - X x = z - w` the conditions are `z s = 0`, `w p = 0`; Newton's step for them is
//! `X^T W X dx = X^T (W t + a)`, `W = 1/(w/p + z/s)`, t the residual less what second order and centring ask for:
//! one Gram matrix and two products with X a step, three passes in all, since the corrector's right side is affine in mu
//! and is collected while the predictor's step is made.

use super::QuantileError;
use super::design::{GROUP, padded, panel_rows};
use super::exact::Gradient;
use super::kernels::{Apply, Assemble, Correct, Panel, Predict, Ratios, Rows};
use crate::base::buffer::Buffer;
use crate::base::dense::{Cholesky, Matrix};
use crate::base::monitor::Monitor;
use crate::base::sum::Dd;
use crate::base::view::MatrixView;
use solvent_simd::dispatch;

/// How far a step goes to the boundary.
const STEP: f64 = 0.99995;
/// How far a cold start's multipliers are from 0, in mean absolute residuals.
const COLD: f64 = 0.1;

/// Rows of the program that one thread works on, with their state.
#[derive(Debug)]
pub struct Slab {
    /// Rows, whole tiles; those past the caller's are null.
    pub rows: usize,
    /// Panels of columns.
    pub x: Buffer,
    /// Right sides.
    pub y: Buffer,
    /// Lower ends of the boxes.
    pub lo: Buffer,
    /// Upper ends.
    pub hi: Buffer,
    /// `a - lo`.
    pub p: Buffer,
    /// `hi - a`.
    pub s: Buffer,
    /// Positive part of the residual, and a little.
    pub z: Buffer,
    /// Negative part, and a little.
    pub w: Buffer,
    /// Newton's weights.
    pub weight: Buffer,
    da: Buffer,
    dz: Buffer,
    dw: Buffer,
}

/// Newton's system, part by part.
struct Normal {
    gram: Vec<f64>,
    right: Vec<f64>,
}

impl Slab {
    fn new(rows: usize, width: usize, stride: usize) -> Self {
        let rows = padded(rows);
        let zeros = || Buffer::zeros(rows);
        let (mut lo, mut hi) = (zeros(), zeros());
        // The box of a null row: any will do.
        lo.fill(-0.5);
        hi.fill(0.5);
        Self {
            rows,
            x: Buffer::zeros(rows.div_ceil(stride) * stride * width),
            y: zeros(),
            lo,
            hi,
            p: zeros(),
            s: zeros(),
            z: zeros(),
            w: zeros(),
            weight: zeros(),
            da: zeros(),
            dz: zeros(),
            dw: zeros(),
        }
    }
}

/// Cuts the borrowed fields of a slab into the rows of one panel.
macro_rules! rows_of {
    ($slab:ident, $range:expr) => {
        Rows {
            p: &mut $slab.p[$range],
            s: &mut $slab.s[$range],
            z: &mut $slab.z[$range],
            w: &mut $slab.w[$range],
            lo: &$slab.lo[$range],
            weight: &mut $slab.weight[$range],
            da: &mut $slab.da[$range],
            dz: &mut $slab.dz[$range],
            dw: &mut $slab.dw[$range],
        }
    };
}

/// A program and where its interior point stands.
#[derive(Debug)]
pub struct Interior {
    /// Columns.
    pub width: usize,
    /// Rows of a panel.
    pub stride: usize,
    /// Rows that are not null.
    pub count: usize,
    /// The rows.
    pub slabs: Vec<Slab>,
    /// The coefficients.
    pub x: Vec<f64>,
    /// `sum z s + w p`.
    pub gap: f64,
    /// `sum rho(z - w)`.
    pub objective: f64,
    /// `sum |y|`.
    pub size: f64,
    /// Why it cannot go on.
    pub stuck: bool,
}

impl Interior {
    /// A program of `count` rows, all of them null so far.
    pub fn new(count: usize, width: usize) -> Self {
        let stride = panel_rows(width);
        let slab = stride * GROUP;
        let slabs = (0..count.div_ceil(slab))
            .map(|k| Slab::new((count - k * slab).min(slab), width, stride))
            .collect();
        Self {
            width,
            stride,
            count,
            slabs,
            x: vec![0.0; width],
            gap: 0.0,
            objective: 0.0,
            size: 0.0,
            stuck: false,
        }
    }

    /// Rows of a slab, the last one's excepted.
    pub fn slab_rows(&self) -> usize {
        self.stride * GROUP
    }

    /// Where row `i` stands: its slab, and its place there.
    pub fn place(&self, i: usize) -> (usize, usize) {
        (i / self.slab_rows(), i % self.slab_rows())
    }

    /// Sets a row.
    pub fn set(&mut self, i: usize, row: impl Fn(usize) -> f64, y: f64, (lo, hi): (f64, f64)) {
        let (slab, at) = self.place(i);
        let (stride, width) = (self.stride, self.width);
        let slab = &mut self.slabs[slab];
        for j in 0..width {
            slab.x[at / stride * stride * width + j * stride + at % stride] = row(j);
        }
        (slab.y[at], slab.lo[at], slab.hi[at]) = (y, lo, hi);
    }

    /// The entry of row `i` in column `j`.
    pub fn entry(&self, i: usize, j: usize) -> f64 {
        let (slab, at) = self.place(i);
        let stride = self.stride;
        self.slabs[slab].x[at / stride * stride * self.width + j * stride + at % stride]
    }

    /// Row `i`.
    pub fn row(&self, i: usize) -> Vec<f64> {
        (0..self.width).map(|j| self.entry(i, j)).collect()
    }

    /// `y - X x`.
    pub fn residuals(&self, x: &[f64], monitor: &mut Monitor<'_>) -> Result<Vec<f64>, QuantileError> {
        let mut products = self.apply(x, monitor)?;
        let sides = self.slabs.iter().flat_map(|slab| slab.y.iter());
        products.iter_mut().zip(sides).for_each(|(r, y)| *r = y - *r);
        Ok(products)
    }

    /// `X x`.
    pub fn apply(&self, x: &[f64], monitor: &mut Monitor<'_>) -> Result<Vec<f64>, QuantileError> {
        let (stride, width) = (self.stride, self.width);
        let parts = monitor.map_items(self.slabs.iter(), |slab: &Slab| {
            let mut out = vec![0.0; slab.rows];
            for start in (0..slab.rows).step_by(stride) {
                let m = (slab.rows - start).min(stride);
                let panel = Panel { x: &slab.x[start * width..], stride, m, d: width };
                dispatch(Apply { panel, c: x, out: &mut out[start..start + m] });
            }
            out
        })?;
        Ok(parts.concat())
    }

    /// `|y| + |X| c`.
    pub fn sizes(&self, c: &[f64], monitor: &mut Monitor<'_>) -> Result<Vec<f64>, QuantileError> {
        let (stride, width) = (self.stride, self.width);
        let parts = monitor.map_items(self.slabs.iter(), |slab: &Slab| {
            let mut out: Vec<f64> = slab.y.iter().map(|y| y.abs()).collect();
            for start in (0..slab.rows).step_by(stride) {
                let m = (slab.rows - start).min(stride);
                for (j, c) in c.iter().enumerate() {
                    let column = &slab.x[start * width + j * stride..][..m];
                    out[start..start + m].iter_mut().zip(column).for_each(|(o, x)| *o += x.abs() * c);
                }
            }
            out
        })?;
        Ok(parts.concat())
    }

    /// `X^T v` in double-double, v one for each row that is not null.
    pub fn collect(&self, v: &[f64], monitor: &mut Monitor<'_>) -> Result<Vec<Dd>, QuantileError> {
        let (stride, width, per) = (self.stride, self.width, self.slab_rows());
        let parts = monitor.map_items(self.slabs.iter().enumerate(), |(k, slab)| {
            let mut total = vec![Dd::ZERO; width];
            let (mut own, rest) = (vec![0.0; stride], vec![0.0; stride]);
            for start in (0..slab.rows).step_by(stride) {
                let m = (slab.rows - start).min(stride);
                let first = (k * per + start).min(v.len());
                let last = (first + m).min(v.len());
                own[..last - first].copy_from_slice(&v[first..last]);
                own[last - first..].fill(0.0);
                let panel = Panel { x: &slab.x[start * width..], stride, m, d: width };
                dispatch(Gradient { panel, dual: &own, rest: &rest, gradient: &mut total });
            }
            total
        })?;
        Ok(parts.into_iter().fold(vec![Dd::ZERO; width], |mut total, part| {
            total.iter_mut().zip(part).for_each(|(t, p)| *t = *t + p);
            total
        }))
    }

    /// Starts at `x`, or by least squares where none is given.
    ///
    /// Near a fit the start lies on the central path of its residuals, z s = w p = mu, mu being `near` in mean absolute
    /// residuals. Least squares may have any share of
    /// residuals below zero, so that such a dual would be far from X^T a = 0: there it is a = 0, which is feasible.
    pub fn start(
        &mut self,
        fit: Option<(&[f64], f64)>,
        monitor: &mut Monitor<'_>,
    ) -> Result<(), QuantileError> {
        self.x = match fit {
            Some((x, _)) => x.to_vec(),
            None => self.least_squares(monitor)?,
        };
        let residuals = self.residuals(&self.x, monitor)?;
        let total: f64 = residuals.iter().map(|r| r.abs()).sum();
        self.size = self.slabs.iter().map(|slab| slab.y.iter().map(|y| y.abs()).sum::<f64>()).sum();
        // Not 0 where everything is interpolated already.
        let mean = (total / self.count.max(1) as f64).max(f64::MIN_POSITIVE.sqrt());
        let per = self.slab_rows();
        for (slab, residuals) in self.slabs.iter_mut().zip(residuals.chunks(per)) {
            for i in 0..slab.rows {
                let (lo, hi, r) = (slab.lo[i], slab.hi[i], residuals[i]);
                let Some((_, near)) = fit else {
                    (slab.p[i], slab.s[i]) = (-lo, hi);
                    (slab.z[i], slab.w[i]) = (r.max(0.0) + COLD * mean, (-r).max(0.0) + COLD * mean);
                    continue;
                };
                // mu/s - mu/p = r with p + s = h.
                let (h, mu) = (hi - lo, near * mean);
                let q = (r / mu * h).abs();
                let near = 2.0 * h / (q + 2.0 + q.mul_add(q, 4.0).sqrt());
                let (large, small) = (mu / near, mu / (h - near));
                (slab.p[i], slab.s[i]) = if r > 0.0 { (h - near, near) } else { (near, h - near) };
                (slab.z[i], slab.w[i]) = if r > 0.0 { (large, small) } else { (small, large) };
            }
        }
        self.measure(0.0, 0.0, monitor)
    }

    /// The weighted least squares fit: Newton's step where every weight is the same multiple of the box.
    fn least_squares(&mut self, monitor: &mut Monitor<'_>) -> Result<Vec<f64>, QuantileError> {
        let largest = |slab: &Slab| slab.y.iter().fold(0.0f64, |m, y| m.max(y.abs()));
        let twice = 2.0 * self.slabs.iter().map(largest).fold(0.0, f64::max);
        if twice == 0.0 {
            return Ok(vec![0.0; self.width]);
        }
        for slab in &mut self.slabs {
            for i in 0..slab.rows {
                // a = 0, z - w = y, z + w the same everywhere.
                (slab.p[i], slab.s[i]) = (-slab.lo[i], -slab.lo[i]);
                (slab.z[i], slab.w[i]) = ((twice + slab.y[i]) / 2.0, (twice - slab.y[i]) / 2.0);
            }
        }
        let Normal { gram, right } = self.assemble(monitor)?;
        Ok(System::new(gram, self.width).map_or_else(|| vec![0.0; self.width], |system| system.solve(&right)))
    }

    /// Moves along the step held, and takes the gap and the objective.
    fn measure(&mut self, dual: f64, primal: f64, monitor: &mut Monitor<'_>) -> Result<(), QuantileError> {
        let parts = monitor.map_items(self.slabs.iter_mut(), |slab: &mut Slab| {
            let (mut gap, mut objective) = (0.0, 0.0);
            for i in 0..slab.rows {
                slab.p[i] += dual * slab.da[i];
                slab.s[i] -= dual * slab.da[i];
                slab.z[i] += primal * slab.dz[i];
                slab.w[i] += primal * slab.dw[i];
                let r = slab.z[i] - slab.w[i];
                gap += slab.z[i] * slab.s[i] + slab.w[i] * slab.p[i];
                objective += (slab.hi[i] * r).max(slab.lo[i] * r);
            }
            (gap, objective)
        })?;
        (self.gap, self.objective) = parts.iter().fold((0.0, 0.0), |(g, o), part| (g + part.0, o + part.1));
        Ok(())
    }

    fn assemble(&mut self, monitor: &mut Monitor<'_>) -> Result<Normal, QuantileError> {
        let (stride, width) = (self.stride, self.width);
        let parts = monitor.map_items(self.slabs.iter_mut(), |slab: &mut Slab| {
            let mut normal = Normal { gram: vec![0.0; width * width], right: vec![0.0; width] };
            let mut scratch = Buffer::zeros(stride * (width + 2));
            for start in (0..slab.rows).step_by(stride) {
                let m = (slab.rows - start).min(stride);
                let panel = Panel { x: &slab.x[start * width..], stride, m, d: width };
                let rows = rows_of!(slab, start..start + m);
                let (gram, right) = (&mut normal.gram, &mut normal.right);
                dispatch(Assemble { panel, rows, scratch: &mut scratch, gram, right });
            }
            normal
        })?;
        let zero = Normal { gram: vec![0.0; width * width], right: vec![0.0; width] };
        Ok(parts.into_iter().fold(zero, |mut total, part| {
            add(&mut total.gram, &part.gram);
            add(&mut total.right, &part.right);
            total
        }))
    }

    fn predict(
        &mut self,
        dx: &[f64],
        monitor: &mut Monitor<'_>,
    ) -> Result<(Ratios, Vec<f64>, Vec<f64>), QuantileError> {
        let (stride, width) = (self.stride, self.width);
        let parts = monitor.map_items(self.slabs.iter_mut(), |slab: &mut Slab| {
            let mut found = (Ratios::default(), vec![0.0; width], vec![0.0; width]);
            let mut scratch = Buffer::zeros(2 * stride);
            for start in (0..slab.rows).step_by(stride) {
                let m = (slab.rows - start).min(stride);
                let panel = Panel { x: &slab.x[start * width..], stride, m, d: width };
                let rows = rows_of!(slab, start..start + m);
                let (cross, centre) = (&mut found.1[..], &mut found.2[..]);
                let own = dispatch(Predict { panel, rows, dx, scratch: &mut scratch, cross, centre });
                found.0 = found.0.join(own);
            }
            found
        })?;
        let zero = (Ratios::default(), vec![0.0; width], vec![0.0; width]);
        Ok(parts.into_iter().fold(zero, |mut total, part| {
            add(&mut total.1, &part.1);
            add(&mut total.2, &part.2);
            (total.0.join(part.0), total.1, total.2)
        }))
    }

    fn correct(&mut self, dx: &[f64], mu: f64, monitor: &mut Monitor<'_>) -> Result<Ratios, QuantileError> {
        let (stride, width) = (self.stride, self.width);
        let parts = monitor.map_items(self.slabs.iter_mut(), |slab: &mut Slab| {
            let mut found = Ratios::default();
            let mut scratch = Buffer::zeros(stride);
            for start in (0..slab.rows).step_by(stride) {
                let m = (slab.rows - start).min(stride);
                let panel = Panel { x: &slab.x[start * width..], stride, m, d: width };
                let rows = rows_of!(slab, start..start + m);
                found = found.join(dispatch(Correct { panel, rows, dx, mu, scratch: &mut scratch }));
            }
            found
        })?;
        Ok(parts.into_iter().fold(Ratios::default(), Ratios::join))
    }

    /// One step; sets `stuck` where the system can no longer be solved or the step has no length.
    pub fn step(&mut self, monitor: &mut Monitor<'_>) -> Result<(), QuantileError> {
        let Normal { gram, right } = self.assemble(monitor)?;
        let Some(system) = System::new(gram, self.width) else {
            self.stuck = true;
            return Ok(());
        };
        let dx = system.solve(&right);
        let (ratios, cross, centre) = self.predict(&dx, monitor)?;
        let (dual, primal) = (length(ratios.dual), length(ratios.primal));
        // sum (z + primal dz)(s - dual da) + (w + primal dw)(p + dual da), multiplied out.
        let affine = self.gap + primal * (ratios.linear - self.gap) - dual * ratios.linear
            + primal * dual * ratios.square;
        let pairs = 2 * self.slabs.iter().map(|slab| slab.rows).sum::<usize>();
        let mu = self.gap / pairs as f64 * (affine / self.gap).clamp(0.0, 1.0).powi(3);
        let corrected: Vec<f64> =
            right.iter().zip(cross.iter().zip(&centre)).map(|(r, (c, e))| r + c + mu * e).collect();
        let dx = system.solve(&corrected);
        let ratios = self.correct(&dx, mu, monitor)?;
        let (dual, primal) = (length(ratios.dual), length(ratios.primal));
        if !(dual.is_finite() && primal.is_finite() && dx.iter().all(|v| v.is_finite())) {
            self.stuck = true;
            return Ok(());
        }
        let before = self.gap;
        self.x.iter_mut().zip(&dx).for_each(|(x, dx)| *x += primal * dx);
        self.measure(dual, primal, monitor)?;
        self.stuck =
            self.gap.is_nan() || self.gap <= 0.0 || dual.max(primal) < 1e-8 || self.gap > 1e3 * before;
        Ok(())
    }
}

fn add(total: &mut [f64], part: &[f64]) {
    total.iter_mut().zip(part).for_each(|(t, p)| *t += p);
}

/// How far to go, given the largest relative decrease.
fn length(ratio: f64) -> f64 {
    if ratio.is_nan() { ratio } else { (STEP / ratio.max(STEP)).min(1.0) }
}

/// The factor of a positive definite matrix, equilibrated by powers of two.
pub struct System {
    factor: Cholesky<f64>,
    scale: Vec<f64>,
}

impl System {
    /// `None` where it is not finite, or not definite even after a lift of its diagonal by some roundings.
    pub fn new(mut gram: Vec<f64>, d: usize) -> Option<Self> {
        let scale: Vec<f64> = (0..d).map(|j| even_power(gram[j * d + j])).collect();
        for j in 0..d {
            for k in j..d {
                gram[j * d + k] *= scale[j] * scale[k];
            }
        }
        for lift in [0.0, 1e-14, 1e-11, 1e-8] {
            for j in 0..d {
                gram[j * d + j] += lift;
            }
            let view = MatrixView::column_major(&gram, d, d).expect("d by d");
            if let Ok(factor) = Cholesky::new(view) {
                return Some(Self { factor, scale });
            }
        }
        None
    }

    /// Solves for one right side.
    pub fn solve(&self, right: &[f64]) -> Vec<f64> {
        let scaled: Vec<f64> = right.iter().zip(&self.scale).map(|(b, s)| b * s).collect();
        let mut x = Matrix::from_column_major(scaled, right.len(), 1);
        self.factor.solve(&mut x);
        x.as_slice().iter().zip(&self.scale).map(|(x, s)| x * s).collect()
    }
}

/// A power of two near `1/sqrt(square)`; 1 where that is not to be had.
pub fn even_power(square: f64) -> f64 {
    if !(square > 0.0 && square.is_finite()) {
        return 1.0;
    }
    let exponent = (square.log2() / 2.0).round() as i32;
    2f64.powi(-exponent)
}
