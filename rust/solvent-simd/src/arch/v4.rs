//! AVX-512: eight doubles a register.

use core::arch::x86_64::*;

use crate::lanes::{F64s, Mask, Simd};

/// x86-64-v4.
#[derive(Clone, Copy)]
pub struct V4;

impl Simd for V4 {
    type F64 = F64x8;
}

/// Eight doubles.
#[derive(Clone, Copy)]
#[repr(transparent)]
pub struct F64x8(__m512d);

/// One bit a lane.
#[derive(Clone, Copy)]
pub struct Mask8(__mmask8);

super::operators!(
    F64x8,
    _mm512_add_pd,
    _mm512_sub_pd,
    _mm512_mul_pd,
    _mm512_div_pd,
    _mm512_xor_pd,
    _mm512_set1_pd,
    -0.0
);

impl Mask for Mask8 {
    #[inline(always)]
    fn and(self, o: Self) -> Self {
        Self(self.0 & o.0)
    }
    #[inline(always)]
    fn or(self, o: Self) -> Self {
        Self(self.0 | o.0)
    }
    #[inline(always)]
    fn not(self) -> Self {
        Self(!self.0)
    }
    #[inline(always)]
    fn any(self) -> bool {
        self.0 != 0
    }
    #[inline(always)]
    fn all(self) -> bool {
        self.0 == 0xff
    }
    #[inline(always)]
    fn bits(self) -> u32 {
        self.0 as u32
    }
}

// SAFETY of every block below: the type exists only inside `dispatch`, which proved the features; loads, stores and
// gathers check their bounds first.
#[allow(clippy::undocumented_unsafe_blocks, reason = "one argument for all, given above")]
impl F64s for F64x8 {
    type Mask = Mask8;
    const LANES: usize = 8;

    #[inline(always)]
    fn splat(a: f64) -> Self {
        Self(unsafe { _mm512_set1_pd(a) })
    }
    #[inline(always)]
    fn load(a: &[f64]) -> Self {
        assert!(a.len() >= 8);
        Self(unsafe { _mm512_loadu_pd(a.as_ptr()) })
    }
    #[inline(always)]
    fn store(self, out: &mut [f64]) {
        assert!(out.len() >= 8);
        unsafe { _mm512_storeu_pd(out.as_mut_ptr(), self.0) }
    }
    #[inline(always)]
    fn load_f32(a: &[f32]) -> Self {
        assert!(a.len() >= 8);
        Self(unsafe { _mm512_cvtps_pd(_mm256_loadu_ps(a.as_ptr())) })
    }
    #[inline(always)]
    fn store_f32(self, out: &mut [f32]) {
        assert!(out.len() >= 8);
        unsafe { _mm256_storeu_ps(out.as_mut_ptr(), _mm512_cvtpd_ps(self.0)) }
    }
    #[inline(always)]
    fn gather(table: &[f64], index: &[u32]) -> Self {
        assert!(index.len() >= 8 && table.len() <= i32::MAX as usize);
        unsafe {
            let i = _mm256_loadu_si256(index.as_ptr().cast());
            let n = _mm256_set1_epi32(table.len() as i32);
            assert!(_mm256_cmplt_epu32_mask(i, n) == 0xff);
            Self(_mm512_i32gather_pd::<8>(i, table.as_ptr()))
        }
    }
    #[inline(always)]
    fn mul_add(self, a: Self, b: Self) -> Self {
        Self(unsafe { _mm512_fmadd_pd(self.0, a.0, b.0) })
    }
    #[inline(always)]
    fn fma(self, a: Self, b: Self) -> Self {
        self.mul_add(a, b)
    }
    #[inline(always)]
    fn sqrt(self) -> Self {
        Self(unsafe { _mm512_sqrt_pd(self.0) })
    }
    #[inline(always)]
    fn abs(self) -> Self {
        Self(unsafe { _mm512_abs_pd(self.0) })
    }
    #[inline(always)]
    fn min(self, o: Self) -> Self {
        Self(unsafe { _mm512_min_pd(self.0, o.0) })
    }
    #[inline(always)]
    fn max(self, o: Self) -> Self {
        Self(unsafe { _mm512_max_pd(self.0, o.0) })
    }
    #[inline(always)]
    fn copysign(self, sign: Self) -> Self {
        // Bitwise choice: the sign bit from `sign`, the rest from `self`.
        unsafe {
            let s = _mm512_set1_epi64(i64::MIN);
            Self(_mm512_castsi512_pd(_mm512_ternarylogic_epi64::<0xca>(
                s,
                _mm512_castpd_si512(sign.0),
                _mm512_castpd_si512(self.0),
            )))
        }
    }
    #[inline(always)]
    fn round(self) -> Self {
        Self(unsafe { _mm512_roundscale_pd::<{ _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC }>(self.0) })
    }
    #[inline(always)]
    fn floor(self) -> Self {
        Self(unsafe { _mm512_roundscale_pd::<{ _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC }>(self.0) })
    }
    #[inline(always)]
    fn lt(self, o: Self) -> Mask8 {
        Mask8(unsafe { _mm512_cmp_pd_mask::<_CMP_LT_OQ>(self.0, o.0) })
    }
    #[inline(always)]
    fn le(self, o: Self) -> Mask8 {
        Mask8(unsafe { _mm512_cmp_pd_mask::<_CMP_LE_OQ>(self.0, o.0) })
    }
    #[inline(always)]
    fn eq(self, o: Self) -> Mask8 {
        Mask8(unsafe { _mm512_cmp_pd_mask::<_CMP_EQ_OQ>(self.0, o.0) })
    }
    #[inline(always)]
    fn select(mask: Mask8, yes: Self, no: Self) -> Self {
        Self(unsafe { _mm512_mask_blend_pd(mask.0, no.0, yes.0) })
    }
    #[inline(always)]
    fn ldexp(self, n: Self) -> Self {
        Self(unsafe { _mm512_scalef_pd(self.0, n.0) })
    }
    #[inline(always)]
    fn ldexp_normal(self, n: Self) -> Self {
        self.ldexp(n)
    }
    #[inline(always)]
    fn frexp_sqrt2(self) -> (Self, Self) {
        unsafe {
            // x sqrt(1/2) crosses a power of two just where x crosses sqrt(2) times one.
            let below =
                _mm512_getexp_pd(_mm512_mul_pd(self.0, _mm512_set1_pd(core::f64::consts::FRAC_1_SQRT_2)));
            let e = _mm512_add_pd(below, _mm512_set1_pd(1.0));
            (Self(_mm512_scalef_pd(self.0, _mm512_sub_pd(_mm512_setzero_pd(), e))), Self(e))
        }
    }
    #[inline(always)]
    fn reduce_min(self) -> f64 {
        let mut a = [0.0; 8];
        self.store(&mut a);
        a.into_iter().fold(f64::NAN, f64::min)
    }
    #[inline(always)]
    fn reduce_max(self) -> f64 {
        let mut a = [0.0; 8];
        self.store(&mut a);
        a.into_iter().fold(f64::NAN, f64::max)
    }
    #[inline(always)]
    fn reduce_sum(self) -> f64 {
        unsafe { _mm512_reduce_add_pd(self.0) }
    }
}
