//! The data, validated: costs, weights, and the weights again as integers.

use super::cost::{Entry, Survey};
use crate::base::error::ArgumentError;
use crate::base::monitor::Monitor;
use crate::base::sum::{Sum, sum};
use crate::base::view::MatrixView;
use crate::ot::OtError;

/// Units that the total weight is cut into: sums of units stay far inside an `i64`, and a unit is 2⁻⁷ of what a double
/// resolves of the total.
pub const TOTAL: i64 = 1 << 60;

/// Rows of a block of work: fixed, so that results do not depend on the number of threads.
pub const BLOCK: usize = 64;

/// A transport problem whose cost lies row by row; a cost in Fortran order is held as its transpose, with the roles of
/// the weights exchanged.
#[derive(Debug)]
pub struct Problem<'a, T> {
    data: &'a [T],
    /// Length of a stored row.
    stride: usize,
    /// Whether the rows here are the columns of the caller's matrix.
    pub transposed: bool,
    /// Weights of all rows and columns.
    pub a: Vec<f64>,
    /// See `a`.
    pub b: Vec<f64>,
    /// Sums of the weights; the certified problem has `b · sum_a / sum_b`.
    pub sum_a: f64,
    /// See `sum_a`.
    pub sum_b: f64,
    /// The rows that take part (of at least one unit), and the columns.
    pub rows: Vec<u32>,
    /// See `rows`.
    pub columns: Vec<u32>,
    /// Their weights in units; both sum to the same.
    pub supply: Vec<i64>,
    /// See `supply`.
    pub demand: Vec<i64>,
    /// Smallest finite cost of each row that takes part (0 where there is none).
    pub floor: Vec<f64>,
    /// Smallest finite `C_ij - floor_i` of each column that takes part (0 where there is none).
    pub column_floor: Vec<f64>,
    /// Largest finite `C_ij - floor_i`.
    pub span: f64,
    /// Whether some arc between those that take part is forbidden.
    pub forbidden: bool,
}

impl<'a, T: Entry> Problem<'a, T> {
    /// Reads the costs once: refuses nan and -inf, rows or columns of positive weight without a finite cost, and costs
    /// whose range overflows. The weights are the caller's promise: finite, non-negative, sums positive and equal to
    /// rounding. `c` must be contiguous in one of the two orders.
    pub fn new(
        c: MatrixView<'a, T>,
        a: &[f64],
        b: &[f64],
        monitor: &mut Monitor<'_>,
    ) -> Result<Self, OtError> {
        let transposed = c.as_row_major().is_none();
        let view = if transposed { c.transpose() } else { c };
        let data = view.as_row_major().ok_or_else(|| {
            ArgumentError::new("C", "C has strides of its own", "an array contiguous in C or Fortran order")
        })?;
        let (a, b) = if transposed { (b, a) } else { (a, b) };
        let (sum_a, sum_b) = (sum(a), sum(b));
        let (rows, mut supply) = units(a, sum_a);
        let (columns, mut demand) = units(b, sum_b);
        balance(&mut supply, &mut demand);
        let mut problem = Self {
            data,
            stride: view.columns(),
            transposed,
            a: a.to_vec(),
            b: b.to_vec(),
            sum_a,
            sum_b,
            rows,
            columns,
            supply,
            demand,
            floor: Vec::new(),
            column_floor: Vec::new(),
            span: 0.0,
            forbidden: false,
        };
        problem.survey(monitor)?;
        Ok(problem)
    }

