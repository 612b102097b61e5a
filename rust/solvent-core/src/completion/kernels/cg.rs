//! Warm-started conjugate gradients on `(P^T P + ridge I) u = P^T y`: two passes over the gathered panel a step.

use solvent_simd::Lanes;

use super::gather::{axpy, dot};
use crate::completion::entry::{Entry, LineKernel};

/// `q += sum_t s_t p_t` with `s_t = p_t · x`, or `y_t - p_t · x` where targets are given.
pub struct Pass<'a, T> {
    /// Gathered rows, a line each.
    pub panel: &'a [T],
    /// Their targets.
    pub targets: Option<&'a [T]>,
    /// What they are multiplied with.
    pub x: &'a [T],
    /// What is added to.
    pub q: &'a mut [T],
}

impl<T: Entry> LineKernel<T> for Pass<'_, T> {
    type Output = ();
    #[inline(always)]
    fn run<V: Lanes<Scalar = T>>(self) {
        let Self { panel, targets, x, q } = self;
        apply::<V, T>(panel, targets, x, q);
    }
}

#[inline(always)]
fn apply<V: Lanes<Scalar = T>, T: Entry>(panel: &[T], targets: Option<&[T]>, x: &[T], q: &mut [T]) {
    match x.len() / V::LANES {
        1 => fixed::<V, T, 1>(panel, targets, x, q),
        2 => fixed::<V, T, 2>(panel, targets, x, q),
        3 => fixed::<V, T, 3>(panel, targets, x, q),
        4 => fixed::<V, T, 4>(panel, targets, x, q),
        5 => fixed::<V, T, 5>(panel, targets, x, q),
        6 => fixed::<V, T, 6>(panel, targets, x, q),
        8 => fixed::<V, T, 8>(panel, targets, x, q),
        _ => {
            for (t, p) in panel.chunks_exact(x.len()).enumerate() {
                let along = dot::<V, T>(p, x);
                let s = targets.map_or(along, |y| y[t] - along);
                axpy::<V, T>(s, p, q);
            }
        }
    }
}

/// How many rows of the panel go together: their horizontal sums overlap.
const GROUP: usize = 4;

/// The pass with `x` and `q` in `N` registers each.
#[inline(always)]
fn fixed<V: Lanes<Scalar = T>, T: Entry, const N: usize>(
    panel: &[T],
    targets: Option<&[T]>,
    x: &[T],
    q: &mut [T],
) {
    let stride = N * V::LANES;
    let (mut left, mut sums) = ([V::splat(T::ZERO); N], [V::splat(T::ZERO); N]);
    for c in 0..N {
        left[c] = V::load(&x[c * V::LANES..]);
        sums[c] = V::load(&q[c * V::LANES..]);
    }
    let groups = panel.chunks_exact(GROUP * stride);
    let rest = groups.remainder();
    let mut t = 0;
    for rows in groups {
        let mut along = [T::ZERO; GROUP];
        for g in 0..GROUP {
            let mut sum = V::load(&rows[g * stride..]) * left[0];
            for c in 1..N {
                sum = V::load(&rows[g * stride + c * V::LANES..]).mul_add(left[c], sum);
            }
            along[g] = sum.reduce_sum();
        }
        if let Some(y) = targets {
            let y = &y[t..t + GROUP];
            for g in 0..GROUP {
                along[g] = y[g] - along[g];
            }
        }
        for g in 0..GROUP {
            let s = V::splat(along[g]);
            for c in 0..N {
                sums[c] = s.mul_add(V::load(&rows[g * stride + c * V::LANES..]), sums[c]);
            }
        }
        t += GROUP;
    }
    for (g, p) in rest.chunks_exact(stride).enumerate() {
        let along = dot::<V, T>(p, x);
        let s = V::splat(targets.map_or(along, |y| y[t + g] - along));
        for c in 0..N {
            sums[c] = s.mul_add(V::load(&p[c * V::LANES..]), sums[c]);
        }
    }
    for c in 0..N {
        sums[c].store(&mut q[c * V::LANES..]);
    }
}

/// Vectors of one run.
pub struct Directions<T> {
    /// Residual of the normal equations.
    pub r: Vec<T>,
    /// Search direction.
    pub p: Vec<T>,
    /// Its image.
    pub q: Vec<T>,
}

impl<T: Entry> Directions<T> {
    /// For lines of this length.
    pub fn new(stride: usize) -> Self {
        let zero = || vec![T::ZERO; stride];
        Self { r: zero(), p: zero(), q: zero() }
    }
}

/// One step once `q = A p` is known; the new squared residual, or `None` where the direction is exhausted.
pub struct Advance<'a, T> {
    /// Residual, direction and image.
    pub d: &'a mut Directions<T>,
    /// The solution.
    pub x: &'a mut [T],
    /// The squared residual.
    pub rr: T,
}

impl<T: Entry> LineKernel<T> for Advance<'_, T> {
    type Output = Option<T>;
    #[inline(always)]
    fn run<V: Lanes<Scalar = T>>(self) -> Option<T> {
        let Self { d, x, rr } = self;
        let pq = dot::<V, T>(&d.p, &d.q);
        let alpha = rr / pq;
        if pq <= T::ZERO || !alpha.to_f64().is_finite() {
            return None;
        }
        axpy::<V, T>(alpha, &d.p, x);
        axpy::<V, T>(-alpha, &d.q, &mut d.r);
        let next = dot::<V, T>(&d.r, &d.r);
        let beta = V::splat(next / rr);
        for (p, r) in d.p.chunks_exact_mut(V::LANES).zip(d.r.chunks_exact(V::LANES)) {
            beta.mul_add(V::load(p), V::load(r)).store(p);
        }
        Some(next)
    }
}
