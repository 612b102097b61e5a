//! What is done where the ascent ends at a kink: exact marginals on fixed supports, and exchanges of supports.
//!
//! On fixed supports the problem is convex and its semi-dual smooth: where the supports admit a coupling at all, ascent
//! reaches one with the right row sums, so its value is an honest upper bound. At its potentials `alpha_S` the distance
//! from that value to the whole problem's dual is `sum_j [h_j(alpha_S) - h_j^S(alpha_S)]`, no term negative: a column
//! with a positive one would rather have its best entries at `alpha_S`. It gets them, the worst columns first and
//! fewer of them after each attempt that does not help, until a change of one column does not either. A local search:
//! nothing is claimed for it but what the certificate says of its result.

use super::plan::Plan;
use super::problem::Problem;
use super::semidual::SemiDual;
use super::solve::{BoundAt, EXTRAS, MEMORY};
use crate::base::lbfgs::{Lbfgs, Objective, Step};
use crate::base::monitor::{Method, Monitor, Progress};
use crate::base::status::Status;
use crate::ot::OtError;
use crate::ot::entry::Entry;

/// Steps on one choice of supports.
const STEPS: u64 = 150;
/// Attempts without success that end the search.
const FAILURES: u32 = 12;

/// The search.
pub struct Repair<'a, T: Entry> {
    problem: &'a Problem<'a, T>,
    whole: SemiDual<'a, T>,
    frozen: SemiDual<'a, T>,
    search: Lbfgs,
    /// The largest dual value known.
    dual: f64,
    target: f64,
    steps: u64,
    best: Option<Best<'a, T>>,
    /// The columns that would rather have other supports, worst first, and how many of them are to get them.
    unhappy: Vec<usize>,
    share: usize,
    failures: u32,
    over: bool,
}

struct Best<'a, T: Entry> {
    bound: f64,
    plan: Plan,
    alpha: Vec<f64>,
    frozen: SemiDual<'a, T>,
}

impl<'a, T: Entry> Repair<'a, T> {
    /// From the point at which `whole` was evaluated last.
    pub fn new(
        problem: &'a Problem<'a, T>,
        whole: &SemiDual<'a, T>,
        alpha: &[f64],
        dual: f64,
        tol: f64,
    ) -> Self {
        Self {
            problem,
            whole: whole.clone(),
            frozen: whole.frozen(),
            search: Lbfgs::new(alpha.to_vec(), MEMORY),
            dual,
            target: (0.01 * tol).max(1e-14),
            steps: 0,
            best: None,
            unhappy: Vec::new(),
            share: 0,
            failures: 0,
            over: false,
        }
    }

    /// The best coupling that was met, with its bound.
    pub fn best(&self) -> Option<(f64, &Plan)> {
        self.best.as_ref().map(|best| (best.bound, &best.plan))
    }

    /// Evaluations so far.
    pub fn evaluations(&self) -> u64 {
        self.search.evaluations()
    }

    /// The bound of the frozen problem's coupling, whose value has `self.dual` below it.
    fn bound(&self) -> f64 {
        let error = self.search.gradient().iter().map(|g| g.abs()).sum::<f64>();
        error.max((self.frozen.primal() - self.dual).abs() / self.problem.scale) / self.problem.mass
    }

    /// Supports are settled: keeps them if they are better than any before, and chooses others to try.
    fn conclude(&mut self, monitor: &mut Monitor<'_>) -> Result<(), OtError> {
        let bound = self.bound();
        let better = self.best.as_ref().is_none_or(|best| bound < best.bound * (1.0 - 1e-9));
        if better {
            let alpha = self.search.x().to_vec();
            let mut gradient = vec![0.0; alpha.len()];
            self.whole.evaluate(&alpha, &mut gradient, monitor)?;
            let pairs = self.whole.conjugates().zip(self.frozen.conjugates());
            let wishes: Vec<f64> = pairs.map(|(whole, frozen)| whole - frozen).collect();
            let smallest = 1e-12 * self.problem.scale * self.problem.mass / wishes.len() as f64;
            self.unhappy = (0..wishes.len()).filter(|&j| wishes[j] > smallest).collect();
            self.unhappy.sort_by(|&i, &j| wishes[j].total_cmp(&wishes[i]).then(i.cmp(&j)));
            self.share = self.unhappy.len();
            self.failures = 0;
            self.best = Some(Best { bound, plan: self.frozen.plan(), alpha, frozen: self.frozen.clone() });
        } else {
            self.failures += 1;
            self.share /= 2;
        }
        if self.share == 0 || self.failures >= FAILURES {
            self.over = true;
            return Ok(());
        }
        let best = self.best.as_ref().expect("the first conclusion is the best so far");
        self.frozen = best.frozen.clone();
        for &j in &self.unhappy[..self.share] {
            self.frozen.adopt(j, &self.whole);
        }
        self.search.x_mut().copy_from_slice(&best.alpha);
        self.search.start(&mut self.frozen, monitor)?;
        self.steps = 0;
        Ok(())
    }
}

impl<T: Entry> Method<2> for Repair<'_, T> {
    type Solution = ();
    type Error = OtError;
    const EXTRAS: [&'static str; 2] = EXTRAS;

    fn init(&mut self, monitor: &mut Monitor<'_>) -> Result<Option<f64>, OtError> {
        self.search.start(&mut self.frozen, monitor)?;
        Ok(None)
    }

    fn step(&mut self, monitor: &mut Monitor<'_>) -> Result<Progress<2>, OtError> {
        let step = self.search.step(&mut self.frozen, monitor)?;
        self.steps += 1;
        let at = BoundAt::new(self.problem, &self.search);
        if step == Step::Stuck || at.row_error <= self.target * self.problem.mass || self.steps >= STEPS {
            self.conclude(monitor)?;
        }
        let bound = self.best.as_ref().map(|best| best.bound);
        Ok(Progress { units: 1, bound, extras: [at.row_error, -self.search.value()] })
    }

    fn terminate(&mut self, _: &Monitor<'_>) -> Option<Status> {
        self.over.then_some(Status::DualityGap)
    }

    fn finish(self, _: Status, _: Monitor<'_>) -> Result<(), OtError> {
        unreachable!("a stage of solve, which finishes both")
    }
}
