//! The operator of a matrix game, `F(x, y) = (M y, -Mᵀ x)`: the row player minimises `x.M y`.
//!
//! Component k of `N = max(n, m)` is column k times `N y_k` and row k times `-N x_k`, each where there is one.

use super::blocks::Blocks;
use super::logistic::gram_norm;
use super::{Constants, Operator, Pick, Rows, gamma, twice};
use crate::base::error::Aborted;
use crate::base::monitor::Monitor;
use crate::base::sparse::Sparse;
use crate::base::sum::Sum;
use std::sync::OnceLock;

/// See the [module](self).
pub struct MatrixGame<'a> {
    rows: Rows<'a>,
    /// Made when the first batch asks for columns.
    columns: OnceLock<Columns>,
    blocks: Blocks,
}

/// The transpose of the payoffs.
enum Columns {
    Dense(Rows<'static>),
    Sparse(Sparse<f64>),
}

impl Columns {
    fn new(rows: &Rows<'_>) -> Self {
        match rows {
            Rows::Dense { data, columns } => {
                let n = rows.count();
                let turned = (0..*columns).flat_map(|j| (0..n).map(move |i| data[i * columns + j])).collect();
                Self::Dense(Rows::Dense { data: std::borrow::Cow::Owned(turned), columns: n })
            }
            Rows::Sparse(view) => Self::Sparse(view.transpose().0),
        }
    }

    fn rows(&self) -> Rows<'_> {
        match self {
            Self::Dense(rows) => rows.borrowed(),
            Self::Sparse(sparse) => Rows::Sparse(sparse.view()),
        }
    }
}

impl<'a> MatrixGame<'a> {
    /// Payoffs to the column player.
    pub fn new(rows: Rows<'a>) -> Self {
        let blocks = Blocks::new(rows.size(), rows.columns());
        Self { rows, columns: OnceLock::new(), blocks }
    }

    /// `(n, m)`.
    pub fn shape(&self) -> (usize, usize) {
        (self.rows.count(), self.rows.columns())
    }

    /// `(M y, Mᵀ x)` or the same of magnitudes, in one read of M.
    fn products_with(
        &self,
        u: &[f64],
        magnitudes: bool,
        out: &mut [f64],
        monitor: &mut Monitor<'_>,
    ) -> Result<(), Aborted> {
        let (n, m) = self.shape();
        let (x, y) = u.split_at(n);
        let size: Vec<f64> = x.iter().map(|x| x.abs()).collect();
        let block = self.blocks.size();
        let (rows, columns) = out.split_at_mut(n);
        columns.fill(0.0);
        let mut first = 0;
        let part = |range: std::ops::Range<usize>| {
            let pick = Pick::Run { first: range.start, len: range.len() };
            let (mut dots, mut sum) = (vec![0.0; range.len()], vec![0.0; m]);
            if magnitudes {
                self.rows.dots_of_magnitudes(pick, y, &mut dots);
                self.rows.accumulate_magnitudes(pick, &size[range], &mut sum);
            } else {
                self.rows.dots(pick, y, &mut dots);
                self.rows.accumulate(pick, &x[range], &mut sum);
            }
            (dots, sum)
        };
        monitor.fold_blocks(n, block, 64, part, |(dots, sum): (Vec<f64>, Vec<f64>)| {
            rows[first..first + dots.len()].copy_from_slice(&dots);
            first += dots.len();
            columns.iter_mut().zip(&sum).for_each(|(out, sum)| *out += sum);
            Ok(())
        })
    }

    /// Mean of the components picked at `u`: `Σ_k` column k `N u.y_k / b`, and so on.
    fn mean(&self, u: &[f64], pick: Pick<'_>, out: &mut [f64]) {
        let (n, m) = self.shape();
        let weight = n.max(m) as f64 / pick.len() as f64;
        let (x, y) = u.split_at(n);
        let (rows, columns) = out.split_at_mut(n);
        rows.fill(0.0);
        columns.fill(0.0);
        let turned = self.columns.get_or_init(|| Columns::new(&self.rows)).rows();
        for k in 0..pick.len() {
            let i = pick.at(k);
            let one = Pick::Run { first: i, len: 1 };
            if i < m && y[i] != 0.0 {
                turned.accumulate(one, &[weight * y[i]], rows);
            }
            if i < n && x[i] != 0.0 {
                self.rows.accumulate(one, &[-weight * x[i]], columns);
            }
        }
    }
}

