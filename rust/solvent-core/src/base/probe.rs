//! The smallest solver: it stands on every noun of the vocabulary and needs no data, so the house's promises
//! (cancellation, best iterate on a stop, equal bits for any thread count, forks) are tested through it.
//!
//! It estimates pi as four times the share of random points of the unit square that lie in the quarter disc.
//! By Hoeffding's inequality the estimate after `N` points is off by more than `4 sqrt(ln(2/δ) / 2N)` with
//! probability at most `δ`; `N` is fixed by the target beforehand, so the statement holds at the stop too.

use super::certificate::{Certificate, Kind};
use super::error::Aborted;
use super::monitor::{Budget, Method, Monitor, Observer, Progress};
use super::outcome::Outcome;
use super::rng::Philox;
use super::status::Status;

/// Points a block; a block is about 0.2 ms of work.
const POINTS: u64 = 1 << 14;
/// Blocks a unit of work.
const BLOCKS: usize = 16;
/// Probability that the bound fails.
const FAILURE: f64 = 1e-9;

/// Estimates pi until its error bar is below `budget.tol`; a unit of work is 2^18 points.
pub fn pi(seed: u64, budget: Budget, observer: &mut dyn Observer) -> Result<(f64, Outcome), Aborted> {
    super::monitor::solve(Darts { seed, hits: 0, units: 0 }, budget, observer)
}

struct Darts {
    seed: u64,
    hits: u64,
    units: u32,
}

impl Darts {
    fn thrown(&self) -> f64 {
        f64::from(self.units) * BLOCKS as f64 * POINTS as f64
    }

    fn estimate(&self) -> f64 {
        if self.units == 0 { f64::NAN } else { 4.0 * self.hits as f64 / self.thrown() }
    }

    /// Any estimate of a number in [0, 4] is off by 4 at most.
    fn error_bar(&self) -> f64 {
        if self.units == 0 { 4.0 } else { 4.0 * ((2.0 / FAILURE).ln() / (2.0 * self.thrown())).sqrt() }
    }
}

impl Method<1> for Darts {
    type Solution = (f64, Outcome);
    type Error = Aborted;
    const EXTRAS: [&'static str; 1] = ["estimate"];

    fn init(&mut self, _: &mut Monitor<'_>) -> Result<Option<f64>, Aborted> {
        Ok(None)
    }

    fn step(&mut self, monitor: &mut Monitor<'_>) -> Result<Progress<1>, Aborted> {
        let (seed, first) = (self.seed, self.units * BLOCKS as u32);
        let hits = monitor.map_blocks(BLOCKS, 1, |block| {
            let mut rng = Philox::new(seed, 0, first + block.start as u32);
            (0..POINTS).filter(|_| rng.uniform().powi(2) + rng.uniform().powi(2) < 1.0).count() as u64
        })?;
        self.hits += hits.iter().sum::<u64>();
        self.units += 1;
        Ok(Progress { units: 1, bound: Some(self.error_bar()), extras: [self.estimate()] })
    }

    fn finish(self, status: Status, monitor: Monitor<'_>) -> Result<Self::Solution, Aborted> {
        let certificate = Certificate::new(Kind::ErrorBars, self.error_bar())
            .absolute()
            .failing_with(FAILURE)
            .part("points", if self.units == 0 { 0.0 } else { self.thrown() });
        Ok((self.estimate(), Outcome::new(monitor.end(status), Some(certificate))))
    }
}

#[cfg(test)]
mod tests {
    use super::super::monitor::Silent;
    use super::super::pool;
    use super::*;

    #[test]
    fn the_error_bar_holds_the_truth_on_any_number_of_threads() {
        let on = |workers| pool::run(Some(workers), || pi(7, Budget::new(1e-2, 100), &mut Silent).unwrap());
        let (estimate, outcome) = on(1);
        let bound = outcome.certificate.as_ref().unwrap().bound;
        assert!(outcome.status == Status::Converged && bound <= 1e-2);
        assert!((estimate - std::f64::consts::PI).abs() <= bound);
        assert!([2, 5].iter().all(|&workers| on(workers).0.to_bits() == estimate.to_bits()));
    }
}
