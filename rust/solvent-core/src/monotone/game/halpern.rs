//! Reflected Halpern iterations of the primal-dual hybrid gradient map, restarted: two products a step and nothing else.
//!
//! With step η < 1/‖M‖ and weight ω, from (x, y) and the anchor (x₀, y₀), k steps after the last restart, w = k/(k+1):
//!
//! ```text
//! x⁺ = P(x - (η/ω) M y),   xʳ = 2x⁺ - x        y⁺ = P(y + η ω Mᵀ xʳ),   yʳ = 2y⁺ - y
//! x <- w xʳ + (1 - w) x₀,  y <- w yʳ + (1 - w) y₀
//! ```
//!
//! The map is firmly nonexpansive in the norm `ω‖dx‖² + ‖dy‖²/ω - 2η dxᵀ M dy`, so its reflection is nonexpansive and
//! Halpern's anchoring makes the residual of the *last* iterate fall like 1/k (Lieder, Optim. Lett. 15 (2021) 405);
//! restarts make that linear (Lu & Yang, arXiv 2407.16144, whose tests these are). What is returned is (x⁺, y⁺), never
//! the anchored average.

use super::pair::{Pair, spread};
use super::problem::{Form, Payoff, Precision};
use super::simplex::project;
use crate::base::error::Aborted;
use crate::base::monitor::Monitor;
use crate::base::rng::Philox;
use crate::base::sum::norm2;

/// Steps between two looks at the gap.
pub const CHECK: u64 = 32;
/// Steps of the power method; the norm they give, an estimate from below, is raised by the factor.
const POWER: usize = 40;
const SAFETY: f64 = 1.01;
/// Restart where the residual has fallen to the first share of what it was, or to the second and no longer falls, or
/// where this share of all steps has passed.
const SUFFICIENT: f64 = 0.2;
const NECESSARY: f64 = 0.5;
const LONG: f64 = 0.36;
/// Gains of the weight's controller, and the range it is held in.
const PROPORTIONAL: f64 = 0.5;
const INTEGRAL: f64 = 0.01;
const FORGET: f64 = 0.3;
const RANGE: (f64, f64) = (1e-2, 1e2);
/// Gaps above this many max|M| are pursued with entries in single precision.
const SINGLE: f64 = 1e-5;

/// The iterate.
pub struct Halpern<'a> {
    game: &'a dyn Payoff,
    eta: f64,
    omega: f64,
    integral: f64,
    x: Vec<f64>,
    y: Vec<f64>,
    anchor: (Vec<f64>, Vec<f64>),
    /// (x⁺, y⁺).
    next: (Vec<f64>, Vec<f64>),
    /// Scratch of n and m.
    by_rows: Vec<f64>,
    by_columns: Vec<f64>,
    active: Vec<f64>,
    /// Steps since the restart, and in all.
    k: u64,
    total: u64,
    /// Residual at the first step since the restart, and at the last check.
    first: f64,
    last: f64,
    precision: Precision,
    /// `M y⁺` and `Mᵀ x⁺` at the last check.
    pub products: (Vec<f64>, Vec<f64>),
    /// Products so far.
    pub matvecs: u64,
    /// Restarts so far.
    pub restarts: u64,
}

/// `‖M‖₂`, from below, by the power method from a fixed start: what single precision takes from it is far within
/// [`SAFETY`].
fn norm(game: &dyn Payoff, precision: Precision, monitor: &mut Monitor<'_>) -> Result<f64, Aborted> {
    let (n, m) = game.shape();
    let mut rng = Philox::new(0, 0x67616d65, 0);
    let mut v: Vec<f64> = (0..m).map(|_| rng.normal()).collect();
    let mut w = vec![0.0; n];
    let mut square = 0.0;
    for _ in 0..POWER {
        let size = norm2(&v);
        if size == 0.0 || !size.is_finite() {
            break;
        }
        v.iter_mut().for_each(|v| *v /= size);
        game.product(Form::Plain, &v, precision, &mut w, monitor)?;
        game.product(Form::Transposed, &w, precision, &mut v, monitor)?;
        square = norm2(&v);
    }
    Ok(square.sqrt())
}

impl<'a> Halpern<'a> {
    /// Starts at a pair of strategies.
    pub fn new(
        game: &'a dyn Payoff,
        start: &Pair,
        mixed: bool,
        monitor: &mut Monitor<'_>,
    ) -> Result<Self, Aborted> {
        let (n, m) = game.shape();
        let precision = if mixed { Precision::Single } else { Precision::Double };
        let norm = norm(game, precision, monitor)?;
        let eta = if norm > 0.0 { 1.0 / (SAFETY * norm) } else { 1.0 };
        Ok(Self {
            game,
            eta,
            omega: 1.0,
            integral: 0.0,
            x: start.x.clone(),
            y: start.y.clone(),
            anchor: (start.x.clone(), start.y.clone()),
            next: (start.x.clone(), start.y.clone()),
            by_rows: vec![0.0; n],
            by_columns: vec![0.0; m],
            active: Vec::with_capacity(n.max(m)),
            k: 0,
            total: 0,
            first: f64::INFINITY,
            last: f64::INFINITY,
            precision,
            products: (vec![0.0; n], vec![0.0; m]),
            matvecs: 2 * POWER as u64,
            restarts: 0,
        })
    }

