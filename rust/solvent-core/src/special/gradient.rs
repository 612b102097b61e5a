//! (d/dv, d/dx) of log I_v(x) and of log K_v(x).

use solvent_simd::F64s;

use super::block::{BLOCK, evaluate};
use super::function::Function;
use super::logs::LogIvk;
use super::outer::Outer;
use super::reflect::{combine, cospi, sinpi};
use super::{inner, inner_i};

/// Gradient of log I.
pub enum LogIvGrad {}

impl Function for LogIvGrad {
    const PAIR: bool = true;

    #[inline(always)]
    fn outer<V: F64s, const B: usize>(v: V, x: V) -> (V, V) {
        let o = Outer::<V, B>::new(v, x);
        let (dv, dx) = o.correction_slopes(1.0);
        (dv - o.asinh_ratio(), o.w / o.x + dx)
    }

    #[inline(always)]
    fn inner<V: F64s, const PIECE: usize>(v: V, x: V) -> (V, V) {
        let dv = inner_i::slope_v::<V, PIECE>(v, x);
        (dv, v / x + inner_i::ratio_up::<V, PIECE>(v, x))
    }

    fn limit(v: f64, x: f64) -> (f64, f64) {
        if v.is_nan()
            || x.is_nan()
            || x < 0.0
            || v < 0.0
            || (v.is_infinite() && (x == 0.0 || x.is_infinite()))
        {
            (f64::NAN, f64::NAN)
        } else if x == f64::INFINITY {
            (0.0, 1.0)
        } else if v == f64::INFINITY {
            (f64::NEG_INFINITY, f64::INFINITY)
        } else {
            (f64::NEG_INFINITY, if v == 0.0 { 0.0 } else { f64::INFINITY })
        }
    }

    /// With rho = (2/pi) sin(pi m) K_m/I_m: log I_{-m} = log I_m + log(1 + rho), differentiated; d/dv = -d/dm.
    fn negative(m: &[f64], x: &[f64], dv: &mut [f64], dx: &mut [f64]) {
        let n = m.len();
        let [mut a, mut b, mut kv, mut kx] = [[0.0; BLOCK]; 4];
        evaluate::<LogIvk>(m, x, &mut a[..n], &mut b[..n]);
        evaluate::<LogKvGrad>(m, x, &mut kv[..n], &mut kx[..n]);
        for i in 0..n {
            let r = combine(m[i], a[i], b[i]);
            if r.sign < 0.0 {
                (dv[i], dx[i]) = (f64::NAN, f64::NAN);
                continue;
            }
            // Weights of the two summands in I_{-m}, and the slope of the sine times K.
            let share_k = sinpi(m[i]).signum() * (r.lead + a[i] - r.log_abs).exp();
            let share_k = if r.lead == f64::NEG_INFINITY { 0.0 } else { share_k };
            let share_i = (a[i] - r.log_abs).exp();
            let sine_slope = 2.0 * cospi(m[i]) * (b[i] - r.log_abs).exp();
            dv[i] = -(share_i * dv[i] + share_k * kv[i] + sine_slope);
            dx[i] = share_i * dx[i] + share_k * kx[i];
        }
    }
}

/// Gradient of log K.
pub enum LogKvGrad {}

impl Function for LogKvGrad {
    const PAIR: bool = true;

    #[inline(always)]
    fn outer<V: F64s, const B: usize>(v: V, x: V) -> (V, V) {
        let o = Outer::<V, B>::new(v, x);
        let (dv, dx) = o.correction_slopes(-1.0);
        (dv + o.asinh_ratio(), dx - o.w / o.x)
    }

    #[inline(always)]
    fn inner<V: F64s, const PIECE: usize>(v: V, x: V) -> (V, V) {
        inner::slopes_k::<V, PIECE>(v, x)
    }

    fn limit(v: f64, x: f64) -> (f64, f64) {
        if v.is_nan() || x.is_nan() || x < 0.0 || (v.is_infinite() && (x == 0.0 || x.is_infinite())) {
            (f64::NAN, f64::NAN)
        } else if x == f64::INFINITY {
            (0.0, -1.0)
        } else {
            let dv = if v == 0.0 { 0.0 } else { f64::INFINITY.copysign(v) };
            (dv, f64::NEG_INFINITY)
        }
    }

    /// Even in the order, so its slope there is odd.
    fn negative(_: &[f64], _: &[f64], dv: &mut [f64], _: &mut [f64]) {
        dv.iter_mut().for_each(|d| *d = -*d);
    }
}
