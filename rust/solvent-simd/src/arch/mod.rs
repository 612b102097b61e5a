//! The registers. Only [`crate::dispatch`] hands these types out, so their methods run where the CPU has them.

mod portable;
#[cfg(target_arch = "x86_64")]
mod v3;
#[cfg(target_arch = "x86_64")]
mod v4;

pub use portable::Portable;
#[cfg(target_arch = "x86_64")]
pub use v3::V3;
#[cfg(target_arch = "x86_64")]
pub use v4::V4;

/// Implements the arithmetic operators of a register type by four intrinsics and a negation.
#[cfg(target_arch = "x86_64")]
macro_rules! operators {
    ($t:ident, $add:ident, $sub:ident, $mul:ident, $div:ident, $xor:ident, $set1:ident, $z:expr) => {
        impl core::ops::Add for $t {
            type Output = Self;
            #[inline(always)]
            fn add(self, o: Self) -> Self {
                // SAFETY: `dispatch` proved the features before handing the type out (so for every block here).
                Self(unsafe { $add(self.0, o.0) })
            }
        }
        impl core::ops::Sub for $t {
            type Output = Self;
            #[inline(always)]
            fn sub(self, o: Self) -> Self {
                // SAFETY: see `add`.
                Self(unsafe { $sub(self.0, o.0) })
            }
        }
        impl core::ops::Mul for $t {
            type Output = Self;
            #[inline(always)]
            fn mul(self, o: Self) -> Self {
                // SAFETY: see `add`.
                Self(unsafe { $mul(self.0, o.0) })
            }
        }
        impl core::ops::Div for $t {
            type Output = Self;
            #[inline(always)]
            fn div(self, o: Self) -> Self {
                // SAFETY: see `add`.
                Self(unsafe { $div(self.0, o.0) })
            }
        }
        impl core::ops::Neg for $t {
            type Output = Self;
            #[inline(always)]
            fn neg(self) -> Self {
                // SAFETY: see `add`.
                Self(unsafe { $xor(self.0, $set1($z)) })
            }
        }
    };
}
#[cfg(target_arch = "x86_64")]
use operators;
