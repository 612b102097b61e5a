//! Bounds on a partial optimum from potentials and a level alone, whatever they are.
//!
//! **Lower**: `<f, a> + <g, b> + lambda mass - reg (sum P - sum a sum b)` at `min(0, f)`, `min(0, g)`. **Upper**: P with
//! its rows, columns and then its mass scaled down is Q; what Q lacks of the mass, s, comes back as
//! `s u w^T/(|u||w|)`, u and w being what rows and columns have left: s is at most either total, so no cap is passed.
//! Where arcs are forbidden it comes back along one arc with room at both ends, or else along the plan's own support.
//! **Unregularised**: hard c-transforms clamped at 0.
//!
//! The error is the residual of the optimality conditions, `|P1 - min(a, P1 e^(-f/reg))|_1`, the same for the columns,
//! and `|sum P - mass|`: it counts potentials above 0 too, since there the second term is below the first.
//!
//! Rounding is allowed for as in [`certify`](super::super::certify). Weak duality holds for every plan of this mass, so
//! an error of each arc's constraint by e costs `e mass`, not `e sum a`.

use super::super::OtError;
use super::super::certify::{
    Bracket, Evaluated, Hard, Rounded, Scaled, U, Upper, bilinear, evaluate, finite_or, fold, moved, scaled,
    weighted, weighted_size,
};
use super::super::cost::Visit;
use super::super::passes::{Entry, Exponentials, GROUP, chain, over_blocks};
use super::super::problem::Problem;
use super::super::side::Side;
use super::newton::level_sum;
use crate::base::error::Aborted;
use crate::base::monitor::Monitor;
use crate::base::sum::Sum;
use solvent_simd::dispatch;

/// Judges potentials (of positive weights only, not folded) and a level.
pub fn judge(
    problem: &Problem<'_>,
    f: &[f64],
    g: &[f64],
    lam: f64,
    monitor: &mut Monitor<'_>,
) -> Result<Bracket, OtError> {
    let (a, b, reg) = (&problem.a, &problem.b, problem.reg);
    let mass = problem.mass.unwrap_or_else(|| a.mass());
    let links = (chain(f.len(), g.len()) + 8.0) * U;
    let clamp = |p: &[f64]| p.iter().map(|p| p.min(0.0)).collect::<Vec<f64>>();
    let (low_f, low_g) = (clamp(f), clamp(g));
    let raised = |g: &[f64]| g.iter().map(|g| g + lam).collect::<Vec<f64>>();
    let (folded_f, folded_g) = (fold(a, f, 0.0, reg), fold(b, &raised(g), 0.0, reg));
    let mut plan = evaluate(problem, &folded_f, &folded_g, Hard::Columns(&low_f), monitor)?;

    // The plan as it is.
    let largest = |p: &[f64]| p.iter().fold(0.0_f64, |m, p| m.max(p.abs()));
    let relative = doubt_of_entries(largest(&folded_f) + largest(&folded_g), reg) + links;
    let (error_a, doubt_a) = residual(a, f, &plan.rows, reg, relative);
    let (error_b, doubt_b) = residual(b, g, &plan.columns, reg, relative);
    let total = plan.rows.iter().copied().collect::<Sum>().value();
    let [potentials, exponents, cost] = plan.moments.map(Sum::value);
    let of_plan = U * (2.0 * potentials + 6.0 * exponents) + 8.0 * U * reg * total;
    let by_folding = moved(a, &folded_f, &plan.rows, reg)
        + moved(b, &folded_g, &plan.columns, reg)
        + U * weighted_size(&raised(g), &plan.columns);
    let missed = (total - mass).abs();
    let doubt = 3.0 * ((of_plan + by_folding) / reg + links * total)
        + doubt_a
        + doubt_b
        + 8.0 * U * (error_a + error_b + missed)
        + 4.0 * U * mass;

    // Lower, at potentials of the right sign.
    let (value, mut at_most, mut below) = lower(problem, (f, g, lam), (&folded_f, &folded_g), &plan, links);
    // Above 0 the value here bounds nothing, but how far it lies off still counts.
    let gap_from = at_most;
    if low_f != f || low_g != g {
        let (folded_f, folded_g) = (fold(a, &low_f, 0.0, reg), fold(b, &raised(&low_g), 0.0, reg));
        let low = evaluate(problem, &folded_f, &folded_g, Hard::Columns(&low_f), monitor)?;
        (_, at_most, below) = lower(problem, (&low_f, &low_g, lam), (&folded_f, &folded_g), &low, links);
    }
    let lower = at_most;

    // Upper; the columns' hard transform for the unregularised bound goes along.
    plan.column_minima.iter_mut().for_each(|g| *g = (*g - lam).min(0.0));
    let (point, q) = capped(problem, folded_f, folded_g, &plan, monitor)?;
    let upper = upper(problem, point, &q, mass, monitor)?;

    // Unregularised.
    let hard_g = &plan.column_minima;
    let hard_f: Vec<f64> = q.row_minima.iter().map(|f| (f - lam).min(0.0)).collect();
    let allowance = 8.0
        * U
        * (weighted_size(&hard_f, a.weights()) + weighted_size(hard_g, b.weights()) + lam.abs() * mass);
    let rounding = problem.cost().rounding(problem.largest());
    let unreg = weighted(&hard_f, a.weights()) + weighted(hard_g, b.weights()) + lam * mass
        - allowance
        - rounding * mass;

    // The constant is the same on both sides: it stays out of the gap.
    let constant = reg * problem.totals.0 * problem.totals.1;
    let gap = upper.entropic - lower.min(gap_from);
    Ok(Bracket {
        value: value + constant,
        cost,
        lower: lower + constant - 8.0 * U * (constant + lower.abs()),
        upper: upper.entropic + constant + 8.0 * U * (constant + upper.entropic.abs()),
        unreg_lower: finite_or(unreg, f64::NEG_INFINITY),
        unreg_upper: upper.linear,
        gap: if gap.is_nan() { f64::INFINITY } else { gap.max(0.0) },
        errors: (error_a, error_b),
        missed,
        doubt,
        total,
        mass,
        allowance: below + upper.allowance,
        rounded: upper.rounded,
    })
}

