//! AVX-512: eight doubles or sixteen singles a register.

use core::arch::x86_64::*;

use crate::lanes::{F32s, F64s, Lanes, Mask, Simd};

/// x86-64-v4.
#[derive(Clone, Copy)]
pub struct V4;

impl Simd for V4 {
    type F64 = double::F64x8;
    type F32 = single::F32x16;
    type F64Line = double::F64x8;
    type F32Line = single::F32x16;
}

// SAFETY of the functions below: all need AVX-512, which `dispatch` proved; those that take pointers say what else.
#[allow(clippy::undocumented_unsafe_blocks, reason = "one argument for all, given above")]
mod double {
    use super::*;
    use core::arch::x86_64::{
        _mm512_abs_pd as abs, _mm512_add_pd as add, _mm512_cmp_pd_mask as cmp, _mm512_div_pd as div,
        _mm512_fmadd_pd as fmadd, _mm512_getexp_pd as getexp, _mm512_getmant_pd as getmant,
        _mm512_loadu_pd as loadu, _mm512_mask_blend_pd as blend, _mm512_max_pd as max, _mm512_min_pd as min,
        _mm512_mul_pd as mul, _mm512_roundscale_pd as roundscale, _mm512_scalef_pd as scalef,
        _mm512_set1_pd as set1, _mm512_sqrt_pd as sqrt, _mm512_storeu_pd as storeu, _mm512_sub_pd as sub,
        _mm512_xor_pd as xor,
    };

    /// Bitwise choice: the sign bit from `s`, the rest from `a`.
    #[inline(always)]
    unsafe fn copysign(a: __m512d, s: __m512d) -> __m512d {
        unsafe {
            let (a, s) = (_mm512_castpd_si512(a), _mm512_castpd_si512(s));
            _mm512_castsi512_pd(_mm512_ternarylogic_epi64::<0xca>(_mm512_set1_epi64(i64::MIN), s, a))
        }
    }
    /// Checks the indices against the table; `index` must hold eight.
    #[inline(always)]
    unsafe fn gather(table: &[f64], index: *const u32) -> __m512d {
        unsafe {
            let i = _mm256_loadu_si256(index.cast());
            assert!(_mm256_cmplt_epu32_mask(i, _mm256_set1_epi32(table.len() as i32)) == 0xff);
            _mm512_i32gather_pd::<8>(i, table.as_ptr())
        }
    }
    #[inline(always)]
    unsafe fn lookup(x: __m512d, table: &[f64; 16]) -> __m512d {
        unsafe {
            let i = _mm512_srli_epi64::<48>(_mm512_castpd_si512(x));
            _mm512_permutex2var_pd(loadu(table.as_ptr()), i, loadu(table.as_ptr().add(8)))
        }
    }
    /// 2^(52 - 4): its last bit is a sixteenth.
    const SIXTEENTHS: f64 = 281474976710656.0;
    /// `table[i]`, `i` the four last bits of `x`.
    #[inline(always)]
    unsafe fn permute(x: __m512d, table: &[f64; 16]) -> __m512d {
        unsafe {
            let i = _mm512_castpd_si512(x);
            _mm512_permutex2var_pd(loadu(table.as_ptr()), i, loadu(table.as_ptr().add(8)))
        }
    }
    #[inline(always)]
    unsafe fn fixup(y: __m512d, x: __m512d, answers: i64) -> __m512d {
        unsafe { _mm512_fixupimm_pd::<0>(y, x, _mm512_set1_epi64(answers)) }
    }
    /// `out` must have room for eight.
    #[inline(always)]
    unsafe fn compress(mask: __mmask8, start: u32, out: *mut u32) {
        unsafe {
            let i =
                _mm256_add_epi32(_mm256_set1_epi32(start as i32), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
            _mm256_storeu_si256(out.cast(), _mm256_maskz_compress_epi32(mask, i));
        }
    }

    /// Pairs of registers are transposed and added until one holds a sum of each.
    #[inline(always)]
    unsafe fn sums(a: __m512d, b: __m512d, c: __m512d, d: __m512d) -> [f64; 4] {
        unsafe {
            let ab = add(_mm512_unpacklo_pd(a, b), _mm512_unpackhi_pd(a, b));
            let cd = add(_mm512_unpacklo_pd(c, d), _mm512_unpackhi_pd(c, d));
            // Quarters (ab, ab, cd, cd).
            let all = add(_mm512_shuffle_f64x2::<0x44>(ab, cd), _mm512_shuffle_f64x2::<0xee>(ab, cd));
            let (low, high) = (_mm512_castpd512_pd256(all), _mm512_extractf64x4_pd::<1>(all));
            let sum = _mm256_add_pd(
                _mm256_permute2f128_pd::<0x20>(low, high),
                _mm256_permute2f128_pd::<0x31>(low, high),
            );
            let mut out = [0.0; 4];
            _mm256_storeu_pd(out.as_mut_ptr(), sum);
            out
        }
    }

    crate::arch::avx512::register!(F64x8, Mask8, __mmask8, __m512d, f64, 8);

    impl F64s for F64x8 {
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
    }
}

// SAFETY: as above.
#[allow(clippy::undocumented_unsafe_blocks, reason = "one argument for all, given above")]
mod single {
    use super::*;
    use core::arch::x86_64::{
        _mm512_abs_ps as abs, _mm512_add_ps as add, _mm512_cmp_ps_mask as cmp, _mm512_div_ps as div,
        _mm512_fmadd_ps as fmadd, _mm512_getexp_ps as getexp, _mm512_getmant_ps as getmant,
        _mm512_loadu_ps as loadu, _mm512_mask_blend_ps as blend, _mm512_max_ps as max, _mm512_min_ps as min,
        _mm512_mul_ps as mul, _mm512_roundscale_ps as roundscale, _mm512_scalef_ps as scalef,
        _mm512_set1_ps as set1, _mm512_sqrt_ps as sqrt, _mm512_storeu_ps as storeu, _mm512_sub_ps as sub,
        _mm512_xor_ps as xor,
    };

