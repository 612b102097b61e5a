//! The elementary functions in double-double arithmetic, good to 2^-66 and better: what the lanes are measured by.
//!
//! They share nothing with the functions under test but the lanes' arithmetic: Taylor series throughout, and long
//! recurrences. `golden.rs` holds them against Arb.

#[allow(clippy::approx_constant, reason = "generated, with a low part")]
pub mod constants;

use constants as k;
use solvent_simd::{F64s, Kernel, Lanes, Mask, Simd, dispatch};

/// The unevaluated sum of two doubles.
#[derive(Clone, Copy)]
pub struct Dd<V> {
    pub hi: V,
    pub lo: V,
}

#[inline(always)]
fn two_sum<V: F64s>(a: V, b: V) -> Dd<V> {
    let s = a + b;
    let z = s - a;
    Dd { hi: s, lo: (a - (s - z)) + (b - z) }
}

#[inline(always)]
fn quick<V: F64s>(a: V, b: V) -> Dd<V> {
    let s = a + b;
    Dd { hi: s, lo: b - (s - a) }
}

#[inline(always)]
fn two_product<V: F64s>(a: V, b: V) -> Dd<V> {
    let p = a * b;
    Dd { hi: p, lo: a.fma(b, -p) }
}

impl<V: F64s> Dd<V> {
    #[inline(always)]
    fn of(c: (f64, f64)) -> Self {
        Self { hi: V::splat(c.0), lo: V::splat(c.1) }
    }
    #[inline(always)]
    fn from(hi: V) -> Self {
        Self { hi, lo: V::splat(0.0) }
    }
    #[inline(always)]
    fn plus(self, o: Self) -> Self {
        let s = two_sum(self.hi, o.hi);
        let t = two_sum(self.lo, o.lo);
        let s = quick(s.hi, s.lo + t.hi);
        quick(s.hi, s.lo + t.lo)
    }
    #[inline(always)]
    fn minus(self, o: Self) -> Self {
        self.plus(o.negative())
    }
    #[inline(always)]
    fn negative(self) -> Self {
        Self { hi: -self.hi, lo: -self.lo }
    }
    #[inline(always)]
    fn times(self, o: Self) -> Self {
        let p = two_product(self.hi, o.hi);
        quick(p.hi, p.lo + (self.hi * o.lo + self.lo * o.hi))
    }
    #[inline(always)]
    fn over(self, o: Self) -> Self {
        let q = self.hi / o.hi;
        let r = self.minus(o.times(Self::from(q)));
        let q2 = r.hi / o.hi;
        let r = r.minus(o.times(Self::from(q2)));
        quick(q, q2).plus(Self::from(r.hi / o.hi))
    }
    #[inline(always)]
    fn root(self) -> Self {
        let s = self.hi.sqrt();
        let r = self.minus(two_product(s, s));
        quick(s, r.hi / (s + s))
    }
    /// Times 2^n, the result and both factors normal.
    #[inline(always)]
    fn scaled(self, n: V) -> Self {
        Self { hi: self.hi.ldexp(n), lo: self.lo.ldexp(n) }
    }
    #[inline(always)]
    fn select(mask: V::Mask, yes: Self, no: Self) -> Self {
        Self { hi: V::select(mask, yes.hi, no.hi), lo: V::select(mask, yes.lo, no.lo) }
    }
    /// `sum c_i self^i`.
    #[inline(always)]
    fn series(self, c: &[(f64, f64)]) -> Self {
        let mut p = Self::of(c[c.len() - 1]);
        for i in (0..c.len() - 1).rev() {
            p = p.times(self).plus(Self::of(c[i]));
        }
        p
    }
}

/// `(n, e^r - 1)` with x = n ln 2 + r.
#[inline(always)]
fn reduced_exp<V: F64s>(x: V) -> (V, Dd<V>) {
    let n = (x * V::splat(std::f64::consts::LOG2_E)).round();
    let r = Dd::from(n.fma(V::splat(-k::LN_2[0].0), x)); // exact
    let r = r.minus(Dd::from(n).times(Dd::of(k::LN_2[1])));
    (n, r.series(&k::INVERSE_FACTORIAL[1..20]).times(r))
}

#[inline(always)]
pub fn exp<V: F64s>(x: V) -> Dd<V> {
    let (n, p) = reduced_exp(x);
    p.plus(Dd::of((1.0, 0.0))).scaled(n)
}

