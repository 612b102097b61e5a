//! Passes over the rows, and the powers of residuals.

use crate::base::buffer::Buffer;
use crate::base::monitor::Monitor;
use crate::regression::quantile::design::{GROUP, padded, panel_rows};
use crate::regression::quantile::kernels::{Apply, Collect, Gram, Panel};
use crate::regression::quantile::{Frame, Problem, QuantileError};
use solvent_simd::{Kernel, Lanes, Simd, dispatch, exp, ln};
use std::ops::Range;

/// What a pass reads a block of rows with.
struct Reader<'a, 'p> {
    problem: &'a Problem<'p>,
    frame: &'a Frame,
    stride: usize,
    raw: Buffer,
    own: Buffer,
}

impl<'a, 'p> Reader<'a, 'p> {
    fn new(problem: &'a Problem<'p>, frame: &'a Frame) -> Self {
        let stride = panel_rows(problem.width());
        let (raw, own) = (Buffer::zeros(stride * problem.width()), Buffer::zeros(stride * frame.rank()));
        Self { problem, frame, stride, raw, own }
    }

    /// The rows from `start` on, in the frame.
    fn panel(&mut self, start: usize, count: usize) -> Panel<'_> {
        let m = padded(count);
        self.problem.design.fill(|i| start + i, count, self.stride, &mut self.raw);
        self.frame.transform(&self.raw, self.stride, m, &mut self.own);
        Panel { x: &self.own, stride: self.stride, m, d: self.frame.rank() }
    }
}

/// How far blocks reach.
fn block(problem: &Problem<'_>) -> usize {
    panel_rows(problem.width()) * GROUP
}

/// `w_i a_i x` for coefficients in the frame.
pub fn products(
    problem: &Problem<'_>,
    frame: &Frame,
    x: &[f64],
    monitor: &mut Monitor<'_>,
) -> Result<Vec<f64>, QuantileError> {
    let n = problem.rows();
    let mut all = Vec::with_capacity(n);
    let part = |rows: Range<usize>| {
        let mut reader = Reader::new(problem, frame);
        let stride = reader.stride;
        let mut out = vec![0.0; padded(rows.len())];
        for start in rows.clone().step_by(stride) {
            let count = (rows.end - start).min(stride);
            let panel = reader.panel(start, count);
            let at = start - rows.start;
            dispatch(Apply { panel, c: x, out: &mut out[at..at + panel.m] });
            (0..count).for_each(|i| out[at + i] *= problem.weight(start + i));
        }
        out.truncate(rows.len());
        out
    };
    monitor.fold_blocks(n, block(problem), 64, part, |own: Vec<f64>| -> Result<(), QuantileError> {
        all.extend_from_slice(&own);
        Ok(())
    })?;
    Ok(all)
}

/// `A^T diag(roots)^2 A` (column-major, lower half) and `A^T v` of the weighted rows in the frame.
pub fn normal(
    problem: &Problem<'_>,
    frame: &Frame,
    roots: &[f64],
    v: &[f64],
    monitor: &mut Monitor<'_>,
) -> Result<(Vec<f64>, Vec<f64>), QuantileError> {
    let (n, d) = (problem.rows(), frame.rank());
    let (mut gram, mut right) = (vec![0.0; d * d], vec![0.0; d]);
    let part = |rows: Range<usize>| {
        let mut reader = Reader::new(problem, frame);
        let stride = reader.stride;
        let (mut gram, mut right) = (vec![0.0; d * d], vec![0.0; d]);
        let mut scratch = Buffer::zeros(stride * d);
        let (mut root, mut side) = (vec![0.0; stride], vec![0.0; stride]);
        for start in rows.clone().step_by(stride) {
            let count = (rows.end - start).min(stride);
            for i in 0..count {
                let weight = problem.weight(start + i);
                (root[i], side[i]) = (weight * roots[start + i], weight * v[start + i]);
            }
            let panel = reader.panel(start, count);
            root[count..panel.m].fill(0.0);
            side[count..panel.m].fill(0.0);
            dispatch(Gram { panel, weights: Some(&root), scratch: &mut scratch, out: &mut gram });
            dispatch(Collect { panel, v: [&side], out: [&mut right[..]] });
        }
        (gram, right)
    };
    monitor.fold_blocks(n, block(problem), 64, part, |own| -> Result<(), QuantileError> {
        let (g, r): (Vec<f64>, Vec<f64>) = own;
        gram.iter_mut().zip(&g).for_each(|(t, p)| *t += p);
        right.iter_mut().zip(&r).for_each(|(t, p)| *t += p);
        Ok(())
    })?;
    Ok((gram, right))
}

