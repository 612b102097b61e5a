//! A row's design: the rows of the other factor that its entries meet, side by side, weighted by square roots.

use std::ops::Range;

use solvent_simd::{Lanes, prefetch};

use super::row::Half;
use crate::completion::entry::{Entry, LineKernel};

/// How many entries ahead a row is asked for: the other factor is read all over the place.
pub const AHEAD: usize = 8;

// Loops count: adapters of iterators are functions of their own here, and keep their state in memory.

/// `x · y` over whole lines.
#[inline(always)]
pub fn dot<V: Lanes<Scalar = T>, T: Entry>(x: &[T], y: &[T]) -> T {
    let y = &y[..x.len()];
    let mut sum = V::splat(T::ZERO);
    let mut at = 0;
    while at + V::LANES <= x.len() {
        sum = V::load(&x[at..at + V::LANES]).mul_add(V::load(&y[at..at + V::LANES]), sum);
        at += V::LANES;
    }
    sum.reduce_sum()
}

/// `y += s x` over whole lines.
#[inline(always)]
pub fn axpy<V: Lanes<Scalar = T>, T: Entry>(s: T, x: &[T], y: &mut [T]) {
    let y = &mut y[..x.len()];
    let s = V::splat(s);
    let mut at = 0;
    while at + V::LANES <= x.len() {
        s.mul_add(V::load(&x[at..at + V::LANES]), V::load(&y[at..at + V::LANES]))
            .store(&mut y[at..at + V::LANES]);
        at += V::LANES;
    }
}

/// `to = s from` over whole lines.
#[inline(always)]
pub fn scaled<V: Lanes<Scalar = T>, T: Entry>(s: T, from: &[T], to: &mut [T]) {
    let to = &mut to[..from.len()];
    let s = V::splat(s);
    let mut at = 0;
    while at + V::LANES <= from.len() {
        (s * V::load(&from[at..at + V::LANES])).store(&mut to[at..at + V::LANES]);
        at += V::LANES;
    }
}

/// Copies whole lines.
#[inline(always)]
pub fn copy<V: Lanes<Scalar = T>, T: Entry>(from: &[T], to: &mut [T]) {
    let to = &mut to[..from.len()];
    let mut at = 0;
    while at + V::LANES <= from.len() {
        V::load(&from[at..at + V::LANES]).store(&mut to[at..at + V::LANES]);
        at += V::LANES;
    }
}

/// Asks for row `j` of rows of length `stride`, as far as `line`.
#[inline(always)]
pub fn ask<T: Entry>(all: &[T], j: usize, stride: usize, line: usize) {
    let mut l = 0;
    while l < line {
        prefetch(all, j * stride + l);
        l += T::LINE;
    }
}

/// Gathers the entries of `range` into `panel` (a design row each) and `targets`. `u` is the row's present solution, which
/// a robust loss takes its weights from.
pub struct Gather<'a, 'h, T> {
    /// Whose row it is.
    pub half: &'a Half<'h, T>,
    /// Which entries.
    pub range: Range<usize>,
    /// Present solution.
    pub u: &'a [T],
    /// A line a design row.
    pub panel: &'a mut [T],
    /// What they should give.
    pub targets: &'a mut [T],
}

impl<T: Entry> LineKernel<T> for Gather<'_, '_, T> {
    type Output = ();
    #[inline(always)]
    fn run<V: Lanes<Scalar = T>>(self) {
        let Self { half, range, u, panel, targets } = self;
        let stride = half.design.stride();
        let (columns, all) = (half.entries.indices(), half.design.as_slice());
        let most = columns.len();
        for t in 0..range.len() {
            let e = range.start + t;
            if e + AHEAD < most {
                ask(all, columns[e + AHEAD] as usize, stride, stride);
            }
            let j = columns[e] as usize;
            let from = &all[j * stride..j * stride + stride];
            let to = &mut panel[t * stride..t * stride + stride];
            let y = half.target(e, j);
            let mut w = half.weights.map_or(T::ONE, |w| w[e]);
            if let Some(delta) = half.delta {
                let r = (y - dot::<V, T>(from, u)).modulus();
                if r > delta {
                    w *= delta / r;
                }
            }
            if w == T::ONE {
                copy::<V, T>(from, to);
                targets[t] = y;
            } else {
                let root = w.root();
                scaled::<V, T>(root, from, to);
                targets[t] = root * y;
            }
        }
    }
}
