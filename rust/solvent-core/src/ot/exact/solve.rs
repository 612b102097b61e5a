//! The method: pivot on the listed arcs, price out all of them, list what violates, repeat.

use super::certify::{Coupling, Payload, certify};
use super::cost::Entry;
use super::hall::Hall;
use super::pricing::price_out;
use super::problem::{Problem, TOTAL};
use super::start::{Start, start};
use crate::base::error::Aborted;
use crate::base::monitor::{Budget, Method, Monitor, Observer, Progress, drive};
use crate::base::outcome::Outcome;
use crate::base::status::Status;
use crate::base::sum::Sum;
use crate::base::view::MatrixView;
use crate::ot::OtError;
use crate::ot::simplex::Simplex;

/// Pivots between two looks at the clock.
const BATCH: u64 = 4096;
/// Unit roundoff of a double.
const U: f64 = 1.110_223_024_625_156_5e-16;
/// What is reported beside nit, bound and elapsed.
const EXTRAS: [&str; 3] = ["marginal_error", "value", "reg"];

/// How far to go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Depth {
    /// To the optimum.
    Optimum,
    /// To the basis that the annealed potentials give.
    Anneal,
}

/// What a run gives.
#[derive(Debug, Clone)]
pub struct Solution {
    /// The plan.
    pub coupling: Coupling,
    /// What it costs.
    pub cost: f64,
    /// Potentials, `<f,a> = <g,b'>`.
    pub f: Vec<f64>,
    /// See `f`.
    pub g: Vec<f64>,
    /// Pivots.
    pub pivots: u64,
    /// Arcs that pricing added to those of the start.
    pub priced_in: u64,
    /// Pricings of all arcs.
    pub rounds: u64,
    /// Annealing passes.
    pub passes: u64,
    /// Where the pattern of forbidden arcs admits no plan: `(1_S, -1_N(S))`.
    pub ray: Option<(Vec<f64>, Vec<f64>)>,
    /// The end and the certificate.
    pub outcome: Outcome,
}

/// Default number of pivots: 100 (n + m) log₂(nm).
pub fn default_maxiter(n: usize, m: usize) -> u64 {
    let bits = (n as f64 * m as f64).log2().max(1.0);
    (100.0 * (n + m) as f64 * bits).ceil() as u64
}

/// Solves a transport problem; [`Problem::new`] says what is promised of the data. `given` holds potentials to begin with
/// instead of annealing.
pub fn solve<T: Entry>(
    c: MatrixView<'_, T>,
    a: &[f64],
    b: &[f64],
    depth: Depth,
    given: Option<(&[f64], &[f64])>,
    budget: Budget,
    observer: &mut dyn Observer,
) -> Result<Solution, OtError> {
    // An optimal basis ends the run, not a bound: `tol` judges the certificate.
    let mut monitor = Monitor::new(Budget { tol: 0.0, ..budget }, observer, const { &EXTRAS });
    let problem = Problem::new(c, a, b, &mut monitor)?;
    let given = given.map(|(f, g)| if problem.transposed { (g, f) } else { (f, g) });
    let Start { simplex, big, g, passes } = start(&problem, given, &mut monitor)?;
    let mut exact = Exact {
        data: (c, a, b),
        tol: budget.tol,
        problem: &problem,
        simplex,
        big,
        listed: depth == Depth::Anneal,
        over: None,
        hall: None,
        best: (f64::NEG_INFINITY, Vec::new(), Vec::new()),
        guess: Some(g),
        current: (f64::NAN, 0),
        pivots: 0,
        priced_in: 0,
        rounds: 0,
        passes,
    };
    exact.appraise();
    let status = match depth {
        Depth::Optimum => drive(&mut exact, &mut monitor)?,
        Depth::Anneal => Status::Stalled,
    };
    exact.finish(status, monitor)
}