/// P with its rows and columns scaled down to their caps, and what a pass over it finds.
fn capped(
    problem: &Problem<'_>,
    mut f: Vec<f64>,
    mut g: Vec<f64>,
    plan: &Evaluated,
    monitor: &mut Monitor<'_>,
) -> Result<Scaled, Aborted> {
    // Rows and columns without any mass are as good as others; what overflows is begun anew.
    if !plan.rows.iter().chain(&plan.columns).all(|s| *s < 1e250) {
        return scaled(problem, f, g, plan, monitor);
    }
    // Columns are measured before the rows are scaled down: their sums can only be less after.
    for (p, side, sums) in [(&mut f, &problem.a, &plan.rows), (&mut g, &problem.b, &plan.columns)] {
        for ((p, log), sum) in p.iter_mut().zip(side.logs()).zip(sums) {
            *p += problem.reg * (log - sum.ln()).min(0.0);
        }
    }
    let q = evaluate(problem, &f, &g, Hard::Rows(&plan.column_minima), monitor)?;
    Ok(((f, g), q))
}

/// A bound on the relative error of any entry that is not 0, potentials being of this size: no exponent is beyond 745.
fn doubt_of_entries(potentials: f64, reg: f64) -> f64 {
    U * (6.0 * potentials / reg + 6.0 * 745.0 + 16.0)
}

/// `|sums - min(weights, sums e^(-f/reg))|_1`, and what amplification by the exponential adds to its doubt.
fn residual(side: &Side, f: &[f64], sums: &[f64], reg: f64, relative: f64) -> (f64, f64) {
    let (mut error, mut doubt) = (Sum::new(), Sum::new());
    for ((&f, &s), &w) in f.iter().zip(sums).zip(side.weights()) {
        let wanted = level_sum(s, f, reg, w);
        error.add((s - wanted).abs());
        doubt.add((wanted - s).max(0.0) * (relative + U * (f / reg).abs()));
    }
    let finite = |x: f64| if x.is_nan() { f64::INFINITY } else { x };
    (finite(error.value()), finite(doubt.value()))
}

