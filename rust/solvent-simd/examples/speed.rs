//! Nanoseconds an element of each elementary function, in cache, at every level of the machine, interleaved.
#![allow(clippy::print_stdout, reason = "a program that prints")]

use std::hint::black_box;
use std::time::Instant;

use solvent_simd::{F32s, F64s, Kernel, Level, Map, MapF32, Simd, dispatch_at, map, map_f32};

const N: usize = 1024;

/// One timed kernel: name, element type, and seconds for one pass at a level.
type Row = (&'static str, &'static str, Box<dyn FnMut(Level) -> Option<f64>>);

macro_rules! row {
    ($rows:ident, $name:ident, $lo:expr, $hi:expr) => {
        row!($rows, $name, $lo, $hi, f64, F64, F64s, Map, map);
        row!($rows, $name, $lo, $hi, f32, F32, F32s, MapF32, map_f32);
    };
    ($rows:ident, $name:ident, $lo:expr, $hi:expr, $t:ident, $lanes:ident, $trait:ident, $map:ident, $walk:ident) => {{
        struct F;
        impl $map for F {
            #[inline(always)]
            fn apply<V: $trait>(&self, x: V) -> V {
                solvent_simd::$name(x)
            }
        }
        struct K<'a>(&'a [$t], &'a mut [$t]);
        impl Kernel for K<'_> {
            type Output = ();
            #[inline(always)]
            fn run<S: Simd>(self) {
                $walk::<S::$lanes>(&F, self.0, self.1);
            }
        }
        let (lo, hi): ($t, $t) = ($lo, $hi);
        let x: Vec<$t> = (0..N).map(|i| lo + (hi - lo) * (i as $t * 0.618_034).fract()).collect();
        let mut y = vec![0.0; N];
        let pass = move |level| {
            let t = Instant::now();
            for _ in 0..30 {
                dispatch_at(level, K(black_box(&x), black_box(&mut y)))?;
            }
            Some(t.elapsed().as_secs_f64() / 30.0)
        };
        $rows.push((
            stringify!($name),
            stringify!($t),
            Box::new(pass) as Box<dyn FnMut(Level) -> Option<f64>>,
        ));
    }};
}

fn main() {
    let mut rows: Vec<Row> = Vec::new();
    row!(rows, exp, -80.0, 80.0);
    row!(rows, exp2, -80.0, 80.0);
    row!(rows, expm1, -5.0, 5.0);
    row!(rows, ln, 1e-3, 1e3);
    row!(rows, ln_normal, 1e-3, 1e3);
    row!(rows, log1p, -0.9, 3.0);
    row!(rows, log1p_normal, -0.9, 3.0);
    row!(rows, asinh, -10.0, 10.0);
    row!(rows, sinpi, -10.0, 10.0);
    row!(rows, lgamma, 0.1, 20.0);
    row!(rows, digamma, 0.1, 20.0);
    let levels = [Level::V4, Level::V3, Level::Portable];
    let mut best = vec![[f64::INFINITY; 3]; rows.len()];
    for _ in 0..150 {
        for (row, best) in rows.iter_mut().zip(&mut best) {
            for (level, best) in levels.into_iter().zip(best) {
                *best = best.min((row.2)(level).unwrap_or(f64::NAN));
            }
        }
    }
    println!("{:14} {:4} {}", "ns an element", "", levels.map(|l| format!("{:>7}", l.name())).join(" "));
    for (row, best) in rows.iter().zip(&best) {
        let ns = best.map(|s| format!("{:7.3}", s / N as f64 * 1e9));
        println!("{:14} {:4} {}", row.0, row.1, ns.join(" "));
    }
}
