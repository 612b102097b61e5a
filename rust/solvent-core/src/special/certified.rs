//! log I_v(x) and log K_v(x) with a bound on the absolute error of the value: truncation plus rounding.
//!
//! Units: U = 2^-53, half an ulp of 1. An elementary function of `solvent-simd` within 1 ulp is within 2 U relatively.
//! Where x86-64-v2 rounds a multiply-add twice, one more U is counted, so that one set of constants serves all levels.
//! The derivation, region by region, is in `docs/derivations/special.md`.

use solvent_simd::{F64s, Mask, ln, ln_normal, log1p_normal};

use super::domain::FAR;
use super::exponent::{DOUBLED_BELOW, Double, exponent_doubled};
use super::function::Function;
use super::logs::{LogIv, LogKv, outer_i, outer_k};
use super::outer::{DOUBLED, Outer};
use super::reflect;
use super::tables::debye::{SUM_ABS_Q_OVER_W, TRUNCATION_I, TRUNCATION_K};
use super::tables::inner_i::SERIES_TERMS;
use super::{inner_i, inner_k, temme};

/// 2^-53.
const U: f64 = f64::EPSILON / 2.0;
/// The bounds' own rounding: tens of operations on positive numbers.
const OWN: f64 = 1.0 + 1e-13;

/// log I_v(x) and its bound.
pub enum LogIvCertified {}

/// log K_v(x) and its bound.
pub enum LogKvCertified {}

/// The bound of the expansion in band `B`, from T, log(w)/2 and the value.
///
/// - T: x - z0 v 3.1 U, the quotient (numerator 2, denominator 3, division 1) 6, product 1: E within 10.1 U. Its
///   quotient by z0 x adds 2.1, asinh (condition <= 1) 5 and one more by log1p: 18.2 U on asinh, 19.2 on v asinh, one
///   addition of equal signs: 20.2, with two-rounding multiply-adds below 23 U of |T|. With twice the digits and beside
///   the line, the series of asinh stops 0.02 U short and x - z0 v is within 0.05 U where all but 2^-105 of it cancels;
///   the sum is never rounded.
/// - log(w)/2: ln 2 U and the 3 U of w^2 (a quarter counts), the constant one more; doubled, only the part below 1.
/// - S: Horner's rule on coefficients whose absolute sum is tabled, 40 operations deep at most, then its log1p.
/// - three additions: of T - log(w)/2, of the low parts, and of both.
#[inline(always)]
fn outer_bound<V: F64s, const B: usize>(
    truncation: f64,
    o: &Outer<V, B>,
    t: Double<V>,
    half_ln_w: Double<V>,
    value: V,
) -> V {
    let u = |c: f64| V::splat(c * U * OWN);
    let band = if B == FAR { 0 } else { B };
    let constant = truncation + U * (44.0 * SUM_ABS_Q_OVER_W[band] + 8.0);
    let size = if B == DOUBLED {
        let y = exponent_doubled(o.v, o.x).1;
        V::select(y.lt(V::splat(DOUBLED_BELOW)), u(0.07), u(24.0)) * t.hi.abs()
    } else {
        t.hi.abs().mul_add(u(24.0), half_ln_w.hi.abs() * u(5.0))
    };
    value.abs().mul_add(u(3.0), size + V::splat(constant * OWN))
}

impl Function for LogIvCertified {
    const PAIR: bool = true;
    const BOUNDED: bool = true;

    #[inline(always)]
    fn outer<V: F64s, const B: usize>(v: V, x: V) -> (V, V) {
        let o = Outer::<V, B>::new(v, x);
        let (t, h) = (o.exponent(), o.half_ln_w());
        let y = outer_i::<V, B>(t, h, o.sums().signed(1.0));
        let band = if B == FAR { 0 } else { B };
        (y, outer_bound(TRUNCATION_I[band], &o, t, h, y))
    }

    /// - Series: P and D share their factors f_k, so only the roundings of products and sums (3 a term on x86-64-v2) and
    ///   the perturbation of t_k by 4 k U (f_1..f_k and y^k) count; k averages at most 1 + x/2 over the terms. log1p
    ///   has condition <= P/(P + D) in P/D and adds 2 U of its value. The tail is below 2e-22.
    /// - Prefactor, v < 2: v log(x/2) with 3 U |log x| + U in the log; v >= 2: e x/(2v) - 1 within 3 U, log1p at
    ///   condition <= 1.44, so 8 U of the product; from logs (far) 2 U of each and three additions.
    /// - log Gamma parts: 8 U of their value (dropped terms 1.2e-17 included).
    /// - U of each partial sum.
    #[inline(always)]
    fn inner<V: F64s, const PIECE: usize>(v: V, x: V) -> (V, V) {
        let pre = inner_i::prefactor(v, x);
        let q = inner_i::series::<V, PIECE>(v, x);
        let c = log1p_normal(q);
        let y = pre.value + c;
        let n = SERIES_TERMS[PIECE] as f64;
        let share = q / (q + V::splat(1.0));
        let series = x.mul_add(V::splat(2.5), V::splat(3.0 * n + 11.0)) * share;
        // |log x| and |log v| beside v: the logs inside the power.
        let inside = ln(x)
            .abs()
            .mul_add(V::splat(3.0), ln_normal(V::splat(2.0).max(v)).mul_add(V::splat(2.0), V::splat(5.0)));
        let near = v.lt(V::splat(2.0)).not().and((x * V::splat(core::f64::consts::E)).ge(v));
        let logs = v * V::select(near, V::splat(0.0), inside);
        let scaled = pre.power.mul_add(V::splat(8.0), pre.gamma.mul_add(V::splat(9.0), series))
            + (logs + c.mul_add(V::splat(2.0), pre.value.abs()) + y.abs());
        (y, (scaled + V::splat(2.0)) * V::splat(U * OWN))
    }

