//! A projection in other coordinates.

use super::Prox;
use crate::base::error::Aborted;

/// The resolvent of `s G(s .)` in `û = u/s`, where G is the normal cone of a product of sets and s is constant on each:
/// the projection of `s û`, divided by s. Steps do not matter to projections.
pub struct Rescaled<'a> {
    inner: &'a dyn Prox,
    scale: &'a [f64],
}

impl<'a> Rescaled<'a> {
    /// See the type.
    pub fn new(inner: &'a dyn Prox, scale: &'a [f64]) -> Self {
        Self { inner, scale }
    }
}

impl Prox for Rescaled<'_> {
    fn apply(&self, v: &[f64], t: f64, out: &mut [f64]) -> Result<(), Aborted> {
        let scaled: Vec<f64> = v.iter().zip(self.scale).map(|(v, s)| v * s).collect();
        self.inner.apply(&scaled, t, out)?;
        out.iter_mut().zip(self.scale).for_each(|(out, s)| *out /= s);
        Ok(())
    }

    /// Answers are judged in the caller's coordinates: nobody asks here.
    fn allowance(&self, v: &[f64], t: f64, y: &[f64]) -> f64 {
        self.inner.allowance(v, t, y)
    }
}
