//! The one loop: budget, history, callback, cancellation, termination.
//!
//! A family writes a [`Method`] (init / step / terminate / finish) and calls [`solve`]; or, where its stages
//! nest, drives a [`Monitor`] by hand with [`Monitor::record`]. Whoever watches the run is an [`Observer`]:
//! the bindings make one from the caller's callback and the interpreter's signals; Rust callers use
//! [`Silent`]. Both are called on the thread that called the solver, never on a pool thread.

use super::error::Aborted;
use super::pool;
use super::status::Status;
use std::ops::{ControlFlow, Range};
use std::time::{Duration, Instant};

/// Observers are polled at most this often: well inside the promised 100 ms, and rare enough that taking
/// the interpreter's lock costs nothing.
const POLL_EVERY: Duration = Duration::from_millis(20);

/// How far a run may go.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Budget {
    /// Target for the bound; 0 = use the whole budget.
    pub tol: f64,
    /// Units of work, in the family's unit.
    pub maxiter: u64,
    /// Seconds; `None` = no limit.
    pub maxtime: Option<f64>,
    /// Whether to keep the history.
    pub history: bool,
}

impl Budget {
    /// A budget in units of work only.
    pub const fn new(tol: f64, maxiter: u64) -> Self {
        Self { tol, maxiter, maxtime: None, history: false }
    }
}

/// What an observer wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// Go on.
    Continue,
    /// End well: the best iterate and its certificate come back with [`Status::Interrupted`].
    Stop,
    /// Abandon the work: [`Aborted`] is returned, the observer raises the reason it holds.
    Abort,
}

/// Who watches a run.
pub trait Observer {
    /// Has someone asked to cancel? Called between blocks of work, at most every 20 ms.
    fn poll(&mut self) -> Signal {
        Signal::Continue
    }

    /// Called once a unit of work.
    fn report(&mut self, info: &Info<'_>) -> Signal {
        let _ = info;
        Signal::Continue
    }
}

/// Watches nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Observer for Silent {}

/// What the callback sees after a unit of work.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Info<'a> {
    /// Units of work done.
    pub nit: u64,
    /// Best bound so far; nan before the first.
    pub bound: f64,
    /// Seconds since the start.
    pub elapsed: f64,
    /// Names of the family's extras.
    pub names: &'static [&'static str],
    /// Their values, in the same order.
    pub values: &'a [f64],
}

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

/// Equally long columns, one row a recorded step: `nit`, `bound` (best so far), `elapsed`, the extras.
#[derive(Debug, Clone, PartialEq)]
pub struct History {
    columns: Vec<(&'static str, Vec<f64>)>,
}

impl History {
    fn new(extras: &'static [&'static str]) -> Self {
        let names = ["nit", "bound", "elapsed"].iter().chain(extras);
        Self { columns: names.map(|&name| (name, Vec::new())).collect() }
    }

    fn push(&mut self, info: &Info<'_>) {
        let row = [info.nit as f64, info.bound, info.elapsed].into_iter().chain(info.values.iter().copied());
        for ((_, column), value) in self.columns.iter_mut().zip(row) {
            column.push(value);
        }
    }

    /// The columns by name, in order.
    pub fn columns(&self) -> &[(&'static str, Vec<f64>)] {
        &self.columns
    }

    /// The column of this name.
    pub fn column(&self, name: &str) -> Option<&[f64]> {
        self.columns.iter().find(|(key, _)| *key == name).map(|(_, column)| column.as_slice())
    }
}

/// How the loop ended; with the final certificate it becomes an [`Outcome`](super::outcome::Outcome).
#[derive(Debug, Clone)]
pub struct Ending {
    /// Why it ended.
    pub status: Status,
    /// Target of the bound.
    pub tol: f64,
    /// Units of work done.
    pub nit: u64,
    /// Best bound met during the run; nan if there was none.
    pub bound: f64,
    /// When the run began.
    pub started: Instant,
    /// The history, if it was asked for.
    pub history: Option<History>,
}

/// Keeps the books of one run and decides when it ends.
pub struct Monitor<'a> {
    budget: Budget,
    observer: &'a mut dyn Observer,
    names: &'static [&'static str],
    started: Instant,
    polled: Instant,
    nit: u64,
    bound: f64,
    improved: bool,
    stopped: bool,
    history: Option<History>,
}

