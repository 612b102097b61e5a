//! Many independent problems under one observer.

use super::{Budget, Info, Method, Monitor, Observer, POLL_EVERY, Signal, drive};
use crate::base::error::Aborted;
use crate::base::pool;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, ThreadId};
use std::time::Instant;

/// Reports that may wait for the calling thread before those who make them are slowed down.
const ROOM: usize = 1024;

/// Solves the problems `make(0), ..., make(n - 1)` on the pool's threads; solutions in order.
///
/// Each has a monitor of its own with the whole of `budget` but `maxtime`, which is for all of them together, so that
/// a batch has the bits of a loop over [`solve`](super::solve). Reports carry their problem's index and reach the
/// observer on the calling thread, those of one problem in order. A stop reaches all: running problems end with their
/// best iterate, the others with their starting point; nothing is reported after it. Of several errors the first
/// problem's is returned, whichever came first.
pub fn solve_each<const K: usize, M: Method<K>>(
    n: usize,
    make: impl Fn(usize) -> M + Sync,
    budget: Budget,
    observer: &mut dyn Observer,
) -> Result<Vec<M::Solution>, M::Error>
where
    M::Solution: Send,
    M::Error: Send,
{
    let started = Instant::now();
    let board = Board::new(observer);
    let failed = AtomicUsize::new(usize::MAX);
    let one = |index| {
        // Problems before the first that failed are all solved: one of them may fail too.
        if index > failed.load(Ordering::Relaxed) {
            return None;
        }
        let _abort = AbortOnPanic(&board);
        let left = budget.maxtime.map(|limit| (limit - started.elapsed().as_secs_f64()).max(0.0));
        let mut relay = Relay { index, board: &board };
        let mut monitor = Monitor::new(Budget { maxtime: left, ..budget }, &mut relay, const { &M::EXTRAS });
        let solved = monitor.obey(board.signal()).map_err(M::Error::from).and_then(|()| {
            let mut method = make(index);
            let status = drive(&mut method, &mut monitor)?;
            method.finish(status, monitor)
        });
        if solved.is_err() {
            failed.fetch_min(index, Ordering::Relaxed);
        }
        Some(solved)
    };
    let poll = || {
        let _abort = AbortOnPanic(&board);
        match board.attend(None) {
            Signal::Abort => ControlFlow::Break(Aborted),
            Signal::Continue | Signal::Stop => ControlFlow::Continue(()),
        }
    };
    match pool::map_items_watched(None, 0..n, one, poll) {
        ControlFlow::Break(aborted) => Err(aborted.into()),
        // What the other threads posted last.
        ControlFlow::Continue(_) if board.attend(None) == Signal::Abort => Err(Aborted.into()),
        ControlFlow::Continue(solved) => solved.into_iter().flatten().collect(),
    }
}

/// Remembers a stop: the observer of several runs, one after another, that end together.
pub struct Latch<'a> {
    observer: &'a mut dyn Observer,
    stopped: bool,
}

impl<'a> Latch<'a> {
    /// Passes everything on to `observer`, and its answers back, until it asks for a stop.
    pub fn new(observer: &'a mut dyn Observer) -> Self {
        Self { observer, stopped: false }
    }

    /// Whether a stop was asked for.
    pub fn stopped(&self) -> bool {
        self.stopped
    }

    fn hold(&mut self, signal: Signal) -> Signal {
        self.stopped |= signal == Signal::Stop;
        if self.stopped && signal == Signal::Continue { Signal::Stop } else { signal }
    }
}

impl Observer for Latch<'_> {
    fn poll(&mut self) -> Signal {
        let signal = self.observer.poll();
        self.hold(signal)
    }

    fn report(&mut self, info: &Info<'_>) -> Signal {
        let signal = if self.stopped { Signal::Stop } else { self.observer.report(info) };
        self.hold(signal)
    }
}

/// A report on its way to the calling thread.
struct Report {
    index: usize,
    nit: u64,
    bound: f64,
    elapsed: f64,
    names: &'static [&'static str],
    values: Vec<f64>,
}

/// Where the threads of a batch meet: what was answered, and what is still to be told.
struct Board<'a> {
    /// The strongest answer so far: 0 = continue, 1 = stop, 2 = abort.
    signal: AtomicU8,
    waiting: Mutex<Vec<Report>>,
    room: Condvar,
    home: ThreadId,
    caller: Mutex<Caller<'a>>,
}

/// Used on the calling thread only.
struct Caller<'a> {
    observer: &'a mut dyn Observer,
    polled: Instant,
}

impl<'a> Board<'a> {
    fn new(observer: &'a mut dyn Observer) -> Self {
        Self {
            signal: AtomicU8::new(0),
            waiting: Mutex::default(),
            room: Condvar::new(),
            home: thread::current().id(),
            caller: Mutex::new(Caller { observer, polled: Instant::now() }),
        }
    }

