//! Ascent by L-BFGS, then the repair, then the certificate.

use super::certify::certify;
use super::plan::Plan;
use super::problem::Problem;
use super::repair::Repair;
use super::semidual::SemiDual;
use crate::base::lbfgs::{Lbfgs, Objective, Step};
use crate::base::monitor::{Budget, Method, Monitor, Observer, Progress, drive};
use crate::base::outcome::Outcome;
use crate::base::status::Status;
use crate::base::sum::dot2;
use crate::ot::OtError;
use crate::ot::entry::Entry;

/// What is reported beside `nit`, `bound` and `elapsed`.
pub(super) const EXTRAS: [&str; 2] = ["marginal_error", "value"];
/// Steps that L-BFGS remembers.
pub(super) const MEMORY: usize = 10;
/// Steps over which the dual value or the bound must have moved.
const PATIENCE: u64 = 40;

const U: f64 = 0.5 * f64::EPSILON;

/// A coupling with few arcs a column.
#[derive(Debug, Clone)]
pub struct Solution {
    /// The coupling.
    pub plan: Plan,
    /// Its value, `<C, T> + gamma/2 |T|^2`.
    pub value: f64,
    /// Rigorous lower bound of the optimum.
    pub lower: f64,
    /// `|T 1 - a|_1`.
    pub row_error: f64,
    /// Potentials of the rows.
    pub alpha: Vec<f64>,
    /// Potentials of the columns: masses are `(alpha_i + beta_j - C_ij)_+ / gamma` on the best entries.
    pub beta: Vec<f64>,
    /// Evaluations of the dual.
    pub evaluations: u64,
    /// Passes over the cost; part of the columns counts as that part.
    pub passes: f64,
    /// How the run ended.
    pub outcome: Outcome,
}

/// The bound that the coupling of alpha has, for free: its value less the dual value is `<alpha, T 1 - a>`.
pub(super) struct BoundAt {
    pub row_error: f64,
    pub bound: f64,
}

impl BoundAt {
    pub fn new<T: Entry>(problem: &Problem<'_, T>, search: &Lbfgs) -> Self {
        let gradient = search.gradient();
        let row_error = gradient.iter().map(|g| g.abs()).sum::<f64>();
        let distance = dot2(search.x(), gradient).abs() / problem.scale;
        Self { row_error, bound: row_error.max(distance) / problem.mass }
    }
}

/// Maximises D.
struct Ascent<'a, T: Entry> {
    problem: &'a Problem<'a, T>,
    dual: SemiDual<'a, T>,
    search: Lbfgs,
    /// The point of the best bound, and that bound.
    kept: (Vec<f64>, f64),
    /// Value and bound some steps ago.
    mark: (f64, f64),
    steps: u64,
    stuck: bool,
}

impl<'a, T: Entry> Ascent<'a, T> {
    fn new(problem: &'a Problem<'a, T>, start: Option<&[f64]>) -> Self {
        let alpha = start.map_or_else(|| vec![0.0; problem.rows()], <[f64]>::to_vec);
        Self {
            problem,
            dual: SemiDual::new(problem),
            search: Lbfgs::new(alpha, MEMORY),
            kept: (Vec::new(), f64::INFINITY),
            mark: (f64::INFINITY, f64::INFINITY),
            steps: 0,
            stuck: false,
        }
    }

    /// What the rounding of the scores alone leaves of the row sums, relative to the mass.
    fn floor(&self) -> f64 {
        let largest = self.search.x().iter().fold(self.problem.largest, |l, x| l.max(x.abs()));
        let arcs = (self.problem.max_nnz * self.problem.columns()) as f64;
        let scores = (arcs * 2.0 * U * largest / self.problem.gamma).min(0.01 * self.problem.mass);
        scores / self.problem.mass + 16.0 * U
    }
}

