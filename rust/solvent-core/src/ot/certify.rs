//! Bounds on the optimum from potentials alone, whatever they are.
//!
//! **Lower**: `D(f, g) = <f, a> + <g, b> - reg (sum P - M^2)`, by weak duality. **Upper**: P with its rows and columns
//! scaled down to the marginals is Q; the missing mass comes back as `R = u w^T/|u|`, and `Q + R` is feasible
//! (Altschuler, Weed & Rigollet 2017, algorithm 2). **Unregularised**: `g~_j = min_i (C_ij - f_i)` and
//! `f~_i = min_j (C_ij - g~_j)` are feasible for the linear program's dual, `Q + R` for its primal.
//!
//! The value of `Q + R` needs no logarithm of its entries: with `phi(p) = p log(p/(a b))` convex,
//! `phi(Q + R) <= phi(Q) + R (1 + log((Q + R)/(a b)))`, and a feasible plan has `P_ij <= min(a_i, b_j)`.
//!
//! The derivation and the rounding allowances, one by one, are in `docs/derivations/ot.md`; `u = 2^-53` throughout and
//! `E_ij = u (2|f_i + g_j| + 6|f_i + g_j - C_ij|) + 8 u reg` is reg times the relative error of a computed `P_ij`.

use super::OtError;
use super::cost::Visit;
use super::passes::{
    AddRows, ColumnMin, CostDot, Entry, Exponentials, GROUP, Moments, RowMax, add_to, chain, over_blocks,
    scale, start,
};
use super::problem::Problem;
use super::side::Side;
use crate::base::certificate::{Certificate, Kind};
use crate::base::error::Aborted;
use crate::base::monitor::Monitor;
use crate::base::sum::{Sum, two_sum};
use solvent_simd::dispatch;

/// Unit roundoff.
pub(super) const U: f64 = f64::EPSILON / 2.0;

/// What potentials prove.
#[derive(Debug, Clone)]
pub struct Bracket {
    /// The dual value, without allowance.
    pub value: f64,
    /// `<C, P>` of the plan as it is.
    pub cost: f64,
    /// The optimum is at least this.
    pub lower: f64,
    /// The optimum is at most this.
    pub upper: f64,
    /// The unregularised optimum is at least this.
    pub unreg_lower: f64,
    /// The unregularised optimum is at most this.
    pub unreg_upper: f64,
    /// `upper - lower`, with what cancels left out.
    pub gap: f64,
    /// l1 errors of the marginals.
    pub errors: (f64, f64),
    /// Partial transport: how far the plan's mass is off.
    pub missed: f64,
    /// What these errors may be off by.
    pub doubt: f64,
    /// `sum P`.
    pub total: f64,
    /// The mass that errors are relative to.
    pub mass: f64,
    /// Allowance for rounding within the gap.
    pub allowance: f64,
    /// The feasible plan.
    pub rounded: Rounded,
}

/// Edges of a forest (row, column) and what flows along each.
pub type Flows = Vec<(u32, u32, f64)>;

/// A feasible plan: `theta exp((f_i + g_j - C_ij)/reg) + u_i w_j/sum(u)`, potentials folded.
#[derive(Debug, Clone)]
pub struct Rounded {
    /// Folded potentials of the rows.
    pub f: Vec<f64>,
    /// Folded potentials of the columns.
    pub g: Vec<f64>,
    /// At most 1.
    pub theta: f64,
    /// What the rows lack.
    pub u: Vec<f64>,
    /// What the columns lack.
    pub w: Vec<f64>,
    /// Where arcs are forbidden: what flows instead of `u w^T`.
    pub flows: Option<Flows>,
}

/// One evaluation of a plan and what the bounds want of it.
#[derive(Debug, Default)]
pub(super) struct Evaluated {
    pub(super) rows: Vec<f64>,
    pub(super) columns: Vec<f64>,
    /// `sum |f + g| p`, `sum |f + g - C| p`, `sum C p`.
    pub(super) moments: [Sum; 3],
    /// `min_i (C_ij - hard_i)`, if asked for.
    pub(super) column_minima: Vec<f64>,
    /// `min_j (C_ij - hard_j)`, if asked for.
    pub(super) row_minima: Vec<f64>,
}

