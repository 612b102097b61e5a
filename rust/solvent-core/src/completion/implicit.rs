//! Implicit feedback (Hu, Koren & Volinsky 2008): every entry counts, the stored ones with more confidence.
//!
//! `min sum over all (i, j) of c_ij (p_ij - u_i·v_j)²/2 + lam/2 (|U|² + |V|²)`; elsewhere c = 1 and p = 0. A row's system is
//! `V^T V + lam I + sum (c - 1) v v^T`, whose first part is the same for all rows. The stored entries enter as targets
//! `c p / (c - 1)` with weights `c - 1`, which gives the same normal equations.

use super::CompletionError;
use super::align::{basis, moment};
use super::certify::Depth;
use super::certify::implicit::certificate;
use super::entry::Entry;
use super::factor::Factor;
use super::init::noise;
use super::kernels::row::{Half, Inner, Tally};
use super::options::{Certify, Options, Solver};
use super::payload::{Payload, payload};
use super::step::{gram, half_sweep};
use crate::base::certificate::Certificate;
use crate::base::error::Aborted;
use crate::base::monitor::{Budget, Method, Monitor, Observer, Progress, solve as drive};
use crate::base::outcome::Outcome;
use crate::base::sparse::{Sparse, SparseView};
use crate::base::status::Status;

/// Up to so many columns a Gram matrix is cheaper.
const DIRECT: usize = 32;
/// A row's residual falls by this factor.
const REDUCTION: f64 = 0.3;
/// Sweeps between two looks at the gap.
const BETWEEN: u64 = 10;

/// Feedback: targets and weights of the stored entries.
pub struct Feedback<'a, T> {
    /// `c p / (c - 1)`, by rows.
    pub entries: SparseView<'a, T>,
    /// `c - 1 > 0`.
    pub weights: &'a [T],
    columns: Sparse<T>,
    column_weights: Vec<T>,
    lam: f64,
    /// What the loss of the half-sweeps lacks.
    constant: f64,
}

impl<'a, T: Entry> Feedback<'a, T> {
    /// Builds the columns.
    pub fn new(entries: SparseView<'a, T>, weights: &'a [T], lam: f64) -> Self {
        let (columns, origin) = entries.transpose();
        let column_weights = origin.iter().map(|&e| weights[e]).collect();
        let lacks = |(y, w): (&T, &T)| {
            let w = w.to_f64();
            if *y > T::ZERO { -(1.0 + w) / w } else { 0.0 }
        };
        let constant = entries.data().iter().zip(weights).map(lacks).sum();
        Self { entries, weights, columns, column_weights, lam, constant }
    }
}

/// The state of the sweeps.
struct Sweeps<'a, T: Entry> {
    feedback: &'a Feedback<'a, T>,
    options: &'a Options<T>,
    tol: f64,
    u: Factor<T>,
    v: Factor<T>,
    /// `U^T U`
    gram_u: Vec<T>,
    /// and `V^T V` as they stand before a half-sweep; empty before the first.
    gram_v: Vec<T>,
    objective: f64,
    sweeps: u64,
    looked: u64,
    evaluations: u32,
    judged: Option<(Payload<T>, Certificate)>,
    end: Option<Status>,
}

impl<T: Entry> Sweeps<'_, T> {
    fn is_direct(&self) -> bool {
        match self.options.solver {
            Solver::Auto => self.v.width() <= DIRECT,
            Solver::Cholesky => true,
            Solver::Cg => false,
        }
    }

    /// Brings both factors into a basis in which the columns of V are orthogonal, for conjugate gradients.
    fn align(&mut self, monitor: &mut Monitor<'_>) -> Result<(), CompletionError> {
        if self.is_direct() {
            return Ok(());
        }
        let (k, stride) = (self.v.width(), self.v.stride());
        if let Some(basis) = basis(&self.gram_v, stride, k, self.feedback.lam)? {
            self.u.turn(&basis);
            self.v.turn(&basis);
            self.gram_v = gram(&self.v, monitor)?;
        }
        Ok(())
    }

    fn half(&mut self, rows: bool, monitor: &mut Monitor<'_>) -> Result<Tally, Aborted> {
        let (feedback, direct) = (self.feedback, self.is_direct());
        let (design, out) = if rows { (&self.v, &mut self.u) } else { (&self.u, &mut self.v) };
        let base = if rows { &self.gram_v } else { &self.gram_u };
        let moment = (!direct).then(|| moment(design));
        let half = Half {
            entries: if rows { feedback.entries } else { feedback.columns.view() },
            weights: Some(if rows { feedback.weights } else { &feedback.column_weights }),
            design,
            offset: None,
            mean: T::ZERO,
            unit: T::ONE,
            ridge: feedback.lam,
            count: false,
            delta: None,
            nonneg: None,
            inner: if direct {
                Inner::Cholesky
            } else {
                Inner::Cg { steps: self.options.cg_steps, eta: REDUCTION }
            },
            measure: !rows,
            base: Some(base),
            constant: None,
            moment: moment.as_deref(),
        };
        half_sweep(&half, out, monitor)
    }

    fn judge(&mut self, monitor: &mut Monitor<'_>) -> Result<(Payload<T>, Certificate), CompletionError> {
        self.evaluations += 1;
        let cut = if self.feedback.lam > 0.0 { 1e-7 } else { 0.0 };
        let payload = payload(&self.u, &self.v, self.u.width(), None, false, (1.0, 0.0, cut))?;
        let depth = Depth {
            full: self.options.certify == Certify::Full,
            seed: self.options.seed,
            evaluation: self.evaluations,
            tol: self.tol,
        };
        let feedback = self.feedback;
        let judged = certificate(feedback.entries, feedback.weights, &payload, feedback.lam, depth, monitor)?;
        Ok((payload, judged))
    }
}

