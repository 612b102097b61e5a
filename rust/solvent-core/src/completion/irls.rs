//! Reweighted least squares for exact completion: MatrixIRLS, Kümmerle & Mayrink Verdun, *A scalable second order method
//! for ill-conditioned matrix completion from few samples*, ICML 2021.
//!
//! Among all X with `P(X) = P(Y)` a step takes the one with the least `<X, W X>`, where W weighs the direction
//! `u_i v_j^T` by `1/(s_i s_j)`, with `s_l = max(sigma_l, eps)` (the geometric-mean weights). As `s_l = eps` for l > k, W
//! is `eps^-2` but for the tangent space of the leading k triples, so that with D the weights' inverses there, A the
//! sampling of tangent vectors and `h = (D - eps²)^-1/2 g` in orthonormal coordinates
//!
//! ```text
//! min  eps² |h|² + |A (D - eps²)^1/2 h - y|²,     X = g + P(y - A g),     eps <- min(eps, sigma_{k+1}(X))
//! ```
//!
//! * The least-squares problem is solved for the change of h from the last step, with its residual computed from the
//!   entries themselves: its relative accuracy stays the same however small eps becomes, so that singular values of
//!   1e-6 sigma_1 are found as well as the first.
//! * The leading triples of X, a tangent vector plus a sparse matrix, come from a few rounds of block iteration that
//!   begin with the last step's block.
//! * Weights only say what is observed: where the entries are met exactly they do not change the answer.
//!
//! Everything is computed in double precision.

use super::CompletionError;
use super::ending::Ending;
use super::entry::Entry;
use super::factor::Factor;
use super::linear::coordinates::{Coordinates, Sampling, Scales, subtract, transposed};
use super::linear::{Pair, Pattern, add};
use super::options::{Certify, Options};
use super::payload::{Payload, singular};
use super::polish::Polish;
use super::problem::Problem;
use super::solve::Solution;
use super::step::fitted;
use crate::base::dense::{DenseError, Matrix, svd};
use crate::base::error::Aborted;
use crate::base::monitor::{Method, Monitor, Progress};
use crate::base::rng::Philox;
use crate::base::status::Status;

/// Columns of the block beside the rank, and rounds of its iteration in a step and in the first one.
const EXTRA: usize = 6;
const ROUNDS: usize = 2;
const FIRST_ROUNDS: usize = 6;
/// The least-squares problem's gradient has to fall by this, in at most so many steps.
const ETA: f64 = 1e-2;
const STEPS: usize = 500;
/// eps ends here, relative to the first singular value.
const LAST: f64 = 1e-15;
/// Steps without a residual smaller by a tenth that end the reweighting; of the polish, those that bring it no closer.
const PATIENCE: usize = 8;
/// Polishing comes closer with a bound smaller by this part, or a residual by that one: noise hardly falls.
const CLOSER: f64 = 0.1;
const LOWER: f64 = 1e-6;
/// The block's noise only has to have a part along every direction.
const SEED: u64 = 0x1125_b10c;

/// The state of the reweighting.
pub struct Irls<'a, T: Entry> {
    problem: &'a Problem<'a, T>,
    options: &'a Options<T>,
    /// How it ends.
    pub ending: Ending<'a, T>,
    pattern: Pattern<'a>,
    /// The entries, scaled.
    y: Vec<f64>,
    u: Factor<f64>,
    s: Vec<f64>,
    v: Factor<f64>,
    /// The tangent part of X at the present factors.
    g: Coordinates,
    block: Factor<f64>,
    eps: f64,
    rel: f64,
    best: f64,
    /// The bound after the last progress of the polish.
    closest: f64,
    waited: usize,
    polish: Option<Polish<'a>>,
    polishing: bool,
}

/// A tangent vector plus a sparse matrix.
struct Sum<'s> {
    pattern: &'s Pattern<'s>,
    u: &'s Factor<f64>,
    v: &'s Factor<f64>,
    g: &'s Coordinates,
    values: &'s [f64],
}

