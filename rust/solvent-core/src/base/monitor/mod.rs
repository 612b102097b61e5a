//! The one loop: budget, history, callback, cancellation, termination.
//!
//! A family writes a [`Method`] (init / step / terminate / finish) and calls [`solve`]; or, where its stages
//! nest, drives a [`Monitor`] by hand with [`Monitor::record`]. Whoever watches the run is an [`Observer`]:
//! the bindings make one from the caller's callback and the interpreter's signals; Rust callers use
//! [`Silent`]. Many independent problems at once go through [`solve_each`]. Observers are called on the thread that called the solver, never on a pool thread.

mod batch;
mod history;
mod method;
mod observer;

pub use batch::{Latch, solve_each};
pub use history::History;
pub use method::{Method, Progress, drive, solve};
pub use observer::{Info, Observer, Signal, Silent};

use super::error::Aborted;
use super::pool;
use super::status::{Status, met};
use std::ops::{ControlFlow, Range};
use std::time::{Duration, Instant};

/// Observers are polled at most this often: well inside the promised 100 ms, and rare enough that taking
/// the interpreter's lock costs nothing.
const POLL_EVERY: Duration = Duration::from_millis(20);

/// How far a run may go.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Budget {
    /// Target for the bound; 0 = use the whole budget (the rule is [`outcome`](super::outcome)'s).
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

/// How the loop ended; with the final certificate it becomes an [`Outcome`](crate::base::outcome::Outcome).
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

    /// Reduces `0..n` in bounded memory: `part` makes a value of each block, `fold` takes them in the order of the
    /// blocks, and at most `wave` of them are alive at once. The waves do not change the result: equal blocks give
    /// equal bits for any `wave` and any number of threads. An error of `fold` ends it.
    pub fn fold_blocks<T: Send, E: From<Aborted>>(
        &mut self,
        n: usize,
        block: usize,
        wave: usize,
        part: impl Fn(Range<usize>) -> T + Sync,
        fold: impl FnMut(T) -> Result<(), E>,
    ) -> Result<(), E> {
        let (block, mut fold) = (block.max(1), fold);
        let span = block.saturating_mul(wave.max(1));
        for start in (0..n).step_by(span) {
            let count = (n - start).min(span);
            let parts = self.map_blocks(count, block, |r| part(r.start + start..r.end + start))?;
            parts.into_iter().try_for_each(&mut fold)?;
        }
        Ok(())
    }

    /// Notes the bound of the starting point, before any unit of work, and says whether the run is already
    /// over: the start meets `tol`, or the budget is empty.
    pub fn start(&mut self, bound: Option<f64>) -> Option<Status> {
        self.note(bound);
        self.verdict()
    }

    /// Books one step: counts it, keeps the best bound, writes the history, calls the callback, and says
    /// whether the run is over. A bound that meets `tol` outranks a stop that was asked for, so that
    /// `converged` and `bound <= tol` always agree. Panics unless there is one extra for each name.
    pub fn record(
        &mut self,
        units: u64,
        bound: Option<f64>,
        extras: &[f64],
    ) -> Result<Option<Status>, Aborted> {
        assert_eq!(extras.len(), self.names.len(), "one value for each name");
        self.nit += units;
        self.note(bound);
        let info = Info {
            index: None,
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

    /// Forgets the best bound: what follows is another problem (the next of several solves, another
    /// regularisation), whose bounds are not comparable with those before. Budget, clock, history and a
    /// stop that was asked for carry over.
    pub fn begin_stage(&mut self) {
        self.bound = f64::NAN;
        self.improved = false;
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
        if met(self.bound, self.budget.tol) {
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

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
    #[should_panic(expected = "one value for each name")]
    fn history_columns_cannot_become_uneven() {
        let mut silent = Silent;
        let budget = Budget { history: true, ..Budget::new(0.0, 10) };
        let _ = Monitor::new(budget, &mut silent, &["x", "y"]).record(1, None, &[1.0]);
    }

    #[test]
    fn folds_have_the_same_bits_for_any_wave_and_thread() {
        let alive = AtomicUsize::new(0);
        let most = AtomicUsize::new(0);
        let fold = |workers, wave| {
            most.store(0, Ordering::Relaxed);
            let mut silent = Silent;
            let mut monitor = Monitor::new(Budget::new(0.0, 1), &mut silent, &[]);
            let (mut sum, mut next) = (0.0f64, 0);
            let part = |range: Range<usize>| {
                most.fetch_max(alive.fetch_add(1, Ordering::Relaxed) + 1, Ordering::Relaxed);
                (range.clone(), range.map(|i| 1.0 / (1.0 + i as f64)).sum::<f64>())
            };
            let folded: Result<(), Aborted> = pool::run(Some(workers), || {
                monitor.fold_blocks(1003, 10, wave, part, |(range, part)| {
                    alive.fetch_sub(1, Ordering::Relaxed);
                    assert_eq!(range.start, next);
                    (next, sum) = (range.end, sum + part);
                    Ok(())
                })
            });
            assert_eq!((folded, next), (Ok(()), 1003));
            (sum.to_bits(), most.load(Ordering::Relaxed))
        };
        let (bits, all) = fold(1, usize::MAX);
        assert_eq!(all, 101);
        for (workers, wave) in [(1, 1), (1, 7), (2, 7), (4, 64), (3, 0)] {
            let (own, most) = fold(workers, wave);
            assert!(own == bits && most <= wave.max(1));
        }
    }

    #[test]
    fn an_error_of_the_fold_ends_it() {
        let mut silent = Silent;
        let mut monitor = Monitor::new(Budget::new(0.0, 1), &mut silent, &[]);
        let made = AtomicUsize::new(0);
        let part = |_| made.fetch_add(1, Ordering::Relaxed);
        let folded: Result<(), Aborted> = monitor.fold_blocks(100, 1, 4, part, |_| Err(Aborted));
        assert_eq!((folded, made.into_inner()), (Err(Aborted), 4));
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
