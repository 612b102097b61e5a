//! The door: from data to potentials with a certificate.

use super::OtError;
use super::auto::{Counts, EXTRAS, Judged};
use super::certify::{self, Bracket};
use super::flow::Obstruction;
use super::iteration::{Iteration, check};
use super::partial;
use super::problem::{Ground, Problem, Terms};
use crate::base::certificate::Certificate;
use crate::base::monitor::{self, Budget, Info, Latch, Monitor, Observer, Progress, Signal};
use crate::base::outcome::Outcome;
use crate::base::status::Status;

/// Which iteration.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Method {
    /// Annealed Sinkhorn-Newton.
    Auto,
    /// Annealed Sinkhorn.
    Sinkhorn,
    /// Sinkhorn, then Newton with a fixed number of entries: the paper's method. Balanced problems only.
    Sns {
        /// The share of the plan's entries that is kept; `None` = 2/n.
        density: Option<f64>,
        /// Sinkhorn steps; `None` = 20.
        n_sinkhorn: Option<u64>,
    },
}

/// How to solve.
#[derive(Debug, Clone)]
pub struct Options {
    /// The iteration.
    pub method: Method,
    /// The first reg; `None` = by the spread of the costs; the last one or less = no annealing.
    pub first: Option<f64>,
    /// Potentials to begin with.
    pub start: Option<(Vec<f64>, Vec<f64>)>,
    /// How far to go, in passes (`Sns`: in Newton steps).
    pub budget: Budget,
}

/// The answer, in the caller's order.
#[derive(Debug, Clone)]
pub struct Transport {
    /// The rows' potentials.
    pub f: Vec<f64>,
    /// The columns'.
    pub g: Vec<f64>,
    /// Partial transport: the level; nan elsewhere.
    pub lam: f64,
    /// Value, cost and errors of the plan.
    pub figures: Figures,
    /// Why no plan exists, where the status says so.
    pub obstruction: Option<Obstruction>,
    /// What was done.
    pub counts: Counts,
    /// How it ended, and what is proven.
    pub outcome: Outcome,
}

/// What is said of a plan beside its certificate.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Figures {
    /// The dual value.
    pub value: f64,
    /// `<C, P>`.
    pub cost: f64,
    /// l1 error of the rows' marginal.
    pub error_a: f64,
    /// l1 error of the columns' marginal; partial transport: and that of the mass.
    pub error_b: f64,
}

fn figures(bracket: &Bracket, transposed: bool) -> Figures {
    let (error_a, error_b) = bracket.errors_of(transposed);
    Figures { value: bracket.value, cost: bracket.cost, error_a, error_b }
}

/// What potentials of positive weights prove; `lam` is of partial transport.
fn judge(
    problem: &Problem<'_>,
    f: &[f64],
    g: &[f64],
    lam: f64,
    monitor: &mut Monitor<'_>,
) -> Result<Bracket, OtError> {
    if problem.mass.is_some() {
        partial::certify::judge(problem, f, g, lam, monitor)
    } else {
        certify::judge(problem, f, g, monitor)
    }
}

/// One problem's run. The method works on the problem or, where that is much smaller a system, across it; the
/// certificate is always of the caller's own layout.
struct Run<'p, 'a> {
    problem: &'p Problem<'a>,
    flipped: bool,
    iteration: Iteration<'p, 'a>,
    tol: f64,
}

impl<'p, 'a> Run<'p, 'a> {
    fn new(problem: &'p Problem<'a>, across: Option<&'p Problem<'a>>, options: &Options) -> Self {
        let flipped = across.is_some();
        let start = options.start.as_ref().map(|(f, g)| {
            let (f, g) = problem.restrict(f, g);
            if flipped { (g, f) } else { (f, g) }
        });
        let tol = options.budget.tol;
        let iteration = Iteration::new(problem, across.unwrap_or(problem), options, start);
        Self { problem, flipped, iteration, tol }
    }
}

