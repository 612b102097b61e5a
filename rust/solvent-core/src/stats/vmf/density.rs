//! The normaliser and what follows from it.
//!
//! With v = d/2 - 1 the density at a unit x is `C_d(kappa) exp(kappa mu.x)`,
//! `log C_d(kappa) = v log kappa - (v+1) log 2 pi - log I_v(kappa)`.
//! Everything here is built on `log C_d(kappa) + kappa`, the log-density at the mode: for large kappa the e^kappa of
//! I_v and of the density cancel, and only the scaled form leaves no trace of them in the rounding.

use std::f64::consts::{LN_2, PI};

use super::variance::variance;
use crate::special::scalar::{iv_ratio, iv_ratio_c, log_ive};

const LN_PI: f64 = 1.144_729_885_849_400_2;
const LN_2PI: f64 = 1.837_877_066_409_345_5;

/// log Gamma(d/2): a product up to d = 40, then Stirling's series, whose first omitted term is below 1e-17.
pub fn ln_gamma_half(d: usize) -> f64 {
    let z = 0.5 * d as f64;
    if d <= 40 {
        let mut product = if d.is_multiple_of(2) { 1.0 } else { PI.sqrt() };
        let mut step = if d.is_multiple_of(2) { 1.0 } else { 0.5 };
        while step < z {
            product *= step;
            step += 1.0;
        }
        return product.ln();
    }
    let u = 1.0 / z;
    let u2 = u * u;
    let tail = u
        * (1.0 / 12.0
            - u2 * (1.0 / 360.0
                - u2 * (1.0 / 1260.0 - u2 * (1.0 / 1680.0 - u2 * (1.0 / 1188.0 - u2 * 691.0 / 360_360.0)))));
    (z - 0.5) * z.ln() - z + 0.5 * LN_2PI + tail
}

/// log C_d(0): minus the log of the area of the sphere in `d` dimensions.
pub fn log_uniform(d: usize) -> f64 {
    ln_gamma_half(d) - LN_2 - 0.5 * d as f64 * LN_PI
}

/// log 0F1(; d/2; kappa^2/4) for kappa^2 < d/2, where the series falls by a factor of 4 or more a term.
fn log_0f1(d: usize, kappa: f64) -> f64 {
    let (y, b) = (0.25 * kappa * kappa, 0.5 * d as f64);
    let (mut term, mut sum) = (1.0, 0.0);
    for k in 0..28 {
        let k = k as f64;
        term *= y / ((k + 1.0) * (b + k));
        sum += term;
        if term < 1e-18 * sum {
            break;
        }
    }
    sum.ln_1p()
}

/// log C_d(kappa) + kappa, the log-density at the mode, for `d >= 2` and finite `kappa >= 0`.
///
/// Below kappa^2 = d/2 it is `log C_d(0) - log 0F1`, which has no cancellation as kappa goes to 0; for d = 3 it is
/// `-log 2 pi - log((1 - e^(-2 kappa))/kappa)`.
pub fn log_peak(d: usize, kappa: f64) -> f64 {
    let v = 0.5 * d as f64 - 1.0;
    if kappa * kappa < v + 1.0 {
        log_uniform(d) - log_0f1(d, kappa) + kappa
    } else if d == 3 {
        kappa.ln() - LN_2PI - (-(-2.0 * kappa).exp_m1()).ln()
    } else {
        v * kappa.ln() - (v + 1.0) * LN_2PI - log_ive(v, kappa)
    }
}

/// log C_d(kappa).
pub fn log_norm(d: usize, kappa: f64) -> f64 {
    if kappa * kappa < 0.5 * d as f64 {
        log_uniform(d) - log_0f1(d, kappa)
    } else {
        log_peak(d, kappa) - kappa
    }
}

/// A_d(kappa) = I_{d/2}(kappa)/I_{d/2-1}(kappa), the mean of mu.x.
pub fn mean_resultant_length(d: usize, kappa: f64) -> f64 {
    iv_ratio(0.5 * d as f64, kappa)
}

/// The differential entropy -E log f = -log C_d(kappa) - kappa A_d(kappa), through `kappa (1 - A_d)`, which stays
/// near (d-1)/2 where kappa itself grows without limit.
pub fn entropy(d: usize, kappa: f64) -> f64 {
    if kappa * kappa < 0.5 * d as f64 {
        return -log_norm(d, kappa) - kappa * mean_resultant_length(d, kappa);
    }
    kappa * iv_ratio_c(0.5 * d as f64, kappa) - log_peak(d, kappa)
}

