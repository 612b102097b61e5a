//! The iteration: Anderson's extrapolation, its guard, and what it falls back on.

use super::anderson::Memory;
use crate::base::certificate::{Certificate, Kind};
use crate::base::error::Aborted;
use crate::base::monitor::{Budget, Method, Monitor, Observer, Progress};
use crate::base::outcome::Outcome;
use crate::base::status::Status;
use crate::base::sum::{norm2, sum};
use crate::base::view::Real;

/// A step is refused where the residual exceeds the best by this factor.
const GROWTH: f64 = 2.0;
/// Refusals in a row, and evaluations without a new best residual, after which extrapolation rests.
const REFUSALS: u32 = 3;
const PATIENCE: u64 = 50;
/// Halpern's anchor is renewed where the residual has fallen to this share.
const RENEW: f64 = 0.2;
/// Evaluations in which a nonexpansive map's residual shall fall to that share: by extrapolation, and by Halpern. Each
/// change of sides doubles them.
const TERM: (u64, u64) = (60, 300);
/// Evaluations without a new best residual after which the run ends, at least.
const STALL: u64 = 1000;
/// Values that are not finite, in a row, after which the map counts as broken.
const BROKEN: u32 = 5;

/// The caller's map.
pub trait Map: Sync {
    /// `T(x)`, as long as x; entries may be nan.
    fn call(&self, x: &[f64]) -> Result<Vec<f64>, Aborted>;
}

/// In what the residual is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Norm {
    /// Sum of magnitudes.
    One,
    /// Euclidean.
    Two,
    /// Largest magnitude.
    Infinity,
}

impl Norm {
    /// The norm, without overflow where the result has none.
    pub fn of(self, x: &[f64]) -> f64 {
        match self {
            Self::One => sum(&x.iter().map(|x| x.abs()).collect::<Vec<_>>()),
            Self::Two => norm2(x),
            Self::Infinity => x.iter().fold(0.0, |m: f64, x| if x.is_nan() { *x } else { m.max(x.abs()) }),
        }
    }
}

/// Which iteration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Route {
    /// Anderson with every guard.
    Auto,
    /// Anderson, sent back to the best point where it goes astray, and nothing else.
    Anderson,
    /// Halpern, restarted.
    Halpern,
}

/// What the caller says of the map, and chooses.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// Which iteration.
    pub route: Route,
    /// In what the residual is measured.
    pub norm: Norm,
    /// The map is nonexpansive: Halpern's iteration is a fallback with a rate.
    pub nonexpansive: bool,
    /// Its factor, if it is a contraction in that norm.
    pub contraction: Option<f64>,
    /// Differences that Anderson keeps.
    pub memory: usize,
    /// Whether the residual is divided by the one at the start.
    pub relative: bool,
    /// Whether the answer is rounded to single precision before it is judged.
    pub narrow: bool,
}

/// What a run gives.
#[derive(Debug, Clone)]
pub struct Solution {
    /// The best point.
    pub x: Vec<f64>,
    /// Its residual.
    pub residual: f64,
    /// Evaluations of the map.
    pub nfev: u64,
    /// By what the residual is divided in the bound.
    pub scale: f64,
    /// The end and the certificate.
    pub outcome: Outcome,
}

/// The certificate of a point with its image.
pub fn judge(x: &[f64], image: &[f64], scale: f64, options: Options) -> (f64, Certificate) {
    let residual = options.norm.of(&difference(image, x));
    let residual = if residual.is_nan() { f64::INFINITY } else { residual };
    let certificate = Certificate::new(Kind::FixedPointResidual, residual / scale)
        .estimate()
        .part("residual", residual)
        .part("scale", scale);
    let certificate = match options.contraction {
        Some(gamma) => certificate.part("distance", residual / (1.0 - gamma)),
        None => certificate,
    };
    (residual, if options.relative { certificate } else { certificate.absolute() })
}

fn difference(a: &[f64], b: &[f64]) -> Vec<f64> {
    a.iter().zip(b).map(|(a, b)| a - b).collect()
}