/// The dual value and the lower bound, both without the constant, and the bound's allowance.
fn lower(
    problem: &Problem<'_>,
    (f, g, lam): (&[f64], &[f64], f64),
    (folded_f, folded_g): (&[f64], &[f64]),
    plan: &Evaluated,
    links: f64,
) -> (f64, f64, f64) {
    let (a, b, reg) = (&problem.a, &problem.b, problem.reg);
    let mass = problem.mass.unwrap_or_else(|| a.mass());
    let total = plan.rows.iter().copied().collect::<Sum>().value();
    let [potentials, exponents, _] = plan.moments.map(Sum::value);
    let of_plan = U * (2.0 * potentials + 6.0 * exponents) + 8.0 * U * reg * total;
    let linear = weighted(f, a.weights()) + weighted(g, b.weights()) + lam * mass;
    let sizes = weighted_size(f, a.weights()) + weighted_size(g, b.weights()) + lam.abs() * mass;
    // Folding moves a potential a little; the mass that meets it is at most the weight, and at most the whole mass.
    let folding = |side: &Side, folded: &[f64], more: f64| {
        let each = |i: usize| U * folded[i].abs() + 3.0 * U * reg * side.logs()[i].abs() + more;
        let all = (0..folded.len()).map(|i| side.weights()[i] * each(i)).collect::<Sum>().value();
        all.min(mass * (0..folded.len()).map(each).fold(0.0, f64::max))
    };
    let largest = g.iter().fold(0.0_f64, |m, g| m.max((g + lam).abs()));
    let by_folding = folding(a, folded_f, 0.0) + folding(b, folded_g, U * largest);
    let rounding = problem.cost().rounding(problem.largest());
    let below = 8.0 * U * sizes + by_folding + links * reg * total + of_plan + rounding * mass;
    let value = linear - reg * total;
    (value, finite_or(value - below, f64::NEG_INFINITY), below)
}

/// The upper bounds: Q is the scaled plan at these folded potentials.
fn upper(
    problem: &Problem<'_>,
    (f, g): (Vec<f64>, Vec<f64>),
    q: &Evaluated,
    mass: f64,
    monitor: &mut Monitor<'_>,
) -> Result<Upper, OtError> {
    let (a, b, reg) = (&problem.a, &problem.b, problem.reg);
    let links = (chain(f.len(), g.len()) + 8.0) * U;
    let rounding = problem.cost().rounding(problem.largest());
    let [potentials, exponents, cost] = q.moments.map(Sum::value);
    let total = q.rows.iter().copied().collect::<Sum>().value();
    // reg sum q log(q/(a b)) + <C, q>, from the sums of rows and columns alone.
    let level = |p: &[f64], side: &Side, sums: &[f64]| {
        let each = (0..p.len()).map(|i| sums[i] * (p[i] - reg * side.logs()[i]));
        let sizes = (0..p.len()).map(|i| sums[i] * (p[i].abs() + reg * side.logs()[i].abs()));
        (each.collect::<Sum>().value(), sizes.collect::<Sum>().value())
    };
    let ((level_a, size_a), (level_b, size_b)) = (level(&f, a, &q.rows), level(&g, b, &q.columns));
    let evaluation = (links + 8.0 * U) * (size_a + size_b + reg * total)
        + U * (2.0 * potentials + 6.0 * exponents)
        + 8.0 * U * reg * total
        + rounding * total;
    let cost_rounding = links * (potentials + exponents) + rounding * total;
    if !(level_a + level_b + evaluation).is_finite() {
        let (u, w) = (a.weights().to_vec(), b.weights().to_vec());
        let rounded = Rounded { f, g, theta: 0.0, u, w, flows: None };
        return Ok(Upper { entropic: f64::INFINITY, linear: f64::INFINITY, allowance: 0.0, rounded });
    }

    // One last factor, so that neither a cap nor the mass is passed.
    let excess = |sums: &[f64], side: &Side| {
        sums.iter().zip(side.weights()).fold(1.0_f64, |t, (s, w)| if *s > 0.0 { t.min(w / s) } else { t })
    };
    let theta = excess(&q.rows, a).min(excess(&q.columns, b));
    let theta = if total > 0.0 { theta.min(mass / total) } else { theta } * (1.0 - 2.0 * links - 4.0 * U);
    let left = |side: &Side, sums: &[f64]| {
        side.weights().iter().zip(sums).map(|(w, s)| (w - theta * s).max(0.0)).collect::<Vec<f64>>()
    };
    let (mut u, mut w) = (left(a, &q.rows), left(b, &q.columns));
    let missing = (mass - theta * total).max(0.0);
    let of_rows = u.iter().copied().collect::<Sum>().value();
    let of_columns = w.iter().copied().collect::<Sum>().value();
    // What the computed plan misses by rounding is moved, or added, along arcs that exist.
    let least_log = a.logs().iter().chain(b.logs()).fold(f64::INFINITY, |m, l| m.min(*l));
    let lambda = 40.0 + 2.0 * (mass.ln().abs() + (mass.ln() - least_log).max(0.0));
    let moving = 2.0 * (links + 8.0 * U) * mass * (problem.spread() + problem.largest() + reg * lambda);
    let own = theta * (level_a + level_b) + theta * theta.ln() * reg * total - reg * mass;

    if problem.forbidden {
        let arc = room(problem, &u, &w, missing, monitor)?;
        if let Some((i, j, c)) = arc {
            let entry = theta * ((f[i] + g[j] - c) / reg).exp();
            let log = (entry + missing).ln() - a.logs()[i] - b.logs()[j];
            let back = missing * (c + reg * (1.0 + log));
            let of_back =
                16.0 * U * missing * (problem.largest() + reg * (1.0 + log.abs()) + (f[i] + g[j] - c).abs());
            let allowance = theta * evaluation + of_back + rounding * missing + moving;
            let entropic = own + if missing > 0.0 { back } else { 0.0 } + allowance;
            let linear = theta * cost + missing * c + cost_rounding + of_back + rounding * missing + moving;
            let flows = Some(vec![(i as u32, j as u32, missing)]);
            return Ok(Upper { entropic, linear, allowance, rounded: Rounded { f, g, theta, u, w, flows } });
        }
        let share = |p: &mut [f64], all: f64| {
            p.iter_mut().for_each(|p| *p *= missing / all.max(f64::MIN_POSITIVE));
        };
        share(&mut u, of_rows);
        share(&mut w, of_columns);
        return super::super::routes::routed(
            problem,
            Rounded { f, g, theta, u, w, flows: None },
            cost,
            monitor,
        )
        .map(|routed| {
            let price = problem.spread() + problem.largest() + reg * lambda;
            routed.into_upper(level_a + level_b, total, evaluation, cost_rounding, moving, price)
        });
    }

    let share_a = if of_rows > 0.0 { missing / of_rows } else { 0.0 };
    let share_b = if of_columns > 0.0 { missing / of_columns } else { 0.0 };
    u.iter_mut().for_each(|u| *u *= share_a);
    w.iter_mut().for_each(|w| *w *= share_b);
    let returned = bilinear(problem, &u, &w, monitor)? / missing.max(f64::MIN_POSITIVE);
    let logs = |p: &[f64], side: &Side| -weighted(p, side.logs());
    let entropy = logs(&u, a).min(logs(&w, b));
    let return_rounding = links * missing * problem.largest()
        + 8.0 * U * reg * (weighted_size(&u, a.logs()) + weighted_size(&w, b.logs()) + missing)
        + rounding * missing;
    let allowance = theta * evaluation + return_rounding + moving;
    let entropic = own + returned + reg * (missing + entropy) + allowance;
    let linear = theta * cost + returned + cost_rounding + return_rounding + moving;
    Ok(Upper { entropic, linear, allowance, rounded: Rounded { f, g, theta, u, w, flows: None } })
}

