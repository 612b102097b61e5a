//! Boxes.

use super::Prox;
use crate::base::error::Aborted;
use std::borrow::Cow;

/// `lo <= x <= hi`, one pair for all coordinates or one each. A clip is exact in floats.
#[derive(Debug, Clone)]
pub struct Bounds<'a> {
    lo: Cow<'a, [f64]>,
    hi: Cow<'a, [f64]>,
}

impl<'a> Bounds<'a> {
    /// Lengths are 1 (for all coordinates) or the dimension.
    pub fn new(lo: &'a [f64], hi: &'a [f64]) -> Self {
        Self { lo: Cow::Borrowed(lo), hi: Cow::Borrowed(hi) }
    }

    /// `x >= 0`.
    pub fn non_negative() -> Self {
        Self { lo: Cow::Owned(vec![0.0]), hi: Cow::Owned(vec![f64::INFINITY]) }
    }
}

impl Prox for Bounds<'_> {
    fn apply(&self, v: &[f64], _: f64, out: &mut [f64]) -> Result<(), Aborted> {
        let at = |side: &[f64], j: usize| if side.len() == 1 { side[0] } else { side[j] };
        for (j, (out, &v)) in out.iter_mut().zip(v).enumerate() {
            // A nan stays: comparisons with it are false.
            let (lo, hi) = (at(&self.lo, j), at(&self.hi, j));
            *out = if v < lo {
                lo
            } else if v > hi {
                hi
            } else {
                v
            };
        }
        Ok(())
    }

    fn is_exact(&self) -> bool {
        true
    }

    fn allowance(&self, _: &[f64], _: f64, _: &[f64]) -> f64 {
        0.0
    }
}
