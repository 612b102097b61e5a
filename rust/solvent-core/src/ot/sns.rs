//! Sinkhorn-Newton-Sparse as its paper has it (Tang, Shavlovsky, Rahmanian, Tardini, Thekumparampil, Xiao, Ying, ICLR
//! 2024), for comparison: a fixed number of Sinkhorn steps at the reg asked for, then Newton's method on both sides'
//! potentials together, its Hessian cut to a fixed number of the plan's largest entries.
//!
//! Maximised is `<f, a> + <g, b> - reg sum P` with `P = exp((f + g - C)/reg)`, potentials folded; the Hessian is
//! `-[diag(r) P; P^T diag(c)]/reg`, r and c the sums of rows and columns. The diagonal keeps the full sums, so the cut
//! matrix stays positive semidefinite. What is cut stays cut: the rate is linear, with the dropped share as its factor,
//! where [`auto`](super::auto) keeps ever more. Tolerance of the linear solver, preconditioner and line search are
//! not fixed by the paper.

use super::OtError;
use super::auto::{Counts, EXTRAS, Judged, safe_columns};
use super::certify::judge;
use super::cg::{self, Operator};
use super::cost::Visit;
use super::newton::exact_columns;
use super::passes::{
    AddRows, Entry, Exponentials, GROUP, Swept, add_to, over_blocks, scale, start, sweep, together,
};
use super::problem::Problem;
use crate::base::error::Aborted;
use crate::base::monitor::{Method, Monitor, Progress};
use crate::base::status::Status;
use crate::base::sum::{Sum, dot2, sum};
use solvent_simd::dispatch;

/// Sinkhorn steps before Newton's.
pub const N_SINKHORN: u64 = 20;
/// Relative residual of the linear systems.
const ACCURACY: f64 = 1e-6;
/// Iterations of conjugate gradients a step, at most.
const ITERATIONS: u64 = 5000;
/// Share of the slope that a step must gain.
const ARMIJO: f64 = 1e-4;
/// Halvings of a step, at most.
const HALVINGS: u64 = 40;
/// How often the target is tightened because the certificate did not hold.
const TIGHTENINGS: u32 = 4;

/// An entry of the plan: row, column, value.
type Place = (u32, u32, f64);

/// The plan at some potentials, as far as a step needs it.
struct Plan {
    rows: Vec<f64>,
    columns: Vec<f64>,
    total: f64,
    /// At least the `keep` largest entries, unless `partly`.
    entries: Vec<Place>,
    /// Entries were left out because there were too many.
    partly: bool,
}

struct Block<'a> {
    f: &'a [f64],
    g: &'a [f64],
    reg: f64,
    least: f64,
    most: usize,
    buffer: Vec<f64>,
    rows: Vec<f64>,
    columns: Vec<f64>,
    entries: Vec<Place>,
}

impl Visit for Block<'_> {
    fn group<T: Entry>(&mut self, first: usize, rows: &[&[T]]) {
        let (count, m) = (rows.len(), self.g.len());
        let mut sums = [0.0; GROUP];
        let f = &self.f[first..first + count];
        let buffer = &mut self.buffer;
        dispatch(Exponentials { rows, f, g: self.g, scale: scale(self.reg), buffer, sums: &mut sums });
        let buffer = &self.buffer[..count * m];
        dispatch(AddRows { buffer, weights: &[1.0; GROUP][..count], out: &mut self.columns });
        for (r, p) in buffer.chunks_exact(m).enumerate() {
            if self.entries.len() > self.most {
                break;
            }
            let large = p.iter().enumerate().filter(|(_, p)| **p > self.least);
            self.entries.extend(large.map(|(j, &p)| ((first + r) as u32, j as u32, p)));
        }
        self.rows.extend_from_slice(&sums[..count]);
    }
}

/// One pass: sums, and the entries above `least` (a block stops to collect once it has `most`).
fn evaluate(
    problem: &Problem<'_>,
    f: &[f64],
    g: &[f64],
    least: f64,
    most: usize,
    monitor: &mut Monitor<'_>,
) -> Result<Plan, Aborted> {
    let m = g.len();
    let make = |_| Block {
        f,
        g,
        reg: problem.reg,
        least,
        most,
        buffer: vec![0.0; together(m) * m],
        rows: Vec::new(),
        columns: vec![0.0; m],
        entries: Vec::new(),
    };
    let mut all =
        Plan { rows: Vec::new(), columns: vec![0.0; m], total: 0.0, entries: Vec::new(), partly: false };
    over_blocks(problem.cost(), monitor, make, |block| {
        all.partly |= block.entries.len() > most;
        all.rows.extend(block.rows);
        add_to(&mut all.columns, &block.columns);
        if !all.partly {
            all.entries.extend(block.entries);
        }
    })?;
    all.total = sum(&all.rows);
    Ok(all)
}

