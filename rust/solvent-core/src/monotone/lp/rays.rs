//! Proofs that there is no solution: Farkas multipliers and recession directions, in exact arithmetic.
//!
//! *Farkas.* With the signs of y restricted by the finite row limits and r = −Aᵀy, every feasible x has
//! 0 = yᵀAx + rᵀx >= Σ y⁺lc + y⁻uc + Σ r⁺lv + r⁻uv − Σ over infinite bounds of |r_j| |x_j| = value − Σ |r_j| |x_j|.
//! So value > 0 = violation := Σ|r_j| is a contradiction; and value > violation · R says that no feasible x has
//! max |x_j| <= R. Where the rows imply |x_j| <= B_j, value > Σ |r_j| B_j is a contradiction as well.
//!
//! *Recession.* With d restricted by the finite bounds, A d of no wrong sign and c·d < 0, the objective falls along d for
//! ever from any feasible point, and the dual has none: y feasible there gives 0 > c·d = yᵀAd + rᵀd >= 0.

use super::exact::Expansion;
use super::problem::Problem;
use crate::base::certificate::{Certificate, Kind};

/// Which proof.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Proof {
    /// Multipliers of the rows.
    Farkas,
    /// A direction of the variables.
    Recession,
}

/// A ray and what it proves.
#[derive(Debug, Clone)]
pub struct Ray {
    /// What it is.
    pub proof: Proof,
    /// The multipliers or the direction; the largest entry lies in [1, 2).
    pub vector: Vec<f64>,
    /// The certificate, kind `farkas` or `recession-ray`.
    pub certificate: Certificate,
    /// The value (or descent) as a share of the magnitudes that it was summed from: near the unit roundoff it tells of
    /// data that were rounded, not of a problem without solution.
    pub margin: f64,
}

impl Ray {
    /// Whether it proves what its kind says without a rest.
    pub fn is_exact(&self) -> bool {
        self.certificate.bound == 0.0
    }
}

/// Scales by the power of two that brings the largest entry into [1, 2); false if there is no such entry.
pub fn normalise(v: &mut [f64]) -> bool {
    let largest = v.iter().fold(0.0f64, |m, x| m.max(x.abs()));
    if !(largest > 0.0 && largest.is_finite()) || v.iter().any(|x| x.is_nan()) {
        return false;
    }
    let exponent = ((largest.to_bits() >> 52) as i32 - 1023).max(-1022);
    // Two factors: 2^-e itself may lie out of range.
    let (one, two) = (-(exponent / 2), -(exponent - exponent / 2));
    v.iter_mut().for_each(|x| *x = *x * f64::powi(2.0, one) * f64::powi(2.0, two));
    true
}

/// d with the sign that a finite bound forbids set to 0.
pub fn clip_direction(problem: &Problem, d: &mut [f64]) {
    for (j, d) in d.iter_mut().enumerate() {
        if (*d < 0.0 && problem.columns.lower[j].is_finite())
            || (*d > 0.0 && problem.columns.upper[j].is_finite())
            || d.is_nan()
        {
            *d = 0.0;
        }
    }
}

/// What exact arithmetic says about multipliers.
#[derive(Debug)]
pub struct Farkas {
    /// Columns with an infinite bound that r would need, and |r_j| rounded up.
    pub charged: Vec<(usize, f64)>,
    /// The value, not above the true one.
    pub value: f64,
    /// Its exact sign; none where a product left the range of doubles.
    pub sign: Option<f64>,
    /// Sum of the magnitudes of its terms.
    pub magnitude: f64,
}

/// Evaluates −Aᵀy and the value; y is clipped.
pub fn farkas(problem: &Problem, y: &[f64]) -> Farkas {
    let mut value = Expansion::default();
    let mut charged = Vec::new();
    let (mut lost, mut magnitude) = (false, 0.0);
    for (i, &y) in y.iter().enumerate().filter(|(_, y)| **y != 0.0) {
        let limit = if y > 0.0 { problem.rows.lower[i] } else { problem.rows.upper[i] };
        value.add_product(y, limit);
        magnitude += (y * limit).abs();
    }
    let at = problem.at.view();
    for j in 0..problem.n() {
        let (indices, values) = at.row(j);
        let mut r = Expansion::default();
        for (&i, &a) in indices.iter().zip(values) {
            r.add_product(-a, y[i as usize]);
        }
        let Some(sign) = r.sign() else {
            lost = true;
            break;
        };
        let bound = if sign > 0.0 { problem.columns.lower[j] } else { problem.columns.upper[j] };
        if sign == 0.0 {
            continue;
        }
        if bound.is_finite() {
            value.add_scaled(&r, bound);
            magnitude += (r.value() * bound).abs();
        } else {
            charged.push((j, r.above().abs().max(r.below().abs())));
        }
    }
    let sign = if lost { None } else { value.sign() };
    Farkas { charged, value: if lost { f64::NAN } else { value.below() }, sign, magnitude }
}

