//! Error-free transformations, compensated sums, and a double-double number.
//!
//! A certificate must not drown in the rounding of its own evaluation: sums that enter one go through here.
//! `f64::mul_add` rounds once on every target (in software where the hardware has no FMA), so results do not
//! depend on the machine. Sources: Knuth (two_sum), Ogita, Rump & Oishi, SIAM J. Sci. Comput. 26 (2005)
//! 1955 (Sum2, Dot2), Joldes, Muller & Popescu, ACM TOMS 44 (2017) 15 (double-double).

use std::cmp::Ordering;
use std::ops::{Add, Div, Mul, Neg, Sub};

/// `(s, e)` with `s = fl(a + b)` and `s + e = a + b` exactly (barring overflow).
#[inline(always)]
pub fn two_sum(a: f64, b: f64) -> (f64, f64) {
    let s = a + b;
    let bb = s - a;
    (s, (a - (s - bb)) + (b - bb))
}

/// As [`two_sum`], for `|a| >= |b|` or `a = 0`.
#[inline(always)]
pub fn fast_two_sum(a: f64, b: f64) -> (f64, f64) {
    let s = a + b;
    (s, b - (s - a))
}

/// `(p, e)` with `p = fl(a b)` and `p + e = a b` exactly (barring overflow and underflow).
#[inline(always)]
pub fn two_prod(a: f64, b: f64) -> (f64, f64) {
    let p = a * b;
    (p, a.mul_add(b, -p))
}

/// A running sum with an error of `u |s| + 2 n² u² sum |x|`: as if computed in twice the precision.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Sum {
    head: f64,
    tail: f64,
}

impl Sum {
    /// The empty sum.
    pub const fn new() -> Self {
        Self { head: 0.0, tail: 0.0 }
    }

    /// The running sum that a kernel has kept as two numbers.
    #[inline(always)]
    pub const fn from_parts(head: f64, tail: f64) -> Self {
        Self { head, tail }
    }

    /// Head and tail, for a kernel to go on with.
    #[inline(always)]
    pub const fn parts(self) -> (f64, f64) {
        (self.head, self.tail)
    }

    /// Adds `x`.
    #[inline(always)]
    pub fn add(&mut self, x: f64) {
        let (s, e) = two_sum(self.head, x);
        self.head = s;
        self.tail += e;
    }

    /// Adds `a b` with the rounding error of the product.
    #[inline(always)]
    pub fn add_product(&mut self, a: f64, b: f64) {
        let (p, e) = two_prod(a, b);
        self.add(p);
        self.tail += e;
    }

    /// Adds another running sum; the way to join blocks, in their order.
    #[inline(always)]
    pub fn merge(&mut self, other: Self) {
        self.add(other.head);
        self.tail += other.tail;
    }

    /// The sum, rounded once. Once it has overflowed or met a nan it is what a plain sum would give.
    #[inline(always)]
    pub fn value(self) -> f64 {
        if self.head.is_finite() { self.head + self.tail } else { self.head }
    }

    /// The sum with its tail.
    pub fn double(self) -> Dd {
        if self.head.is_finite() { Dd::new(self.head, self.tail) } else { Dd::from(self.head) }
    }
}

impl Extend<f64> for Sum {
    fn extend<I: IntoIterator<Item = f64>>(&mut self, items: I) {
        for x in items {
            self.add(x);
        }
    }
}

impl FromIterator<f64> for Sum {
    fn from_iter<I: IntoIterator<Item = f64>>(items: I) -> Self {
        let mut sum = Self::new();
        sum.extend(items);
        sum
    }
}

/// Compensated sum of a slice.
pub fn sum(x: &[f64]) -> f64 {
    x.iter().copied().collect::<Sum>().value()
}

/// Compensated dot product over the shorter length: error `u |s| + 2 n² u² |x|.|y|`.
pub fn dot2(x: &[f64], y: &[f64]) -> f64 {
    let mut sum = Sum::new();
    for (&a, &b) in x.iter().zip(y) {
        sum.add_product(a, b);
    }
    sum.value()
}

/// Euclidean norm from compensated squares, scaled by a power of two against overflow and underflow.
pub fn norm2(x: &[f64]) -> f64 {
    if x.iter().any(|v| v.is_nan()) {
        return f64::NAN;
    }
    let largest = x.iter().fold(0.0_f64, |m, v| m.max(v.abs()));
    if largest == 0.0 || largest.is_infinite() {
        return largest;
    }
    // Scaling by powers of two is exact; two factors because 2^-e itself may lie out of range.
    let exponent = ((largest.to_bits() >> 52) as i32 - 1023).max(-1022);
    let (down, rest) = (power_of_two(-(exponent / 2)), power_of_two(-(exponent - exponent / 2)));
    let mut sum = Sum::new();
    for &v in x {
        let scaled = v * down * rest;
        sum.add_product(scaled, scaled);
    }
    sum.value().sqrt() / rest / down
}

