//! Threads: our own rayon pool, built on first use, one per process, never rayon's global one.
//!
//! The one primitive is [`map_items`]: it hands the items of an iterator to threads and returns the results
//! *in the order of the items*. Whoever cuts the work into items of fixed size (never by the number of
//! threads) and reduces the results in order gets the same bits for any number of threads. Items may borrow
//! disjoint parts of an output: `out.chunks_mut(BLOCK).zip(x.chunks(BLOCK))`.
//!
//! * The calling thread works too, so one worker needs no pool and no thread, and a call made from inside a
//!   pool thread always gets on: nothing here can wait for a thread that never comes.
//! * It polls between its own items ([`map_items_watched`]): that is how Ctrl-C is seen within a block.
//! * A forked child finds a virgin slot (see `Generation`) and builds its own pool.
//! * Two calls at once from different threads share the pool; a call then returns when its own items are
//!   done and the pool has taken note of it, which may be after the other call's current pass.

use super::error::ArgumentError;
use rayon::{ThreadPool, ThreadPoolBuilder};
use std::cell::Cell;
use std::convert::Infallible;
use std::ops::{ControlFlow, Range};
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

/// The environment variable that sets the default number of threads.
pub const ENVIRONMENT: &str = "SOLVENT_NUM_THREADS";

/// What [`set_num_threads`] chose; 0 = the default.
static CHOSEN: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    /// What [`run`] chose for this thread; 0 = nothing.
    static SCOPED: Cell<usize> = const { Cell::new(0) };
}

/// Threads this process may use: CPU affinity and the cgroup's CPU quota (v2 or v1), whichever is less.
pub fn available_threads() -> usize {
    // Reading the quota opens files, so it is done once; a race computes the same number twice.
    static KNOWN: AtomicUsize = AtomicUsize::new(0);
    match KNOWN.load(Ordering::Relaxed) {
        0 => {
            let n = std::thread::available_parallelism().map_or(1, usize::from);
            KNOWN.store(n, Ordering::Relaxed);
            n
        }
        n => n,
    }
}

/// What the environment variable asks for; an error if it is set to something that is not a count.
pub fn environment() -> Result<Option<usize>, ArgumentError> {
    let Some(text) = std::env::var_os(ENVIRONMENT) else { return Ok(None) };
    let text = text.to_string_lossy().into_owned();
    match text.trim().parse::<usize>() {
        Ok(n) if n > 0 => Ok(Some(n)),
        _ if text.trim().is_empty() => Ok(None),
        _ => Err(ArgumentError::value(ENVIRONMENT, text.as_str(), "an integer >= 1")),
    }
}

/// Sets the default number of threads of this process; `None` returns to the environment's or the machine's.
pub fn set_num_threads(n: Option<usize>) {
    CHOSEN.store(n.unwrap_or(0), Ordering::Relaxed);
}

/// The number of threads a call uses that does not say: [`run`]'s, [`set_num_threads`]'s, the environment's
/// (if it is a count), or all that are available.
pub fn num_threads() -> usize {
    let scoped = SCOPED.get();
    if scoped > 0 {
        return scoped;
    }
    match CHOSEN.load(Ordering::Relaxed) {
        0 => environment().ok().flatten().unwrap_or_else(available_threads),
        n => n,
    }
}

/// Runs `f` with `workers` as the default of every call made inside it on this thread; `None` changes
/// nothing. Starts no thread by itself.
pub fn run<T>(workers: Option<usize>, f: impl FnOnce() -> T) -> T {
    struct Restore(usize);
    impl Drop for Restore {
        fn drop(&mut self) {
            SCOPED.set(self.0);
        }
    }
    let _restore = Restore(SCOPED.get());
    if let Some(n) = workers {
        SCOPED.set(n.max(1));
    }
    f()
}

/// Applies `f` to the fixed blocks `0..block, block..2·block, ...` of `0..n`; results in order.
pub fn map_blocks<T: Send>(
    workers: Option<usize>,
    n: usize,
    block: usize,
    f: impl Fn(Range<usize>) -> T + Sync,
) -> Vec<T> {
    map_items(workers, blocks(n, block), f)
}

/// The blocks `0..block, block..2·block, ...` that cover `0..n`.
pub fn blocks(n: usize, block: usize) -> impl ExactSizeIterator<Item = Range<usize>> + Send {
    let block = block.max(1);
    (0..n.div_ceil(block)).map(move |i| i * block..((i + 1) * block).min(n))
}