impl<T: Entry> Method<5> for Sweeps<'_, T> {
    type Solution = (Payload<T>, Outcome);
    type Error = CompletionError;
    const EXTRAS: [&'static str; 5] = ["objective", "residual", "lam", "holdout", "cg_steps"];

    fn init(&mut self, _: &mut Monitor<'_>) -> Result<Option<f64>, CompletionError> {
        Ok(None)
    }

    fn step(&mut self, monitor: &mut Monitor<'_>) -> Result<Progress<5>, CompletionError> {
        self.judged = None;
        if self.gram_v.is_empty() {
            self.gram_v = gram(&self.v, monitor)?;
        }
        self.align(monitor)?;
        let rows = self.half(true, monitor)?;
        self.gram_u = gram(&self.u, monitor)?;
        let columns = self.half(false, monitor)?;
        self.gram_v = gram(&self.v, monitor)?;
        self.sweeps += 1;
        let all: f64 = self.gram_u.iter().zip(&self.gram_v).map(|(a, b)| a.to_f64() * b.to_f64()).sum();
        let penalty = self.feedback.lam * (rows.penalty + columns.penalty);
        let objective = columns.loss + 0.5 * (self.feedback.constant + all) + penalty;
        let decrease = (self.objective - objective).abs() / objective.abs().max(f64::MIN_POSITIVE);
        self.objective = objective;
        if !self.u.is_finite() || !self.v.is_finite() {
            self.end = Some(Status::Diverged);
        }
        let mut bound = None;
        if self.tol > 0.0 && decrease < self.tol {
            if self.options.certify == Certify::None {
                self.end = Some(Status::Converged);
            } else if self.sweeps >= self.looked + BETWEEN {
                self.looked = self.sweeps;
                let judged = self.judge(monitor)?;
                bound = Some(judged.1.bound);
                self.judged = Some(judged);
            }
        }
        let (steps, solved) = (rows.steps + columns.steps, (rows.rows + columns.rows).max(1));
        let extras = [objective, f64::NAN, self.feedback.lam, f64::NAN, steps as f64 / solved as f64];
        Ok(Progress { units: 1, bound, extras })
    }

    fn terminate(&mut self, _: &Monitor<'_>) -> Option<Status> {
        self.end
    }

    fn finish(mut self, status: Status, mut monitor: Monitor<'_>) -> Result<Self::Solution, CompletionError> {
        let (payload, certificate) = if self.options.certify == Certify::None {
            let payload = payload(&self.u, &self.v, self.u.width(), None, false, (1.0, 0.0, 0.0))?;
            (payload, None)
        } else {
            let (payload, certificate) = match self.judged.take() {
                Some(judged) => judged,
                None => self.judge(&mut monitor)?,
            };
            (payload, Some(certificate))
        };
        let mut outcome = Outcome::new(monitor.end(status), certificate);
        if self.tol == 0.0 && outcome.status == Status::MaxIterations {
            outcome.success = true;
        }
        Ok((payload, outcome))
    }
}

/// Solves the problem.
pub fn solve<T: Entry>(
    feedback: &Feedback<'_, T>,
    options: &Options<T>,
    budget: Budget,
    observer: &mut dyn Observer,
) -> Result<(Payload<T>, Outcome), CompletionError> {
    let (m, n, k) = (feedback.entries.rows(), feedback.entries.columns(), options.rank);
    let (u, v) = match &options.start {
        Some((u, v)) => (u.clone(), v.clone()),
        None => {
            let v = noise(n, k, 0.3 / (k as f64).sqrt(), options.seed);
            (Factor::zeros(m, k), v)
        }
    };
    let sweeps = Sweeps {
        feedback,
        options,
        tol: budget.tol,
        u,
        v,
        gram_u: Vec::new(),
        gram_v: Vec::new(),
        objective: f64::INFINITY,
        sweeps: 0,
        looked: 0,
        evaluations: 0,
        judged: None,
        end: None,
    };
    drive(sweeps, budget, observer)
}
