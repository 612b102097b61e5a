//! Zeros, infinities, nan, subnormals and the thresholds of overflow and underflow, at every level of the machine;
//! and what must hold near special points: relative accuracy, signs, exact values.

use solvent_simd::{F32s, F64s, Kernel, Level, Map, MapF32, Simd, dispatch_at, map, map_f32};

const LEVELS: [Level; 3] = [Level::V4, Level::V3, Level::Portable];
const INF: f64 = f64::INFINITY;
const NAN: f64 = f64::NAN;

/// `name(x)` at each level, for `f64` and (in the second element) for `f32`.
macro_rules! at_all_levels {
    ($name:ident, $x:expr) => {{
        struct F;
        impl Map for F {
            #[inline(always)]
            fn apply<V: F64s>(&self, x: V) -> V {
                solvent_simd::$name(x)
            }
        }
        impl MapF32 for F {
            #[inline(always)]
            fn apply<V: F32s>(&self, x: V) -> V {
                solvent_simd::$name(x)
            }
        }
        struct K<'a>(&'a [f64], &'a mut [f64], &'a [f32], &'a mut [f32]);
        impl Kernel for K<'_> {
            type Output = ();
            #[inline(always)]
            fn run<S: Simd>(self) {
                map::<S::F64>(&F, self.0, self.1);
                map_f32::<S::F32>(&F, self.2, self.3);
            }
        }
        let x: Vec<f64> = $x;
        let single: Vec<f32> = x.iter().map(|x| *x as f32).collect();
        let mut all = Vec::new();
        for level in LEVELS {
            let (mut y, mut y32) = (vec![0.0; x.len()], vec![0.0; x.len()]);
            if dispatch_at(level, K(&x, &mut y, &single, &mut y32)).is_some() {
                all.push((level.name(), y, y32));
            }
        }
        assert!(!all.is_empty());
        all
    }};
}

/// Whether `y` is `want`, nan and the sign of zero included.
fn same(y: f64, want: f64) -> bool {
    y.is_nan() && want.is_nan() || y == want && y.is_sign_negative() == want.is_sign_negative()
}

/// A table of arguments and results that hold in both precisions.
macro_rules! ends {
    ($($test:ident $name:ident: $($x:expr => $y:expr),*;)*) => {$(
        #[test]
        fn $test() {
            let table = [$(($x, $y)),*];
            for (level, y, y32) in at_all_levels!($name, table.iter().map(|p| p.0).collect()) {
                for (i, (x, want)) in table.iter().enumerate() {
                    assert!(same(y[i], *want), "{}({x:e}) at {level}: {:e}", stringify!($name), y[i]);
                    assert!(same(y32[i] as f64, *want), "{}({x:e}f32) at {level}: {:e}", stringify!($name), y32[i]);
                }
            }
        }
    )*};
}

ends! {
    exp_ends exp: 0.0 => 1.0, -0.0 => 1.0, INF => INF, -INF => 0.0, NAN => NAN, 1e4 => INF, -1e4 => 0.0,
        1e30 => INF, -1e30 => 0.0, 710.0 => INF, -746.0 => 0.0, 1e-38 => 1.0;
    exp2_ends exp2: 0.0 => 1.0, -0.0 => 1.0, 1.0 => 2.0, -3.0 => 0.125, 127.0 => 2f64.powi(127), INF => INF, -INF => 0.0,
        NAN => NAN, 1e4 => INF, -1e4 => 0.0, 1e30 => INF, -1e30 => 0.0, 1024.0 => INF, -1022.0 => 0.0, 1e-38 => 1.0;
    expm1_ends expm1: 0.0 => 0.0, -0.0 => -0.0, INF => INF, -INF => -1.0, NAN => NAN, 1e4 => INF, -1e4 => -1.0,
        1e30 => INF, -1e30 => -1.0, 710.0 => INF;
    ln_ends ln: 0.0 => -INF, -0.0 => -INF, INF => INF, -INF => NAN, NAN => NAN, -1.0 => NAN, 1.0 => 0.0,
        -1e-38 => NAN, -1e30 => NAN;
    log1p_ends log1p: 0.0 => 0.0, -0.0 => -0.0, INF => INF, -INF => NAN, NAN => NAN, -1.0 => -INF, -1.0001 => NAN,
        -1e30 => NAN;
    asinh_ends asinh: 0.0 => 0.0, -0.0 => -0.0, INF => INF, -INF => -INF, NAN => NAN;
    sinpi_ends sinpi: 0.0 => 0.0, -0.0 => -0.0, INF => NAN, -INF => NAN, NAN => NAN, 0.5 => 1.0, -0.5 => -1.0,
        1.5 => -1.0, 2.5 => 1.0, 1.0 => 0.0, -1.0 => -0.0, 1e30 => 0.0, -1e30 => -0.0, 3e38 => 0.0;
    lgamma_ends lgamma: 0.0 => INF, INF => INF, -INF => NAN, NAN => NAN, -1.0 => NAN, -0.5 => NAN, 1.0 => 0.0,
        2.0 => 0.0;
    digamma_ends digamma: 0.0 => -INF, INF => INF, -INF => NAN, NAN => NAN, -1.0 => NAN, -0.5 => NAN;
}

