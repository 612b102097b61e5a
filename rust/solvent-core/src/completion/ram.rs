//! The alternating minimization of Gu, Song, Yin & Zhang, arXiv 2302.11068, as it stands in theory: for reproduction and
//! comparison. It needs many more entries than [`solve`](super::solve).
//!
//! 1. With a split, the entries are dealt at random into 2T + 1 parts, T = ceil(log2(1/tol)), and every half-step sees a
//!    part of its own. Without one, every half-step sees all of them.
//! 2. U begins with the leading left singular vectors of the zero-filled first part; rows longer than the clip are scaled
//!    down to it and the columns orthonormalised anew.
//! 3. V by regressions of the columns on U, orthonormalised; U by regressions of the rows on V, orthonormalised. No ridge
//!    (rows without full column rank get their solution of least norm), no extrapolation, no continuation.
//! 4. Every regression is solved until its gradient fell by `min(1e-1, rel)`, that is to an objective within
//!    `min(1e-2, rel²)` of the least.

use super::CompletionError;
use super::ending::Ending;
use super::entry::Entry;
use super::factor::Factor;
use super::init::Operator;
use super::kernels::row::{Half, Inner, Tally};
use super::options::{Certify, Options, Solver};
use super::payload::{Payload, payload};
use super::problem::Problem;
use super::solve::{DIRECT, Solution};
use super::step::{half_sweep, sketched_half_sweep};
use crate::base::dense::DenseError;
use crate::base::error::Aborted;
use crate::base::monitor::{Method, Monitor, Progress};
use crate::base::rng::Philox;
use crate::base::sparse::{Sparse, SparseView};
use crate::base::status::Status;

/// Rows of the start are cut at this quantile of their lengths, times `CLIP`.
const QUANTILE: f64 = 0.99;
const CLIP: f64 = 2.0;
/// Steps of conjugate gradients a row at most.
const STEPS: usize = 100;
/// Sweeps without a residual smaller by 1 % that end a run on all data.
const PATIENCE: usize = 20;
/// Stream of the split among those of the seed.
const STREAM: u32 = 2;

/// One part of the entries, by rows and by columns.
struct Part<T> {
    rows: Sparse<T>,
    columns: Sparse<T>,
    row_weights: Option<Vec<T>>,
    column_weights: Option<Vec<T>>,
}

/// The state of the iteration.
pub struct Ram<'a, T: Entry> {
    problem: &'a Problem<'a, T>,
    options: &'a Options<T>,
    ending: Ending<'a, T>,
    parts: Vec<Part<T>>,
    u: Factor<T>,
    v: Factor<T>,
    rel: f64,
    best: f64,
    waited: usize,
    sweeps: usize,
}

/// Parts of a split, the start's included: `2 ceil(log2(1/tol)) + 1`.
pub fn parts_of(tol: f64) -> usize {
    let sweeps = if tol > 0.0 && tol < 1.0 { (1.0 / tol).log2().ceil() } else { 1.0 };
    2 * (sweeps.max(1.0) as usize) + 1
}

/// Deals the entries at random.
fn split<T: Entry>(problem: &Problem<'_, T>, count: usize, seed: u64) -> Vec<Part<T>> {
    let rows = problem.rows;
    let mut rng = Philox::new(seed, STREAM, 0);
    let mut parts: Vec<(Sparse<T>, Vec<T>)> = (0..count)
        .map(|_| {
            let empty =
                Sparse { indptr: vec![0], indices: Vec::new(), data: Vec::new(), columns: rows.columns() };
            (empty, Vec::new())
        })
        .collect();
    for i in 0..rows.rows() {
        for e in rows.range(i) {
            let at = ((rng.uniform() * count as f64) as usize).min(count - 1);
            let (part, weights) = &mut parts[at];
            part.indices.push(rows.indices()[e]);
            part.data.push(rows.data()[e]);
            if let Some(w) = problem.weights {
                weights.push(w[e]);
            }
        }
        for (part, _) in &mut parts {
            part.indptr.push(part.data.len() as i64);
        }
    }
    let weighted = problem.weights.is_some();
    parts
        .into_iter()
        .map(|(rows, weights)| {
            let (columns, origin) = rows.view().transpose();
            let column_weights = weighted.then(|| origin.iter().map(|&e| weights[e]).collect());
            Part { rows, columns, row_weights: weighted.then_some(weights), column_weights }
        })
        .collect()
}

