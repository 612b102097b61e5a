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

mod evaluate;
mod shares;
mod upper;

pub(in crate::ot) use evaluate::{Evaluated, Hard, bilinear, evaluate};
pub(in crate::ot) use shares::{fold, moved, weighted, weighted_size};
pub use upper::{Flows, Rounded, Upper};
pub(in crate::ot) use upper::{Scaled, scaled};

use super::OtError;
use super::passes::chain;
use super::problem::Problem;
use crate::base::certificate::{Certificate, Kind};
use crate::base::monitor::Monitor;
use crate::base::sum::Sum;
use shares::{centre, largest_error, share, target_rounding, targets, weighted_targets};
use upper::upper;

/// Unit roundoff.
pub(in crate::ot) const U: f64 = f64::EPSILON / 2.0;

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
    // A plan so light that entries are lost says nothing of errors relative to its mass.
    let lost = total < 1e-290 && n > 0 && m > 0;
    let doubt = if blind || lost { f64::INFINITY } else { doubt };

    // Lower.
    let constant = if problem.balanced() { a.mass() * a.mass() } else { a.mass() * b.mass() };
    let (share_a, rounding_a) = share(a, f);
    let (share_b, rounding_b) = share(b, g);
    let linear = share_a + share_b;
    let by_moving = moved(a, &folded_f, &want_a, reg) + moved(b, &folded_g, &want_b, reg);
    drop((want_a, want_b));
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

pub(in crate::ot) fn finite_or(x: f64, other: f64) -> f64 {
    if x.is_finite() { x } else { other }
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
