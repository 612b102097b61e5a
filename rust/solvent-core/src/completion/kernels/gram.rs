//! `G += P^T P` (upper triangle, in blocks of lines) and `b += P^T y` of a gathered panel.

use solvent_simd::Lanes;

use crate::completion::entry::{Entry, LineKernel};

/// One tile: rows `a..a + A` of G, `B` registers from column `c` on. All of it stays in registers.
#[inline(always)]
fn tile<V: Lanes<Scalar = T>, T: Entry, const A: usize, const B: usize>(
    panel: &[T],
    stride: usize,
    a: usize,
    c: usize,
    gram: &mut [T],
) {
    let mut sums = [[V::splat(T::ZERO); B]; A];
    for i in 0..A {
        let row = &gram[(a + i) * stride + c..][..B * V::LANES];
        for j in 0..B {
            sums[i][j] = V::load(&row[j * V::LANES..]);
        }
    }
    let mut at = 0;
    while at + stride <= panel.len() {
        let p = &panel[at..at + stride];
        at += stride;
        let right = &p[c..c + B * V::LANES];
        let mut y = [V::splat(T::ZERO); B];
        for j in 0..B {
            y[j] = V::load(&right[j * V::LANES..]);
        }
        let left = &p[a..a + A];
        for i in 0..A {
            let x = V::splat(left[i]);
            for j in 0..B {
                sums[i][j] = x.mul_add(y[j], sums[i][j]);
            }
        }
    }
    for i in 0..A {
        let row = &mut gram[(a + i) * stride + c..][..B * V::LANES];
        for j in 0..B {
            sums[i][j].store(&mut row[j * V::LANES..]);
        }
    }
}

/// `B` registers of the moments from column `c` on, in registers: through memory each row would wait for the last one's
/// store. Even and odd rows apart, so that their sums overlap.
#[inline(always)]
fn moments<V: Lanes<Scalar = T>, T: Entry, const B: usize>(
    panel: &[T],
    targets: &[T],
    stride: usize,
    c: usize,
    b: &mut [T],
) {
    let b = &mut b[c..c + B * V::LANES];
    let mut sums = [[V::splat(T::ZERO); B]; 2];
    for j in 0..B {
        sums[0][j] = V::load(&b[j * V::LANES..]);
    }
    let mut t = 0;
    while t + 2 <= targets.len() {
        for h in 0..2 {
            let (y, row) = (V::splat(targets[t + h]), &panel[(t + h) * stride + c..][..B * V::LANES]);
            for j in 0..B {
                sums[h][j] = y.mul_add(V::load(&row[j * V::LANES..]), sums[h][j]);
            }
        }
        t += 2;
    }
    if t < targets.len() {
        let (y, row) = (V::splat(targets[t]), &panel[t * stride + c..][..B * V::LANES]);
        for j in 0..B {
            sums[0][j] = y.mul_add(V::load(&row[j * V::LANES..]), sums[0][j]);
        }
    }
    for j in 0..B {
        (sums[0][j] + sums[1][j]).store(&mut b[j * V::LANES..]);
    }
}

/// Adds the panel's Gram matrix to the upper triangle of `gram` (`stride` by `stride`, row-major; rows from `width` on are
/// left alone, below the diagonal there may be anything), and its moments to `b`.
pub struct Gram<'a, T> {
    /// Gathered rows, a line each.
    pub panel: &'a [T],
    /// Their targets.
    pub targets: &'a [T],
    /// Columns that count.
    pub width: usize,
    /// Length of a line.
    pub stride: usize,
    /// The matrix.
    pub gram: &'a mut [T],
    /// The moments.
    pub b: &'a mut [T],
}

impl<T: Entry> LineKernel<T> for Gram<'_, T> {
    type Output = ();
    #[inline(always)]
    fn run<V: Lanes<Scalar = T>>(self) {
        let Self { panel, targets, width, stride, gram, b } = self;
        let registers = stride / V::LANES;
        let mut a = 0;
        while a < width {
            let mut q = a / V::LANES;
            while q < registers {
                let c = q * V::LANES;
                // The strides are whole lines, so eight rows are always there.
                match registers - q {
                    1 => tile::<V, T, 8, 1>(panel, stride, a, c, gram),
                    2 => tile::<V, T, 8, 2>(panel, stride, a, c, gram),
                    count => {
                        for a in [a, a + 4] {
                            if count == 3 {
                                tile::<V, T, 4, 3>(panel, stride, a, c, gram);
                            } else {
                                tile::<V, T, 4, 4>(panel, stride, a, c, gram);
                            }
                        }
                    }
                }
                q += 4;
            }
            a += 8;
        }
        if targets.is_empty() {
            return;
        }
        let mut q = 0;
        while q < registers {
            let c = q * V::LANES;
            match registers - q {
                1 => moments::<V, T, 1>(panel, targets, stride, c, b),
                2 => moments::<V, T, 2>(panel, targets, stride, c, b),
                3 => moments::<V, T, 3>(panel, targets, stride, c, b),
                _ => moments::<V, T, 4>(panel, targets, stride, c, b),
            }
            q += 4;
        }
    }
}