impl<T: Entry> Method<2> for Ascent<'_, T> {
    type Solution = ();
    type Error = OtError;
    const EXTRAS: [&'static str; 2] = EXTRAS;

    fn init(&mut self, monitor: &mut Monitor<'_>) -> Result<Option<f64>, OtError> {
        self.search.start(&mut self.dual, monitor)?;
        Ok(Some(BoundAt::new(self.problem, &self.search).bound))
    }

    fn step(&mut self, monitor: &mut Monitor<'_>) -> Result<Progress<2>, OtError> {
        self.stuck = self.search.step(&mut self.dual, monitor)? == Step::Stuck;
        self.steps += 1;
        let at = BoundAt::new(self.problem, &self.search);
        Ok(Progress { units: 1, bound: Some(at.bound), extras: [at.row_error, -self.search.value()] })
    }

    fn keep(&mut self) {
        let bound = BoundAt::new(self.problem, &self.search).bound;
        self.kept.0.clear();
        self.kept.0.extend_from_slice(self.search.x());
        self.kept.1 = bound;
    }

    fn terminate(&mut self, monitor: &Monitor<'_>) -> Option<Status> {
        if monitor.bound() <= 16.0 * U {
            return Some(Status::Converged);
        }
        if self.steps.is_multiple_of(PATIENCE) {
            let (value, bound) = (self.search.value(), self.kept.1);
            let moved = 1e-6 * self.problem.scale * self.problem.mass;
            self.stuck |= value > self.mark.0 - moved && bound > 0.7 * self.mark.1;
            // At a kink the repair gains more than further steps: half of the budget is its.
            self.stuck |= 2 * self.steps > monitor.budget().maxiter && bound > 0.5 * self.mark.1;
            self.mark = (value, bound);
        }
        let end = if self.kept.1 <= self.floor() { Status::RoundingFloor } else { Status::DualityGap };
        self.stuck.then_some(end)
    }

    fn finish(self, _: Status, _: Monitor<'_>) -> Result<(), OtError> {
        unreachable!("a stage of solve, which finishes both")
    }
}

/// Solves the problem from `start` (0 if there is none).
pub fn solve<T: Entry>(
    problem: &Problem<'_, T>,
    start: Option<&[f64]>,
    budget: Budget,
    observer: &mut dyn Observer,
) -> Result<Solution, OtError> {
    let mut monitor = Monitor::new(budget, observer, &EXTRAS);
    let mut ascent = Ascent::new(problem, start);
    let mut status = drive(&mut ascent, &mut monitor)?;
    // `dual` holds the last point, whose dual value is the largest.
    let (mut alpha, mut theta) = (ascent.search.x().to_vec(), ascent.dual.thresholds());
    let mut evaluations = ascent.search.evaluations();
    let mut repaired = None;
    if status == Status::DualityGap {
        let value = -ascent.search.value();
        let mut repair = Repair::new(problem, &ascent.dual, &alpha, value, budget.tol);
        status = drive(&mut repair, &mut monitor)?;
        repaired = repair.best().filter(|(bound, _)| *bound < ascent.kept.1).map(|(_, plan)| plan.clone());
        evaluations += repair.evaluations();
    }
    let plan = match repaired {
        Some(plan) => plan,
        None => {
            if !ascent.kept.0.is_empty() && ascent.kept.0 != alpha {
                let mut gradient = vec![0.0; alpha.len()];
                ascent.dual.evaluate(&ascent.kept.0, &mut gradient, &mut monitor)?;
            }
            ascent.dual.plan()
        }
    };
    fill(problem, &mut alpha, &theta);
    theta.iter_mut().for_each(|t| *t = -*t);
    let mut beta = theta;
    centre(problem, &mut alpha, &mut beta);
    let judged = certify(problem, &plan, &alpha, &beta, &mut monitor)?;
    let outcome = Outcome::new(monitor.end(status), Some(judged.certificate));
    let outcome = explained(outcome, problem, judged.row_error);
    Ok(Solution {
        plan,
        value: judged.value,
        lower: judged.lower,
        row_error: judged.row_error,
        alpha,
        beta,
        evaluations,
        passes: ascent.dual.passes(),
        outcome,
    })
}

/// Rows of weight 0 get the largest potential at which no column would use them.
fn fill<T: Entry>(problem: &Problem<'_, T>, alpha: &mut [f64], theta: &[f64]) {
    for i in (0..alpha.len()).filter(|&i| problem.a[i] == 0.0) {
        let least = |least: f64, (j, theta): (usize, &f64)| {
            if problem.b[j] > 0.0 { least.min(theta + problem.cost.get(i, j)) } else { least }
        };
        let filled = theta.iter().enumerate().fold(f64::INFINITY, least);
        alpha[i] = if filled.is_finite() { filled } else { 0.0 };
    }
}

