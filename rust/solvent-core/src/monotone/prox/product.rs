//! Several resolvents side by side.

use super::Prox;
use crate::base::error::Aborted;

/// Consecutive coordinates, each group with its own G; `None`: G = 0 there.
pub struct Product<'a> {
    parts: Vec<(Option<Box<dyn Prox + 'a>>, usize)>,
}

impl<'a> Product<'a> {
    /// Each with the number of its coordinates.
    pub fn new(parts: Vec<(Option<Box<dyn Prox + 'a>>, usize)>) -> Self {
        Self { parts }
    }

    /// Calls `visit` with each part and where its coordinates begin and end.
    fn each<E>(
        &self,
        mut visit: impl FnMut(Option<&dyn Prox>, std::ops::Range<usize>) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut first = 0;
        for (part, size) in &self.parts {
            visit(part.as_deref(), first..first + size)?;
            first += size;
        }
        Ok(())
    }
}

impl Prox for Product<'_> {
    fn apply(&self, v: &[f64], t: f64, out: &mut [f64]) -> Result<(), Aborted> {
        self.each(|part, range| match part {
            Some(part) => part.apply(&v[range.clone()], t, &mut out[range]),
            None => {
                out[range.clone()].copy_from_slice(&v[range]);
                Ok(())
            }
        })
    }

    fn distance(&self, x: &[f64]) -> Result<f64, Aborted> {
        let mut total = 0.0f64;
        self.each(|part, range| {
            if let Some(part) = part {
                total = total.hypot(part.distance(&x[range])?);
            }
            Ok::<(), Aborted>(())
        })?;
        Ok(total)
    }

    fn is_exact(&self) -> bool {
        self.parts.iter().all(|(part, _)| part.as_ref().is_none_or(|part| part.is_exact()))
    }

    fn allowance(&self, v: &[f64], t: f64, y: &[f64]) -> f64 {
        let mut total = 0.0;
        let _ = self.each(|part, range| {
            if let Some(part) = part {
                total += part.allowance(&v[range.clone()], t, &y[range]);
            }
            Ok::<(), std::convert::Infallible>(())
        });
        total
    }
}