/// Iterates from `x0`. A unit of work is an evaluation after the first.
pub fn solve(
    map: &dyn Map,
    x0: Vec<f64>,
    options: Options,
    budget: Budget,
    observer: &mut dyn Observer,
) -> Result<Solution, Aborted> {
    let iteration = Iteration {
        map,
        options,
        mode: if options.route == Route::Halpern { Mode::Halpern } else { Mode::Anderson },
        memory: Memory::new(options.memory),
        best: Point { x: x0.clone(), image: x0.clone(), residual: f64::INFINITY },
        anchor: x0.clone(),
        level: f64::INFINITY,
        k: 0,
        x: x0,
        scale: 1.0,
        refusals: 0,
        term: 0,
        taken: f64::INFINITY,
        changes: 0,
        slow: false,
        since: 0,
        broken: 0,
        nfev: 0,
        over: None,
    };
    crate::base::monitor::solve(iteration, budget, observer)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    Anderson,
    Halpern,
    Picard,
}

struct Point {
    x: Vec<f64>,
    image: Vec<f64>,
    residual: f64,
}

struct Iteration<'a> {
    map: &'a dyn Map,
    options: Options,
    mode: Mode,
    memory: Memory,
    best: Point,
    /// Halpern's x₀, the residual there (or where Picard steps began), and the steps since.
    anchor: Vec<f64>,
    level: f64,
    k: u64,
    /// What is evaluated next.
    x: Vec<f64>,
    scale: f64,
    refusals: u32,
    /// Evaluations on this side, the best residual when it was taken, and how often sides were changed.
    term: u64,
    taken: f64,
    changes: u32,
    /// Whether extrapolation was given up for being slow: it is then not tried again while Halpern's steps do their share.
    slow: bool,
    /// Evaluations since the best.
    since: u64,
    broken: u32,
    nfev: u64,
    over: Option<Status>,
}

impl Iteration<'_> {
    /// Evaluates at `x` and decides what comes next; the bound where the point is one.
    fn evaluate(&mut self) -> Result<Option<f64>, Aborted> {
        let image = self.map.call(&self.x)?;
        self.nfev += 1;
        let r = difference(&image, &self.x);
        let residual = self.options.norm.of(&r);
        if !residual.is_finite() {
            self.recover();
            return Ok(None);
        }
        self.broken = 0;
        let x = std::mem::take(&mut self.x);
        self.since += 1;
        self.term += 1;
        if residual < self.best.residual {
            self.best = Point { x: x.clone(), image: image.clone(), residual };
            self.since = 0;
        }
        if self.best.residual <= RENEW * self.taken {
            (self.term, self.taken) = (0, self.best.residual);
        }
        self.x = match self.mode {
            Mode::Anderson => self.extrapolate(&x, &image, &r, residual),
            Mode::Halpern => self.anchored(x, &image, residual),
            Mode::Picard => {
                if residual <= RENEW * self.level && self.options.route == Route::Auto {
                    self.resume();
                }
                image
            }
        };
        if self.x.iter().any(|x| !x.is_finite()) {
            self.memory.clear();
            self.x = self.best.image.clone();
        }
        Ok(Some(residual / self.scale))
    }

    /// After a value that is not finite: towards the best point, closer each time.
    fn recover(&mut self) {
        self.broken += 1;
        self.memory.clear();
        if self.broken == BROKEN || self.best.residual == f64::INFINITY {
            self.over = Some(Status::Diverged);
            return;
        }
        let share = 0.5_f64.powi(self.broken as i32);
        let between = |(a, b): (&f64, &f64)| a + share * (b - a);
        self.x = self.best.x.iter().zip(&self.best.image).map(between).collect();
    }

    fn extrapolate(&mut self, x: &[f64], image: &[f64], r: &[f64], residual: f64) -> Vec<f64> {
        // A map that is only nonexpansive is Halpern's; a contraction deserves some more tries.
        let nonexpansive = self.options.nonexpansive && self.options.contraction.is_none();
        let refused = residual > GROWTH * self.best.residual;
        let slow =
            nonexpansive && self.options.route == Route::Auto && self.term >= TERM.0 << self.changes.min(20);
        if !refused && !slow && self.since < PATIENCE {
            if self.since == 0 {
                self.refusals = 0;
            }
            return self.memory.next(x, image, r);
        }
        self.memory.clear();
        self.refusals += 1;
        let rest = slow || self.since >= PATIENCE || self.refusals >= if nonexpansive { 1 } else { REFUSALS };
        if self.options.route == Route::Auto && rest {
            self.refusals = 0;
            self.level = self.best.residual;
            self.slow = slow;
            self.change();
            self.mode = if nonexpansive { Mode::Halpern } else { Mode::Picard };
            self.k = 0;
            self.anchor.clone_from(&self.best.x);
            if nonexpansive {
                let image = std::mem::take(&mut self.best.image);
                let next = self.mixed(&image);
                self.best.image = image;
                return next;
            }
        }
        self.best.image.clone()
    }

    fn anchored(&mut self, x: Vec<f64>, image: &[f64], residual: f64) -> Vec<f64> {
        if residual <= RENEW * self.level {
            self.level = residual;
            self.k = 0;
            self.anchor = x;
            if self.options.route == Route::Auto && !self.slow {
                self.resume();
                return image.to_vec();
            }
        } else if self.options.route == Route::Auto && self.term >= TERM.1 << self.changes.min(20) {
            self.resume();
            return self.best.image.clone();
        }
        self.mixed(image)
    }

    /// `(k+1)/(k+2) T(x) + x₀/(k+2)`.
    fn mixed(&mut self, image: &[f64]) -> Vec<f64> {
        let share = 1.0 / (self.k + 2) as f64;
        self.k += 1;
        image.iter().zip(&self.anchor).map(|(t, a)| (1.0 - share) * t + share * a).collect()
    }

    /// The other side's turn begins.
    fn change(&mut self) {
        self.changes += 1;
        (self.term, self.taken) = (0, self.best.residual);
    }

    /// Another try with extrapolation.
    fn resume(&mut self) {
        self.change();
        self.mode = Mode::Anderson;
        self.memory.clear();
        self.refusals = 0;
        self.since = 0;
    }

    /// What the arithmetic of `x - T(x)` itself leaves.
    fn floor(&self) -> f64 {
        let count = self.best.x.len() as f64;
        let spread = match self.options.norm {
            Norm::One => count,
            Norm::Two => count.sqrt(),
            Norm::Infinity => 1.0,
        };
        4.0 * <f64 as Real>::UNIT * spread * Norm::Infinity.of(&self.best.x)
    }
}

