//! A product with the normal matrix of a gathered panel, one pass over it.

use solvent_simd::Lanes;

use super::gather::{axpy, dot};
use crate::completion::entry::{Entry, LineKernel};

/// `q += sum_t s_t p_t` with `s_t = p_t · x`, or `y_t - p_t · x` where targets are given.
pub struct Normal<'a, T> {
    /// Gathered rows, a line each.
    pub panel: &'a [T],
    /// Their targets.
    pub targets: Option<&'a [T]>,
    /// What they are multiplied with.
    pub x: &'a [T],
    /// What is added to.
    pub q: &'a mut [T],
}

impl<T: Entry> LineKernel<T> for Normal<'_, T> {
    type Output = ();
    #[inline(always)]
    fn run<V: Lanes<Scalar = T>>(self) {
        let Self { panel, targets, x, q } = self;
        for (t, p) in panel.chunks_exact(x.len()).enumerate() {
            let along = dot::<V, T>(p, x);
            axpy::<V, T>(targets.map_or(along, |y| y[t] - along), p, q);
        }
    }
}
