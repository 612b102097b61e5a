//! What is asked: a ground cost, two sides, a regularisation. Weights of 0 leave the problem here.

use super::OtError;
use super::cost::{Cost, Dense, Extents};
use super::passes::{Extent, over_blocks, start};
use super::points::{Metric, Points};
use super::side::Side;
use crate::base::error::ArgumentError;
use crate::base::monitor::Monitor;
use crate::base::sum::{Dd, sum};
use crate::base::view::MatrixView;

/// The ground cost as the caller has it.
#[derive(Debug, Clone)]
pub enum Ground<'a> {
    /// A matrix in double precision.
    F64(MatrixView<'a, f64>),
    /// A matrix in single precision.
    F32(MatrixView<'a, f32>),
    /// Two clouds, one point after the other, in `d` dimensions.
    Points {
        /// The rows' points.
        x: Vec<f64>,
        /// The columns' points.
        y: Vec<f64>,
        /// Dimensions.
        d: usize,
        /// The cost between two points.
        metric: Metric,
    },
}

/// How firmly the plan's marginals are held, and how much it is smoothed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Terms {
    /// Regularisation, in units of the cost.
    pub reg: f64,
    /// Penalty on the rows' marginal; inf = hard.
    pub tau_a: f64,
    /// Penalty on the columns' marginal.
    pub tau_b: f64,
    /// Partial transport: the plan's mass, the weights being upper limits. Not together with penalties.
    pub mass: Option<f64>,
}

impl Terms {
    /// Whether both marginals are hard.
    pub fn balanced(&self) -> bool {
        self.tau_a == f64::INFINITY && self.tau_b == f64::INFINITY && self.mass.is_none()
    }

    /// Whether rows, and columns, may stay without any mass.
    fn free(&self) -> (bool, bool) {
        let partial = self.mass.is_some();
        (partial || self.tau_a < f64::INFINITY, partial || self.tau_b < f64::INFINITY)
    }
}

/// The problem as the solvers see it: rows are contiguous in memory, every weight is positive, and where both marginals
/// are hard their totals agree (`b` is scaled to a's total).
#[derive(Debug, Clone)]
pub struct Problem<'a> {
    /// The whole cost; its rows are the caller's columns where `transposed`.
    whole: Cost<'a>,
    /// Without the weights of 0; `None` where there are none.
    part: Option<Cost<'a>>,
    /// Which of the whole's rows and columns are left.
    kept: (Vec<usize>, Vec<usize>),
    /// Which have left although their weight is positive, because no arc leads to another positive weight.
    idle: (Vec<usize>, Vec<usize>),
    /// The rows' side.
    pub a: Side,
    /// The columns' side.
    pub b: Side,
    /// Regularisation.
    pub reg: f64,
    /// Partial transport: the plan's mass.
    pub mass: Option<f64>,
    /// Whether rows are the caller's columns.
    pub transposed: bool,
    /// Least and largest finite cost.
    pub extent: (f64, f64),
    /// Whether some arcs are forbidden.
    pub forbidden: bool,
    /// Whether a line that must carry mass has no arc to a positive weight.
    pub hopeless: bool,
    /// The totals as given, in the caller's order.
    pub totals: (f64, f64),
}