    /// [`CHECK`] steps and the gap of what they lead to; a restart where it is due.
    pub fn block(&mut self, monitor: &mut Monitor<'_>) -> Result<Pair, Aborted> {
        let mut residual = self.first;
        for i in 0..CHECK {
            self.step(monitor)?;
            if self.k == 1 {
                self.first = self.residual(monitor)?;
            }
            if i + 1 == CHECK {
                residual = self.residual(monitor)?;
            } else {
                self.average();
            }
        }
        let (xp, yp) = &self.next;
        let (h, g) = &mut self.products;
        self.game.both((xp, yp), (&mut *h, &mut *g), monitor)?;
        self.matvecs += 2;
        let pair = Pair { x: xp.clone(), y: yp.clone(), gap: spread(h, g) };
        if pair.gap < SINGLE * self.game.magnitude() {
            self.precision = Precision::Double;
        }
        let due = self.total <= CHECK
            || residual <= SUFFICIENT * self.first
            || (residual <= NECESSARY * self.first && residual > self.last)
            || self.k as f64 >= LONG * self.total as f64;
        if due {
            self.restart();
        } else {
            self.last = residual;
            self.average();
        }
        Ok(pair)
    }

    /// Takes the weight back to 1 and begins anew from a pair.
    pub fn reset(&mut self, from: &Pair) {
        (self.omega, self.integral) = (1.0, 0.0);
        self.next = (from.x.clone(), from.y.clone());
        self.begin();
    }

    fn step(&mut self, monitor: &mut Monitor<'_>) -> Result<(), Aborted> {
        let (xp, yp) = (&mut self.next.0, &mut self.next.1);
        self.game.product(Form::Plain, &self.y, self.precision, &mut self.by_rows, monitor)?;
        let tau = self.eta / self.omega;
        for ((xp, x), h) in xp.iter_mut().zip(&self.x).zip(&self.by_rows) {
            *xp = x - tau * h;
        }
        project(xp, &mut self.active);
        for ((reflected, xp), x) in self.by_rows.iter_mut().zip(&*xp).zip(&self.x) {
            *reflected = 2.0 * xp - x;
        }
        self.game.product(Form::Transposed, &self.by_rows, self.precision, &mut self.by_columns, monitor)?;
        let sigma = self.eta * self.omega;
        for ((yp, y), g) in yp.iter_mut().zip(&self.y).zip(&self.by_columns) {
            *yp = y + sigma * g;
        }
        project(yp, &mut self.active);
        self.matvecs += 2;
        self.k += 1;
        self.total += 1;
        Ok(())
    }

    /// Reflects, and anchors.
    fn average(&mut self) {
        let w = self.k as f64 / (self.k + 1) as f64;
        let mix = |at: &mut [f64], next: &[f64], anchor: &[f64]| {
            for ((at, next), anchor) in at.iter_mut().zip(next).zip(anchor) {
                *at = w * (2.0 * next - *at) + (1.0 - w) * anchor;
            }
        };
        mix(&mut self.x, &self.next.0, &self.anchor.0);
        mix(&mut self.y, &self.next.1, &self.anchor.1);
    }

    /// The residual of the last step in the map's own norm.
    fn residual(&mut self, monitor: &mut Monitor<'_>) -> Result<f64, Aborted> {
        let minus = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a - b).collect::<Vec<f64>>();
        let (dx, dy) = (minus(&self.next.0, &self.x), minus(&self.next.1, &self.y));
        self.game.product(Form::Plain, &dy, self.precision, &mut self.by_rows, monitor)?;
        self.matvecs += 1;
        let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
        let square = self.omega * dot(&dx, &dx) + dot(&dy, &dy) / self.omega
            - 2.0 * self.eta * dot(&dx, &self.by_rows);
        Ok(square.max(0.0).sqrt())
    }

    /// The weight after a restart: both players shall move equally far. Where one did not move, back to 1; without that,
    /// and the range, it drifts off and the iteration stalls.
    fn restart(&mut self) {
        let apart = |a: &[f64], b: &[f64]| norm2(&a.iter().zip(b).map(|(a, b)| a - b).collect::<Vec<_>>());
        let of_x = apart(&self.next.0, &self.anchor.0);
        let of_y = apart(&self.next.1, &self.anchor.1);
        if of_x > 1e-16 && of_y > 1e-16 {
            let error = (of_y / of_x / self.omega).ln();
            self.integral = FORGET * self.integral + error;
            let change = PROPORTIONAL * error + INTEGRAL * self.integral;
            self.omega = (self.omega * change.exp()).clamp(RANGE.0, RANGE.1);
        } else {
            (self.omega, self.integral) = (1.0, 0.0);
        }
        self.begin();
    }

    fn begin(&mut self) {
        let (xp, yp) = &self.next;
        self.anchor = (xp.clone(), yp.clone());
        self.x.copy_from_slice(xp);
        self.y.copy_from_slice(yp);
        self.k = 0;
        self.last = f64::INFINITY;
        self.restarts += 1;
    }
}
