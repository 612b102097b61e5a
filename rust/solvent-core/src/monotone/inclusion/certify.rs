//! The certificate `operator-residual`.
//!
//! From x and g: `w = x + h g`, `y = J_{hG}(w)`. Then `(w - y)/h ∈ G(y)` by the definition of a resolvent, whatever x, g
//! and h are, and so
//!
//! ```text
//! v = F(y) + (w - y)/h  ∈  F(y) + G(y),
//! ```
//!
//! with no constant of F in it. A solver's pair has `y = x`: for the clip of a box in floats too. The bound is |v| and
//! what rounding can have taken from it; `parts["infeasibility"]` is `|x - y|` and what rounding can have moved y by.
//! Where G = 0, `v = F(x)`.
//!
//! Where the rounding of a plain evaluation may be most of |v|, F(y) is evaluated again in twice the precision, and the
//! smaller bound holds. That depends on the pair alone, so whoever judges it again gets the same number.

use crate::base::certificate::{Certificate, Kind};
use crate::base::error::Aborted;
use crate::base::monitor::Monitor;
use crate::base::sum::norm2;
use crate::monotone::operator::{Operator, gamma};
use crate::monotone::prox::Prox;
use crate::monotone::vector::distance;

/// What is judged.
#[derive(Debug, Clone, Copy)]
pub struct Payload<'a> {
    /// The answer.
    pub x: &'a [f64],
    /// An element of G there; none where G = 0.
    pub g: Option<&'a [f64]>,
    /// Step of the resolvent.
    pub h: f64,
    /// F(x), if it is known to the last bit.
    pub known: Option<&'a [f64]>,
}

/// What a bound is relative to, and what else it says.
#[derive(Debug, Clone, Copy)]
pub struct Terms {
    /// Divisor of the bound.
    pub scale: f64,
    /// Whether the bound is relative.
    pub relative: bool,
    /// Strong monotonicity, if it is known.
    pub mu: Option<f64>,
}

/// A certificate and what it was made from.
#[derive(Debug, Clone)]
pub struct Judged {
    /// The certificate.
    pub certificate: Certificate,
    /// |v|.
    pub residual: f64,
    /// What rounding can have taken from it; nan where nothing is known.
    pub allowance: f64,
    /// The same of a plain evaluation: what a run cannot see beyond.
    pub noise: f64,
    /// Full evaluations it took.
    pub evaluations: u64,
}

/// Judges a pair. The rounding of v, coordinate by coordinate: the operator's own allowance for F(y); a subtraction and
/// a division for `(w - y)/h`, 2u of it; one addition, u of the sum. Norms of both are compensated.
pub fn judge(
    operator: &dyn Operator,
    prox: Option<&dyn Prox>,
    payload: Payload<'_>,
    terms: Terms,
    monitor: &mut Monitor<'_>,
) -> Result<Judged, Aborted> {
    let Payload { x, g, h, known } = payload;
    let d = x.len();
    let (mut y, mut pull) = (x.to_vec(), vec![0.0; d]);
    let mut infeasibility = None;
    if let Some(prox) = prox {
        let zero = vec![0.0; d];
        let g = g.unwrap_or(&zero);
        let w: Vec<f64> = x.iter().zip(g).map(|(x, g)| x + h * g).collect();
        prox.apply(&w, h, &mut y)?;
        for j in 0..d {
            pull[j] = (w[j] - y[j]) / h;
        }
        infeasibility = Some(distance(x, &y) + prox.allowance(&w, h, &y));
    }
    let same = y.iter().zip(x).all(|(a, b)| a == b);
    let mut f = vec![0.0; d];
    let mut evaluations = 0;
    match known {
        Some(known) if same => f.copy_from_slice(known),
        _ => {
            operator.full(&y, &mut f, monitor)?;
            evaluations = 1;
        }
    }
    let mut slack = vec![0.0; d];
    let told = operator.allowance(&y, &mut slack, monitor)?;
    let (mut residual, mut allowance) = size(&f, &pull, &mut slack);
    let noise = if told { allowance } else { f64::NAN };
    if told
        && allowance > 0.5 * residual
        && allowance > TINY
        && operator.precise(&y, &mut f, &mut slack, monitor)?
    {
        let precise = size(&f, &pull, &mut slack);
        if precise.0 + precise.1 < residual + allowance {
            (residual, allowance) = precise;
        }
    }
    let allowance = if told { allowance } else { f64::NAN };
    // The norm itself, the sum and the division: a few roundings more.
    let absolute = residual * (1.0 + gamma(8)) + if told { allowance } else { 0.0 };
    let bound = above(absolute, terms.scale);
    let bound = if bound.is_nan() { f64::INFINITY } else { bound };
    let mut certificate = Certificate::new(Kind::OperatorResidual, bound)
        .part("residual", residual)
        .part("allowance", allowance)
        .part("scale", terms.scale);
    if let Some(infeasibility) = infeasibility {
        certificate = certificate.part("infeasibility", infeasibility);
    }
    if let Some(mu) = terms.mu {
        // |y - u*| <= |v|/mu by strong monotonicity, and x is not far from y.
        let distance = (above(absolute, mu) + infeasibility.unwrap_or(0.0)) * (1.0 + gamma(4));
        certificate = certificate.part("distance", distance);
    }
    if !terms.relative {
        certificate = certificate.absolute();
    }
    if !told || !prox.is_none_or(|prox| prox.is_exact()) {
        certificate = certificate.estimate();
    }
    Ok(Judged { certificate, residual, allowance, noise, evaluations })
}

/// A quotient from above: what underflows is not 0, and nan stays nan.
fn above(a: f64, b: f64) -> f64 {
    let quotient = a / b * (1.0 + gamma(3));
    if a > 0.0 && quotient < f64::MIN_POSITIVE { f64::MIN_POSITIVE } else { quotient }
}

/// Allowances below this stand for underflow.
const TINY: f64 = 1e-280;

/// |v| for `v = f + pull`, and what rounding can have taken from it where `slack` bounds what it has done to f.
fn size(f: &[f64], pull: &[f64], slack: &mut [f64]) -> (f64, f64) {
    let v: Vec<f64> = f.iter().zip(pull).map(|(f, pull)| f + pull).collect();
    for j in 0..v.len() {
        // The last term stands for everything that underflowed.
        slack[j] += gamma(3) * pull[j].abs() + gamma(1) * v[j].abs() + 1e-300;
    }
    (norm2(&v), 1.001 * norm2(slack))
}
