//! What a lane holds: `f64` or `f32`, with the constants that the elementary functions need at its precision.

use crate::tables as t;

/// `f64` or `f32`.
pub trait Real: Copy + PartialOrd + 'static {
    /// 0.
    const ZERO: Self;
    /// 1.
    const ONE: Self;
    /// Infinity.
    const INFINITY: Self;
    /// Not a number.
    const NAN: Self;
    /// `a`, rounded.
    fn of(a: f64) -> Self;

    /// 2^27 + 1 or 2^12 + 1: splits a number in two halves.
    const SPLIT: Self;
    /// Beyond this the splitting may overflow.
    const SPLIT_LIMIT: Self;
    /// Brings a number below that, and back.
    const SPLIT_DOWN: Self;
    /// The inverse of `SPLIT_DOWN`.
    const SPLIT_UP: Self;

    /// Least normal number.
    const MIN_NORMAL: Self;
    /// Bits of the significand.
    const DIGITS: i32;
    /// e^x is 0 below the negative of this, and inf above it.
    const EXP_LIMIT: Self;
    /// e^x is inf above this, and 2^(x/ln 2 - 1) is not.
    const EXP_TOP: Self;

    /// ln 2, its leading bits.
    const LN2_HI: Self;
    /// The rest of ln 2.
    const LN2_LO: Self;
    /// pi less its rounded value.
    const PI_LO: Self;
    /// pi in half the bits.
    const PI_HEAD: Self;
    /// The rest of pi.
    const PI_TAIL: Self;
    /// From here on lgamma and digamma are Stirling's series.
    const FAR: Self;
    /// How many steps of the recurrence lead from there to their polynomials.
    const SHIFTS: i32;
    /// 1/e.
    const RECIPROCAL_E: Self;
    /// `(ln(2 pi) - 1)/2`.
    const STIRLING_0: Self;
    /// Reciprocals near 1/m.
    const LN_RECIPROCAL: [Self; 16];
    /// Minus their logarithms.
    const LN_TABLE: [Self; 16];

    /// `(e^r - 1 - r)/r^2`.
    const EXP: &'static [Self];
    /// `(2^r - 1)/r`, |r| <= 1/2.
    const EXP2: &'static [Self];
    /// The same, |r| <= 1/32.
    const EXP2_NEAR: &'static [Self];
    /// `2^(i/16)`.
    const EXP2_TABLE: [Self; 16];
    /// Below 2^-this, [`exp2`](crate::exp2) is 0.
    const EXP2_LIMIT: Self;
    /// `(ln((1 + s)/(1 - s))/s - 2)/s^2` in `s^2`.
    const LN: &'static [Self];
    /// `(ln(1 + f) - f)/f^2`.
    const LN_NEAR: &'static [Self];
    /// `(sin(pi r)/r - pi)/r^2` in `r^2`.
    const SINPI: &'static [Self];
    /// `(cos(pi r) - 1)/r^2` in `r^2`.
    const COSPI: &'static [Self];
    /// `lgamma(2 + t)/t`.
    const LGAMMA: &'static [Self];
    /// `digamma(3/2 + t)`.
    const DIGAMMA: &'static [Self];
    /// What Stirling's formula lacks, times x, in `1/x^2`.
    const STIRLING: &'static [Self];
    /// `(ln(x) - 1/(2 x) - digamma(x)) x^2` in `1/x^2`.
    const DIGAMMA_FAR: &'static [Self];
}

