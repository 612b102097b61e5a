//! The walk over slices, the primitives, and the exact-product multiply-add, at every level of the machine.

use solvent_simd::lanes::SLACK;
use solvent_simd::slice::MAX_LANES;
use solvent_simd::{
    F32s, F64s, Kernel, Lanes, Level, Map, MapF32, Mask, Pack, Simd, Test, dispatch_at, map, map_f32,
    partition,
};

const LEVELS: [Level; 3] = [Level::V4, Level::V3, Level::Portable];

fn random(seed: &mut u64) -> u64 {
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    *seed
}

/// All functions in one, so that one walk tests the tail for each.
struct All;

impl Map for All {
    #[inline(always)]
    fn apply<V: F64s>(&self, x: V) -> V {
        use solvent_simd::{asinh, digamma, exp, expm1, lgamma, ln, log1p, sinpi};
        let a = exp(x * V::splat(0.01)) + expm1(x * V::splat(0.01)) + ln(x.abs()) + log1p(x.abs());
        a + asinh(x) + sinpi(x) + lgamma(x.abs()) + digamma(x.abs())
    }
}
impl MapF32 for All {
    #[inline(always)]
    fn apply<V: F32s>(&self, x: V) -> V {
        use solvent_simd::{asinh, digamma, exp, expm1, lgamma, ln, log1p, sinpi};
        let a = exp(x * V::splat(0.01)) + expm1(x * V::splat(0.01)) + ln(x.abs()) + log1p(x.abs());
        a + asinh(x) + sinpi(x) + lgamma(x.abs()) + digamma(x.abs())
    }
}

struct Walk<'a>(&'a [f64], &'a mut [f64], bool);
impl Kernel for Walk<'_> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self) {
        if self.2 {
            map::<Pack<S::F64, 2>>(&All, self.0, self.1);
        } else {
            map::<S::F64>(&All, self.0, self.1);
        }
    }
}

struct Walk32<'a>(&'a [f32], &'a mut [f32]);
impl Kernel for Walk32<'_> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self) {
        map_f32::<S::F32>(&All, self.0, self.1);
    }
}

/// The same bits for an element wherever it stands and however long the slice is, packed or not.
#[test]
fn position_does_not_matter() {
    let mut seed = 3;
    let x: Vec<f64> = (0..70).map(|_| (random(&mut seed) as f64 / 2f64.powi(58)) - 30.0).collect();
    let x32: Vec<f32> = x.iter().map(|a| *a as f32).collect();
    for level in LEVELS {
        let mut whole = [0.0; 70];
        if dispatch_at(level, Walk(&x, &mut whole, false)).is_none() {
            continue;
        }
        let mut whole32 = [0.0; 70];
        dispatch_at(level, Walk32(&x32, &mut whole32));
        assert!(whole.iter().all(|y| y.is_finite()) && whole32.iter().all(|y| y.is_finite()));
        for length in 0..=70 {
            for start in [0, 70 - length, (70 - length) / 2] {
                let range = start..start + length;
                for packed in [false, true] {
                    let mut part = vec![0.0; length];
                    dispatch_at(level, Walk(&x[range.clone()], &mut part, packed));
                    let same =
                        part.iter().zip(&whole[range.clone()]).all(|(a, b)| a.to_bits() == b.to_bits());
                    assert!(same, "{} {range:?} packed {packed}", level.name());
                }
                let mut part = vec![0.0; length];
                dispatch_at(level, Walk32(&x32[range.clone()], &mut part));
                let same = part.iter().zip(&whole32[range.clone()]).all(|(a, b)| a.to_bits() == b.to_bits());
                assert!(same, "{} {range:?} f32", level.name());
            }
        }
    }
}

struct Below(f64);
impl Test for Below {
    #[inline(always)]
    fn test<V: F64s>(&self, x: V) -> V::Mask {
        x.lt(V::splat(self.0))
    }
}

struct Partition<'a>(f64, &'a [f64], &'a mut [u32], &'a mut [u32], bool);
impl Kernel for Partition<'_> {
    type Output = (usize, usize);
    #[inline(always)]
    fn run<S: Simd>(self) -> (usize, usize) {
        if self.4 {
            partition::<Pack<S::F64, 4>>(&Below(self.0), self.1, self.2, self.3)
        } else {
            partition::<S::F64>(&Below(self.0), self.1, self.2, self.3)
        }
    }
}

#[test]
fn partition_sorts_positions() {
    let mut seed = 11;
    for length in 0..=70 {
        let x: Vec<f64> = (0..length).map(|_| random(&mut seed) as f64 / 2f64.powi(64)).collect();
        // 2.0: also the padding, which is 1, passes.
        for limit in [0.0, 0.2, 0.5, 2.0] {
            let (inside, outside): (Vec<u32>, Vec<u32>) =
                (0..length as u32).partition(|i| x[*i as usize] < limit);
            for level in LEVELS {
                for packed in [false, true] {
                    let room = length + MAX_LANES + SLACK;
                    let (mut yes, mut no) = (vec![7; room], vec![7; room]);
                    let kernel = Partition(limit, &x, &mut yes, &mut no, packed);
                    let Some((a, b)) = dispatch_at(level, kernel) else { continue };
                    assert_eq!((&yes[..a], &no[..b]), (&inside[..], &outside[..]), "{}", level.name());
                }
            }
        }
    }
}

