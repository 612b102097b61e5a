//! The door: which method, when to polish, when to give up, and what comes back.

use super::GameError;
use super::certify::{judge, seen};
use super::halpern::{CHECK, Halpern};
use super::ipm::{Ipm, Stepped};
use super::pair::Pair;
use super::polish::{Effort, FULL, QUICK, polish, target};
use super::problem::{Compressed, Dense, Form, Opaque, Payoff, Precision};
use crate::base::error::Aborted;
use crate::base::monitor::{Budget, Method, Monitor, Observer, Progress, drive};
use crate::base::outcome::Outcome;
use crate::base::status::Status;
use crate::monotone::binary::ldexp;

/// Games with more strategies than this for both players are too large to factorise.
const DENSE: usize = 4000;
/// Targets that Halpern's iterations reach as fast as a few factorisations do.
const LOOSE: f64 = 1e-5;
/// Interior point steps without a better gap.
const PATIENCE: u32 = 5;
/// Halpern blocks without a better gap, at least.
const PATIENT_BLOCKS: u64 = 50_000 / CHECK;
/// How often the primal weight is taken back before the iteration counts as stalled.
const RESETS: u32 = 3;
/// The polish is tried below this many max|M|, and with full effort below the second.
const EARLY: f64 = 1e-3;
const LATE: f64 = 1e-9;
/// Halpern's pairs are polished below this many max|M|, at each tenfold decrease.
const COARSE: f64 = 1e-3;
/// What is reported beside nit, bound and elapsed.
const EXTRAS: [&str; 1] = ["gap"];

/// What is played.
pub enum Game<'a> {
    /// Entries stored.
    Dense(Dense),
    /// The ones that are not zero stored.
    Sparse(Compressed),
    /// Products only.
    Operator(Opaque<'a>),
}

impl Game<'_> {
    /// The payoffs as the methods see them.
    pub fn payoff(&self) -> &dyn Payoff {
        match self {
            Self::Dense(game) => game,
            Self::Sparse(game) => game,
            Self::Operator(game) => game,
        }
    }
}

/// Which method.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Route {
    /// By size and target.
    Auto,
    /// Interior point steps.
    Ipm,
    /// Reflected Halpern iterations.
    Halpern,
}

/// What the caller may choose.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// Which method.
    pub route: Route,
    /// Whether to try for the vertex.
    pub polish: bool,
    /// Whether bounds are divided by max|M|.
    pub relative: bool,
    /// Whether early steps may use single precision.
    pub mixed: bool,
    /// Whether weights are rounded to single precision before they are judged.
    pub narrow: bool,
}

/// What a run gives, as the caller's players have it.
#[derive(Debug, Clone)]
pub struct Solution {
    /// The row player's weights.
    pub x: Vec<f64>,
    /// The column player's.
    pub y: Vec<f64>,
    /// What the row player pays.
    pub value: f64,
    /// `min M y` and `max Mᵀ x`.
    pub bracket: (f64, f64),
    /// Whether the pair is a vertex, its gap zero but for rounding.
    pub polished: bool,
    /// Best answers to the other's weights.
    pub best_response: (usize, usize),
    /// Products with M or its transpose.
    pub matvecs: u64,
    /// The method that ran.
    pub method: &'static str,
    /// The end and the certificate.
    pub outcome: Outcome,
}

/// Whether interior point steps are taken.
fn factorises(game: &Game<'_>, options: Options, tol: f64) -> bool {
    let (n, m) = game.payoff().shape();
    match (game, options.route) {
        (Game::Dense(_), Route::Ipm) => true,
        (Game::Dense(_), Route::Auto) => n.min(m) <= DENSE && tol < LOOSE,
        _ => false,
    }
}

/// Default number of units: interior point steps, or blocks of [`CHECK`] Halpern steps.
pub fn default_maxiter(game: &Game<'_>, options: Options, tol: f64) -> u64 {
    if factorises(game, options, tol) { 100 } else { 5000 }
}

/// Solves a game, from (x, y) where a start is given.
pub fn solve(
    game: &Game<'_>,
    start: Option<(&[f64], &[f64])>,
    options: Options,
    budget: Budget,
    observer: &mut dyn Observer,
) -> Result<Solution, GameError> {
    let monitor = Monitor::new(budget, observer, const { &EXTRAS });
    let payoff = game.payoff();
    let (n, m) = payoff.shape();
    if let Some((i, j)) = payoff.saddle() {
        let mut pair = Pair { x: vec![0.0; n], y: vec![0.0; m], gap: 0.0 };
        (pair.x[i], pair.y[j]) = (1.0, 1.0);
        let end = End { pair, polished: true, matvecs: 0, method: "saddle", message: None };
        return end.settle(payoff, options, Status::Converged, monitor);
    }
    let given = start.map(|(x, y)| if payoff.flipped() { Pair::fitted(y, x) } else { Pair::fitted(x, y) });
    match game {
        Game::Dense(dense) if factorises(game, options, budget.tol) => {
            interior(dense, given, options, monitor)
        }
        _ => averaged(payoff, given, options, monitor),
    }
}