/// `2^e` for `|e| <= 1022`.
fn power_of_two(e: i32) -> f64 {
    f64::from_bits(((1023 + e) as u64) << 52)
}

/// A double-double: an unevaluated sum `hi + lo` with `|lo| <= ulp(hi)/2`; about 106 bits.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Dd {
    /// The number rounded to double.
    pub hi: f64,
    /// What the rounding left.
    pub lo: f64,
}

impl Dd {
    /// Zero.
    pub const ZERO: Self = Self { hi: 0.0, lo: 0.0 };
    /// One.
    pub const ONE: Self = Self { hi: 1.0, lo: 0.0 };

    /// `a + b`, normalised.
    #[inline(always)]
    pub fn new(a: f64, b: f64) -> Self {
        let (hi, lo) = two_sum(a, b);
        Self { hi, lo }
    }

    /// The exact product of two doubles.
    #[inline(always)]
    pub fn product(a: f64, b: f64) -> Self {
        let (hi, lo) = two_prod(a, b);
        Self { hi, lo }
    }

    /// The nearest double.
    #[inline(always)]
    pub fn to_f64(self) -> f64 {
        self.hi
    }

    /// Absolute value.
    #[must_use]
    pub fn abs(self) -> Self {
        if self.hi < 0.0 || (self.hi == 0.0 && self.lo < 0.0) { -self } else { self }
    }

    /// Square root (one Newton step from the double root); nan below zero. Relative error at most 25/8 u²
    /// (Lefèvre, Louvet, Muller, Picot & Rideau, ACM TOMS 49 (2023) 1).
    #[must_use]
    pub fn sqrt(self) -> Self {
        if self.hi <= 0.0 || !self.hi.is_finite() {
            return Self::from(self.hi.sqrt());
        }
        let root = self.hi.sqrt();
        let rest = (self - Self::product(root, root)).hi;
        let (hi, lo) = fast_two_sum(root, rest / (2.0 * root));
        Self { hi, lo }
    }
}

impl From<f64> for Dd {
    #[inline(always)]
    fn from(hi: f64) -> Self {
        Self { hi, lo: 0.0 }
    }
}

impl Neg for Dd {
    type Output = Self;
    #[inline(always)]
    fn neg(self) -> Self {
        Self { hi: -self.hi, lo: -self.lo }
    }
}

/// Relative error at most 3 u² + 13 u³ (Joldes et al., algorithm 6).
impl Add for Dd {
    type Output = Self;
    #[inline(always)]
    fn add(self, other: Self) -> Self {
        let (sh, sl) = two_sum(self.hi, other.hi);
        let (th, tl) = two_sum(self.lo, other.lo);
        let (vh, vl) = fast_two_sum(sh, sl + th);
        let (hi, lo) = fast_two_sum(vh, tl + vl);
        Self { hi, lo }
    }
}

impl Sub for Dd {
    type Output = Self;
    #[inline(always)]
    fn sub(self, other: Self) -> Self {
        self + -other
    }
}

/// Relative error at most 4 u² (Joldes et al., algorithm 12 with the low product).
impl Mul for Dd {
    type Output = Self;
    #[inline(always)]
    fn mul(self, other: Self) -> Self {
        let (ph, pl) = two_prod(self.hi, other.hi);
        let cross = self.hi.mul_add(other.lo, self.lo.mul_add(other.hi, self.lo * other.lo));
        let (hi, lo) = fast_two_sum(ph, pl + cross);
        Self { hi, lo }
    }
}

/// Relative error at most 9.8 u² (Joldes et al., algorithm 18).
impl Div for Dd {
    type Output = Self;
    #[inline(always)]
    fn div(self, other: Self) -> Self {
        let quotient = self.hi / other.hi;
        if !quotient.is_finite() || other.hi.is_infinite() {
            return Self::from(quotient);
        }
        let rest = self - other * Self::from(quotient);
        let (hi, lo) = fast_two_sum(quotient, rest.hi / other.hi);
        Self { hi, lo }
    }
}

