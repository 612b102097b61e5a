//! Which method runs, and when `auto` takes another.

use super::options::{Method, Options, Problem};
use crate::monotone::halpern::{Reflected, Resolvent};
use crate::monotone::operator::{Constants, Kind};
use crate::monotone::scheme::Scheme;
use crate::monotone::variance::{Extragradient, LSvrg, Ogda, Page, ReducedExtragradient};

/// From this many components on, `auto` reduces variance.
const MANY: usize = 256;
/// Factors at which anchored methods restart by themselves.
const STOCHASTIC: f64 = 0.3;
const DETERMINISTIC: f64 = 0.2;

/// The scheme of a method (not of `Auto`).
pub(super) fn scheme(method: Method, problem: Problem<'_>, options: &Options) -> Box<dyn Scheme> {
    let many = problem.operator.components() > 1;
    let monotone = problem.kind == Kind::Monotone;
    match method {
        Method::Auto => unreachable!("auto is settled before"),
        Method::Halpern if monotone => {
            Box::new(Resolvent::new(options.restart.factor(DETERMINISTIC), None, true))
        }
        Method::Halpern => Box::new(Reflected::new(options.restart.factor(DETERMINISTIC))),
        Method::VrHalpern if monotone => {
            Box::new(Resolvent::new(options.restart.factor(STOCHASTIC), options.batch, false))
        }
        Method::VrHalpern => {
            Box::new(Page::new(options.restart.factor(STOCHASTIC), options.batch, options.paper, options.c))
        }
        Method::LSvrg => Box::new(LSvrg::new(options.batch)),
        Method::Extragradient if many => Box::new(ReducedExtragradient::new(options.batch)),
        Method::Extragradient => Box::new(Extragradient::default()),
        Method::Ogda => Box::new(Ogda::default()),
    }
}

/// What `auto` does next.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Stage {
    /// The method stays.
    Settled,
    /// Cocoercive: deterministic steps first; after some passes they stay if they do well, and are watched.
    Trial,
    /// Stays as long as the residual halves every so often; `mark` is the last one that did, `since` when.
    Watched { mark: f64, since: f64, next: Method },
    /// Only monotone: each of [`TURNS`] in turn, for as long as the residual halves every `window`
    /// passes; the windows double with every round.
    Turns { mark: f64, since: f64, window: f64, at: usize },
    /// Only monotone, G = 0: the first of [`TURNS`], and where that is slow Halpern beside it. `rate` is what the first
    /// gained a pass, once it has been measured, `from` the residual where the present measurement began.
    Race { rate: Option<f64>, from: Option<f64>, since: f64, round: f64 },
}

/// The methods for operators that are only monotone. On sets each may turn for long at a face where another does not.
const TURNS: [Method; 3] = [Method::Ogda, Method::Extragradient, Method::Halpern];
/// Passes of the first round.
const WINDOW: f64 = 3000.0;

/// Without sets both methods are linear where the problem is sharp, with condition number κ: optimistic steps in O(κ²)
/// passes a digit, restarted Halpern in O(κ). The first begins, and goes on alone if it gains a digit in QUICK passes; else
/// Halpern follows, and whoever gained more a pass goes on: the first until it is asked again, in rounds of four times the
/// length, for its early digits are the easy ones. Passes before the first round, of its measurement, and of the other's
/// trial, whose rate shows after a restart or two.
const RACE: (f64, f64, f64) = (150.0, 300.0, 600.0);
const LONGER: f64 = 4.0;
const QUICK: f64 = 200.0;
/// Where `Halpern` stands in [`TURNS`].
const ANCHORED: usize = 2;

/// Passes of the trial, and the drop of the residual it is judged by.
const TRIAL: (f64, f64) = (8.0, 0.1);
/// Passes in which the residual has to halve; and those of inexact Halpern, which may drift a while.
const HALVING: f64 = 20.0;
const DRIFT: f64 = 40.0;

