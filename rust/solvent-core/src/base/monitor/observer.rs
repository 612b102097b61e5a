//! Who watches a run, what they are told and what they may answer.

/// What an observer wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// Go on.
    Continue,
    /// End well: the best iterate and its certificate come back with [`Status::Interrupted`](crate::base::status::Status::Interrupted).
    Stop,
    /// Abandon the work: [`Aborted`](crate::base::error::Aborted) is returned, the observer raises the reason it holds.
    Abort,
}

/// Who watches a run. It is called on the thread that called the solver only, but the solver may move to another
/// thread first.
pub trait Observer: Send {
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
    /// Which problem of a batch ([`solve_each`](super::solve_each)); `None` where there is one only.
    pub index: Option<usize>,
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