/// Applies `f` to each item; results in the order of the items, whichever thread made them.
pub fn map_items<I, T>(
    workers: Option<usize>,
    items: impl ExactSizeIterator<Item = I> + Send,
    f: impl Fn(I) -> T + Sync,
) -> Vec<T>
where
    I: Send,
    T: Send,
{
    match map_items_watched(workers, items, f, || ControlFlow::<Infallible>::Continue(())) {
        ControlFlow::Continue(results) => results,
    }
}

/// As [`map_items`]; `poll` is called on the calling thread between its items, and every few milliseconds while it
/// waits for the others'. If it breaks, no further item is begun and the break is returned.
pub fn map_items_watched<I, T, B>(
    workers: Option<usize>,
    items: impl ExactSizeIterator<Item = I> + Send,
    f: impl Fn(I) -> T + Sync,
    mut poll: impl FnMut() -> ControlFlow<B>,
) -> ControlFlow<B, Vec<T>>
where
    I: Send,
    T: Send,
{
    let n = items.len();
    let workers = workers.unwrap_or_else(num_threads).clamp(1, n.max(1));
    let pool = if workers > 1 { Generation::current().and_then(|own| own.pool(workers - 1)) } else { None };
    let Some(pool) = pool else {
        let mut results = Vec::with_capacity(n);
        for item in items {
            results.push(f(item));
            poll()?;
        }
        return ControlFlow::Continue(results);
    };

    // What a call nested in an item may use by default: an even share, so that threads do not multiply.
    let share = (num_threads() / workers).max(1);
    let stop = AtomicBool::new(false);
    let queue = Mutex::new(items.enumerate());
    let next = || {
        if stop.load(Ordering::Relaxed) {
            return None;
        }
        queue.lock().unwrap_or_else(PoisonError::into_inner).next()
    };
    let done: Mutex<Vec<(usize, T)>> = Mutex::new(Vec::with_capacity(n));
    let deliver = |mut part: Vec<_>| done.lock().unwrap_or_else(PoisonError::into_inner).append(&mut part);
    let mut broken = None;
    let busy = Busy::default();
    pool.in_place_scope(|scope| {
        for _ in 1..workers {
            scope.spawn(|_| {
                let _busy = busy.begin();
                // A panic in one item must not leave the others running on.
                let _stop = StopOnPanic(&stop);
                run(Some(share), || {
                    let mut part = Vec::new();
                    while let Some((i, item)) = next() {
                        part.push((i, f(item)));
                    }
                    deliver(part);
                });
            });
        }
        let _stop = StopOnPanic(&stop);
        run(Some(share), || {
            let mut part = Vec::new();
            while let Some((i, item)) = next() {
                part.push((i, f(item)));
                if let ControlFlow::Break(reason) = poll() {
                    stop.store(true, Ordering::Relaxed);
                    broken = Some(reason);
                }
            }
            deliver(part);
        });
        while busy.wait() {
            if broken.is_none()
                && let ControlFlow::Break(reason) = poll()
            {
                stop.store(true, Ordering::Relaxed);
                broken = Some(reason);
            }
        }
    });
    if let Some(reason) = broken {
        return ControlFlow::Break(reason);
    }
    let mut done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
    done.sort_unstable_by_key(|&(i, _)| i);
    ControlFlow::Continue(done.into_iter().map(|(_, result)| result).collect())
}

/// How long the calling thread waits for the others before it polls again.
const POLL_EVERY: Duration = Duration::from_millis(5);

/// The threads that are at work on a call's items. One that has not begun is not waited for here: it may never come
/// while every thread waits, and finds nothing to do when it does.
#[derive(Default)]
struct Busy {
    count: Mutex<usize>,
    idle: Condvar,
}

impl Busy {
    fn begin(&self) -> Working<'_> {
        *self.count.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        Working(self)
    }

    /// Returns once nobody is at work (false) or it is time to poll (true).
    fn wait(&self) -> bool {
        let count = self.count.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.idle.wait_timeout_while(count, POLL_EVERY, |count| *count > 0);
        *waited.unwrap_or_else(PoisonError::into_inner).0 > 0
    }
}

/// Counts as busy as long as it lives.
struct Working<'a>(&'a Busy);

