//! Products of the observed entries with a tall factor, and the entries of a product of two factors.

use std::ops::Range;

use solvent_simd::Lanes;

use super::gather::{AHEAD, ask, axpy, dot};
use crate::base::sparse::SparseView;
use crate::completion::entry::{Entry, LineKernel};
use crate::completion::factor::Factor;

/// `out_i = sum_j a_ij x_j` over the rows of a range, `a` given entry by entry.
pub struct Product<'a, T> {
    /// The pattern.
    pub entries: SparseView<'a, T>,
    /// The values, in the order of the pattern.
    pub values: &'a [T],
    /// The right factor.
    pub x: &'a Factor<T>,
    /// Which rows.
    pub rows: Range<usize>,
    /// Where they go, padding included.
    pub out: &'a mut [T],
}

impl<T: Entry> LineKernel<T> for Product<'_, T> {
    type Output = ();
    #[inline(always)]
    fn run<V: Lanes<Scalar = T>>(self) {
        let stride = self.x.stride();
        let (first, columns) = (self.rows.start, self.entries.indices());
        for i in self.rows {
            let out = &mut self.out[(i - first) * stride..(i - first + 1) * stride];
            let range = self.entries.range(i);
            let values = &self.values[range.clone()];
            match stride / V::LANES {
                1 => sum::<V, T, 1>(values, columns, range.start, self.x, out),
                2 => sum::<V, T, 2>(values, columns, range.start, self.x, out),
                3 => sum::<V, T, 3>(values, columns, range.start, self.x, out),
                4 => sum::<V, T, 4>(values, columns, range.start, self.x, out),
                _ => {
                    out.fill(T::ZERO);
                    for e in range {
                        axpy::<V, T>(self.values[e], self.x.row(columns[e] as usize), out);
                    }
                }
            }
        }
    }
}

/// `out = sum_e a_e x_j` over lines of `N` registers, which hold the sum; even and odd entries apart, so that one does not
/// wait for the other.
#[inline(always)]
fn sum<V: Lanes<Scalar = T>, T: Entry, const N: usize>(
    values: &[T],
    columns: &[i32],
    start: usize,
    x: &Factor<T>,
    out: &mut [T],
) {
    let (stride, all) = (N * V::LANES, x.as_slice());
    let (near, soon) = (&columns[start..start + values.len()], &columns[start..]);
    let mut sums = [[V::splat(T::ZERO); N]; 2];
    let mut t = 0;
    while t + 2 <= values.len() {
        if t + 1 + AHEAD < soon.len() {
            ask(all, soon[t + AHEAD] as usize, stride, stride);
            ask(all, soon[t + 1 + AHEAD] as usize, stride, stride);
        }
        for h in 0..2 {
            let from = near[t + h] as usize * stride;
            let (f, row) = (V::splat(values[t + h]), &all[from..from + stride]);
            for c in 0..N {
                sums[h][c] = f.mul_add(V::load(&row[c * V::LANES..]), sums[h][c]);
            }
        }
        t += 2;
    }
    if t < values.len() {
        let from = near[t] as usize * stride;
        let (f, row) = (V::splat(values[t]), &all[from..from + stride]);
        for c in 0..N {
            sums[0][c] = f.mul_add(V::load(&row[c * V::LANES..]), sums[0][c]);
        }
    }
    for c in 0..N {
        (sums[0][c] + sums[1][c]).store(&mut out[c * V::LANES..]);
    }
}

/// `out_e = u_i · v_j` for the entries of the rows of a range.
pub struct Fitted<'a, T> {
    /// Offsets of the rows.
    pub indptr: &'a [i64],
    /// Columns of the entries.
    pub indices: &'a [i32],
    /// The left factor.
    pub u: &'a Factor<T>,
    /// The right factor, of the same stride.
    pub v: &'a Factor<T>,
    /// Which rows.
    pub rows: Range<usize>,
    /// The values, one an entry of those rows.
    pub out: &'a mut [T],
}

impl<T: Entry> LineKernel<T> for Fitted<'_, T> {
    type Output = ();
    #[inline(always)]
    fn run<V: Lanes<Scalar = T>>(self) {
        let first = self.indptr[self.rows.start] as usize;
        for i in self.rows {
            let (range, u) = (self.indptr[i] as usize..self.indptr[i + 1] as usize, self.u.row(i));
            for e in range {
                self.out[e - first] = dot::<V, T>(u, self.v.row(self.indices[e] as usize));
            }
        }
    }
}
