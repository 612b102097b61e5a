//! The functions of one element: the same kernels on one padded register, for callers with a scalar to evaluate.

use super::Function;

fn one<F: Function>(v: f64, x: f64) -> (f64, f64) {
    let (mut a, mut b) = ([0.0], [0.0]);
    super::evaluate::<F>(&[v], &[x], &mut a, &mut b);
    (a[0], b[0])
}

macro_rules! single {
    ($($name:ident $function:ident)*) => {$(
        #[doc = concat!("[`super::", stringify!($name), "`] of one element.")]
        pub fn $name(v: f64, x: f64) -> f64 {
            one::<super::$function>(v, x).0
        }
    )*};
}

macro_rules! pair {
    ($($name:ident $function:ident)*) => {$(
        #[doc = concat!("[`super::", stringify!($name), "`] of one element.")]
        pub fn $name(v: f64, x: f64) -> (f64, f64) {
            one::<super::$function>(v, x)
        }
    )*};
}

single!(log_iv LogIv log_kv LogKv log_ive LogIve log_kve LogKve iv_ratio IvRatio iv_ratio_c IvRatioC kv_ratio KvRatio);
pair!(log_ivk LogIvk log_abs_iv LogAbsIv log_iv_grad LogIvGrad log_kv_grad LogKvGrad);
pair!(log_iv_certified LogIvCertified log_kv_certified LogKvCertified);

/// [`super::iv_ratio_inv`] of one element.
pub fn iv_ratio_inv(v: f64, r: f64) -> f64 {
    let mut x = [0.0];
    super::iv_ratio_inv(&[v], &[r], &mut x);
    x[0]
}
