//! Extragradient: with exact evaluations and a step that yields to the operator, or loopless and variance reduced
//! (Alacaoglu and Malitsky, COLT 2022).

use super::{frequency, inner_batch, reduced_step};
use crate::base::error::Aborted;
use crate::base::monitor::Monitor;
use crate::monotone::scheme::{Context, Point, Scheme};
use crate::monotone::vector::{combine, descend, distance};

/// `z½ = J(z - ηF(z))`, `z <- J(z - ηF(z½))`, η = 0.9/L, shortened where `η |F(z½) - F(z)| > 0.9 |z½ - z|`.
pub struct Extragradient {
    /// What shortening has made of the step.
    shortened: f64,
}

impl Default for Extragradient {
    /// With the full step.
    fn default() -> Self {
        Self { shortened: f64::INFINITY }
    }
}

impl Scheme for Extragradient {
    fn name(&self) -> &'static str {
        "extragradient"
    }

    fn eta(&self, context: &Context<'_>) -> f64 {
        context.eta.unwrap_or(0.9 / context.constants.full).min(self.shortened)
    }

    fn begin(&mut self, _: &Point, _: &Context<'_>) {}

    fn advance(
        &mut self,
        at: &mut Point,
        context: &mut Context<'_>,
        monitor: &mut Monitor<'_>,
    ) -> Result<(), Aborted> {
        let d = at.u.len();
        let (mut inner, mut half, mut slope) = (vec![0.0; d], vec![0.0; d], vec![0.0; d]);
        let mut eta = self.eta(context);
        // A step that fails is shortened to what the slope seen allows: it then fails again only where F bends.
        for _ in 0..60 {
            descend(&at.u, eta, &at.f, &mut inner);
            context.resolve(&inner, eta, &mut half)?;
            context.full(&half, &mut slope, monitor)?;
            let (change, step) = (distance(&slope, &at.f), distance(&half, &at.u));
            let allowed = 0.9 * step / change;
            // Once differences are rounding they say nothing of the slope.
            let told =
                change > 1e-10 * (crate::monotone::vector::norm(&at.f) + context.constants.full * step);
            if !(told && eta > allowed * (1.0 + 1e-9)) || monitor.expired() {
                break;
            }
            eta = allowed.min(0.7 * eta);
            self.shortened = eta;
        }
        descend(&at.u, eta, &slope, &mut inner);
        context.resolve(&inner, eta, &mut at.u)?;
        at.evaluate(context, monitor)
    }
}

/// `z̄ = (1-p) z + p w`, `z½ = J(z̄ - τ F(w))`, `z <- J(z̄ - τ (F(w) + F_S(z½) - F_S(w)))`; with probability p, `w = z`.
pub struct ReducedExtragradient {
    batch: Option<usize>,
}

impl ReducedExtragradient {
    /// With the caller's batch.
    pub fn new(batch: Option<usize>) -> Self {
        Self { batch }
    }

    fn batch(&self, context: &Context<'_>) -> usize {
        self.batch.unwrap_or_else(|| inner_batch(context))
    }
}

impl Scheme for ReducedExtragradient {
    fn name(&self) -> &'static str {
        "extragradient"
    }

    fn eta(&self, context: &Context<'_>) -> f64 {
        let b = self.batch(context);
        context.eta.unwrap_or_else(|| reduced_step(frequency(b, context.n), b, context))
    }

    fn begin(&mut self, _: &Point, _: &Context<'_>) {}

    fn advance(
        &mut self,
        at: &mut Point,
        context: &mut Context<'_>,
        monitor: &mut Monitor<'_>,
    ) -> Result<(), Aborted> {
        let (b, tau, d) = (self.batch(context), self.eta(context), at.u.len());
        let p = frequency(b, context.n);
        let mut z = at.u.clone();
        let (mut mean, mut inner) = (vec![0.0; d], vec![0.0; d]);
        let (mut half, mut change) = (vec![0.0; d], vec![0.0; d]);
        loop {
            combine(1.0 - p, &z, p, &at.u, &mut mean);
            descend(&mean, tau, &at.f, &mut inner);
            context.resolve(&inner, tau, &mut half)?;
            context.diff(&half, &at.u, b, &mut change, monitor)?;
            for j in 0..d {
                inner[j] = mean[j] - tau * (at.f[j] + change[j]);
            }
            context.resolve(&inner, tau, &mut z)?;
            if context.refresh(p, monitor) {
                at.u.copy_from_slice(&z);
                return at.evaluate(context, monitor);
            }
        }
    }
}