impl PartialOrd for Dd {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        match self.hi.partial_cmp(&other.hi) {
            Some(Ordering::Equal) => self.lo.partial_cmp(&other.lo),
            order => order,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A moderate double as an exact integer multiple of 2^-80.
    fn exact(x: f64) -> i128 {
        // Tests draw |x| in [2^-20, 2^20]: 52 + 20 fractional bits at most, so 2^72 x is an integer < 2^92.
        let bits = x.to_bits();
        let (exponent, fraction) = ((bits >> 52 & 0x7ff) as i32 - 1075, (bits & ((1 << 52) - 1)) | 1 << 52);
        let value = i128::from(fraction) << (exponent + 80);
        if x == 0.0 {
            0
        } else if x < 0.0 {
            -value
        } else {
            value
        }
    }

    fn moderate() -> impl Strategy<Value = f64> {
        (prop::bool::ANY, -20.0..20.0_f64, 1.0..2.0_f64)
            .prop_map(|(negative, e, m)| (if negative { -m } else { m }) * 2f64.powi(e as i32))
    }

    proptest! {
        #[test]
        fn two_sum_is_exact(a in moderate(), b in moderate()) {
            let (s, e) = two_sum(a, b);
            prop_assert_eq!(s, a + b);
            let exact_tail = exact(a) + exact(b) - if s == 0.0 { 0 } else { exact(s) };
            prop_assert_eq!(e, exact_tail as f64 * 2f64.powi(-80));
        }

        #[test]
        fn two_prod_is_exact(a in -(1i64 << 53)..1i64 << 53, b in -(1i64 << 53)..1i64 << 53) {
            let (p, e) = two_prod(a as f64, b as f64);
            prop_assert_eq!(p as i128 + e as i128, i128::from(a) * i128::from(b));
        }

        #[test]
        fn sums_of_integers_are_exact(items in prop::collection::vec(-(1i64 << 53)..1i64 << 53, 0..200)) {
            let exact: i128 = items.iter().map(|&i| i128::from(i)).sum();
            let floats: Vec<f64> = items.iter().map(|&i| i as f64).collect();
            prop_assert_eq!(sum(&floats), exact as f64);
        }

        #[test]
        fn dd_inverts_itself(a in moderate(), b in moderate()) {
            let (x, y) = (Dd::from(a), Dd::from(b));
            let quotient = x / y;
            let back = quotient * y - x;
            prop_assert!(back.hi.abs() <= 16.0 * 2f64.powi(-106) * a.abs());
            let root = x.abs().sqrt();
            let rest = root * root - x.abs();
            prop_assert!(rest.hi.abs() <= 8.0 * 2f64.powi(-106) * a.abs());
        }
    }

    #[test]
    fn a_sum_survives_cancellation() {
        let items = [1.0, 1e100, 1.0, -1e100];
        assert_eq!(sum(&items), 2.0);
        assert_eq!(items.iter().sum::<f64>(), 0.0);
        let (x, y) = ([1e16, 1.0, -1e16, 3.0], [1e16, 1.0, 1e16, 1.0]);
        assert_eq!(dot2(&x, &y), 4.0);
    }

    #[test]
    fn a_merged_sum_keeps_its_tails() {
        let mut left: Sum = [1.0, 1e100].into_iter().collect();
        left.merge([1.0, -1e100].into_iter().collect());
        assert_eq!(left.value(), 2.0);
        assert_eq!([f64::MAX, f64::MAX].into_iter().collect::<Sum>().value(), f64::INFINITY);
        assert!([f64::NAN, 1.0].into_iter().collect::<Sum>().value().is_nan());
    }

    #[test]
    fn norms_do_not_overflow() {
        assert_eq!(norm2(&[3.0, 4.0]), 5.0);
        assert_eq!(norm2(&[3e300, 4e300]), 5e300);
        assert_eq!(norm2(&[3e-320, 4e-320]), 5e-320);
        assert_eq!((norm2(&[]), norm2(&[0.0]), norm2(&[f64::INFINITY])), (0.0, 0.0, f64::INFINITY));
        assert!(norm2(&[f64::NAN, 1.0]).is_nan() && norm2(&[1.0, f64::NAN]).is_nan());
    }

    #[test]
    fn one_third_has_106_bits() {
        let third = Dd::ONE / Dd::from(3.0);
        // 1/3 - fl(1/3) = 1/3 · 2^-54 exactly, because fl(1/3) = (1 - 2^-54)/3.
        assert!((third.lo - 2f64.powi(-54) / 3.0).abs() <= 2f64.powi(-108));
        let root = Dd::from(2.0).sqrt();
        // sqrt(2) = 1.41421356237309504880168872420969807857; minus its double: -9.66729331345291...e-17.
        assert!((root.lo + 9.667293313452913e-17).abs() <= 25.0 / 8.0 * 2f64.powi(-106) * 2f64.sqrt());
    }
}