/// Nodes and weights of Gauss-Legendre on [0, 1], 16 points; the nodes above 1/2 mirror those below.
const GAUSS: [(f64, f64); 8] = [
    (0.005_299_532_504_175_031, 0.013_576_229_705_877_047),
    (0.027_712_488_463_383_71, 0.031_126_761_969_323_946),
    (0.067_184_398_806_084_13, 0.047_579_255_841_246_39),
    (0.122_297_795_822_498_5, 0.062_314_485_627_766_94),
    (0.191_061_877_798_678_1, 0.074_797_994_408_288_37),
    (0.270_991_611_171_386_3, 0.084_578_259_697_501_27),
    (0.359_198_224_610_370_54, 0.091_301_707_522_461_8),
    (0.452_493_745_081_181_3, 0.094_725_305_227_534_25),
];

/// Beyond this kappa no dimension counts beside it.
const LARGE: f64 = 1e100;

/// KL(first || second) in nats, `chord2` = |mu - mu2|^2.
///
/// `KL = A(k1) k2 (1 - mu.mu2) + B`, where 1 - mu.mu2 = chord2/2 and B = int_{k1}^{k2} (k2 - t) A'(t) dt is the Bregman
/// distance of the convex function -log C_d. Both are sums of positive terms, so nothing cancels: KL is >= 0, is
/// exactly 0 at equality and keeps its relative accuracy beside it. A' is analytic within v of the real axis, so that
/// 16 nodes are exact to rounding while k1 and k2 differ by at most a factor of 2 or by half of d/2; for a larger gap
/// B is the difference of logs, which then are no longer close.
pub fn kl_divergence(d: usize, k1: f64, k2: f64, chord2: f64) -> f64 {
    let gap = k2 - k1;
    let turn = if k1 > 0.0 && k2 > 0.0 { 0.5 * chord2 * mean_resultant_length(d, k1) * k2 } else { 0.0 };
    if gap == 0.0 {
        return turn;
    }
    let bregman = if gap.abs() <= k1.min(k2).max(0.25 * d as f64) {
        // gap^2 A'(k), of which the one factor overflows and the other vanishes for large k: A' is (d - 1)/(2 k^2) there.
        let at = |s: f64| {
            let k = k1 + s * gap;
            let spread = if k > LARGE {
                0.5 * (d as f64 - 1.0) * (gap / k).powi(2)
            } else {
                gap * gap * variance(d, k)
            };
            (1.0 - s) * spread
        };
        GAUSS.iter().map(|&(s, w)| w * (at(s) + at(1.0 - s))).sum::<f64>()
    } else {
        let c1 = iv_ratio_c(0.5 * d as f64, k1);
        log_peak(d, k1) - log_peak(d, k2) + gap * c1
    };
    turn + bregman.max(0.0)
}

#[cfg(test)]
mod tests {
    use approx::assert_relative_eq;

    use super::*;

    #[test]
    fn log_gamma_joins_its_two_branches() {
        // Gamma(20) = 19!, Gamma(20.5) = Gamma(19.5) 19.5; log Gamma(41/2) from the recurrence.
        assert_relative_eq!(ln_gamma_half(40), 39.339_884_187_199_49, max_relative = 1e-15);
        let below = ln_gamma_half(39) + 19.5f64.ln();
        assert_relative_eq!(ln_gamma_half(41), below, max_relative = 1e-15);
    }

    #[test]
    fn the_uniform_density_is_one_over_the_area() {
        assert_relative_eq!(log_norm(2, 0.0), -(2.0 * PI).ln(), max_relative = 1e-15);
        assert_relative_eq!(log_norm(3, 0.0), -(4.0 * PI).ln(), max_relative = 1e-15);
        assert_relative_eq!(log_norm(4, 0.0), -(2.0 * PI * PI).ln(), max_relative = 1e-15);
    }

    #[test]
    fn the_two_branches_meet_at_kappa_squared_equal_half_d() {
        for d in [2, 3, 5, 64, 1001, 131_072] {
            let seam = (0.5 * d as f64).sqrt();
            let (below, above) = (seam * (1.0 - 1e-14), seam * (1.0 + 1e-14));
            assert_relative_eq!(log_norm(d, below), log_norm(d, above), max_relative = 1e-13);
        }
    }

    #[test]
    fn kl_is_zero_at_equality_and_quadratic_beside_it() {
        for d in [2, 3, 100, 4096] {
            let k = d as f64;
            assert_eq!(kl_divergence(d, k, k, 0.0), 0.0);
            let h = 1e-7 * k;
            let near = kl_divergence(d, k, k + h, 0.0);
            assert_relative_eq!(near, 0.5 * h * h * variance(d, k), max_relative = 1e-6);
        }
    }
}
