//! The method as the one loop sees it: a step is a block of iterations and one look at where it got.

use super::LpError;
use super::certify::certify;
use super::clean::feasible_point;
use super::lift::Lift;
use super::polish;
use super::proximal::{self, proximal};
use super::rays::{Proof, Ray};
use super::run::{Measures, Run};
use super::solve::{Options, Polish};
use super::step::Engine;
use crate::base::monitor::{Method, Monitor, Progress};
use crate::base::status::Status;
use std::sync::Arc;

/// What is reported beside `nit`, `bound` and `elapsed`.
pub const EXTRAS: [&str; 5] = ["primal", "dual", "gap", "omega", "restarts"];
/// Iterations without a new best bound after which the weight is reset, and then the run ended: this many or half of
/// all, whichever is more.
const PATIENCE: u64 = 50_000;
/// Looks between searches for rays.
const RAY_EVERY: u64 = 4;
/// Violation per value from which on a ray is a candidate.
const CANDIDATE: f64 = 1e-8;
/// A proof whose value is a smaller share of what it was summed from tells of rounded data: the tolerance decides then.
pub const MARGIN: f64 = 1e-12;
/// Iterations that are added, at least, where a candidate cannot be made exact.
const GRACE: u64 = 2000;
/// Looks at which the cheap measures met the tolerance and the certificate on the original data did not.
const MISSES: u32 = 16;
/// Iterations after which exact proximal steps are tried, and by how much later the next try is.
const EXACT_AFTER: u64 = 4096;
const EXACT_AGAIN: u64 = 4;
/// The change of a residual by f32 values, as a share of the tolerance or the residual, from which on f64 is used.
const COARSE: f64 = 0.1;

/// A primal-dual pair in the caller's order and units.
#[derive(Debug, Clone, Default)]
pub struct Pair {
    /// Variables.
    pub x: Vec<f64>,
    /// Multipliers.
    pub y: Vec<f64>,
}

/// The best so far: a pair of the original problem, or an iterate, which is lifted once, at the end.
enum Kept {
    Given(Pair),
    Iterate(Vec<f64>, Vec<f64>),
}

/// Restarted reflected Halpern PDHG on one problem.
pub struct Pdhg<'a> {
    lift: &'a Lift<'a>,
    /// The scaled matrix.
    pub engine: Arc<Engine>,
    /// The iteration.
    pub run: Run,
    /// The best pair so far, of the iterated problem; or the start, of the original one.
    kept: Option<Kept>,
    /// The best ray, if a candidate was met.
    pub ray: Option<Ray>,
    /// A point that satisfies everything exactly, beside an exact recession direction.
    pub feasible: Option<Vec<f64>>,
    check_every: u64,
    tol: f64,
    start: Option<Pair>,
    looks: u64,
    /// The least bound at which rays were due.
    searched: f64,
    /// Iterations when the best bound was met, and whether patience ended once already.
    progress: u64,
    warned: bool,
    verdict: Option<Status>,
    /// When to give up making a candidate exact, and when to try next.
    deadline: Option<u64>,
    next_try: u64,
    misses: u32,
    /// When exact proximal steps are tried next; `None`: never.
    exact_at: Option<u64>,
    /// What they came to, where that meets the tolerance.
    exact: Option<Pair>,
    /// When a pair whose gap alone is too large is polished next, for bounds that are far; `None`: never.
    lean_at: Option<u64>,
    /// The bound that the last one came to.
    leaned: f64,
    /// Whether the run ended because the reduced problem's answers do not serve the original.
    pub misfit: bool,
}

impl<'a> Pdhg<'a> {
    /// At a start (of the original problem), or at 0; for a tolerance.
    pub fn new(
        lift: &'a Lift<'a>,
        engine: Arc<Engine>,
        start: Option<Pair>,
        options: Options,
        tol: f64,
    ) -> Self {
        let exact = options.polish != Polish::Never && tol > 0.0 && proximal::suits(lift.original);
        let begin = start.as_ref().map(|pair| lift.start(pair));
        let given = begin.as_ref().map(|pair| (pair.x.as_slice(), pair.y.as_slice()));
        let run = Run::new(lift.iterated(), &engine, given);
        Self {
            lift,
            engine,
            run,
            kept: None,
            ray: None,
            feasible: None,
            check_every: options.check_every,
            tol,
            start,
            looks: 0,
            searched: f64::INFINITY,
            progress: 0,
            warned: false,
            verdict: None,
            deadline: None,
            next_try: 0,
            misses: 0,
            exact_at: exact.then_some(EXACT_AFTER),
            exact: None,
            lean_at: (options.polish != Polish::Never && tol > 0.0 && polish::has_far_bounds(lift.original))
                .then_some(EXACT_AFTER),
            leaned: f64::INFINITY,
            misfit: false,
        }
    }

