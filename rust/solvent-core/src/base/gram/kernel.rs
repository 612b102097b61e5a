//! The register tiles: products of a few panels with one, rows streamed as the summed dimension.

use std::ops::Range;

use solvent_simd::{F64s, Kernel, Simd, prefetch};

use super::panels::{Octet, Panels, WIDTH};
use crate::base::gram::{RUN, Tile, place};

/// Adds the products of all pairs of panels to the tiles, each with its rounding error.
pub(super) struct Accumulate<'a, T> {
    pub(super) panels: &'a Panels,
    pub(super) sums: &'a mut [Tile],
    pub(super) errors: &'a mut [Tile],
    /// What is read next.
    pub(super) ahead: Ahead<'a, T>,
}

/// Entries that are asked for, a cache line a row of products: packing reads at the speed of memory, and products leave
/// memory idle, so the next chunk is on its way while this one is multiplied.
pub(super) struct Ahead<'a, T> {
    rows: &'a [T],
    range: Range<usize>,
}

impl<'a, T> Ahead<'a, T> {
    pub(super) fn new(rows: &'a [T], range: Range<usize>) -> Self {
        Self { rows, range }
    }

    #[inline(always)]
    fn hint(&mut self) {
        const LINE: usize = 64;
        if self.range.start < self.range.end {
            prefetch(self.rows, self.range.start);
            self.range.start += LINE / size_of::<T>().clamp(1, LINE);
        }
    }
}

/// Panels beyond which the tiles no longer stay in L2 between two chunks, so that they are asked for in time.
const FAR: usize = 64;

impl<T> Kernel for Accumulate<'_, T> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(mut self) {
        let count = self.panels.columns().div_ceil(WIDTH);
        // Three panels of rows against one of columns: 24 of 32 registers hold sums (AVX-512). Narrower registers
        // take one panel and part of the columns at a time.
        let group = if <S::F64 as solvent_simd::Lanes>::LANES == WIDTH { 3 } else { 1 };
        for first in (0..count).step_by(group) {
            let last = (first + group).min(count);
            for q in 0..last {
                let from = first.max(q);
                match last - from {
                    3 => pair::<S::F64, 3, T>(&mut self, from, q),
                    2 => pair::<S::F64, 2, T>(&mut self, from, q),
                    _ => pair::<S::F64, 1, T>(&mut self, from, q),
                }
            }
        }
    }
}

/// Panels `p..p + A` by panel `q`.
#[inline(always)]
fn pair<V: F64s, const A: usize, T>(work: &mut Accumulate<'_, T>, p: usize, q: usize) {
    let panels = work.panels;
    let mut left = [panels.panel(p); A];
    for a in 0..A {
        left[a] = panels.panel(p + a);
    }
    let right = panels.panel(q);
    match V::LANES {
        8 => tile::<V, A, 1, 8, T>(&left, right, 0, (p, q), work),
        4 => {
            tile::<V, A, 2, 4, T>(&left, right, 0, (p, q), work);
            tile::<V, A, 2, 4, T>(&left, right, 4, (p, q), work);
        }
        _ => {
            for column in (0..WIDTH).step_by(2) {
                tile::<V, A, 4, 2, T>(&left, right, column, (p, q), work);
            }
        }
    }
}

/// The products of `A` panels (of `R` registers a row) with columns `at..at + N` of one panel. Runs of [`RUN`] rows are
/// summed one row after the other, the runs of a chunk likewise, and the chunk's sum goes to the tile by a two-sum.
#[inline(always)]
fn tile<V: F64s, const A: usize, const R: usize, const N: usize, T>(
    left: &[&[Octet]; A],
    right: &[Octet],
    at: usize,
    (p, q): (usize, usize),
    work: &mut Accumulate<'_, T>,
) {
    let zero = V::splat(0.0);
    let mut total = [[[zero; R]; A]; N];
    let rows = right.len();
    let mut start = 0;
    while start < rows {
        let end = (start + RUN).min(rows);
        let mut sum = [[[zero; R]; A]; N];
        let mut run = [&right[start..end]; A];
        for a in 0..A {
            run[a] = &left[a][start..end];
        }
        let columns = &right[start..end];
        for k in 0..columns.len() {
            work.ahead.hint();
            let mut x = [[zero; R]; A];
            for a in 0..A {
                for r in 0..R {
                    x[a][r] = V::load(&run[a][k].0[r * V::LANES..]);
                }
            }
            for n in 0..N {
                let y = V::splat(columns[k].0[at + n]);
                for a in 0..A {
                    for r in 0..R {
                        sum[n][a][r] = x[a][r].mul_add(y, sum[n][a][r]);
                    }
                }
            }
        }
        for n in 0..N {
            for a in 0..A {
                for r in 0..R {
                    total[n][a][r] = total[n][a][r] + sum[n][a][r];
                }
            }
        }
        start = end;
        if p >= FAR && start < rows && start + RUN >= rows {
            for a in 0..A {
                for n in 0..N {
                    prefetch(&work.sums[place(p + a, q)], at + n);
                    prefetch(&work.errors[place(p + a, q)], at + n);
                }
            }
        }
    }
    for a in 0..A {
        let (s, e) = (&mut work.sums[place(p + a, q)], &mut work.errors[place(p + a, q)]);
        for n in 0..N {
            for r in 0..R {
                let lane = r * V::LANES;
                let (head, part) = (V::load(&s[at + n].0[lane..]), total[n][a][r]);
                let new = head + part;
                let back = new - head;
                let error = (head - (new - back)) + (part - back);
                new.store(&mut s[at + n].0[lane..]);
                (V::load(&e[at + n].0[lane..]) + error).store(&mut e[at + n].0[lane..]);
            }
        }
    }
}