/// Orthonormal columns with the same span.
fn orthonormal<T: Entry>(x: &Factor<T>) -> Result<Factor<T>, CompletionError> {
    let (q, _) = x.orthonormal(x.width()).ok_or(DenseError::NotFinite)?;
    Ok(Factor::from_matrix(&q))
}

/// Rows no longer than `CLIP` times the quantile of their lengths; columns orthonormal again.
fn clipped<T: Entry>(mut u: Factor<T>) -> Result<Factor<T>, CompletionError> {
    let length = |row: &[T]| row.iter().map(|x| x.to_f64() * x.to_f64()).sum::<f64>().sqrt();
    let mut lengths: Vec<f64> = (0..u.rows()).map(|i| length(u.row(i))).collect();
    lengths.sort_by(f64::total_cmp);
    let limit = CLIP * lengths[((u.rows() - 1) as f64 * QUANTILE) as usize];
    for i in 0..u.rows() {
        let long = length(u.row(i));
        if long > limit {
            u.row_mut(i).iter_mut().for_each(|x| *x *= T::from_f64(limit / long));
        }
    }
    orthonormal(&u)
}

impl<'a, T: Entry> Ram<'a, T> {
    /// Nothing is computed yet.
    pub fn new(problem: &'a Problem<'a, T>, options: &'a Options<T>, tol: f64) -> Self {
        let (m, n) = problem.shape();
        let k = options.rank;
        let parts = if options.split { split(problem, parts_of(tol), options.seed) } else { Vec::new() };
        Self {
            problem,
            options,
            ending: Ending::new(problem, options, tol, 0),
            parts,
            u: Factor::zeros(m, k),
            v: Factor::zeros(n, k),
            rel: 1.0,
            best: f64::INFINITY,
            waited: 0,
            sweeps: 0,
        }
    }

    /// Entries and weights of a half-step: its own part, or all.
    fn data(&self, rows: bool) -> (SparseView<'_, T>, Option<&[T]>) {
        let problem = self.problem;
        if !self.options.split {
            return if rows {
                (problem.rows, problem.weights)
            } else {
                (problem.columns(), problem.column_weights())
            };
        }
        let part = &self.parts[(1 + 2 * self.sweeps + usize::from(rows)).min(self.parts.len() - 1)];
        if rows {
            (part.rows.view(), part.row_weights.as_deref())
        } else {
            (part.columns.view(), part.column_weights.as_deref())
        }
    }