/// Rounds a sum of non-negative numbers up.
fn sum_up(terms: impl ExactSizeIterator<Item = f64>) -> f64 {
    let k = terms.len() as f64;
    terms.fold(0.0, |sum, term| sum + term) * (1.0 + (k + 2.0) * f64::EPSILON)
}

/// The certificate of multipliers. The vector is taken as it stands: clipped and normalised here.
pub fn certify_farkas(problem: &Problem, y: &[f64]) -> Ray {
    let mut y = y.to_vec();
    problem.clip_dual(&mut y);
    let known = normalise(&mut y);
    let found = farkas(problem, &y);
    let violation = sum_up(found.charged.iter().map(|&(_, r)| r));
    let positive = known && found.sign == Some(1.0);
    let implied = positive && violation > 0.0 && {
        let charge = found.charged.iter().map(|&(j, r)| r * implied_bound(problem, j));
        let charge = sum_up(charge.collect::<Vec<_>>().into_iter());
        charge.is_finite() && charge * (1.0 + 4.0 * f64::EPSILON) < found.value
    };
    let (bound, radius) = match (positive, violation == 0.0 || implied) {
        (true, true) => (0.0, f64::INFINITY),
        (true, false) if found.value > 0.0 => {
            ((violation / found.value).next_up(), (found.value / violation).next_down())
        }
        _ => (f64::INFINITY, 0.0),
    };
    let certificate = Certificate::new(Kind::Farkas, bound)
        .part("value", found.value)
        .part("violation", violation)
        .part("radius", radius)
        .part("implied", f64::from(u8::from(implied)));
    let margin = found.value / found.magnitude;
    Ray { proof: Proof::Farkas, vector: y, certificate, margin }
}

/// B >= |x_j| for every x that satisfies the rows and the bounds of the other variables; inf if no row says so.
fn implied_bound(problem: &Problem, j: usize) -> f64 {
    let (mut low, mut high) = (problem.columns.lower[j], problem.columns.upper[j]);
    let (indices, values) = problem.at.view().row(j);
    for (&i, &a) in indices.iter().zip(values) {
        let (rest_low, rest_high) = rest_activity(problem, i as usize, j);
        let (lc, uc) = (problem.rows.lower[i as usize], problem.rows.upper[i as usize]);
        // lc <= a x_j + rest <= uc, each step rounded outward.
        let (least, most) = ((lc - rest_high).next_down() / a, (uc - rest_low).next_up() / a);
        let (least, most) = if a > 0.0 { (least, most) } else { (most, least) };
        low = low.max(if least.is_nan() { f64::NEG_INFINITY } else { least.next_down() });
        high = high.min(if most.is_nan() { f64::INFINITY } else { most.next_up() });
    }
    if low > f64::NEG_INFINITY && high < f64::INFINITY { low.abs().max(high.abs()) } else { f64::INFINITY }
}

/// The range of row i without column j, rounded outward.
fn rest_activity(problem: &Problem, i: usize, j: usize) -> (f64, f64) {
    let (indices, values) = problem.a.view().row(i);
    let (mut low, mut high) = (0.0f64, 0.0f64);
    for (&k, &a) in indices.iter().zip(values).filter(|(k, _)| **k as usize != j) {
        let (lv, uv) = (problem.columns.lower[k as usize], problem.columns.upper[k as usize]);
        let (least, most) = if a > 0.0 { (a * lv, a * uv) } else { (a * uv, a * lv) };
        low = (low + least.next_down()).next_down();
        high = (high + most.next_up()).next_up();
    }
    (low, high)
}