/// What a method ends with, before it is judged.
struct End {
    pair: Pair,
    polished: bool,
    matvecs: u64,
    method: &'static str,
    message: Option<String>,
}

impl End {
    fn settle(
        self,
        game: &dyn Payoff,
        options: Options,
        status: Status,
        mut monitor: Monitor<'_>,
    ) -> Result<Solution, GameError> {
        let Pair { x, y, .. } = self.pair;
        let (mut x, mut y) = if game.flipped() { (y, x) } else { (x, y) };
        if options.narrow {
            // The caller gets single precision: that is what is judged.
            let round = |v: &mut Vec<f64>| v.iter_mut().for_each(|v| *v = f64::from(*v as f32));
            round(&mut x);
            round(&mut y);
        }
        let judged = judge(game, &x, &y, None, options.relative, &mut monitor)?;
        let outcome = Outcome::new(monitor.end(status), Some(judged.certificate));
        let outcome = match self.message {
            Some(message) if outcome.status == status => outcome.with_message(message),
            _ => outcome,
        };
        Ok(Solution {
            x,
            y,
            value: judged.value,
            bracket: (judged.lower, judged.upper),
            polished: self.polished,
            best_response: judged.best_response,
            matvecs: self.matvecs + judged.products,
            method: self.method,
            outcome,
        })
    }
}

/// How a gap is reported while iterating.
#[derive(Clone, Copy)]
struct Scale {
    /// max|M|, in the methods' unit.
    largest: f64,
    /// The largest magnitude that the methods see.
    magnitude: f64,
    unit: f64,
    relative: bool,
    exponent: i32,
}

impl Scale {
    fn of(game: &dyn Payoff, options: Options) -> Self {
        Self {
            largest: (game.largest().unwrap_or(1.0) / game.unit()).max(f64::MIN_POSITIVE),
            magnitude: game.magnitude(),
            unit: game.unit(),
            relative: options.relative,
            exponent: game.exponent(),
        }
    }

    /// Where entries are out of reach, the scale is what the certificate of the best pair will see. Returns the products
    /// that this took.
    fn update(
        &mut self,
        game: &dyn Payoff,
        products: (&[f64], &[f64]),
        monitor: &mut Monitor<'_>,
    ) -> Result<u64, Aborted> {
        if game.largest().is_some() {
            return Ok(0);
        }
        let (h, g) = products;
        let i = (1..h.len()).fold(0, |k, i| if h[i] < h[k] { i } else { k });
        let j = (1..g.len()).fold(0, |k, j| if g[j] > g[k] { j } else { k });
        self.largest = seen(game, i, j, monitor)?.max(f64::MIN_POSITIVE);
        self.magnitude = self.largest;
        Ok(2)
    }

    fn bound(self, gap: f64) -> f64 {
        let gap = gap.max(0.0);
        if self.relative { gap / self.largest } else { self.gap(gap) }
    }

    fn gap(self, gap: f64) -> f64 {
        ldexp(gap.max(0.0) * self.unit, self.exponent)
    }
}

// --- interior point -----------------------------------------------------------------------------------------------------

fn interior(
    game: &Dense,
    given: Option<Pair>,
    options: Options,
    mut monitor: Monitor<'_>,
) -> Result<Solution, GameError> {
    let (n, m) = game.shape();
    let mut method = Interior {
        game,
        options,
        scale: Scale::of(game, options),
        given,
        ipm: None,
        best: Pair::uniform(n, m),
        since: 0,
        polished: false,
        full_at: f64::INFINITY,
        over: None,
        extra: 0,
    };
    let status = drive(&mut method, &mut monitor)?;
    method.finish(status, monitor)
}

struct Interior<'a> {
    game: &'a Dense,
    options: Options,
    scale: Scale,
    given: Option<Pair>,
    ipm: Option<Ipm<'a>>,
    best: Pair,
    /// Steps since the best gap.
    since: u32,
    polished: bool,
    /// The gap at which the full polish has failed: the optimum is degenerate.
    full_at: f64,
    over: Option<Status>,
    /// Products outside the steps.
    extra: u64,
}

