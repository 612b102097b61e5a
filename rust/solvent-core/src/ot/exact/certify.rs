//! The certificate: a bracket of the optimal cost from (C, a, b, coupling, f, g) alone.
//!
//! The certified problem is (C, a, b'), b' = b Σa/Σb in real numbers; rows and columns of weight 0 are absent from it.
//! M = Σa, u = 2⁻⁵³, s the range of the finite costs, c₀ the least of them.
//!
//! **Lower.** f̃_i = min_j(C_ij − g_j) makes (f̃, g) feasible for the dual, g̃_j = min_i(C_ij − f_i) makes (f, g̃) so: two
//! bounds by weak duality. The smaller one counts, so that both potentials are judged. A computed minimum x exceeds
//! the true one by u|x| at most (one subtraction, monotone rounding); the products and sums are compensated (2u of the sum
//! at most) and b' costs 4u of <g,b>: 8u(Σ|f|a + Σ|g|b') covers all of it.
//!
//! **Upper.** The coupling P has marginals r and c. Take off what is above a and b', then add what is missing, D ≤
//! ‖a − r‖₁ + ‖b' − c‖₁ =: R, anywhere: a plan of the certified problem, and with costs counted from c₀ the removal cannot
//! cost anything and an addition at most s a unit: cost ≤ Σ(C − c₀)P + c₀M + sR. Rounding: 8u(Σ(C − c₀)P + |c₀|M), and in
//! R 4u of each b'_j and the tail of the compensated sums: 16uM s.
//!
//! **Upper with forbidden arcs.** What is missing cannot go anywhere, only along the coupling's own entries
//! ([`forest`](super::forest)): at most R on each of its edges, so R s a edge. Otherwise +inf.

use super::cost::Entry;
use super::forest;
use super::problem::BLOCK;
use crate::base::certificate::{Certificate, Kind};
use crate::base::error::ArgumentError;
use crate::base::monitor::Monitor;
use crate::base::sum::{Sum, sum};
use crate::base::view::MatrixView;
use crate::ot::OtError;
use solvent_simd::{Kernel, Lanes, Mask, Simd, dispatch};

/// Unit roundoff of a double.
const U: f64 = 1.110_223_024_625_156_5e-16;

/// A coupling by rows: entries `indptr[i]..indptr[i + 1]` are row i's.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Coupling {
    /// The entries.
    pub data: Vec<f64>,
    /// Their columns.
    pub indices: Vec<i32>,
    /// Where rows begin.
    pub indptr: Vec<i64>,
}

impl Coupling {
    /// (row, column, entry).
    pub fn entries(&self) -> impl Iterator<Item = (usize, usize, f64)> + '_ {
        let rows = self.indptr.windows(2).enumerate();
        rows.flat_map(move |(i, ends)| {
            (ends[0] as usize..ends[1] as usize).map(move |k| (i, self.indices[k] as usize, self.data[k]))
        })
    }

    /// Refuses what is no n x m matrix by rows.
    fn check(&self, n: usize, m: usize) -> Result<(), ArgumentError> {
        let count = self.data.len();
        let ends = self.indptr.first() == Some(&0) && self.indptr.last() == Some(&(count as i64));
        let fits = self.indptr.len() == n + 1
            && ends
            && self.indptr.is_sorted()
            && self.indices.len() == count
            && self.indices.iter().all(|&j| usize::try_from(j).is_ok_and(|j| j < m));
        if fits {
            return Ok(());
        }
        Err(ArgumentError::new("coupling", "coupling has another shape", format!("({n}, {m})")))
    }
}

/// What is judged.
#[derive(Debug, Clone, Copy)]
pub struct Payload<'a> {
    /// The plan.
    pub coupling: &'a Coupling,
    /// The rows' potentials.
    pub f: &'a [f64],
    /// The columns' potentials.
    pub g: &'a [f64],
    /// A ray (u, v) that is to prove that there is no plan.
    pub ray: Option<(&'a [f64], &'a [f64])>,
}

