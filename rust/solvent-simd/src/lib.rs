//! Elementary functions on SIMD lanes, and the one run-time dispatch that every kernel of `solvent` goes through.
//!
//! A kernel is written once, over the traits [`F64s`] and [`F32s`] (a few lanes of `f64` or `f32`), and never names
//! a target feature. [`dispatch`] picks the widest instruction set of the machine once and runs the kernel inside a
//! function compiled for it; the lane types are reachable only there, which is what makes their safe methods sound.
//!
//! ```
//! use solvent_simd::{F64s, Kernel, Map, Simd, dispatch, exp, map};
//!
//! struct Gauss;
//! impl Map for Gauss {
//!     #[inline(always)]
//!     fn apply<V: F64s>(&self, x: V) -> V {
//!         exp(-(x * x))
//!     }
//! }
//!
//! struct Over<'a>(&'a [f64], &'a mut [f64]);
//! impl Kernel for Over<'_> {
//!     type Output = ();
//!     #[inline(always)]
//!     fn run<S: Simd>(self) {
//!         map::<S::F64>(&Gauss, self.0, self.1);
//!     }
//! }
//!
//! let (x, mut y) = ([0.0, 1.0, 40.0], [0.0; 3]);
//! dispatch(Over(&x, &mut y));
//! assert_eq!(y, [1.0, (-1.0f64).exp(), 0.0]);
//! ```
//!
//! | room | what lives there |
//! |---|---|
//! | [`lanes`] | the traits: what one vector register can do |
//! | `arch` | the registers themselves: AVX-512, AVX2, and portable pairs (x86-64-v2, NEON) |
//! | [`level`] | which instruction set runs, and [`dispatch`] |
//! | [`pack`] | several registers side by side, so that long dependent chains overlap |
//! | [`slice`] | walking over slices: full registers, padded tails, gathers, partitions |
//! | `exp`, `ln`, ... | one elementary function a file |

mod arch;
mod exp;
pub mod lanes;
pub mod level;
mod ln;
pub mod pack;
pub mod slice;

pub use exp::exp;
pub use lanes::{F64s, Mask, Simd};
pub use level::{Kernel, Level, dispatch, dispatch_at, level};
pub use ln::{ln, ln_normal, log1p, log1p_normal};
pub use pack::Pack;
pub use slice::{Map, map};