impl<'a> Problem<'a> {
    /// Checks the cost. Weights must be finite and >= 0, with a positive total, and as many as the cost has rows and
    /// columns; `terms` must be positive.
    pub fn new(
        ground: Ground<'a>,
        a: &[f64],
        b: &[f64],
        terms: Terms,
        monitor: &mut Monitor<'_>,
    ) -> Result<Self, OtError> {
        let (whole, transposed) = match ground {
            Ground::F64(view) => {
                let (dense, transposed) = Dense::new(view);
                (Cost::F64(dense), transposed)
            }
            Ground::F32(view) => {
                let (dense, transposed) = Dense::new(view);
                (Cost::F32(dense), transposed)
            }
            Ground::Points { x, y, d, metric } => (Cost::Points(Points::new(x, y, d, metric)), false),
        };
        let totals = (sum(a), sum(b));
        let Terms { reg, mut tau_a, mut tau_b, mass } = terms;
        let (mut free_rows, mut free_columns) = terms.free();
        // Totals are sums of floats: a mass that is one of them but for their last bits means it.
        let least = totals.0.min(totals.1);
        let mass =
            mass.map(|mass| if (mass - least).abs() <= 2.0 * f64::EPSILON * least { least } else { mass });
        // b' = b sum(a)/sum(b), so that the totals agree.
        let ratio = if terms.balanced() { (Dd::from(totals.0) / Dd::from(totals.1)).to_f64() } else { 1.0 };
        let scaled: Vec<f64> = b.iter().map(|b| b * ratio).collect();
        let (mut a, mut b) = (a, &scaled[..]);
        if transposed {
            (a, b) = (b, a);
            (tau_a, tau_b) = (tau_b, tau_a);
            (free_rows, free_columns) = (free_columns, free_rows);
        }
        let mut extents = Vec::new();
        over_blocks(&whole, monitor, |_| Extents::default(), |block| extents.extend(block.0))?;
        if let Some(i) = extents.iter().position(|e| e.invalid) {
            return Err(refuse_entry(&whole, i, transposed).into());
        }
        if extents.iter().any(|e| e.forbidden) {
            let barren = |i: &usize| extents[*i].largest == f64::NEG_INFINITY && a[*i] > 0.0;
            if let (false, Some(i)) = (free_rows, (0..a.len()).find(barren)) {
                return Err(no_arc(i, transposed).into());
            }
            let least = super::passes::column_minima(&whole, &vec![0.0; a.len()], monitor)?;
            let barren = |j: &usize| least[*j] == f64::INFINITY && b[*j] > 0.0;
            if let (false, Some(j)) = (free_columns, (0..b.len()).find(barren)) {
                return Err(no_arc(j, !transposed).into());
            }
        }
        let mut rows: Vec<usize> = (0..a.len()).filter(|&i| a[i] > 0.0).collect();
        let mut columns: Vec<usize> = (0..b.len()).filter(|&j| b[j] > 0.0).collect();
        let selected = |rows: &[usize], columns: &[usize]| {
            (rows.len() < a.len() || columns.len() < b.len()).then(|| whole.select(rows, columns))
        };
        let mut part = selected(&rows, &columns);
        let mut hopeless = false;
        let mut idle = (Vec::new(), Vec::new());
        let measure = |cost: &Cost<'_>, monitor: &mut Monitor<'_>| -> Result<Vec<Extent>, OtError> {
            let mut extents = Vec::new();
            over_blocks(cost, monitor, |_| Extents::default(), |block| extents.extend(block.0))?;
            Ok(extents)
        };
        if let Some(cost) = &part {
            extents = measure(cost, monitor)?;
        }
        if extents.iter().any(|e| e.forbidden) {
            // Between positive weights a line without a finite cost stays without mass; where it may not, no plan exists.
            let cost = part.as_ref().unwrap_or(&whole);
            let least = super::passes::column_minima(cost, &vec![0.0; rows.len()], monitor)?;
            let barren: Vec<bool> = extents.iter().map(|e| e.largest == f64::NEG_INFINITY).collect();
            hopeless =
                !free_rows && barren.contains(&true) || !free_columns && least.contains(&f64::INFINITY);
            idle.0 = leave(&mut rows, |i| free_rows && barren[i]);
            idle.1 = leave(&mut columns, |j| free_columns && least[j] == f64::INFINITY);
            if !idle.0.is_empty() || !idle.1.is_empty() {
                part = selected(&rows, &columns);
                extents = measure(part.as_ref().unwrap_or(&whole), monitor)?;
            }
        }
        let least = extents.iter().fold(f64::INFINITY, |m, e| m.min(e.least));
        let largest = extents.iter().fold(f64::NEG_INFINITY, |m, e| m.max(e.largest));
        let forbidden = extents.iter().any(|e| e.forbidden);
        let weights = |side: &[f64], kept: &[usize]| kept.iter().map(|&i| side[i]).collect::<Vec<_>>();
        let side = |weights: Vec<f64>, tau: f64| {
            let side = Side::new(weights, tau);
            if mass.is_some() { side.capped() } else { side }
        };
        Ok(Self {
            a: side(weights(a, &rows), tau_a),
            b: side(weights(b, &columns), tau_b),
            mass,
            whole,
            part,
            kept: (rows, columns),
            idle,
            reg,
            transposed,
            extent: if least <= largest { (least, largest) } else { (0.0, 0.0) },
            forbidden,
            hopeless,
            totals,
        })
    }