/// The state of the iteration.
struct Exact<'p, 'a, T> {
    data: (MatrixView<'a, T>, &'p [f64], &'p [f64]),
    tol: f64,
    problem: &'p Problem<'a, T>,
    simplex: Simplex,
    /// What a unit of flow over a forbidden arc costs.
    big: f64,
    /// Whether no listed arc may enter.
    listed: bool,
    /// How it ended by itself.
    over: Option<Status>,
    hall: Option<Hall>,
    /// The best lower bound so far, and the potentials of rows and columns that give it.
    best: (f64, Vec<f64>, Vec<f64>),
    /// The potentials of the start, until they have been judged.
    guess: Option<Vec<f64>>,
    /// Cost of the flow over allowed arcs, and the units that go over forbidden ones.
    current: (f64, i64),
    pivots: u64,
    priced_in: u64,
    rounds: u64,
    passes: u64,
}

impl<T: Entry> Exact<'_, '_, T> {
    /// Cost of a unit of relative flow.
    fn unit(&self) -> f64 {
        self.problem.sum_a / TOTAL as f64
    }

    /// Computes what the current flow costs.
    fn appraise(&mut self) {
        let (mut value, mut forbidden) = (Sum::new(), 0);
        for e in self.simplex.tree.edges().filter(|e| e.flow > 0) {
            let (i, j) = (e.row as usize, e.column as usize);
            let cost = self.problem.cost(i, j);
            if cost < f64::INFINITY {
                value.add_product(cost + self.problem.floor[i], e.flow as f64);
            } else {
                forbidden += e.flow;
            }
        }
        self.current = (value.value() * self.unit(), forbidden);
    }

    /// Prices all arcs against the current potentials; true where none violates them.
    fn price(&mut self, monitor: &mut Monitor<'_>) -> Result<bool, Aborted> {
        let n = self.problem.rows.len();
        let (own, minus_g) = self.simplex.tree.potentials().split_at(n);
        let pricing = price_out(self.problem, own, minus_g, 2.0 * self.simplex.eps(), monitor)?;
        for &(i, j) in &pricing.arcs {
            let cost = self.problem.cost(i as usize, j as usize);
            self.simplex.arcs.push(i, n as u32 + j, cost);
        }
        let g: Vec<f64> = minus_g.iter().map(|g| -g).collect();
        self.rounds += 1;
        self.priced_in += pricing.arcs.len() as u64;
        self.keep_dual(pricing.f, g);
        Ok(pricing.arcs.is_empty())
    }

    fn keep_dual(&mut self, f: Vec<f64>, g: Vec<f64>) {
        let lower = self.problem.dual_value(&f, &g);
        if lower > self.best.0 {
            self.best = (lower, f, g);
        }
    }

    /// All arcs priced out and yet flow over forbidden ones: either there is no plan at all, or they were too cheap.
    fn settle_forbidden(&mut self, monitor: &mut Monitor<'_>) -> Result<(), Aborted> {
        match Hall::find(self.problem, &self.simplex.tree, monitor)? {
            Some(hall) if hall.excess > 4.0 * U * self.problem.sum_a => {
                self.hall = Some(hall);
                self.over = Some(Status::Infeasible);
            }
            // What is left is the rounding of weights to units.
            Some(_) => self.over = Some(Status::Converged),
            None => {
                self.big *= 8.0;
                if !self.big.is_finite() {
                    self.over = Some(Status::Stalled);
                    return Ok(());
                }
                self.listed = false;
                self.refresh();
            }
        }
        Ok(())
    }

    fn refresh(&mut self) {
        let (problem, big) = (self.problem, self.big);
        self.simplex.refresh(|i, j| problem.priced(i, j, big));
    }

    /// The best potentials known, as the caller's matrix has them: all rows and columns, gauge fixed.
    fn potentials(&self) -> (Vec<f64>, Vec<f64>) {
        let problem = self.problem;
        let mut f = vec![f64::INFINITY; problem.a.len()];
        let mut g = vec![f64::INFINITY; problem.b.len()];
        let (_, rows, columns) = &self.best;
        for ((&i, own), floor) in problem.rows.iter().zip(rows).zip(&problem.floor) {
            f[i as usize] = own + floor;
        }
        problem.columns.iter().zip(columns).for_each(|(&j, &own)| g[j as usize] = own);
        let (mut row_part, mut column_part) = (Sum::new(), Sum::new());
        problem.rows.iter().for_each(|&i| row_part.add_product(f[i as usize], problem.a[i as usize]));
        problem.columns.iter().for_each(|&j| column_part.add_product(g[j as usize], problem.b[j as usize]));
        let share = problem.sum_a / problem.sum_b;
        let shift = (column_part.value() * share - row_part.value()) / (2.0 * problem.sum_a);
        problem.rows.iter().for_each(|&i| f[i as usize] += shift);
        problem.columns.iter().for_each(|&j| g[j as usize] -= shift);
        self.fill(&mut f, &mut g);
        if problem.transposed { (g, f) } else { (f, g) }
    }

