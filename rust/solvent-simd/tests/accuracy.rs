//! Every function in ulps against double-double references: a million seeded points in each of twelve classes of
//! arguments, at every level of the machine. Run with `--nocapture` for the table of the largest errors.
#![allow(clippy::print_stdout, reason = "the table of errors")]

#[macro_use]
mod reference;

use solvent_simd::{F32s, F64s, Kernel, Level, Map, MapF32, Simd, dispatch_at, map, map_f32};

const LEVELS: [Level; 3] = [Level::V4, Level::V3, Level::Portable];
/// Points a class, and how many of them at a time.
const POINTS: usize = 1_000_000;
const BATCH: usize = 20_000;

/// SplitMix64.
struct Random(u64);

impl Random {
    fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
    fn uniform(&mut self, lo: f64, hi: f64) -> f64 {
        lo + (hi - lo) * ((self.bits() >> 11) as f64 / 9007199254740992.0)
    }
    fn sign(&mut self) -> f64 {
        if self.bits() & 1 == 0 { 1.0 } else { -1.0 }
    }
    /// A power of two with a random fraction, either sign.
    fn scale(&mut self, lo: f64, hi: f64) -> f64 {
        self.sign() * self.uniform(lo, hi).exp2()
    }
    /// Some units in the last place beside `a`.
    fn beside(&mut self, a: f64) -> f64 {
        f64::from_bits(a.to_bits().wrapping_add(self.bits() % 41).wrapping_sub(20))
    }
}

const CLASSES: usize = 12;

/// One point of a class.
fn point(class: usize, r: &mut Random) -> f64 {
    match class {
        // Every finite number alike.
        0 => loop {
            let x = f64::from_bits(r.bits());
            if x.is_finite() {
                return x;
            }
        },
        1 => r.scale(-40.0, 40.0),
        2 => r.scale(-1074.0, -900.0),
        3 => r.scale(-60.0, 0.0),
        4 => 1.0 + r.scale(-53.0, -1.0),
        5 => 2.0 + r.scale(-52.0, 0.0),
        6 => r.uniform(-1.0, 1.0),
        7 => r.uniform(-750.0, 750.0),
        8 => r.uniform(0.0, 30.0),
        // Where exp and expm1 change n.
        9 => {
            let n = r.uniform(-1080.0, 1026.0).floor() + 0.5;
            r.beside(n * std::f64::consts::LN_2)
        }
        // Where ln changes its table row, lgamma its shift, sinpi its sign; and where log1p's sum does.
        10 => {
            let m = (r.uniform(-200.0, 200.0).floor() / 16.0).max(-0.99);
            if m == 0.0 { 1.0 } else { r.beside(m) }
        }
        _ => {
            let e = r.uniform(-20.0, 60.0).floor().exp2();
            let m = [0.75, 1.0, 1.5, std::f64::consts::SQRT_2][(r.bits() % 4) as usize];
            r.beside(e * m)
        }
    }
}

fn batch(class: usize, number: usize) -> Vec<f64> {
    let mut r = Random((class * 1_000_003 + number) as u64);
    (0..BATCH).map(|_| point(class, &mut r)).collect()
}

/// The size of the last place of `a`.
fn ulp(a: f64, digits: i32, least: i32) -> f64 {
    let exponent = ((a.to_bits() >> 52) & 0x7ff) as i32 - 1023;
    let place = (exponent - digits + 1).max(least);
    // (powi would give 0 among the subnormals, by way of an infinite reciprocal.)
    f64::from_bits(if place < -1022 { 1 << (place + 1074) } else { ((place + 1023) as u64) << 52 })
}

macro_rules! lanes_of {
    ($name:ident, $t:ident, $lanes:ident, $trait:ident, $map:ident, $walk:ident) => {{
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
        |level: Level, x: &[$t], y: &mut [$t]| dispatch_at(level, K(x, y)).is_some()
    }};
}

/// A nan where a number belongs is worse than any error, and stays the worst.
fn worst_if_nan(error: f64) -> f64 {
    if error.is_nan() { f64::INFINITY } else { error }
}

/// The error of `y`, in ulps of the reference or relative to max(1, |reference|).
fn error(y: f64, reference: (f64, f64), mixed: bool) -> f64 {
    let (hi, lo) = reference;
    let off = ((y - hi) - lo).abs();
    worst_if_nan(off / if mixed { hi.abs().max(1.0) } else { ulp(hi, 53, -1074) })
}

/// Largest error at each level over all classes; `inside` leaves out points outside the domain and results that are
/// infinite or (for the reference's sake) so small that its low part has run out of exponents.
fn measure(
    name: &str,
    limit: f64,
    mixed: bool,
    to_domain: fn(f64) -> Option<f64>,
    f: impl Fn(Level, &[f64], &mut [f64]) -> bool,
    r: impl reference::Reference,
) {
    let mut worst = [(0.0f64, f64::NAN); 3];
    let mut tested = 0;
    for class in 0..CLASSES {
        for number in 0..POINTS / BATCH {
            let x: Vec<f64> = batch(class, number).into_iter().filter_map(to_domain).collect();
            let expected = reference::values(&r, &x);
            let mut y = vec![0.0; x.len()];
            for (level, worst) in LEVELS.into_iter().zip(&mut worst) {
                if !f(level, &x, &mut y) {
                    continue;
                }
                for ((x, y), e) in x.iter().zip(&y).zip(&expected) {
                    if !e.0.is_finite() {
                        continue;
                    }
                    let error = error(*y, *e, mixed);
                    if error > worst.0 {
                        *worst = (error, *x);
                    }
                }
            }
            tested += expected.iter().filter(|e| e.0.is_finite()).count();
        }
    }
    let text = worst.map(|w| format!("{:.3e} at {:e}", w.0, w.1)).join(", ");
    println!("{name:8} f64 {tested:9} points, worst {text}, limit {limit:e}");
    assert!(tested > 3_000_000, "{name}: only {tested} points inside the domain");
    for (level, worst) in LEVELS.into_iter().zip(worst) {
        assert!(worst.0 <= limit, "{name} at {}: {} at {:e}", level.name(), worst.0, worst.1);
    }
}

