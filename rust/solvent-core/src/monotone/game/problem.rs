//! The game: who has how many strategies, products with the payoffs, and what can be said of them without any work.
//!
//! Payoffs are divided by a power of two, exactly, so that the largest is in [1, 2): a game and its multiple by 2^k are
//! solved by the same operations, and nothing overflows.

use super::products::Rows;
use crate::base::dense::Matrix;
use crate::base::error::{Aborted, ArgumentError};
use crate::base::monitor::Monitor;
use crate::base::sparse::{Sparse, SparseView};
use crate::base::sum::{Dd, Sum};
use crate::base::view::{MatrixView, Real};
use crate::monotone::binary::{exponent_of, ldexp};
use std::sync::OnceLock;

/// How entries are read while iterating; certificates always read them in full.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Precision {
    /// As they are.
    Double,
    /// Rounded to single precision, where a copy is kept; sums are double.
    Single,
}

/// Products of both players' strategies, with what is needed to judge them.
#[derive(Debug, Clone)]
pub struct Products {
    /// `M y`.
    pub rows: Vec<Dd>,
    /// `Mᵀ x`.
    pub columns: Vec<Dd>,
    /// What an entry may be off by, in units of (largest magnitude) x (sum of the strategy).
    pub unit_error: f64,
}

/// Which of the two products.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// With M: what each pure strategy of the row player pays.
    Plain,
    /// With Mᵀ: what each of the column player is paid.
    Transposed,
}

/// Payoffs as the methods see them, scaled. The row player minimises `xᵀ M y`.
pub trait Payoff: Sync {
    /// Strategies of the two players.
    fn shape(&self) -> (usize, usize);

    /// The payoffs are 2^this times what the methods see.
    fn exponent(&self) -> i32 {
        0
    }

    /// Whether the methods see `-Mᵀ`.
    fn flipped(&self) -> bool {
        false
    }

    /// The largest magnitude of an entry; `None` where entries are out of reach.
    fn largest(&self) -> Option<f64>;

    /// What 1 is to the methods, whose payoffs may be counted from a constant and in units of their spread. Gaps do not
    /// depend on the constant.
    fn unit(&self) -> f64 {
        1.0
    }

    /// The largest magnitude that the methods see, in their unit; 1 where entries are out of reach.
    fn magnitude(&self) -> f64 {
        self.largest().unwrap_or(1.0)
    }

    /// `out = M v` or `out = Mᵀ v`.
    fn product(
        &self,
        form: Form,
        v: &[f64],
        precision: Precision,
        out: &mut [f64],
        monitor: &mut Monitor<'_>,
    ) -> Result<(), Aborted>;

    /// `M y` and `Mᵀ x` in double precision; one read of M where that can be.
    fn both(
        &self,
        (x, y): (&[f64], &[f64]),
        (of_rows, of_columns): (&mut [f64], &mut [f64]),
        monitor: &mut Monitor<'_>,
    ) -> Result<(), Aborted> {
        self.product(Form::Plain, y, Precision::Double, of_rows, monitor)?;
        self.product(Form::Transposed, x, Precision::Double, of_columns, monitor)
    }