/// `[diag(r) P; P^T diag(c)]`, P cut.
struct Joint<'a> {
    diagonal: &'a [f64],
    n: usize,
    starts: Vec<usize>,
    columns: Vec<u32>,
    values: Vec<f64>,
}

impl<'a> Joint<'a> {
    /// Keeps the `keep` largest of the entries, ties by their place.
    fn new(diagonal: &'a [f64], n: usize, mut entries: Vec<Place>, keep: usize) -> (Self, f64) {
        if entries.len() > keep && keep > 0 {
            entries.select_nth_unstable_by(keep - 1, |x, y| {
                y.2.total_cmp(&x.2).then((x.0, x.1).cmp(&(y.0, y.1)))
            });
            entries.truncate(keep);
        }
        let least = entries.iter().fold(f64::INFINITY, |m, e| m.min(e.2));
        entries.sort_unstable_by_key(|e| (e.0, e.1));
        let mut starts = vec![0; n + 1];
        entries.iter().for_each(|e| starts[e.0 as usize + 1] += 1);
        (0..n).for_each(|i| starts[i + 1] += starts[i]);
        let (columns, values) = entries.into_iter().map(|(_, j, p)| (j, p)).unzip();
        (Self { diagonal, n, starts, columns, values }, least)
    }
}

impl Operator for Joint<'_> {
    fn product(&self, x: &[f64], _: &mut Monitor<'_>) -> Result<Vec<f64>, Aborted> {
        let mut out: Vec<f64> = x.iter().zip(self.diagonal).map(|(x, d)| x * d).collect();
        let (of_rows, of_columns) = out.split_at_mut(self.n);
        let (x, y) = x.split_at(self.n);
        for i in 0..self.n {
            let (here, mut dot) = (x[i], 0.0);
            let range = self.starts[i]..self.starts[i + 1];
            for (&j, &p) in self.columns[range.clone()].iter().zip(&self.values[range]) {
                dot += p * y[j as usize];
                of_columns[j as usize] += p * here;
            }
            of_rows[i] += dot;
        }
        Ok(out)
    }
}

enum State {
    /// So many Sinkhorn steps were taken.
    Sinkhorn(u64),
    /// Newton goes on from here.
    Newton(Box<Plan>),
    /// The certificate is due.
    Judge(Box<Plan>),
}

/// The iteration's state. Potentials are folded.
pub struct Iteration<'p, 'a> {
    problem: &'p Problem<'a>,
    keep: usize,
    n_sinkhorn: u64,
    state: State,
    f: Vec<f64>,
    g: Vec<f64>,
    /// Entries below are not collected.
    least: f64,
    error: f64,
    goal: f64,
    tightened: u32,
    judged: Option<Judged>,
    verdict: Option<Status>,
    counts: Counts,
}

/// The share of the entries that the paper keeps, for n rows.
pub fn density(n: usize) -> f64 {
    2.0 / n as f64
}

impl<'p, 'a> Iteration<'p, 'a> {
    /// `share` is the share of the plan's entries that is kept; begins at `given` (not folded) or at 0.
    pub fn new(
        problem: &'p Problem<'a>,
        share: f64,
        n_sinkhorn: u64,
        given: Option<(Vec<f64>, Vec<f64>)>,
        tol: f64,
    ) -> Self {
        let (n, m) = (problem.a.len(), problem.b.len());
        let size = (n * m) as f64;
        let mass = problem.a.mass();
        let fold = |p: Vec<f64>, logs: &[f64]| -> Vec<f64> {
            p.iter().zip(logs).map(|(p, l)| p + problem.reg * l).collect()
        };
        let (f, g) = given.map_or_else(
            || (vec![0.0; n], vec![0.0; m]),
            |(f, g)| (fold(f, problem.a.logs()), fold(g, problem.b.logs())),
        );
        Self {
            problem,
            keep: ((share * size).ceil().min(size) as usize).max(1),
            n_sinkhorn,
            state: State::Sinkhorn(0),
            f,
            g,
            least: 0.1 * mass / size,
            error: f64::NAN,
            goal: if tol > 0.0 { 0.45 * tol * mass } else { 1e-11 * mass },
            tightened: 0,
            judged: None,
            verdict: None,
            counts: Counts { stages: 1, ..Counts::default() },
        }
    }