impl Sum<'_> {
    /// `X y`.
    fn times(&self, y: &Factor<f64>, monitor: &mut Monitor<'_>) -> Result<Factor<f64>, Aborted> {
        let mut out = Factor::zeros(self.u.rows(), y.width());
        self.pattern.back_rows(self.values, y, &mut out, monitor)?;
        let (along, mut core) = (self.v.cross(y), self.g.right.cross(y));
        product_onto(&self.g.core, &along, &mut core);
        add(1.0, self.u.times(&core).as_slice(), out.as_mut_slice());
        add(1.0, self.g.left.times(&along).as_slice(), out.as_mut_slice());
        Ok(out)
    }

    /// `X^T q`.
    fn adjoint(&self, q: &Factor<f64>, monitor: &mut Monitor<'_>) -> Result<Factor<f64>, Aborted> {
        let mut out = Factor::zeros(self.v.rows(), q.width());
        self.pattern.back_columns(self.values, q, &mut out, monitor)?;
        let (along, mut core) = (self.u.cross(q), self.g.left.cross(q));
        product_onto(&transposed(&self.g.core), &along, &mut core);
        add(1.0, self.v.times(&core).as_slice(), out.as_mut_slice());
        add(1.0, self.g.right.times(&along).as_slice(), out.as_mut_slice());
        Ok(out)
    }
}

/// `out += a b`.
fn product_onto(a: &Matrix<f64>, b: &Matrix<f64>, out: &mut Matrix<f64>) {
    use crate::base::dense::{Onto, gemm};
    gemm(out, Onto::Add, 1.0, a.view(), b.view());
}

fn orthonormal(x: &Factor<f64>) -> Result<Factor<f64>, CompletionError> {
    let (q, _) = x.orthonormal(x.width()).ok_or(DenseError::NotFinite)?;
    Ok(Factor::from_matrix(&q))
}

impl<'a, T: Entry> Irls<'a, T> {
    /// Nothing is computed yet. `evaluations`: how many certificates this run has computed before.
    pub fn new(
        problem: &'a Problem<'a, T>,
        options: &'a Options<T>,
        tol: f64,
        evaluations: u32,
    ) -> Result<Self, CompletionError> {
        let (m, n) = problem.shape();
        let (rows, k) = (problem.rows, options.rank.min(m).min(n));
        let y = rows.data().iter().map(|y| y.to_f64() * problem.unit).collect();
        Ok(Self {
            problem,
            options,
            ending: Ending::new(problem, options, tol, evaluations),
            pattern: Pattern::new(rows, None)?,
            y,
            u: Factor::zeros(m, k),
            s: vec![0.0; k],
            v: Factor::zeros(n, k),
            g: Coordinates::zeros(m, n, k),
            block: Factor::zeros(n, (k + EXTRA).min(m).min(n)),
            eps: f64::INFINITY,
            rel: 1.0,
            best: f64::INFINITY,
            closest: f64::INFINITY,
            waited: 0,
            polish: None,
            polishing: false,
        })
    }

    /// The relative residual.
    pub fn rel(&self) -> f64 {
        self.rel
    }

    /// The leading triples of X as the new factors, the next eps, and X's part in their tangent space.
    fn retract(
        &mut self,
        values: &[f64],
        rounds: usize,
        monitor: &mut Monitor<'_>,
    ) -> Result<(), CompletionError> {
        let k = self.u.width();
        let sum = Sum { pattern: &self.pattern, u: &self.u, v: &self.v, g: &self.g, values };
        let mut block = self.block.clone();
        for _ in 0..rounds {
            let q = orthonormal(&sum.times(&block, monitor)?)?;
            block = orthonormal(&sum.adjoint(&q, monitor)?)?;
        }
        let image = sum.times(&block, monitor)?;
        let parts = svd(image.to_matrix(image.width()).view())?;
        let cut = |x: &Matrix<f64>, k: usize| Matrix::from_fn(x.rows(), k, |i, l| x.get(i, l));
        let u = Factor::from_matrix(&cut(&parts.u, k));
        let turned = block.times(&cut(&parts.v, block.width()));
        let v = turned.with_width(k);
        let (xv, xtu) = (sum.times(&v, monitor)?, sum.adjoint(&u, monitor)?);
        let g = Sampling { pattern: &self.pattern, u: &u, v: &v }.project((xv, xtu));
        let next = parts.s.get(k).copied().unwrap_or(0.0);
        self.eps = self.eps.min(next).max(LAST * parts.s[0]);
        self.s = parts.s[..k].to_vec();
        (self.u, self.v, self.g, self.block) = (u, v, g, turned);
        Ok(())
    }

    /// Squares of what the rank-k part leaves unexplained.
    fn misfit(&self, monitor: &mut Monitor<'_>) -> Result<f64, Aborted> {
        let x = fitted(self.pattern.rows(), &self.left(), &self.v, monitor)?;
        Ok(x.iter().zip(&self.y).map(|(x, y)| (y - x) * (y - x)).sum())
    }

    /// `U S`.
    fn left(&self) -> Factor<f64> {
        let k = self.u.width();
        Factor::from_fn(self.u.rows(), k, |i, l| self.u.row(i)[l] * self.s[l])
    }