/// Judges a payload against the data. `c` must be contiguous in one of the two orders.
pub fn certify<T: Entry>(
    c: MatrixView<'_, T>,
    a: &[f64],
    b: &[f64],
    payload: Payload<'_>,
    monitor: &mut Monitor<'_>,
) -> Result<Certificate, OtError> {
    let Payload { coupling, f, g, ray } = payload;
    coupling.check(a.len(), b.len())?;
    let (sum_a, sum_b) = (sum(a), sum(b));
    let share = sum_a / sum_b;
    let pass = Pass::over(c, a, b, f, g, monitor)?;
    let scale = if pass.high > pass.low { pass.high - pass.low } else { 1.0 };
    let mass = sum_a.max(f64::MIN_POSITIVE);
    let from_g = dual(&pass.f, g, a, b, share);
    let from_f = dual(f, &pass.g, a, b, share);
    let (lower, dual_allowance) = if from_g.0 < from_f.0 { from_g } else { from_f };
    // Not `min`, which would look past a nan.
    let judged = from_g.0.is_finite() && from_f.0.is_finite();
    let lower = if judged { lower } else { f64::NEG_INFINITY };
    let primal = Primal::of(c, a, b, share, coupling, pass.low);
    let residual = primal.residual_a + primal.residual_b;
    let moved = match (primal.valid, pass.forbidden) {
        (false, _) => f64::INFINITY,
        (true, false) => scale * residual,
        (true, true) => {
            // The residual of each b'_j is known to 4u b'_j.
            let most = residual * (1.0 + 8.0 * U) + 8.0 * U * sum_a;
            let edges = forest::edges(coupling, a, b, most);
            edges.map_or(f64::INFINITY, |edges| scale * most * edges as f64)
        }
    };
    let base = if pass.low.is_finite() { pass.low } else { 0.0 };
    let primal_allowance =
        8.0 * U * (primal.above + base.abs() * sum_a) + 16.0 * U * sum_a * scale + f64::MIN_POSITIVE;
    let upper = (primal.above + base * sum_a) + moved + primal_allowance;
    let upper = if upper.is_nan() { f64::INFINITY } else { upper };
    let gap = (upper - lower) + U * (upper.abs() + lower.abs());
    let bound = gap / (mass * scale);
    let bound = if bound.is_nan() || !lower.is_finite() || !upper.is_finite() {
        f64::INFINITY
    } else {
        bound.max(0.0)
    };
    let certificate = Certificate::new(Kind::DualityGap, bound)
        .part("lower", lower)
        .part("upper", upper)
        .part("gap", gap)
        .part("unreg_lower", lower)
        .part("unreg_upper", upper)
        .part("marginal_error_a", primal.residual_a)
        .part("marginal_error_b", primal.residual_b)
        .part("rounding_allowance", dual_allowance + primal_allowance)
        .part("scale", scale)
        .part("sum_a", sum_a)
        .part("sum_b", sum_b);
    Ok(match ray {
        Some((u, v)) => certificate.part("excess", excess(c, a, b, share, u, v, monitor)?),
        None => certificate,
    })
}

/// `<u, a> + <v, b'>` where u_i + v_j <= 0 on every allowed arc, else -inf: above 0, no plan exists (Farkas).
fn excess<T: Entry>(
    c: MatrixView<'_, T>,
    a: &[f64],
    b: &[f64],
    share: f64,
    u: &[f64],
    v: &[f64],
    monitor: &mut Monitor<'_>,
) -> Result<f64, OtError> {
    for (i, &u) in u.iter().enumerate().filter(|(i, _)| a[*i] > 0.0) {
        monitor.poll()?;
        let allowed = |j: usize| b[j] > 0.0 && c.get(i, j).to_f64() < f64::INFINITY;
        if v.iter().enumerate().any(|(j, &v)| !(u + v <= 0.0) && allowed(j)) {
            return Ok(f64::NEG_INFINITY);
        }
    }
    let (mut total, mut columns) = (Sum::new(), Sum::new());
    u.iter().zip(a).for_each(|(&u, &a)| total.add_product(u, a));
    v.iter().zip(b).for_each(|(&v, &b)| columns.add_product(v, b));
    Ok(total.value() + share * columns.value())
}

