//! Logs of the modified Bessel functions I_v(x) and K_v(x), their gradients, ratios and error bounds.
//!
//! Seed paper: Plesner, Sorensen, Hauberg, "Accurate Computation of the Logarithm of Modified Bessel Functions on GPUs",
//! arXiv 2409.08729. Theory: DLMF chapter 10.
//!
//! The quarter plane v >= 0, x > 0 falls into three regions by w = hypot(v, x) and x:
//!
//! | region | kernel | file |
//! |---|---|---|
//! | w >= 25 | one expansion in 1/w for all orders, seven bands | `outer`, `exponent` |
//! | w < 25, log I | power series in products | `inner_i` |
//! | w < 25, x > 1, log K | two polynomials and a recurrence | `inner_k` |
//! | w < 25, x <= 1, log K | Temme's series and a recurrence | `temme` |
//!
//! `domain` names the classes, `block` sorts elements by class and runs the kernels, `function` is the contract between
//! the two, `reflect` gives negative orders. Limits: |error| <= 5e-15 max(1, |L|) while w <= 1e15 and
//! 5e-15 max(1, |L|, log(w)/8) beyond.

mod block;
mod certified;
mod domain;
mod exponent;
mod function;
mod gradient;
mod inner;
mod inner_i;
mod inner_k;
mod logs;
mod outer;
mod polynomial;
mod ratio;
mod ratio_inverse;
mod reflect;
pub mod scalar;
mod tables;
mod temme;

pub use block::{BLOCK, evaluate};
pub use certified::{CertifiedRegion, LogIvCertified, LogKvCertified, certified_regions};
pub use function::Function;
pub use gradient::{LogIvGrad, LogKvGrad};
pub use logs::{LogAbsIv, LogIv, LogIve, LogIvk, LogKv, LogKve};
pub use ratio::{IvRatio, IvRatioC, KvRatio};
pub use ratio_inverse::iv_ratio_inv;

/// Declares the slice form of a function with one result.
macro_rules! single {
    ($(#[$doc:meta])* $name:ident, $function:ident) => {
        $(#[$doc])*
        ///
        /// # Panics
        /// If the lengths differ.
        pub fn $name(v: &[f64], x: &[f64], out: &mut [f64]) {
            evaluate::<$function>(v, x, out, &mut []);
        }
    };
}

/// Declares the slice form of a pair.
macro_rules! pair {
    ($(#[$doc:meta])* $name:ident, $function:ident) => {
        $(#[$doc])*
        ///
        /// # Panics
        /// If the lengths differ.
        pub fn $name(v: &[f64], x: &[f64], out0: &mut [f64], out1: &mut [f64]) {
            evaluate::<$function>(v, x, out0, out1);
        }
    };
}

single!(/** log I_v(x); nan where I_v(x) < 0. */ log_iv, LogIv);
single!(/** log K_v(x), even in v. */ log_kv, LogKv);
single!(/** log I_v(x) - x. */ log_ive, LogIve);
single!(/** log K_v(x) + x. */ log_kve, LogKve);
single!(/** I_v(x)/I_{v-1}(x), v >= 0. */ iv_ratio, IvRatio);
single!(/** 1 - I_v(x)/I_{v-1}(x) without cancellation, v >= 0. */ iv_ratio_c, IvRatioC);
single!(/** K_v(x)/K_{v-1}(x), any order. */ kv_ratio, KvRatio);
pair!(/** (log I_v(x), log K_v(x)), bit for bit as each alone. */ log_ivk, LogIvk);
pair!(/** (log |I_v(x)|, sign of I_v(x)). */ log_abs_iv, LogAbsIv);
pair!(/** (d/dv, d/dx) of log I_v(x). */ log_iv_grad, LogIvGrad);
pair!(/** (d/dv, d/dx) of log K_v(x). */ log_kv_grad, LogKvGrad);
pair!(/** (log I_v(x), bound on its absolute error). */ log_iv_certified, LogIvCertified);
pair!(/** (log K_v(x), bound on its absolute error). */ log_kv_certified, LogKvCertified);
