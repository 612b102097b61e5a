//! The contract of an iterative method, and the loop that drives it.

use super::{Budget, Monitor, Observer};
use crate::base::error::Aborted;
use crate::base::status::Status;

/// What one step did.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Progress<const K: usize> {
    /// Units of work the step took.
    pub units: u64,
    /// A bound that was computed in this step; `None` if none was.
    pub bound: Option<f64>,
    /// The family's extras, in the order of its names.
    pub extras: [f64; K],
}

/// An iterative method. `K` is the number of its extras.
///
/// The value that implements it is the iteration's state: it borrows the problem, owns the iterate and its
/// scratch. [`solve`] calls `init` once, then `step` until the budget, the observer or `terminate` ends the
/// run, then `finish`. Memory is allocated in the constructor or `init`, not in `step`.
pub trait Method<const K: usize> {
    /// The family's result: its payload and an [`Outcome`](crate::base::outcome::Outcome).
    type Solution;
    /// The family's error enum.
    type Error: From<Aborted>;
    /// Names of what is reported beside `nit`, `bound` and `elapsed`.
    const EXTRAS: [&'static str; K];

    /// Brings the state to the starting point; returns its bound where one is known for free.
    fn init(&mut self, monitor: &mut Monitor<'_>) -> Result<Option<f64>, Self::Error>;

    /// One unit of work, or a few. Long steps go through [`Monitor::map_blocks`] or call [`Monitor::poll`].
    fn step(&mut self, monitor: &mut Monitor<'_>) -> Result<Progress<K>, Self::Error>;

    /// Called where the bound just recorded is the best so far: keep the iterate, unless later iterates of
    /// this method are never worse.
    fn keep(&mut self) {}

    /// The method's own reasons to end: stalled, rounding floor, a ray, divergence, a rule of its own.
    fn terminate(&mut self, monitor: &Monitor<'_>) -> Option<Status> {
        let _ = monitor;
        None
    }

    /// Computes the certificate of the best iterate from the original data and assembles the result. Called
    /// on every ending but an abort. Passes over the data go through the monitor here too, so that Ctrl-C is
    /// seen; [`Monitor::end`] then closes the books.
    fn finish(self, status: Status, monitor: Monitor<'_>) -> Result<Self::Solution, Self::Error>;
}

/// Runs a method: the whole of a solver that has one stage.
pub fn solve<const K: usize, M: Method<K>>(
    mut method: M,
    budget: Budget,
    observer: &mut dyn Observer,
) -> Result<M::Solution, M::Error> {
    let mut monitor = Monitor::new(budget, observer, const { &M::EXTRAS });
    let status = drive(&mut method, &mut monitor)?;
    method.finish(status, monitor)
}

/// Runs a method up to its end, but does not finish it: a stage of a solver whose stages share one budget,
/// one history and one callback. Between stages whose bounds cannot be compared, see [`Monitor::begin_stage`].
pub fn drive<const K: usize, M: Method<K>>(
    method: &mut M,
    monitor: &mut Monitor<'_>,
) -> Result<Status, M::Error> {
    let bound = method.init(monitor)?;
    let mut over = monitor.start(bound);
    if monitor.improved() {
        method.keep();
    }
    loop {
        if let Some(status) = over {
            return Ok(status);
        }
        let progress = method.step(monitor)?;
        let verdict = monitor.record(progress.units, progress.bound, &progress.extras)?;
        if monitor.improved() {
            method.keep();
        }
        // A proof of the method's own (a ray, a floor) says more than "budget used up".
        over = match verdict {
            Some(Status::Converged) => verdict,
            other => method.terminate(monitor).or(other),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::certificate::{Certificate, Kind};
    use crate::base::monitor::{Info, Signal, Silent};
    use crate::base::outcome::Outcome;

    /// Heron's iteration for sqrt(2), made worse every third step; the bound is |x^2 - 2| / 2.
    struct Heron {
        x: f64,
        kept: f64,
        steps: u64,
        patience: u64,
        /// Passes that the certificate takes.
        certifying: usize,
    }

    impl Heron {
        fn new() -> Self {
            Self { x: 1.0, kept: f64::NAN, steps: 0, patience: u64::MAX, certifying: 1 }
        }

        fn bound(x: f64) -> f64 {
            (x * x - 2.0).abs() / 2.0
        }
    }

    impl Method<1> for Heron {
        type Solution = (f64, Outcome);
        type Error = Aborted;
        const EXTRAS: [&'static str; 1] = ["x"];

        fn init(&mut self, _: &mut Monitor<'_>) -> Result<Option<f64>, Aborted> {
            Ok(Some(Self::bound(self.x)))
        }

        fn step(&mut self, monitor: &mut Monitor<'_>) -> Result<Progress<1>, Aborted> {
            self.steps += 1;
            let parts = monitor.map_blocks(1, 1, |_| (self.x + 2.0 / self.x) / 2.0)?;
            self.x = if self.steps.is_multiple_of(3) { 1.5 } else { parts[0] };
            Ok(Progress { units: 2, bound: Some(Self::bound(self.x)), extras: [self.x] })
        }

        fn keep(&mut self) {
            self.kept = self.x;
        }

        fn terminate(&mut self, _: &Monitor<'_>) -> Option<Status> {
            (self.steps >= self.patience).then_some(Status::Stalled)
        }

        fn finish(self, status: Status, mut monitor: Monitor<'_>) -> Result<Self::Solution, Aborted> {
            let bounds = monitor.map_blocks(self.certifying, 1, |_| {
                if self.certifying > 1 {
                    std::thread::sleep(std::time::Duration::from_millis(1));
                }
                Self::bound(self.kept)
            })?;
            let certificate = Certificate::new(Kind::FixedPointResidual, bounds[0]);
            Ok((self.kept, Outcome::new(monitor.end(status), Some(certificate))))
        }
    }

    /// Answers the n-th report with a signal, and remembers what it saw.
    struct Watcher {
        at: u64,
        signal: Signal,
        seen: Vec<(u64, f64)>,
    }

    impl Observer for Watcher {
        fn report(&mut self, info: &Info<'_>) -> Signal {
            assert_eq!((info.names, info.values.len()), (["x"].as_slice(), 1));
            self.seen.push((info.nit, info.bound));
            if self.seen.len() as u64 == self.at { self.signal } else { Signal::Continue }
        }
    }

    fn budget(tol: f64, maxiter: u64) -> Budget {
        Budget { history: true, ..Budget::new(tol, maxiter) }
    }

    #[test]
    fn it_converges_and_says_so() {
        let (x, outcome) = solve(Heron::new(), budget(1e-5, 1000), &mut Silent).unwrap();
        assert!((x - 2f64.sqrt()).abs() < 1e-5);
        assert_eq!((outcome.success, outcome.status), (true, Status::Converged));
        assert!(outcome.certificate.unwrap().bound <= 1e-5 && outcome.elapsed >= 0.0);
    }

    #[test]
    fn columns_are_equally_long_and_the_bound_is_the_best_so_far() {
        let (_, outcome) = solve(Heron::new(), budget(0.0, 12), &mut Silent).unwrap();
        assert_eq!((outcome.status, outcome.nit, outcome.success), (Status::MaxIterations, 12, false));
        let history = outcome.history.unwrap();
        let names: Vec<_> = history.columns().iter().map(|(name, _)| *name).collect();
        assert_eq!(names, ["nit", "bound", "elapsed", "x"]);
        assert!(history.columns().iter().all(|(_, column)| column.len() == 6));
        assert_eq!(history.column("nit").unwrap(), [2., 4., 6., 8., 10., 12.]);
        assert!(history.column("bound").unwrap().windows(2).all(|pair| pair[1] <= pair[0]));
        assert!(history.column("elapsed").unwrap().windows(2).all(|pair| pair[1] >= pair[0]));
        assert_eq!(history.column("x").unwrap()[2], 1.5);
    }

    #[test]
    fn a_stop_brings_the_best_iterate_back() {
        // The third step makes the iterate worse; the second one's must come back.
        let mut watcher = Watcher { at: 3, signal: Signal::Stop, seen: Vec::new() };
        let (x, outcome) = solve(Heron::new(), budget(1e-12, 1000), &mut watcher).unwrap();
        assert_eq!((outcome.status, outcome.success, outcome.nit), (Status::Interrupted, false, 6));
        assert!((x - 17.0 / 12.0).abs() < 1e-15);
        assert_eq!(outcome.certificate.unwrap().bound, Heron::bound(x));
        assert_eq!(watcher.seen.len(), 3);
        assert_eq!(watcher.seen[2].1, watcher.seen[1].1);
    }

    #[test]
    fn an_abort_returns_at_once() {
        let mut watcher = Watcher { at: 2, signal: Signal::Abort, seen: Vec::new() };
        assert_eq!(solve(Heron::new(), budget(0.0, 1000), &mut watcher).unwrap_err(), Aborted);
        assert_eq!(watcher.seen.len(), 2);
    }

    #[test]
    fn an_abort_is_seen_while_the_certificate_is_computed() {
        /// Cancels at its first poll after the last report.
        struct Late(bool);
        impl Observer for Late {
            fn poll(&mut self) -> Signal {
                if self.0 { Signal::Abort } else { Signal::Continue }
            }
            fn report(&mut self, info: &Info<'_>) -> Signal {
                self.0 = info.nit == 4;
                Signal::Continue
            }
        }
        let started = std::time::Instant::now();
        let method = Heron { certifying: 1_000_000, ..Heron::new() };
        assert_eq!(solve(method, budget(0.0, 4), &mut Late(false)).unwrap_err(), Aborted);
        assert!(started.elapsed().as_secs() < 5, "a million blocks were not all worked");
    }

    #[test]
    fn empty_budgets_and_good_starts_take_no_step() {
        let (x, outcome) = solve(Heron::new(), budget(1e-12, 0), &mut Silent).unwrap();
        assert_eq!((x, outcome.status, outcome.nit), (1.0, Status::MaxIterations, 0));
        let none = Budget { maxtime: Some(0.0), ..budget(1e-12, 10) };
        assert_eq!(solve(Heron::new(), none, &mut Silent).unwrap().1.status, Status::MaxTime);
        let (_, outcome) = solve(Heron::new(), budget(0.5, 0), &mut Silent).unwrap();
        assert_eq!((outcome.status, outcome.nit), (Status::Converged, 0));
    }

    #[test]
    fn the_methods_own_reason_comes_before_an_empty_budget() {
        let method = Heron { patience: 4, ..Heron::new() };
        let (_, outcome) = solve(method, budget(0.0, 8), &mut Silent).unwrap();
        assert_eq!((outcome.status, outcome.nit), (Status::Stalled, 8));
    }

    #[test]
    fn stages_share_a_budget_and_a_history() {
        let mut silent = Silent;
        let mut monitor = Monitor::new(budget(1e-5, 11), &mut silent, &Heron::EXTRAS);
        let mut stages = Vec::new();
        for _ in 0..3 {
            let mut method = Heron::new();
            monitor.begin_stage();
            stages.push((drive(&mut method, &mut monitor).unwrap(), monitor.nit(), method.kept));
        }
        let converged: Vec<_> = stages.iter().map(|&(status, nit, _)| (status, nit)).collect();
        // Heron's third step is a bad one here, so each stage needs five steps of two units.
        assert_eq!(converged[0], (Status::Converged, 10));
        assert_eq!(converged[1], (Status::MaxIterations, 12));
        assert_eq!(converged[2], (Status::MaxIterations, 12));
        assert_eq!(stages[2].2, 1.0, "the starting point of the stage that got no budget");
        let ending = monitor.end(stages[2].0);
        assert_eq!(ending.history.unwrap().column("nit").unwrap(), [2., 4., 6., 8., 10., 12.]);
    }
}
