//! Short numbers: nonnegative ones below 2 in sixteen bits, five of exponent and eleven of fraction.
//!
//! As precise as 2^-12 from 2^-30 on, and 0 below. A shift makes a single of one, but for the bias of the exponent: that is
//! a multiplication. No subnormal comes up on the way.

use crate::lanes::F32s;

/// 2^96, between the biases.
const BIAS: f32 = 79_228_162_514_264_337_593_543_950_336.0;
/// Fraction bits that are left out.
const SHIFT: u32 = 12;
/// 2^-30: what is less becomes 0.
const LEAST: f32 = 1.0 / 1_073_741_824.0;

/// Rounds to nearest; `0 <= x <= 1`.
#[inline(always)]
pub fn to_short(x: f32) -> u16 {
    let bits = (if x < LEAST { 0.0 } else { x } * (1.0 / BIAS)).to_bits();
    ((bits + (1 << (SHIFT - 1))) >> SHIFT) as u16
}

/// The number, exactly.
#[inline(always)]
pub fn from_short(x: u16) -> f32 {
    f32::from_bits((x as u32) << SHIFT) * BIAS
}

/// Reads the first `LANES` numbers of `a`. Panics if there are fewer.
#[inline(always)]
pub fn load_short<V: F32s>(a: &[u16]) -> V {
    let mut wide = [0.0; 32];
    let a = &a[..V::LANES];
    for i in 0..V::LANES {
        wide[i] = from_short(a[i]);
    }
    V::load(&wide[..V::LANES])
}

/// Writes the lanes, rounded as by [`to_short`], over the first `LANES` values of `out`. Panics if there are fewer.
#[inline(always)]
pub fn store_short<V: F32s>(v: V, out: &mut [u16]) {
    let mut wide = [0.0; 32];
    v.store(&mut wide[..V::LANES]);
    let out = &mut out[..V::LANES];
    for i in 0..V::LANES {
        out[i] = to_short(wide[i]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounds_to_nearest() {
        assert_eq!((to_short(0.0), from_short(0), to_short(1e-10)), (0, 0.0, 0));
        assert_eq!(from_short(to_short(1.0)), 1.0);
        let mut x = 1.0_f32;
        while x > LEAST {
            let back = from_short(to_short(x));
            assert!((back - x).abs() <= x / 4096.0, "{x:e} {back:e}");
            assert_eq!(from_short(to_short(back)), back);
            x *= 0.999_3;
        }
        // All of them, in order.
        assert!((0x800..u16::MAX).all(|h| to_short(from_short(h)) == h && from_short(h) < from_short(h + 1)));
    }
}
