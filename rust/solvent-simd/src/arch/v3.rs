//! AVX2 and FMA: four doubles a register.

use core::arch::x86_64::*;

use crate::lanes::{F64s, Mask, Simd};

/// x86-64-v3.
#[derive(Clone, Copy)]
pub struct V3;

impl Simd for V3 {
    type F64 = F64x4;
}

/// Four doubles.
#[derive(Clone, Copy)]
#[repr(transparent)]
pub struct F64x4(__m256d);

/// All bits of a lane set or clear.
#[derive(Clone, Copy)]
pub struct Mask4(__m256d);

super::operators!(
    F64x4,
    _mm256_add_pd,
    _mm256_sub_pd,
    _mm256_mul_pd,
    _mm256_div_pd,
    _mm256_xor_pd,
    _mm256_set1_pd,
    -0.0
);

// SAFETY of every block below: the type exists only inside `dispatch`, which proved the features; loads, stores and
// gathers check their bounds first.
#[allow(clippy::undocumented_unsafe_blocks, reason = "one argument for all, given above")]
impl Mask for Mask4 {
    #[inline(always)]
    fn and(self, o: Self) -> Self {
        Self(unsafe { _mm256_and_pd(self.0, o.0) })
    }
    #[inline(always)]
    fn or(self, o: Self) -> Self {
        Self(unsafe { _mm256_or_pd(self.0, o.0) })
    }
    #[inline(always)]
    fn not(self) -> Self {
        Self(unsafe { _mm256_xor_pd(self.0, _mm256_castsi256_pd(_mm256_set1_epi64x(-1))) })
    }
    #[inline(always)]
    fn any(self) -> bool {
        self.bits() != 0
    }
    #[inline(always)]
    fn all(self) -> bool {
        self.bits() == 0xf
    }
    #[inline(always)]
    fn bits(self) -> u32 {
        unsafe { _mm256_movemask_pd(self.0) as u32 }
    }
}

#[allow(clippy::undocumented_unsafe_blocks, reason = "one argument for all, given above")]
impl F64s for F64x4 {
    type Mask = Mask4;
    const LANES: usize = 4;