    fn limit(v: f64, x: f64) -> (f64, f64) {
        at_limit(LogIv::limit(v, x).0)
    }

    fn negative(m: &[f64], x: &[f64], out: &mut [f64], bound: &mut [f64]) {
        reflect::certified_log_i(m, x, |i, y, b| (out[i], bound[i]) = (y, b));
    }
}

impl Function for LogKvCertified {
    const PAIR: bool = true;
    const BOUNDED: bool = true;

    #[inline(always)]
    fn outer<V: F64s, const B: usize>(v: V, x: V) -> (V, V) {
        let o = Outer::<V, B>::new(v, x);
        let (t, h) = (o.exponent(), o.half_ln_w());
        let y = outer_k::<V, B>(t, h, o.sums().signed(-1.0));
        let band = if B == FAR { 0 } else { B };
        (y, outer_bound(TRUNCATION_K[band], &o, t, h, y))
    }

    /// x > 1: the start carries the polynomials' rounding (a quarter of 2 (16 + 7) operations on coefficients of absolute
    /// sum about 1), 0.8 U of dropped terms, and at mu < 0 twice that after the first step; each step of the recurrence
    /// adds 5 U, all terms positive; exp, root and products 10 U; the log 2 U of its value.
    ///
    /// x <= 1: f_0 is a difference with amplification <= 3; log(2/x) is off by U (3 |log x| + 1) and a product rounds once more, which sigma = mu log(2/x)
    /// carries into the exponentials and n log(2/x) into the sum, and which f_0 sees relatively; each step 5 U.
    #[inline(always)]
    fn inner<V: F64s, const PIECE: usize>(v: V, x: V) -> (V, V) {
        let (y, scaled) = if PIECE == 0 {
            let k = temme::values::<V, false, false>(v, x);
            let log = ln_normal(k.at);
            let y = k.n.mul_add(k.l, log);
            let ln_x = k.l.abs() + V::splat(0.7);
            let per_log = V::splat(4.0) * (k.n + (v - k.n).abs());
            let steps = k.n.mul_add(V::splat(7.0), V::splat(100.0));
            (y, ln_x.mul_add(per_log, steps) + log.abs() * V::splat(2.0))
        } else {
            let k = inner_k::values::<V, PIECE, false, false>(v, x);
            let y = inner_k::log_of::<V, false>(k.at, x, k.u);
            (y, k.n.mul_add(V::splat(5.0), V::splat(48.0)) + y.abs())
        };
        (y, (scaled + y.abs() + V::splat(2.0)) * V::splat(U * OWN))
    }

    fn limit(v: f64, x: f64) -> (f64, f64) {
        at_limit(LogKv::limit(v, x).0)
    }
}

/// A limit is exact; nan has no error to bound.
fn at_limit(y: f64) -> (f64, f64) {
    (y, if y.is_nan() { y } else { 0.0 })
}

/// A region of the certified functions and what its bound rests on.
pub struct CertifiedRegion {
    /// `log_iv` or `log_kv`.
    pub function: &'static str,
    /// Where.
    pub region: &'static str,
    /// What the bound is made of.
    pub bounds: &'static str,
    /// Whether every part is proven; otherwise the bound is an estimate that no test point has exceeded.
    pub proven: bool,
}

/// Where the bounds of the certified functions are proven and where they are estimates.
///
/// Proven: the truncation parts are enclosed by `tools/prove_bessel_bounds.py`, the rounding parts are operation counts
/// (`docs/derivations/special.md`) over elementary functions that were tested, not proven, to their ulps. Where a count
/// rests on sampled condition numbers the bound is called an estimate; no test point has exceeded it.
pub fn certified_regions() -> [CertifiedRegion; 6] {
    let row = |function, region, bounds, proven| CertifiedRegion { function, region, bounds, proven };
    [
        row(
            "log_iv",
            "v >= 0, hypot(v, x) >= 25",
            "truncation <= 4.89e-17 (theorem I) + operation count",
            true,
        ),
        row("log_iv", "v >= 0, hypot(v, x) < 25", "tail of the series + operation count", true),
        row("log_iv", "v < 0", "both terms of the reflection, with its condition", false),
        row("log_kv", "hypot(v, x) >= 25", "truncation <= 4.51e-17 (theorem K) + operation count", true),
        row(
            "log_kv",
            "hypot(v, x) < 25, x > 1",
            "errors of the tables + operation count of the recurrence",
            true,
        ),
        row("log_kv", "hypot(v, x) < 25, x <= 1", "tail of Temme's series + sampled amplification", false),
    ]
}