/// Tiny arguments come back as they are, to the last subnormal bit.
#[test]
fn tiny_arguments() {
    let tiny = vec![5e-324, -5e-324, 1e-310, -1e-310, f64::MIN_POSITIVE, -2.3e-308, 1e-300, -1e-20, 3e-17];
    let runs = [
        at_all_levels!(expm1, tiny.clone()),
        at_all_levels!(log1p, tiny.clone()),
        at_all_levels!(asinh, tiny.clone()),
    ];
    for (function, run) in runs.into_iter().enumerate() {
        for (level, y, _) in run {
            for (x, y) in tiny.iter().zip(y) {
                assert!((y - x).abs() <= x.abs() * 2f64.powi(-52), "{function} at {level}: {x:e} gave {y:e}");
            }
        }
    }
    let single: Vec<f64> = vec![1.4e-45, -1.4e-45, 1e-41, f32::MIN_POSITIVE as f64, -3e-38, 1e-20, -1e-9];
    let runs = [
        at_all_levels!(expm1, single.clone()),
        at_all_levels!(log1p, single.clone()),
        at_all_levels!(asinh, single.clone()),
    ];
    for (function, run) in runs.into_iter().enumerate() {
        for (level, _, y) in run {
            for (x, y) in single.iter().zip(y) {
                assert!(
                    (y - *x as f32).abs() <= x.abs() as f32 * 2.4e-7,
                    "{function} at {level}: {x:e} gave {y:e}"
                );
            }
        }
    }
}

/// The last argument with a finite result and the first without; results among the subnormals.
#[test]
fn thresholds() {
    let top = 709.782_712_893_384; // e^top is just below the largest double
    let above = 709.782_712_893_384_1;
    for (level, y, _) in at_all_levels!(exp, vec![top, above, -745.133_219_101_941_1, -745.133_219_101_941_2])
    {
        assert!(y[0] > 1.797_693_134_862e308 && y[0] < INF && y[1] == INF, "{level}: {:e} {:e}", y[0], y[1]);
        assert!(y[2] == 5e-324 && y[3] == 0.0, "{level}: {:e} {:e}", y[2], y[3]);
    }
    for (level, y, _) in at_all_levels!(expm1, vec![top, above]) {
        assert!(y[0] > 1.797_693_134_862e308 && y[0] < INF && y[1] == INF, "{level}: {:e} {:e}", y[0], y[1]);
    }
    let subnormal: Vec<f64> = (0..400).map(|i| -745.0 + 0.09 * i as f64).collect();
    for (level, y, _) in at_all_levels!(exp, subnormal.clone()) {
        for (x, y) in subnormal.iter().zip(y) {
            // In halves, each far from the ends.
            let half = (x / 2.0).exp();
            assert!((y - half * half).abs() <= 5e-324 + y * 3e-16, "{level} {x}: {y:e}");
        }
    }
    for (level, _, y) in at_all_levels!(exp, vec![88.72283, 88.7229, -103.97207, -103.9722]) {
        assert!(
            y[0] > 3.402e38 && y[0] < f32::INFINITY && y[1] == f32::INFINITY,
            "{level}: {:e} {:e}",
            y[0],
            y[1]
        );
        assert!(y[2] == 1e-45 && y[3] == 0.0, "{level}: {:e} {:e}", y[2], y[3]);
    }
    let ends = vec![5e-324, f64::MIN_POSITIVE, f64::MAX];
    for (level, y, _) in at_all_levels!(ln, ends.clone()) {
        let want = [-744.440_071_921_381_2, -708.396_418_532_264_1, 709.782_712_893_384];
        for i in 0..3 {
            assert!((y[i] - want[i]).abs() <= 1.2e-13, "{level} ln({:e}) = {}", ends[i], y[i]);
        }
    }
    // asinh and lgamma go on to the largest argument, or to overflow.
    for (level, y, _) in at_all_levels!(asinh, vec![f64::MAX, -f64::MAX]) {
        assert!((y[0] - 710.475_860_073_944).abs() < 2e-13 && y[1] == -y[0], "{level} {}", y[0]);
    }
    for (level, y, _) in at_all_levels!(lgamma, vec![2.5e305, 2.6e305, 1e-310]) {
        assert!(y[0] > 1.7e308 && y[0] < INF && y[1] == INF, "{level} {:e} {:e}", y[0], y[1]);
        assert!((y[2] - 713.801_378_828_154).abs() < 2e-13, "{level} {}", y[2]);
    }
}

/// Beside its zeros at 1 and 2 lgamma keeps its relative accuracy: there it is (x - z) times a slope and curvature.
#[test]
fn lgamma_beside_its_zeros() {
    const EULER: f64 = 0.577_215_664_901_532_9;
    const ZETA_2: f64 = 1.644_934_066_848_226_4;
    let steps: Vec<f64> = (27..53).flat_map(|k| [2f64.powi(-k), -(2f64.powi(-k))]).collect();
    for (zero, slope, curve) in [(1.0, -EULER, ZETA_2 / 2.0), (2.0, 1.0 - EULER, (ZETA_2 - 1.0) / 2.0)] {
        let x: Vec<f64> = steps.iter().map(|d| zero + d).collect();
        for (level, y, _) in at_all_levels!(lgamma, x.clone()) {
            for (x, y) in x.iter().zip(y) {
                let t = x - zero;
                let want = t * (slope + t * curve);
                assert!(
                    (y - want).abs() <= 1e-15 * want.abs(),
                    "{level} {zero} + {t:e}: {y:e} and not {want:e}"
                );
            }
        }
    }
}

/// Wherever x is tiny against 1, digamma is -1/x.
#[test]
fn digamma_at_tiny_arguments() {
    let x = vec![1e-20, 1e-100, 1e-300, 1e-308];
    for (level, y, _) in at_all_levels!(digamma, x.clone()) {
        for (x, y) in x.iter().zip(y) {
            assert!((y * x + 1.0).abs() <= 4e-16, "{level} {x:e}: {y:e}");
        }
    }
}