/// Which hard c-transform a pass takes along.
#[derive(Clone, Copy)]
pub(super) enum Hard<'a> {
    Columns(&'a [f64]),
    Rows(&'a [f64]),
}

struct Block<'a> {
    f: &'a [f64],
    g: &'a [f64],
    reg: f64,
    hard: Hard<'a>,
    buffer: Vec<f64>,
    out: Evaluated,
}

impl Visit for Block<'_> {
    fn group<T: Entry>(&mut self, first: usize, rows: &[&[T]]) {
        let (count, m) = (rows.len(), self.g.len());
        let mut sums = [0.0; GROUP];
        let f = &self.f[first..first + count];
        let buffer = &mut self.buffer;
        dispatch(Exponentials { rows, f, g: self.g, scale: scale(self.reg), buffer, sums: &mut sums });
        let buffer = &self.buffer[..count * m];
        dispatch(AddRows { buffer, weights: &[1.0; GROUP][..count], out: &mut self.out.columns });
        for (r, row) in rows.iter().enumerate() {
            let p = &buffer[r * m..(r + 1) * m];
            let (potentials, exponents, cost) = dispatch(Moments { row, f: f[r], g: self.g, p });
            self.out.moments[0].add(potentials);
            self.out.moments[1].add(exponents);
            self.out.moments[2].add(cost);
            if let Hard::Rows(g) = self.hard {
                self.out.row_minima.push(-dispatch(RowMax { row, g }));
            }
        }
        if let Hard::Columns(f) = self.hard {
            dispatch(ColumnMin { rows, f: &f[first..first + count], out: &mut self.out.column_minima });
        }
        self.out.rows.extend_from_slice(&sums[..count]);
    }
}

pub(super) fn evaluate(
    problem: &Problem<'_>,
    f: &[f64],
    g: &[f64],
    hard: Hard<'_>,
    monitor: &mut Monitor<'_>,
) -> Result<Evaluated, Aborted> {
    let m = g.len();
    let empty = || Evaluated {
        columns: vec![0.0; m],
        column_minima: if matches!(hard, Hard::Columns(_)) { vec![f64::INFINITY; m] } else { Vec::new() },
        ..Evaluated::default()
    };
    let reg = problem.reg;
    let make = |_| Block { f, g, reg, hard, buffer: vec![0.0; GROUP * m], out: empty() };
    let mut all = empty();
    over_blocks(problem.cost(), monitor, make, |block| {
        all.rows.extend(block.out.rows);
        add_to(&mut all.columns, &block.out.columns);
        all.row_minima.extend(block.out.row_minima);
        all.moments.iter_mut().zip(block.out.moments).for_each(|(a, b)| a.merge(b));
        all.column_minima.iter_mut().zip(&block.out.column_minima).for_each(|(a, b)| *a = a.min(*b));
    })?;
    Ok(all)
}

struct Bilinear<'a> {
    u: &'a [f64],
    w: &'a [f64],
    sum: Sum,
}

impl Visit for Bilinear<'_> {
    fn group<T: Entry>(&mut self, first: usize, rows: &[&[T]]) {
        for (r, row) in rows.iter().enumerate() {
            self.sum.add(self.u[first + r] * dispatch(CostDot { row, y: self.w }));
        }
    }
}

/// `u^T C w` over the finite arcs.
pub(super) fn bilinear(
    problem: &Problem<'_>,
    u: &[f64],
    w: &[f64],
    monitor: &mut Monitor<'_>,
) -> Result<f64, Aborted> {
    let mut all = Sum::new();
    let make = |_| Bilinear { u, w, sum: Sum::new() };
    over_blocks(problem.cost(), monitor, make, |block| all.merge(block.sum))?;
    Ok(all.value())
}

/// The shift of both sides' potentials, f + t and g - t, that makes those of much mass small, so that folding rounds
/// little where it counts.
fn centre(a: &Side, f: &[f64], b: &Side, g: &[f64]) -> f64 {
    let shift = 0.5 * (weighted(g, b.weights()) / b.mass() - weighted(f, a.weights()) / a.mass());
    if shift.is_finite() { shift } else { 0.0 }
}

