//! The certificate: a bracket of the value from the payoffs and a pair of mixed strategies alone.
//!
//! For x, y >= 0, not 0, and p = x/1ᵀx, q = y/1ᵀy: `min M q <= v* <= max Mᵀ p` (von Neumann), and the gap between the two is
//! what both players together can gain by deviating. A value v between them is off by the gap at most; one outside
//! widens the bracket to itself.
//!
//! **Rounding**, u = 2⁻⁵³, with L = max|M| and N additions on the way of a term. Products are exact pairs, sums compensated
//! (Ogita, Rump & Oishi 2005, prop. 5.5: (N² + ...) u² Σ|terms|, and Σ_i x_i |M_ij| <= L 1ᵀx), the sums of x and y likewise,
//! quotient and difference are double-doubles (9.8u² and 3u² of numbers <= L): `(unit_error + 64u²) L` covers a side.
//! Scaling loses 2⁻¹⁰⁷⁴ an entry at most, where the largest is at least 1. With one strategy of weight 1 and no other
//! nothing at all is rounded: a saddle point in pure strategies has bound 0. The one rounding that shows is the last, of
//! the bound to a double, upwards.

use super::problem::{Form, Payoff, Products};
use crate::base::certificate::{Certificate, Kind};
use crate::base::error::Aborted;
use crate::base::monitor::Monitor;
use crate::base::sum::{Dd, Sum};
use crate::base::view::Real;
use crate::monotone::binary::ldexp;

const U: f64 = <f64 as Real>::UNIT;

/// A pair of strategies, judged.
#[derive(Debug, Clone)]
pub struct Judged {
    /// What they prove.
    pub certificate: Certificate,
    /// The value that was judged, or the middle of the bracket.
    pub value: f64,
    /// `min M y`.
    pub lower: f64,
    /// `max Mᵀ x`.
    pub upper: f64,
    /// The row player's best answer to y, the column player's to x.
    pub best_response: (usize, usize),
    /// Products that it took.
    pub products: u64,
}

/// One player's strategies.
struct Side {
    sum: Dd,
    valid: bool,
    pure: bool,
}

impl Side {
    fn of(x: &[f64]) -> Self {
        let sum = x.iter().copied().collect::<Sum>().double();
        let valid = x.iter().all(|&x| x >= 0.0) && sum.hi > 0.0 && sum.hi.is_finite();
        let weights = x.iter().filter(|&&x| x != 0.0);
        Self { sum, valid, pure: weights.clone().count() == 1 && weights.clone().all(|&x| x == 1.0) }
    }
}

/// Multiplied by a power of two so that the sum is near 1: nothing underflows that counts.
fn near_one(x: &[f64]) -> Vec<f64> {
    let sum: f64 = x.iter().sum();
    let exponent = if sum > 0.0 && sum.is_finite() { sum.log2().round() as i32 } else { 0 };
    x.iter().map(|&x| ldexp(x, -exponent)).collect()
}

/// The largest of `x` by `better`, and where it is first.
fn extreme(x: &[Dd], better: fn(&Dd, &Dd) -> bool) -> (Dd, usize) {
    (1..x.len()).fold((x[0], 0), |best, i| if better(&x[i], &best.0) { (x[i], i) } else { best })
}

/// `x` as a double that is not below it.
fn upwards(x: Dd) -> f64 {
    if x.lo > 0.0 { x.hi.next_up() } else { x.hi }
}

/// `x 2^e` as a double that is not below it.
fn raised(x: f64, e: i32) -> f64 {
    let scaled = ldexp(x, e);
    // Scaling back is exact wherever scaling was not: among the subnormal numbers.
    if ldexp(scaled, -e) < x { scaled.next_up() } else { scaled }
}

/// Judges (x, y), and a value where one is given, all as the caller has them.
pub fn judge(
    game: &dyn Payoff,
    x: &[f64],
    y: &[f64],
    value: Option<f64>,
    relative: bool,
    monitor: &mut Monitor<'_>,
) -> Result<Judged, Aborted> {
    let (exponent, sign) = (game.exponent(), if game.flipped() { -1.0 } else { 1.0 });
    let (a, b) = if game.flipped() { (y, x) } else { (x, y) };
    let (a, b) = (near_one(a), near_one(b));
    let (row, column) = (Side::of(&a), Side::of(&b));
    let Products { rows, columns, unit_error } = game.exactly(&a, &b, monitor)?;
    let (low, i) = extreme(&rows, |new, old| new < old);
    let (high, j) = extreme(&columns, |new, old| new > old);
    let (low, high) = (low / column.sum, high / row.sum);
    let (largest, exact, products) = match game.largest() {
        Some(largest) => (largest, true, 2),
        None => (seen(game, i, j, monitor)?, false, 4),
    };
    let error = (unit_error + 64.0 * U * U) * largest;
    let charge = |side: &Side| if side.pure && exact { 0.0 } else { error };
    let allowance = charge(&row) + charge(&column);

    let middle = || ldexp(sign * ((low + high) * Dd::from(0.5)).to_f64(), exponent);
    let value = value.unwrap_or_else(middle);
    let held = Dd::from(ldexp(sign * value, -exponent));
    // A comparison with nan is false, and widens nothing: the check of the bound below sees it.
    let top = if held > high { held } else { high };
    let bottom = if held < low { held } else { low };
    let width = |high: Dd, low: Dd| {
        let width = upwards(high - low).max(0.0);
        if allowance > 0.0 { (width + allowance).next_up() } else { width }
    };
    let valid = row.valid && column.valid && value.is_finite();
    let whole = if valid { width(top, bottom) } else { f64::INFINITY };
    let scale = if largest > 0.0 { largest } else { 1.0 };
    let bound = match relative {
        true if whole > 0.0 => (whole / scale).next_up(),
        true => whole,
        false => raised(whole, exponent),
    };
    let charged = |x: f64| if allowance > 0.0 { x.next_up() } else { x };
    let top = raised(charged(upwards(high) + allowance), exponent);
    let bottom = -raised(charged(upwards(-low) + allowance), exponent);
    let ends = (bottom, top);
    let (lower, upper) = if game.flipped() { (-ends.1, -ends.0) } else { ends };
    let certificate = Certificate::new(Kind::DualityGap, if bound.is_nan() { f64::INFINITY } else { bound })
        .part("lower", lower)
        .part("upper", upper)
        .part("gap", raised(width(high, low), exponent))
        .part("rounding_allowance", raised(allowance, exponent))
        .part("scale", ldexp(scale, exponent));
    let certificate = if relative { certificate } else { certificate.absolute() };
    Ok(Judged {
        certificate: if exact { certificate } else { certificate.estimate() },
        value,
        lower,
        upper,
        best_response: if game.flipped() { (j, i) } else { (i, j) },
        products,
    })
}

/// Where entries are out of reach: the largest of row i and column j, which max|M| is not below.
pub fn seen(game: &dyn Payoff, i: usize, j: usize, monitor: &mut Monitor<'_>) -> Result<f64, Aborted> {
    use super::problem::Precision::Double;
    let (n, m) = game.shape();
    let unit =
        |count: usize, k: usize| (0..count).map(|l| if l == k { 1.0 } else { 0.0 }).collect::<Vec<f64>>();
    let (mut column, mut row) = (vec![0.0; n], vec![0.0; m]);
    game.product(Form::Plain, &unit(m, j), Double, &mut column, monitor)?;
    game.product(Form::Transposed, &unit(n, i), Double, &mut row, monitor)?;
    Ok(column.iter().chain(&row).fold(0.0, |m: f64, x| m.max(x.abs())))
}