impl Drop for Working<'_> {
    fn drop(&mut self) {
        let mut count = self.0.count.lock().unwrap_or_else(PoisonError::into_inner);
        *count -= 1;
        if *count == 0 {
            self.0.idle.notify_all();
        }
    }
}

/// Tells the other threads to begin no further item when the one it lives on unwinds.
struct StopOnPanic<'a>(&'a AtomicBool);

impl Drop for StopOnPanic<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.store(true, Ordering::Relaxed);
        }
    }
}

/// The place of one process in a line of forks, and its pool.
///
/// A fork copies only the forking thread. A pool of the parent has no threads in the child, and a lock that
/// another thread held at that moment stays locked for ever; so the child must touch neither. Each process
/// therefore owns one slot of a fixed line: it walks (lock-free) past the slots that belong to its ancestors
/// to the first free one. The line is longer than any sane chain of forks; past its end calls run serially.
struct Generation {
    /// The owner's process id; 0 = free.
    owner: AtomicU32,
    /// The owner's pool. Never dropped in a child: a static is not.
    pool: Mutex<Option<Arc<ThreadPool>>>,
}

/// Longest chain of forks in which every process uses threads.
const GENERATIONS: usize = 64;
static LINE: [Generation; GENERATIONS] =
    [const { Generation { owner: AtomicU32::new(0), pool: Mutex::new(None) } }; GENERATIONS];

