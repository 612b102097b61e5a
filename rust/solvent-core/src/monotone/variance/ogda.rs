//! Optimistic gradient descent-ascent: `u <- J_{ηG}(u - η (2F(u) - F(u_prev)))`, one evaluation a step, η = 1/(2L).

use crate::base::error::Aborted;
use crate::base::monitor::Monitor;
use crate::monotone::scheme::{Context, Point, Scheme};

/// See the [module](self).
#[derive(Default)]
pub struct Ogda {
    /// F at the point before.
    before: Vec<f64>,
}

impl Scheme for Ogda {
    fn name(&self) -> &'static str {
        "ogda"
    }

    fn eta(&self, context: &Context<'_>) -> f64 {
        context.eta.unwrap_or(0.5 / context.constants.full)
    }

    fn begin(&mut self, at: &Point, _: &Context<'_>) {
        self.before.clone_from(&at.f);
    }

    fn advance(
        &mut self,
        at: &mut Point,
        context: &mut Context<'_>,
        monitor: &mut Monitor<'_>,
    ) -> Result<(), Aborted> {
        let eta = self.eta(context);
        let inner: Vec<f64> =
            (0..at.u.len()).map(|j| at.u[j] - eta * (2.0 * at.f[j] - self.before[j])).collect();
        self.before.copy_from_slice(&at.f);
        context.resolve(&inner, eta, &mut at.u)?;
        at.evaluate(context, monitor)
    }
}
