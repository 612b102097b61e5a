//! Warm-started conjugate gradients on `(P^T W P + ridge I + B) u = P^T W y`, P the gathered rows of the other factor.
//!
//! They are scaled by the diagonal that the system has on average: the sum of the weights times the design's mean squares,
//! plus the ridge and the diagonal of B. Where the columns of the design are nearly orthogonal that is what a row of many
//! entries has.
//!
//! A step is one pass over P that makes `s = P x` and `P^T W s` together: the rows are read once for both. P stays
//! unweighted, so that weights cost one multiplication an entry, and what the row leaves unexplained is known at the end
//! without another look at P: `y - P u` follows u step by step.

use std::ops::Range;

use solvent_simd::{Lanes, prefetch};

use super::gather::{AHEAD, ask, axpy, copy, dot, scaled};
use super::pass::{Kind, apply};
use super::row::Half;
use crate::completion::entry::{Entry, LineKernel};

/// Rows gathered at a time: they are still in the first-level cache when they are used.
const TILE: usize = 32;
/// Scratch of the solver.
pub struct Descent<T> {
    /// Residual of the normal equations.
    r: Vec<T>,
    /// Search direction.
    p: Vec<T>,
    /// Its image.
    q: Vec<T>,
    /// What the row leaves unexplained, entry by entry.
    left: Vec<T>,
    /// Weights.
    w: Vec<T>,
    /// `P p`.
    along: Vec<T>,
    /// One over the diagonal that the directions are scaled by.
    inverse: Vec<T>,
}

impl<T: Entry> Descent<T> {
    /// For lines of this length and rows of up to `most` entries.
    pub fn new(stride: usize, most: usize) -> Self {
        let zero = |n: usize| vec![T::ZERO; n];
        Self {
            r: zero(stride),
            p: zero(stride),
            q: zero(stride),
            left: zero(most),
            w: zero(most),
            along: zero(most),
            inverse: zero(stride),
        }
    }
}

/// What a row's solve found.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Descended {
    /// Steps taken.
    pub steps: u64,
    /// `sum w l(r)` at the end, where it was asked for,
    pub loss: f64,
    /// and `sum r²`.
    pub squares: f64,
}

/// The solve of one row.
pub struct Descend<'a, 'h, T> {
    /// Whose row it is.
    pub half: &'a Half<'h, T>,
    /// Its entries.
    pub range: Range<usize>,
    /// Room for gathered rows: the whole row stays where it fits, else tiles are gathered anew for each pass.
    pub panel: &'a mut [T],
    /// Scratch.
    pub descent: &'a mut Descent<T>,
    /// The row's ridge.
    pub ridge: T,
    /// Steps at most.
    pub steps: usize,
    /// Part of the first residual that is small enough.
    pub eta: f64,
    /// The present solution; overwritten.
    pub u: &'a mut [T],
}

impl<T: Entry> LineKernel<T> for Descend<'_, '_, T> {
    type Output = Descended;
    #[inline(always)]
    fn run<V: Lanes<Scalar = T>>(self) -> Descended {
        let Self { half, range, panel, descent, ridge, steps, eta, u } = self;
        let Descent { r, p, q, left, w, along, inverse } = descent;
        let (n, line) = (range.len(), half.line());
        let whole = n * line <= panel.len();
        // The constant column, where it is kept out of the panel: its coefficient is the line after the others.
        let constant = if line < half.design.stride() { half.constant.unwrap_or(T::ZERO) } else { T::ZERO };
        let bias = if line < half.design.stride() { line } else { 0 };
        let (left, along) = (&mut left[..n], &mut along[..n]);
        let weighted = half.weights.is_some() || half.delta.is_some();
        let w = &mut w[..if weighted { n } else { 0 }];
        match half.weights {
            Some(weights) => w.copy_from_slice(&weights[range.clone()]),
            None => w.fill(T::ONE),
        }
        invert(half, n, w, ridge, inverse);
        let (mut rz, mut enough, mut taken) = (T::ZERO, T::ZERO, 0);
        loop {
            let first = taken == 0 && rz == T::ZERO;
            let (x, to): (&[T], &mut [T]) = if first { (&*u, &mut *r) } else { (&*p, &mut *q) };
            let (s, sign) = if first { (&mut *left, -T::ONE) } else { (&mut *along, T::ONE) };
            scaled::<V, T>(sign * ridge, x, to);
            if let Some(base) = half.base {
                add_base::<V, T>(base, half.design.width(), sign, x, to);
            }
            let shift = constant * x[bias];
            let mut total = T::ZERO;
            let mut at = 0;
            while at < n {
                let count = if whole && !first { n } else { TILE.min(n - at) };
                let place = if whole { at * line } else { 0 };
                let rows = &mut panel[place..place + count * line];
                if first || !whole {
                    let part = range.start + at..range.start + at + count;
                    fetch::<V, T>(half, part, line, rows, first.then_some(&mut s[at..at + count]));
                }
                let s = &mut s[at..at + count];
                let w = if weighted { Some(&mut w[at..at + count]) } else { None };
                let kind = Kind { first, delta: if first { half.delta } else { None }, shift };
                total += apply::<V, T>(rows, line, kind, s, w, x, to);
                at += count;
            }
            if bias > 0 {
                to[bias] += constant * total;
            }
            if first {
                rz = turn::<V, T>(inverse, r, T::ZERO, p);
                enough = T::from_f64(eta * eta) * rz;
            } else {
                let pq = dot::<V, T>(p, q);
                let alpha = rz / pq;
                if pq <= T::ZERO || !alpha.to_f64().is_finite() {
                    break;
                }
                axpy::<V, T>(alpha, p, u);
                axpy::<V, T>(-alpha, q, r);
                if half.measure {
                    for t in 0..n {
                        left[t] -= alpha * along[t];
                    }
                }
                let next = square::<V, T>(inverse, r);
                turn::<V, T>(inverse, r, next / rz, p);
                rz = next;
                taken += 1;
            }
            let open = rz > enough && rz > T::ZERO;
            if !open || taken == steps as u64 {
                break;
            }
        }
        let (loss, squares) = if half.measure { losses(half, range, left) } else { (0.0, 0.0) };
        Descended { steps: taken, loss, squares }
    }
}

