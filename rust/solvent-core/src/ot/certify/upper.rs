//! Upper bounds: a feasible plan near the one of the potentials, and its value.

use super::super::OtError;
use super::super::passes::{chain, start};
use super::super::problem::Problem;
use super::super::side::Side;
use super::U;
use super::evaluate::{Evaluated, Hard, bilinear, evaluate};
use super::shares::{divergence, weighted, weighted_size};
use crate::base::error::Aborted;
use crate::base::monitor::Monitor;
use crate::base::sum::Sum;

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

/// Folded potentials of a scaled plan, and what a pass over it finds.
pub(in crate::ot) type Scaled = ((Vec<f64>, Vec<f64>), Evaluated);

/// P with its hard marginals scaled: down to both where both are hard, exactly where one is; and what a pass over it
/// finds.
pub(in crate::ot) fn scaled(
    problem: &Problem<'_>,
    mut f: Vec<f64>,
    mut g: Vec<f64>,
    plan: &Evaluated,
    monitor: &mut Monitor<'_>,
) -> Result<Scaled, Aborted> {
    let (a, b, reg) = (&problem.a, &problem.b, problem.reg);
    let safe = |sums: &[f64]| sums.iter().all(|s| (1e-250..1e250).contains(s));
    let restarted;
    let (mut rows, mut columns) = (plan.rows.as_slice(), plan.columns.as_slice());
    let settled = (!a.hard() || safe(rows)) && (!b.hard() || safe(columns));
    if !settled {
        // Potentials far off: any plan will do, and rows that begin at their largest exponent cannot overflow.
        let hard_rows = Side::new(a.weights().to_vec(), f64::INFINITY);
        let moderate: Vec<f64> = g.iter().map(|g| if g.is_finite() { *g } else { 0.0 }).collect();
        let mut swept = start::<f64>(problem.cost(), &hard_rows, &moderate, reg, monitor)?;
        (f, g) = (std::mem::take(&mut swept.f), moderate);
        restarted = swept;
        (rows, columns) = (a.weights(), restarted.columns.as_slice());
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

pub(super) fn upper(
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
        return super::super::routes::routed(
            problem,
            Rounded { f, g, theta, u, w, flows: None },
            cost,
            monitor,
        )
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
            let least_log = a.logs().iter().chain(b.logs()).fold(f64::INFINITY, |m, l| m.min(*l));
            let lambda = 40.0 + 2.0 * (side.mass().ln() - least_log).max(0.0);
            let missed = side.weights().iter().zip(sums).map(|(w, s)| (w - s).abs()).collect::<Sum>().value();
            let moved = missed + 2.0 * (links + 8.0 * U) * side.mass();
            let slopes = soft.0.weights().iter().zip(soft.1).map(|(w, s)| steepest(*w, *s, moved));
            let slope = slopes.fold(0.0_f64, f64::max);
            rounding += moved * (problem.largest() + reg * lambda + soft.0.tau() * slope);
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

/// The most by which `a h(x/a)`, h(x) = x log x - x + 1, rises a unit of mass where up to `moved` of it is added to x or
/// taken away: h' = log at the far end, and where nothing may be left, the integral of it.
fn steepest(a: f64, x: f64, moved: f64) -> f64 {
    let rising = ((x + moved) / a).ln();
    let falling = if moved <= 0.5 * x { -((x - moved) / a).ln() } else { 1.0 - (0.5 * x / a).ln() };
    let falling = if x > 0.0 { falling } else { 0.0 };
    rising.max(falling).max(0.0)
}

#[cfg(test)]
mod tests {
    use super::super::shares::relative_entropy;
    use super::steepest;

    #[test]
    fn no_move_of_mass_costs_more() {
        for a in [0.2, 1.0, 7.0] {
            for x in [0.0, 1e-9, 0.1, 0.9, 1.0, 30.0] {
                for moved in [1e-12, 1e-3, 0.4, 5.0] {
                    let slope = steepest(a, x, moved);
                    for part in [-1.0, -0.5, -0.1, 0.1, 0.5, 1.0] {
                        let to: f64 = x + part * moved;
                        if to >= 0.0 {
                            let rise = a * (relative_entropy(to / a) - relative_entropy(x / a));
                            let rounding = 1e-15 * a * (1.0 + relative_entropy(x / a));
                            assert!(rise <= (to - x).abs() * slope + rounding, "{a} {x} {moved} {part}");
                        }
                    }
                }
            }
        }
    }
}