    fn error_of(&self, plan: &Plan) -> f64 {
        let l1 = |side: &super::side::Side, sums: &[f64]| {
            side.weights().iter().zip(sums).map(|(w, s)| (w - s).abs()).collect::<Sum>().value()
        };
        l1(&self.problem.a, &plan.rows) + l1(&self.problem.b, &plan.columns)
    }

    fn sinkhorn(&mut self, taken: u64, monitor: &mut Monitor<'_>) -> Result<(), OtError> {
        let (problem, reg) = (self.problem, self.problem.reg);
        let swept: Swept = if taken == 0 {
            start::<f64>(problem.cost(), &problem.a, &self.g, reg, monitor)?
        } else {
            sweep::<f64>(problem.cost(), &problem.a, &self.f, &self.g, reg, monitor)?
        };
        self.counts.passes += 1;
        if taken > 0 {
            self.error = problem.a.error(&self.f, &swept.sums, reg);
        }
        self.f = swept.f;
        self.g = match exact_columns(&problem.b, &self.g, &swept.columns, reg) {
            Some((g, _)) => g,
            None => {
                self.counts.passes += 2;
                safe_columns(problem, &self.f, reg, monitor)?
            }
        };
        self.state = State::Sinkhorn(taken + 1);
        Ok(())
    }

    /// The plan at the present potentials.
    fn enter(&mut self, monitor: &mut Monitor<'_>) -> Result<(), OtError> {
        let plan = evaluate(self.problem, &self.f, &self.g, self.least, usize::MAX, monitor)?;
        self.counts.passes += 1;
        self.arrive(plan);
        Ok(())
    }

    fn arrive(&mut self, plan: Plan) {
        self.error = self.error_of(&plan);
        let plan = Box::new(plan);
        self.state = if self.error <= self.goal { State::Judge(plan) } else { State::Newton(plan) };
    }

    /// The largest entries of the plan at the present potentials; more passes where the threshold was not right.
    fn complete(&mut self, plan: &mut Plan, monitor: &mut Monitor<'_>) -> Result<(), OtError> {
        while plan.partly || plan.entries.len() < self.keep && self.least > 0.0 {
            if !plan.partly {
                self.least = if self.least > 1e-290 { 1e-3 * self.least } else { 0.0 };
            }
            *plan = evaluate(self.problem, &self.f, &self.g, self.least, usize::MAX, monitor)?;
            self.counts.passes += 1;
        }
        Ok(())
    }

    fn newton(&mut self, mut plan: Plan, monitor: &mut Monitor<'_>) -> Result<(), OtError> {
        let (problem, reg) = (self.problem, self.problem.reg);
        self.complete(&mut plan, monitor)?;
        let (a, b) = (problem.a.weights(), problem.b.weights());
        let n = a.len();
        let diagonal: Vec<f64> =
            plan.rows.iter().chain(&plan.columns).map(|d| d.max(f64::MIN_POSITIVE)).collect();
        let rhs: Vec<f64> = a
            .iter()
            .zip(&plan.rows)
            .chain(b.iter().zip(&plan.columns))
            .map(|(weight, sum)| weight - sum)
            .collect();
        let (matrix, least) = Joint::new(&diagonal, n, std::mem::take(&mut plan.entries), self.keep);
        let (step, iterations) = cg::solve(&matrix, &diagonal, &rhs, ACCURACY, ITERATIONS, monitor)?;
        self.counts.newton_steps += 1;
        self.counts.cg_steps += iterations;
        if least.is_finite() {
            self.least = 0.25 * least;
        }
        let slope = reg * dot2(&rhs, &step);
        if !(slope > 0.0 && slope.is_finite()) {
            self.verdict = Some(Status::Stalled);
            return Ok(());
        }
        let size = dot2(&self.f.iter().map(|f| f.abs()).collect::<Vec<_>>(), a)
            + dot2(&self.g.iter().map(|g| g.abs()).collect::<Vec<_>>(), b);
        let slack = 4.0 * f64::EPSILON * (size + reg * plan.total);
        let most = 8 * self.keep + 4096;
        let mut length = 1.0;
        for halving in 0..=HALVINGS {
            let moved = |p: &[f64], d: &[f64]| -> Vec<f64> {
                p.iter().zip(d).map(|(p, d)| p + length * reg * d).collect()
            };
            let (f, g) = (moved(&self.f, &step[..n]), moved(&self.g, &step[n..]));
            let trial = evaluate(problem, &f, &g, self.least, most, monitor)?;
            self.counts.passes += 1;
            let gained =
                length * reg * (dot2(a, &step[..n]) + dot2(b, &step[n..])) - reg * (trial.total - plan.total);
            if gained >= ARMIJO * length * slope - slack {
                (self.f, self.g) = (f, g);
                self.counts.backtracks += halving;
                self.arrive(trial);
                return Ok(());
            }
            if monitor.expired() {
                break;
            }
            length *= 0.5;
        }
        self.counts.backtracks += HALVINGS;
        self.verdict = Some(Status::Stalled);
        Ok(())
    }

