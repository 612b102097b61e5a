//! Products of the observed entries with a tall factor, and the entries of a product of two factors.

use std::ops::Range;

use solvent_simd::Lanes;

use super::gather::{axpy, dot};
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
            out.fill(T::ZERO);
            for e in self.entries.range(i) {
                axpy::<V, T>(self.values[e], self.x.row(columns[e] as usize), out);
            }
        }
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