impl Interior<'_> {
    fn try_polish(
        &mut self,
        from: &Pair,
        products: (&[f64], &[f64]),
        effort: Effort,
        monitor: &mut Monitor<'_>,
    ) -> Result<(), Aborted> {
        self.polished = polish(self.game, from, products, effort, &mut self.best, monitor)?;
        if self.polished {
            self.over = Some(Status::Converged);
        }
        Ok(())
    }

    /// Strategies to begin with: all weights positive.
    fn start(&mut self, monitor: &mut Monitor<'_>) -> Result<(Vec<f64>, Vec<f64>), Aborted> {
        let (n, m) = self.game.shape();
        let Some(given) = self.given.take() else {
            let uniform = Pair::uniform(n, m);
            return Ok((uniform.x, uniform.y));
        };
        let (mut h, mut g) = (vec![0.0; n], vec![0.0; m]);
        self.game.rows().both(&given.x, &given.y, &mut h, &mut g, monitor)?;
        self.extra += 2;
        let given = Pair::new(given.x, given.y, &h, &g);
        if given.gap < self.best.gap {
            self.best = given.clone();
        }
        if self.options.polish {
            self.try_polish(&given, (&h, &g), QUICK, monitor)?;
        }
        // A tenth of the uniform weights keeps the start away from the boundary, where steps are short.
        let mix = |w: Vec<f64>| {
            let floor = 0.1 / w.len() as f64;
            w.into_iter().map(|w| 0.9 * w + floor).collect::<Vec<_>>()
        };
        Ok((mix(given.x), mix(given.y)))
    }
}

impl Method<1> for Interior<'_> {
    type Solution = Solution;
    type Error = GameError;
    const EXTRAS: [&'static str; 1] = EXTRAS;

    fn init(&mut self, monitor: &mut Monitor<'_>) -> Result<Option<f64>, GameError> {
        let (x, y) = self.start(monitor)?;
        if !self.polished {
            let ipm = Ipm::new(self.game, x, y, self.options.mixed, monitor)?;
            if ipm.gap() < self.best.gap {
                self.best = ipm.pair();
            }
            self.ipm = Some(ipm);
        }
        Ok(Some(self.scale.bound(self.best.gap)))
    }

    fn step(&mut self, monitor: &mut Monitor<'_>) -> Result<Progress<1>, GameError> {
        let bound = |own: &Self| Some(own.scale.bound(own.best.gap));
        let Some(mut ipm) = self.ipm.take() else {
            return Ok(Progress { units: 0, bound: bound(self), extras: [self.scale.gap(self.best.gap)] });
        };
        let stepped = ipm.step(monitor)?;
        self.since += 1;
        if ipm.gap() < self.best.gap {
            self.best = ipm.pair();
            self.since = 0;
        }
        let met =
            bound(self).is_some_and(|bound| monitor.budget().tol > 0.0 && bound <= monitor.budget().tol);
        let stuck = stepped == Stepped::Stuck || self.since >= PATIENCE;
        let level = self.best.gap / self.scale.magnitude;
        let effort = match level {
            _ if met || !self.options.polish || self.since > 0 && !stuck => None,
            level if (level <= LATE || stuck) && self.best.gap < 0.1 * self.full_at => {
                self.full_at = self.best.gap;
                Some(FULL)
            }
            level if level <= EARLY && self.full_at == f64::INFINITY => Some(QUICK),
            _ => None,
        };
        if let Some(effort) = effort {
            let (h, g) = ipm.products();
            self.try_polish(&ipm.pair(), (&h, &g), effort, monitor)?;
        }
        if stuck && self.over.is_none() {
            let floor = self.best.gap <= target(self.scale.magnitude);
            self.over = Some(if floor { Status::RoundingFloor } else { Status::Stalled });
        }
        self.ipm = Some(ipm);
        Ok(Progress { units: 1, bound: bound(self), extras: [self.scale.gap(self.best.gap)] })
    }

    fn terminate(&mut self, _: &Monitor<'_>) -> Option<Status> {
        self.over
    }

    fn finish(self, status: Status, monitor: Monitor<'_>) -> Result<Solution, GameError> {
        let message = match status {
            Status::Stalled => Some(
                "interior point steps no longer narrow the gap and no vertex was found: the optimum is degenerate; the \
                 bound is the best that was reached"
                    .to_owned(),
            ),
            _ => None,
        };
        let matvecs = self.extra + self.ipm.as_ref().map_or(0, |ipm| ipm.matvecs);
        let end = End { pair: self.best, polished: self.polished, matvecs, method: "ipm", message };
        end.settle(self.game, self.options, status, monitor)
    }
}

