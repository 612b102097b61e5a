//! The bracket that (p, f, g) prove.
//!
//! Lower: for any f, g the Lagrangian is least at `P_k = exp((f_k + g_k - C)/reg)`, and over p of mass M at its smallest
//! coefficient, so the optimum is at least
//! `sum_k w_k (<g_k, b_k> - reg sum P_k) + M min(0, min_i e_i)`,  `e_i = sum_k w_k f_ki`.
//!
//! Upper: p of mass M is given; each P_k is scaled down to the marginals (p, b_k), in the exponent and so without
//! overflow for any potentials, and what its rows and columns lack comes back as a product (Altschuler, Weed & Rigollet,
//! NIPS 2017, algorithm 2). The value of these feasible plans is at least the optimum. F is reg-strongly convex in the
//! sense of Pinsker's inequality, hence `|p - p*|_1 <= sqrt(2 M gap / reg)`.
//!
//! Rounding, u = 2^-53. An exponential of an exponent t is off by 3u|t| + 2.5u of itself and t by the rounding of
//! f + g, so P_ij by `E_ij / reg` of itself, `E = u(2|f + g| + 6|f + g - C|) + 8u reg`. No chain of additions is longer
//! than 512/2 or 64 before it enters a compensated sum or the next chain, so all sums are within `280u` of their
//! absolute sums; products and weights (w 2u, b 4u) add less than 20u: `R = 300u`.
//!
//! * `lower` loses `R (sum w |g| b + reg sum P) + sum w P E`, and `e_i` is rounded downwards.
//! * `upper` gains `R (sum w |C| Q + reg (sum w Q |log Q| + M))` for the computed plans Q, and moves them onto the exact
//!   marginals: their sums are within 2R M of those in l1, and mass costs at most s, or reg times a logarithm, to move:
//!   `2 R M (s + reg L)`, `L = 40 + |log M| + |log min p| + |log min b|` over positive weights.

use solvent_simd::dispatch;

use super::kernels::{LineMass, LineValue, Worth};
use super::passes::{BLOCK, Side, factor, sums, transform};
use super::problem::Problem;
use crate::base::certificate::{Certificate, Kind};
use crate::base::monitor::Monitor;
use crate::base::sum::{Dd, Sum, sum};
use crate::ot::OtError;
use crate::ot::entry::Entry;

const U: f64 = 0.5 * f64::EPSILON;
const R: f64 = 300.0 * U;
/// Attempts to bring all sums below the marginals: the first does, but for the last digits of extreme potentials.
const ROUNDS: usize = 5;

/// The certificate, and the numbers that are shown beside it.
#[derive(Debug, Clone)]
pub struct Judgement {
    /// Of p and the potentials together.
    pub certificate: Certificate,
    /// D, without allowance and without the correction for the constraint.
    pub value: f64,
    /// The optimum is not below.
    pub lower: f64,
    /// The optimum is not above; attained, up to rounding, by the rounded plans.
    pub upper: f64,
}

/// Some 6 half passes. `f` and `g` hold the potentials of the active histograms one after the other; p is scaled to the
/// mass.
pub fn certify<T: Entry>(
    problem: &Problem<'_, T>,
    p: &[f64],
    f: &[f64],
    g: &[f64],
    monitor: &mut Monitor<'_>,
) -> Result<Judgement, OtError> {
    let total = sum(p);
    let p: Vec<f64> = p.iter().map(|p| p * (problem.mass / total)).collect();
    let (value, lower) = below(problem, f, g, monitor)?;
    let upper = above(problem, &p, f, g, monitor)?;
    let (mass, reg) = (problem.mass, problem.reg);
    let gap = upper - lower;
    let bound = if gap.is_nan() { f64::INFINITY } else { gap.max(0.0) / (mass * problem.scale) };
    let certificate = Certificate::new(Kind::DualityGap, bound)
        .part("lower", lower)
        .part("upper", upper)
        .part("gap", gap)
        .part("p_error", (2.0 * mass * gap.max(0.0) / reg).sqrt())
        .part("mass", mass);
    Ok(Judgement { certificate, value, lower, upper })
}