/// Shifted and folded potentials.
pub(super) fn fold(side: &Side, f: &[f64], shift: f64, reg: f64) -> Vec<f64> {
    let each = f.iter().zip(side.logs()).map(|(f, l)| {
        // Only the last sum rounds at the size of the result.
        let (sum, rest) = two_sum(*f, shift);
        sum + (rest + reg * l)
    });
    each.collect()
}

/// What folding may have moved potentials by, weighted: the last sum errs by u of itself, the product and its logarithm by
/// 3u of theirs.
pub(super) fn moved(side: &Side, folded: &[f64], weights: &[f64], reg: f64) -> f64 {
    let each = (0..folded.len())
        .map(|i| weights[i] * U * (1.01 * folded[i].abs() + 4.0 * reg * side.logs()[i].abs()));
    each.collect::<Sum>().value()
}

/// A bound on the relative error of every computed entry that is not flushed: where it is no small number, an entry says
/// nothing of the exact one.
fn largest_error(problem: &Problem<'_>, f: &[f64], g: &[f64]) -> f64 {
    let reg = problem.reg;
    let size = |p: &[f64], side: &Side| {
        let each = p.iter().zip(side.logs()).map(|(p, l)| 1.01 * p.abs() + 4.0 * reg * l.abs());
        // (A maximum would pass over nan.)
        each.fold(0.0_f64, |m, x| if x.is_nan() { f64::INFINITY } else { m.max(x) })
    };
    let folding = size(f, &problem.a) + size(g, &problem.b);
    // Exponents of entries that count are within 745 of 0.
    U * (2.0 * (problem.largest() + 745.0 * reg) + folding) / reg + 5000.0 * U
}

pub(super) fn weighted(p: &[f64], weights: &[f64]) -> f64 {
    crate::base::sum::dot2(p, weights)
}

pub(super) fn weighted_size(p: &[f64], weights: &[f64]) -> f64 {
    p.iter().zip(weights).map(|(p, w)| p.abs() * w).collect::<Sum>().value()
}

/// The dual's share of one side at unfolded potentials, and a bound on the rounding of it.
fn share(side: &Side, f: &[f64]) -> (f64, f64) {
    if side.hard() {
        return (weighted(f, side.weights()), 8.0 * U * weighted_size(f, side.weights()));
    }
    let tau = side.tau();
    let (mut value, mut size) = (Sum::new(), Sum::new());
    for (&a, &f) in side.weights().iter().zip(f) {
        let term = -tau * a * (-f / tau).exp_m1();
        value.add(term);
        size.add(a * f.abs() * (-f / tau).exp() + term.abs());
    }
    (value.value(), 8.0 * U * size.value())
}

/// The marginal that the potentials of a side ask for.
fn targets(side: &Side, f: &[f64]) -> Vec<f64> {
    let each = side.weights().iter().zip(f);
    each.map(|(&a, &f)| if side.hard() { a } else { a * (-f / side.tau()).exp() }).collect()
}

/// A bound on the rounding of these targets.
fn target_rounding(side: &Side, f: &[f64], targets: &[f64]) -> f64 {
    if side.hard() {
        return 0.0;
    }
    let each = f.iter().zip(targets).map(|(f, t)| t * U * (6.0 + 3.0 * (f / side.tau()).abs()));
    each.collect::<Sum>().value()
}

/// `sum a h(r/a)`, `h(x) = x log x - x + 1`, and a bound on the rounding of tau times it.
fn divergence(side: &Side, marginal: &[f64]) -> (f64, f64) {
    let (mut value, mut size) = (Sum::new(), Sum::new());
    for (&a, &r) in side.weights().iter().zip(marginal) {
        let x = r / a;
        let h = relative_entropy(x);
        value.add(a * h);
        size.add(a * h + if r > 0.0 { r * x.ln().abs() } else { 0.0 });
    }
    (value.value(), 8.0 * U * size.value())
}