    /// Starts from the zero-filled matrix, or from given factors corrected at the entries.
    fn begin(&mut self, monitor: &mut Monitor<'_>) -> Result<(), CompletionError> {
        let (k, width) = (self.u.width(), self.block.width());
        let mut rng = Philox::new(SEED, 0, 0);
        for j in 0..self.block.rows() {
            self.block.row_mut(j)[..width].iter_mut().for_each(|x| *x = rng.normal());
        }
        let mut values = self.y.clone();
        if let Some((u, v)) = &self.options.start {
            let (left, s, right) = singular(u, v, k)?;
            let cut = |x: &Matrix<f64>| {
                Factor::from_fn(x.rows(), k, |i, l| if l < x.columns() { x.get(i, l) } else { 0.0 })
            };
            (self.u, self.v) = (cut(&left), cut(&right));
            for (l, s) in s.iter().take(k).enumerate() {
                self.s[l] = s * self.problem.unit;
                self.g.core.set(l, l, self.s[l]);
            }
            let x = fitted(self.pattern.rows(), &self.left(), &self.v, monitor)?;
            values.iter_mut().zip(&x).for_each(|(y, x)| *y -= x);
        }
        self.block = orthonormal(&self.block)?;
        self.retract(&values, FIRST_ROUNDS, monitor)
    }

    /// Solves for the weights of the present triples; the residual at the entries and the steps it took.
    fn solve(&mut self, monitor: &mut Monitor<'_>) -> Result<(Vec<f64>, usize), CompletionError> {
        let (m, n) = self.problem.shape();
        let (k, share) = (self.u.width(), self.y.len() as f64 / (m as f64 * n as f64));
        let (s, square) = (&self.s, self.eps * self.eps);
        // The smallest weight keeps a scale positive where a singular value has met eps.
        let least = 1e-14 * square;
        let scales = Scales {
            core: Matrix::from_fn(k, k, |i, j| (s[i] * s[j] - square).max(least).sqrt() / self.eps),
            sides: s.iter().map(|s| (s * self.eps - square).max(least).sqrt() / self.eps).collect(),
        };
        let condition = scales.map(|x| 1.0 / (1.0 + share * x * x));
        let undo = scales.map(|x| 1.0 / x);
        let sampling = Sampling { pattern: &self.pattern, u: &self.u, v: &self.v };
        let mut t = vec![0.0; self.y.len()];
        let residual = |g: &Coordinates, t: &mut [f64], monitor: &mut Monitor<'_>| -> Result<(), Aborted> {
            sampling.normal(g, t, monitor)?;
            t.iter_mut().zip(&self.y).for_each(|(t, y)| *t = y - *t);
            Ok(())
        };
        residual(&self.g, &mut t, monitor)?;
        let mut left = sampling.adjoint(&t, monitor)?.scaled(&scales);
        left.add(-1.0, &self.g.scaled(&undo));
        let mut z = left.scaled(&condition);
        let mut p = z.clone();
        let mut change = Coordinates::zeros(m, n, k);
        let mut rz = left.dot(&z);
        let enough = ETA * ETA * rz;
        let mut steps = 0;
        while steps < STEPS && rz > enough && rz > 0.0 && !monitor.expired() {
            let mut q = sampling.normal(&p.scaled(&scales), &mut t, monitor)?.scaled(&scales);
            q.add(1.0, &p);
            let curvature = p.dot(&q);
            if curvature.is_nan() || curvature <= 0.0 {
                break;
            }
            let alpha = rz / curvature;
            change.add(alpha, &p);
            left.add(-alpha, &q);
            z = left.scaled(&condition);
            let next = left.dot(&z);
            p.scale_add(next / rz, &z);
            rz = next;
            steps += 1;
        }
        let mut g = self.g.clone();
        g.add(1.0, &change.scaled(&scales));
        // Rounding must not carry the sides back into the span of the factors.
        for (side, q) in [(&mut g.left, &self.u), (&mut g.right, &self.v)] {
            let along = q.cross(side);
            subtract(side, q, &along);
        }
        residual(&g, &mut t, monitor)?;
        self.g = g;
        Ok((t, steps))
    }

    fn payload(&self) -> Payload<T> {
        let unit = self.problem.unit;
        let flat = |x: &Factor<f64>| {
            let k = x.width();
            (0..x.rows()).flat_map(|i| x.row(i)[..k].iter().map(|&x| T::from_f64(x))).collect()
        };
        Payload {
            m: self.u.rows(),
            n: self.v.rows(),
            u: flat(&self.u),
            s: self.s.iter().map(|s| T::from_f64(s / unit)).collect(),
            v: flat(&self.v),
            bias: None,
            mean: self.problem.mean,
        }
    }

    /// A Gauss-Newton step on the factors; false where it brings nothing.
    fn polish(&mut self, monitor: &mut Monitor<'_>) -> Result<(bool, usize), CompletionError> {
        if self.polish.is_none() {
            self.polish = Some(Polish::new(self.problem)?);
        }
        let Some(polish) = &self.polish else { return Ok((false, 0)) };
        let k = self.u.width();
        let root = |x: &Factor<f64>| Factor::from_fn(x.rows(), k, |i, l| x.row(i)[l] * self.s[l].sqrt());
        let at: Pair = (root(&self.u), root(&self.v));
        let found =
            polish.step(&at, (self.rel, self.ending.tol, self.rel > self.ending.tol.sqrt()), monitor)?;
        if let Some((u, v)) = &found.factors {
            let (left, s, right) = singular(u, v, k)?;
            (self.u, self.s, self.v) = (Factor::from_matrix(&left), s, Factor::from_matrix(&right));
        }
        Ok((found.factors.is_some(), found.steps))
    }
}

