//! Nanoseconds an element of each elementary function, in cache. Run with `SOLVENT_SIMD=v2|v3|v4`.
#![allow(clippy::print_stdout, reason = "a program that prints")]

use std::hint::black_box;
use std::time::Instant;

use solvent_simd::{F64s, Kernel, Map, Simd, dispatch, level, map};

macro_rules! time {
    ($name:ident, $lo:expr, $hi:expr) => {{
        struct F;
        impl Map for F {
            #[inline(always)]
            fn apply<V: F64s>(&self, x: V) -> V {
                solvent_simd::$name(x)
            }
        }
        struct K<'a>(&'a [f64], &'a mut [f64]);
        impl Kernel for K<'_> {
            type Output = ();
            #[inline(always)]
            fn run<S: Simd>(self) {
                map::<S::F64>(&F, self.0, self.1);
            }
        }
        let n = 1024;
        let x: Vec<f64> = (0..n).map(|i| $lo + ($hi - $lo) * (i as f64 * 0.618034).fract()).collect();
        let mut y = vec![0.0; n];
        let mut best = f64::INFINITY;
        for _ in 0..50 {
            let t = Instant::now();
            for _ in 0..100 {
                dispatch(K(black_box(&x), black_box(&mut y)));
            }
            best = best.min(t.elapsed().as_secs_f64());
        }
        println!("{:8} {:12} {:.3} ns", level().name(), stringify!($name), best / 100.0 / n as f64 * 1e9);
    }};
}

fn main() {
    time!(exp, -700.0, 700.0);
    time!(ln, 1e-3, 1e3);
    time!(ln_normal, 1e-3, 1e3);
    time!(log1p, -0.9, 3.0);
    time!(log1p_normal, -0.9, 3.0);
}
