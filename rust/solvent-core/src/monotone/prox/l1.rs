//! The 1-norm.

use super::Prox;
use crate::base::error::Aborted;
use crate::monotone::vector::norm;

/// Soft threshold: the resolvent of `Σ λ_j |x_j|`, one λ for all coordinates or one each.
#[derive(Debug, Clone, Copy)]
pub struct L1<'a> {
    weight: &'a [f64],
}

impl<'a> L1<'a> {
    /// Weights `>= 0`; their length is 1 or the dimension.
    pub fn new(weight: &'a [f64]) -> Self {
        Self { weight }
    }

    fn weight(&self, j: usize) -> f64 {
        if self.weight.len() == 1 { self.weight[0] } else { self.weight[j] }
    }
}

impl Prox for L1<'_> {
    fn apply(&self, v: &[f64], t: f64, out: &mut [f64]) -> Result<(), Aborted> {
        for (j, (out, &v)) in out.iter_mut().zip(v).enumerate() {
            let rest = v.abs() - t * self.weight(j);
            *out = if rest > 0.0 {
                rest.copysign(v)
            } else if rest.is_nan() {
                f64::NAN
            } else {
                0.0
            };
        }
        Ok(())
    }

    fn distance(&self, _: &[f64]) -> Result<f64, Aborted> {
        Ok(0.0)
    }

    fn allowance(&self, _: &[f64], t: f64, y: &[f64]) -> f64 {
        let steps: Vec<f64> = (0..y.len()).map(|j| t * self.weight(j)).collect();
        f64::EPSILON * (norm(&steps) + norm(y))
    }
}
