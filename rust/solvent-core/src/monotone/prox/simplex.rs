//! The simplex `{x >= 0, Σx = total}`.

use super::Prox;
use crate::base::error::Aborted;
use crate::base::sum::{Dd, Sum, two_sum};
use crate::monotone::vector::norm;

/// Projection `max(v - θ, 0)` with θ such that it sums to `total`.
#[derive(Debug, Clone, Copy)]
pub struct Simplex {
    total: f64,
}

impl Simplex {
    /// `total > 0`.
    pub fn new(total: f64) -> Self {
        Self { total }
    }
}

/// The threshold of `v` for this total, relative to the largest entry, which is returned first: entries `s_j = v_j - max`
/// that exceed the threshold are those that stay.
///
/// Condat's active set (Math. Program. 158 (2016) 575): an entry is dropped for ever once the mean of those kept shows
/// that it lies below the threshold; the set shrinks to the support in a few sweeps of O(n) altogether in practice. The
/// last sum is compensated, so that θ is correct to the last bit or two.
pub(super) fn threshold(v: &[f64], total: f64) -> (f64, Dd) {
    let top = v.iter().fold(f64::NEG_INFINITY, |m, &v| m.max(v));
    // Only entries within `total` of the largest can stay.
    let mut kept: Vec<f64> = v.iter().map(|v| v - top).filter(|s| *s > -total).collect();
    // θ >= θ of any subset: a lower bound grows with every sweep, and drops entries.
    loop {
        let sum: Sum = kept.iter().copied().collect();
        let theta = (sum.value() - total) / kept.len() as f64;
        let before = kept.len();
        kept.retain(|s| *s > theta);
        if kept.len() == before || kept.is_empty() {
            break;
        }
    }
    // The same with what rounding took from the differences.
    let floor = if kept.is_empty() { -total } else { kept.iter().fold(0.0f64, |m, &s| m.min(s)) };
    let (mut sum, mut count) = (Sum::new(), 0.0);
    for &v in v {
        let (s, rest) = two_sum(v, -top);
        if s >= floor && s.is_finite() {
            sum.add(s);
            sum.add(rest);
            count += 1.0;
        }
    }
    sum.add(-total);
    (top, sum.double() / Dd::from(count))
}

impl Prox for Simplex {
    fn apply(&self, v: &[f64], _: f64, out: &mut [f64]) -> Result<(), Aborted> {
        if v.iter().any(|v| v.is_nan()) || v.contains(&f64::INFINITY) {
            out.fill(f64::NAN);
            return Ok(());
        }
        let (top, theta) = threshold(v, self.total);
        for (out, &v) in out.iter_mut().zip(v) {
            let (s, rest) = two_sum(v, -top);
            let x = if s.is_finite() { (s - theta.hi) + (rest - theta.lo) } else { 0.0 };
            *out = x.max(0.0);
        }
        Ok(())
    }

    /// θ and the differences from it are correct to 2 ulp of `total`, and of the result.
    fn allowance(&self, _: &[f64], _: f64, y: &[f64]) -> f64 {
        4.0 * f64::EPSILON * norm(y)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn project(v: &[f64], total: f64) -> Vec<f64> {
        let mut out = vec![f64::NAN; v.len()];
        Simplex::new(total).apply(v, 1.0, &mut out).unwrap();
        out
    }

    #[test]
    fn known_projections() {
        assert_eq!(project(&[5.0], 1.0), [1.0]);
        assert_eq!(project(&[0.5, 0.5, 0.5, 0.5], 1.0), [0.25; 4]);
        assert_eq!(project(&[1.0, 0.5, -3.0], 1.0), [0.75, 0.25, 0.0]);
        assert_eq!(project(&[1e308, -1e308, 1e308], 1.0), [0.5, 0.0, 0.5]);
        assert_eq!(project(&[1e16, 1e16 + 2.0], 4.0), [1.0, 3.0]);
        assert_eq!(project(&[3e-320, 0.0], 1e-320), [1e-320, 0.0]);
        assert!(project(&[f64::NAN, 0.0], 1.0).iter().all(|x| x.is_nan()));
    }
}