/// `x log x - x + 1`, accurate near 1.
fn relative_entropy(x: f64) -> f64 {
    let t = x - 1.0;
    if t.abs() < 0.5 {
        // (1 + t) log(1 + t) - t = sum_{k >= 2} (-t)^k/(k (k - 1)).
        let (mut power, mut sum) = (t * t, 0.0);
        for k in 2..60 {
            sum += power / f64::from(k * (k - 1));
            power *= -t;
            if power.abs() < 1e-18 * sum {
                break;
            }
        }
        sum
    } else if x > 0.0 {
        x * x.ln() - t
    } else {
        1.0
    }
}

/// Judges potentials (of positive weights only, not folded).
pub fn judge(
    problem: &Problem<'_>,
    f: &[f64],
    g: &[f64],
    monitor: &mut Monitor<'_>,
) -> Result<Bracket, OtError> {
    let (a, b, reg) = (&problem.a, &problem.b, problem.reg);
    let (n, m) = (f.len(), g.len());
    let shift = centre(a, f, b, g);
    let (folded_f, folded_g) = (fold(a, f, shift, reg), fold(b, g, -shift, reg));
    let blind = largest_error(problem, &folded_f, &folded_g) > 0.5;
    let plan = evaluate(problem, &folded_f, &folded_g, Hard::Columns(f), monitor)?;
    let total = plan.rows.iter().copied().collect::<Sum>().value();
    let links = (chain(n, m) + 8.0) * U;

    // The plan as it is: errors of its marginals, and what they may be off by.
    let (want_a, want_b) = (targets(a, f), targets(b, g));
    let l1 = |x: &[f64], y: &[f64]| x.iter().zip(y).map(|(x, y)| (x - y).abs()).collect::<Sum>().value();
    let errors = (l1(&plan.rows, &want_a), l1(&plan.columns, &want_b));
    let [potentials, exponents, cost] = plan.moments.map(Sum::value);
    let spread_of_p = U * (2.0 * potentials + 6.0 * exponents) + 8.0 * U * reg * total;
    let by_folding = moved(a, &folded_f, &plan.rows, reg) + moved(b, &folded_g, &plan.columns, reg);
    let rounding = problem.cost().rounding(problem.largest());
    let of_entries = (spread_of_p + by_folding) / reg;
    let of_targets = target_rounding(a, f, &want_a) + target_rounding(b, g, &want_b);
    let mass = if problem.balanced() {
        a.mass()
    } else {
        // At most what the exact plan weighs.
        let less = 2.0 * links * total + 2.0 * of_entries + 2.0 * rounding * total / reg;
        (total - less).max(f64::MIN_POSITIVE)
    };
    let of_costs = 2.0 * rounding * total / reg;
    let of_sums = 2.0 * links * total + 8.0 * U * (errors.0 + errors.1);
    let doubt = 2.0 * of_entries + of_costs + of_sums + of_targets + 4.0 * U * mass;
    let doubt = if blind { f64::INFINITY } else { doubt };

    // Lower.
    let constant = if problem.balanced() { a.mass() * a.mass() } else { a.mass() * b.mass() };
    let (share_a, rounding_a) = share(a, f);
    let (share_b, rounding_b) = share(b, g);
    let linear = share_a + share_b;
    let by_moving = moved(a, &folded_f, &want_a, reg) + moved(b, &folded_g, &want_b, reg);
    let below = rounding_a + rounding_b + by_moving + links * reg * total + spread_of_p + rounding * total;
    let value = linear - reg * (total - constant);
    let lower = if blind { f64::NAN } else { linear - reg * total - below };
    let lower = finite_or(lower, f64::NEG_INFINITY);

    // Upper.
    let (point, q) = scaled(problem, folded_f, folded_g, &plan, monitor)?;
    let upper = upper(problem, point, &q, links, rounding, monitor)?;

    // Unregularised.
    let (f_hard, g_hard) = (&q.row_minima, &plan.column_minima);
    let (hard_a, below_a) = share(a, f_hard);
    let (hard_b, below_b) = share(b, g_hard);
    let unreg_mass = if problem.balanced() { mass } else { weighted_targets(a, f_hard) };
    let unreg_lower =
        finite_or(hard_a + hard_b - below_a - below_b - rounding * unreg_mass, f64::NEG_INFINITY);

    let gap = upper.entropic - lower;
    let constant_rounding = 8.0 * U * reg * constant;
    Ok(Bracket {
        value,
        cost,
        lower: lower + reg * constant - constant_rounding,
        upper: upper.entropic + reg * constant + constant_rounding,
        unreg_lower,
        unreg_upper: upper.linear,
        gap: if gap.is_nan() { f64::INFINITY } else { gap.max(0.0) },
        errors,
        missed: 0.0,
        doubt,
        total,
        mass,
        allowance: below + upper.allowance,
        rounded: upper.rounded,
    })
}