    /// `M y` and `Mᵀ x` for a certificate.
    fn exactly(&self, x: &[f64], y: &[f64], monitor: &mut Monitor<'_>) -> Result<Products, Aborted>;

    /// The entries of rows `s` and columns `t`; `None` where they are out of reach.
    fn block(&self, s: &[usize], t: &[usize]) -> Option<Matrix<f64>>;

    /// A pair of pure strategies that no player leaves: the largest entry of its row and the smallest of its column.
    fn saddle(&self) -> Option<(usize, usize)>;
}

/// The largest magnitude, or the place of the first entry that is not finite.
fn largest_of(entries: &[f64]) -> Result<f64, usize> {
    let largest = entries.iter().fold(0.0, |m: f64, x| m.max(x.abs()));
    let finite = largest < f64::INFINITY && !entries.iter().fold(0.0, |s, x| s + x * 0.0).is_nan();
    if finite {
        return Ok(largest);
    }
    Err(entries.iter().position(|x| !x.is_finite()).unwrap_or(0))
}

/// Where the extreme of each line is unique enough to decide: `min_i max_j = max_j min_i`.
fn saddle_of(row_max: &[f64], column_min: &[f64]) -> Option<(usize, usize)> {
    let best = |x: &[f64], better: fn(f64, f64) -> bool| {
        (1..x.len()).fold(0, |k, i| if better(x[i], x[k]) { i } else { k })
    };
    let i = best(row_max, |new, old| new < old);
    let j = best(column_min, |new, old| new > old);
    (row_max[i] == column_min[j]).then_some((i, j))
}

/// A stored matrix with at least as many rows as columns: what has fewer is kept as `-Mᵀ`, the players changing places.
///
/// Where all payoffs lie far from 0 and close together, the methods are given `(M - c)/2^k`: a constant changes no
/// strategy, and what is rounded off then is small beside the differences. Certificates read M.
#[derive(Debug)]
pub struct Dense {
    entries: Vec<f64>,
    /// `(M - c)/2^k` and its largest magnitude, where that differs from M.
    centred: Option<(Vec<f64>, f64)>,
    unit: f64,
    shape: (usize, usize),
    exponent: i32,
    largest: f64,
    flipped: bool,
    single: OnceLock<Vec<f32>>,
}

impl Dense {
    /// One copy of the payoffs, scaled; refuses what is not finite.
    pub fn new<T: Real>(m: MatrixView<'_, T>) -> Result<Self, ArgumentError> {
        let flipped = m.rows() < m.columns();
        let view = if flipped { m.transpose() } else { m };
        let (rows, columns) = view.shape();
        let mut entries: Vec<f64> = Vec::with_capacity(rows * columns);
        let mut scratch = Vec::new();
        for i in 0..rows {
            entries.extend(view.row_in(i, &mut scratch).iter().map(|x| x.to_f64()));
        }
        let largest = largest_of(&entries).map_err(|k| {
            let (i, j) = (k / columns, k % columns);
            let index = if flipped { [j, i] } else { [i, j] };
            ArgumentError::element("M", &index, entries[k], "finite values")
        })?;
        let exponent = exponent_of(largest);
        let sign = if flipped { -1.0 } else { 1.0 };
        if exponent != 0 || flipped {
            if (-1000..=1000).contains(&exponent) {
                let factor = sign * 2f64.powi(-exponent);
                entries.iter_mut().for_each(|x| *x *= factor);
            } else {
                entries.iter_mut().for_each(|x| *x = sign * ldexp(*x, -exponent));
            }
        }
        let largest = ldexp(largest, -exponent);
        let (centred, unit) = centre(&entries);
        let (shape, single) = ((rows, columns), OnceLock::new());
        Ok(Self { entries, centred, unit, shape, exponent, largest, flipped, single })
    }

    /// The entries as the methods see them, row by row.
    pub fn entries(&self) -> &[f64] {
        self.centred.as_ref().map_or(&self.entries, |(entries, _)| entries)
    }

    /// The matrix by rows.
    pub fn rows(&self) -> Rows<'_, f64> {
        Rows::new(self.entries(), self.shape.1)
    }

    /// The entries in single precision; made when first asked for.
    pub fn single(&self) -> &[f32] {
        self.single.get_or_init(|| self.entries().iter().map(|&x| x as f32).collect())
    }
}

/// Entries counted from their middle, in a power of two near their spread, and that power; `None` and 1 unless the
/// middle outweighs the spread.
fn centre(entries: &[f64]) -> (Option<(Vec<f64>, f64)>, f64) {
    let ends = entries.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(a, b), &x| (a.min(x), b.max(x)));
    let (middle, spread) = ((ends.0 + ends.1) / 2.0, ends.1 - ends.0);
    if spread == 0.0 || middle.abs() <= spread {
        return (None, 1.0);
    }
    let exponent = exponent_of(ends.1 - middle);
    let factor = 2f64.powi(-exponent);
    let centred: Vec<f64> = entries.iter().map(|x| (x - middle) * factor).collect();
    let largest = centred.iter().fold(0.0, |m: f64, x| m.max(x.abs()));
    (Some((centred, largest)), 2f64.powi(exponent))
}

impl Payoff for Dense {
    fn shape(&self) -> (usize, usize) {
        self.shape
    }

    fn exponent(&self) -> i32 {
        self.exponent
    }

    fn flipped(&self) -> bool {
        self.flipped
    }

    fn largest(&self) -> Option<f64> {
        Some(self.largest)
    }

    fn unit(&self) -> f64 {
        self.unit
    }