impl<T: Entry> Method<5> for Irls<'_, T> {
    type Solution = Solution<T>;
    type Error = CompletionError;
    const EXTRAS: [&'static str; 5] = super::solve::EXTRAS;

    fn init(&mut self, monitor: &mut Monitor<'_>) -> Result<Option<f64>, CompletionError> {
        if self.problem.squares == 0.0 {
            let zero = Payload::zero(self.problem.shape(), false, self.problem.mean);
            self.ending.status = Some(Status::Converged);
            return Ok(Some(self.ending.judge(zero, monitor)?));
        }
        self.begin(monitor)?;
        Ok(None)
    }

    fn step(&mut self, monitor: &mut Monitor<'_>) -> Result<Progress<5>, CompletionError> {
        let problem = self.problem;
        if problem.squares == 0.0 {
            return Ok(Progress { units: 1, bound: None, extras: [0.0, 0.0, 0.0, f64::NAN, 0.0] });
        }
        self.ending.judged = None;
        let mut moved = true;
        let steps = if self.polishing {
            let (better, steps) = self.polish(monitor)?;
            moved = better;
            steps
        } else {
            let (values, steps) = self.solve(monitor)?;
            self.retract(&values, ROUNDS, monitor)?;
            steps
        };
        let squares = self.misfit(monitor)?;
        self.rel = (squares / problem.squares).sqrt();
        if !self.rel.is_finite() {
            self.ending.status = Some(Status::Diverged);
        }
        if self.rel < (1.0 - if self.polishing { LOWER } else { 0.1 }) * self.best {
            (self.best, self.waited) = (self.rel, 0);
        } else {
            self.waited += 1;
        }
        let mut held = f64::NAN;
        if let Some(aside) = &self.options.held {
            let payload = self.payload();
            held = payload.rmse(aside);
            self.ending.hold(held, payload);
        }
        let tol = self.ending.tol;
        let spent = self.waited >= PATIENCE || self.eps <= 2.0 * LAST * self.s[0];
        let mut bound = None;
        if self.ending.certifies() && (self.rel <= 0.999 * tol || self.polishing) {
            let found = self.ending.judge(self.payload(), monitor)?;
            bound = Some(found);
            if found < (1.0 - CLOSER) * self.closest {
                (self.closest, self.waited) = (found, 0);
            }
        }
        if self.options.certify == Certify::None && tol > 0.0 && self.rel <= tol {
            self.ending.converge("the relative residual is at most tol");
        }
        if tol > 0.0 && self.ending.status.is_none() {
            if self.polishing && (!moved || self.waited >= PATIENCE) {
                self.ending.status = Some(Status::Stalled);
            } else if spent && !self.polishing {
                // The entries are not met: what is left is noise, and the factors settle where its gradient vanishes.
                (self.polishing, self.waited, self.best) = (true, 0, self.rel);
            }
        }
        let objective = 0.5 * squares / (problem.unit * problem.unit);
        Ok(Progress { units: 1, bound, extras: [objective, self.rel, 0.0, held, steps as f64] })
    }

    fn keep(&mut self) {
        self.ending.keep();
    }

    fn terminate(&mut self, _: &Monitor<'_>) -> Option<Status> {
        self.ending.status
    }

    fn finish(mut self, status: Status, monitor: Monitor<'_>) -> Result<Solution<T>, CompletionError> {
        self.ending.take().finish(status, true, || Ok(self.payload()), monitor)
    }
}