    /// The same problem with rows and columns exchanged, the cost copied.
    #[must_use]
    pub fn exchanged(&self) -> Self {
        Self {
            whole: self.cost().transpose(),
            part: None,
            kept: ((0..self.b.len()).collect(), (0..self.a.len()).collect()),
            idle: (Vec::new(), Vec::new()),
            a: self.b.clone(),
            b: self.a.clone(),
            reg: self.reg,
            mass: self.mass,
            transposed: !self.transposed,
            extent: self.extent,
            forbidden: self.forbidden,
            hopeless: self.hopeless,
            totals: self.totals,
        }
    }

    /// The cost between positive weights.
    pub fn cost(&self) -> &Cost<'a> {
        self.part.as_ref().unwrap_or(&self.whole)
    }

    /// The whole cost; rows are the caller's columns where `transposed`.
    pub fn whole(&self) -> &Cost<'a> {
        &self.whole
    }

    /// Which of the whole's rows and columns have a positive weight.
    pub fn kept(&self) -> (&[usize], &[usize]) {
        (&self.kept.0, &self.kept.1)
    }

    /// Which of the whole's rows and columns have left although their weight is positive: no arc leads from them to
    /// another positive weight.
    pub fn idle(&self) -> (&[usize], &[usize]) {
        (&self.idle.0, &self.idle.1)
    }

    /// The scale of the costs: largest less least finite one, but for the rounding of costs that are computed; 1 where they
    /// are equal.
    pub fn spread(&self) -> f64 {
        let spread = (self.extent.1 - self.extent.0) - 2.0 * self.cost().rounding(self.largest());
        if spread > 0.0 { spread } else { 1.0 }
    }

    /// Largest finite cost in size.
    pub fn largest(&self) -> f64 {
        self.extent.0.abs().max(self.extent.1.abs())
    }

    /// Whether both marginals are hard.
    pub fn balanced(&self) -> bool {
        self.a.hard() && self.b.hard() && self.mass.is_none()
    }

    /// The caller's potentials, as they are for the weights that are left.
    pub fn restrict(&self, f: &[f64], g: &[f64]) -> (Vec<f64>, Vec<f64>) {
        let (f, g) = if self.transposed { (g, f) } else { (f, g) };
        let pick = |p: &[f64], kept: &[usize]| kept.iter().map(|&i| p[i]).collect();
        (pick(f, &self.kept.0), pick(g, &self.kept.1))
    }

    /// The potentials in the caller's order. Where a weight is 0 stands the soft c-transform of the others, which is
    /// the derivative of the value in that weight; where no arc is left, inf.
    pub fn extend(
        &self,
        f: Vec<f64>,
        g: Vec<f64>,
        monitor: &mut Monitor<'_>,
    ) -> Result<(Vec<f64>, Vec<f64>), OtError> {
        let (rows, columns) = &self.kept;
        let (n, m) = self.whole.shape();
        let (f, g) = if self.part.is_none() {
            (f, g)
        } else {
            let full_f = fill(&self.whole, rows, n, &f, columns, &g, &self.b, &self.a, self.reg, monitor)?;
            let across = self.whole.transpose();
            let full_g = fill(&across, columns, m, &g, rows, &f, &self.a, &self.b, self.reg, monitor)?;
            (full_f, full_g)
        };
        Ok(if self.transposed { (g, f) } else { (f, g) })
    }
}

