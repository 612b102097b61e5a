//! How a run of sweeps advances: whether it stands still, hardly moves, or is ready for steps of higher order.

use super::CompletionError;
use super::entry::Entry;
use super::factor::Factor;
use super::kernels::row::Tally;
use super::payload::singular;
use super::polish::Polish;
use super::solve::{Als, NOISE_WINDOW, PATIENCE};
use crate::base::certificate::Kind;
use crate::base::dense::Matrix;
use crate::base::monitor::Monitor;
use crate::base::status::Status;

/// A relative change that is none.
const STILL: f64 = 1e-12;
/// Relative residuals below which Gauss-Newton steps replace sweeps, where they still fall and where they no longer do.
const POLISH: f64 = 1e-3;
const POLISH_NOISE: f64 = 0.2;
/// Numbers in both factors beyond which they do not.
const POLISH_SIZE: usize = 2_000_000;
/// Sweeps after a Gauss-Newton step that brought nothing, until the next one.
const POLISH_PAUSE: u64 = 10;
/// Sweeps, and Gauss-Newton steps, over which a residual that was not even halved hardly advances.
const SLOW_WINDOW: usize = 40;
const SLOW_POLISH: usize = 8;
/// The same where it may be noise that holds it: a critical point would have been met by then.
pub(super) const TRAIL: usize = 100;
/// What the ridge is multiplied by after a sweep, at most and at least,
pub(super) const SLOW_DECAY: f64 = 0.7;
const FAST_DECAY: f64 = 0.4;
/// and how that changes from one sweep to the next.
const DECAY_CHANGE: f64 = 0.8;
/// A critical point with a smaller relative residual may be that of an exact problem.
const NEARLY_EXACT: f64 = 1e-3;

impl<T: Entry> Als<'_, T> {
    /// Whether the progress measure fell by less than `part` over so many sweeps.
    pub(super) fn is_flat(&self, window: usize, part: f64) -> bool {
        self.recent.len() > window && {
            let last = self.recent.len() - 1;
            self.recent[last] >= (1.0 - part) * self.recent[last - window]
        }
    }

    /// Whether the best of the later half of the window is no better than that of the earlier one.
    pub(super) fn is_still(&self) -> bool {
        let least = |part: &mut dyn Iterator<Item = &f64>| part.fold(f64::INFINITY, |m, &x| m.min(x));
        let half = self.recent.len() / 2;
        least(&mut self.recent.iter().skip(half)) >= (1.0 - STILL) * least(&mut self.recent.iter().take(half))
    }

    /// The next ridge, after a sweep.
    pub(super) fn lower_ridge(&mut self) {
        if self.target == 0.0 {
            let last = self.trail.len().checked_sub(2).map_or(1.0, |at| self.trail[at]);
            // A residual that falls as the ridge does is held by the ridge alone: an easy problem waits for nothing else.
            self.decay = if self.rel <= last * self.decay.powf(DECAY_CHANGE) {
                (DECAY_CHANGE * self.decay).max(FAST_DECAY)
            } else {
                (self.decay / DECAY_CHANGE).min(SLOW_DECAY)
            };
        }
        let noisy = self.rel > 1e-3 && self.is_flat(NOISE_WINDOW, 0.01);
        let follow = if noisy { 0.0 } else { self.ridge.min(1e-3 * self.sigma * self.rel * self.rel) };
        self.ridge = (self.decay * self.ridge).max(follow).max(self.floor());
    }

    /// Whether the residual hardly advances although it is no noise that holds it, or has not for so long that it should
    /// have met a critical point.
    pub(super) fn is_slow(&self) -> bool {
        // Gauss-Newton steps on an exact problem that do not even halve it are worth less patience.
        let window = if self.polishing { SLOW_POLISH } else { SLOW_WINDOW };
        let count = self.trail.len();
        let advances = |window: usize| count <= window || self.rel <= 0.5 * self.trail[count - 1 - window];
        let noise = self.rel >= NEARLY_EXACT && self.is_flat(NOISE_WINDOW, 0.01);
        !advances(TRAIL) && self.may_polish() || !noise && !advances(window)
    }

    /// Whether steps of higher order are worth their price: single precision ends long before the last digits.
    fn may_polish(&self) -> bool {
        let (m, n) = self.problem.shape();
        T::UNIT < 1e-10 && self.k * (m + n) <= POLISH_SIZE
    }

    /// Whether a run that ended like this may be an exact problem that another iteration solves.
    pub fn leaves_open(&self, status: Status) -> bool {
        match status {
            Status::Stalled => self.is_slow() || self.rel < NEARLY_EXACT,
            Status::Converged => {
                let kind = self.ending.judged.as_ref().map(|(_, certificate)| certificate.kind);
                kind == Some(Kind::Stationarity) && self.rel < NEARLY_EXACT
            }
            _ => false,
        }
    }

    /// Whether it ended for good.
    pub fn is_settled(&self, status: Status) -> bool {
        status == Status::Converged || !self.is_slow()
    }

    /// The relative residual.
    pub fn rel(&self) -> f64 {
        self.rel
    }

    /// A Gauss-Newton step in place of a sweep, where one is due and brings something.
    pub(super) fn polished(&mut self, monitor: &mut Monitor<'_>) -> Result<Option<Tally>, CompletionError> {
        let problem = self.problem;
        let settled = self.ridge <= self.floor() * (1.0 + 1e-12);
        let (near, stays) = if self.target > 0.0 {
            (settled && self.decrease.abs() < POLISH, true)
        } else {
            // Where much is left unexplained, a critical point is near only after a while.
            let flat = if self.rel < POLISH_NOISE { (NOISE_WINDOW, 0.01) } else { (PATIENCE, 0.001) };
            let noise = self.is_flat(flat.0, flat.1);
            (self.rel < POLISH || noise, self.rel >= POLISH)
        };
        let due = near && self.sweeps >= self.polish_from && problem.penalty.is_smooth();
        if !due || !self.may_polish() || self.tol == 0.0 {
            return Ok(None);
        }
        if self.polish.is_none() {
            self.polish = Some(Polish::new(problem)?);
        }
        let Some(polish) = &self.polish else { return Ok(None) };
        let at = if self.target > 0.0 {
            let wide = |x: &Factor<T>| Factor::from_fn(x.rows(), self.k, |i, l| x.row(i)[l].to_f64());
            (wide(&self.u), wide(&self.v))
        } else {
            let (left, s, right) = singular(&self.u, &self.v, self.k)?;
            let side = |x: &Matrix<f64>| {
                Factor::from_fn(x.rows(), self.k, |i, l| x.get(i, l) * s[l].max(0.0).sqrt())
            };
            (side(&left), side(&right))
        };
        let found = polish.step(&at, (self.rel, self.tol, stays), monitor)?;
        let Some((u, v)) = found.factors else {
            self.polish_from = self.sweeps + POLISH_PAUSE;
            return Ok(None);
        };
        let narrow = |x: &Factor<f64>| Factor::from_fn(x.rows(), self.k, |i, l| T::from_f64(x.row(i)[l]));
        (self.u, self.v) = (narrow(&u), narrow(&v));
        let penalty = if self.ridge > 0.0 { found.penalty / self.ridge } else { 0.0 };
        let tally = Tally { loss: found.loss, squares: found.squares, penalty, ..Tally::NONE };
        Ok(Some(Tally { steps: found.steps as u64, rows: 1, ..tally }))
    }
}