    /// Regressions of one side on the other.
    fn half(
        &self,
        rows: bool,
        out: &mut Factor<T>,
        data: (SparseView<'_, T>, Option<&[T]>),
        monitor: &mut Monitor<'_>,
    ) -> Result<Tally, Aborted> {
        let problem = self.problem;
        let direct = match self.options.solver {
            Solver::Auto => self.u.width() <= DIRECT,
            Solver::Cholesky => true,
            Solver::Cg => false,
        };
        let eta = self.rel.clamp(1e-14, 0.1);
        let half = Half {
            entries: data.0,
            weights: data.1,
            design: if rows { &self.v } else { &self.u },
            offset: None,
            mean: T::from_f64(problem.mean),
            unit: T::from_f64(problem.unit),
            ridge: 0.0,
            count: false,
            delta: None,
            nonneg: None,
            inner: if direct { Inner::Cholesky } else { Inner::Cg { steps: STEPS, eta } },
            measure: true,
            base: None,
            constant: None,
            moment: None,
        };
        if self.options.sketch {
            sketched_half_sweep(&half, out, monitor)
        } else {
            half_sweep(&half, out, monitor)
        }
    }

    fn payload(&self) -> Result<Payload<T>, CompletionError> {
        let problem = self.problem;
        if problem.squares == 0.0 {
            return Ok(Payload::zero(problem.shape(), false, problem.mean));
        }
        payload(&self.u, &self.v, self.u.width(), None, false, (problem.unit, problem.mean, 0.0))
    }
}

impl<T: Entry> Method<5> for Ram<'_, T> {
    type Solution = Solution<T>;
    type Error = CompletionError;
    const EXTRAS: [&'static str; 5] = super::solve::EXTRAS;

    fn init(&mut self, monitor: &mut Monitor<'_>) -> Result<Option<f64>, CompletionError> {
        let problem = self.problem;
        if problem.squares == 0.0 {
            self.ending.status = Some(Status::Converged);
            return Ok(Some(self.ending.judge(self.payload()?, monitor)?));
        }
        if let Some((u, v)) = &self.options.start {
            (self.u, self.v) = (u.clone(), v.clone());
            return Ok(None);
        }
        let k = self.u.width();
        let centre = |values: &[T]| values.iter().map(|&y| y * T::from_f64(problem.unit)).collect();
        let triples = if let Some(part) = self.parts.first() {
            let (rows, columns) = (part.rows.view(), part.columns.view());
            let (values, column_values) = (centre(&part.rows.data), centre(&part.columns.data));
            Operator { rows, values, columns, column_values }.leading(k, 6, monitor)?
        } else {
            Operator::centred(problem).leading(k, 6, monitor)?
        };
        self.u = clipped(triples.u)?;
        Ok(None)
    }

    fn step(&mut self, monitor: &mut Monitor<'_>) -> Result<Progress<5>, CompletionError> {
        let problem = self.problem;
        if problem.squares == 0.0 {
            return Ok(Progress { units: 1, bound: None, extras: [0.0, 0.0, 0.0, f64::NAN, 0.0] });
        }
        self.ending.judged = None;
        // U holds the scales since the last regression; the columns are regressed on its span.
        self.u = orthonormal(&self.u)?;
        let mut v = self.v.clone();
        let columns = self.half(false, &mut v, self.data(false), monitor)?;
        self.v = orthonormal(&v)?;
        let mut u = self.u.clone();
        let rows = self.half(true, &mut u, self.data(true), monitor)?;
        self.sweeps += 1;
        // The residual of U before it is orthonormalised is the iterate's own: on all entries.
        self.u = u;
        let squares = if self.options.split {
            let x = super::step::fitted(problem.rows, &self.u, &self.v, monitor)?;
            x.iter()
                .zip(problem.rows.data())
                .map(|(x, y)| (y.to_f64() * problem.unit - x.to_f64()).powi(2))
                .sum()
        } else {
            rows.squares
        };
        self.rel = (squares / problem.squares).sqrt();
        if !self.rel.is_finite() {
            self.ending.status = Some(Status::Diverged);
        }
        if self.rel < 0.99 * self.best {
            (self.best, self.waited) = (self.rel, 0);
        } else {
            self.waited += 1;
        }
        let mut bound = None;
        let tol = self.ending.tol;
        let over = self.options.split && 1 + 2 * self.sweeps >= self.parts.len();
        let idle = !self.options.split && self.waited >= PATIENCE;
        if self.ending.certifies() && (self.rel <= 0.999 * tol || over || idle) {
            bound = Some(self.ending.judge(self.payload()?, monitor)?);
        }
        if tol > 0.0 && self.options.certify == Certify::None && self.rel <= tol {
            self.ending.converge("the relative residual is at most tol");
        }
        if tol > 0.0 && self.ending.status.is_none() && (over || idle) {
            self.ending.status = Some(Status::Stalled);
            self.ending.rule =
                over.then_some("every part of the split has been used; a smaller tol makes more parts");
        }
        let steps = (rows.steps + columns.steps) as f64 / (rows.rows + columns.rows).max(1) as f64;
        let objective = 0.5 * squares / (problem.unit * problem.unit);
        let held = match &self.options.held {
            Some(aside) => self.payload()?.rmse(aside),
            None => f64::NAN,
        };
        Ok(Progress { units: 1, bound, extras: [objective, self.rel, 0.0, held, steps] })
    }

    fn keep(&mut self) {
        self.ending.keep();
    }

    fn terminate(&mut self, _: &Monitor<'_>) -> Option<Status> {
        self.ending.status
    }

    fn finish(mut self, status: Status, monitor: Monitor<'_>) -> Result<Solution<T>, CompletionError> {
        self.ending.take().finish(status, true, || self.payload(), monitor)
    }
}
