//! Loopless SVRG: `u <- J_{ηG}(u - η (F_S(u) - F_S(w) + F(w)))`; with probability b/n, `w = u` and F(w) exact.

use crate::base::error::Aborted;
use crate::base::monitor::Monitor;
use crate::monotone::scheme::{Context, Point, Scheme};

/// See the [module](self): η = 1/(2L), b = √n.
pub struct LSvrg {
    batch: Option<usize>,
}

impl LSvrg {
    /// With the caller's batch.
    pub fn new(batch: Option<usize>) -> Self {
        Self { batch }
    }
}

impl Scheme for LSvrg {
    fn name(&self) -> &'static str {
        "l-svrg"
    }

    fn eta(&self, context: &Context<'_>) -> f64 {
        context.eta.unwrap_or(0.5 / context.constants.full)
    }

    fn begin(&mut self, _: &Point, _: &Context<'_>) {}

    fn advance(
        &mut self,
        at: &mut Point,
        context: &mut Context<'_>,
        monitor: &mut Monitor<'_>,
    ) -> Result<(), Aborted> {
        let b = self.batch.unwrap_or_else(|| context.root());
        let (eta, p, d) = (self.eta(context), b as f64 / context.n as f64, at.u.len());
        let mut u = at.u.clone();
        let (mut inner, mut change) = (vec![0.0; d], vec![0.0; d]);
        loop {
            context.diff(&u, &at.u, b, &mut change, monitor)?;
            for j in 0..d {
                inner[j] = u[j] - eta * (change[j] + at.f[j]);
            }
            context.resolve(&inner, eta, &mut u)?;
            if context.refresh(p, monitor) {
                at.u.copy_from_slice(&u);
                return at.evaluate(context, monitor);
            }
        }
    }
}
