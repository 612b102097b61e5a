//! What each side contributes to the bounds, and the rounding of it.

use super::super::problem::Problem;
use super::super::side::Side;
use super::U;
use crate::base::sum::{Sum, two_sum};

/// The shift of both sides' potentials, f + t and g - t, that makes those of much mass small, so that folding rounds
/// little where it counts.
pub(super) fn centre(a: &Side, f: &[f64], b: &Side, g: &[f64]) -> f64 {
    let middle = |side: &Side, p: &[f64]| {
        let wanted = targets(side, p);
        let mass = crate::base::sum::sum(&wanted);
        // (Absurd potentials ask for nothing, or for more than there is.)
        if mass > 0.0 && mass.is_finite() {
            weighted(p, &wanted) / mass
        } else {
            weighted(p, side.weights()) / side.mass()
        }
    };
    let shift = 0.5 * (middle(b, g) - middle(a, f));
    if shift.is_finite() { shift } else { 0.0 }
}

/// Shifted and folded potentials.
pub(in crate::ot) fn fold(side: &Side, f: &[f64], shift: f64, reg: f64) -> Vec<f64> {
    let each = f.iter().zip(side.logs()).map(|(f, l)| {
        // Only the last sum rounds at the size of the result.
        let (sum, rest) = two_sum(*f, shift);
        sum + (rest + reg * l)
    });
    each.collect()
}

/// What folding may have moved potentials by, weighted: the last sum errs by u of itself, the product and its logarithm by
/// 3u of theirs.
pub(in crate::ot) fn moved(side: &Side, folded: &[f64], weights: &[f64], reg: f64) -> f64 {
    let each = (0..folded.len())
        .map(|i| weights[i] * U * (1.01 * folded[i].abs() + 4.0 * reg * side.logs()[i].abs()));
    each.collect::<Sum>().value()
}

/// A bound on the relative error of every computed entry that is not flushed: where it is no small number, an entry says
/// nothing of the exact one.
pub(super) fn largest_error(problem: &Problem<'_>, f: &[f64], g: &[f64]) -> f64 {
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

pub(in crate::ot) fn weighted(p: &[f64], weights: &[f64]) -> f64 {
    crate::base::sum::dot2(p, weights)
}

pub(in crate::ot) fn weighted_size(p: &[f64], weights: &[f64]) -> f64 {
    p.iter().zip(weights).map(|(p, w)| p.abs() * w).collect::<Sum>().value()
}

/// The dual's share of one side at unfolded potentials, and a bound on the rounding of it.
pub(super) fn share(side: &Side, f: &[f64]) -> (f64, f64) {
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
pub(super) fn targets(side: &Side, f: &[f64]) -> Vec<f64> {
    let each = side.weights().iter().zip(f);
    each.map(|(&a, &f)| if side.hard() { a } else { a * (-f / side.tau()).exp() }).collect()
}

/// A bound on the rounding of these targets.
pub(super) fn target_rounding(side: &Side, f: &[f64], targets: &[f64]) -> f64 {
    if side.hard() {
        return 0.0;
    }
    let each = f.iter().zip(targets).map(|(f, t)| t * U * (6.0 + 3.0 * (f / side.tau()).abs()));
    each.collect::<Sum>().value()
}

/// `sum a h(r/a)`, `h(x) = x log x - x + 1`, and a bound on the rounding of tau times it.
pub(super) fn divergence(side: &Side, marginal: &[f64]) -> (f64, f64) {
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
pub(super) fn relative_entropy(x: f64) -> f64 {
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

/// The mass that the potentials of a side ask for.
pub(super) fn weighted_targets(side: &Side, f: &[f64]) -> f64 {
    targets(side, f).into_iter().collect::<Sum>().value()
}
