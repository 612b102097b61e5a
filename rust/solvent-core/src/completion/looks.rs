//! Looks at the duality gap in a run of sweeps: when they are made, what they cost, and when they end it.
//!
//! A look is a glance, which proves at a fraction of a certificate's price that the gap is still open; a certificate follows
//! where it may have closed. Both wait for sweeps that cost several times as much, counted in multiplications and not in
//! time, so that a run is the same everywhere.

use super::CompletionError;
use super::certify::residual::Residuals;
use super::entry::Entry;
use super::growth::refit;
use super::kernels::row::Inner;
use super::options::Certify;
use super::payload::Payload;
use super::solve::{Als, NOISE_WINDOW};
use crate::base::monitor::Monitor;
use crate::base::status::Status;

/// Looks in a row without progress that end a run,
const STUCK: usize = 12;
/// and where the dual's norm stays above lam at the largest rank: nothing is left to try.
const HOPELESS: usize = 5;
/// Sweeps between two looks at the gap.
const BETWEEN: u64 = 10;
/// All work so far is so many times that of the glances before another one.
const GLANCES: f64 = 10.0;
/// The work since a certificate that was not enough: as much as its own at first, twice that each time, up to this.
const CERTIFICATES: f64 = 10.0;
/// A certificate, in glances.
const CERTIFICATE: f64 = 4.0;
/// Work on entries in double precision, gathered from memory, next to that on panels in cache.
const GATHERED: f64 = 2.0;
/// What an entry costs a sweep beside its multiplications: gathering, and its share of the rows' own work.
const ENTRY: f64 = 64.0;

/// What looks have to wait for.
#[derive(Debug, Clone, Copy)]
pub struct Looks {
    /// Work of the glances so far.
    glances: f64,
    /// The work of the run after which there may be a certificate,
    certificate: f64,
    /// and how many times its own work the next one waits.
    patience: f64,
}

impl Default for Looks {
    fn default() -> Self {
        Self { glances: 0.0, certificate: 0.0, patience: 1.0 }
    }
}

impl<T: Entry> Als<'_, T> {
    /// Whether a duality gap judges the answer.
    pub(super) fn closes_gap(&self) -> bool {
        self.target > 0.0 && !self.problem.penalty.nonneg
    }

    /// Whether it is time for a look, or a certified evaluation where there is no gap.
    pub(super) fn is_due(&self, decrease: f64) -> bool {
        if self.options.certify == Certify::None || self.tol == 0.0 {
            return false;
        }
        let penalty = &self.problem.penalty;
        if penalty.lam == 0.0 && !penalty.nonneg {
            let wait = if self.polishing { 1 } else { NOISE_WINDOW as u64 };
            let settled = self.is_flat(NOISE_WINDOW, 0.01) && self.sweeps >= self.looked + wait;
            return self.rel <= 0.999 * self.tol || settled;
        }
        let settled = self.ridge <= self.floor() * (1.0 + 1e-12);
        let waited = self.sweeps - self.looked;
        let patience = if self.polishing { 2 } else { BETWEEN };
        let worth = self.work >= GLANCES * self.looks.glances;
        settled && worth && (waited >= patience && decrease < self.tol.max(1e-13) || waited >= 4 * BETWEEN)
    }

    /// Multiplications of a sweep, or of a step on both factors.
    pub(super) fn work_of(&self, polished: bool, (steps, rows): (u64, u64)) -> f64 {
        let (m, n) = self.problem.shape();
        let (entries, width) = (self.problem.rows.nnz() as f64, self.u.width() as f64);
        if polished {
            return entries * width * (8.0 * steps as f64 + 2.0 * width) * GATHERED;
        }
        if self.inner() == Inner::Cholesky {
            let row = width * width * width / 6.0 + ENTRY * width;
            return entries * (width * (width + 3.0) + ENTRY) + (m + n) as f64 * row;
        }
        entries * (width * (4.0 + 4.0 * steps as f64 / rows.max(1) as f64) + ENTRY)
    }

    /// Looks at the gap; the certified bound, where one was made. Looks that bring nothing, steps in between included, end
    /// the run.
    pub(super) fn look(&mut self, monitor: &mut Monitor<'_>) -> Result<Option<f64>, CompletionError> {
        let payload = self.payload()?;
        let (residuals, glance) = self.ending.glance(&payload, monitor)?;
        let cost = GATHERED * glance.work;
        self.looks.glances += cost;
        let (mut found, mut bound) = (glance.gap, None);
        if found <= self.tol {
            if self.work < self.looks.certificate {
                return Ok(None);
            }
            found = self.ending.judge_with(&payload, &residuals, monitor)?;
            bound = Some(found);
            if found <= self.tol {
                return Ok(bound);
            }
            let looks = &mut self.looks;
            looks.certificate = self.work + looks.patience * CERTIFICATE * cost;
            looks.patience = (2.0 * looks.patience).min(CERTIFICATES);
        }
        if found > 0.9 * self.least {
            self.stuck += 1;
        } else {
            // The mark moves with real progress alone: many small steps count together.
            (self.stuck, self.least) = (0, found);
        }
        let full = payload.rank() >= self.most() && glance.ratio > 1.0 + self.tol;
        if self.stuck >= if full { HOPELESS } else { STUCK } {
            self.ending.status = Some(Status::Stalled);
        } else {
            self.refit(&payload, &residuals, monitor)?;
        }
        Ok(bound)
    }

    /// The largest rank that is allowed.
    fn most(&self) -> usize {
        let (m, n) = self.problem.shape();
        self.options.grow.unwrap_or(self.options.rank).min(m).min(n)
    }

    /// Resizes the directions and brings in those that the gap misses.
    fn refit(
        &mut self,
        payload: &Payload<T>,
        residuals: &Residuals,
        monitor: &mut Monitor<'_>,
    ) -> Result<(), CompletionError> {
        let how = (self.constant, self.stuck);
        if let Some((u, v)) = refit(self.problem, (payload, residuals), self.most(), how, monitor)? {
            self.k = u.width() - usize::from(self.bias());
            (self.u, self.v) = (u, v);
            self.ahead = self.v.clone();
            (self.measure, self.decrease) = (f64::INFINITY, f64::INFINITY);
            self.recent.clear();
        }
        Ok(())
    }
}