#[inline(always)]
pub fn exp2<V: F64s>(x: V) -> Dd<V> {
    let n = x.round();
    let ln_2 = Dd::of(k::LN_2[0]).plus(Dd::of(k::LN_2[1]));
    let r = Dd::from(x - n).times(ln_2);
    r.series(&k::INVERSE_FACTORIAL[..20]).scaled(n)
}

#[inline(always)]
pub fn expm1<V: F64s>(x: V) -> Dd<V> {
    let x = V::splat(-100.0).max(x);
    let (n, p) = reduced_exp(x);
    let one = V::splat(1.0);
    // Down by 2^60 from 2^1024.
    let down = V::select(n.gt(V::splat(500.0)), V::splat(60.0), V::splat(0.0));
    let m = n - down;
    let sum = p.scaled(m).plus(Dd::from(one.ldexp(m))).minus(Dd::from(one.ldexp(-down))).scaled(down);
    Dd::select(n.eq(V::splat(0.0)), p, sum)
}

/// ln(1 + w) + e ln 2 for w in [-0.3, 0.42].
#[inline(always)]
fn near_one<V: F64s>(w: Dd<V>, e: V) -> Dd<V> {
    let s = w.over(w.plus(Dd::of((2.0, 0.0))));
    let l = s.times(s).series(&k::INVERSE_ODD[..16]).times(s);
    let l = l.plus(l);
    let head = Dd::from(e * V::splat(k::LN_2[0].0)); // exact
    head.plus(Dd::from(e).times(Dd::of(k::LN_2[1])).plus(l))
}

#[inline(always)]
fn ln_dd<V: F64s>(x: Dd<V>) -> Dd<V> {
    let (m, e) = x.hi.frexp_sqrt2();
    let m = Dd { hi: m, lo: x.lo.ldexp(-e) };
    near_one(m.minus(Dd::of((1.0, 0.0))), e)
}

#[inline(always)]
fn log1p_dd<V: F64s>(w: Dd<V>) -> Dd<V> {
    let near = w.hi.gt(V::splat(-0.28)).and(w.hi.lt(V::splat(0.4)));
    let half = Dd::of((0.5, 0.0));
    let l = near_one(Dd::select(near, w, half), V::splat(0.0));
    Dd::select(near, l, ln_dd(Dd::of((1.0, 0.0)).plus(Dd::select(near, half, w))))
}

#[inline(always)]
pub fn ln<V: F64s>(x: V) -> Dd<V> {
    let tiny = x.lt(V::splat(f64::MIN_POSITIVE));
    let (m, e) = V::select(tiny, x * V::splat(2f64.powi(60)), x).frexp_sqrt2();
    let e = e - V::select(tiny, V::splat(60.0), V::splat(0.0));
    near_one(Dd::from(m - V::splat(1.0)), e)
}

#[inline(always)]
pub fn log1p<V: F64s>(x: V) -> Dd<V> {
    // Halves of subnormals would lose a bit.
    let tiny = x.abs().lt(V::splat(1e-290));
    Dd::select(tiny, Dd::from(x), log1p_dd(Dd::from(x)))
}

#[inline(always)]
pub fn asinh<V: F64s>(x: V) -> Dd<V> {
    let one = Dd::of((1.0, 0.0));
    let a = x.abs();
    let (large, small) = (a.gt(V::splat(2f64.powi(70))), a.lt(V::splat(1e-140)));
    let middle = V::select(large, V::splat(1.0), V::select(small, V::splat(1.0), a));
    let square = two_product(middle, middle);
    let t = square.over(one.plus(one.plus(square).root()));
    let y = log1p_dd(t.plus(Dd::from(middle)));
    let big = ln(V::select(large, a, V::splat(1.0))).plus(Dd::of(k::LN_2[0])).plus(Dd::of(k::LN_2[1]));
    let y = Dd::select(large, big, Dd::select(small, Dd::from(a), y));
    Dd::select(x.lt(V::splat(0.0)), y.negative(), y)
}

#[inline(always)]
pub fn sinpi<V: F64s>(x: V) -> Dd<V> {
    let n = x.round();
    let r = x - n;
    let r = V::select((n * V::splat(0.5)).floor().eq(n * V::splat(0.5)), r, -r);
    // Products with subnormals have no low part: up by 2^200 and down again.
    let tiny = r.abs().lt(V::splat(1e-200));
    let r = V::select(tiny, r * V::splat(2f64.powi(600)), r);
    let t = Dd::of(k::PI[0]).times(Dd::from(r));
    let z = t.times(t).negative();
    let z = Dd::select(tiny, Dd::of((0.0, 0.0)), z);
    let mut p = Dd::of(k::INVERSE_FACTORIAL[29]);
    for i in (0..14).rev() {
        p = p.times(z).plus(Dd::of(k::INVERSE_FACTORIAL[2 * i + 1]));
    }
    let y = p.times(t);
    y.scaled(V::select(tiny, V::splat(-600.0), V::splat(0.0)))
}

