//! F that is only monotone and Lipschitz: Halpern on the resolvent `J = (I + η(F + G))^{-1}`, evaluated inexactly
//! (algorithm 2 of Cai, Alacaoglu and Diakonikolas, with an inner solver and a test of our own).
//!
//! `u_{k+1} = λ_k u_0 + (1 - λ_k) J̃(u_k)`, `λ_k = 1/(k+2)`. The inner problem `0 ∈ ηF(v) + v - u + ηG(v)` is solved by
//! loopless variance-reduced extragradient, the identity taken implicitly and begun where the last one ended:
//!
//! ```text
//! z̄ = (1-p) v + p w
//! z½ = J_{τηG/(1+τ)}[(z̄ - τ(η F(w) - u))/(1+τ)]
//! v  = J_{τηG/(1+τ)}[(z̄ - τ(η (F(w) + F_S(z½) - F_S(w)) - u))/(1+τ)],   with probability p: w = v, F(w) exact,
//! ```
//!
//! until, at an exact evaluation, its residual is at most `2 |u - w|/(k+2)`: a test of computable numbers, whose point is
//! the certificate's. With one component, extragradient with exact evaluations.

use crate::base::error::Aborted;
use crate::base::monitor::Monitor;
use crate::monotone::scheme::{Context, Point, Scheme};
use crate::monotone::variance::{frequency, inner_batch, reduced_step};
use crate::monotone::vector::{combine, distance, norm};

/// The inner problem is solved to this many times `|u - w|/(k+2)`.
const INNER: f64 = 2.0;

/// See the [module](self).
pub struct Resolvent {
    factor: Option<f64>,
    /// The caller's batch.
    batch: Option<usize>,
    /// Exact evaluations only.
    exact: bool,
    anchor: Vec<f64>,
    /// What the resolvent is sought of.
    u: Vec<f64>,
    base: f64,
    k: u64,
    restarts: u64,
    /// Whether the last exact point solves the inner problem.
    solved: bool,
    half: Vec<f64>,
    change: Vec<f64>,
    inner: Vec<f64>,
}

impl Resolvent {
    /// With restarts at this factor; `exact`: without variance reduction.
    pub fn new(factor: Option<f64>, batch: Option<usize>, exact: bool) -> Self {
        let none = Vec::new;
        Self {
            factor,
            batch,
            exact,
            anchor: none(),
            u: none(),
            base: f64::NAN,
            k: 0,
            restarts: 0,
            solved: false,
            half: none(),
            change: none(),
            inner: none(),
        }
    }

    /// `out = J_{τηG/(1+τ)}[(z - τ(η f - u))/(1+τ)]`.
    fn implicit(
        &mut self,
        z: &[f64],
        f: &[f64],
        (tau, eta): (f64, f64),
        out: &mut [f64],
        context: &Context<'_>,
    ) -> Result<(), Aborted> {
        for j in 0..z.len() {
            self.inner[j] = (z[j] - tau * (eta * f[j] - self.u[j])) / (1.0 + tau);
        }
        context.resolve(&self.inner, tau * eta / (1.0 + tau), out)
    }

    /// Residual of the inner problem at a point where F is known.
    fn inner_residual(&mut self, at: &Point, eta: f64, context: &Context<'_>) -> Result<f64, Aborted> {
        let d = at.u.len();
        for j in 0..d {
            self.change[j] = eta * at.f[j] + at.u[j] - self.u[j];
        }
        if context.prox.is_none() {
            return Ok(norm(&self.change));
        }
        let s = 1.0 / (1.0 + eta * context.constants.full);
        for j in 0..d {
            self.inner[j] = at.u[j] - s * self.change[j];
        }
        context.resolve(&self.inner, s * eta, &mut self.half)?;
        Ok(distance(&at.u, &self.half) / s)
    }

    /// From one exact evaluation to the next inside the inner problem.
    fn work(
        &mut self,
        at: &mut Point,
        eta: f64,
        context: &mut Context<'_>,
        monitor: &mut Monitor<'_>,
    ) -> Result<(), Aborted> {
        let d = at.u.len();
        let (mut half, mut slope, mut mean) = (vec![0.0; d], vec![0.0; d], vec![0.0; d]);
        if self.exact {
            let tau = 0.9 / (eta * context.constants.full);
            self.implicit(&at.u, &at.f, (tau, eta), &mut half, context)?;
            context.full(&half, &mut slope, monitor)?;
            let from = at.u.clone();
            self.implicit(&from, &slope, (tau, eta), &mut at.u, context)?;
            return at.evaluate(context, monitor);
        }
        let b = self.batch.unwrap_or_else(|| inner_batch(context));
        let p = frequency(b, context.n);
        let tau = reduced_step(p, b, context) / eta;
        let mut v = at.u.clone();
        let mut change = vec![0.0; d];
        loop {
            combine(1.0 - p, &v, p, &at.u, &mut mean);
            self.implicit(&mean, &at.f, (tau, eta), &mut half, context)?;
            context.diff(&half, &at.u, b, &mut change, monitor)?;
            for j in 0..d {
                slope[j] = at.f[j] + change[j];
            }
            self.implicit(&mean, &slope, (tau, eta), &mut v, context)?;
            if context.refresh(p, monitor) {
                at.u.copy_from_slice(&v);
                return at.evaluate(context, monitor);
            }
        }
    }
}

impl Scheme for Resolvent {
    fn name(&self) -> &'static str {
        if self.exact { "halpern" } else { "vr-halpern" }
    }

    fn eta(&self, context: &Context<'_>) -> f64 {
        let own = if self.exact {
            1.0 / context.constants.full
        } else {
            (context.n as f64).sqrt() / context.constants.average
        };
        context.eta.unwrap_or(own)
    }

    fn probe(&self, context: &Context<'_>) -> f64 {
        1.0 / context.constants.full
    }

    fn begin(&mut self, at: &Point, _: &Context<'_>) {
        self.anchor.clone_from(&at.u);
        self.u.clone_from(&at.u);
        (self.base, self.k, self.solved) = (at.residual, 0, false);
        for scratch in [&mut self.half, &mut self.change, &mut self.inner] {
            scratch.resize(at.u.len(), 0.0);
        }
    }

    fn advance(
        &mut self,
        at: &mut Point,
        context: &mut Context<'_>,
        monitor: &mut Monitor<'_>,
    ) -> Result<(), Aborted> {
        if self.solved {
            if self.factor.is_some_and(|factor| at.residual <= factor * self.base) {
                self.begin(at, context);
                self.restarts += 1;
            } else {
                let pull = 1.0 / (self.k as f64 + 2.0);
                combine(pull, &self.anchor, 1.0 - pull, &at.u, &mut self.u);
                self.k += 1;
                self.solved = false;
            }
        }
        let eta = self.eta(context);
        self.work(at, eta, context, monitor)?;
        let allowed = INNER * distance(&self.u, &at.u) / (self.k as f64 + 2.0);
        self.solved = self.inner_residual(at, eta, context)? <= allowed;
        Ok(())
    }

    fn restarts(&self) -> u64 {
        self.restarts
    }
}