/// `A^T v` of the weighted rows in the frame.
pub fn collect(
    problem: &Problem<'_>,
    frame: &Frame,
    v: &[f64],
    monitor: &mut Monitor<'_>,
) -> Result<Vec<f64>, QuantileError> {
    let d = frame.rank();
    let mut total = vec![0.0; d];
    let part = |rows: Range<usize>| {
        let mut reader = Reader::new(problem, frame);
        let stride = reader.stride;
        let (mut own, mut side) = (vec![0.0; d], vec![0.0; stride]);
        for start in rows.clone().step_by(stride) {
            let count = (rows.end - start).min(stride);
            (0..count).for_each(|i| side[i] = problem.weight(start + i) * v[start + i]);
            let panel = reader.panel(start, count);
            side[count..panel.m].fill(0.0);
            dispatch(Collect { panel, v: [&side], out: [&mut own[..]] });
        }
        own
    };
    monitor.fold_blocks(problem.rows(), block(problem), 64, part, |own| -> Result<(), QuantileError> {
        total.iter_mut().zip(&own).for_each(|(t, p): (&mut f64, &f64)| *t += p);
        Ok(())
    })?;
    Ok(total)
}

/// `sum |(r_i - t q_i)/unit|^p`, to the accuracy of exp and ln.
pub fn power_sum(r: &[f64], q: &[f64], t: f64, unit: f64, p: f64) -> f64 {
    r.chunks(8192).zip(q.chunks(8192)).map(|(r, q)| dispatch(PowerSum { r, q, t, unit, p })).sum()
}

struct PowerSum<'a> {
    r: &'a [f64],
    q: &'a [f64],
    t: f64,
    unit: f64,
    p: f64,
}

impl Kernel for PowerSum<'_> {
    type Output = f64;
    #[inline(always)]
    fn run<S: Simd>(self) -> f64 {
        let l = <S::F64 as Lanes>::LANES;
        let (t, inverse, p) = (S::F64::splat(-self.t), S::F64::splat(1.0 / self.unit), S::F64::splat(self.p));
        let mut sum = S::F64::splat(0.0);
        let mut i = 0;
        while i < self.r.len() {
            let (mut r, mut q) = ([0.0; 8], [0.0; 8]);
            let count = l.min(self.r.len() - i);
            r[..count].copy_from_slice(&self.r[i..i + count]);
            q[..count].copy_from_slice(&self.q[i..i + count]);
            let size = (S::F64::load(&q).mul_add(t, S::F64::load(&r)) * inverse).abs();
            sum = sum + exp(ln(size) * p);
            i += l;
        }
        sum.reduce_sum()
    }
}

/// `out_i = max(|r_i|/unit, floor)^power`.
pub fn powers(r: &[f64], unit: f64, floor: f64, power: f64, out: &mut [f64]) {
    dispatch(Powers { r, unit, floor, power, out });
}

struct Powers<'a> {
    r: &'a [f64],
    unit: f64,
    floor: f64,
    power: f64,
    out: &'a mut [f64],
}

impl Kernel for Powers<'_> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self) {
        let l = <S::F64 as Lanes>::LANES;
        let (inverse, power) = (S::F64::splat(1.0 / self.unit), S::F64::splat(self.power));
        let floor = S::F64::splat(self.floor);
        let mut i = 0;
        while i < self.r.len() {
            let mut r = [0.0; 8];
            let count = l.min(self.r.len() - i);
            r[..count].copy_from_slice(&self.r[i..i + count]);
            let size = (S::F64::load(&r) * inverse).abs().max(floor);
            exp(ln(size) * power).store(&mut r);
            self.out[i..i + count].copy_from_slice(&r[..count]);
            i += l;
        }
    }
}
