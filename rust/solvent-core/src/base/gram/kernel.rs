//! The register tiles: products of a few panels with one, rows streamed as the summed dimension.

use solvent_simd::{F64s, Kernel, Simd};

use super::panels::{Octet, Panels, WIDTH};
use crate::base::gram::{RUN, Tile, place};

/// Adds the products of all pairs of panels to the tiles, each with its rounding error.
pub(super) struct Accumulate<'a> {
    pub(super) panels: &'a Panels,
    pub(super) sums: &'a mut [Tile],
    pub(super) errors: &'a mut [Tile],
}

impl Kernel for Accumulate<'_> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self) {
        let count = self.panels.columns().div_ceil(WIDTH);
        // Three panels of rows against one of columns: 24 of 32 registers hold sums (AVX-512). Narrower registers
        // take one panel and part of the columns at a time.
        let group = if <S::F64 as solvent_simd::Lanes>::LANES == WIDTH { 3 } else { 1 };
        for first in (0..count).step_by(group) {
            let last = (first + group).min(count);
            for q in 0..last {
                let from = first.max(q);
                match last - from {
                    3 => pair::<S::F64, 3>(self.panels, from, q, self.sums, self.errors),
                    2 => pair::<S::F64, 2>(self.panels, from, q, self.sums, self.errors),
                    _ => pair::<S::F64, 1>(self.panels, from, q, self.sums, self.errors),
                }
            }
        }
    }
}

/// Panels `p..p + A` by panel `q`.
#[inline(always)]
fn pair<V: F64s, const A: usize>(
    panels: &Panels,
    p: usize,
    q: usize,
    sums: &mut [Tile],
    errors: &mut [Tile],
) {
    let mut left = [panels.panel(p); A];
    for a in 0..A {
        left[a] = panels.panel(p + a);
    }
    let right = panels.panel(q);
    match V::LANES {
        8 => tile::<V, A, 1, 8>(&left, right, 0, p, q, sums, errors),
        4 => {
            tile::<V, A, 2, 4>(&left, right, 0, p, q, sums, errors);
            tile::<V, A, 2, 4>(&left, right, 4, p, q, sums, errors);
        }
        _ => {
            for column in (0..WIDTH).step_by(2) {
                tile::<V, A, 4, 2>(&left, right, column, p, q, sums, errors);
            }
        }
    }
}

/// The products of `A` panels (of `R` registers a row) with columns `at..at + N` of one panel. Runs of [`RUN`] rows are
/// summed one row after the other, the runs of a chunk likewise, and the chunk's sum goes to the tile by a two-sum.
#[inline(always)]
fn tile<V: F64s, const A: usize, const R: usize, const N: usize>(
    left: &[&[Octet]; A],
    right: &[Octet],
    at: usize,
    p: usize,
    q: usize,
    sums: &mut [Tile],
    errors: &mut [Tile],
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
    }
    for a in 0..A {
        let (s, e) = (&mut sums[place(p + a, q)], &mut errors[place(p + a, q)]);
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