    fn judge(&mut self, monitor: &mut Monitor<'_>) -> Result<Judged, OtError> {
        let (a, b, reg) = (&self.problem.a, &self.problem.b, self.problem.reg);
        let unfold = |p: &[f64], logs: &[f64]| p.iter().zip(logs).map(|(p, l)| p - reg * l).collect();
        let mut f: Vec<f64> = unfold(&self.f, a.logs());
        let mut g: Vec<f64> = unfold(&self.g, b.logs());
        let shift = (dot2(&g, b.weights()) - dot2(&f, a.weights())) / (2.0 * a.mass());
        f.iter_mut().for_each(|f| *f += shift);
        g.iter_mut().for_each(|g| *g -= shift);
        self.counts.passes += 2;
        let bracket = judge(self.problem, &f, &g, monitor)?;
        Ok(Judged { f, g, lam: 0.0, bracket })
    }

    fn end(&mut self, plan: Box<Plan>, monitor: &mut Monitor<'_>) -> Result<f64, OtError> {
        let judged = self.judge(monitor)?;
        let spread = self.problem.spread();
        let bound = judged.bracket.bound(spread);
        let at_floor = judged.bracket.error() <= 4.0 * judged.bracket.doubt;
        if self.judged.as_ref().is_none_or(|old| bound < old.bracket.bound(spread)) {
            self.judged = Some(judged);
        }
        self.tightened += 1;
        self.goal *= 0.1;
        self.verdict = if at_floor {
            Some(Status::RoundingFloor)
        } else {
            (self.tightened > TIGHTENINGS).then_some(Status::Stalled)
        };
        self.state = State::Newton(plan);
        Ok(bound)
    }

    /// The dual value.
    fn value(&self) -> f64 {
        let (a, b, reg) = (&self.problem.a, &self.problem.b, self.problem.reg);
        let total = match &self.state {
            State::Newton(plan) | State::Judge(plan) => plan.total,
            State::Sinkhorn(_) => b.mass(),
        };
        dot2(&self.f, a.weights()) + dot2(&self.g, b.weights())
            - reg * (dot2(a.logs(), a.weights()) + dot2(b.logs(), b.weights()))
            - reg * (total - a.mass() * b.mass())
    }

    /// What ended it, other than the budget.
    pub fn verdict(&self) -> Option<Status> {
        self.verdict
    }

    /// The answer: what was judged, or else what there is, judged now.
    pub fn conclude(&mut self, monitor: &mut Monitor<'_>) -> Result<(Judged, Counts), OtError> {
        let judged = match self.judged.take() {
            Some(judged) => judged,
            None => self.judge(monitor)?,
        };
        Ok((judged, self.counts))
    }
}

impl Method<3> for Iteration<'_, '_> {
    type Solution = (Judged, Counts);
    type Error = OtError;
    const EXTRAS: [&'static str; 3] = EXTRAS;

    fn init(&mut self, _: &mut Monitor<'_>) -> Result<Option<f64>, OtError> {
        Ok(None)
    }

    /// A Sinkhorn step (no unit of work) or a Newton step (one).
    fn step(&mut self, monitor: &mut Monitor<'_>) -> Result<Progress<3>, OtError> {
        let steps = self.counts.newton_steps;
        let mut bound = None;
        match std::mem::replace(&mut self.state, State::Sinkhorn(u64::MAX)) {
            State::Sinkhorn(taken) if taken < self.n_sinkhorn => self.sinkhorn(taken, monitor)?,
            State::Sinkhorn(_) => self.enter(monitor)?,
            State::Newton(plan) => self.newton(*plan, monitor)?,
            State::Judge(plan) => bound = Some(self.end(plan, monitor)?),
        }
        if let State::Judge(_) = self.state
            && let State::Judge(plan) = std::mem::replace(&mut self.state, State::Sinkhorn(u64::MAX))
        {
            bound = Some(self.end(plan, monitor)?);
        }
        let extras = [self.error, self.value(), self.problem.reg];
        Ok(Progress { units: self.counts.newton_steps - steps, bound, extras })
    }

    fn terminate(&mut self, _: &Monitor<'_>) -> Option<Status> {
        self.verdict
    }

    fn finish(mut self, _: Status, mut monitor: Monitor<'_>) -> Result<Self::Solution, OtError> {
        self.conclude(&mut monitor)
    }
}

#[cfg(test)]
mod tests {
    use crate::base::monitor::{Budget, Silent};
    use crate::base::rng::Philox;
    use crate::base::status::Status;
    use crate::base::view::MatrixView;
    use crate::ot::problem::{Ground, Terms};
    use crate::ot::solve::{Method, Options, Transport, solve};