    /// The best pair, of the original problem.
    pub fn best(&self) -> Pair {
        match &self.kept {
            Some(Kept::Given(pair)) => pair.clone(),
            Some(Kept::Iterate(x, y)) => self.lift.pair(x.clone(), y.clone()),
            None => self.pair(),
        }
    }

    /// The last pair, of the original problem.
    fn pair(&self) -> Pair {
        let (x, y) = self.run.solution(self.lift.iterated(), &self.engine);
        self.lift.pair(x, y)
    }

    /// The certificate's bound where the cheap measures meet the tolerance; those measures elsewhere.
    fn bound(&mut self, measures: &Measures, monitor: &mut Monitor<'_>) -> Result<f64, LpError> {
        let cheap = measures.worst();
        if !(self.tol > 0.0 && cheap <= self.tol) {
            return Ok(cheap);
        }
        let pair = self.pair();
        let bound = certify(self.lift.original, &pair.x, &pair.y, monitor)?.certificate.bound;
        if bound > self.tol && self.engine.single {
            self.engine = Arc::new(self.engine.widened(self.lift.iterated()));
        } else if bound > self.tol {
            self.misses += 1;
            if self.misses >= MISSES && self.lift.reductions.is_some() {
                self.misfit = true;
                self.verdict = Some(Status::Stalled);
            }
        }
        Ok(bound)
    }

    /// Exact proximal steps from the best pair, where the iterations have turned for long: the bound that they reach, if
    /// it meets the tolerance.
    fn end_exactly(&mut self, monitor: &mut Monitor<'_>) -> Result<Option<f64>, LpError> {
        if self.ray.is_some() || self.exact_at.is_none_or(|at| self.run.total < at) {
            return Ok(None);
        }
        self.exact_at = Some(EXACT_AGAIN * self.run.total);
        let pair = self.best();
        let judged = certify(self.lift.original, &pair.x, &pair.y, monitor)?;
        let found = proximal(self.lift.original, &pair, &judged, self.tol, monitor)?;
        let Some((pair, judged)) = found.filter(|(_, it)| it.certificate.bound <= self.tol) else {
            return Ok(None);
        };
        self.exact = Some(pair);
        Ok(Some(judged.certificate.bound))
    }

    /// The equations of the active set, where the gap alone is too large and bounds are far: the dual objective then pays
    /// for the last digits of the reduced costs.
    fn end_leaning(
        &mut self,
        measures: &Measures,
        monitor: &mut Monitor<'_>,
    ) -> Result<Option<f64>, LpError> {
        if measures.primal.max(measures.dual) > self.tol || self.lean_at.is_none_or(|at| self.run.total < at)
        {
            return Ok(None);
        }
        self.lean_at = Some(EXACT_AGAIN * self.run.total);
        let pair = self.pair();
        let judged = certify(self.lift.original, &pair.x, &pair.y, monitor)?;
        let found = polish::polish(self.lift.original, &pair, &judged, monitor)?;
        let (pair, judged) = found.unwrap_or((pair, judged));
        let bound = judged.certificate.bound;
        if bound <= self.tol {
            self.exact = Some(pair);
            return Ok(Some(bound));
        }
        // No pair of this precision is sure to do better than the roundings of its reduced costs.
        let floor = polish::far_rounding(self.lift.original, &pair, &judged);
        let size = 1.0 + judged.objective.abs() + judged.dual_objective.abs();
        if floor > self.tol * size && bound > 0.5 * self.leaned {
            self.verdict = Some(Status::RoundingFloor);
        }
        self.leaned = bound;
        Ok(None)
    }

    /// Patience: a reset of the weight, then the end.
    fn watch(&mut self, monitor: &Monitor<'_>, measures: &Measures) {
        if monitor.improved() {
            self.progress = self.run.total;
        } else if self.run.total - self.progress > PATIENCE.max(self.run.total / 2) {
            if self.warned {
                self.verdict = Some(Status::Stalled);
            }
            self.warned = true;
            self.progress = self.run.total;
            self.run.begin_anew(measures);
            self.run.weight.reset();
        }
    }

    /// Looks for proofs that there is no solution in how the iterates move.
    fn search(&mut self, monitor: &mut Monitor<'_>) -> Result<(), LpError> {
        let over = self.deadline.is_some_and(|deadline| self.run.total >= deadline);
        if over || self.run.total >= self.next_try {
            for (proof, vector) in self.run.rays(self.lift.iterated(), &self.engine, CANDIDATE) {
                let ray = self.lift.ray(proof, &vector, monitor)?;
                self.next_try = self.run.total + self.run.total / 4;
                if ray.certificate.bound > CANDIDATE || ray.margin.is_nan() || ray.margin < MARGIN {
                    continue;
                }
                let grace = self.run.total + self.run.total.max(GRACE);
                self.deadline.get_or_insert(grace);
                let better =
                    self.ray.as_ref().is_none_or(|held| ray.certificate.bound < held.certificate.bound);
                if better {
                    self.ray = Some(ray);
                }
                if self.settle(monitor)? {
                    return Ok(());
                }
            }
        }
        if over && self.ray.is_some() {
            self.verdict = Some(match &self.ray {
                Some(ray) if ray.is_exact() => Status::UnboundedOrInfeasible,
                _ => Status::Stalled,
            });
        }
        Ok(())
    }