fn below<T: Entry>(
    problem: &Problem<'_, T>,
    f: &[f64],
    g: &[f64],
    monitor: &mut Monitor<'_>,
) -> Result<(f64, f64), OtError> {
    let (n, m, reg) = (problem.n, problem.m, problem.reg);
    let cost = &problem.cost;
    let (lines, length, factor) = (cost.count(), cost.length, factor(reg));
    let (across, along) = if cost.rows { (f, g) } else { (g, f) };
    let parts = monitor.map_blocks(lines, BLOCK, |block| {
        let (mut masses, mut errors) = (Sum::new(), Sum::new());
        for i in block {
            for (k, &w) in problem.w.iter().enumerate() {
                let along = &along[k * length..(k + 1) * length];
                let across = across[k * lines + i];
                if across > f64::NEG_INFINITY {
                    let (mass, error) = dispatch(LineMass { line: cost.line(i), along, across, factor });
                    masses.add_product(w, mass);
                    errors.add_product(w, error);
                }
            }
        }
        (masses, errors)
    })?;
    let (mut masses, mut errors) = (Sum::new(), Sum::new());
    for (mass, error) in parts {
        masses.merge(mass);
        errors.merge(error);
    }
    let (masses, errors) = (masses.value(), errors.value());
    let (mut value, mut sizes) = (Sum::new(), Sum::new());
    for (k, &w) in problem.w.iter().enumerate() {
        let (mut part, mut size) = (Sum::new(), Sum::new());
        for (g, &b) in g[k * m..(k + 1) * m].iter().zip(problem.histogram(k)).filter(|(_, b)| **b > 0.0) {
            part.add_product(*g, b);
            size.add((g * b).abs());
        }
        value.add_product(w, part.value());
        sizes.add_product(w, size.value());
    }
    value.add_product(-reg, masses);
    // Their product with M is rounded downwards by 4u.
    let slip = (0..n).fold(0.0f64, |slip, i| {
        let e = (0..problem.count()).fold(Dd::ZERO, |e, k| e + Dd::product(problem.w[k], f[k * n + i]));
        if e.hi.is_nan() { f64::INFINITY } else { slip.max(-e.hi) }
    });
    let largest = f.iter().fold(0.0f64, |l, f| l.max(f.abs()));
    let allowance = R * (sizes.value() + reg * masses)
        + U * errors
        + 8.0 * U * reg * masses
        + 64.0 * U * U * problem.mass * largest;
    let lower = value.value() - allowance - problem.mass * slip * (1.0 + 8.0 * U);
    Ok((value.value(), if lower.is_nan() { f64::NEG_INFINITY } else { lower }))
}