    /// Bitwise choice: the sign bit from `s`, the rest from `a`.
    #[inline(always)]
    unsafe fn copysign(a: __m512, s: __m512) -> __m512 {
        unsafe {
            let (a, s) = (_mm512_castps_si512(a), _mm512_castps_si512(s));
            _mm512_castsi512_ps(_mm512_ternarylogic_epi32::<0xca>(_mm512_set1_epi32(i32::MIN), s, a))
        }
    }
    /// Checks the indices against the table; `index` must hold sixteen.
    #[inline(always)]
    unsafe fn gather(table: &[f32], index: *const u32) -> __m512 {
        unsafe {
            let i = _mm512_loadu_si512(index.cast());
            assert!(_mm512_cmplt_epu32_mask(i, _mm512_set1_epi32(table.len() as i32)) == 0xffff);
            _mm512_i32gather_ps::<4>(i, table.as_ptr())
        }
    }
    #[inline(always)]
    unsafe fn lookup(x: __m512, table: &[f32; 16]) -> __m512 {
        unsafe {
            let i = _mm512_srli_epi32::<19>(_mm512_castps_si512(x));
            _mm512_permutexvar_ps(i, loadu(table.as_ptr()))
        }
    }
    /// 2^(23 - 4): its last bit is a sixteenth.
    const SIXTEENTHS: f32 = 524288.0;
    /// `table[i]`, `i` the four last bits of `x`.
    #[inline(always)]
    unsafe fn permute(x: __m512, table: &[f32; 16]) -> __m512 {
        unsafe { _mm512_permutexvar_ps(_mm512_castps_si512(x), loadu(table.as_ptr())) }
    }
    #[inline(always)]
    unsafe fn fixup(y: __m512, x: __m512, answers: i32) -> __m512 {
        unsafe { _mm512_fixupimm_ps::<0>(y, x, _mm512_set1_epi32(answers)) }
    }
    /// `out` must have room for sixteen.
    #[inline(always)]
    unsafe fn compress(mask: __mmask16, start: u32, out: *mut u32) {
        unsafe {
            let lanes = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
            let i = _mm512_add_epi32(_mm512_set1_epi32(start as i32), lanes);
            _mm512_storeu_si512(out.cast(), _mm512_maskz_compress_epi32(mask, i));
        }
    }

    /// Pairs of registers are transposed and added until one holds a sum of each.
    #[inline(always)]
    unsafe fn sums(a: __m512, b: __m512, c: __m512, d: __m512) -> [f32; 4] {
        unsafe {
            let ab = add(_mm512_unpacklo_ps(a, b), _mm512_unpackhi_ps(a, b));
            let cd = add(_mm512_unpacklo_ps(c, d), _mm512_unpackhi_ps(c, d));
            // Every quarter (a, b, c, d).
            let all = add(_mm512_shuffle_ps::<0x44>(ab, cd), _mm512_shuffle_ps::<0xee>(ab, cd));
            let half = _mm256_add_ps(_mm512_castps512_ps256(all), _mm512_extractf32x8_ps::<1>(all));
            let sum = _mm_add_ps(_mm256_castps256_ps128(half), _mm256_extractf128_ps::<1>(half));
            let mut out = [0.0; 4];
            _mm_storeu_ps(out.as_mut_ptr(), sum);
            out
        }
    }

    crate::arch::avx512::register!(F32x16, Mask16, __mmask16, __m512, f32, 16);

    impl F32s for F32x16 {
        #[inline(always)]
        fn load_f64(a: &[f64]) -> Self {
            assert!(a.len() >= 16);
            Self(unsafe {
                let low = _mm512_cvtpd_ps(_mm512_loadu_pd(a.as_ptr()));
                let high = _mm512_cvtpd_ps(_mm512_loadu_pd(a.as_ptr().add(8)));
                _mm512_insertf32x8::<1>(_mm512_castps256_ps512(low), high)
            })
        }
    }
}