fn weighted_targets(side: &Side, f: &[f64]) -> f64 {
    targets(side, f).into_iter().collect::<Sum>().value()
}

pub(super) fn finite_or(x: f64, other: f64) -> f64 {
    if x.is_finite() { x } else { other }
}

/// Folded potentials of a scaled plan, and what a pass over it finds.
pub(super) type Scaled = ((Vec<f64>, Vec<f64>), Evaluated);

/// P with its hard marginals scaled: down to both where both are hard, exactly where one is; and what a pass over it
/// finds.
pub(super) fn scaled(
    problem: &Problem<'_>,
    mut f: Vec<f64>,
    mut g: Vec<f64>,
    plan: &Evaluated,
    monitor: &mut Monitor<'_>,
) -> Result<Scaled, Aborted> {
    let (a, b, reg) = (&problem.a, &problem.b, problem.reg);
    let safe = |sums: &[f64]| sums.iter().all(|s| (1e-250..1e250).contains(s));
    let (mut rows, mut columns) = (plan.rows.clone(), plan.columns.clone());
    let settled = safe(&rows) && safe(&columns);
    if !settled && (a.hard() || b.hard()) {
        // Potentials far off: any plan will do, and rows that begin at their largest exponent cannot overflow.
        let hard_rows = Side::new(a.weights().to_vec(), f64::INFINITY);
        let moderate: Vec<f64> = g.iter().map(|g| if g.is_finite() { *g } else { 0.0 }).collect();
        let swept = start::<f64>(problem.cost(), &hard_rows, &moderate, reg, monitor)?;
        (f, g) = (swept.f, moderate);
        (rows, columns) = (a.weights().to_vec(), swept.columns);
    }
    if a.hard() && b.hard() {
        // Columns are measured before the rows are scaled down: their sums can only be less after.
        for (i, r) in rows.iter().enumerate() {
            f[i] += reg * (a.logs()[i] - r.ln()).min(0.0);
        }
        for (j, c) in columns.iter().enumerate() {
            g[j] += reg * (b.logs()[j] - c.ln()).min(0.0);
        }
    } else if a.hard() {
        for (i, r) in rows.iter().enumerate() {
            f[i] += reg * (a.logs()[i] - r.ln());
        }
    } else if b.hard() {
        for (j, c) in columns.iter().enumerate() {
            g[j] += reg * (b.logs()[j] - c.ln());
        }
    }
    let q = evaluate(problem, &f, &g, Hard::Rows(&plan.column_minima), monitor)?;
    Ok(((f, g), q))
}

/// The upper bounds.
pub struct Upper {
    /// On the regularised optimum, less the constant reg M^2.
    pub entropic: f64,
    /// On the unregularised one.
    pub linear: f64,
    /// For rounding.
    pub allowance: f64,
    /// The plan that attains them.
    pub rounded: Rounded,
}