fn above<T: Entry>(
    problem: &Problem<'_, T>,
    p: &[f64],
    f: &[f64],
    g: &[f64],
    monitor: &mut Monitor<'_>,
) -> Result<f64, OtError> {
    let (n, m, reg, count) = (problem.n, problem.m, problem.reg, problem.count());
    let all: Vec<usize> = (0..count).collect();
    let largest = |x: &[f64]| x.iter().filter(|x| x.is_finite()).fold(0.0f64, |l, x| l.max(x.abs()));
    // How much the exponents of sums and of entries may differ by rounding, so that sums stay below the marginals.
    let slack = 8.0 * U * (largest(f) + largest(g) + problem.largest) + 300.0 * U * reg;
    // Rows, then columns, scaled down in the exponent: f + min(0, reg log p - (f - N)) = min(f, N + reg log p).
    let mut rows = vec![f64::NAN; count * n];
    transform(problem, Side::Rows, reg, g, &mut rows, monitor)?;
    let scale = |(at, f): (usize, &f64)| f.min(rows[at] + reg * p[at % n].ln()) - slack;
    let f: Vec<f64> = f.iter().enumerate().map(scale).collect();
    let mut columns = vec![f64::NAN; count * m];
    transform(problem, Side::Columns, reg, &f, &mut columns, monitor)?;
    let scale = |(at, g): (usize, &f64)| g.min(columns[at] + reg * problem.b[at].ln()) - slack;
    let g: Vec<f64> = g.iter().enumerate().map(scale).collect();
    let (mut f, mut g) = (f, g);
    let (mut row_sums, mut column_sums) = (Vec::new(), Vec::new());
    let mut above = true;
    for _ in 0..ROUNDS {
        row_sums = sums(problem, Side::Rows, reg, &g, &f, &all, monitor)?;
        column_sums = sums(problem, Side::Columns, reg, &f, &g, &all, monitor)?;
        // What is above a marginal all the same is taken down once more.
        above = false;
        let mut lower = |potential: &mut f64, sum: f64, weight: f64| {
            if sum > weight {
                *potential += reg * (weight / sum).ln() - slack;
                above = true;
            }
        };
        f.iter_mut().enumerate().for_each(|(at, f)| lower(f, row_sums[at], p[at % n]));
        g.iter_mut().enumerate().for_each(|(at, g)| lower(g, column_sums[at], problem.b[at]));
        if !above {
            break;
        }
    }
    if above || row_sums.iter().chain(&column_sums).any(|s| s.is_nan()) {
        return Ok(f64::INFINITY);
    }
    let missing: Vec<f64> = (0..count * n).map(|at| p[at % n] - row_sums[at]).collect();
    let mut share: Vec<f64> = (0..count * m).map(|at| problem.b[at] - column_sums[at]).collect();
    for k in 0..count {
        let share = &mut share[k * m..(k + 1) * m];
        let total = sum(share);
        share.iter_mut().for_each(|x| *x = if total > 0.0 { *x / total } else { 0.0 });
    }
    let worth = worth(problem, (&f, &g), (&missing, &share), monitor)?;
    let least = |x: &[f64]| x.iter().filter(|x| **x > 0.0).fold(f64::INFINITY, |l, &x| l.min(x));
    let logs = 40.0 + problem.mass.ln().abs() + least(p).ln().abs() + least(&problem.b).ln().abs();
    let value = worth.cost + reg * (worth.entropy - worth.mass);
    let allowance = R * (worth.absolute + reg * (worth.logs + problem.mass))
        + 2.0 * R * problem.mass * (problem.scale + reg * logs);
    Ok(value + allowance)
}

/// The weighted value of the rounded plans.
fn worth<T: Entry>(
    problem: &Problem<'_, T>,
    (f, g): (&[f64], &[f64]),
    (missing, share): (&[f64], &[f64]),
    monitor: &mut Monitor<'_>,
) -> Result<Worth, OtError> {
    let cost = &problem.cost;
    let (lines, length, factor) = (cost.count(), cost.length, factor(problem.reg));
    let turn = !cost.rows;
    let swap = |rows, columns| if turn { (columns, rows) } else { (rows, columns) };
    let (across, along) = swap(f, g);
    let (missing, share) = swap(missing, share);
    let parts = monitor.map_blocks(lines, BLOCK, |block| {
        let mut sums = [Sum::new(); 5];
        for i in block {
            for (k, &w) in problem.w.iter().enumerate() {
                let (at, range) = (k * lines + i, k * length..(k + 1) * length);
                let line = dispatch(LineValue {
                    line: cost.line(i),
                    along: &along[range.clone()],
                    across: across[at],
                    factor,
                    missing: missing[at],
                    share: &share[range],
                });
                for (sum, part) in
                    sums.iter_mut().zip([line.cost, line.absolute, line.entropy, line.logs, line.mass])
                {
                    sum.add_product(w, part);
                }
            }
        }
        sums
    })?;
    let mut sums = [Sum::new(); 5];
    for part in parts {
        sums.iter_mut().zip(part).for_each(|(sum, part)| sum.merge(part));
    }
    let [cost, absolute, entropy, logs, mass] = sums.map(Sum::value);
    Ok(Worth { cost, absolute, entropy, logs, mass })
}