    const HARD: Terms = Terms { reg: 0.02, tau_a: f64::INFINITY, tau_b: f64::INFINITY, mass: None };

    fn run(c: &[f64], (a, b): (&[f64], &[f64]), density: f64, n_sinkhorn: u64, maxiter: u64) -> Transport {
        let view = MatrixView::row_major(c, a.len(), b.len()).unwrap();
        let method = Method::Sns { density: Some(density), n_sinkhorn: Some(n_sinkhorn) };
        let options = Options { method, first: None, start: None, budget: Budget::new(1e-9, maxiter) };
        solve(Ground::F64(view), a, b, HARD, &options, &mut Silent).unwrap()
    }

    fn data(n: usize, m: usize) -> (Vec<f64>, Vec<f64>, Vec<f64>) {
        let mut stream = Philox::new(3, 0, 0);
        let mut some = |n: usize| -> Vec<f64> { (0..n).map(|_| 0.1 + stream.uniform()).collect() };
        let (c, a, mut b) = (some(n * m), some(n), some(m));
        let ratio = a.iter().sum::<f64>() / b.iter().sum::<f64>();
        b.iter_mut().for_each(|b| *b *= ratio);
        (c, a, b)
    }

    /// l1 errors of both marginals, in plain loops.
    fn error(c: &[f64], a: &[f64], b: &[f64], it: &Transport) -> f64 {
        let m = b.len();
        let p = |i: usize, j: usize| a[i] * b[j] * ((it.f[i] + it.g[j] - c[i * m + j]) / HARD.reg).exp();
        let rows = (0..a.len()).map(|i| ((0..m).map(|j| p(i, j)).sum::<f64>() - a[i]).abs());
        let columns = (0..m).map(|j| ((0..a.len()).map(|i| p(i, j)).sum::<f64>() - b[j]).abs());
        rows.sum::<f64>() + columns.sum::<f64>()
    }

    #[test]
    fn the_whole_hessian_converges_fast_and_a_part_of_it_linearly() {
        for (n, m) in [(40, 40), (30, 50), (70, 20)] {
            let (c, a, b) = data(n, m);
            let mass: f64 = a.iter().sum();
            let whole = run(&c, (&a, &b), 1.0, 20, 200);
            assert_eq!(whole.outcome.status, Status::Converged, "{n} {m}");
            assert!(error(&c, &a, &b, &whole) <= 2e-9 * mass);
            assert!(whole.counts.newton_steps <= 12 && whole.outcome.nit == whole.counts.newton_steps);
            let part = run(&c, (&a, &b), 4.0 / n as f64, 20, 200);
            assert!(part.counts.newton_steps > whole.counts.newton_steps);
            assert!(error(&c, &a, &b, &part) < 0.2 * mass);
            let close = (whole.figures.value - part.figures.value).abs();
            assert!(part.outcome.status != Status::Converged || close < 1e-8 * mass);
        }
    }

    #[test]
    fn the_budget_is_newton_steps_and_ascent_never_falls_back() {
        let (c, a, b) = data(40, 40);
        let mut before = f64::NEG_INFINITY;
        for maxiter in 0..6 {
            let it = run(&c, (&a, &b), 0.1, 5, maxiter);
            assert_eq!(it.outcome.nit, maxiter);
            assert!(it.figures.value >= before - 1e-12, "{maxiter}");
            before = if maxiter > 0 { it.figures.value } else { before };
        }
        // No Sinkhorn step at all.
        assert_eq!(run(&c, (&a, &b), 1.0, 0, 200).outcome.status, Status::Converged);
    }

    #[test]
    fn other_problems_are_refused() {
        let view = MatrixView::row_major(&[0.0, 1.0], 1, 2).unwrap();
        let method = Method::Sns { density: None, n_sinkhorn: None };
        let options = Options { method, first: None, start: None, budget: Budget::new(1e-9, 10) };
        for terms in [Terms { tau_a: 1.0, ..HARD }, Terms { mass: Some(0.5), ..HARD }] {
            let refused = solve(Ground::F64(view), &[1.0], &[0.5, 0.5], terms, &options, &mut Silent);
            assert!(refused.unwrap_err().to_string().starts_with("method = 'sns'"));
        }
    }
}