impl monitor::Method<3> for Run<'_, '_> {
    type Solution = Transport;
    type Error = OtError;
    const EXTRAS: [&'static str; 3] = EXTRAS;

    fn init(&mut self, monitor: &mut Monitor<'_>) -> Result<Option<f64>, OtError> {
        self.iteration.init(monitor)
    }

    fn step(&mut self, monitor: &mut Monitor<'_>) -> Result<Progress<3>, OtError> {
        let progress = self.iteration.step(monitor)?;
        // The last step may take a pass or two more than the budget holds; `passes` counts them all.
        Ok(Progress { units: progress.units.min(monitor.remaining()), ..progress })
    }

    fn terminate(&mut self, monitor: &Monitor<'_>) -> Option<Status> {
        self.iteration.terminate(monitor)
    }

    fn finish(mut self, status: Status, mut monitor: Monitor<'_>) -> Result<Transport, OtError> {
        let problem = self.problem;
        let (Judged { mut f, mut g, lam, mut bracket }, counts) = self.iteration.conclude(&mut monitor)?;
        let obstruction = self.iteration.obstruction().cloned();
        if self.flipped && !self.iteration.hopeless() {
            (f, g) = (g, f);
            bracket = judge(problem, &f, &g, lam, &mut monitor)?;
        }
        let mut certificate = bracket.certificate(problem);
        if let Some(it) = &obstruction {
            certificate.bound = f64::INFINITY;
            certificate = certificate.part("excess", it.excess);
        }
        let figures = figures(&bracket, problem.transposed);
        let (mut f, mut g) = problem.extend(f, g, &mut monitor)?;
        if problem.mass.is_some() {
            problem.cap_absent(&mut f, &mut g, lam);
        }
        let mut outcome = Outcome::new(monitor.end(status), Some(certificate));
        if self.tol == 0.0 {
            outcome.success = bracket.doubt.is_finite() && bracket.error() <= 4.0 * bracket.doubt;
        }
        if outcome.status == Status::RoundingFloor {
            outcome.message = format!(
                "rounding allows no bound below {:.1e} at this reg, and the bound is {:.1e}; raise reg or tol",
                bracket.floor(),
                outcome.certificate.as_ref().map_or(f64::NAN, |c| c.bound)
            );
        }
        if let (Status::Infeasible, Some(it)) = (outcome.status, &obstruction) {
            outcome.message = it.describe(problem.mass.is_some());
        }
        let lam = if problem.mass.is_some() { lam } else { f64::NAN };
        Ok(Transport { f, g, lam, figures, obstruction, counts, outcome })
    }
}

/// Solves one problem. O(nm) time a pass, O(n + m) memory beside the cost and the plan's support.
pub fn solve(
    ground: Ground<'_>,
    a: &[f64],
    b: &[f64],
    terms: Terms,
    options: &Options,
    observer: &mut dyn Observer,
) -> Result<Transport, OtError> {
    let mut monitor = Monitor::new(options.budget, observer, &EXTRAS);
    let problem = Problem::new(ground, a, b, terms, &mut monitor)?;
    check(options.method, &problem)?;
    let across = across(&problem);
    let mut run = Run::new(&problem, across.as_ref(), options);
    let status = monitor::drive(&mut run, &mut monitor)?;
    monitor::Method::finish(run, status, monitor)
}

/// One problem of a batch.
#[derive(Debug, Clone)]
pub struct Item<'a> {
    /// Its cost.
    pub ground: Ground<'a>,
    /// The rows' weights.
    pub a: &'a [f64],
    /// The columns' weights.
    pub b: &'a [f64],
    /// Its regularisation and penalties.
    pub terms: Terms,
}

/// Below this many entries problems are shared among the threads, above it the passes of one problem at a time.
const SMALL: usize = 1 << 16;

/// Solves many problems, each with the bits that [`solve`] gives it.
pub fn solve_batch(
    items: &[Item<'_>],
    options: &Options,
    observer: &mut dyn Observer,
) -> Result<Vec<Transport>, OtError> {
    let mut problems = Vec::with_capacity(items.len());
    for it in items {
        let mut monitor = Monitor::new(Budget::new(0.0, 1), &mut *observer, &[]);
        let problem = Problem::new(it.ground.clone(), it.a, it.b, it.terms, &mut monitor)?;
        check(options.method, &problem)?;
        problems.push(problem);
    }
    let flipped: Vec<_> = problems.iter().map(across).collect();
    let make = |i: usize| Run::new(&problems[i], flipped[i].as_ref(), options);
    let small = problems.iter().all(|p| p.cost().shape().0 * p.cost().shape().1 < SMALL);
    if small {
        return monitor::solve_each(items.len(), make, options.budget, observer);
    }
    let mut latch = Latch::new(observer);
    let started = std::time::Instant::now();
    let mut solved = Vec::with_capacity(items.len());
    for i in 0..items.len() {
        let left = options.budget.maxtime.map(|limit| (limit - started.elapsed().as_secs_f64()).max(0.0));
        let mut of_one = Indexed { index: i, latch: &mut latch };
        solved.push(monitor::solve(make(i), Budget { maxtime: left, ..options.budget }, &mut of_one)?);
    }
    Ok(solved)
}

/// Adds the problem's index to its reports.
struct Indexed<'a, 'b> {
    index: usize,
    latch: &'a mut Latch<'b>,
}

impl Observer for Indexed<'_, '_> {
    fn poll(&mut self) -> Signal {
        self.latch.poll()
    }

    fn report(&mut self, info: &Info<'_>) -> Signal {
        self.latch.report(&Info { index: Some(self.index), ..*info })
    }
}

/// The problem with rows and columns exchanged, where that makes Newton's system much smaller.
fn across<'a>(problem: &Problem<'a>) -> Option<Problem<'a>> {
    let (n, m) = problem.cost().shape();
    (2 * n > 3 * m).then(|| problem.exchanged())
}

