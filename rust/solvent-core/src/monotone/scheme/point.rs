//! Points at which F is known exactly.

use super::Context;
use crate::base::error::Aborted;
use crate::base::monitor::Monitor;
use crate::monotone::vector::{descend, distance, norm};

/// u with F(u), and the step `u⁺ = J_{hG}(u - h F(u))` from it.
#[derive(Debug, Clone)]
pub struct Point {
    /// u.
    pub u: Vec<f64>,
    /// F(u).
    pub f: Vec<f64>,
    /// u⁺.
    pub next: Vec<f64>,
    /// `|u - u⁺|/h`; `|F(u)|` where G = 0: what methods decide by.
    pub residual: f64,
    /// The same in the caller's coordinates: what certificates are about.
    pub measured: f64,
}

impl Point {
    /// A point whose F is known.
    pub fn new(u: Vec<f64>, f: Vec<f64>, context: &Context<'_>) -> Result<Self, Aborted> {
        let mut point = Self { next: vec![0.0; u.len()], residual: f64::NAN, measured: f64::NAN, u, f };
        point.measure(context)?;
        Ok(point)
    }

    /// Moves to where `self.u` is by now: one full evaluation.
    pub fn evaluate(&mut self, context: &mut Context<'_>, monitor: &mut Monitor<'_>) -> Result<(), Aborted> {
        context.full(&self.u, &mut self.f, monitor)?;
        self.measure(context)
    }

    /// Step and residual for the context's h.
    pub fn measure(&mut self, context: &Context<'_>) -> Result<(), Aborted> {
        let h = context.h;
        if context.prox.is_some() {
            let mut inner = vec![0.0; self.u.len()];
            descend(&self.u, h, &self.f, &mut inner);
            context.resolve(&inner, h, &mut self.next)?;
        } else {
            descend(&self.u, h, &self.f, &mut self.next);
        }
        self.residual =
            if context.prox.is_some() { distance(&self.u, &self.next) / h } else { norm(&self.f) };
        self.measured = match context.metric {
            None => self.residual,
            // F̂ = s F, so that what balances it is s times the caller's residual too.
            Some(scale) => {
                let d = scale.len();
                let step: Vec<f64> = (0..d).map(|j| (self.u[j] - self.next[j]) / scale[j]).collect();
                norm(&step) / h
            }
        };
        Ok(())
    }
}