    fn magnitude(&self) -> f64 {
        self.centred.as_ref().map_or(self.largest, |(_, largest)| *largest)
    }

    fn product(
        &self,
        form: Form,
        v: &[f64],
        precision: Precision,
        out: &mut [f64],
        monitor: &mut Monitor<'_>,
    ) -> Result<(), Aborted> {
        let m = self.shape.1;
        match (precision, form) {
            (Precision::Double, Form::Plain) => self.rows().apply(v, out, monitor),
            (Precision::Double, Form::Transposed) => self.rows().adjoint(v, out, monitor),
            (Precision::Single, Form::Plain) => Rows::new(self.single(), m).apply(v, out, monitor),
            (Precision::Single, Form::Transposed) => Rows::new(self.single(), m).adjoint(v, out, monitor),
        }
    }

    fn both(
        &self,
        (x, y): (&[f64], &[f64]),
        (of_rows, of_columns): (&mut [f64], &mut [f64]),
        monitor: &mut Monitor<'_>,
    ) -> Result<(), Aborted> {
        self.rows().both(x, y, of_rows, of_columns, monitor)
    }

    fn exactly(&self, x: &[f64], y: &[f64], monitor: &mut Monitor<'_>) -> Result<Products, Aborted> {
        let (rows, columns) = Rows::new(&self.entries, self.shape.1).compensated(x, y, monitor)?;
        Ok(Products::compensated(rows, columns))
    }

    fn block(&self, s: &[usize], t: &[usize]) -> Option<Matrix<f64>> {
        let (entries, m) = (self.entries(), self.shape.1);
        Some(Matrix::from_fn(s.len(), t.len(), |i, j| entries[s[i] * m + t[j]]))
    }

    fn saddle(&self) -> Option<(usize, usize)> {
        let m = self.shape.1;
        let mut column_min = vec![f64::INFINITY; m];
        let row_max: Vec<f64> = self
            .entries
            .chunks_exact(m)
            .map(|row| {
                column_min.iter_mut().zip(row).for_each(|(low, &x)| *low = if x < *low { x } else { *low });
                row.iter().fold(f64::NEG_INFINITY, |high, &x| if x > high { x } else { high })
            })
            .collect();
        saddle_of(&row_max, &column_min)
    }
}

/// A sparse matrix, by rows and by columns.
#[derive(Debug)]
pub struct Compressed {
    by_rows: Sparse<f64>,
    by_columns: Sparse<f64>,
    exponent: i32,
    largest: f64,
}

/// Stored entries that are worth a thread.
const SHARE: usize = 1 << 15;

impl Compressed {
    /// A scaled copy; the columns of a row must be distinct. Refuses what is not finite.
    pub fn new<T: Real>(m: SparseView<'_, T>) -> Result<Self, ArgumentError> {
        let data: Vec<f64> = m.data().iter().map(|x| x.to_f64()).collect();
        let largest = largest_of(&data).map_err(|k| {
            let i = m.indptr().partition_point(|&start| start as usize <= k) - 1;
            ArgumentError::element("M", &[i, m.indices()[k] as usize], data[k], "finite values")
        })?;
        let exponent = exponent_of(largest);
        let by_rows = Sparse {
            indptr: m.indptr().to_vec(),
            indices: m.indices().to_vec(),
            data: data.iter().map(|&x| ldexp(x, -exponent)).collect(),
            columns: m.columns(),
        };
        let by_columns = by_rows.view().transpose().0;
        Ok(Self { by_rows, by_columns, exponent, largest: ldexp(largest, -exponent) })
    }

    /// `out_k = line_k · x`, each line by one thread in its order.
    fn lines(
        lines: &Sparse<f64>,
        x: &[f64],
        out: &mut [f64],
        monitor: &mut Monitor<'_>,
    ) -> Result<(), Aborted> {
        let view = lines.view();
        let step = Self::step(lines);
        monitor.map_items(out.chunks_mut(step).enumerate(), |(k, out)| {
            for (i, out) in out.iter_mut().enumerate() {
                let (columns, values) = view.row(k * step + i);
                *out = columns.iter().zip(values).fold(0.0, |s, (&j, v)| v * x[j as usize] + s);
            }
        })?;
        Ok(())
    }