    #[inline(always)]
    fn splat(a: f64) -> Self {
        Self(unsafe { _mm256_set1_pd(a) })
    }
    #[inline(always)]
    fn load(a: &[f64]) -> Self {
        assert!(a.len() >= 4);
        Self(unsafe { _mm256_loadu_pd(a.as_ptr()) })
    }
    #[inline(always)]
    fn store(self, out: &mut [f64]) {
        assert!(out.len() >= 4);
        unsafe { _mm256_storeu_pd(out.as_mut_ptr(), self.0) }
    }
    #[inline(always)]
    fn load_f32(a: &[f32]) -> Self {
        assert!(a.len() >= 4);
        Self(unsafe { _mm256_cvtps_pd(_mm_loadu_ps(a.as_ptr())) })
    }
    #[inline(always)]
    fn store_f32(self, out: &mut [f32]) {
        assert!(out.len() >= 4);
        unsafe { _mm_storeu_ps(out.as_mut_ptr(), _mm256_cvtpd_ps(self.0)) }
    }
    #[inline(always)]
    fn gather(table: &[f64], index: &[u32]) -> Self {
        let i = &index[..4];
        Self(unsafe {
            _mm256_set_pd(
                table[i[3] as usize],
                table[i[2] as usize],
                table[i[1] as usize],
                table[i[0] as usize],
            )
        })
    }
    #[inline(always)]
    fn mul_add(self, a: Self, b: Self) -> Self {
        Self(unsafe { _mm256_fmadd_pd(self.0, a.0, b.0) })
    }
    #[inline(always)]
    fn fma(self, a: Self, b: Self) -> Self {
        self.mul_add(a, b)
    }
    #[inline(always)]
    fn sqrt(self) -> Self {
        Self(unsafe { _mm256_sqrt_pd(self.0) })
    }
    #[inline(always)]
    fn abs(self) -> Self {
        Self(unsafe { _mm256_andnot_pd(_mm256_set1_pd(-0.0), self.0) })
    }
    #[inline(always)]
    fn min(self, o: Self) -> Self {
        Self(unsafe { _mm256_min_pd(self.0, o.0) })
    }
    #[inline(always)]
    fn max(self, o: Self) -> Self {
        Self(unsafe { _mm256_max_pd(self.0, o.0) })
    }
    #[inline(always)]
    fn copysign(self, sign: Self) -> Self {
        unsafe {
            let s = _mm256_set1_pd(-0.0);
            Self(_mm256_or_pd(_mm256_andnot_pd(s, self.0), _mm256_and_pd(s, sign.0)))
        }
    }
    #[inline(always)]
    fn round(self) -> Self {
        Self(unsafe { _mm256_round_pd::<{ _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC }>(self.0) })
    }
    #[inline(always)]
    fn floor(self) -> Self {
        Self(unsafe { _mm256_floor_pd(self.0) })
    }
    #[inline(always)]
    fn lt(self, o: Self) -> Mask4 {
        Mask4(unsafe { _mm256_cmp_pd::<_CMP_LT_OQ>(self.0, o.0) })
    }
    #[inline(always)]
    fn le(self, o: Self) -> Mask4 {
        Mask4(unsafe { _mm256_cmp_pd::<_CMP_LE_OQ>(self.0, o.0) })
    }
    #[inline(always)]
    fn eq(self, o: Self) -> Mask4 {
        Mask4(unsafe { _mm256_cmp_pd::<_CMP_EQ_OQ>(self.0, o.0) })
    }
    #[inline(always)]
    fn select(mask: Mask4, yes: Self, no: Self) -> Self {
        Self(unsafe { _mm256_blendv_pd(no.0, yes.0, mask.0) })
    }
    #[inline(always)]
    fn ldexp(self, n: Self) -> Self {
        // Only the last of three factors can round: the first two stay between the normal limits for |n| <= 2200
        // unless the result is 0 or inf anyway.
        let m = Self::splat(-1000.0).max(n.min(Self::splat(1000.0)));
        let r = n - m;
        let k = Self::splat(-1000.0).max(r.min(Self::splat(1000.0)));
        self.ldexp_normal(r - k).ldexp_normal(k).ldexp_normal(m)
    }
    #[inline(always)]
    fn ldexp_normal(self, n: Self) -> Self {
        unsafe {
            // 2^52 + 2^51 + (n + 1023) holds n + 1023 in its low bits; shifted to the exponent field it is 2^n.
            let biased = _mm256_add_pd(n.0, _mm256_set1_pd(6755399441055744.0 + 1023.0));
            let p = _mm256_slli_epi64::<52>(_mm256_castpd_si256(biased));
            Self(_mm256_mul_pd(self.0, _mm256_castsi256_pd(p)))
        }
    }
    #[inline(always)]
    fn frexp_sqrt2(self) -> (Self, Self) {
        unsafe {
            // Adding bits(1) - bits(sqrt(1/2)) moves the boundary between exponents from 1 to sqrt(1/2).
            let shift = 0x3ff0_0000_0000_0000u64.wrapping_sub(0x3fe6_a09e_667f_3bcdu64) as i64;
            let i = _mm256_add_epi64(_mm256_castpd_si256(self.0), _mm256_set1_epi64x(shift));
            let biased = _mm256_srli_epi64::<52>(i);
            let magic = _mm256_set1_epi64x(0x4330_0000_0000_0000);
            let e = _mm256_sub_pd(
                _mm256_castsi256_pd(_mm256_or_si256(biased, magic)),
                _mm256_set1_pd(4503599627370496.0 + 1023.0),
            );
            let fraction = _mm256_and_si256(i, _mm256_set1_epi64x(0x000f_ffff_ffff_ffff));
            let m = _mm256_add_epi64(fraction, _mm256_set1_epi64x(0x3fe6_a09e_667f_3bcd));
            (Self(_mm256_castsi256_pd(m)), Self(e))
        }
    }
    #[inline(always)]
    fn reduce_min(self) -> f64 {
        let mut a = [0.0; 4];
        self.store(&mut a);
        a[0].min(a[1]).min(a[2].min(a[3]))
    }
    #[inline(always)]
    fn reduce_max(self) -> f64 {
        let mut a = [0.0; 4];
        self.store(&mut a);
        a[0].max(a[1]).max(a[2].max(a[3]))
    }
    #[inline(always)]
    fn reduce_sum(self) -> f64 {
        let mut a = [0.0; 4];
        self.store(&mut a);
        (a[0] + a[1]) + (a[2] + a[3])
    }
}