impl Problem<'_> {
    /// Partial transport, in the caller's order: where [`extend`](Self::extend) filled in for absent rows and columns
    /// `f + lam` stands, and f is at most 0.
    pub fn cap_absent(&self, f: &mut [f64], g: &mut [f64], lam: f64) {
        let (rows, columns) =
            if self.transposed { (&self.kept.1, &self.kept.0) } else { (&self.kept.0, &self.kept.1) };
        for (p, kept) in [(f, rows), (g, columns)] {
            let mut absent = vec![true; p.len()];
            kept.iter().for_each(|&i| absent[i] = false);
            p.iter_mut()
                .zip(&absent)
                .filter(|(_, absent)| **absent)
                .for_each(|(p, _)| *p = (*p - lam).min(0.0));
        }
    }
}

/// One side's potentials: `f` at `kept`, soft c-transforms of `g` elsewhere.
#[allow(clippy::too_many_arguments, reason = "two sides, each with its potentials and places")]
fn fill(
    whole: &Cost<'_>,
    kept: &[usize],
    n: usize,
    f: &[f64],
    columns: &[usize],
    g: &[f64],
    other: &Side,
    own: &Side,
    reg: f64,
    monitor: &mut Monitor<'_>,
) -> Result<Vec<f64>, OtError> {
    let mut full = vec![f64::INFINITY; n];
    kept.iter().zip(f).for_each(|(&i, &f)| full[i] = f);
    let mut gone = vec![true; n];
    kept.iter().for_each(|&i| gone[i] = false);
    let gone: Vec<usize> = (0..n).filter(|&i| gone[i]).collect();
    if gone.is_empty() || columns.is_empty() {
        return Ok(full);
    }
    let folded: Vec<f64> = g.iter().zip(other.logs()).map(|(g, l)| g + reg * l).collect();
    // A side of weights 1: its folded potential is its potential.
    let side = Side::new(vec![1.0; gone.len()], own.tau());
    let swept = start::<f64>(&whole.select(&gone, columns), &side, &folded, reg, monitor)?;
    for (&i, &f) in gone.iter().zip(&swept.f) {
        full[i] = if f.is_nan() { f64::INFINITY } else { f };
    }
    Ok(full)
}

/// The refusal of row i, which holds nan or -inf.
fn refuse_entry(whole: &Cost<'_>, i: usize, transposed: bool) -> ArgumentError {
    let bad = |row: &[f64]| row.iter().position(|c| c.is_nan() || *c == f64::NEG_INFINITY);
    let found = match whole {
        Cost::F64(dense) => bad(dense.row(i)).map(|j| (j, dense.row(i)[j])),
        Cost::F32(dense) => {
            let row: Vec<f64> = dense.row(i).iter().map(|&c| f64::from(c)).collect();
            bad(&row).map(|j| (j, row[j]))
        }
        Cost::Points(_) => None,
    };
    match found {
        Some((j, value)) => {
            let index = if transposed { [j, i] } else { [i, j] };
            ArgumentError::element("C", &index, value, "finite values (or +inf for a forbidden arc)")
        }
        None => ArgumentError::new("X", "the cost between two points overflows", "points of moderate size"),
    }
}

/// Takes out the items at the places for which `goes` holds, and returns them.
fn leave(items: &mut Vec<usize>, goes: impl Fn(usize) -> bool) -> Vec<usize> {
    let (gone, stay): (Vec<_>, Vec<_>) = items.drain(..).enumerate().partition(|&(place, _)| goes(place));
    items.extend(stay.into_iter().map(|(_, item)| item));
    gone.into_iter().map(|(_, item)| item).collect()
}

fn no_arc(i: usize, column: bool) -> ArgumentError {
    let (line, side) = if column { ("column", "b") } else { ("row", "a") };
    ArgumentError::new(
        "C",
        format!("{line} {i} of C has no finite entry but {side}[{i}] > 0"),
        "a finite cost for some arc of positive weight",
    )
}
