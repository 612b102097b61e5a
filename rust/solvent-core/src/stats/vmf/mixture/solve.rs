//! The loop: sweeps until one more would move the model by less than `tol`.

use super::certify::Change;
use super::expectation::expectation;
use super::init::first_model;
use super::model::Model;
use super::options::Options;
use super::problem::Problem;
use super::step::{maximization, reseed};
use crate::base::error::ArgumentError;
use crate::base::monitor::{Budget, Latch, Method, Monitor, Observer, Progress, solve};
use crate::base::outcome::Outcome;
use crate::base::status::Status;
use crate::stats::vmf::VmfError;

/// A fitted mixture.
#[derive(Debug, Clone)]
pub struct Fit {
    /// The model.
    pub model: Model,
    /// Mean log-likelihood after each sweep (hard: of the assigned components).
    pub lower_bounds: Vec<f64>,
    /// How the best start ended; its certificate is the change that one more sweep would make.
    pub outcome: Outcome,
}

impl Fit {
    /// Mean log-likelihood of the model.
    pub fn lower_bound(&self) -> f64 {
        self.lower_bounds.last().copied().unwrap_or(f64::NEG_INFINITY)
    }
}

/// One start of EM. It always knows what the next sweep makes of the model it holds, which is the certificate.
struct Em<'a> {
    problem: &'a Problem<'a>,
    options: &'a Options,
    held: Model,
    next: Model,
    change: Change,
    /// Whether `next` has a component that begins anew: then the run goes on, whatever a plain sweep would change.
    renewed: bool,
    lower_bounds: Vec<f64>,
    reseeds: usize,
}

impl Em<'_> {
    /// What the run is judged by.
    fn bound(&self) -> f64 {
        if self.renewed { f64::INFINITY } else { self.change.bound() }
    }

    fn sweep(&mut self, monitor: &mut Monitor<'_>) -> Result<f64, VmfError> {
        let rule = &self.options.rule;
        let statistics = expectation(self.problem, &self.held, rule.assignment, monitor)?;
        self.next = maximization(&statistics, &self.held, rule);
        self.change = Change::between(&self.held, &self.next, self.problem.len());
        self.renewed = self.reseeds > 0
            && reseed(&mut self.next, &statistics, self.problem, rule, self.options.min_weight);
        self.reseeds -= usize::from(self.renewed);
        Ok(statistics.log_likelihood / self.problem.total)
    }
}

impl Method<1> for Em<'_> {
    type Solution = Fit;
    type Error = VmfError;
    const EXTRAS: [&'static str; 1] = ["lower_bound"];

    fn init(&mut self, monitor: &mut Monitor<'_>) -> Result<Option<f64>, VmfError> {
        self.sweep(monitor)?;
        // At least one sweep is done, whatever the start.
        Ok(None)
    }

    fn step(&mut self, monitor: &mut Monitor<'_>) -> Result<Progress<1>, VmfError> {
        self.held.clone_from(&self.next);
        let lower_bound = self.sweep(monitor)?;
        self.lower_bounds.push(lower_bound);
        Ok(Progress { units: 1, bound: Some(self.bound()), extras: [lower_bound] })
    }

    fn terminate(&mut self, _: &Monitor<'_>) -> Option<Status> {
        // A fixed point to the last bit: nothing is left to do even for tol = 0.
        (self.bound() == 0.0).then_some(Status::Converged)
    }

    fn finish(self, status: Status, monitor: Monitor<'_>) -> Result<Fit, VmfError> {
        let outcome = Outcome::new(monitor.end(status), Some(self.change.certificate()));
        Ok(Fit { model: self.held, lower_bounds: self.lower_bounds, outcome })
    }
}

/// Fits a mixture; with `warm`, from that model instead of `options.init`. A stop ends the start that is running and
/// begins no other. O(n k d) a sweep.
pub fn fit(
    problem: &Problem<'_>,
    options: &Options,
    warm: Option<&Model>,
    observer: &mut dyn Observer,
) -> Result<Fit, VmfError> {
    let (n, k) = (problem.len(), options.components);
    if k == 0 || k > n {
        return Err(
            ArgumentError::value("n_components", k, format!("an integer in 1..{n} (the rows)")).into()
        );
    }
    let budget = Budget::new(options.tol, options.max_iter);
    let starts = if warm.is_some() { 1 } else { options.n_init.max(1) };
    let mut best: Option<Fit> = None;
    // One after another: each sweep already uses all threads.
    let mut latch = Latch::new(observer);
    for start in 0..starts {
        if start > 0 && latch.stopped() {
            break;
        }
        let first = match warm {
            Some(model) => model.clone(),
            None => {
                let mut monitor = Monitor::new(budget, &mut latch, const { &Em::EXTRAS });
                first_model(problem, options, start, &mut monitor)?
            }
        };
        let method = Em {
            problem,
            options,
            next: first.clone(),
            held: first,
            change: Change { weight: f64::INFINITY, mean: f64::INFINITY, concentration: f64::INFINITY },
            renewed: false,
            lower_bounds: Vec::new(),
            reseeds: k,
        };
        let fit = solve(method, budget, &mut latch)?;
        if best.as_ref().is_none_or(|b| fit.lower_bound() > b.lower_bound()) {
            best = Some(fit);
        }
    }
    best.ok_or_else(|| ArgumentError::value("n_init", 0usize, "an integer >= 1").into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::monitor::{Info, Signal, Silent};
    use crate::base::view::MatrixView;
    use crate::stats::vmf::mixture::options::{Assignment, Concentration, Init, Rule};
    use crate::stats::vmf::rows::Rows;

    #[test]
    fn a_stop_in_the_first_start_begins_no_other() {
        /// Stops the run at its third sweep.
        struct Third(u32);
        impl Observer for Third {
            fn report(&mut self, _: &Info<'_>) -> Signal {
                self.0 += 1;
                if self.0 == 3 { Signal::Stop } else { Signal::Continue }
            }
        }
        // Directions all around the circle: no start reaches a fixed point in three sweeps.
        let x: Vec<f64> =
            (0..60).flat_map(|i| [(0.7 * f64::from(i)).cos(), (0.7 * f64::from(i)).sin()]).collect();
        let rows = Rows::F64(MatrixView::row_major(&x, 60, 2).unwrap());
        let mut silent = Silent;
        let mut monitor = Monitor::new(Budget::new(0.0, 1), &mut silent, &[]);
        let problem = Problem::new(rows, None, false, &mut monitor).unwrap();
        let options = Options {
            components: 3,
            rule: Rule { assignment: Assignment::Soft, concentration: Concentration::Full, kappa_max: 1e6 },
            init: Init::Random,
            n_init: 4,
            max_iter: 1000,
            tol: 0.0,
            min_weight: 0.0,
            seed: 1,
        };
        let mut third = Third(0);
        let fitted = fit(&problem, &options, None, &mut third).unwrap();
        assert_eq!((third.0, fitted.outcome.nit, fitted.outcome.status), (3, 3, Status::Interrupted));
    }
}
