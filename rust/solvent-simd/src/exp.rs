//! The exponential.

use crate::lanes::F64s;

const LOG2_E: f64 = core::f64::consts::LOG2_E;
/// ln 2 in two parts: the first has 32 trailing zero bits, so that `n LN2_HI` is exact for |n| < 2^20.
const LN2_HI: f64 = 0.693_147_180_369_123_8;
const LN2_LO: f64 = 1.908_214_929_270_587_7e-10;

/// Coefficients of `(e^r - 1 - r)/r^2` on |r| <= ln(2)/2, from r^0: Taylor's, good to 2^-58 with twelve of them.
const POLY: [f64; 12] = [
    1.0 / 2.0,
    1.0 / 6.0,
    1.0 / 24.0,
    1.0 / 120.0,
    1.0 / 720.0,
    1.0 / 5040.0,
    1.0 / 40320.0,
    1.0 / 362880.0,
    1.0 / 3628800.0,
    1.0 / 39916800.0,
    1.0 / 479001600.0,
    1.0 / 6227020800.0,
];

/// e^x within 1 ulp. Below -745.14 it is 0 and above 709.79 inf, both at the cost of any other argument; nan is nan.
#[inline(always)]
pub fn exp<V: F64s>(x: V) -> V {
    // Clamping by `limit.max(x)` keeps nan, as min and max return their second operand then.
    let t = V::splat(-800.0).max(V::splat(800.0).min(x));
    let n = (t * V::splat(LOG2_E)).round();
    let r = n.mul_add(V::splat(-LN2_LO), n.mul_add(V::splat(-LN2_HI), t));
    let r2 = r * r;
    // Even and odd halves run side by side.
    let c = |i: usize| V::splat(POLY[i]);
    let even =
        c(10).mul_add(r2, c(8)).mul_add(r2, c(6)).mul_add(r2, c(4)).mul_add(r2, c(2)).mul_add(r2, c(0));
    let odd = c(11).mul_add(r2, c(9)).mul_add(r2, c(7)).mul_add(r2, c(5)).mul_add(r2, c(3)).mul_add(r2, c(1));
    let p = odd.mul_add(r, even).mul_add(r2, r) + V::splat(1.0);
    p.ldexp(n)
}