/// Reductions, gathers, masks, conversions: `(what, got, wanted)` for each that differs.
struct Primitives;
impl Kernel for Primitives {
    type Output = Vec<String>;
    #[inline(always)]
    fn run<S: Simd>(self) -> Vec<String> {
        let mut wrong = Vec::new();
        primitives::<S::F64>(&mut wrong);
        primitives::<Pack<S::F64, 4>>(&mut wrong);
        narrowing::<S::F32>(&mut wrong);
        narrowing::<Pack<S::F32, 2>>(&mut wrong);
        wrong
    }
}

#[inline(always)]
fn narrowing<V: F32s>(wrong: &mut Vec<String>) {
    // Ties, underflow and overflow among them.
    let ends = [1e300, -1e-300, 1.0 + 2f64.powi(-24), 1.0 + 3.0 * 2f64.powi(-24), f64::INFINITY];
    let x: Vec<f64> = (0..V::LANES).map(|i| if i % 3 == 0 { ends[i % 5] } else { i as f64 / 7.0 }).collect();
    let mut out = vec![0f32; V::LANES];
    V::load_f64(&x).store(&mut out);
    if !out.iter().zip(&x).all(|(a, b)| *a == *b as f32) {
        wrong.push(format!("narrowed {out:?}"));
    }
}

#[inline(always)]
fn primitives<V: F64s>(wrong: &mut Vec<String>) {
    let n = V::LANES;
    let x: Vec<f64> = (0..n).map(|i| (i as f64 - 3.3) * if i % 2 == 0 { 1.5 } else { -2.25 }).collect();
    let v = V::load(&x);
    if v.reduce_max() != x.iter().copied().fold(f64::NAN, f64::max) {
        wrong.push(format!("max {}", v.reduce_max()));
    }
    if v.reduce_min() != x.iter().copied().fold(f64::NAN, f64::min) {
        wrong.push(format!("min {}", v.reduce_min()));
    }
    if (v.reduce_sum() - x.iter().sum::<f64>()).abs() > 1e-13 {
        wrong.push(format!("sum {}", v.reduce_sum()));
    }
    let four = [v, v * V::splat(2.0), v + V::splat(1.0), -v];
    for (sum, one) in V::reduce_sums(four).into_iter().zip(four) {
        let mut lanes = vec![0.0; n];
        one.store(&mut lanes);
        if (sum - lanes.iter().sum::<f64>()).abs() > 1e-13 * n as f64 {
            wrong.push(format!("sums {sum}"));
        }
    }
    // One nan, anywhere, is no maximum.
    for at in 0..n {
        let mut y = x.clone();
        y[at] = f64::NAN;
        let (least, most) = (V::load(&y).reduce_min(), V::load(&y).reduce_max());
        if least != y.iter().copied().fold(f64::NAN, f64::min)
            || most != y.iter().copied().fold(f64::NAN, f64::max)
        {
            wrong.push(format!("nan at {at}: {least} {most}"));
        }
    }
    let table: Vec<f64> = (0..100).map(|i| i as f64 * 0.5).collect();
    let index: Vec<u32> = (0..n as u32).map(|i| (i * 37 + 5) % 100).collect();
    let mut out = vec![0.0; n];
    V::gather(&table, &index).store(&mut out);
    if !out.iter().zip(&index).all(|(a, i)| *a == table[*i as usize]) {
        wrong.push(format!("gather {out:?}"));
    }
    let mask = v.lt(V::splat(1.0));
    let bits = (0..n).fold(0u32, |b, i| b | ((x[i] < 1.0) as u32) << i);
    let every = if n == 32 { u32::MAX } else { (1 << n) - 1 };
    if mask.bits() != bits || mask.not().bits() != every & !bits || mask.and(mask.not()).any() {
        wrong.push(format!("bits {:b}", mask.bits()));
    }
    if !mask.or(mask.not()).all() || <V::Mask as Mask>::LANES != n {
        wrong.push("all".to_string());
    }
    let narrow: Vec<f32> = x.iter().map(|a| *a as f32 * 1.1).collect();
    let mut back = vec![0f32; n];
    let wide = V::load_f32(&narrow);
    wide.store(&mut out);
    (wide * V::splat(1.0 + 1e-12)).store_f32(&mut back);
    if back != narrow || !out.iter().zip(&narrow).all(|(a, b)| *a == *b as f64) {
        wrong.push(format!("f32 {out:?} {back:?}"));
    }
}

#[test]
fn primitives_do_what_they_say() {
    for level in LEVELS {
        if let Some(wrong) = dispatch_at(level, Primitives) {
            assert!(wrong.is_empty(), "{}: {wrong:#?}", level.name());
        }
    }
}

