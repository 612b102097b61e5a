//! A row's design: the rows of the other factor that its entries meet, side by side, weighted by square roots.

use std::ops::Range;

use solvent_simd::Lanes;

use super::row::Half;
use crate::completion::entry::{Entry, LineKernel};

/// `x · y` over whole lines.
#[inline(always)]
pub fn dot<V: Lanes<Scalar = T>, T: Entry>(x: &[T], y: &[T]) -> T {
    let mut sum = V::splat(T::ZERO);
    for (a, b) in x.chunks_exact(V::LANES).zip(y.chunks_exact(V::LANES)) {
        sum = V::load(a).mul_add(V::load(b), sum);
    }
    sum.reduce_sum()
}

/// `y += s x` over whole lines.
#[inline(always)]
pub fn axpy<V: Lanes<Scalar = T>, T: Entry>(s: T, x: &[T], y: &mut [T]) {
    let s = V::splat(s);
    for (a, b) in x.chunks_exact(V::LANES).zip(y.chunks_exact_mut(V::LANES)) {
        s.mul_add(V::load(a), V::load(b)).store(b);
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
        let columns = &half.entries.indices()[range.clone()];
        let rows = panel.chunks_exact_mut(stride).zip(targets.iter_mut());
        for ((e, &j), (to, target)) in range.zip(columns).zip(rows) {
            let from = half.design.row(j as usize);
            let y = half.target(e, j as usize);
            let mut w = half.weights.map_or(T::ONE, |w| w[e]);
            if let Some(delta) = half.delta {
                let r = (y - dot::<V, T>(from, u)).modulus();
                if r > delta {
                    w *= delta / r;
                }
            }
            if w == T::ONE {
                for (a, b) in from.chunks_exact(V::LANES).zip(to.chunks_exact_mut(V::LANES)) {
                    V::load(a).store(b);
                }
                *target = y;
            } else {
                let root = w.root();
                let s = V::splat(root);
                for (a, b) in from.chunks_exact(V::LANES).zip(to.chunks_exact_mut(V::LANES)) {
                    (s * V::load(a)).store(b);
                }
                *target = root * y;
            }
        }
    }
}