impl Method<1> for Iteration<'_> {
    type Solution = Solution;
    type Error = Aborted;
    const EXTRAS: [&'static str; 1] = ["residual"];

    fn init(&mut self, _: &mut Monitor<'_>) -> Result<Option<f64>, Aborted> {
        let size = self.options.norm.of(&self.x);
        let bound = self.evaluate()?;
        self.level = self.best.residual;
        if self.options.relative && bound.is_some() {
            let scale = self.best.residual.max(f64::EPSILON.sqrt() * size);
            self.scale = if scale > 0.0 { scale } else { 1.0 };
        }
        Ok(bound.map(|_| self.best.residual / self.scale))
    }

    fn step(&mut self, monitor: &mut Monitor<'_>) -> Result<Progress<1>, Aborted> {
        monitor.poll()?;
        if self.over.is_some() {
            return Ok(Progress { units: 0, bound: None, extras: [f64::NAN] });
        }
        let bound = self.evaluate()?;
        if self.since >= PATIENCE && self.best.residual <= self.floor() {
            self.over = Some(Status::RoundingFloor);
        } else if self.since >= STALL.max(self.nfev / 2) {
            self.over = Some(Status::Stalled);
        }
        Ok(Progress { units: 1, bound, extras: [bound.map_or(f64::NAN, |bound| bound * self.scale)] })
    }

    fn terminate(&mut self, _: &Monitor<'_>) -> Option<Status> {
        self.over
    }

    fn finish(mut self, status: Status, monitor: Monitor<'_>) -> Result<Solution, Aborted> {
        if self.options.narrow {
            self.best.x.iter_mut().for_each(|x| *x = f64::from(*x as f32));
            self.best.image = self.map.call(&self.best.x)?;
            self.nfev += 1;
        }
        let (residual, certificate) = if self.best.residual < f64::INFINITY {
            judge(&self.best.x, &self.best.image, self.scale, self.options)
        } else {
            let nothing = vec![f64::NAN; self.best.x.len()];
            judge(&self.best.x, &nothing, self.scale, self.options)
        };
        let outcome = Outcome::new(monitor.end(status), Some(certificate));
        let message = match outcome.status {
            Status::Diverged => Some(format!("T returned nan or inf {} times in a row; the best point is returned", self.broken)),
            Status::Stalled => Some(
                "no smaller residual in half of the evaluations; T may have no fixed point, or not be nonexpansive".to_owned(),
            ),
            _ => None,
        };
        let outcome = match message {
            Some(message) => outcome.with_message(message),
            None => outcome,
        };
        Ok(Solution { x: self.best.x, residual, nfev: self.nfev, scale: self.scale, outcome })
    }
}