impl Operator for MatrixGame<'_> {
    fn dim(&self) -> usize {
        let (n, m) = self.shape();
        n + m
    }

    fn components(&self) -> usize {
        let (n, m) = self.shape();
        n.max(m)
    }

    fn products(&self) -> f64 {
        2.0
    }

    fn full(&self, u: &[f64], out: &mut [f64], monitor: &mut Monitor<'_>) -> Result<(), Aborted> {
        self.products_with(u, false, out, monitor)?;
        out[self.shape().0..].iter_mut().for_each(|out| *out = -*out);
        Ok(())
    }

    fn batch(
        &self,
        u: &[f64],
        pick: Pick<'_>,
        out: &mut [f64],
        monitor: &mut Monitor<'_>,
    ) -> Result<(), Aborted> {
        self.mean(u, pick, out);
        monitor.poll()
    }

    fn diff(
        &self,
        u: &[f64],
        v: &[f64],
        pick: Pick<'_>,
        out: &mut [f64],
        monitor: &mut Monitor<'_>,
    ) -> Result<(), Aborted> {
        self.mean(&crate::monotone::vector::difference(u, v), pick, out);
        monitor.poll()
    }

    /// `L = |M|`; component k has norm `N max(|row k|, |column k|)`.
    fn constants(&self, monitor: &mut Monitor<'_>) -> Result<Option<Constants>, Aborted> {
        let (n, m) = self.shape();
        let full = gram_norm(&self.rows, monitor)?.sqrt();
        let turned = self.columns.get_or_init(|| Columns::new(&self.rows)).rows();
        let size = |rows: &Rows<'_>, k: usize, count: usize| if k < count { rows.norm2(k) } else { 0.0 };
        let sum: f64 = (0..n.max(m)).map(|k| size(&self.rows, k, n).max(size(&turned, k, m))).sum();
        Ok(Some(Constants { full, average: (n.max(m) as f64 * sum).sqrt() }))
    }

    /// Products with y err by `γ` of a row's length, those with x by the blocks' γ, of the sums of magnitudes.
    fn allowance(&self, u: &[f64], out: &mut [f64], monitor: &mut Monitor<'_>) -> Result<bool, Aborted> {
        self.products_with(u, true, out, monitor)?;
        let (n, _) = self.shape();
        let (dots, sums) = (1.001 * gamma(self.rows.longest() + 2), 1.001 * self.blocks.gamma(n));
        let (rows, columns) = out.split_at_mut(n);
        rows.iter_mut().for_each(|out| *out *= dots);
        columns.iter_mut().for_each(|out| *out *= sums);
        Ok(true)
    }

    /// `(|M| |y|, |M|ᵀ |x|)`.
    fn terms(&self, u: &[f64], out: &mut [f64], monitor: &mut Monitor<'_>) -> Result<bool, Aborted> {
        self.products_with(u, true, out, monitor)?;
        Ok(true)
    }

    /// Each value is rounded once.
    fn precise(
        &self,
        u: &[f64],
        out: &mut [f64],
        slack: &mut [f64],
        monitor: &mut Monitor<'_>,
    ) -> Result<bool, Aborted> {
        let (n, m) = self.shape();
        let (x, y) = u.split_at(n);
        let mut total = vec![Sum::new(); m];
        let part = |range: std::ops::Range<usize>| {
            let pick = Pick::Run { first: range.start, len: range.len() };
            let (mut dots, mut sum) = (vec![Sum::new(); range.len()], vec![Sum::new(); m]);
            self.rows.dots_twice(pick, y, &mut dots);
            self.rows.accumulate_twice(pick, &x[range], &mut sum);
            (dots, sum)
        };
        let mut first = 0;
        self.blocks.fold(n, monitor, part, |(dots, sum): (Vec<Sum>, Vec<Sum>)| {
            out[first..first + dots.len()].iter_mut().zip(&dots).for_each(|(out, dot)| *out = dot.value());
            first += dots.len();
            total.iter_mut().zip(sum).for_each(|(total, sum)| total.merge(sum));
        })?;
        out[n..].iter_mut().zip(&total).for_each(|(out, sum)| *out = -sum.value());
        self.products_with(u, true, slack, monitor)?;
        let (dots, sums) = (twice::error(self.rows.longest()), twice::error(self.blocks.chain(n, 1)));
        for (j, (slack, out)) in slack.iter_mut().zip(&*out).enumerate() {
            *slack = 1.001 * (if j < n { dots } else { sums } * *slack + gamma(1) * out.abs());
        }
        Ok(true)
    }
}
