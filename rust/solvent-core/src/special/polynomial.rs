//! Horner's rule over lanes.

use solvent_simd::F64s;

/// `c[0] + c[1] t + ... + c[N-1] t^(N-1)`. `N` is a constant so that the loop unrolls into broadcast constants.
#[inline(always)]
pub(super) fn horner<V: F64s, const N: usize>(c: &[f64], t: V) -> V {
    let mut s = V::splat(c[N - 1]);
    for i in (0..N - 1).rev() {
        s = s.mul_add(t, V::splat(c[i]));
    }
    s
}

/// The derivative of [`horner`] in t.
#[inline(always)]
pub(super) fn horner_slope<V: F64s, const N: usize>(c: &[f64], t: V) -> V {
    let mut s = V::splat(0.0);
    for i in (1..N).rev() {
        s = s.mul_add(t, V::splat(i as f64 * c[i]));
    }
    s
}
