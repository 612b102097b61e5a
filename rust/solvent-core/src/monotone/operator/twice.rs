//! Products with the rows in twice the working precision: for certificates where plain rounding is all that is left.
//!
//! A [`Sum`] of K products keeps what rounding takes from its head in its tail: the rounding of the products is at most
//! `u Σ|p|` and that of the additions `γ_K Σ|p|` in all, and the tail, of at most 2K additions, errs by `γ_2K` of that. So
//! its value errs by `u |value| + γ²_{2K+4} Σ|p|` ([`error`] is the factor of the second term).

use super::blocks::Blocks;
use super::{Pick, Rows, gamma};
use crate::base::error::Aborted;
use crate::base::monitor::Monitor;
use crate::base::sum::Sum;
use solvent_simd::{Kernel, Simd, dispatch};

/// Sums of a product that run side by side, so that their additions overlap.
const SIDE: usize = 4;

/// `γ²_{2K+4}` for sums of K products.
pub fn error(count: usize) -> f64 {
    gamma(2 * count + 4).powi(2)
}

impl Rows<'_> {
    /// `out_k += a_k . u` for the rows picked.
    pub fn dots_twice(&self, pick: Pick<'_>, u: &[f64], out: &mut [Sum]) {
        match self {
            Self::Dense { data, columns } => dispatch(Dots { data, columns: *columns, pick, u, out }),
            Self::Sparse(view) => {
                for (k, out) in out.iter_mut().enumerate() {
                    let (columns, values) = view.row(pick.at(k));
                    for (&j, &a) in columns.iter().zip(values) {
                        out.add_product(a, u[j as usize]);
                    }
                }
            }
        }
    }

    /// `out += Σ_k c_k a_k`.
    pub fn accumulate_twice(&self, pick: Pick<'_>, c: &[f64], out: &mut [Sum]) {
        match self {
            Self::Dense { data, columns } => dispatch(Accumulate { data, columns: *columns, pick, c, out }),
            Self::Sparse(view) => {
                for (k, &c) in c.iter().enumerate() {
                    let (columns, values) = view.row(pick.at(k));
                    for (&j, &a) in columns.iter().zip(values) {
                        out[j as usize].add_product(c, a);
                    }
                }
            }
        }
    }
}

/// Compiled for the level, where the product's error is one instruction.
struct Dots<'a> {
    data: &'a [f64],
    columns: usize,
    pick: Pick<'a>,
    u: &'a [f64],
    out: &'a mut [Sum],
}

impl Kernel for Dots<'_> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self) {
        let d = self.columns;
        let u = &self.u[..d];
        for k in 0..self.out.len() {
            let i = self.pick.at(k);
            let row = &self.data[i * d..(i + 1) * d];
            let mut sums = [Sum::new(); SIDE];
            let mut j = 0;
            while j + SIDE <= d {
                for s in 0..SIDE {
                    sums[s].add_product(row[j + s], u[j + s]);
                }
                j += SIDE;
            }
            while j < d {
                sums[0].add_product(row[j], u[j]);
                j += 1;
            }
            for sum in sums {
                self.out[k].merge(sum);
            }
        }
    }
}

/// As [`Dots`].
struct Accumulate<'a> {
    data: &'a [f64],
    columns: usize,
    pick: Pick<'a>,
    c: &'a [f64],
    out: &'a mut [Sum],
}

impl Kernel for Accumulate<'_> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self) {
        let d = self.columns;
        let out = &mut self.out[..d];
        for (k, &c) in self.c.iter().enumerate() {
            let i = self.pick.at(k);
            let row = &self.data[i * d..(i + 1) * d];
            for j in 0..d {
                out[j].add_product(c, row[j]);
            }
        }
    }
}

impl Blocks {
    /// As [`sum`](Self::sum), in twice the precision.
    pub fn sum_twice(
        self,
        n: usize,
        out: &mut [Sum],
        monitor: &mut Monitor<'_>,
        part: impl Fn(Pick<'_>, &mut [Sum]) + Sync,
    ) -> Result<(), Aborted> {
        let d = out.len();
        let make = |range: std::ops::Range<usize>| {
            let mut partial = vec![Sum::new(); d];
            part(Pick::Run { first: range.start, len: range.len() }, &mut partial);
            partial
        };
        self.fold(n, monitor, make, |partial: Vec<Sum>| {
            out.iter_mut().zip(partial).for_each(|(out, partial)| out.merge(partial));
        })
    }

    /// The longest chain of additions in a sum over n components of `terms` additions each.
    pub fn chain(self, n: usize, terms: usize) -> usize {
        self.size().min(n) * terms + n.div_ceil(self.size()) + SIDE
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::rng::Philox;
    use crate::base::sparse::SparseView;
    use std::borrow::Cow;

    #[test]
    fn sums_that_cancel_keep_their_digits() {
        let mut rng = Philox::new(4, 0, 0);
        let (n, d) = (9, 21);
        // Each row's second half undoes the first up to 2^-60.
        let mut data: Vec<f64> = Vec::new();
        for _ in 0..n {
            let half: Vec<f64> = (0..d / 2).map(|_| rng.normal()).collect();
            data.extend(
                half.iter().chain(&half.iter().map(|x| -x).collect::<Vec<_>>()).chain(&[2f64.powi(-60)]),
            );
        }
        let u = vec![1.0; d];
        let (indptr, indices): (Vec<i64>, Vec<i32>) =
            ((0..=n).map(|i| (i * d) as i64).collect(), (0..n * d).map(|k| (k % d) as i32).collect());
        let sparse = Rows::Sparse(SparseView::new(&indptr, &indices, &data, d).unwrap());
        let dense = Rows::Dense { data: Cow::Borrowed(&data), columns: d };
        for rows in [&dense, &sparse] {
            let mut dots = vec![Sum::new(); n];
            rows.dots_twice(Pick::all(n), &u, &mut dots);
            assert!(dots.iter().all(|dot| dot.value() == 2f64.powi(-60)));
            let mut sums = vec![Sum::new(); d];
            rows.accumulate_twice(Pick::all(n), &vec![1.0; n], &mut sums);
            rows.accumulate_twice(Pick::all(n), &vec![-1.0; n], &mut sums);
            assert!(sums.iter().all(|sum| sum.value() == 0.0));
        }
    }
}
