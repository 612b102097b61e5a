//! The second-order cone.

use super::Prox;
use crate::base::error::Aborted;
use crate::monotone::vector::norm;

/// `{(s, x): |x| <= s}`, s being the first coordinate.
#[derive(Debug, Clone, Copy)]
pub struct SecondOrderCone;

impl Prox for SecondOrderCone {
    fn apply(&self, v: &[f64], _: f64, out: &mut [f64]) -> Result<(), Aborted> {
        let Some((&s, x)) = v.split_first() else { return Ok(()) };
        let size = norm(x);
        if size <= s {
            out.copy_from_slice(v);
        } else if size <= -s {
            out.fill(0.0);
        } else {
            // Halves first: their sum cannot overflow.
            let half = 0.5 * s + 0.5 * size;
            out[0] = half;
            out[1..].iter_mut().zip(x).for_each(|(out, x)| *out = x / size * half);
        }
        Ok(())
    }

    fn allowance(&self, v: &[f64], _: f64, _: &[f64]) -> f64 {
        8.0 * f64::EPSILON * norm(v)
    }
}
