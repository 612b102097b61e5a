//! The certificate of a primal-dual pair, from the original data.
//!
//! With y restricted to the signs that its finite limits allow and r = c − Aᵀy, three numbers:
//!
//! * primal = ‖(Ax − clip(Ax, lc, uc), x − clip(x, lv, uv))‖₂ / (1 + ‖b‖);
//! * dual = ‖the part of r whose sign belongs to an infinite bound‖₂ / (1 + ‖c‖);
//! * gap = |p − d| / (1 + |p| + |d|), p = c·x, d = Σ y⁺lc + y⁻uc + r⁺lv + r⁻uv over finite limits.
//!
//! The bound is the largest. Each is rounded up by the allowance of its sums: a compensated sum of k products has an error
//! of at most u|s| + 2k²u² Σ|terms| (Ogita, Rump & Oishi, proposition 5.5, with γ_k² <= 2k²u² for k < 2²⁴).
//!
//! `objective_lower` <= optimum always (Neumaier & Shcherbina, Mathematical Programming 99 (2004) 283, for two-sided
//! limits): every x that is feasible has c·x = yᵀAx + rᵀx >= Σ y⁺lc + y⁻uc + Σ_j min over s in [r_j ± ρ_j] of s x_j, where
//! ρ_j bounds the error of the computed r_j. It is -inf where an infinite bound meets a reduced cost of the wrong sign.

use super::exact::Expansion;
use super::problem::Problem;
use crate::base::certificate::{Certificate, Kind};
use crate::base::error::Aborted;
use crate::base::monitor::Monitor;
use crate::base::sum::Sum;
use std::ops::Range;

/// Unit roundoff.
pub const U: f64 = f64::EPSILON / 2.0;
/// Rows that a thread takes at a time.
const BLOCK: usize = 4096;

/// What a point is worth.
#[derive(Debug, Clone)]
pub struct Judgement {
    /// The certificate, kind `kkt`.
    pub certificate: Certificate,
    /// Relative violation of the rows and bounds.
    pub primal: f64,
    /// Relative violation of dual feasibility.
    pub dual: f64,
    /// Relative gap.
    pub gap: f64,
    /// c·x + offset.
    pub objective: f64,
    /// d + offset.
    pub dual_objective: f64,
    /// c − Aᵀy.
    pub reduced_costs: Vec<f64>,
    /// A x.
    pub activity: Vec<f64>,
}

/// A compensated sum and what its error can be.
#[derive(Debug, Clone, Copy, Default)]
struct Bounded {
    sum: Sum,
    magnitude: f64,
    terms: f64,
}

impl Bounded {
    fn add(&mut self, a: f64, b: f64) {
        self.sum.add_product(a, b);
        self.magnitude += (a * b).abs();
        self.terms += 1.0;
    }

    fn merge(&mut self, other: Self) {
        self.sum.merge(other.sum);
        self.magnitude += other.magnitude;
        self.terms += other.terms;
    }

    /// The sum, with the most that it can be off. The smallest normal number stands for products that underflowed.
    fn value(self) -> (f64, f64) {
        let value = self.sum.value();
        let k = self.terms + 2.0;
        // 2.1 k² u² instead of 2 k² u²: the magnitude is itself a rounded sum.
        let second = 2.1 * k * k * U * U * self.magnitude;
        (value, U * value.abs() + second + k * f64::MIN_POSITIVE * f64::from(u8::from(self.magnitude > 0.0)))
    }
}

/// The sums of one block of rows or columns.
#[derive(Default)]
struct Part {
    /// Rounded residuals or products, one a row.
    values: Vec<f64>,
    /// Squared violations, and the squares of what they can be off.
    squares: Sum,
    allowance: f64,
    /// Terms of the dual objective.
    dual: Bounded,
    dual_error: f64,
    /// Terms of the primal objective.
    primal: Bounded,
    /// Terms of the lower bound of the objective, and their magnitudes; false if one does not exist.
    lower: Sum,
    lower_magnitude: f64,
    unbounded: bool,
    /// A violation is no finite number.
    broken: bool,
}

impl Part {
    fn merge(&mut self, other: Self) {
        self.values.extend(other.values);
        self.squares.merge(other.squares);
        self.allowance += other.allowance;
        self.dual.merge(other.dual);
        self.dual_error += other.dual_error;
        self.primal.merge(other.primal);
        self.lower.merge(other.lower);
        self.lower_magnitude += other.lower_magnitude;
        self.unbounded |= other.unbounded;
        self.broken |= other.broken;
    }

    fn charge(&mut self, violation: f64, error: f64) {
        self.squares.add_product(violation, violation);
        self.allowance += error * error;
        self.broken |= !(violation * violation + error).is_finite();
    }

    fn lower(&mut self, term: f64) {
        self.lower.add(term);
        self.lower_magnitude += term.abs();
    }

