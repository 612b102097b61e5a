//! What a method is: work from one exact evaluation of F to the next.

mod context;
mod point;

pub use context::{Context, PROBES};
pub use point::Point;

use crate::base::error::Aborted;
use crate::base::monitor::Monitor;

/// A method. It is told the point where F is known exactly, works, and leaves the next such point.
pub trait Scheme {
    /// The caller's word for it.
    fn name(&self) -> &'static str;

    /// Its step, for the context's constants.
    fn eta(&self, context: &Context<'_>) -> f64;

    /// The step of the resolvent by which residuals are measured.
    fn probe(&self, context: &Context<'_>) -> f64 {
        self.eta(context)
    }

    /// Begins (again) at this point.
    fn begin(&mut self, at: &Point, context: &Context<'_>);

    /// Works until F is known exactly at a new point, and leaves it in `at`, which holds the last one.
    fn advance(
        &mut self,
        at: &mut Point,
        context: &mut Context<'_>,
        monitor: &mut Monitor<'_>,
    ) -> Result<(), Aborted>;

    /// How often it has taken a new anchor.
    fn restarts(&self) -> u64 {
        0
    }
}