// --- Halpern ------------------------------------------------------------------------------------------------------------

fn averaged(
    game: &dyn Payoff,
    given: Option<Pair>,
    options: Options,
    mut monitor: Monitor<'_>,
) -> Result<Solution, GameError> {
    let (n, m) = game.shape();
    let start = given.unwrap_or_else(|| Pair::uniform(n, m));
    let mut method = Averaged {
        game,
        options,
        scale: Scale::of(game, options),
        best: start,
        halpern: None,
        blocks: 0,
        best_at: 0,
        resets: 0,
        level: f64::INFINITY,
        polished: false,
        over: None,
        extra: 0,
    };
    let status = drive(&mut method, &mut monitor)?;
    method.finish(status, monitor)
}

struct Averaged<'a> {
    game: &'a dyn Payoff,
    options: Options,
    scale: Scale,
    best: Pair,
    halpern: Option<Halpern<'a>>,
    blocks: u64,
    /// The block of the best gap.
    best_at: u64,
    resets: u32,
    /// The gap at the last polish.
    level: f64,
    polished: bool,
    over: Option<Status>,
    extra: u64,
}

impl Method<1> for Averaged<'_> {
    type Solution = Solution;
    type Error = GameError;
    const EXTRAS: [&'static str; 1] = EXTRAS;

    fn init(&mut self, monitor: &mut Monitor<'_>) -> Result<Option<f64>, GameError> {
        let (n, m) = self.game.shape();
        let (mut h, mut g) = (vec![0.0; n], vec![0.0; m]);
        self.game.product(Form::Plain, &self.best.y, Precision::Double, &mut h, monitor)?;
        self.game.product(Form::Transposed, &self.best.x, Precision::Double, &mut g, monitor)?;
        self.extra += 2;
        let start = std::mem::replace(&mut self.best, Pair::uniform(1, 1));
        self.best = Pair::new(start.x, start.y, &h, &g);
        self.extra += self.scale.update(self.game, (&h, &g), monitor)?;
        self.halpern = Some(Halpern::new(self.game, &self.best, self.options.mixed, monitor)?);
        Ok(Some(self.scale.bound(self.best.gap)))
    }

    fn step(&mut self, monitor: &mut Monitor<'_>) -> Result<Progress<1>, GameError> {
        let halpern = self.halpern.as_mut().expect("init has made it");
        let pair = halpern.block(monitor)?;
        self.blocks += 1;
        if pair.gap < self.best.gap {
            self.best = pair.clone();
            self.best_at = self.blocks;
            let products = (halpern.products.0.as_slice(), halpern.products.1.as_slice());
            self.extra += self.scale.update(self.game, products, monitor)?;
        } else if self.blocks - self.best_at > PATIENT_BLOCKS.max(self.blocks / 2) {
            if self.resets == RESETS {
                self.over = Some(Status::Stalled);
            } else {
                self.resets += 1;
                self.best_at = self.blocks;
                halpern.reset(&self.best);
            }
        }
        let coarse = COARSE * self.scale.magnitude;
        let due = pair.gap <= coarse && pair.gap <= 0.1 * self.level;
        let met = monitor.budget().tol > 0.0 && self.scale.bound(self.best.gap) <= monitor.budget().tol;
        if self.options.polish && due && !met {
            self.level = pair.gap;
            let (h, g) = &halpern.products;
            self.polished = polish(self.game, &pair, (h, g), QUICK, &mut self.best, monitor)?;
            if self.polished {
                self.over = Some(Status::Converged);
            }
        }
        Ok(Progress {
            units: 1,
            bound: Some(self.scale.bound(self.best.gap)),
            extras: [self.scale.gap(self.best.gap)],
        })
    }

    fn terminate(&mut self, _: &Monitor<'_>) -> Option<Status> {
        self.over
    }

    fn finish(self, status: Status, monitor: Monitor<'_>) -> Result<Solution, GameError> {
        let message = (status == Status::Stalled).then(|| {
            "no better gap in half of the iterations, nor after resets of the primal weight; the bound is the best that was \
             reached"
                .to_owned()
        });
        let matvecs = self.extra + self.halpern.as_ref().map_or(0, |halpern| halpern.matvecs);
        let end = End { pair: self.best, polished: self.polished, matvecs, method: "halpern", message };
        end.settle(self.game, self.options, status, monitor)
    }
}