    /// The norm of what was charged and a bound of it: the triangle inequality adds the allowances.
    fn norm(&self) -> f64 {
        if self.broken {
            return f64::INFINITY;
        }
        let violation = self.squares.value().max(0.0).sqrt();
        (violation + self.allowance.sqrt()) * (1.0 + 8.0 * U)
    }
}

/// A x, its violation and the share of y in the dual objective, over some rows.
fn over_rows(problem: &Problem, x: &[f64], y: &[f64], rows: Range<usize>) -> Part {
    let mut part = Part::default();
    let a = problem.a.view();
    for i in rows {
        let (indices, values) = a.row(i);
        let mut activity = Bounded::default();
        for (&j, &v) in indices.iter().zip(values) {
            activity.add(v, x[j as usize]);
        }
        let (lower, upper) = (problem.rows.lower[i], problem.rows.upper[i]);
        // The limit belongs to the sum: subtracted after rounding it would leave the rounding of a large activity.
        for (limit, sign) in [(lower, 1.0), (upper, -1.0)] {
            if limit.is_finite() {
                let mut excess = activity;
                excess.add(-1.0, limit);
                let (value, error) = excess.value();
                let violation = -sign * value;
                if !value.is_finite() {
                    part.broken = true;
                } else if violation > -error {
                    part.charge(violation.max(0.0), error);
                }
            }
        }
        let y = y[i];
        let limit = if y > 0.0 { lower } else { upper };
        if y != 0.0 && limit.is_finite() {
            part.dual.add(y, limit);
            part.lower(y * limit);
        }
        part.values.push(activity.value().0);
    }
    part
}

/// r = c − Aᵀy, its violation and share in the dual objective, x's violation and c·x, over some columns.
fn over_columns(problem: &Problem, x: &[f64], y: &[f64], columns: Range<usize>) -> (Part, Part) {
    let (mut part, mut box_part) = (Part::default(), Part::default());
    let at = problem.at.view();
    for j in columns {
        let (indices, values) = at.row(j);
        let mut reduced = Bounded::default();
        reduced.add(1.0, problem.c[j]);
        for (&i, &v) in indices.iter().zip(values) {
            reduced.add(-v, y[i as usize]);
        }
        let (mut r, mut error) = reduced.value();
        if r.abs() <= error && r.is_finite() {
            // The sign is open: a vertex has many r_j = 0, and there the exact value says more than any allowance.
            let mut exact = Expansion::default();
            exact.add(problem.c[j]);
            for (&i, &v) in indices.iter().zip(values) {
                exact.add_product(-v, y[i as usize]);
            }
            if exact.sign().is_some() {
                (r, error) = (exact.value(), exact.above() - exact.below());
            }
        }
        part.broken |= !r.is_finite();
        let (lower, upper) = (problem.columns.lower[j], problem.columns.upper[j]);
        let wrong = match (r > 0.0, lower == f64::NEG_INFINITY, upper == f64::INFINITY) {
            (true, true, _) => r,
            (false, _, true) => -r,
            _ => 0.0,
        };
        if wrong > 0.0 || (r.abs() <= error && (lower == f64::NEG_INFINITY || upper == f64::INFINITY)) {
            part.charge(wrong, error);
        } else if r != 0.0 {
            part.dual.add(r, if r > 0.0 { lower } else { upper });
        }
        let finite = |v: f64| if v.is_finite() { v.abs() } else { 0.0 };
        // Of a sign that is certain one bound takes part.
        part.dual_error += if r > error {
            error * finite(lower)
        } else if r < -error {
            error * finite(upper)
        } else {
            (error + r.abs()) * finite(lower).max(finite(upper))
        };
        // s x_j is least at an end of the interval, or at 0 inside it.
        let least = [r - error, r + error].map(|s| {
            let s = s + (s - r) * 4.0 * U;
            if s > 0.0 {
                s * lower
            } else if s < 0.0 {
                s * upper
            } else {
                0.0
            }
        });
        let least = least[0].min(least[1]);
        if least.is_finite() {
            part.lower(least);
        } else {
            part.unbounded = true;
        }
        part.values.push(r);
        part.primal.add(problem.c[j], x[j]);
        let outside = (lower - x[j]).max(x[j] - upper).max(0.0);
        if outside > 0.0 || !x[j].is_finite() {
            box_part.charge(outside + 0.0 * x[j], 0.0);
        }
    }
    (part, box_part)
}

