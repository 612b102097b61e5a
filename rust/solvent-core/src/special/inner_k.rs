//! w < 25, x > 1: K_v(x) from two polynomials and the recurrence in the order.
//!
//! With n = floor(v + 1/2), mu = v - n in [-1/2, 1/2], u = 1/x,
//!
//! ```text
//! F = sqrt(2x/pi) e^x K_mu     = 1       + (mu^2 - 1/4) u P(m, t)
//! G = sqrt(2x/pi) e^x (-K_mu') = 1 + u/2 + (mu^2 - 1/4) u Q(m, t),   m = 8 mu^2 - 1,  t = KA/(x + KC) + KB
//! scaled K_{mu+1} = G + mu u F,    K_{n+1} = K_{n-1} + 2 u (mu + n) K_n           (DLMF 10.29.1-2)
//! ```
//!
//! Both are even in mu and exact at mu = ±1/2; the factor in front shrinks the polynomials' own rounding by 4 or more.
//! Every step of the recurrence adds positive terms. The product with `e^-x sqrt(pi u/2)` stays within 1e-12 .. 1e34, so
//! one log ends it, and K = 1 is nothing special.

use solvent_simd::{F64s, exp, ln_normal};

use super::polynomial::{horner, horner_slope};
use super::tables::inner_k::{
    KA, KB, KC, P0, P0_LEN, P1, P1_LEN, P2, P2_LEN, Q0, Q0_LEN, Q1, Q1_LEN, Q2, Q2_LEN,
};

/// pi/2.
const HALF_PI: f64 = core::f64::consts::FRAC_PI_2;
/// Largest n of the region; lanes outside it may hold anything, so loops stop here.
const MOST: f64 = 26.0;

/// A polynomial in (m, t) and, if `SLOPE`, its derivative in m.
macro_rules! bivariate {
    ($table:ident, $len:ident, $m:expr, $t:expr, $($row:literal)*) => {{
        let (mut s, mut d) = (V::splat(0.0), V::splat(0.0));
        $(
            s = s.mul_add($t, horner::<V, { $len[$row] }>(&$table[$row], $m));
            if SLOPE {
                d = d.mul_add($t, horner_slope::<V, { $len[$row] }>(&$table[$row], $m));
            }
        )*
        (s, d)
    }};
}

/// The scaled values at the three orders around v, and of the middle one its derivative in v.
pub(super) struct Values<V> {
    pub below: V,
    pub at: V,
    pub slope: V,
    pub above: V,
    /// floor(v + 1/2).
    pub n: V,
    pub u: V,
}

/// Runs the start and the recurrence; `slope` and `above` are good only if asked for. `PIECE` counts from 1: x in (1, 2.9], (2.9, 8.5], (8.5, 25].
#[inline(always)]
pub(super) fn values<V: F64s, const PIECE: usize, const SLOPE: bool, const ABOVE: bool>(
    v: V,
    x: V,
) -> Values<V> {
    let (one, half) = (V::splat(1.0), V::splat(0.5));
    let n = (v + half).floor();
    let mu = v - n;
    let (mu2, u) = (mu * mu, one / x);
    let m = V::splat(8.0).mul_add(mu2, -one);
    let t = V::splat(KA[PIECE - 1]) / (x + V::splat(KC[PIECE - 1])) + V::splat(KB[PIECE - 1]);
    let ((p, dp), (q, dq)) = match PIECE {
        1 => (
            bivariate!(P0, P0_LEN, m, t, 15 14 13 12 11 10 9 8 7 6 5 4 3 2 1 0),
            bivariate!(Q0, Q0_LEN, m, t, 16 15 14 13 12 11 10 9 8 7 6 5 4 3 2 1 0),
        ),
        2 => (
            bivariate!(P1, P1_LEN, m, t, 15 14 13 12 11 10 9 8 7 6 5 4 3 2 1 0),
            bivariate!(Q1, Q1_LEN, m, t, 16 15 14 13 12 11 10 9 8 7 6 5 4 3 2 1 0),
        ),
        _ => (
            bivariate!(P2, P2_LEN, m, t, 15 14 13 12 11 10 9 8 7 6 5 4 3 2 1 0),
            bivariate!(Q2, Q2_LEN, m, t, 16 15 14 13 12 11 10 9 8 7 6 5 4 3 2 1 0),
        ),
    };
    let away = mu2 - V::splat(0.25);
    let c = away * u;
    let f = c.mul_add(p, one);
    let g = one + c.mul_add(q, half * u);
    let muu = mu * u;
    let k1 = muu.mul_add(f, g);
    let k_minus1 = g - muu * f; // K_{mu-1} = K_{1-mu}

    // d/dmu of F, G and K_{mu+1}; m' = 16 mu.
    let (mut df, mut dk1) = (V::splat(0.0), V::splat(0.0));
    if SLOPE {
        let two_muu = muu + muu;
        let eight = V::splat(8.0) * away;
        df = two_muu * eight.mul_add(dp, p);
        let dg = two_muu * eight.mul_add(dq, q);
        dk1 = muu.mul_add(df, u.mul_add(f, dg));
    }

    let two_u = u + u;
    let (mut a, mut b, mut da, mut db) = (f, k1, df, dk1);
    let at_zero = n.lt(half);
    let mut out = Values {
        below: V::select(at_zero, k_minus1, f),
        at: V::select(at_zero, f, k1),
        slope: V::select(at_zero, df, dk1),
        above: k1,
        n,
        u,
    };
    // `above` takes one step past the largest n of the lanes.
    let last = n.reduce_max().min(MOST) as usize + ABOVE as usize;
    for j in 2..=last {
        let order = V::splat(j as f64);
        // Formed afresh each step: adding 2u repeatedly would drift.
        let factor = (mu + V::splat((j - 1) as f64)) * two_u;
        let next = factor.mul_add(b, a);
        if SLOPE {
            let dnext = two_u.mul_add(b, factor.mul_add(db, da));
            (da, db) = (db, dnext);
        }
        (a, b) = (b, next);
        let here = n.eq(order);
        out.below = V::select(here, a, out.below);
        out.at = V::select(here, b, out.at);
        out.slope = V::select(here, db, out.slope);
        out.above = V::select(n.eq(order - one), b, out.above);
    }
    out
}

/// log K_v(x) from its scaled value, or log K_v(x) + x if `SCALED`.
#[inline(always)]
pub(super) fn log_of<V: F64s, const SCALED: bool>(scaled: V, x: V, u: V) -> V {
    let root = (V::splat(HALF_PI) * u).sqrt();
    let k = scaled * root;
    ln_normal(if SCALED { k } else { k * exp(-x) })
}