/// The certificate of a direction, clipped and normalised here.
pub fn certify_recession(problem: &Problem, d: &[f64]) -> Ray {
    let mut d = d.to_vec();
    clip_direction(problem, &mut d);
    let known = normalise(&mut d);
    let mut descent = Expansion::default();
    for (c, d) in problem.c.iter().zip(&d) {
        descent.add_product(-c, *d);
    }
    let mut violation = 0.0f64;
    for i in 0..problem.m() {
        let sum = activity(problem, i, &d);
        let wrong = match sum.sign() {
            None => f64::INFINITY,
            Some(sign) if sign > 0.0 && problem.rows.upper[i].is_finite() => sum.above(),
            Some(sign) if sign < 0.0 && problem.rows.lower[i].is_finite() => -sum.below(),
            Some(_) => 0.0,
        };
        violation = violation.max(wrong);
    }
    let positive = known && descent.sign() == Some(1.0) && descent.below() > 0.0;
    let bound = match (positive, violation == 0.0) {
        (true, true) => 0.0,
        (true, false) if violation.is_finite() => (violation / descent.below()).next_up(),
        _ => f64::INFINITY,
    };
    let certificate = Certificate::new(Kind::RecessionRay, bound)
        .part("descent", descent.below())
        .part("violation", violation);
    let magnitude: f64 = problem.c.iter().zip(&d).map(|(c, d)| (c * d).abs()).sum();
    Ray { proof: Proof::Recession, vector: d, certificate, margin: descent.below() / magnitude }
}

/// Row i times x.
fn activity(problem: &Problem, i: usize, x: &[f64]) -> Expansion {
    let (indices, values) = problem.a.view().row(i);
    let mut sum = Expansion::default();
    for (&j, &a) in indices.iter().zip(values) {
        sum.add_product(a, x[j as usize]);
    }
    sum
}

/// Whether x satisfies every row and bound without any tolerance.
pub fn is_feasible(problem: &Problem, x: &[f64]) -> bool {
    let inside = |j: usize| x[j] >= problem.columns.lower[j] && x[j] <= problem.columns.upper[j];
    (0..problem.n()).all(inside)
        && (0..problem.m()).all(|i| {
            let sum = activity(problem, i, x);
            let beyond = |limit: f64| {
                let mut excess = sum.clone();
                excess.add(-limit);
                excess.sign()
            };
            let (lower, upper) = (problem.rows.lower[i], problem.rows.upper[i]);
            (!lower.is_finite() || beyond(lower).is_some_and(|sign| sign >= 0.0))
                && (!upper.is_finite() || beyond(upper).is_some_and(|sign| sign <= 0.0))
        })
}

#[cfg(test)]
mod tests {
    use super::super::problem::tests::problem;
    use super::*;

    const INF: f64 = f64::INFINITY;

    #[test]
    fn a_contradiction_is_proven_and_a_tiny_coefficient_is_none() {
        let lp = problem(&[1.0, 1.0], &[&[1.0, 1.0]], &[(-INF, -1.0)], &[(0.0, INF), (0.0, INF)]);
        let ray = certify_farkas(&lp, &[-3.0]);
        assert!(ray.is_exact() && ray.vector == [-1.5]);
        assert!(!certify_farkas(&lp, &[1.0]).is_exact());
        // 1e-9 x >= 1 is feasible: violation counts, and the radius is the truth.
        let tiny = problem(&[1.0], &[&[1e-9]], &[(1.0, INF)], &[(0.0, INF)]);
        let ray = certify_farkas(&tiny, &[1.0]);
        let radius = ray.certificate.get("radius").unwrap();
        assert!(!ray.is_exact() && radius <= 1e9 && radius > 0.999e9);
    }

    #[test]
    fn bounds_that_rows_imply_close_a_rest() {
        // 0.1 x1 + 0.7 x2 >= 1 and <= 0.9 in other units: the rest on x is there, but rows bound x.
        let lp = problem(
            &[0.0, 0.0],
            &[&[0.1, 0.7], &[0.3, 2.1], &[1.0, 1.0]],
            &[(1.0, INF), (-INF, 2.7), (-INF, 5.0)],
            &[(0.0, INF), (0.0, INF)],
        );
        let ray = certify_farkas(&lp, &[3.0, -1.0, 0.0]);
        assert!(ray.is_exact(), "{:?}", ray.certificate);
    }

    #[test]
    fn a_direction_is_judged_exactly() {
        let lp = problem(&[-1.0, 0.0], &[&[1.0, -1.0]], &[(0.0, 0.0)], &[(0.0, INF), (0.0, INF)]);
        assert!(certify_recession(&lp, &[5.0, 5.0]).is_exact());
        let off = certify_recession(&lp, &[1.0, 1.0 - 2f64.powi(-40)]);
        assert!(off.certificate.bound >= 2f64.powi(-40) && off.certificate.bound < 2f64.powi(-39));
        assert!(certify_recession(&lp, &[-1.0, 0.0]).certificate.bound == INF);
        assert!(is_feasible(&lp, &[0.1, 0.1]) && !is_feasible(&lp, &[0.1, 0.1f64.next_up()]));
    }
}