/// One test of `f64` and one of `f32` for each function.
macro_rules! accuracy {
    ($($name:ident: $kind:ident $limit:literal, f32 $limit32:literal, $domain:expr;)*) => {
        mod double {
            use super::*;
            $(#[test]
            fn $name() {
                let mixed = stringify!($kind) == "mixed";
                let f = lanes_of!($name, f64, F64, F64s, Map, map);
                measure(stringify!($name), $limit, mixed, $domain, f, reference!($name));
            })*
        }
        mod single {
            use super::*;
            $(#[test]
            fn $name() {
                let mixed = stringify!($kind) == "mixed";
                let f = lanes_of!($name, f32, F32, F32s, MapF32, map_f32);
                let g = lanes_of!($name, f64, F64, F64s, Map, map);
                measure_f32(stringify!($name), $limit32, mixed, $domain, f, g, &sampled());
            })*
        }
        mod long {
            use super::*;
            $(#[test]
            #[ignore = "exhaustive: make long"]
            fn $name() {
                let mixed = stringify!($kind) == "mixed";
                let f = lanes_of!($name, f32, F32, F32s, MapF32, map_f32);
                let g = lanes_of!($name, f64, F64, F64s, Map, map);
                for high in 0..1u32 << 12 {
                    let x: Vec<f32> = (0..1 << 20).map(|low| f32::from_bits(high << 20 | low)).collect();
                    measure_f32(stringify!($name), $limit32, mixed, $domain, &f, &g, &x);
                }
            })*
        }
    };
}

/// The classes of arguments, and all numbers alike, as `f32`.
fn sampled() -> Vec<f32> {
    let mut r = Random(7);
    let classes = (0..CLASSES).flat_map(|class| (0..5).flat_map(move |number| batch(class, number)));
    let beside = classes.map(|x| x as f32).collect::<Vec<_>>();
    let all = (0..1_000_000).map(|_| f32::from_bits(r.bits() as u32)).collect::<Vec<_>>();
    [beside, all].concat()
}

/// As [`measure`], for `f32`, by the `f64` function, whose error is nothing here.
fn measure_f32(
    name: &str,
    limit: f64,
    mixed: bool,
    to_domain: fn(f64) -> Option<f64>,
    f: impl Fn(Level, &[f32], &mut [f32]) -> bool,
    exact: impl Fn(Level, &[f64], &mut [f64]) -> bool,
    x: &[f32],
) {
    let x: Vec<f32> = x.iter().filter_map(|x| to_domain(*x as f64)).map(|x| x as f32).collect();
    let wide: Vec<f64> = x.iter().map(|x| *x as f64).collect();
    let (mut expected, mut y) = (vec![0.0; x.len()], vec![0.0; x.len()]);
    assert!(exact(solvent_simd::level(), &wide, &mut expected));
    for level in LEVELS {
        if !f(level, &x, &mut y) {
            continue;
        }
        let mut worst = (0.0, f32::NAN);
        for ((x, y), e) in x.iter().zip(&y).zip(&expected) {
            let error = if e.abs() >= f32::MAX as f64 {
                // Overflow, to within the last place.
                if y.is_infinite() || *y as f64 == f32::MAX as f64 { 0.0 } else { f64::INFINITY }
            } else {
                worst_if_nan((*y as f64 - e).abs() / if mixed { e.abs().max(1.0) } else { ulp(*e, 24, -149) })
            };
            if error > worst.0 {
                worst = (error, *x);
            }
        }
        if x.len() > 1 << 20 {
            println!(
                "{name:8} f32 {:9} points at {}, worst {:.3e} at {:e}, limit {limit:e}",
                x.len(),
                level.name(),
                worst.0,
                worst.1
            );
        }
        assert!(worst.0 <= limit, "{name} f32 at {}: {} at {:e}", level.name(), worst.0, worst.1);
    }
}

/// Arguments whose result is finite; those outside are brought in where that makes sense.
fn finite(x: f64) -> Option<f64> {
    x.is_finite().then_some(x)
}

accuracy! {
    exp: ulp 1.0, f32 1.0, |x| (x.abs() < 745.0).then_some(x);
    exp2: ulp 1.25, f32 1.25, |x| (x > -125.0 && x < 1024.0).then_some(x);
    expm1: ulp 1.0, f32 1.5, |x| (x.abs() < 745.0).then_some(x);
    ln: ulp 1.0, f32 1.0, |x| finite(x.abs()).filter(|x| *x > 0.0);
    log1p: ulp 1.0, f32 1.5, |x| finite(x).map(|x| if x > -1.0 { x } else { -x });
    asinh: ulp 2.0, f32 2.0, finite;
    sinpi: ulp 1.5, f32 1.5, |x| finite(x).filter(|x| *x != x.round());
    lgamma: mixed 1e-15, f32 2e-7, |x| finite(x.abs()).filter(|x| *x > 0.0 && *x < 1e300);
    digamma: mixed 1e-15, f32 2e-7, |x| finite(x.abs()).filter(|x| *x > 1e-290 && *x < 1e300);
}
