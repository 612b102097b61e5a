//! The registers. Only [`crate::dispatch`] hands these types out, so their methods run where the CPU has them.
//!
//! `avx512.rs` and `sse_avx.rs` hold the bodies as macros over short names (`add`, `cmp_lt`, ...); `v4.rs`, `v3.rs`
//! and `v2.rs` say which intrinsic each short name is, once for `f64` and once for `f32`.

#[cfg(target_arch = "x86_64")]
mod avx512;
#[cfg(any(test, not(target_arch = "x86_64")))]
mod portable;
#[cfg(target_arch = "x86_64")]
mod sse_avx;
#[cfg(target_arch = "x86_64")]
mod v2;
#[cfg(target_arch = "x86_64")]
mod v3;
#[cfg(target_arch = "x86_64")]
mod v4;

#[cfg(not(target_arch = "x86_64"))]
pub use portable::Portable;
#[cfg(target_arch = "x86_64")]
pub use {v2::V2, v3::V3, v4::V4};

/// Implements the arithmetic operators of a register type by the short names of its intrinsics.
#[cfg(target_arch = "x86_64")]
macro_rules! operators {
    ($t:ident) => {
        crate::arch::operators!($t, Add add add, Sub sub sub, Mul mul mul, Div div div);
        impl core::ops::Neg for $t {
            type Output = Self;
            #[inline(always)]
            fn neg(self) -> Self {
                // SAFETY: as above.
                Self(unsafe { xor(self.0, set1(-0.0)) })
            }
        }
    };
    ($t:ident, $($trait:ident $f:ident $op:ident),*) => {$(
        impl core::ops::$trait for $t {
            type Output = Self;
            #[inline(always)]
            fn $f(self, o: Self) -> Self {
                // SAFETY: `dispatch` proved the features before handing the type out.
                Self(unsafe { $op(self.0, o.0) })
            }
        }
    )*};
}
#[cfg(target_arch = "x86_64")]
use operators;

/// Exact-product multiply-add for machines without the instruction, on lanes.
#[cfg(target_arch = "x86_64")]
mod splitting {
    use crate::lanes::Lanes;
    use crate::real::Real;

    /// `a b + c`: Dekker's product and a compensated addition.
    #[inline(always)]
    pub fn fma<V: Lanes>(a: V, b: V, c: V) -> V {
        let split = V::splat(V::Scalar::SPLIT);
        // Overflow in the splitting of a huge factor is taken out by a power of two, given back at the end.
        let huge = V::splat(V::Scalar::SPLIT_LIMIT);
        let one = V::splat(V::Scalar::ONE);
        let (down, up) = (V::splat(V::Scalar::SPLIT_DOWN), V::splat(V::Scalar::SPLIT_UP));
        let sa = V::select(a.abs().gt(huge), down, one);
        let sb = V::select(b.abs().gt(huge), down, one);
        let (a, b) = (a * sa, b * sb);
        let ua = V::select(sa.eq(one), one, up);
        let ub = V::select(sb.eq(one), one, up);
        let c = c * sa * sb;
        let p = a * b;
        let (ta, tb) = (split * a, split * b);
        let (ah, bh) = (ta - (ta - a), tb - (tb - b));
        let (al, bl) = (a - ah, b - bh);
        let e = ((ah * bh - p) + ah * bl + al * bh) + al * bl;
        let r = p + c;
        let z = r - p;
        let d = (p - (r - z)) + (c - z);
        let low = d + e;
        // Where a part is infinite or nan, so is r, and `low` is nan; where `low` is 0, r keeps the sign of its zero.
        V::select(low.abs().gt(V::splat(V::Scalar::ZERO)), r + low, r) * ua * ub
    }
}