impl Generation {
    /// This process's slot.
    fn current() -> Option<&'static Self> {
        // The walk costs one load a generation; a slot once taken is never given back.
        let pid = std::process::id();
        LINE.iter().find(|slot| {
            let owner = slot.owner.load(Ordering::Acquire);
            owner == pid
                || owner == 0
                    && match slot.owner.compare_exchange(0, pid, Ordering::AcqRel, Ordering::Acquire) {
                        Ok(_) => true,
                        Err(owner) => owner == pid,
                    }
        })
    }

    /// A pool of at least `threads` threads: the one there is, or a larger one in its place. `None` if the
    /// system refuses the threads; the caller then works alone.
    fn pool(&self, threads: usize) -> Option<Arc<ThreadPool>> {
        let mut slot = self.pool.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(pool) = slot.as_ref().filter(|pool| pool.current_num_threads() >= threads) {
            return Some(Arc::clone(pool));
        }
        let size = threads.max(available_threads().saturating_sub(1));
        let built = ThreadPoolBuilder::new()
            .num_threads(size)
            .thread_name(|i| format!("solvent-{i}"))
            .build()
            .or_else(|_| ThreadPoolBuilder::new().num_threads(threads).build());
        // An outgrown pool ends its threads once the calls that still use it return.
        let pool = Arc::new(built.ok()?);
        *slot = Some(Arc::clone(&pool));
        Some(pool)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::rng::Philox;
    use std::collections::HashSet;
    use std::thread;

    #[test]
    fn blocks_cover_the_range_once() {
        for (n, block) in [(0, 4), (1, 4), (8, 4), (9, 4), (3, 0)] {
            let parts: Vec<_> = blocks(n, block).collect();
            assert!(parts.iter().all(|part| !part.is_empty() && part.len() <= block.max(1)));
            assert_eq!(parts.into_iter().flatten().collect::<Vec<_>>(), (0..n).collect::<Vec<_>>());
        }
    }

    #[test]
    fn results_have_the_same_bits_for_any_number_of_threads() {
        let total = |workers| {
            let part = |range: Range<usize>| {
                let mut rng = Philox::new(3, 0, (range.start / 100) as u32);
                range.map(|_| rng.normal()).sum::<f64>()
            };
            map_blocks(Some(workers), 12_345, 100, part).iter().sum::<f64>().to_bits()
        };
        let alone = total(1);
        assert!([2, 3, 5, 16].iter().all(|&workers| total(workers) == alone));
    }

    #[test]
    fn items_may_borrow_disjoint_parts_of_outputs() {
        let x: Vec<f64> = (0..1000).map(f64::from).collect();
        let (mut squares, mut roots) = (vec![0.0; 1000], vec![0.0; 1000]);
        let items = x.chunks(64).zip(squares.chunks_mut(64).zip(roots.chunks_mut(64)));
        map_items(Some(4), items, |(x, (squares, roots))| {
            for (i, v) in x.iter().enumerate() {
                squares[i] = v * v;
                roots[i] = v.sqrt();
            }
        });
        assert!(x.iter().zip(squares.iter().zip(&roots)).all(|(v, (s, r))| *s == v * v && *r == v.sqrt()));
    }

    #[test]
    fn one_worker_stays_on_the_calling_thread_and_more_do_not() {
        let here = thread::current().id();
        assert!(map_blocks(Some(1), 64, 1, |_| thread::current().id()).iter().all(|&id| id == here));
        // Each item waits for the other, so one thread alone would never end.
        let barrier = std::sync::Barrier::new(2);
        let ids = map_blocks(Some(2), 2, 1, |_| {
            barrier.wait();
            thread::current().id()
        });
        assert_eq!(ids.into_iter().collect::<HashSet<_>>().len(), 2);
    }

    #[test]
    fn nested_calls_do_not_deadlock() {
        let sums = map_blocks(Some(4), 8, 1, |outer| {
            let inner = map_blocks(Some(4), 100, 3, |part| part.sum::<usize>());
            outer.start * inner.into_iter().sum::<usize>()
        });
        assert_eq!(sums, (0..8).map(|i| i * 4950).collect::<Vec<_>>());
        // By default a nested call takes an even share of the threads, here one.
        let shares = run(Some(4), || map_blocks(None, 4, 1, |_| num_threads()));
        assert_eq!(shares, [1; 4]);
    }

    #[test]
    fn concurrent_callers_share_the_pool() {
        let work = || map_blocks(Some(3), 200, 1, |part| part.start).into_iter().sum::<usize>();
        let totals: Vec<_> = thread::scope(|scope| {
            let callers: Vec<_> = (0..4).map(|_| scope.spawn(work)).collect();
            callers.into_iter().map(|caller| caller.join().unwrap()).collect()
        });
        assert_eq!(totals, [19_900; 4]);
    }

    #[test]
    fn a_broken_poll_ends_the_work_early() {
        for workers in [1, 3] {
            let begun = AtomicUsize::new(0);
            let mut polls = 0;
            let watched = map_items_watched(
                Some(workers),
                blocks(100_000, 1),
                |_| {
                    thread::sleep(std::time::Duration::from_micros(20));
                    begun.fetch_add(1, Ordering::Relaxed)
                },
                || {
                    polls += 1;
                    if polls == 3 { ControlFlow::Break("enough") } else { ControlFlow::Continue(()) }
                },
            );
            assert_eq!(watched, ControlFlow::Break("enough"));
            assert_eq!(polls, 3);
            assert!(begun.into_inner() < 100_000);
        }
    }

    #[test]
    fn the_caller_polls_while_it_waits_for_others() {
        // The calling thread's item ends at once, the other's when it is told to.
        let here = thread::current().id();
        let (both, told) = (std::sync::Barrier::new(2), AtomicBool::new(false));
        let mut polls = 0;
        let item = |_| {
            both.wait();
            while thread::current().id() != here && !told.load(Ordering::Relaxed) {
                thread::sleep(Duration::from_millis(1));
            }
        };
        let watched = map_items_watched(Some(2), blocks(2, 1), item, || {
            polls += 1;
            told.store(polls == 3, Ordering::Relaxed);
            if polls == 3 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        assert_eq!((watched, polls), (ControlFlow::Break(()), 3));
    }

    #[test]
    fn a_panic_reaches_the_caller_and_the_pool_survives() {
        for workers in [1, 3] {
            let panicked = std::panic::catch_unwind(|| {
                map_blocks(Some(workers), 50, 1, |part| assert!(part.start != 20, "item 20"));
            });
            assert!(panicked.is_err());
            assert_eq!(map_blocks(Some(workers), 3, 1, |part| part.start), [0, 1, 2]);
        }
    }

    #[test]
    fn the_default_is_scoped_and_restored() {
        let before = num_threads();
        assert_eq!(
            run(Some(7), || (num_threads(), run(None, num_threads), run(Some(2), num_threads))),
            (7, 7, 2)
        );
        assert_eq!(num_threads(), before);
        assert!(available_threads() >= 1);
    }

    #[test]
    fn a_slot_serves_one_process_only() {
        let own = Generation::current().expect("the line is not full");
        assert!(std::ptr::eq(own, Generation::current().expect("the same slot")));
        assert_eq!(own.owner.load(Ordering::Relaxed), std::process::id());
    }
}