/// `(x + n, (x) ... (x + n - 1), the sum of their reciprocals)`, x + n >= 30.
#[inline(always)]
fn risen<V: F64s>(x: V) -> (Dd<V>, Dd<V>, Dd<V>) {
    let one = Dd::of((1.0, 0.0));
    let (mut top, mut product, mut sum) = (Dd::from(x), one, Dd::of((0.0, 0.0)));
    for _ in 0..30 {
        let low = top.hi.lt(V::splat(30.0));
        sum = Dd::select(low, sum.times(top).plus(product), sum);
        product = Dd::select(low, product.times(top), product);
        top = Dd::select(low, top.plus(one), top);
    }
    (top, product, sum.over(product))
}

#[inline(always)]
pub fn lgamma<V: F64s>(x: V) -> Dd<V> {
    let (one, two) = (V::splat(1.0), V::splat(2.0));
    let eighth = V::splat(0.125);
    let (at_1, at_2) = ((x - one).abs().le(eighth), (x - two).abs().le(eighth));
    let t = Dd::from(V::select(at_1, x - one, V::select(at_2, x - two, V::splat(0.0))));
    let at_zero = t.series(&k::LGAMMA_2).times(t);
    let at_zero = Dd::select(at_1, at_zero.minus(log1p_dd(t)), at_zero);

    let huge = x.gt(V::splat(1e15));
    let (top, product, _) = risen(V::select(at_1.or(at_2).or(huge), V::splat(3.0), x));
    let top = Dd::select(huge, Dd::from(x), top);
    let inverse = Dd::of((1.0, 0.0)).over(top);
    let rest = inverse.times(inverse).series(&k::STIRLING).times(inverse).plus(Dd::of(k::HALF_LN_2PI[0]));
    let main = top.minus(Dd::of((0.5, 0.0))).times(ln_dd(top)).minus(top);
    let y = main.plus(rest);
    let y = Dd::select(huge, y, y.minus(ln_dd(product)));
    Dd::select(at_1.or(at_2), at_zero, y)
}

#[inline(always)]
pub fn digamma<V: F64s>(x: V) -> Dd<V> {
    let (top, _, sum) = risen(x);
    let inverse = Dd::of((1.0, 0.0)).over(top);
    let half = Dd::of((0.5, 0.0)).times(inverse);
    let w = inverse.times(inverse);
    ln_dd(top).minus(half).minus(w.series(&k::DIGAMMA_FAR).times(w)).minus(sum)
}

/// One of the functions above.
pub trait Reference {
    fn apply<V: F64s>(&self, x: V) -> Dd<V>;
}

/// `(hi, lo)` of the reference at every `x`.
pub fn values(f: &impl Reference, x: &[f64]) -> Vec<(f64, f64)> {
    struct Run<'a, R>(&'a R, &'a [f64]);
    impl<R: Reference> Kernel for Run<'_, R> {
        type Output = Vec<(f64, f64)>;
        #[inline(always)]
        fn run<S: Simd>(self) -> Self::Output {
            let mut out = Vec::with_capacity(self.1.len() + 8);
            for chunk in self.1.chunks(8) {
                let mut padded = [1.0; 16];
                padded[..chunk.len()].copy_from_slice(chunk);
                let mut start = 0;
                while start < chunk.len() {
                    let y = self.0.apply(S::F64::load(&padded[start..]));
                    let (mut hi, mut lo) = ([0.0; 8], [0.0; 8]);
                    y.hi.store(&mut hi);
                    y.lo.store(&mut lo);
                    let lanes = S::F64::LANES;
                    out.extend((0..lanes.min(chunk.len() - start)).map(|i| (hi[i], lo[i])));
                    start += lanes;
                }
            }
            out
        }
    }
    dispatch(Run(f, x))
}

/// Names a reference function as a [`Reference`].
macro_rules! reference {
    ($name:ident) => {{
        struct R;
        impl $crate::reference::Reference for R {
            #[inline(always)]
            fn apply<V: solvent_simd::F64s>(&self, x: V) -> $crate::reference::Dd<V> {
                $crate::reference::$name(x)
            }
        }
        R
    }};
}
