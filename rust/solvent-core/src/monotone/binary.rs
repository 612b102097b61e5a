//! Powers of two: scaling that rounds nothing.

/// `x 2^e`, rounded once, for |e| <= 2200.
pub fn ldexp(x: f64, e: i32) -> f64 {
    let mut x = x;
    let mut left = e;
    while left != 0 {
        let step = left.clamp(-1000, 1000);
        // Downwards the last step alone may round: the ones before stay among the normal numbers or are 0 anyway.
        x *= 2f64.powi(step);
        left -= step;
    }
    x
}

/// e with `2^e <= x < 2^(e+1)`; 0 for 0.
pub fn exponent_of(x: f64) -> i32 {
    match x {
        0.0 => 0,
        x if x < f64::MIN_POSITIVE => exponent_of(x * 2f64.powi(200)) - 200,
        x => ((x.to_bits() >> 52) & 0x7ff) as i32 - 1023,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn powers_of_two_over_the_whole_range() {
        for e in [-1074, -1022, -1021, -3, 0, 1, 1023] {
            assert_eq!(exponent_of(ldexp(1.0, e)), e);
            assert_eq!(ldexp(ldexp(1.0, e), -e), 1.0);
        }
        assert_eq!((exponent_of(1.75), exponent_of(0.0), exponent_of(f64::MAX)), (0, 0, 1023));
        assert_eq!(ldexp(3.0, 2100), f64::INFINITY);
    }
}