/// Judges x and y: the signs of y are restricted first.
pub fn certify(
    problem: &Problem,
    x: &[f64],
    y: &[f64],
    monitor: &mut Monitor<'_>,
) -> Result<Judgement, Aborted> {
    let mut y = y.to_vec();
    problem.clip_dual(&mut y);
    let (mut rows, mut columns, mut outside) = (Part::default(), Part::default(), Part::default());
    for part in monitor.map_blocks(problem.m(), BLOCK, |rows| over_rows(problem, x, &y, rows))? {
        rows.merge(part);
    }
    for (part, boxes) in monitor.map_blocks(problem.n(), BLOCK, |cs| over_columns(problem, x, &y, cs))? {
        columns.merge(part);
        outside.merge(boxes);
    }
    let (mut p, mut d) = (columns.primal, rows.dual);
    d.merge(columns.dual);
    if problem.offset != 0.0 {
        p.add(1.0, problem.offset);
        d.add(1.0, problem.offset);
    }
    let ((p, p_error), (d, d_error)) = (p.value(), d.value());
    let error = p_error + d_error + columns.dual_error;
    rows.squares.merge(outside.squares);
    rows.broken |= outside.broken;
    let up = 1.0 + 8.0 * U;
    let primal = rows.norm() / problem.primal_scale * up;
    let dual = columns.norm() / problem.dual_scale * up;
    let scale = (1.0 + p.abs() + d.abs() - error).max(1.0);
    let gap = ((p - d).abs() + error) / scale * up;
    let bound = [primal, dual, gap]
        .into_iter()
        .fold(0.0, |worst: f64, v| if v.is_nan() { f64::INFINITY } else { worst.max(v) });
    let lower = if columns.unbounded {
        f64::NEG_INFINITY
    } else {
        columns.lower.merge(rows.lower);
        let magnitude = columns.lower_magnitude + rows.lower_magnitude + problem.offset.abs();
        columns.lower.add(problem.offset);
        columns.lower.value() - 4.0 * U * magnitude
    };
    let certificate = Certificate::new(Kind::Kkt, bound)
        .part("primal", primal)
        .part("dual", dual)
        .part("gap", gap)
        .part("objective", p)
        .part("dual_objective", d)
        .part("objective_lower", lower);
    Ok(Judgement {
        certificate,
        primal,
        dual,
        gap,
        objective: p,
        dual_objective: d,
        reduced_costs: columns.values,
        activity: rows.values,
    })
}

#[cfg(test)]
mod tests {
    use super::super::problem::tests::problem;
    use super::*;
    use crate::base::monitor::{Budget, Silent};

    const INF: f64 = f64::INFINITY;

    fn judge(problem: &Problem, x: &[f64], y: &[f64]) -> Judgement {
        let mut silent = Silent;
        certify(problem, x, y, &mut Monitor::new(Budget::new(0.0, 1), &mut silent, &[])).unwrap()
    }

    #[test]
    fn an_optimal_pair_has_no_error_and_a_perturbed_one_has() {
        let lp = problem(&[1.0, 2.0], &[&[1.0, 1.0]], &[(1.0, INF)], &[(0.0, INF), (0.0, INF)]);
        let best = judge(&lp, &[1.0, 0.0], &[1.0]);
        assert!(best.certificate.bound < 1e-15 && best.objective == 1.0);
        assert!((best.certificate.get("objective_lower").unwrap() - 1.0).abs() < 1e-14);
        let worse = judge(&lp, &[1.5, 0.0], &[1.0]);
        assert!((worse.gap - 0.5 / 3.5).abs() < 1e-15);
        // A wrong sign is dropped, and what is left is charged.
        let wrong = judge(&lp, &[1.0, 0.0], &[-1.0]);
        assert!((wrong.gap - 0.5).abs() < 1e-15 && wrong.dual < 1e-15);
        let free = problem(&[1.0], &[&[1.0]], &[(1.0, INF)], &[(-INF, INF)]);
        assert!((judge(&free, &[1.0], &[0.25]).dual - 0.375).abs() < 1e-15);
        assert_eq!(judge(&free, &[1.0], &[0.25]).certificate.get("objective_lower"), Some(-INF));
    }

    #[test]
    fn a_far_bound_costs_nothing_where_the_sign_is_certain() {
        let far = problem(&[1.0, 1.1], &[&[0.7, 0.3]], &[(1.0, INF)], &[(0.0, 1e30), (0.0, 1e30)]);
        // r = (0.5, ...) > 0 or an exact 0: no share of 1e30 enters the gap.
        let judged = judge(&far, &[1.0 / 0.7, 0.0], &[0.5]);
        assert!(judged.gap < 1.0 && judged.gap > 0.3);
        // A sign that points to the far bound is paid for.
        assert!(judge(&far, &[1.0 / 0.7, 0.0], &[1.5]).gap > 0.99);
    }

    #[test]
    fn points_that_are_no_numbers_prove_nothing() {
        let lp = problem(&[1.0], &[&[1.0]], &[(1.0, INF)], &[(0.0, INF)]);
        assert_eq!(judge(&lp, &[f64::NAN], &[1.0]).certificate.bound, INF);
        assert_eq!(judge(&lp, &[INF], &[1.0]).certificate.bound, INF);
    }
}
