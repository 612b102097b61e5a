//! Euclidean balls.

use super::Prox;
use crate::base::error::Aborted;
use crate::monotone::vector::{difference, norm};

/// `|x - center| <= radius`; no center: 0.
#[derive(Debug, Clone, Copy)]
pub struct L2Ball<'a> {
    radius: f64,
    center: Option<&'a [f64]>,
}

impl<'a> L2Ball<'a> {
    /// `radius >= 0`.
    pub fn new(radius: f64, center: Option<&'a [f64]>) -> Self {
        Self { radius, center }
    }
}

impl Prox for L2Ball<'_> {
    fn apply(&self, v: &[f64], _: f64, out: &mut [f64]) -> Result<(), Aborted> {
        let size = match self.center {
            Some(center) => norm(&difference(v, center)),
            None => norm(v),
        };
        if size <= self.radius {
            out.copy_from_slice(v);
            return Ok(());
        }
        for (j, (out, &v)) in out.iter_mut().zip(v).enumerate() {
            let c = self.center.map_or(0.0, |center| center[j]);
            // Divided first: the product with a radius of 1e200 could overflow.
            *out = c + (v - c) / size * self.radius;
        }
        Ok(())
    }

    fn allowance(&self, v: &[f64], _: f64, y: &[f64]) -> f64 {
        let center = self.center.map_or(0.0, norm);
        8.0 * f64::EPSILON * (norm(y) + center + self.radius.min(norm(v)))
    }
}
