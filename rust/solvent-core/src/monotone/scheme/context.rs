//! What the methods share: F by batches, the resolvent, constants, and the count of evaluations.

use crate::base::error::Aborted;
use crate::base::monitor::Monitor;
use crate::base::rng::Philox;
use crate::monotone::operator::{Constants, Operator, Pick};
use crate::monotone::prox::Prox;

/// Streams of random numbers, by purpose.
const ORDER: u32 = 0;
const DRAWS: u32 = 1;
/// Stream for the estimate of constants.
pub const PROBES: u32 = 2;

/// See the [module](self).
pub struct Context<'a> {
    /// The resolvent of G.
    pub prox: Option<&'a dyn Prox>,
    /// Coordinates in which residuals are measured are these times the run's; `None`: the same.
    pub metric: Option<&'a [f64]>,
    /// n.
    pub n: usize,
    /// L, and that of the components.
    pub constants: Constants,
    /// Step of the resolvent by which residuals are measured.
    pub h: f64,
    /// The caller's step, halved as often as the guard has fired.
    pub eta: Option<f64>,
    /// Evaluations of components so far.
    pub evaluations: u64,
    /// From this many on, a scheme evaluates F in full at once and returns.
    pub stop_at: u64,
    operator: &'a dyn Operator,
    arranged: Option<Box<dyn Operator + 'a>>,
    /// A permutation of the components, its beginning repeated at the end: every batch is a run of it.
    order: Vec<usize>,
    seed: u64,
    rng: Philox,
}

impl<'a> Context<'a> {
    /// Batches are not prepared yet.
    pub fn new(operator: &'a dyn Operator, prox: Option<&'a dyn Prox>, eta: Option<f64>, seed: u64) -> Self {
        Self {
            prox,
            metric: None,
            n: operator.components(),
            constants: Constants { full: 1.0, average: 1.0 },
            h: 1.0,
            eta,
            evaluations: 0,
            stop_at: u64::MAX,
            operator,
            arranged: None,
            order: Vec::new(),
            seed,
            rng: Philox::new(seed, DRAWS, 0),
        }
    }

    /// Fixes the order of the components for batches of at most `largest`.
    ///
    /// A copy of the data in that order is made where it takes at most `limit` bytes.
    pub fn arrange(&mut self, largest: usize, limit: usize) {
        self.order = (0..self.n).collect();
        Philox::new(self.seed, ORDER, 0).shuffle(&mut self.order);
        self.order.extend_from_within(..largest.min(self.n));
        self.arranged = self.operator.arranged(&self.order, limit);
    }

    /// `out = F(u)`.
    pub fn full(&mut self, u: &[f64], out: &mut [f64], monitor: &mut Monitor<'_>) -> Result<(), Aborted> {
        self.operator.full(u, out, monitor)?;
        self.evaluations += self.n as u64;
        Ok(())
    }

    /// `out` = mean of `F_i(u) - F_i(v)` over a random batch of b components: a run of the permutation from a random
    /// start on, so that every component is in it with the same probability.
    pub fn diff(
        &mut self,
        u: &[f64],
        v: &[f64],
        b: usize,
        out: &mut [f64],
        monitor: &mut Monitor<'_>,
    ) -> Result<(), Aborted> {
        let first = self.rng.below(self.n as u64) as usize;
        self.evaluations += 2 * b as u64;
        match &self.arranged {
            Some(arranged) => arranged.diff(u, v, Pick::Run { first, len: b }, out, monitor),
            None => self.operator.diff(u, v, Pick::List(&self.order[first..first + b]), out, monitor),
        }
    }

    /// `out = J_{tG}(v)`.
    pub fn resolve(&self, v: &[f64], t: f64, out: &mut [f64]) -> Result<(), Aborted> {
        match self.prox {
            Some(prox) => prox.apply(v, t, out),
            None => {
                out.copy_from_slice(v);
                Ok(())
            }
        }
    }

    /// True with probability p, and where the budget wants an exact evaluation now.
    pub fn refresh(&mut self, p: f64, monitor: &Monitor<'_>) -> bool {
        self.rng.uniform() < p || self.evaluations >= self.stop_at || monitor.expired()
    }

    /// Halves every step: L is taken for twice as large.
    pub fn halve(&mut self) {
        self.constants.full *= 2.0;
        self.constants.average *= 2.0;
        self.eta = self.eta.map(|eta| 0.5 * eta);
    }

    /// `⌊√n⌋`, at least 1.
    pub fn root(&self) -> usize {
        self.n.isqrt().max(1)
    }
}
