//! `ln` and `exp` in plain IEEE arithmetic, for random numbers only: the platform's own differ in the last
//! bit from system to system, and one flipped comparison would change a whole stream. Both are the classical
//! fdlibm kernels (Sun Microsystems, 1993; freely distributable), error below 1 ulp.

// The splitting of ln 2 keeps 33 bits in the head: k · LN2_HIGH is exact.
const LN2_HIGH: f64 = 6.93147180369123816490e-01;
const LN2_LOW: f64 = 1.90821492927058770002e-10;

/// Natural logarithm of a positive normal number.
pub(super) fn ln(x: f64) -> f64 {
    const L: [f64; 7] = [
        6.666666666666735130e-01,
        3.999999999940941908e-01,
        2.857142874366239149e-01,
        2.222219843214978396e-01,
        1.818357216161805012e-01,
        1.531383769920937332e-01,
        1.479819860511658591e-01,
    ];
    // x = 2^k m with m in [sqrt(1/2), sqrt(2)).
    let shifted = (x.to_bits() >> 32) as i64 + (0x3ff0_0000 - 0x3fe6_a09e);
    let k = ((shifted >> 20) - 0x3ff) as f64;
    let high = ((shifted & 0x000f_ffff) + 0x3fe6_a09e) as u64;
    let f = f64::from_bits(high << 32 | x.to_bits() & 0xffff_ffff) - 1.0;
    let half_square = 0.5 * f * f;
    let s = f / (2.0 + f);
    let z = s * s;
    let w = z * z;
    let even = w * (L[1] + w * (L[3] + w * L[5]));
    let odd = z * (L[0] + w * (L[2] + w * (L[4] + w * L[6])));
    s * (half_square + (odd + even)) + k * LN2_LOW - half_square + f + k * LN2_HIGH
}

/// Exponential of a number `<= 0`; results below the normal range are 0.
pub(super) fn exp_negative(x: f64) -> f64 {
    const P: [f64; 5] = [
        1.66666666666666019037e-01,
        -2.77777777770155933842e-03,
        6.61375632143793436117e-05,
        -1.65339022054652515390e-06,
        4.13813679705723846039e-08,
    ];
    if x < -708.0 {
        return 0.0;
    }
    let k = (x * std::f64::consts::LOG2_E - 0.5) as i64;
    let (high, low) = (x - k as f64 * LN2_HIGH, k as f64 * LN2_LOW);
    let r = high - low;
    let square = r * r;
    let c = r - square * (P[0] + square * (P[1] + square * (P[2] + square * (P[3] + square * P[4]))));
    let y = 1.0 + (r * c / (2.0 - c) - low + high);
    y * f64::from_bits(((1023 + k) as u64) << 52)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn ln_agrees_with_the_platform(e in -1022.0..1023.0_f64, m in 1.0..2.0_f64) {
            let x = m * 2f64.powi(e as i32);
            prop_assert!((ln(x) - x.ln()).abs() <= 2.3e-16 * x.ln().abs());
        }

        #[test]
        fn exp_agrees_with_the_platform(x in -708.0..0.0_f64) {
            prop_assert!((exp_negative(x) - x.exp()).abs() <= 2.3e-16 * x.exp());
        }
    }

    #[test]
    fn known_values() {
        assert_eq!((ln(1.0), ln(2.0), exp_negative(0.0)), (0.0, std::f64::consts::LN_2, 1.0));
        assert_eq!((exp_negative(-709.0), exp_negative(f64::NEG_INFINITY)), (0.0, 0.0));
    }
}