    fn signal(&self) -> Signal {
        match self.signal.load(Ordering::Relaxed) {
            0 => Signal::Continue,
            1 => Signal::Stop,
            _ => Signal::Abort,
        }
    }

    fn raise(&self, signal: Signal) {
        let level = match signal {
            Signal::Continue => 0,
            Signal::Stop => 1,
            Signal::Abort => 2,
        };
        self.signal.fetch_max(level, Ordering::Relaxed);
    }

    fn waiting(&self) -> MutexGuard<'_, Vec<Report>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// On the calling thread: passes on what waits, then its own report, and polls.
    fn attend(&self, own: Option<&Info<'_>>) -> Signal {
        // Nobody else takes this lock; it is held where the observer panicked.
        let Ok(mut caller) = self.caller.try_lock() else { return self.signal() };
        let waiting = std::mem::take(&mut *self.waiting());
        self.room.notify_all();
        for report in &waiting {
            if self.signal() != Signal::Continue {
                break;
            }
            let &Report { index, nit, bound, elapsed, names, ref values } = report;
            self.raise(caller.observer.report(&Info {
                index: Some(index),
                nit,
                bound,
                elapsed,
                names,
                values,
            }));
        }
        if let (Some(info), Signal::Continue) = (own, self.signal()) {
            self.raise(caller.observer.report(info));
        }
        if self.signal() != Signal::Abort && caller.polled.elapsed() >= POLL_EVERY {
            self.raise(caller.observer.poll());
            caller.polled = Instant::now();
        }
        self.signal()
    }

    /// On another thread: leaves a report. Where the callback is slower than the work, the work waits; a while only, as
    /// the calling thread may itself be waiting for this one.
    fn post(&self, report: Report) {
        let mut waiting = self.waiting();
        if waiting.len() >= ROOM {
            waiting = self.room.wait_timeout(waiting, POLL_EVERY).unwrap_or_else(PoisonError::into_inner).0;
        }
        waiting.push(report);
    }
}

/// The observer of one problem of a batch.
struct Relay<'a> {
    index: usize,
    board: &'a Board<'a>,
}

impl Relay<'_> {
    fn at_home(&self) -> bool {
        thread::current().id() == self.board.home
    }
}

impl Observer for Relay<'_> {
    fn poll(&mut self) -> Signal {
        if self.at_home() { self.board.attend(None) } else { self.board.signal() }
    }

    fn report(&mut self, info: &Info<'_>) -> Signal {
        let index = self.index;
        if self.at_home() {
            return self.board.attend(Some(&Info { index: Some(index), ..*info }));
        }
        if self.board.signal() == Signal::Continue {
            let &Info { nit, bound, elapsed, names, values, .. } = info;
            self.board.post(Report { index, nit, bound, elapsed, names, values: values.to_vec() });
        }
        self.board.signal()
    }
}

/// Ends the other problems when the one it lives in unwinds.
struct AbortOnPanic<'a, 'b>(&'a Board<'b>);