    fn exact_lines(lines: &Sparse<f64>, x: &[f64], monitor: &mut Monitor<'_>) -> Result<Vec<Sum>, Aborted> {
        let view = lines.view();
        let parts = monitor.map_blocks(view.rows(), Self::step(lines), |range| {
            let sums = range.map(|i| {
                let (columns, values) = view.row(i);
                let mut sum = Sum::new();
                columns.iter().zip(values).for_each(|(&j, &v)| sum.add_product(v, x[j as usize]));
                sum
            });
            sums.collect::<Vec<_>>()
        })?;
        Ok(parts.concat())
    }

    /// Lines a block.
    fn step(lines: &Sparse<f64>) -> usize {
        let count = lines.indptr.len() - 1;
        (SHARE * count / lines.data.len().max(1)).clamp(1, count.max(1))
    }

    /// Extremes of each line, the zeros that are not stored included.
    fn extremes(lines: &Sparse<f64>, start: f64, better: fn(f64, f64) -> bool) -> Vec<f64> {
        let view = lines.view();
        let each = (0..view.rows()).map(|i| {
            let values = view.row(i).1;
            let start = if values.len() < view.columns() { 0.0 } else { start };
            values.iter().fold(start, |best, &x| if better(x, best) { x } else { best })
        });
        each.collect()
    }
}

impl Payoff for Compressed {
    fn shape(&self) -> (usize, usize) {
        (self.by_rows.indptr.len() - 1, self.by_rows.columns)
    }

    fn exponent(&self) -> i32 {
        self.exponent
    }

    fn largest(&self) -> Option<f64> {
        Some(self.largest)
    }

    fn product(
        &self,
        form: Form,
        v: &[f64],
        _: Precision,
        out: &mut [f64],
        monitor: &mut Monitor<'_>,
    ) -> Result<(), Aborted> {
        let lines = match form {
            Form::Plain => &self.by_rows,
            Form::Transposed => &self.by_columns,
        };
        Self::lines(lines, v, out, monitor)
    }

    fn exactly(&self, x: &[f64], y: &[f64], monitor: &mut Monitor<'_>) -> Result<Products, Aborted> {
        let rows = Self::exact_lines(&self.by_rows, y, monitor)?;
        Ok(Products::compensated(rows, Self::exact_lines(&self.by_columns, x, monitor)?))
    }

    fn block(&self, s: &[usize], t: &[usize]) -> Option<Matrix<f64>> {
        let mut place = vec![usize::MAX; self.by_rows.columns];
        t.iter().enumerate().for_each(|(k, &j)| place[j] = k);
        let mut block = Matrix::zeros(s.len(), t.len());
        let view = self.by_rows.view();
        for (i, &row) in s.iter().enumerate() {
            let (columns, values) = view.row(row);
            for (&j, &v) in columns.iter().zip(values) {
                let k = place[j as usize];
                if k != usize::MAX {
                    block.set(i, k, v);
                }
            }
        }
        Some(block)
    }

    fn saddle(&self) -> Option<(usize, usize)> {
        let row_max = Self::extremes(&self.by_rows, f64::NEG_INFINITY, |new, old| new > old);
        let column_min = Self::extremes(&self.by_columns, f64::INFINITY, |new, old| new < old);
        saddle_of(&row_max, &column_min)
    }
}

impl Products {
    /// From compensated sums: see [`Rows::compensated`].
    fn compensated(rows: Vec<Sum>, columns: Vec<Sum>) -> Self {
        let unit = <f64 as Real>::UNIT;
        let additions = 3.0 * (rows.len() + columns.len()) as f64 + 64.0;
        let doubles = |sums: Vec<Sum>| sums.into_iter().map(Sum::double).collect();
        Self {
            unit_error: (additions * additions + 64.0) * unit * unit,
            rows: doubles(rows),
            columns: doubles(columns),
        }
    }
}

/// Payoffs that are known by their products only: the caller's operator.
pub trait Operator: Sync {
    /// Strategies of the two players.
    fn shape(&self) -> (usize, usize);
    /// `M y`; the answer is checked.
    fn matvec(&self, y: &[f64]) -> Result<Vec<f64>, Aborted>;
    /// `Mᵀ x`.
    fn rmatvec(&self, x: &[f64]) -> Result<Vec<f64>, Aborted>;
}

/// An operator as payoffs: never scaled, entries out of reach.
pub struct Opaque<'a>(pub &'a dyn Operator);

