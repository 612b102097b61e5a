//! Hadamard matrices: of eight rows in registers, and the fast transform of 2^q rows in a buffer.
//!
//! Everything is additions and subtractions in one order, so the bits are the same at every SIMD level.

use super::rows::LANES;
use solvent_simd::{F64s, Kernel, Lanes, Simd};

/// `y_j = sum_a (-1)^popcount(j & a) x_a`: 24 additions.
#[inline(always)]
pub fn hadamard8<V: Lanes>(mut x: [V; 8]) -> [V; 8] {
    let mut y = x;
    for i in 0..4 {
        y[i] = x[i] + x[i + 4];
        y[i + 4] = x[i] - x[i + 4];
    }
    for b in [0, 4] {
        for i in 0..2 {
            x[b + i] = y[b + i] + y[b + i + 2];
            x[b + i + 2] = y[b + i] - y[b + i + 2];
        }
    }
    for b in [0, 2, 4, 6] {
        y[b] = x[b] + x[b + 1];
        y[b + 1] = x[b] - x[b + 1];
    }
    y
}

/// Whether entry (i, j) of the Hadamard matrix of any size is -1.
#[inline(always)]
pub fn is_negative(i: u64, j: u64) -> bool {
    (i & j).count_ones() & 1 == 1
}

/// `x <- H x` for a buffer of 2^q rows of `width` elements each, in place.
///
/// # Panics
/// Unless the number of rows is a power of two.
pub fn transform(x: &mut [f64], width: usize) {
    if width == 0 || x.is_empty() {
        return;
    }
    let rows = x.len() / width;
    assert!(rows.is_power_of_two() && rows * width == x.len(), "2^q rows of {width} elements");
    solvent_simd::dispatch(Transform { x, width });
}

struct Transform<'a> {
    x: &'a mut [f64],
    width: usize,
}

impl Kernel for Transform<'_> {
    type Output = ();
    /// Three stages a pass: a group of 8 h rows is eight runs of h rows, one butterfly at each place of the runs. The
    /// first passes stay inside small groups, and so inside the cache.
    #[inline(always)]
    fn run<S: Simd>(self) {
        let rows = self.x.len() / self.width;
        let mut h = 1;
        while h < rows {
            let radix = (rows / h).min(8);
            let run = h * self.width;
            for group in self.x.chunks_exact_mut(radix * run) {
                match radix {
                    8 => group8::<S::F64>(group, run),
                    4 => group4(group, run),
                    _ => group2(group, run),
                }
            }
            h *= radix;
        }
    }
}

#[inline(always)]
fn group8<V: F64s>(group: &mut [f64], run: usize) {
    let (low, high) = group.split_at_mut(4 * run);
    let [a, b, c, d] = quarters(low, run);
    let [e, f, g, h] = quarters(high, run);
    let body = if run.is_multiple_of(LANES) { run } else { 0 };
    let mut i = 0;
    while i + V::LANES <= body {
        let y = hadamard8([
            V::load(&a[i..i + V::LANES]),
            V::load(&b[i..i + V::LANES]),
            V::load(&c[i..i + V::LANES]),
            V::load(&d[i..i + V::LANES]),
            V::load(&e[i..i + V::LANES]),
            V::load(&f[i..i + V::LANES]),
            V::load(&g[i..i + V::LANES]),
            V::load(&h[i..i + V::LANES]),
        ]);
        y[0].store(&mut a[i..i + V::LANES]);
        y[1].store(&mut b[i..i + V::LANES]);
        y[2].store(&mut c[i..i + V::LANES]);
        y[3].store(&mut d[i..i + V::LANES]);
        y[4].store(&mut e[i..i + V::LANES]);
        y[5].store(&mut f[i..i + V::LANES]);
        y[6].store(&mut g[i..i + V::LANES]);
        y[7].store(&mut h[i..i + V::LANES]);
        i += V::LANES;
    }
    while i < run {
        let mut part = [&mut *a, &mut *b, &mut *c, &mut *d, &mut *e, &mut *f, &mut *g, &mut *h];
        scalar8(&mut part, i);
        i += 1;
    }
}

/// The same butterfly on single numbers, with the same roundings.
#[inline(always)]
fn scalar8(part: &mut [&mut [f64]; 8], i: usize) {
    for h in [4, 2, 1] {
        for k in 0..8 {
            if k & h == 0 {
                let (x, y) = (part[k][i], part[k + h][i]);
                part[k][i] = x + y;
                part[k + h][i] = x - y;
            }
        }
    }
}

#[inline(always)]
fn quarters(x: &mut [f64], run: usize) -> [&mut [f64]; 4] {
    let (a, rest) = x.split_at_mut(run);
    let (b, rest) = rest.split_at_mut(run);
    let (c, rest) = rest.split_at_mut(run);
    [a, b, c, &mut rest[..run]]
}

#[inline(always)]
fn group4(group: &mut [f64], run: usize) {
    let [a, b, c, d] = quarters(group, run);
    for i in 0..run {
        let (p, q, r, s) = (a[i] + c[i], b[i] + d[i], a[i] - c[i], b[i] - d[i]);
        (a[i], b[i], c[i], d[i]) = (p + q, p - q, r + s, r - s);
    }
}

#[inline(always)]
fn group2(group: &mut [f64], run: usize) {
    let (a, b) = group.split_at_mut(run);
    for (x, y) in a.iter_mut().zip(b) {
        (*x, *y) = (*x + *y, *x - *y);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::rng::Philox;

    #[test]
    fn transforms_are_products_with_the_matrix_of_signs() {
        let mut rng = Philox::new(1, 0, 0);
        for (rows, width) in [(1, 3), (2, 8), (4, 1), (8, 5), (16, 16), (64, 1), (512, 8), (1024, 3)] {
            // Small integers: every order of the sums is exact.
            let x: Vec<f64> = (0..rows * width).map(|_| rng.below(1000) as f64 - 500.0).collect();
            let mut y = x.clone();
            transform(&mut y, width);
            for i in 0..rows {
                for c in 0..width {
                    let entry = |j: usize| {
                        let value = x[j * width + c];
                        if is_negative(i as u64, j as u64) { -value } else { value }
                    };
                    assert_eq!(y[i * width + c], (0..rows).map(entry).sum::<f64>(), "{rows} x {width}");
                }
            }
        }
    }
}