/// A finite arc whose row and column both have room for `missing`: row, column, cost.
type Arc = (usize, usize, f64);

struct Room<'a> {
    u: &'a [f64],
    w: &'a [f64],
    missing: f64,
    buffer: Vec<f64>,
    best: Option<Arc>,
    unit: f64,
}

impl Visit for Room<'_> {
    fn group<T: Entry>(&mut self, first: usize, rows: &[&[T]]) {
        let m = self.w.len();
        for (r, row) in rows.iter().enumerate() {
            let i = first + r;
            if self.u[i] < self.missing {
                continue;
            }
            // 2^(-C/unit): decreasing in C, and 0 where the arc is forbidden.
            let mut sum = [0.0];
            let zeros = vec![0.0; m];
            dispatch(Exponentials {
                rows: &[row],
                f: &[0.0],
                g: &zeros,
                scale: 1.0 / self.unit,
                buffer: &mut self.buffer,
                sums: &mut sum,
            });
            for (j, &p) in self.buffer[..m].iter().enumerate() {
                let cost = -self.unit * p.log2();
                if p > 0.0 && self.w[j] >= self.missing && self.best.is_none_or(|best| cost < best.2) {
                    self.best = Some((i, j, cost));
                }
            }
        }
    }
}

/// The cheapest arc with room for `missing` at both ends. Its cost is exact to a few units in the last place of the
/// largest cost.
fn room(
    problem: &Problem<'_>,
    u: &[f64],
    w: &[f64],
    missing: f64,
    monitor: &mut Monitor<'_>,
) -> Result<Option<Arc>, Aborted> {
    let unit = problem.largest().max(f64::MIN_POSITIVE);
    let make = |_| Room { u, w, missing, buffer: vec![0.0; GROUP * w.len()], best: None, unit };
    let mut best: Option<Arc> = None;
    over_blocks(problem.cost(), monitor, make, |block| {
        if let Some(arc) = block.best
            && best.is_none_or(|best| arc.2 < best.2)
        {
            best = Some(arc);
        }
    })?;
    Ok(best)
}
