//! Sums and products of doubles without error: expansions in the sense of Shewchuk (Discrete & Computational Geometry 18
//! (1997) 305), unevaluated sums whose components do not overlap.

use crate::base::sum::{two_prod, two_sum};

/// Products smaller than this may lose bits to underflow: their tails need 53 bits below them.
const SMALL: f64 = 1.0e-280;
/// Sums and products larger than this may overflow.
const LARGE: f64 = 1.0e280;
/// Components from which on the expansion is compressed.
const LONG: usize = 48;

/// An exact number, unless it left the range of doubles.
#[derive(Debug, Clone, Default)]
pub struct Expansion {
    /// Non-overlapping, by magnitude, smallest first.
    parts: Vec<f64>,
    /// Some product under- or overflowed: nothing is known.
    lost: bool,
}

impl Expansion {
    /// Adds `x` (algorithm Grow-Expansion, zeros left out).
    pub fn add(&mut self, x: f64) {
        self.lost |= x.is_nan() || x.abs() > LARGE;
        let mut carry = x;
        let mut kept = 0;
        for k in 0..self.parts.len() {
            let (sum, rest) = two_sum(carry, self.parts[k]);
            carry = sum;
            if rest != 0.0 {
                self.parts[kept] = rest;
                kept += 1;
            }
        }
        self.parts.truncate(kept);
        if carry != 0.0 {
            self.parts.push(carry);
        }
        if self.parts.len() > LONG {
            self.compress();
        }
    }

    /// Adds `a b`.
    pub fn add_product(&mut self, a: f64, b: f64) {
        if a == 0.0 || b == 0.0 {
            self.lost |= !(a.is_finite() && b.is_finite());
            return;
        }
        let (p, e) = two_prod(a, b);
        self.lost |= !(p.abs() >= SMALL && p.abs() <= LARGE);
        self.add(e);
        self.add(p);
    }

    /// Adds `factor` times another expansion.
    pub fn add_scaled(&mut self, other: &Self, factor: f64) {
        self.lost |= other.lost;
        for &part in &other.parts {
            self.add_product(part, factor);
        }
    }

    /// The same number with few components.
    fn compress(&mut self) {
        let mut carry = 0.0;
        let mut down = Vec::with_capacity(self.parts.len());
        for &part in self.parts.iter().rev() {
            let (sum, rest) = two_sum(carry, part);
            if rest != 0.0 {
                down.push(sum);
                carry = rest;
            } else {
                carry = sum;
            }
        }
        let mut parts: Vec<f64> = Vec::with_capacity(down.len() + 1);
        for &part in down.iter().rev() {
            let (sum, rest) = two_sum(part, carry);
            if rest != 0.0 {
                parts.push(rest);
            }
            carry = sum;
        }
        if carry != 0.0 {
            parts.push(carry);
        }
        self.parts = parts;
    }

    /// The sign, if it is known.
    pub fn sign(&self) -> Option<f64> {
        (!self.lost).then(|| self.parts.last().map_or(0.0, |v| v.signum()))
    }

    /// The nearest double, or one beside it; nan if nothing is known.
    pub fn value(&self) -> f64 {
        if self.lost { f64::NAN } else { self.parts.iter().sum() }
    }

    /// A double that is not smaller.
    pub fn above(&self) -> f64 {
        self.beside(1.0)
    }

    /// A double that is not larger.
    pub fn below(&self) -> f64 {
        self.beside(-1.0)
    }

    fn beside(&self, side: f64) -> f64 {
        let value = self.value();
        if self.parts.len() <= 1 || !value.is_finite() {
            return value;
        }
        let mut rest = self.clone();
        rest.add(-value);
        match rest.sign() {
            Some(sign) if sign * side > 0.0 && side > 0.0 => value.next_up(),
            Some(sign) if sign * side > 0.0 => value.next_down(),
            _ => value,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn sums_of_products_of_integers_are_exact(
            pairs in prop::collection::vec((-(1i64 << 50)..1i64 << 50, -(1i64 << 50)..1i64 << 50), 0..120)
        ) {
            let exact: i128 = pairs.iter().map(|&(a, b)| i128::from(a) * i128::from(b)).sum();
            let mut sum = Expansion::default();
            for &(a, b) in &pairs {
                sum.add_product(a as f64, b as f64);
            }
            prop_assert_eq!(sum.sign(), Some(exact.signum() as f64));
            let (low, high) = (sum.below(), sum.above());
            prop_assert!(low <= high && high <= low.next_up());
            // An i128 below 2^108 is a sum of two doubles.
            let compare = |v: f64| { let mut e = sum.clone(); e.add(-v); e.sign().unwrap() };
            prop_assert!(compare(low) >= 0.0 && compare(high) <= 0.0);
            for &(a, b) in &pairs {
                sum.add_product(-a as f64, b as f64);
            }
            prop_assert_eq!(sum.sign(), Some(0.0));
        }
    }

    #[test]
    fn long_sums_stay_short_and_exact() {
        let mut sum = Expansion::default();
        for k in -900..900 {
            sum.add(2f64.powi(k));
        }
        for k in -900..900 {
            sum.add(-(2f64.powi(k)));
        }
        assert_eq!(sum.sign(), Some(0.0));
        sum.add_product(1e-200, 1e-200);
        assert_eq!(sum.sign(), None);
    }
}