    /// c-transforms where no weight is.
    fn fill(&self, f: &mut [f64], g: &mut [f64]) {
        let problem = self.problem;
        if problem.columns.len() < g.len() {
            let mut absent = vec![true; g.len()];
            problem.columns.iter().for_each(|&j| absent[j as usize] = false);
            for &i in &problem.rows {
                let row = problem.row(i as usize).iter().zip(&absent);
                for (g, (x, _)) in g.iter_mut().zip(row).filter(|(_, (_, absent))| **absent) {
                    *g = g.min(x.to_f64() - f[i as usize]);
                }
            }
        }
        let mut present = vec![false; f.len()];
        problem.rows.iter().for_each(|&i| present[i as usize] = true);
        for (i, f) in f.iter_mut().enumerate().filter(|(i, _)| !present[*i]) {
            let row = problem.row(i);
            let reduced = problem.columns.iter().map(|&j| row[j as usize].to_f64() - g[j as usize]);
            *f = reduced.fold(f64::INFINITY, f64::min);
        }
    }

    /// The flow over allowed arcs, by the rows of the caller's matrix.
    fn coupling(&self) -> Coupling {
        let problem = self.problem;
        let unit = self.unit();
        let flows = self.simplex.tree.edges().filter(|e| e.flow > 0);
        let mut entries: Vec<(u32, u32, f64)> = flows
            .filter(|e| problem.cost(e.row as usize, e.column as usize) < f64::INFINITY)
            .map(|e| {
                let (i, j) = (problem.rows[e.row as usize], problem.columns[e.column as usize]);
                let (i, j) = if problem.transposed { (j, i) } else { (i, j) };
                // Rounded to what the caller gets, so that the certificate judges that.
                (i, j, T::from_f64(e.flow as f64 * unit).to_f64())
            })
            .filter(|&(_, _, p)| p > 0.0)
            .collect();
        entries.sort_unstable_by_key(|&(i, j, _)| (i, j));
        let n = if problem.transposed { problem.b.len() } else { problem.a.len() };
        let mut indptr = vec![0; n + 1];
        entries.iter().for_each(|&(i, _, _)| indptr[i as usize + 1] += 1);
        (0..n).for_each(|i| indptr[i + 1] += indptr[i]);
        Coupling {
            data: entries.iter().map(|e| e.2).collect(),
            indices: entries.iter().map(|e| e.1 as i32).collect(),
            indptr,
        }
    }

