//! w < 25: what the functions ask of the two kernels of K (x <= 1 and x > 1) in one form.

use solvent_simd::{F64s, ln_normal};

use super::{inner_k, temme};

/// log K_v(x), or log K_v(x) + x if `SCALED`.
#[inline(always)]
pub(super) fn log_k<V: F64s, const PIECE: usize, const SCALED: bool>(v: V, x: V) -> V {
    if PIECE == 0 {
        let k = temme::values::<V, false, false>(v, x);
        // The sum stays within the normal doubles: 1e-2 .. 25! times at most 2^(1074/2).
        let log = k.n.mul_add(k.l, ln_normal(k.at));
        if SCALED { log + x } else { log }
    } else {
        let k = inner_k::values::<V, PIECE, false, false>(v, x);
        inner_k::log_of::<V, SCALED>(k.at, x, k.u)
    }
}

/// `K_{v-1}(x)/K_v(x)` from what either kernel gives.
#[inline(always)]
fn below_by_at<V: F64s>(k: &temme::Values<V>, x: V) -> V {
    let (half, two) = (V::splat(0.5), V::splat(2.0));
    let q = k.below / k.at;
    V::select(k.n.lt(half), q * (two / x), q * x * half)
}

/// `(d/dv, d/dx)` of log K_v(x); d/dx = -v/x - K_{v-1}/K_v (DLMF 10.29.2). K grows with |v|: at orders so near 0 that
/// the slope in v is below the rounding of its parts, rounding must not make it negative.
#[inline(always)]
pub(super) fn slopes_k<V: F64s, const PIECE: usize>(v: V, x: V) -> (V, V) {
    if PIECE == 0 {
        let k = temme::values::<V, true, false>(v, x);
        ((k.slope / k.at).max(V::splat(0.0)), -(v / x) - below_by_at(&k, x))
    } else {
        let k = inner_k::values::<V, PIECE, true, false>(v, x);
        ((k.slope / k.at).max(V::splat(0.0)), -(v * k.u) - k.below / k.at)
    }
}

/// K_v(x)/K_{v-1}(x).
#[inline(always)]
pub(super) fn ratio_down_k<V: F64s, const PIECE: usize>(v: V, x: V) -> V {
    if PIECE == 0 {
        let k = temme::values::<V, false, false>(v, x);
        let (half, two) = (V::splat(0.5), V::splat(2.0));
        let q = k.at / k.below;
        V::select(k.n.lt(half), q * x * half, q * two / x)
    } else {
        let k = inner_k::values::<V, PIECE, false, false>(v, x);
        k.at / k.below
    }
}

/// K_{v+1}(x)/K_v(x).
#[inline(always)]
pub(super) fn ratio_up_k<V: F64s, const PIECE: usize>(v: V, x: V) -> V {
    if PIECE == 0 {
        let k = temme::values::<V, false, true>(v, x);
        (k.above / k.at) * V::splat(2.0) / x
    } else {
        let k = inner_k::values::<V, PIECE, false, true>(v, x);
        k.above / k.at
    }
}
