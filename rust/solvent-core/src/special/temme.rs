//! w < 25, x <= 1: K_v(x) from Temme's series and the recurrence in the order.
//!
//! With n = floor(v + 1/2), mu = v - n, l = log(2/x), sigma = mu l, y = x^2/4 (Temme, J. Comput. Phys. 19, 1975):
//!
//! ```text
//! K_mu = sum c_k f_k,   K_{mu+1} (x/2) = sum c_k (p_k - k f_k),   c_k = y^k/k!
//! f_0 = mu pi/sin(mu pi) (cosh(sigma) G1 + l sinh(sigma)/sigma G2),
//! p_0 = e^sigma/(2 (G2 - mu G1)),  q_0 = e^-sigma/(2 (G2 + mu G1)),
//! f_k = (k f_{k-1} + p_{k-1} + q_{k-1})/(k^2 - mu^2),   p_k = p_{k-1}/(k - mu),   q_k = q_{k-1}/(k + mu)
//! ```
//!
//! G1 and G2 are the odd and even parts of 1/Gamma(1 - mu) as tabled. Then on `Kt_n = K_{mu+n} (x/2)^n`, which cannot
//! overflow, `Kt_{n+1} = (mu + n) Kt_n + y Kt_{n-1}`: all terms positive, and log K = log Kt_n + n l.

use solvent_simd::{F64s, exp, ln};

use super::polynomial::{horner, horner_slope};
use super::tables::exponent::LN_2_HI;
use super::tables::temme::{GAMMA1, GAMMA2, PI_MU_OVER_SIN, TERMS};

/// Largest n of the region.
const MOST: f64 = 26.0;

/// `Kt` at the orders around v, and of the middle one its derivative in mu.
pub(super) struct Values<V> {
    /// K_{v-1} (x/2)^n; for n = 0 with one more factor x/2, and so on `above`.
    pub below: V,
    pub at: V,
    pub slope: V,
    /// K_{v+1} (x/2)^{n+1}.
    pub above: V,
    pub n: V,
    /// log(2/x).
    pub l: V,
}

/// sinh(s)/s and its derivative, given e^s.
#[inline(always)]
fn sinhc<V: F64s, const SLOPE: bool>(s: V, e: V, e_inverse: V) -> (V, V) {
    // sinh(s)/s = sum s^2k/(2k+1)!, and s times its derivative over s^2, by the same terms.
    const C: [f64; 8] = [
        1.0,
        1.0 / 6.0,
        1.0 / 120.0,
        1.0 / 5040.0,
        1.0 / 362880.0,
        1.0 / 39916800.0,
        1.0 / 6227020800.0,
        1.0 / 1307674368000.0,
    ];
    let near = s.abs().lt(V::splat(0.5));
    let s_far = V::select(near, V::splat(1.0), s);
    let s2 = s * s;
    let sinhc_far = V::splat(0.5) * (e - e_inverse) / s_far;
    let value = V::select(near, horner::<V, 8>(&C, s2), sinhc_far);
    let slope = if SLOPE {
        let cosh = V::splat(0.5) * (e + e_inverse);
        let far = (cosh - sinhc_far) / s_far;
        V::select(near, V::splat(2.0) * s * horner_slope::<V, 8>(&C, s2), far)
    } else {
        V::splat(0.0)
    };
    (value, slope)
}

/// Runs the series and the recurrence; `slope` and `above` are good only if asked for.
#[inline(always)]
pub(super) fn values<V: F64s, const SLOPE: bool, const ABOVE: bool>(v: V, x: V) -> Values<V> {
    let (zero, one, half, two) = (V::splat(0.0), V::splat(1.0), V::splat(0.5), V::splat(2.0));
    let n = (v + half).floor();
    let mu = v - n;
    let mu2 = mu * mu;
    let s = V::splat(8.0).mul_add(mu2, -one);
    let (g1, g2) = (horner::<V, 8>(&GAMMA1, s), horner::<V, 8>(&GAMMA2, s));
    let csc = horner::<V, 16>(&PI_MU_OVER_SIN, s);
    let l = V::splat(LN_2_HI) - ln(x);
    let sigma = mu * l;
    let e = exp(sigma);
    let e_inverse = one / e;
    let (sinhc, dsinhc) = sinhc::<V, SLOPE>(sigma, e, e_inverse);
    let cosh = half * (e + e_inverse);
    let bracket = g1.mul_add(cosh, sinhc * l * g2);
    let mut f = csc * bracket;
    let (den_p, den_q) = (g2 - mu * g1, g2 + mu * g1);
    let (mut p, mut q) = (half * e / den_p, half * e_inverse / den_q);

    let (mut df, mut dp, mut dq) = (zero, zero, zero);
    if SLOPE {
        let ds = V::splat(16.0) * mu;
        let (dg1, dg2) = (ds * horner_slope::<V, 8>(&GAMMA1, s), ds * horner_slope::<V, 8>(&GAMMA2, s));
        let dcsc = ds * horner_slope::<V, 16>(&PI_MU_OVER_SIN, s);
        // cosh' = l sinh = l sigma sinhc.
        let dbracket = dg1 * cosh + g1 * (l * sigma * sinhc) + l * (l * dsinhc * g2 + sinhc * dg2);
        df = dcsc * bracket + csc * dbracket;
        dp = p * (l - (dg2 - g1 - mu * dg1) / den_p);
        dq = -(q * (l + (dg2 + g1 + mu * dg1) / den_q));
    }

    let y = V::splat(0.25) * x * x;
    let (mut k0, mut k1, mut k_minus1) = (f, p, q);
    let (mut dk0, mut dk1) = (df, dp);
    let mut c = one;
    for k in 1..=TERMS {
        let k = V::splat(k as f64);
        let den = one / (k * k - mu2);
        let (to_p, to_q) = ((k + mu) * den, (k - mu) * den); // 1/(k - mu), 1/(k + mu)
        let f_next = (k.mul_add(f, p) + q) * den;
        if SLOPE {
            df = ((k.mul_add(df, dp) + dq) + two * mu * f_next) * den;
        }
        f = f_next;
        p = p * to_p;
        q = q * to_q;
        if SLOPE {
            dp = (dp + p) * to_p;
            dq = (dq - q) * to_q;
        }
        c = c * y / k;
        k0 = c.mul_add(f, k0);
        k1 = c.mul_add(p - k * f, k1);
        k_minus1 = c.mul_add(q - k * f, k_minus1);
        if SLOPE {
            dk0 = c.mul_add(df, dk0);
            dk1 = c.mul_add(dp - k * df, dk1);
        }
    }

    let (mut a, mut b, mut da, mut db) = (k0, k1, dk0, dk1);
    let at_zero = n.lt(half);
    let mut out = Values {
        below: V::select(at_zero, k_minus1, k0),
        at: V::select(at_zero, k0, k1),
        slope: V::select(at_zero, dk0, dk1),
        above: k1,
        n,
        l,
    };
    // `above` takes one step past the largest n of the lanes.
    let last = n.reduce_max().min(MOST) as usize + ABOVE as usize;
    for j in 2..=last {
        let factor = mu + V::splat((j - 1) as f64);
        let next = factor.mul_add(b, y * a);
        if SLOPE {
            let dnext = factor.mul_add(db, y.mul_add(da, b));
            (da, db) = (db, dnext);
        }
        (a, b) = (b, next);
        let order = V::splat(j as f64);
        let here = n.eq(order);
        out.below = V::select(here, a, out.below);
        out.at = V::select(here, b, out.at);
        out.slope = V::select(here, db, out.slope);
        out.above = V::select(n.eq(order - one), b, out.above);
    }
    out
}