    fn message(&self, outcome: &Outcome) -> Option<String> {
        match (outcome.status, &self.hall) {
            (Status::Infeasible, Some(hall)) => {
                let count = |set: &[bool]| set.iter().filter(|x| **x).count();
                let (from, to) = (count(&hall.rows), count(&hall.columns));
                let excess = hall.excess;
                Some(format!(
                    "no plan avoids the forbidden arcs: {from} rows reach only {to} columns, which take {excess:.3e} less; the \
                     ray in the result proves it"
                ))
            }
            (Status::Stalled, _) if self.listed && self.over.is_none() => Some(
                "method='anneal' stops at the basis that the annealed potentials give; use method='auto' for the optimum"
                    .to_owned(),
            ),
            (Status::Stalled, _) if self.over == Some(Status::Converged) => Some(
                "the basis is optimal, but rounding of the weights leaves it open whether the pattern of forbidden arcs \
                 admits a plan at all; give weights that balance exactly on every block"
                    .to_owned(),
            ),
            (Status::RoundingFloor, _) => outcome.certificate.as_ref().map(|certificate| {
                format!(
                    "the basis is optimal; rounding leaves a bound of {:.1e} for these data; raise tol, or take a constant \
                     off C",
                    certificate.bound
                )
            }),
            (Status::Converged, _) => Some("the basis is optimal and its certificate holds".to_owned()),
            _ => None,
        }
    }
}

impl<T: Entry> Method<3> for Exact<'_, '_, T> {
    type Solution = Solution;
    type Error = OtError;
    const EXTRAS: [&'static str; 3] = EXTRAS;

    fn init(&mut self, _: &mut Monitor<'_>) -> Result<Option<f64>, OtError> {
        Ok(None)
    }

    fn step(&mut self, monitor: &mut Monitor<'_>) -> Result<Progress<3>, OtError> {
        let (problem, big) = (self.problem, self.big);
        let limit = BATCH.min(monitor.remaining());
        let units = self.simplex.advance(limit, |i, j| problem.priced(i, j, big));
        self.pivots += units;
        self.appraise();
        let mut bound = None;
        if units < limit {
            let coarse = self.simplex.eps();
            self.refresh();
            // Smaller potentials resolve more: the listed arcs first.
            if self.simplex.eps() >= 0.5 * coarse && self.price(monitor)? {
                self.listed = true;
                match self.current.1 {
                    0 => self.over = Some(Status::Converged),
                    _ => self.settle_forbidden(monitor)?,
                }
            }
            if self.current.1 == 0 {
                let scale = if problem.span > 0.0 { problem.span } else { 1.0 };
                bound = Some(((self.current.0 - self.best.0) / (problem.sum_a * scale)).max(0.0));
            }
        }
        let astray = self.current.1 as f64 * self.unit();
        Ok(Progress { units, bound, extras: [2.0 * astray, self.current.0, 0.0] })
    }

    fn terminate(&mut self, _: &Monitor<'_>) -> Option<Status> {
        self.over
    }

    fn finish(mut self, status: Status, mut monitor: Monitor<'_>) -> Result<Solution, OtError> {
        if self.over != Some(Status::Converged) {
            // Neither the potentials of an unfinished tree nor those of the start are feasible as they are.
            self.refresh();
            let n = self.problem.rows.len();
            let tree = self.simplex.tree.potentials()[n..].to_vec();
            let minus_guess = self.guess.take().map(|g| g.iter().map(|g| -g).collect::<Vec<_>>());
            for minus_g in [Some(tree), minus_guess].into_iter().flatten() {
                let nothing = vec![f64::NEG_INFINITY; n];
                let pricing = price_out(self.problem, &nothing, &minus_g, 0.0, &mut monitor)?;
                self.keep_dual(pricing.f, minus_g.iter().map(|g| -g).collect());
            }
        }
        let (f, g) = self.potentials();
        let coupling = self.coupling();
        let (c, a, b) = self.data;
        let ray = self.hall.as_ref().map(|hall| {
            let signed = |set: &[bool], sign: f64| -> Vec<f64> {
                set.iter().map(|&x| if x { sign } else { 0.0 }).collect()
            };
            (signed(&hall.rows, 1.0), signed(&hall.columns, -1.0))
        });
        let judged = ray.as_ref().map(|(u, v)| (u.as_slice(), v.as_slice()));
        let payload = Payload { coupling: &coupling, f: &f, g: &g, ray: judged };
        let certificate = certify(c, a, b, payload, &mut monitor)?;
        let mut cost = Sum::new();
        coupling.entries().for_each(|(i, j, p)| cost.add_product(c.get(i, j).to_f64(), p));
        let mut ending = monitor.end(status);
        ending.tol = self.tol;
        let outcome = Outcome::new(ending, Some(certificate));
        let outcome = match self.message(&outcome) {
            Some(message) => outcome.with_message(message),
            None => outcome,
        };
        Ok(Solution {
            coupling,
            cost: cost.value(),
            f,
            g,
            pivots: self.pivots,
            priced_in: self.priced_in,
            rounds: self.rounds,
            passes: self.passes,
            ray,
            outcome,
        })
    }
}