/// The certificate of any potentials, in the caller's order, and what they say.
#[allow(clippy::too_many_arguments, reason = "the data, the potentials, the watcher")]
pub fn certify(
    ground: Ground<'_>,
    a: &[f64],
    b: &[f64],
    terms: Terms,
    f: &[f64],
    g: &[f64],
    lam: f64,
    observer: &mut dyn Observer,
) -> Result<(Certificate, Figures), OtError> {
    let mut monitor = Monitor::new(Budget::new(0.0, 1), observer, &[]);
    let problem = Problem::new(ground, a, b, terms, &mut monitor)?;
    let (f, g) = problem.restrict(f, g);
    let bracket = judge(&problem, &f, &g, lam, &mut monitor)?;
    Ok((bracket.certificate(&problem), figures(&bracket, problem.transposed)))
}

/// A feasible plan close to the potentials', in the caller's order:
/// `theta a_i b_j exp((f_i + g_j - C_ij)/reg) + u_i w_j`, or with flows along single arcs in the last term's place.
#[derive(Debug, Clone)]
pub struct Feasible {
    /// Potentials of the rows, not folded; -inf where the weight is 0.
    pub f: Vec<f64>,
    /// Of the columns.
    pub g: Vec<f64>,
    /// At most 1.
    pub theta: f64,
    /// What the rows lack.
    pub u: Vec<f64>,
    /// What the columns lack, as shares of the whole.
    pub w: Vec<f64>,
    /// `(row, column, flow)`.
    pub flows: Vec<(usize, usize, f64)>,
}

/// Rounds the plan of any potentials to the marginals. The level `lam` is of partial transport; the plan's g contains it.
#[allow(clippy::too_many_arguments, reason = "the data, the potentials, the watcher")]
pub fn feasible(
    ground: Ground<'_>,
    a: &[f64],
    b: &[f64],
    terms: Terms,
    f: &[f64],
    g: &[f64],
    lam: f64,
    observer: &mut dyn Observer,
) -> Result<Feasible, OtError> {
    let mut monitor = Monitor::new(Budget::new(0.0, 1), observer, &[]);
    let problem = Problem::new(ground, a, b, terms, &mut monitor)?;
    let (f, g) = problem.restrict(f, g);
    let rounded = judge(&problem, &f, &g, lam, &mut monitor)?.rounded;
    let (rows, columns) = problem.kept();
    let (n, m) = problem.whole().shape();
    let spread = |part: &[f64], kept: &[usize], n: usize, other: f64| {
        let mut all = vec![other; n];
        kept.iter().zip(part).for_each(|(&i, &p)| all[i] = p);
        all
    };
    let unfold = |p: &[f64], logs: &[f64]| -> Vec<f64> {
        p.iter().zip(logs).map(|(p, l)| p - problem.reg * l).collect()
    };
    let f = spread(&unfold(&rounded.f, problem.a.logs()), rows, n, f64::NEG_INFINITY);
    let g = spread(&unfold(&rounded.g, problem.b.logs()), columns, m, f64::NEG_INFINITY);
    let total: f64 = rounded.w.iter().sum();
    let share: Vec<f64> = rounded.w.iter().map(|w| w / total.max(f64::MIN_POSITIVE)).collect();
    let (mut u, mut w) = (spread(&rounded.u, rows, n, 0.0), spread(&share, columns, m, 0.0));
    let mut flows = Vec::new();
    if problem.forbidden {
        u.fill(0.0);
        w.fill(0.0);
        for (i, j, flow) in rounded.flows.unwrap_or_default() {
            let (i, j) = (rows[i as usize], columns[j as usize]);
            flows.push(if problem.transposed { (j, i, flow) } else { (i, j, flow) });
        }
    }
    Ok(if problem.transposed {
        Feasible { f: g, g: f, theta: rounded.theta, u: w, w: u, flows }
    } else {
        Feasible { f, g, theta: rounded.theta, u, w, flows }
    })
}