    /// Whether the ray settles the matter.
    fn settle(&mut self, monitor: &mut Monitor<'_>) -> Result<bool, LpError> {
        let Some(ray) = self.ray.as_ref().filter(|ray| ray.is_exact()) else { return Ok(false) };
        match ray.proof {
            Proof::Farkas => self.verdict = Some(Status::Infeasible),
            Proof::Recession => {
                let x = self.pair().x;
                self.feasible = feasible_point(self.lift.original, &x, ray, monitor)?;
                self.verdict = self.feasible.is_some().then_some(Status::Unbounded);
            }
        }
        Ok(self.verdict.is_some())
    }

    /// Goes over to f64 values where the rounding of the matrix shows.
    fn widen(&mut self, measures: &Measures) {
        if !self.engine.single {
            return;
        }
        let problem = self.lift.iterated();
        let wide = self.engine.widened(problem);
        let (ax, aty) = (self.run.ax.clone(), self.run.aty.clone());
        let true_measures = self.run.measure(problem, &wide);
        let off = |a: f64, b: f64| (a - b).abs() > COARSE * self.tol.max(b.min(a));
        if off(true_measures.primal, measures.primal)
            || off(true_measures.dual, measures.dual)
            || off(true_measures.gap, measures.gap)
        {
            self.engine = Arc::new(wide);
        } else {
            (self.run.ax, self.run.aty) = (ax, aty);
        }
    }

    /// What comes after a block of iterations.
    pub fn look(&mut self, units: u64, monitor: &mut Monitor<'_>) -> Result<Progress<5>, LpError> {
        let error = self.run.fixed_point_error(&self.engine);
        let measures = self.run.measure(self.lift.iterated(), &self.engine);
        let mut bound = self.bound(&measures, monitor)?;
        if bound > self.tol
            && let Some(better) = self.end_leaning(&measures, monitor)?
        {
            bound = better;
        }
        if bound > self.tol
            && let Some(better) = self.end_exactly(monitor)?
        {
            bound = better;
        }
        let extras = [
            measures.primal,
            measures.dual,
            measures.gap,
            self.run.weight.omega,
            self.run.restart.count as f64,
        ];
        self.looks += 1;
        // Where there is no solution no bound falls for ever: as long as it halves there is no ray to be found.
        if self.looks.is_multiple_of(RAY_EVERY) && bound > self.tol {
            if bound > 0.5 * self.searched || self.ray.is_some() {
                self.search(monitor)?;
            }
            self.searched = self.searched.min(bound);
        }
        self.watch(monitor, &measures);
        if self.run.since > 0 {
            self.run.consider_restart(error, &measures);
        }
        if self.run.since == 0 {
            self.widen(&measures);
        }
        Ok(Progress { units, bound: Some(bound), extras })
    }
}

impl Method<5> for Pdhg<'_> {
    type Solution = Pair;
    type Error = LpError;
    const EXTRAS: [&'static str; 5] = EXTRAS;

    fn init(&mut self, monitor: &mut Monitor<'_>) -> Result<Option<f64>, LpError> {
        let Some(start) = &self.start else { return Ok(None) };
        let mut pair = start.clone();
        for (j, x) in pair.x.iter_mut().enumerate() {
            *x = self.lift.original.columns.clip(j, *x);
        }
        self.lift.original.clip_dual(&mut pair.y);
        let bound = certify(self.lift.original, &pair.x, &pair.y, monitor)?.certificate.bound;
        self.kept = Some(Kept::Given(pair));
        Ok(Some(bound))
    }

    fn step(&mut self, monitor: &mut Monitor<'_>) -> Result<Progress<5>, LpError> {
        let units = self.check_every.min(monitor.remaining()).max(1);
        self.run.advance(&self.engine, units, monitor)?;
        self.look(units, monitor)
    }

    fn keep(&mut self) {
        if let Some(pair) = self.exact.take() {
            self.kept = Some(Kept::Given(pair));
        } else if self.run.total > 0 {
            let (x, y) = self.run.solution(self.lift.iterated(), &self.engine);
            self.kept = Some(Kept::Iterate(x, y));
        }
    }

    fn terminate(&mut self, _: &Monitor<'_>) -> Option<Status> {
        self.verdict
    }

    fn finish(self, _: Status, _: Monitor<'_>) -> Result<Pair, LpError> {
        Ok(self.best())
    }
}