/// `a b + c` over slices; `a 2^b` where `scale` is set.
struct Fma<'a>(&'a [f64], &'a [f64], &'a [f64], &'a mut [f64], bool);
impl Kernel for Fma<'_> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self) {
        for i in (0..self.0.len()).step_by(S::F64::LANES) {
            let (a, b, c) =
                (S::F64::load(&self.0[i..]), S::F64::load(&self.1[i..]), S::F64::load(&self.2[i..]));
            let y = if self.4 { a.ldexp(b) } else { a.fma(b, c) };
            y.store(&mut self.3[i..]);
        }
    }
}

#[test]
fn fma_has_an_exact_product() {
    let mut seed = 5;
    let n = 200_000;
    let mut uniform = || random(&mut seed) as f64 / 2f64.powi(63) - 1.0;
    let (mut a, mut b, mut c) = (vec![0.0; n], vec![0.0; n], vec![0.0; n]);
    for i in 0..n {
        let spread = [0.0, 30.0, 400.0, 490.0][i % 4];
        a[i] = uniform() * (uniform() * spread).exp2();
        b[i] = uniform() * (uniform() * spread).exp2();
        c[i] = match i / 4 % 4 {
            // Cancels but for the low part of the product, or nearly.
            0 => -(a[i] * b[i]),
            1 => -(a[i] * b[i]) * (1.0 + (uniform() * 50.0).exp2()),
            2 => uniform() * (uniform() * 900.0).exp2(),
            _ => a[i] * b[i] * (uniform() * 110.0).exp2(),
        };
        // Huge factors, whose splitting would overflow.
        if i % 64 == 63 {
            (a[i], b[i]) = (a[i].signum() * 1.5e308, b[i] * 1e-160);
        }
    }
    for level in LEVELS {
        let mut y = vec![0.0; n];
        if dispatch_at(level, Fma(&a, &b, &c, &mut y, false)).is_none() {
            continue;
        }
        let mut differ = 0;
        for i in 0..n {
            let exact = a[i].mul_add(b[i], c[i]);
            if level != Level::Portable || cfg!(target_arch = "aarch64") {
                assert_eq!(
                    y[i].to_bits(),
                    exact.to_bits(),
                    "{} {:e} {:e} {:e}",
                    level.name(),
                    a[i],
                    b[i],
                    c[i]
                );
                continue;
            }
            differ += (y[i] != exact) as usize;
            let product = (a[i] * b[i]).abs();
            // The documented bound: 1 ulp and 2^-104 |a b|; below the subnormals' product bits are lost.
            let bound = exact.abs() * 2f64.powi(-52) + product * 2f64.powi(-104) + 1e-319;
            assert!(
                y[i] == exact || (y[i] - exact).abs() <= bound,
                "{:e} {:e} {:e}: {:e} {exact:e}",
                a[i],
                b[i],
                c[i],
                y[i]
            );
        }
        assert!(differ < n / 50, "{differ} of {n} differ from the correctly rounded");
        // Ends.
        let inf = f64::INFINITY;
        let p = [0.0, -0.0, inf, 1.0, inf, 2.0, f64::NAN, 1e308];
        let q = [3.0, 3.0, 2.0, 1.0, 0.0, 3.0, 1.0, 10.0];
        let r = [0.0, -0.0, 1.0, -inf, 1.0, -6.0, 1.0, 1.0];
        let mut y = [0.0; 8];
        dispatch_at(level, Fma(&p, &q, &r, &mut y, false));
        for i in 0..8 {
            let exact = p[i].mul_add(q[i], r[i]);
            let same = y[i].to_bits() == exact.to_bits() || y[i].is_nan() && exact.is_nan();
            assert!(same, "{}: {} * {} + {} = {}", level.name(), p[i], q[i], r[i], y[i]);
        }
    }
}

#[test]
fn ldexp_rounds_once() {
    let mut seed = 17;
    let n = 40_000;
    let a: Vec<f64> = (0..n).map(|_| 1.0 + random(&mut seed) as f64 / 2f64.powi(64)).collect();
    let b: Vec<f64> = (0..n).map(|i| (i % 4400) as f64 - 2200.0).collect();
    for level in LEVELS {
        let mut y = vec![0.0; n];
        if dispatch_at(level, Fma(&a, &b, &a, &mut y, true)).is_none() {
            continue;
        }
        for i in 0..n {
            let k = b[i] as i32;
            // Only the last factor can round: the first is exact while it stays normal.
            let exact = if k < -1000 {
                a[i] * 2f64.powi(-1000) * 2f64.powi((k + 1000).max(-1074))
            } else {
                a[i] * 2f64.powi(k.min(1000)) * 2f64.powi((k - 1000).clamp(0, 1000))
            };
            assert_eq!(y[i], exact, "{} {} 2^{k}", level.name(), a[i]);
        }
    }
}