macro_rules! real {
    ($t:ident, split $split:literal $limit:literal $step:literal, exp $exp:literal $top:literal; $($name:ident = $value:expr;)*) => {
        impl Real for $t {
            const ZERO: $t = 0.0;
            const ONE: $t = 1.0;
            const INFINITY: $t = $t::INFINITY;
            const NAN: $t = $t::NAN;
            #[inline(always)]
            fn of(a: f64) -> $t {
                a as $t
            }
            const SPLIT: $t = $split;
            const SPLIT_LIMIT: $t = $limit;
            const SPLIT_DOWN: $t = 1.0 / $step;
            const SPLIT_UP: $t = $step;
            const MIN_NORMAL: $t = $t::MIN_POSITIVE;
            const DIGITS: i32 = $t::MANTISSA_DIGITS as i32;
            const EXP_LIMIT: $t = $exp;
            const EXP_TOP: $t = $top;
            $(const $name: real!(@type $name $t) = $value;)*
        }
    };
    (@type EXP2_TABLE $t:ident) => { [$t; 16] };
    (@type EXP2_LIMIT $t:ident) => { $t };
    (@type LN_RECIPROCAL $t:ident) => { [$t; 16] };
    (@type LN_TABLE $t:ident) => { [$t; 16] };
    (@type LN2_HI $t:ident) => { $t };
    (@type LN2_LO $t:ident) => { $t };
    (@type PI_LO $t:ident) => { $t };
    (@type PI_HEAD $t:ident) => { $t };
    (@type PI_TAIL $t:ident) => { $t };
    (@type FAR $t:ident) => { $t };
    (@type SHIFTS $t:ident) => { i32 };
    (@type RECIPROCAL_E $t:ident) => { $t };
    (@type STIRLING_0 $t:ident) => { $t };
    (@type $name:ident $t:ident) => { &'static [$t] };
}

real! {
    f64, split 134217729.0 1e299 1152921504606846976.0, exp 800.0 710.0;
    LN2_HI = t::LN2_HI_F64;
    LN2_LO = t::LN2_LO_F64;
    PI_LO = t::PI_LO_F64;
    PI_HEAD = t::PI_HEAD_F64;
    PI_TAIL = t::PI_TAIL_F64;
    FAR = t::FAR_F64;
    SHIFTS = t::FAR_F64 as i32 - 2;
    RECIPROCAL_E = t::RECIPROCAL_E_F64;
    STIRLING_0 = t::STIRLING_0_F64;
    LN_RECIPROCAL = t::LN_RECIPROCAL_F64;
    LN_TABLE = t::LN_TABLE_F64;
    EXP = &t::EXP_F64;
    EXP2 = &t::EXP2_F64;
    EXP2_NEAR = &t::EXP2_NEAR_F64;
    EXP2_TABLE = t::EXP2_TABLE_F64;
    EXP2_LIMIT = 1021.0;
    LN = &t::LN_F64;
    LN_NEAR = &t::LN_NEAR_F64;
    SINPI = &t::SINPI_F64;
    COSPI = &t::COSPI_F64;
    LGAMMA = &t::LGAMMA_F64;
    DIGAMMA = &t::DIGAMMA_F64;
    STIRLING = &t::STIRLING_F64;
    DIGAMMA_FAR = &t::DIGAMMA_FAR_F64;
}
real! {
    f32, split 4097.0 1e34 1073741824.0, exp 110.0 89.0;
    LN2_HI = t::LN2_HI_F32;
    LN2_LO = t::LN2_LO_F32;
    PI_LO = t::PI_LO_F32;
    PI_HEAD = t::PI_HEAD_F32;
    PI_TAIL = t::PI_TAIL_F32;
    FAR = t::FAR_F32;
    SHIFTS = t::FAR_F32 as i32 - 2;
    RECIPROCAL_E = t::RECIPROCAL_E_F32;
    STIRLING_0 = t::STIRLING_0_F32;
    LN_RECIPROCAL = t::LN_RECIPROCAL_F32;
    LN_TABLE = t::LN_TABLE_F32;
    EXP = &t::EXP_F32;
    EXP2 = &t::EXP2_F32;
    EXP2_NEAR = &t::EXP2_NEAR_F32;
    EXP2_TABLE = t::EXP2_TABLE_F32;
    EXP2_LIMIT = 125.0;
    LN = &t::LN_F32;
    LN_NEAR = &t::LN_NEAR_F32;
    SINPI = &t::SINPI_F32;
    COSPI = &t::COSPI_F32;
    LGAMMA = &t::LGAMMA_F32;
    DIGAMMA = &t::DIGAMMA_F32;
    STIRLING = &t::STIRLING_F32;
    DIGAMMA_FAR = &t::DIGAMMA_FAR_F32;
}
