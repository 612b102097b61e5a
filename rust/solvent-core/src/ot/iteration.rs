//! Which iteration works on a problem; where arcs are forbidden, first of all whether any plan exists.

use super::OtError;
use super::auto::{Ascent, Counts, EXTRAS, Finish, Judged};
use super::certify;
use super::flow::{Obstruction, obstruction};
use super::problem::Problem;
use super::solve::{Method, Options};
use super::{partial, sns};
use crate::base::error::ArgumentError;
use crate::base::monitor::{self, Monitor, Progress};
use crate::base::status::Status;

enum Kind<'p, 'a> {
    Stages(Box<Ascent<'p, 'a>>),
    Joint(Box<sns::Iteration<'p, 'a>>),
    Partial(Box<partial::Ascent<'p, 'a>>),
}

/// An iteration on one problem.
pub struct Iteration<'p, 'a> {
    /// In the caller's layout.
    asked: &'p Problem<'a>,
    kind: Kind<'p, 'a>,
    obstruction: Option<Obstruction>,
    /// There is nothing to iterate on.
    hopeless: bool,
}

/// Refuses what a method does not do.
pub fn check(method: Method, problem: &Problem<'_>) -> Result<(), ArgumentError> {
    if matches!(method, Method::Sns { .. }) && !problem.balanced() {
        return Err(ArgumentError::new(
            "method",
            "method = 'sns' is given with unbalanced= or mass=",
            "'auto' or 'sinkhorn' there",
        ));
    }
    if let Some(mass) = problem.mass {
        let least = problem.totals.0.min(problem.totals.1);
        if !(mass > 0.0 && mass <= least * (1.0 + 2.0 * f64::EPSILON)) {
            return Err(ArgumentError::value(
                "mass",
                mass,
                format!("a number in (0, {least:?}], the smaller of the weights' sums"),
            ));
        }
    }
    Ok(())
}

impl<'p, 'a> Iteration<'p, 'a> {
    /// Works on `problem`, which is `asked` or that with rows and columns exchanged. `given`: potentials to begin with,
    /// in the problem's order.
    pub fn new(
        asked: &'p Problem<'a>,
        problem: &'p Problem<'a>,
        options: &Options,
        given: Option<(Vec<f64>, Vec<f64>)>,
    ) -> Self {
        let tol = options.budget.tol;
        let kind = match options.method {
            _ if problem.mass.is_some() => {
                let newton = options.method == Method::Auto;
                let given = given.map(|(_, g)| g);
                Kind::Partial(Box::new(partial::Ascent::new(problem, newton, options.first, given, tol)))
            }
            Method::Sns { density, n_sinkhorn } => {
                let rows = if problem.transposed { problem.b.len() } else { problem.a.len() };
                let share = density.unwrap_or_else(|| sns::density(rows));
                let steps = n_sinkhorn.unwrap_or(sns::N_SINKHORN);
                Kind::Joint(Box::new(sns::Iteration::new(problem, share, steps, given, tol)))
            }
            Method::Auto => {
                Kind::Stages(Box::new(Ascent::new(problem, Finish::Newton, options.first, given, tol)))
            }
            Method::Sinkhorn => {
                Kind::Stages(Box::new(Ascent::new(problem, Finish::Sinkhorn, options.first, given, tol)))
            }
        };
        Self { asked, kind, obstruction: None, hopeless: false }
    }

    /// Why no plan exists, if that was found.
    pub fn obstruction(&self) -> Option<&Obstruction> {
        self.obstruction.as_ref()
    }

    /// Whether there was nothing to iterate on; then the answer is in the caller's layout.
    pub fn hopeless(&self) -> bool {
        self.hopeless
    }

    /// The answer. Where no plan exists, potentials of 0.
    pub fn conclude(&mut self, monitor: &mut Monitor<'_>) -> Result<(Judged, Counts), OtError> {
        if self.hopeless {
            let problem = self.asked;
            let (f, g) = (vec![0.0; problem.a.len()], vec![0.0; problem.b.len()]);
            let mut bracket = if problem.mass.is_some() {
                partial::certify::judge(problem, &f, &g, 0.0, monitor)?
            } else {
                certify::judge(problem, &f, &g, monitor)?
            };
            // No plan, no finite optimum.
            (bracket.upper, bracket.unreg_upper, bracket.gap) = (f64::INFINITY, f64::INFINITY, f64::INFINITY);
            return Ok((Judged { f, g, lam: 0.0, bracket }, Counts::default()));
        }
        match &mut self.kind {
            Kind::Stages(it) => it.conclude(monitor),
            Kind::Joint(it) => it.conclude(monitor),
            Kind::Partial(it) => it.conclude(monitor),
        }
    }
}

impl monitor::Method<3> for Iteration<'_, '_> {
    type Solution = (Judged, Counts);
    type Error = OtError;
    const EXTRAS: [&'static str; 3] = EXTRAS;

    fn init(&mut self, monitor: &mut Monitor<'_>) -> Result<Option<f64>, OtError> {
        let problem = self.asked;
        // Rows or columns without an arc have left a partial problem, and their weight with them.
        let short = problem.mass.is_some_and(|mass| problem.a.mass().min(problem.b.mass()) < mass);
        let doubtful = problem.forbidden || problem.hopeless || short;
        if doubtful && (problem.balanced() || problem.mass.is_some()) {
            self.obstruction = obstruction(problem, monitor)?;
        }
        // Where what cannot be carried is less than rounding explains, nothing is proven, but no plan is there either.
        self.hopeless = problem.hopeless || self.obstruction.is_some();
        if self.hopeless {
            return Ok(None);
        }
        match &mut self.kind {
            Kind::Stages(it) => it.init(monitor),
            Kind::Joint(it) => it.init(monitor),
            Kind::Partial(it) => it.init(monitor),
        }
    }

    fn step(&mut self, monitor: &mut Monitor<'_>) -> Result<Progress<3>, OtError> {
        if self.hopeless {
            return Ok(Progress { units: 0, bound: None, extras: [f64::NAN, f64::INFINITY, self.asked.reg] });
        }
        match &mut self.kind {
            Kind::Stages(it) => it.step(monitor),
            Kind::Joint(it) => it.step(monitor),
            Kind::Partial(it) => it.step(monitor),
        }
    }

    fn terminate(&mut self, monitor: &Monitor<'_>) -> Option<Status> {
        if self.hopeless {
            let proven = self.obstruction.is_some();
            return Some(if proven { Status::Infeasible } else { Status::Stalled });
        }
        match &mut self.kind {
            Kind::Stages(it) => it.terminate(monitor),
            Kind::Joint(it) => it.terminate(monitor),
            Kind::Partial(it) => it.terminate(monitor),
        }
    }

    fn finish(mut self, _: Status, mut monitor: Monitor<'_>) -> Result<Self::Solution, OtError> {
        self.conclude(&mut monitor)
    }
}