impl Drop for AbortOnPanic<'_, '_> {
    fn drop(&mut self) {
        if thread::panicking() {
            self.0.raise(Signal::Abort);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Progress, Silent, solve};
    use super::*;
    use crate::base::outcome::Outcome;
    use crate::base::status::Status;

    /// Newton's iteration for the root of `x^2 = a`, from 1; fails where a < 0.
    struct Root {
        a: f64,
        x: f64,
    }

    #[derive(Debug, PartialEq)]
    enum Failure {
        Aborted,
        Negative(f64),
    }

    impl From<Aborted> for Failure {
        fn from(_: Aborted) -> Self {
            Self::Aborted
        }
    }

    impl Method<1> for Root {
        type Solution = (f64, Outcome);
        type Error = Failure;
        const EXTRAS: [&'static str; 1] = ["x"];

        fn init(&mut self, _: &mut Monitor<'_>) -> Result<Option<f64>, Failure> {
            Ok(None)
        }

        fn step(&mut self, monitor: &mut Monitor<'_>) -> Result<Progress<1>, Failure> {
            if self.a < 0.0 {
                return Err(Failure::Negative(self.a));
            }
            monitor.map_blocks(4, 1, |_| thread::sleep(std::time::Duration::from_micros(50)))?;
            self.x = (self.x + self.a / self.x) / 2.0;
            Ok(Progress { units: 1, bound: Some((self.x * self.x - self.a).abs()), extras: [self.x] })
        }

        fn finish(self, status: Status, monitor: Monitor<'_>) -> Result<Self::Solution, Failure> {
            Ok((self.x, Outcome::new(monitor.end(status), None)))
        }
    }

    fn root(index: usize) -> Root {
        Root { a: 2.0 + index as f64, x: 1.0 }
    }

    /// Checks the thread; answers `signal` at the n-th report.
    struct Watcher {
        home: ThreadId,
        at: usize,
        signal: Signal,
        seen: Vec<(usize, u64, f64)>,
    }

    impl Watcher {
        fn new(at: usize, signal: Signal) -> Self {
            Self { home: thread::current().id(), at, signal, seen: Vec::new() }
        }
    }

    impl Observer for Watcher {
        fn poll(&mut self) -> Signal {
            assert_eq!(thread::current().id(), self.home);
            Signal::Continue
        }

        fn report(&mut self, info: &Info<'_>) -> Signal {
            assert_eq!(thread::current().id(), self.home);
            self.seen.push((info.index.expect("a batch"), info.nit, info.values[0]));
            if self.seen.len() == self.at { self.signal } else { Signal::Continue }
        }
    }

    #[test]
    fn a_batch_has_the_bits_of_a_loop_and_reports_all_of_it() {
        let budget = Budget { history: true, ..Budget::new(1e-9, 7) };
        let alone: Vec<_> = (0..40).map(|i| solve(root(i), budget, &mut Silent).unwrap()).collect();
        for workers in [1, 2, 5] {
            let mut watcher = Watcher::new(0, Signal::Stop);
            let batch = pool::run(Some(workers), || solve_each(40, root, budget, &mut watcher)).unwrap();
            assert_eq!(batch.len(), alone.len());
            for (i, ((x, own), (y, of))) in batch.iter().zip(&alone).enumerate() {
                assert_eq!((x.to_bits(), own.status, own.nit), (y.to_bits(), of.status, of.nit));
                let iterates = of.history.as_ref().unwrap().column("x").unwrap();
                let told: Vec<_> = watcher.seen.iter().filter(|s| s.0 == i).map(|s| (s.1, s.2)).collect();
                let made: Vec<_> = (1u64..).zip(iterates.iter().copied()).collect();
                assert_eq!(told, made);
            }
        }
    }

    #[test]
    fn a_stop_reaches_all_and_is_the_last_report() {
        for workers in [1, 3] {
            let mut watcher = Watcher::new(5, Signal::Stop);
            let budget = Budget::new(0.0, u64::MAX);
            let batch = pool::run(Some(workers), || solve_each(8, root, budget, &mut watcher)).unwrap();
            assert!(batch.iter().all(|(_, outcome)| outcome.status == Status::Interrupted));
            assert_eq!((batch.len(), watcher.seen.len()), (8, 5));
            assert_eq!(batch[7].1.nit, 0, "the last problem had not begun");
        }
    }

    #[test]
    fn an_abort_ends_all() {
        for workers in [1, 3] {
            let mut watcher = Watcher::new(5, Signal::Abort);
            let budget = Budget::new(0.0, u64::MAX);
            let batch = pool::run(Some(workers), || solve_each(8, root, budget, &mut watcher));
            assert_eq!((batch.unwrap_err(), watcher.seen.len()), (Failure::Aborted, 5));
        }
    }

    #[test]
    fn the_first_problems_error_is_returned() {
        let make = |i| Root { a: if i >= 3 { -(i as f64) } else { 2.0 }, x: 1.0 };
        for workers in [1, 4] {
            let batch = pool::run(Some(workers), || solve_each(30, make, Budget::new(0.0, 20), &mut Silent));
            assert_eq!(batch.unwrap_err(), Failure::Negative(-3.0));
        }
    }

    #[test]
    fn time_is_for_the_whole_batch() {
        let budget = Budget { maxtime: Some(0.05), ..Budget::new(0.0, u64::MAX) };
        let started = Instant::now();
        let batch = pool::run(Some(1), || solve_each(40, root, budget, &mut Silent)).unwrap();
        assert!(batch.iter().all(|(_, outcome)| outcome.status == Status::MaxTime));
        assert!(started.elapsed().as_secs_f64() < 1.0);
    }

    #[test]
    fn a_latch_holds_a_stop() {
        let mut watcher = Watcher::new(1, Signal::Stop);
        let mut latch = Latch::new(&mut watcher);
        let info = Info { index: Some(0), nit: 1, bound: 1.0, elapsed: 0.0, names: &["x"], values: &[1.0] };
        assert_eq!((latch.poll(), latch.stopped()), (Signal::Continue, false));
        assert_eq!((latch.report(&info), latch.stopped()), (Signal::Stop, true));
        assert_eq!((latch.poll(), latch.report(&info)), (Signal::Stop, Signal::Stop));
        assert_eq!(watcher.seen.len(), 1);
    }
}