/// The first method of `auto`, and what to watch.
///
/// For a monotone F the variance-reduced method costs `n + √n L_avg/ε` evaluations and a deterministic one `n L/ε`, each
/// up to its constant: with `L_avg` not well below `√n L` there is nothing to gain.
pub(super) fn first(problem: Problem<'_>, constants: Constants) -> (Method, Stage) {
    let n = problem.operator.components();
    match problem.kind {
        Kind::Gradient | Kind::Cocoercive if n < 2 => (Method::Halpern, Stage::Settled),
        Kind::Gradient if n >= MANY => (Method::LSvrg, Stage::Settled),
        Kind::Gradient => (Method::Halpern, Stage::Settled),
        Kind::Cocoercive => (Method::Halpern, Stage::Trial),
        Kind::Monotone if n >= MANY && constants.average < 0.5 * (n as f64).sqrt() * constants.full => {
            // On sets, Halpern may drift along a face where extragradient walks.
            let watched = Stage::Watched { mark: f64::INFINITY, since: 0.0, next: Method::Extragradient };
            (Method::VrHalpern, watched)
        }
        Kind::Monotone if problem.prox.is_none() => {
            (Method::Ogda, Stage::Race { rate: None, from: None, since: 0.0, round: 1.0 })
        }
        Kind::Monotone => (Method::Ogda, Stage::turns(0, f64::INFINITY, 0.0)),
    }
}

impl Stage {
    /// From the method `at` on.
    fn turns(at: usize, mark: f64, since: f64) -> Self {
        Self::Turns { mark, since, window: WINDOW, at }
    }

    /// Whether patience goes on over a change of methods.
    pub(super) fn takes_turns(self) -> bool {
        matches!(self, Self::Turns { .. } | Self::Race { .. })
    }

    /// Judges the run after so many passes; returns the method to go on with if it is another. `guarded`: the guard has
    /// just fired.
    pub(super) fn review(&mut self, passes: f64, start: f64, best: f64, guarded: bool) -> Option<Method> {
        match *self {
            Self::Settled => None,
            Self::Race { from: None, .. } => {
                if passes >= RACE.0 {
                    *self = Self::Race { rate: None, from: Some(best), since: passes, round: 1.0 };
                }
                None
            }
            Self::Race { rate: None, from: Some(from), since, round } if passes - since >= RACE.1 * round => {
                let rate = (from / best).ln() / (passes - since);
                let quick = rate >= std::f64::consts::LN_10 / QUICK;
                let rate = (!quick).then_some(rate);
                *self = Self::Race { rate, from: Some(best), since: passes, round };
                rate.map(|_| TURNS[ANCHORED])
            }
            Self::Race { rate: Some(rate), from: Some(from), since, round }
                if passes - since >= RACE.2 * round =>
            {
                if (from / best).ln() / (passes - since) > rate {
                    *self = Self::turns(ANCHORED, best, passes);
                    return None;
                }
                *self = Self::Race { rate: None, from: Some(best), since: passes, round: LONGER * round };
                Some(TURNS[0])
            }
            Self::Race { .. } => None,
            Self::Turns { mark, window, at, .. } if best <= 0.5 * mark => {
                *self = Self::Turns { mark: best, since: passes, window, at };
                None
            }
            Self::Turns { since, window, .. } if passes - since <= window => None,
            Self::Turns { window, at, .. } => {
                let at = (at + 1) % TURNS.len();
                let window = if at == 0 { 2.0 * window } else { window };
                *self = Self::Turns { mark: best, since: passes, window, at };
                Some(TURNS[at])
            }
            Self::Trial if passes < TRIAL.0 => None,
            Self::Trial if best <= TRIAL.1 * start => {
                *self = Self::Watched { mark: best, since: passes, next: Method::LSvrg };
                None
            }
            Self::Trial => {
                *self = Self::Watched { mark: best, since: passes, next: Method::VrHalpern };
                Some(Method::LSvrg)
            }
            Self::Watched { mark, next, .. } if best <= 0.5 * mark && !guarded => {
                *self = Self::Watched { mark: best, since: passes, next };
                None
            }
            Self::Watched { since, next, .. } => {
                let window = if next == Method::Extragradient { DRIFT } else { HALVING };
                if passes - since <= window && !guarded {
                    return None;
                }
                *self = match next {
                    Method::LSvrg => Self::Watched { mark: best, since: passes, next: Method::VrHalpern },
                    Method::Extragradient => Self::turns(1, best, passes),
                    _ => Self::Settled,
                };
                Some(next)
            }
        }
    }
}