/// The package's gauge: `<alpha, a> = <beta, b>`.
fn centre<T: Entry>(problem: &Problem<'_, T>, alpha: &mut [f64], beta: &mut [f64]) {
    let shift = 0.5 * (dot2(beta, &problem.b) - dot2(alpha, problem.a)) / problem.mass;
    if shift.is_finite() {
        alpha.iter_mut().for_each(|x| *x += shift);
        beta.iter_mut().for_each(|x| *x -= shift);
    }
}

fn explained<T: Entry>(outcome: Outcome, problem: &Problem<'_, T>, row_error: f64) -> Outcome {
    let bound = outcome.certificate.as_ref().map_or(f64::NAN, |c| c.bound);
    match outcome.status {
        Status::DualityGap => {
            let (k, gamma) = (problem.max_nnz, problem.gamma);
            outcome.with_message(format!(
                "the best supports of {k} arcs a column tie: the gap stays open at {bound:.3e}, rows are off by \
                 {row_error:.3e}; raise max_nnz (now {k}) or gamma (now {gamma:?})"
            ))
        }
        Status::RoundingFloor => outcome.with_message(format!(
            "rounding allows no smaller bound than {bound:.3e} for these data; raise tol, gamma, or pass float64 arrays \
             if they are float32"
        )),
        _ => outcome,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::monitor::Silent;
    use crate::base::pool;
    use crate::base::rng::Philox;
    use crate::base::view::MatrixView;

    fn points(n: usize, m: usize, seed: u64) -> (Vec<f64>, Vec<f64>, Vec<f64>) {
        let mut rng = Philox::new(seed, 0, 0);
        let mut cloud = |n: usize| (0..n).map(|_| [rng.normal(), rng.normal()]).collect::<Vec<_>>();
        let (x, y) = (cloud(n), cloud(m));
        let square = |p: &[f64; 2], q: &[f64; 2]| (p[0] - q[0]).powi(2) + (p[1] - q[1]).powi(2);
        let cost = x.iter().flat_map(|p| y.iter().map(move |q| square(p, q))).collect();
        (cost, vec![1.0 / n as f64; n], vec![1.0 / m as f64; m])
    }

    fn run(n: usize, m: usize, k: usize, gamma: f64, workers: usize) -> Solution {
        let (cost, a, b) = points(n, m, 5);
        let mut silent = Silent;
        let mut monitor = Monitor::new(Budget::new(0.0, 1), &mut silent, &[]);
        let view = MatrixView::row_major(&cost, n, m).unwrap();
        let problem = Problem::new(view, &a, &b, k, gamma, &mut monitor).unwrap();
        pool::run(Some(workers), || solve(&problem, None, Budget::new(1e-8, 3000), &mut Silent)).unwrap()
    }

    #[test]
    fn without_a_limit_it_converges_and_the_bracket_is_closed() {
        let solution = run(60, 80, 60, 1.0, 1);
        assert!(solution.outcome.success, "{:?}", solution.outcome);
        assert!(solution.value - solution.lower >= -1e-12 && solution.value - solution.lower < 1e-6);
    }

    #[test]
    fn results_have_the_same_bits_for_any_number_of_threads() {
        let one = run(300, 200, 6, 30.0, 1);
        let three = run(300, 200, 6, 30.0, 3);
        assert_eq!(one.plan, three.plan);
        assert_eq!((one.alpha, one.beta, one.lower), (three.alpha, three.beta, three.lower));
    }

    #[test]
    fn lists_save_most_passes_and_change_nothing() {
        let solution = run(500, 300, 8, 30.0, 2);
        assert!(solution.passes < 0.7 * solution.evaluations as f64, "{}", solution.passes);
        assert!((0..300).all(|j| (1..=8).contains(&solution.plan.count(j))));
        assert!(solution.value >= solution.lower - 1e-9 || solution.row_error > 1e-9);
    }
}
