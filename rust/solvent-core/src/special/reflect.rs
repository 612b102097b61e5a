//! Negative orders of I: `I_{-m} = I_m + (2/pi) sin(pi m) K_m` (DLMF 10.27.2).

use super::block::{BLOCK, evaluate};
use super::certified::{LogIvCertified, LogKvCertified};
use super::logs::{LogIve, LogIvk, LogKve};
use super::tables::exponent::LN_2_OVER_PI;

/// 2^-53.
const U: f64 = f64::EPSILON / 2.0;

/// I at a negative order.
#[derive(Clone, Copy)]
pub(super) struct Reflected {
    pub log_abs: f64,
    pub sign: f64,
    /// log of the second summand of I_{-m} less that of the first.
    pub lead: f64,
}

impl Reflected {
    /// The log where I is positive, nan where it is not.
    pub fn real(self) -> f64 {
        if self.sign < 0.0 { f64::NAN } else { self.log_abs }
    }
}

/// sin(pi m) for m >= 0, with the reduction exact.
pub(super) fn sinpi(m: f64) -> f64 {
    let t = m.rem_euclid(2.0); // exact
    let (t, sign) = if t >= 1.0 { (t - 1.0, -1.0) } else { (t, 1.0) };
    let t = if t > 0.5 { 1.0 - t } else { t };
    // Beyond 1/4 the cosine keeps the argument small.
    let s =
        if t > 0.25 { (core::f64::consts::PI * (0.5 - t)).cos() } else { (core::f64::consts::PI * t).sin() };
    sign * s
}

/// cos(pi m), likewise.
pub(super) fn cospi(m: f64) -> f64 {
    sinpi(m.rem_euclid(2.0) + 0.5)
}

/// Combines a = log I_m and b = log K_m at one point.
pub(super) fn combine(m: f64, a: f64, b: f64) -> Reflected {
    let s = sinpi(m);
    if s == 0.0 {
        return Reflected { log_abs: a, sign: 1.0, lead: f64::NEG_INFINITY };
    }
    let b = b + (LN_2_OVER_PI + s.abs().ln());
    let (high, gap) = (a.max(b), (a - b).abs());
    if s > 0.0 {
        Reflected { log_abs: high + (-gap).exp().ln_1p(), sign: 1.0, lead: b - a }
    } else if a == b {
        Reflected { log_abs: f64::NEG_INFINITY, sign: 0.0, lead: 0.0 }
    } else {
        let log_abs = high + ln_1m_exp(gap);
        Reflected { log_abs, sign: if a > b { 1.0 } else { -1.0 }, lead: b - a }
    }
}

/// log(1 - e^-g), g > 0.
fn ln_1m_exp(g: f64) -> f64 {
    if g < core::f64::consts::LN_2 { (-(-g).exp_m1()).ln() } else { (-(-g).exp()).ln_1p() }
}

/// Calls `put(i, I_{-m[i]}(x[i]))` for every i.
pub(super) fn log_i(m: &[f64], x: &[f64], mut put: impl FnMut(usize, Reflected)) {
    let (mut a, mut b) = ([0.0; BLOCK], [0.0; BLOCK]);
    let n = m.len();
    evaluate::<LogIvk>(m, x, &mut a[..n], &mut b[..n]);
    for i in 0..n {
        put(i, combine(m[i], a[i], b[i]));
    }
}

/// As [`log_i`], of I_{-m}(x) e^-x: the second summand is `K_m e^x` times e^-2x.
pub(super) fn log_i_scaled(m: &[f64], x: &[f64], mut put: impl FnMut(usize, Reflected)) {
    let (mut a, mut b) = ([0.0; BLOCK], [0.0; BLOCK]);
    let n = m.len();
    evaluate::<LogIve>(m, x, &mut a[..n], &mut []);
    evaluate::<LogKve>(m, x, &mut b[..n], &mut []);
    for i in 0..n {
        put(i, combine(m[i], a[i], b[i] - 2.0 * x[i]));
    }
}

/// Calls `put(i, value, bound)` for log |I_{-m[i]}(x[i])| and every i; the value is nan where I is negative, the bound
/// infinite where the sign is undecided.
pub(super) fn certified_log_i(m: &[f64], x: &[f64], mut put: impl FnMut(usize, f64, f64)) {
    let n = m.len();
    let [mut a, mut a_bound, mut b, mut b_bound] = [[0.0; BLOCK]; 4];
    evaluate::<LogIvCertified>(m, x, &mut a[..n], &mut a_bound[..n]);
    evaluate::<LogKvCertified>(m, x, &mut b[..n], &mut b_bound[..n]);
    for i in 0..n {
        let r = combine(m[i], a[i], b[i]);
        let s = sinpi(m[i]);
        if s == 0.0 {
            put(i, r.log_abs, a_bound[i]);
            continue;
        }
        let scaled = b[i] + LN_2_OVER_PI + s.abs().ln();
        // sinpi, its log and two additions beside the bound of log K; then of both parts together.
        let slack = U * (8.0 + 2.0 * s.abs().ln().abs() + 2.0 * b[i].abs() + 2.0 * scaled.abs());
        let (bound_a, bound_b) = (a_bound[i], b_bound[i] + slack);
        let last = 4.0 * U * (1.0 + r.log_abs.abs());
        let bound = if s > 0.0 {
            bound_a.max(bound_b) + last
        } else {
            let gap = (a[i] - scaled).abs();
            let delta = bound_a + bound_b + 4.0 * U * (1.0 + a[i].abs() + scaled.abs());
            if gap <= delta {
                f64::INFINITY
            } else {
                // The slope of log(1 - e^-g) is 1/(e^g - 1) <= 1/g: over [gap - delta, gap] that integrates to
                // -log(1 - delta/gap).
                let larger = if a[i] > scaled { bound_a } else { bound_b };
                larger - (-(delta / gap)).ln_1p() + last
            }
        };
        if r.sign < 0.0 && bound < f64::INFINITY {
            put(i, f64::NAN, f64::NAN);
        } else {
            put(i, r.log_abs, bound * (1.0 + 1e-12));
        }
    }
}
