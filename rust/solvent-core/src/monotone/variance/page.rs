//! Cocoercive F: Halpern's iteration with the recursive estimator g of F (algorithm 1 of Cai, Alacaoglu and
//! Diakonikolas),
//!
//! ```text
//! u_{k+1} = J_{ηG}(λ_k u_0 + (1-λ_k) u_k - η g_k),   λ_k = 2/(k+4),
//! g_{k+1} = F(u_{k+1}) with probability p, else g_k + (1/b) Σ_{i∈S} (F_i(u_{k+1}) - F_i(u_k)).
//! ```
//!
//! Tuned: η = 1/L with the constant of the full F, p = c/√n, b = √n, and a new anchor at an exact evaluation whose
//! residual is at most 0.3 times the anchor's. As published: η = 1/(4 L_avg), p = 4/(t+5) up to t = √n and
//! 4/(√n + 5) from there, b = ⌈√n⌉; t is not reset at restarts, which would repeat its warm-up.

use crate::base::error::Aborted;
use crate::base::monitor::Monitor;
use crate::monotone::scheme::{Context, Point, Scheme};

/// See the [module](self).
pub struct Page {
    factor: Option<f64>,
    batch: Option<usize>,
    paper: bool,
    /// The caller's c; `None`: 1, then 4 where restarts are quick.
    c: Option<f64>,
    /// Restarts in a row that took less than two exact evaluations.
    quick: u32,
    refreshes: u64,
    anchor: Vec<f64>,
    base: f64,
    k: u64,
    t: u64,
    restarts: u64,
}

impl Page {
    /// With restarts at this factor.
    pub fn new(factor: Option<f64>, batch: Option<usize>, paper: bool, c: Option<f64>) -> Self {
        let anchor = Vec::new();
        Self {
            factor,
            batch,
            paper,
            c,
            quick: 0,
            refreshes: 0,
            anchor,
            base: f64::NAN,
            k: 0,
            t: 0,
            restarts: 0,
        }
    }

    fn probability(&self, n: usize) -> f64 {
        let (root, t) = ((n as f64).sqrt(), self.t as f64);
        if self.paper {
            return 4.0 / (t.min(root) + 5.0);
        }
        let c = self.c.unwrap_or(if self.quick >= 2 { 4.0 } else { 1.0 });
        (c / root).min(0.5)
    }
}

impl Scheme for Page {
    fn name(&self) -> &'static str {
        "vr-halpern"
    }

    fn eta(&self, context: &Context<'_>) -> f64 {
        let constants = context.constants;
        let own = if self.paper { 0.25 / constants.average } else { 1.0 / constants.full };
        context.eta.unwrap_or(own)
    }

    fn begin(&mut self, at: &Point, _: &Context<'_>) {
        self.anchor.clone_from(&at.u);
        (self.base, self.k, self.refreshes) = (at.residual, 0, 0);
    }

    fn advance(
        &mut self,
        at: &mut Point,
        context: &mut Context<'_>,
        monitor: &mut Monitor<'_>,
    ) -> Result<(), Aborted> {
        if self.factor.is_some_and(|factor| at.residual <= factor * self.base) {
            // Twice is enough: the problem is sharp.
            if self.quick < 2 {
                self.quick = if self.refreshes < 2 { self.quick + 1 } else { 0 };
            }
            self.begin(at, context);
            self.restarts += 1;
        }
        let root = context.root();
        let rounded_up = root + usize::from(root * root < context.n);
        let b = self.batch.unwrap_or(if self.paper { rounded_up } else { root });
        let (eta, n, d) = (self.eta(context), context.n, at.u.len());
        let mut g = at.f.clone();
        let (mut inner, mut new, mut change) = (vec![0.0; d], vec![0.0; d], vec![0.0; d]);
        loop {
            let pull = 2.0 / (self.k as f64 + 4.0);
            for j in 0..d {
                inner[j] = pull * self.anchor[j] + (1.0 - pull) * at.u[j] - eta * g[j];
            }
            context.resolve(&inner, eta, &mut new)?;
            let p = self.probability(n);
            self.k += 1;
            self.t += 1;
            if context.refresh(p, monitor) {
                at.u.copy_from_slice(&new);
                self.refreshes += 1;
                return at.evaluate(context, monitor);
            }
            context.diff(&new, &at.u, b, &mut change, monitor)?;
            g.iter_mut().zip(&change).for_each(|(g, change)| *g += change);
            at.u.copy_from_slice(&new);
        }
    }

    fn restarts(&self) -> u64 {
        self.restarts
    }
}