fn upper(
    problem: &Problem<'_>,
    (f, g): (Vec<f64>, Vec<f64>),
    q: &Evaluated,
    links: f64,
    rounding: f64,
    monitor: &mut Monitor<'_>,
) -> Result<Upper, OtError> {
    let (a, b, reg) = (&problem.a, &problem.b, problem.reg);
    let [potentials, exponents, cost] = q.moments.map(Sum::value);
    let total = q.rows.iter().copied().collect::<Sum>().value();
    // sum q log(q/(a b)) + <C, q>/reg, from the sums of rows and columns alone.
    let level = |p: &[f64], side: &Side, sums: &[f64]| {
        let each = (0..p.len()).map(|i| sums[i] * (p[i] - reg * side.logs()[i]));
        let sizes = (0..p.len()).map(|i| sums[i] * (p[i].abs() + reg * side.logs()[i].abs()));
        (each.collect::<Sum>().value(), sizes.collect::<Sum>().value())
    };
    let ((level_a, size_a), (level_b, size_b)) = (level(&f, a, &q.rows), level(&g, b, &q.columns));
    // Rounding: of the levels and sums, of the logarithm of a computed q, and of the cost.
    let evaluation = (links + 8.0 * U) * (size_a + size_b + reg * total)
        + U * (2.0 * potentials + 6.0 * exponents)
        + 8.0 * U * reg * total
        + rounding * total;
    let cost_rounding = links * (potentials + exponents) + rounding * total;
    let finite = level_a + level_b + evaluation;
    if !finite.is_finite() {
        let rounded =
            Rounded { f, g, theta: 0.0, u: a.weights().to_vec(), w: b.weights().to_vec(), flows: None };
        return Ok(Upper { entropic: f64::INFINITY, linear: f64::INFINITY, allowance: 0.0, rounded });
    }
    if !problem.balanced() {
        return Ok(penalised(
            problem,
            (f, g),
            q,
            (level_a + level_b, evaluation),
            (cost, cost_rounding),
            total,
        ));
    }

    // A sum of numbers of one sign errs by one u an addition.
    let sums = chain(f.len(), g.len()) * U;
    // Both hard. One last factor makes up for rounding: then no marginal is exceeded.
    let excess = |sums: &[f64], side: &Side| {
        sums.iter().zip(side.weights()).fold(1.0_f64, |t, (s, w)| if *s > 0.0 { t.min(w / s) } else { t })
    };
    let theta = excess(&q.rows, a).min(excess(&q.columns, b)) * (1.0 - sums - 4.0 * U);
    let lacking = |side: &Side, sums: &[f64]| {
        side.weights().iter().zip(sums).map(|(w, s)| (w - theta * s).max(0.0)).collect::<Vec<f64>>()
    };
    let (u, w) = (lacking(a, &q.rows), lacking(b, &q.columns));
    let missing = u.iter().copied().collect::<Sum>().value();
    let other = w.iter().copied().collect::<Sum>().value();
    let mass = a.mass();
    // What the computed plan misses its marginals by is moved onto them along arcs that exist.
    let least_log = a.logs().iter().chain(b.logs()).fold(f64::INFINITY, |m, l| m.min(*l));
    let lambda = 40.0 + 2.0 * (mass.ln() - least_log).max(0.0);
    let missed = 2.0 * (sums + 6.0 * U) * mass;
    let moving = missed * (problem.spread() + reg * lambda);
    if problem.forbidden {
        return super::routes::routed(problem, Rounded { f, g, theta, u, w, flows: None }, cost, monitor)
            .map(|routed| {
                let price = problem.spread() + reg * lambda;
                routed.into_upper(level_a + level_b, total, evaluation, cost_rounding, moving, price)
            });
    }
    let returned = bilinear(problem, &u, &w, monitor)? / missing.max(f64::MIN_POSITIVE);
    let logs = |p: &[f64], side: &Side| -weighted(p, side.logs());
    let entropy_of_return = logs(&u, a).min(logs(&w, b));
    let return_rounding = links * missing.max(other) * problem.largest()
        + 8.0 * U * reg * (weighted_size(a.logs(), &u) + weighted_size(b.logs(), &w))
        + rounding * missing;
    let allowance = theta * evaluation + return_rounding + moving;
    let entropic = theta * (level_a + level_b)
        + theta * theta.ln() * reg * total
        + returned
        + reg * (missing + entropy_of_return)
        - reg * mass
        + allowance;
    let linear = theta * cost + returned + cost_rounding + return_rounding + missed * problem.spread();
    Ok(Upper { entropic, linear, allowance, rounded: Rounded { f, g, theta, u, w, flows: None } })
}

