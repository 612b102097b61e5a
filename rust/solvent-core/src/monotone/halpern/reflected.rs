//! Cocoercive F: Halpern on the over-relaxed step `T = J_{ηG}(I - ηF)`.
//!
//! I - ηF is ηL/2-averaged and a resolvent 1/2-averaged, so T is α-averaged with α = ηL/2 (G = 0) or 2/(4 - ηL), and
//! `N = I + (T - I)/α` is nonexpansive: for η = 1/L the reflection 2T - I, or T + (T - I)/2 with a resolvent. One
//! evaluation of the full F a step, and the residual for free.

use crate::base::error::Aborted;
use crate::base::monitor::Monitor;
use crate::monotone::scheme::{Context, Point, Scheme};

/// See the [module](self).
pub struct Reflected {
    /// New anchor where the residual is this many times that at the anchor.
    factor: Option<f64>,
    anchor: Vec<f64>,
    base: f64,
    k: u64,
    restarts: u64,
}

impl Reflected {
    /// With restarts at this factor.
    pub fn new(factor: Option<f64>) -> Self {
        Self { factor, anchor: Vec::new(), base: f64::NAN, k: 0, restarts: 0 }
    }
}

impl Scheme for Reflected {
    fn name(&self) -> &'static str {
        "halpern"
    }

    fn eta(&self, context: &Context<'_>) -> f64 {
        context.eta.unwrap_or(1.0 / context.constants.full)
    }

    fn begin(&mut self, at: &Point, _: &Context<'_>) {
        self.anchor.clone_from(&at.u);
        (self.base, self.k) = (at.residual, 0);
    }

    fn advance(
        &mut self,
        at: &mut Point,
        context: &mut Context<'_>,
        monitor: &mut Monitor<'_>,
    ) -> Result<(), Aborted> {
        if self.factor.is_some_and(|factor| at.residual <= factor * self.base) {
            self.begin(at, context);
            self.restarts += 1;
        }
        let reach = self.eta(context) * context.constants.full;
        let relaxed = if context.prox.is_some() { (4.0 - reach) / 2.0 } else { 2.0 / reach };
        let (relaxed, pull) = (relaxed.max(1.0), 1.0 / (self.k as f64 + 2.0));
        for j in 0..at.u.len() {
            let reflected = at.u[j] + relaxed * (at.next[j] - at.u[j]);
            at.u[j] = (1.0 - pull) * reflected + pull * self.anchor[j];
        }
        self.k += 1;
        at.evaluate(context, monitor)
    }

    fn restarts(&self) -> u64 {
        self.restarts
    }
}