/// `<f,a> + <g,b'>` less its allowance, and the allowance.
fn dual(f: &[f64], g: &[f64], a: &[f64], b: &[f64], share: f64) -> (f64, f64) {
    let (mut rows, mut row_size) = (Sum::new(), Sum::new());
    for (&f, &a) in f.iter().zip(a).filter(|(_, a)| **a > 0.0) {
        rows.add_product(f, a);
        row_size.add(f.abs() * a);
    }
    let (mut columns, mut column_size) = (Sum::new(), Sum::new());
    for (&g, &b) in g.iter().zip(b).filter(|(_, b)| **b > 0.0) {
        columns.add_product(g, b);
        column_size.add(g.abs() * b);
    }
    let allowance = 8.0 * U * (row_size.value() + share * column_size.value()) + f64::MIN_POSITIVE;
    (rows.value() + share * columns.value() - allowance, allowance)
}

/// What the coupling costs and misses.
struct Primal {
    /// Σ(C − c₀)P.
    above: f64,
    /// Whether all entries are finite, not negative, and on allowed arcs.
    valid: bool,
    residual_a: f64,
    residual_b: f64,
}

impl Primal {
    fn of<T: Entry>(
        c: MatrixView<'_, T>,
        a: &[f64],
        b: &[f64],
        share: f64,
        coupling: &Coupling,
        low: f64,
    ) -> Self {
        let mut rows: Vec<Sum> = vec![Sum::new(); a.len()];
        let mut columns: Vec<Sum> = vec![Sum::new(); b.len()];
        let (mut above, mut valid) = (Sum::new(), true);
        for (i, j, p) in coupling.entries() {
            rows[i].add(p);
            columns[j].add(p);
            valid &= p >= 0.0 && p.is_finite();
            if p != 0.0 {
                let cost = c.get(i, j).to_f64();
                // Mass on a row or column of weight 0 is not in the certified problem.
                valid &= cost < f64::INFINITY && a[i] > 0.0 && b[j] > 0.0;
                above.add_product(cost - low, p);
            }
        }
        let missing = |sum: Sum, of: f64| {
            let mut left = sum;
            left.add(-of);
            -left.value()
        };
        let of_rows: Vec<f64> = rows.into_iter().zip(a).map(|(s, &a)| missing(s, a)).collect();
        let of_columns: Vec<f64> = columns.into_iter().zip(b).map(|(s, &b)| missing(s, b * share)).collect();
        let size = |x: &[f64]| {
            x.iter().map(|x| x.abs()).fold(Sum::new(), |mut s, x| {
                s.add(x);
                s
            })
        };
        let (residual_a, residual_b) = (size(&of_rows).value(), size(&of_columns).value());
        Self { above: above.value(), valid, residual_a, residual_b }
    }
}

/// One pass over the cost.
struct Pass {
    /// f̃ of the given g, g̃ of the given f.
    f: Vec<f64>,
    g: Vec<f64>,
    low: f64,
    high: f64,
    forbidden: bool,
}

/// A block of rows of it.
struct Part {
    refused: Option<(usize, usize)>,
    f: Vec<f64>,
    g: Vec<f64>,
    low: f64,
    high: f64,
    forbidden: bool,
}

impl Pass {
    /// The minima are exact, so neither the order of the blocks nor that of the matrix shows in the result.
    fn over<T: Entry>(
        c: MatrixView<'_, T>,
        a: &[f64],
        b: &[f64],
        f: &[f64],
        g: &[f64],
        monitor: &mut Monitor<'_>,
    ) -> Result<Self, OtError> {
        let transposed = c.as_row_major().is_none();
        if transposed {
            let turned = Self::rows(c.transpose(), b, a, g, f, transposed, monitor)?;
            return Ok(Self { f: turned.g, g: turned.f, ..turned });
        }
        Self::rows(c, a, b, f, g, transposed, monitor)
    }