impl<'a> Monitor<'a> {
    /// Starts the clock. `extras` names what the family reports beside `nit`, `bound` and `elapsed`.
    pub fn new(budget: Budget, observer: &'a mut dyn Observer, extras: &'static [&'static str]) -> Self {
        let now = Instant::now();
        Self {
            budget,
            observer,
            names: extras,
            started: now,
            polled: now,
            nit: 0,
            bound: f64::NAN,
            improved: false,
            stopped: false,
            history: budget.history.then(|| History::new(extras)),
        }
    }

    /// The budget.
    pub fn budget(&self) -> &Budget {
        &self.budget
    }

    /// Units of work done.
    pub fn nit(&self) -> u64 {
        self.nit
    }

    /// Units of work left.
    pub fn remaining(&self) -> u64 {
        self.budget.maxiter.saturating_sub(self.nit)
    }

    /// Best bound so far; nan before the first.
    pub fn bound(&self) -> f64 {
        self.bound
    }

    /// Whether the last recorded bound was the best so far: the moment to keep a copy of the iterate.
    pub fn improved(&self) -> bool {
        self.improved
    }

    /// Seconds since the start.
    pub fn elapsed(&self) -> f64 {
        self.started.elapsed().as_secs_f64()
    }

    /// Answers Ctrl-C and the like; cheap enough for every block of work. A long step may also ask
    /// [`expired`](Self::expired) and return early.
    pub fn poll(&mut self) -> Result<(), Aborted> {
        if self.polled.elapsed() < POLL_EVERY {
            return Ok(());
        }
        let signal = self.observer.poll();
        self.polled = Instant::now();
        self.obey(signal)
    }

    /// True once the time is used up or a stop was asked for: the step should end with what it has.
    pub fn expired(&self) -> bool {
        self.stopped || self.budget.maxtime.is_some_and(|limit| self.elapsed() >= limit)
    }

    /// [`pool::map_blocks`] that polls between blocks.
    pub fn map_blocks<T: Send>(
        &mut self,
        n: usize,
        block: usize,
        f: impl Fn(Range<usize>) -> T + Sync,
    ) -> Result<Vec<T>, Aborted> {
        self.map_items(pool::blocks(n, block), f)
    }

    /// [`pool::map_items`] that polls between items.
    pub fn map_items<I: Send, T: Send>(
        &mut self,
        items: impl ExactSizeIterator<Item = I> + Send,
        f: impl Fn(I) -> T + Sync,
    ) -> Result<Vec<T>, Aborted> {
        let poll = || match self.poll() {
            Ok(()) => ControlFlow::Continue(()),
            Err(aborted) => ControlFlow::Break(aborted),
        };
        match pool::map_items_watched(None, items, f, poll) {
            ControlFlow::Continue(results) => Ok(results),
            ControlFlow::Break(aborted) => Err(aborted),
        }
    }

    /// Notes the bound of the starting point, before any unit of work, and says whether the run is already
    /// over: the start meets `tol`, or the budget is empty.
    pub fn start(&mut self, bound: Option<f64>) -> Option<Status> {
        self.note(bound);
        self.verdict()
    }

    /// Books one step: counts it, keeps the best bound, writes the history, calls the callback, and says
    /// whether the run is over. A bound that meets `tol` outranks a stop that was asked for, so that
    /// `converged` and `bound <= tol` always agree.
    pub fn record(
        &mut self,
        units: u64,
        bound: Option<f64>,
        extras: &[f64],
    ) -> Result<Option<Status>, Aborted> {
        debug_assert_eq!(extras.len(), self.names.len(), "one value for each name");
        self.nit += units;
        self.note(bound);
        let info = Info {
            nit: self.nit,
            bound: self.bound,
            elapsed: self.elapsed(),
            names: self.names,
            values: extras,
        };
        if let Some(history) = &mut self.history {
            history.push(&info);
        }
        let signal = self.observer.report(&info);
        self.obey(signal)?;
        self.poll()?;
        Ok(self.verdict())
    }

    /// Closes the books.
    pub fn end(self, status: Status) -> Ending {
        Ending {
            status,
            tol: self.budget.tol,
            nit: self.nit,
            bound: self.bound,
            started: self.started,
            history: self.history,
        }
    }

    fn note(&mut self, bound: Option<f64>) {
        self.improved = bound.is_some_and(|new| new < self.bound || (self.bound.is_nan() && !new.is_nan()));
        if let (true, Some(new)) = (self.improved, bound) {
            self.bound = new;
        }
    }

    fn obey(&mut self, signal: Signal) -> Result<(), Aborted> {
        match signal {
            Signal::Continue => Ok(()),
            Signal::Stop => {
                self.stopped = true;
                Ok(())
            }
            Signal::Abort => Err(Aborted),
        }
    }

    fn verdict(&self) -> Option<Status> {
        if self.budget.tol > 0.0 && self.bound <= self.budget.tol {
            Some(Status::Converged)
        } else if self.stopped {
            Some(Status::Interrupted)
        } else if self.nit >= self.budget.maxiter {
            Some(Status::MaxIterations)
        } else if self.expired() {
            Some(Status::MaxTime)
        } else {
            None
        }
    }
}

/// An iterative method. `K` is the number of its extras.
///
/// The value that implements it is the iteration's state: it borrows the problem, owns the iterate and its
/// scratch. [`solve`] calls `init` once, then `step` until the budget, the observer or `terminate` ends the
/// run, then `finish`. Memory is allocated in the constructor or `init`, not in `step`.
pub trait Method<const K: usize> {
    /// The family's result: its payload and an [`Outcome`](super::outcome::Outcome).
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
    /// on every ending but an abort.
    fn finish(self, ending: Ending) -> Result<Self::Solution, Self::Error>;
}

/// Drives a method to its end.
pub fn solve<const K: usize, M: Method<K>>(
    mut method: M,
    budget: Budget,
    observer: &mut dyn Observer,
) -> Result<M::Solution, M::Error> {
    let mut monitor = Monitor::new(budget, observer, const { &M::EXTRAS });
    let bound = method.init(&mut monitor)?;
    let mut over = monitor.start(bound);
    if monitor.improved() {
        method.keep();
    }
    let status = loop {
        if let Some(status) = over {
            break status;
        }
        let progress = method.step(&mut monitor)?;
        let verdict = monitor.record(progress.units, progress.bound, &progress.extras)?;
        if monitor.improved() {
            method.keep();
        }
        // A proof of the method's own (a ray, a floor) says more than "budget used up".
        over = match verdict {
            Some(Status::Converged) => verdict,
            other => method.terminate(&monitor).or(other),
        };
    };
    method.finish(monitor.end(status))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::certificate::{Certificate, Kind};
    use crate::base::outcome::Outcome;

    /// Heron's iteration for sqrt(2), made worse every third step; the bound is |x^2 - 2| / 2.
    struct Heron {
        x: f64,
        kept: f64,
        steps: u64,
        patience: u64,
    }

    impl Heron {
        fn new() -> Self {
            Self { x: 1.0, kept: f64::NAN, steps: 0, patience: u64::MAX }
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

        fn finish(self, ending: Ending) -> Result<Self::Solution, Aborted> {
            let certificate = Certificate::new(Kind::FixedPointResidual, Self::bound(self.kept));
            Ok((self.kept, Outcome::new(ending, Some(certificate))))
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
    fn cancellation_is_seen_between_blocks() {
        struct Cancel(u32);
        impl Observer for Cancel {
            fn poll(&mut self) -> Signal {
                self.0 += 1;
                Signal::Abort
            }
        }
        for workers in [1, 2] {
            let mut cancel = Cancel(0);
            let mut monitor = Monitor::new(Budget::new(0.0, 1), &mut cancel, &[]);
            let started = Instant::now();
            let blocks = pool::run(Some(workers), || {
                monitor.map_blocks(1_000_000, 1, |_| std::thread::sleep(Duration::from_millis(1)))
            });
            assert_eq!(blocks.unwrap_err(), Aborted);
            assert!(started.elapsed() < Duration::from_secs(5), "a million blocks were not all worked");
            assert_eq!(cancel.0, 1);
        }
    }

    #[test]
    fn nan_bounds_are_no_progress() {
        let mut silent = Silent;
        let mut monitor = Monitor::new(Budget::new(1e-3, 10), &mut silent, &[]);
        assert_eq!(monitor.start(None), None);
        assert_eq!(monitor.record(1, Some(f64::NAN), &[]), Ok(None));
        assert!(monitor.bound().is_nan() && !monitor.improved());
        assert_eq!(monitor.record(1, Some(0.5), &[]), Ok(None));
        assert!(monitor.improved());
        assert_eq!(monitor.record(1, Some(f64::NAN), &[]), Ok(None));
        assert_eq!((monitor.bound(), monitor.improved(), monitor.remaining()), (0.5, false, 7));
    }
}