/// One over the diagonal that a row's system has on average; ones where the design's mean squares are not known.
#[inline(always)]
fn invert<T: Entry>(half: &Half<'_, T>, n: usize, w: &[T], ridge: T, inverse: &mut [T]) {
    let Some(moment) = half.moment else { return inverse.fill(T::ONE) };
    let mut total = T::from_f64(n as f64);
    if !w.is_empty() {
        let (mut sums, whole) = ([T::ZERO; 16], w.len() / 16 * 16);
        let mut at = 0;
        while at < whole {
            let part = &w[at..at + 16];
            for c in 0..16 {
                sums[c] += part[c];
            }
            at += 16;
        }
        for t in whole..w.len() {
            sums[t - whole] += w[t];
        }
        total = sums.into_iter().sum();
    }
    let (moment, stride) = (&moment[..inverse.len()], inverse.len());
    let mut largest = T::ZERO;
    for l in 0..stride {
        inverse[l] = total * moment[l] + ridge + half.base.map_or(T::ZERO, |base| base[l * stride + l]);
        largest = if inverse[l] > largest { inverse[l] } else { largest };
    }
    // Where there is next to nothing, the inverse stays finite.
    let least = T::from_f64(T::UNIT) * largest;
    for l in 0..stride {
        inverse[l] = if inverse[l] > least { T::ONE / inverse[l] } else { T::ONE / (largest + T::ONE) };
    }
}

/// `sum d r²`.
#[inline(always)]
fn square<V: Lanes<Scalar = T>, T: Entry>(d: &[T], r: &[T]) -> T {
    let d = &d[..r.len()];
    let mut sum = V::splat(T::ZERO);
    let mut c = 0;
    while c + V::LANES <= r.len() {
        let x = V::load(&r[c..]);
        sum = (V::load(&d[c..]) * x).mul_add(x, sum);
        c += V::LANES;
    }
    sum.reduce_sum()
}

/// `p = d r + beta p` and `sum r p`.
#[inline(always)]
fn turn<V: Lanes<Scalar = T>, T: Entry>(d: &[T], r: &[T], beta: T, p: &mut [T]) -> T {
    let (d, p) = (&d[..r.len()], &mut p[..r.len()]);
    let first = beta == T::ZERO;
    let beta = V::splat(beta);
    let mut sum = V::splat(T::ZERO);
    let mut c = 0;
    while c + V::LANES <= r.len() {
        let x = V::load(&r[c..]);
        let z = V::load(&d[c..]) * x;
        let z = if first { z } else { beta.mul_add(V::load(&p[c..]), z) };
        z.store(&mut p[c..]);
        sum = x.mul_add(z, sum);
        c += V::LANES;
    }
    sum.reduce_sum()
}

/// `sum w l(r)` and `sum r²`, in eight sums each.
#[inline(always)]
fn losses<T: Entry>(half: &Half<'_, T>, range: Range<usize>, left: &[T]) -> (f64, f64) {
    let (mut loss, mut squares) = ([0.0; 8], [0.0; 8]);
    let whole = left.len() / 8 * 8;
    match (half.weights, half.delta) {
        (weights, None) => {
            let w = weights.map_or(&[][..], |w| &w[range]);
            let mut at = 0;
            while at < whole {
                let part = &left[at..at + 8];
                for c in 0..8 {
                    squares[c] += part[c].to_f64() * part[c].to_f64();
                }
                if !w.is_empty() {
                    let w = &w[at..at + 8];
                    for c in 0..8 {
                        loss[c] += w[c].to_f64() * (part[c].to_f64() * part[c].to_f64());
                    }
                }
                at += 8;
            }
            for t in whole..left.len() {
                let r2 = left[t].to_f64() * left[t].to_f64();
                squares[t - whole] += r2;
                loss[t - whole] += if w.is_empty() { 0.0 } else { w[t].to_f64() * r2 };
            }
            if weights.is_none() {
                loss = squares;
            }
        }
        (weights, Some(delta)) => {
            let delta = delta.to_f64();
            for t in 0..left.len() {
                let r = left[t].to_f64();
                squares[t % 8] += r * r;
                let l = if r.abs() > delta { 2.0 * delta * r.abs() - delta * delta } else { r * r };
                loss[t % 8] += weights.map_or(l, |w| w[range.start + t].to_f64() * l);
            }
        }
    }
    (loss.iter().sum(), squares.iter().sum())
}