impl Payoff for Opaque<'_> {
    fn shape(&self) -> (usize, usize) {
        self.0.shape()
    }

    fn largest(&self) -> Option<f64> {
        None
    }

    fn product(
        &self,
        form: Form,
        v: &[f64],
        _: Precision,
        out: &mut [f64],
        monitor: &mut Monitor<'_>,
    ) -> Result<(), Aborted> {
        let product = match form {
            Form::Plain => self.0.matvec(v)?,
            Form::Transposed => self.0.rmatvec(v)?,
        };
        out.copy_from_slice(&product);
        monitor.poll()
    }

    /// As the caller's operator rounds; the allowance is that of plain sums.
    fn exactly(&self, x: &[f64], y: &[f64], monitor: &mut Monitor<'_>) -> Result<Products, Aborted> {
        let (n, m) = self.shape();
        let doubles = |v: Vec<f64>| v.into_iter().map(Dd::from).collect();
        let (rows, columns) = (doubles(self.0.matvec(y)?), doubles(self.0.rmatvec(x)?));
        monitor.poll()?;
        Ok(Products { rows, columns, unit_error: (n + m + 2) as f64 * <f64 as Real>::UNIT })
    }

    fn block(&self, _: &[usize], _: &[usize]) -> Option<Matrix<f64>> {
        None
    }

    fn saddle(&self) -> Option<(usize, usize)> {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dense(entries: &[f64], rows: usize, columns: usize) -> Dense {
        Dense::new(MatrixView::row_major(entries, rows, columns).unwrap()).unwrap()
    }

    #[test]
    fn wide_games_are_kept_tall_and_scaled() {
        let game = dense(&[4.0, -8.0, 0.5, 1.0, 2.0, 6.0], 2, 3);
        assert!(game.flipped() && game.shape() == (3, 2) && game.exponent() == 3);
        assert_eq!(game.entries(), [-0.5, -0.125, 1.0, -0.25, -0.0625, -0.75]);
        assert_eq!((game.largest(), game.unit(), game.magnitude()), (Some(1.0), 1.0, 1.0));
    }

    #[test]
    fn a_constant_that_outweighs_the_spread_is_taken_off() {
        let game = dense(&[1000.0, 1001.0, 1002.0, 1001.0], 2, 2);
        assert!(game.largest().unwrap() > 1.9 && game.magnitude() >= 1.0 && game.magnitude() < 2.0);
        let back = |x: f64| x * game.unit() * ldexp(1.0, game.exponent());
        assert_eq!(back(game.entries()[2] - game.entries()[0]), 2.0);
        // Products for a certificate are those of the payoffs themselves.
        let mut silent = crate::base::monitor::Silent;
        let mut monitor = Monitor::new(crate::base::monitor::Budget::new(0.0, 1), &mut silent, &[]);
        let exact = game.exactly(&[1.0, 0.0], &[0.5, 0.5], &mut monitor).unwrap();
        let values: Vec<f64> = exact.rows.iter().map(|x| ldexp(x.to_f64(), game.exponent())).collect();
        assert_eq!(values, [1000.5, 1001.5]);
    }

    #[test]
    fn saddle_points_are_seen_in_both_forms() {
        let entries = [3.0, 0.0, 2.0, 5.0, -1.0, 6.0];
        let game = dense(&entries, 3, 2);
        assert_eq!(game.saddle(), None);
        let zero_is_one_of_them = [1.0, 0.0, 0.0, -2.0];
        assert_eq!(dense(&zero_is_one_of_them, 2, 2).saddle(), Some((1, 0)));
        let (indptr, indices, data) = ([0_i64, 1, 2], [0, 1], [1.0, -2.0]);
        let sparse = SparseView::new(&indptr, &indices, &data, 2).unwrap();
        assert_eq!(Compressed::new(sparse).unwrap().saddle(), Some((1, 0)));
    }

    #[test]
    fn what_is_not_finite_is_named() {
        let entries = [1.0, 2.0, f64::NAN, 4.0, 5.0, 6.0];
        let told = |rows, columns| {
            let view = MatrixView::row_major(&entries, rows, columns).unwrap();
            Dense::new(view).unwrap_err().to_string()
        };
        assert!(told(3, 2).starts_with("M[1, 0] is nan") && told(2, 3).starts_with("M[0, 2] is nan"));
    }
}