    /// Row `i` of all columns, as stored.
    #[inline(always)]
    pub fn row(&self, i: usize) -> &'a [T] {
        &self.data[i * self.stride..(i + 1) * self.stride]
    }

    /// Whether every column takes part, so that stored rows can be read as they lie.
    pub fn all_columns(&self) -> bool {
        self.columns.len() == self.stride
    }

    /// `C_ij - floor_i` by the numbers of those that take part; inf where forbidden.
    #[inline(always)]
    pub fn cost(&self, i: usize, j: usize) -> f64 {
        let at = self.rows[i] as usize * self.stride + self.columns[j] as usize;
        self.data[at].to_f64() - self.floor[i]
    }

    /// [`cost`](Self::cost) where a forbidden arc costs `big`.
    #[inline(always)]
    pub fn priced(&self, i: usize, j: usize, big: f64) -> f64 {
        let cost = self.cost(i, j);
        if cost < f64::INFINITY { cost } else { big }
    }

    /// Σ floor a + Σ column_floor b': what the reductions are worth in any plan.
    pub fn value_of_floors(&self) -> f64 {
        self.dual_value(&vec![0.0; self.rows.len()], &self.column_floor)
    }

    /// `<f + floor, a> + <g, b'>` over those that take part.
    pub fn dual_value(&self, f: &[f64], g: &[f64]) -> f64 {
        let mut value = Sum::new();
        for ((&i, f), floor) in self.rows.iter().zip(f).zip(&self.floor) {
            value.add_product(f + floor, self.a[i as usize]);
        }
        let share = self.sum_a / self.sum_b;
        for (&j, &g) in self.columns.iter().zip(g) {
            value.add_product(g, self.b[j as usize] * share);
        }
        value.value()
    }

    fn survey(&mut self, monitor: &mut Monitor<'_>) -> Result<(), OtError> {
        let stored = self.a.len();
        let mut takes_part = vec![false; stored];
        self.rows.iter().for_each(|&i| takes_part[i as usize] = true);
        let some = if self.all_columns() { None } else { Some(self.columns.as_slice()) };
        let blocks = monitor.map_blocks(stored, BLOCK, |range| {
            Survey::of(range.clone().map(|i| self.row(i)), &takes_part[range], some)
        })?;
        let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
        let mut column_floor = vec![f64::INFINITY; self.columns.len()];
        let mut floor = Vec::with_capacity(self.rows.len());
        for (k, block) in blocks.into_iter().enumerate() {
            if let Some((i, j)) = block.refused {
                return Err(self.refused(BLOCK * k + i, j).into());
            }
            floor.extend(block.floor.iter().map(|&x| if x.is_finite() { x } else { 0.0 }));
            low = block.floor.iter().copied().fold(low, f64::min);
            high = high.max(block.high);
            self.span = self.span.max(block.span);
            self.forbidden |= block.forbidden;
            for (least, &new) in column_floor.iter_mut().zip(&block.column_floor) {
                *least = least.min(new);
            }
        }
        self.floor = floor;
        if !(high - low).is_finite() && high > low {
            let was = format!("C ranges from {low:?} to {high:?}");
            return Err(ArgumentError::new("C", was, "a range below 1.8e308").into());
        }
        if self.forbidden {
            self.refuse_lonely(&column_floor)?;
        }
        self.column_floor = column_floor.iter().map(|&x| if x.is_finite() { x } else { 0.0 }).collect();
        Ok(())
    }

    fn refused(&self, i: usize, j: usize) -> ArgumentError {
        let index = if self.transposed { [j, i] } else { [i, j] };
        let value = self.row(i)[j].to_f64();
        ArgumentError::element("C", &index, value, "finite values (or +inf for a forbidden arc)")
    }

    /// Refuses rows and columns of positive weight that no arc touches at all.
    fn refuse_lonely(&self, column_floor: &[f64]) -> Result<(), ArgumentError> {
        let infinite = |x: &T| x.to_f64() == f64::INFINITY;
        let row = self.rows.iter().find(|&&i| self.row(i as usize).iter().all(infinite));
        if let Some(&i) = row {
            return Err(lonely(self.transposed, i));
        }
        let mut suspects = self.columns.iter().zip(column_floor).filter(|(_, least)| !least.is_finite());
        let column = suspects.find(|&(&j, _)| (0..self.a.len()).all(|i| infinite(&self.row(i)[j as usize])));
        match column {
            Some((&j, _)) => Err(lonely(!self.transposed, j)),
            None => Ok(()),
        }
    }
}

fn lonely(column: bool, index: u32) -> ArgumentError {
    let (kind, weight) = if column { ("column", "b") } else { ("row", "a") };
    let was = format!("{kind} {index} of C has no finite entry but {weight}[{index}] > 0");
    ArgumentError::new("C", was, "a finite cost for some arc of positive weight")
}

/// The weights of at least one unit, by their indices.
fn units(weights: &[f64], total: f64) -> (Vec<u32>, Vec<i64>) {
    let scaled = weights.iter().map(|&w| (w / total * TOTAL as f64).round() as i64);
    let kept = scaled.enumerate().filter(|&(_, units)| units > 0);
    kept.map(|(i, units)| (i as u32, units)).unzip()
}

/// Puts what rounding left between the two sums on the largest weight of the smaller one.
fn balance(supply: &mut [i64], demand: &mut [i64]) {
    let missing = supply.iter().sum::<i64>() - demand.iter().sum::<i64>();
    let side = if missing > 0 { demand } else { supply };
    if let Some(largest) = side.iter_mut().max() {
        *largest += missing.abs();
    }
}