    fn rows<T: Entry>(
        c: MatrixView<'_, T>,
        a: &[f64],
        b: &[f64],
        f: &[f64],
        g: &[f64],
        transposed: bool,
        monitor: &mut Monitor<'_>,
    ) -> Result<Self, OtError> {
        let columns: Vec<u32> = (0..b.len() as u32).filter(|&j| b[j as usize] > 0.0).collect();
        let some = (columns.len() < b.len()).then_some(columns.as_slice());
        let own: Vec<f64> = columns.iter().map(|&j| -g[j as usize]).collect();
        let parts = monitor.map_blocks(a.len(), BLOCK, |range| {
            let mut part = Part {
                refused: None,
                f: Vec::with_capacity(range.len()),
                g: vec![f64::INFINITY; columns.len()],
                low: f64::INFINITY,
                high: f64::NEG_INFINITY,
                forbidden: false,
            };
            let mut scratch = Vec::new();
            let mut chosen = Vec::new();
            for i in range {
                let mut row = c.row_in(i, &mut scratch);
                if a[i] == 0.0 {
                    part.f.push(f64::INFINITY);
                    continue;
                }
                if let Some(columns) = some {
                    chosen.clear();
                    chosen.extend(columns.iter().map(|&j| row[j as usize]));
                    row = &chosen;
                }
                let seen = dispatch(Both { row, add: &own, shift: f[i], columns: &mut part.g });
                if !seen.valid {
                    let bad = row.iter().position(|x| x.to_f64().is_nan() || x.to_f64() == f64::NEG_INFINITY);
                    let at = bad.unwrap_or(0);
                    part.refused = Some((i, some.map_or(at, |columns| columns[at] as usize)));
                    return part;
                }
                part.f.push(seen.least);
                part.low = part.low.min(seen.low);
                part.high = part.high.max(seen.high);
                part.forbidden |= seen.forbidden;
            }
            part
        })?;
        let mut pass = Self {
            f: Vec::with_capacity(a.len()),
            g: vec![f64::INFINITY; b.len()],
            low: f64::INFINITY,
            high: f64::NEG_INFINITY,
            forbidden: false,
        };
        for part in parts {
            if let Some((i, j)) = part.refused {
                let value = c.get(i, j).to_f64();
                let index = if transposed { [j, i] } else { [i, j] };
                let expected = "finite values (or +inf for a forbidden arc)";
                return Err(ArgumentError::element("C", &index, value, expected).into());
            }
            pass.f.extend(part.f);
            for (&j, new) in columns.iter().zip(part.g) {
                pass.g[j as usize] = pass.g[j as usize].min(new);
            }
            (pass.low, pass.high) = (pass.low.min(part.low), pass.high.max(part.high));
            pass.forbidden |= part.forbidden;
        }
        Ok(pass)
    }
}

struct Seen {
    valid: bool,
    least: f64,
    low: f64,
    high: f64,
    forbidden: bool,
}

/// `min_j(C_ij + add_j)` of a row and `columns_j = min(columns_j, C_ij - shift)`, with the row's extremes.
struct Both<'a, T> {
    row: &'a [T],
    add: &'a [f64],
    shift: f64,
    columns: &'a mut [f64],
}

impl<T: Entry> Kernel for Both<'_, T> {
    type Output = Seen;
    #[inline(always)]
    fn run<S: Simd>(self) -> Seen {
        let lanes = S::F64::LANES;
        let len = self.row.len();
        let body = len - len % lanes;
        let (top, bottom) = (S::F64::splat(f64::INFINITY), S::F64::splat(f64::NEG_INFINITY));
        let shift = S::F64::splat(self.shift);
        let (mut least, mut low, mut high) = (top, top, bottom);
        let (mut valid, mut finite) = (top.le(top), top.le(top));
        let mut j = 0;
        while j < body {
            let k = j + lanes;
            let x = T::lanes::<S::F64>(&self.row[j..k]);
            let inside = x.lt(top);
            valid = valid.and(x.gt(bottom));
            finite = finite.and(inside);
            low = x.min(low);
            high = S::F64::select(inside, x, bottom).max(high);
            least = (x + S::F64::load(&self.add[j..k])).min(least);
            (x - shift).min(S::F64::load(&self.columns[j..k])).store(&mut self.columns[j..k]);
            j = k;
        }
        let mut seen = Seen {
            valid: valid.all(),
            least: least.reduce_min(),
            low: low.reduce_min(),
            high: high.reduce_max(),
            forbidden: !finite.all(),
        };
        for j in body..len {
            let x = self.row[j].to_f64();
            seen.valid &= x > f64::NEG_INFINITY;
            seen.least = seen.least.min(x + self.add[j]);
            self.columns[j] = self.columns[j].min(x - self.shift);
            seen.low = seen.low.min(x);
            if x < f64::INFINITY {
                seen.high = seen.high.max(x);
            } else {
                seen.forbidden = true;
            }
        }
        seen
    }
}