/// The primal value of a plan where a marginal is penalised: every plan is feasible on that side.
fn penalised(
    problem: &Problem<'_>,
    (f, g): (Vec<f64>, Vec<f64>),
    q: &Evaluated,
    (level, evaluation): (f64, f64),
    (cost, cost_rounding): (f64, f64),
    total: f64,
) -> Upper {
    let (a, b, reg) = (&problem.a, &problem.b, problem.reg);
    let links = (chain(f.len(), g.len()) + 8.0) * U;
    let (mut penalty, mut rounding) = (0.0, 0.0);
    for (side, sums) in [(a, &q.rows), (b, &q.columns)] {
        if !side.hard() {
            let (value, error) = divergence(side, sums);
            penalty += side.tau() * value;
            // Each sum is off by a few links, and h'(x) = log x.
            let slopes = side.weights().iter().zip(sums).map(|(a, s)| s * (s / a).ln().abs());
            let slopes = slopes.filter(|s| s.is_finite()).collect::<Sum>().value();
            rounding += side.tau() * (error + links * (slopes + total * links));
        } else {
            // The hard side's sums are exact but for rounding; its excess or lack moves along existing arcs.
            let soft = if a.hard() { (b, &q.columns) } else { (a, &q.rows) };
            let steepest = soft.0.weights().iter().zip(soft.1).map(|(w, s)| (s / w).ln().abs());
            let steepest = steepest.filter(|s| s.is_finite()).fold(0.0_f64, f64::max);
            let least_log = a.logs().iter().chain(b.logs()).fold(f64::INFINITY, |m, l| m.min(*l));
            let lambda = 40.0 + 2.0 * (side.mass().ln() - least_log).max(0.0);
            let missed = side.weights().iter().zip(sums).map(|(w, s)| (w - s).abs()).collect::<Sum>().value();
            rounding += (missed + 2.0 * (links + 8.0 * U) * side.mass())
                * (problem.largest() + reg * lambda + soft.0.tau() * steepest);
        }
    }
    let allowance = evaluation + rounding;
    Upper {
        entropic: level - reg * total + penalty + allowance,
        linear: cost + penalty + cost_rounding + rounding,
        allowance,
        rounded: Rounded { f, g, theta: 1.0, u: Vec::new(), w: Vec::new(), flows: None },
    }
}

impl Bracket {
    /// The errors together.
    pub fn error(&self) -> f64 {
        self.errors.0 + self.errors.1 + self.missed
    }

    /// The least bound that rounding allows, relative.
    pub fn floor(&self) -> f64 {
        self.doubt / self.mass
    }

    /// The certificate's bound for costs of this spread.
    pub fn bound(&self, spread: f64) -> f64 {
        if self.total < f64::MIN_POSITIVE && self.error() > 0.0 {
            return f64::INFINITY;
        }
        let of_marginals = (self.error() + self.doubt) / self.mass;
        // The last roundings: of sums, products and quotients of numbers of one sign.
        let bound = of_marginals.max(self.gap / (self.mass * spread)) * (1.0 + 16.0 * U);
        // (A maximum passes over nan.)
        if of_marginals.is_nan() || bound.is_nan() || !self.total.is_finite() { f64::INFINITY } else { bound }
    }

    /// Errors of the caller's marginals; that of a partial plan's mass counts with the columns.
    pub fn errors_of(&self, transposed: bool) -> (f64, f64) {
        let (a, b) = if transposed { (self.errors.1, self.errors.0) } else { self.errors };
        (a, b + self.missed)
    }

    /// The certificate.
    pub fn certificate(&self, problem: &Problem<'_>) -> Certificate {
        let (a, b) = self.errors_of(problem.transposed);
        Certificate::new(Kind::DualityGap, self.bound(problem.spread()))
            .part("lower", self.lower)
            .part("upper", self.upper)
            .part("gap", self.gap)
            .part("unreg_lower", self.unreg_lower)
            .part("unreg_upper", self.unreg_upper)
            .part("marginal_error_a", a)
            .part("marginal_error_b", b)
            .part("rounding_allowance", self.allowance)
            .part("sum_a", problem.totals.0)
            .part("sum_b", problem.totals.1)
    }
}