/// Copies the rows of the other factor that the entries of `part` meet, and makes their targets.
#[inline(always)]
fn fetch<V: Lanes<Scalar = T>, T: Entry>(
    half: &Half<'_, T>,
    part: Range<usize>,
    line: usize,
    rows: &mut [T],
    targets: Option<&mut [T]>,
) {
    match line / V::LANES {
        1 => bring::<V, T, 1>(half, part.clone(), rows),
        2 => bring::<V, T, 2>(half, part.clone(), rows),
        4 => bring::<V, T, 4>(half, part.clone(), rows),
        8 => bring::<V, T, 8>(half, part.clone(), rows),
        _ => bring_any::<V, T>(half, part.clone(), line, rows),
    }
    if let Some(targets) = targets {
        let (targets, data) = (&mut targets[..part.len()], &half.entries.data()[part.clone()]);
        for t in 0..targets.len() {
            targets[t] = (data[t] - half.mean) * half.unit;
        }
        if let Some(offset) = half.offset {
            let columns = &half.entries.indices()[part];
            for t in 0..targets.len() {
                targets[t] -= offset[columns[t] as usize];
            }
        }
    }
}

/// Lines of `N` registers.
#[inline(always)]
fn bring<V: Lanes<Scalar = T>, T: Entry, const N: usize>(
    half: &Half<'_, T>,
    part: Range<usize>,
    rows: &mut [T],
) {
    let (stride, all, columns) = (half.design.stride(), half.design.as_slice(), half.entries.indices());
    let line = N * V::LANES;
    let (near, soon) = (&columns[part.start..part.end], &columns[part.start..]);
    let rows = &mut rows[..near.len() * line];
    for t in 0..near.len() {
        if t + AHEAD < soon.len() {
            let next = soon[t + AHEAD] as usize * stride;
            let mut l = 0;
            while l < line {
                prefetch(all, next + l);
                l += T::LINE;
            }
        }
        let from = near[t] as usize * stride;
        let (from, to) = (&all[from..from + line], &mut rows[t * line..t * line + line]);
        // All loads before all stores: one by one they would be a call to copy memory, for each entry.
        let mut held = [V::splat(T::ZERO); N];
        for c in 0..N {
            held[c] = V::load(&from[c * V::LANES..]);
        }
        for c in 0..N {
            held[c].store(&mut to[c * V::LANES..]);
        }
    }
}

/// Lines of any length.
#[inline(always)]
fn bring_any<V: Lanes<Scalar = T>, T: Entry>(
    half: &Half<'_, T>,
    part: Range<usize>,
    line: usize,
    rows: &mut [T],
) {
    let (stride, all, columns) = (half.design.stride(), half.design.as_slice(), half.entries.indices());
    for t in 0..part.len() {
        let e = part.start + t;
        if e + AHEAD < columns.len() {
            ask(all, columns[e + AHEAD] as usize, stride, line);
        }
        let from = columns[e] as usize * stride;
        copy::<V, T>(&all[from..from + line], &mut rows[t * line..t * line + line]);
    }
}

/// Adds `sign` times the common Gram matrix's image of `x`.
#[inline(always)]
fn add_base<V: Lanes<Scalar = T>, T: Entry>(base: &[T], width: usize, sign: T, x: &[T], out: &mut [T]) {
    // Four registers of the image at a time, each the sum over all rows.
    let stride = out.len();
    let mut from = 0;
    while from < stride {
        let end = (from + 4 * V::LANES).min(stride);
        let part = &mut out[from..end];
        match (end - from) / V::LANES {
            4 => block::<V, T, 4>(&base[from..], stride, width, sign, x, part),
            3 => block::<V, T, 3>(&base[from..], stride, width, sign, x, part),
            2 => block::<V, T, 2>(&base[from..], stride, width, sign, x, part),
            _ => block::<V, T, 1>(&base[from..], stride, width, sign, x, part),
        }
        from = end;
    }
}

#[inline(always)]
fn block<V: Lanes<Scalar = T>, T: Entry, const N: usize>(
    base: &[T],
    stride: usize,
    width: usize,
    sign: T,
    x: &[T],
    out: &mut [T],
) {
    let mut sums = [V::splat(T::ZERO); N];
    for c in 0..N {
        sums[c] = V::load(&out[c * V::LANES..]);
    }
    let x = &x[..width];
    for i in 0..width {
        let f = V::splat(sign * x[i]);
        let row = &base[i * stride..i * stride + N * V::LANES];
        for c in 0..N {
            sums[c] = f.mul_add(V::load(&row[c * V::LANES..]), sums[c]);
        }
    }
    for c in 0..N {
        sums[c].store(&mut out[c * V::LANES..]);
    }
}
