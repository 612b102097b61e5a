//! A square block of the payoffs on which every strategy of both players pays the same: a vertex, or nearly one.
//!
//! ```text
//! [ M_ST  -1 ] [y_T]   [0]        [ M_STᵀ  1 ] [x_S]   [ 0]
//! [ 1ᵀ     0 ] [ u ] = [1]   and  [ -1ᵀ    0 ] [-v ] = [-1]
//! ```
//!
//! The second system is the first transposed: one LU for both.

use super::pivot::{Strategy, Tableau};
use super::problem::Payoff;
use crate::base::dense::{Lu, Matrix, Onto, gemm};
use crate::base::error::Aborted;
use crate::base::monitor::Monitor;
use crate::base::rng::Philox;
use crate::base::sum::Sum;
use crate::base::view::MatrixView;

/// A bordered block whose inverse takes a vector of signs to a larger one than this is singular for all purposes: payoffs
/// are near 1, and a tenth of the digits must be left.
const SINGULAR: f64 = 1e9;

/// Supports of equal size, and what solves their bordered systems.
pub struct Basis {
    /// The row player's strategies, ascending.
    pub s: Vec<usize>,
    /// The column player's, ascending.
    pub t: Vec<usize>,
    bordered: Matrix<f64>,
    lu: Lu<f64>,
    /// Weights of s; they sum to 1, and may be negative.
    pub x: Vec<f64>,
    /// Weights of t.
    pub y: Vec<f64>,
    /// What s pays against y, and t against x.
    pub u: f64,
    /// See `u`.
    pub v: f64,
}

/// The right-hand side that is 0 but for its last entry.
fn last(k: usize, value: f64) -> Matrix<f64> {
    let mut b = Matrix::zeros(k + 1, 1);
    b.set(k, 0, value);
    b
}

/// The block with its border.
fn bordered(block: &Matrix<f64>) -> Matrix<f64> {
    let (a, b) = (block.rows(), block.columns());
    Matrix::from_fn(a + 1, b + 1, |i, j| match (i < a, j < b) {
        (true, true) => block.get(i, j),
        (true, false) => -1.0,
        (false, true) => 1.0,
        (false, false) => 0.0,
    })
}

impl Basis {
    /// Solves for the weights; `None` where the block is singular to working precision.
    pub fn new(s: Vec<usize>, t: Vec<usize>, block: &Matrix<f64>) -> Option<Self> {
        let k = s.len();
        let bordered = bordered(block);
        let lu = Lu::new(bordered.view()).ok()?;
        // The second column tells how far the block is from a singular one; a singular system may well have a tame answer
        // to the first.
        let mut rng = Philox::new(0, 0x626c6f63, 0);
        let mut signs = || if rng.uniform() < 0.5 { -1.0 } else { 1.0 };
        let mut solve = |right: f64, transposed: bool| {
            let mut b = Matrix::zeros(k + 1, 2);
            b.set(k, 0, right);
            b.column_mut(1).iter_mut().for_each(|b| *b = signs());
            if transposed {
                lu.solve_transpose(&mut b)
            } else {
                lu.solve(&mut b)
            }
            let regular = b.as_slice().iter().all(|w| w.abs() <= SINGULAR);
            regular.then(|| (b.column(0)[..k].to_vec(), b.get(k, 0)))
        };
        let ((y, u), (x, v)) = (solve(1.0, false)?, solve(-1.0, true)?);
        Some(Self { x, y, s, t, bordered, lu, u, v: -v })
    }

    /// One step of refinement for both players, with residuals in twice the precision: the weights are then as good as
    /// doubles can hold them, unless the block is nearly singular.
    pub fn refine(&mut self) {
        let k = self.s.len();
        let with = |w: &[f64], last: f64| w.iter().copied().chain([last]).collect::<Vec<f64>>();
        let mut rest = last(k, 1.0);
        residual_rows(&self.bordered, &with(&self.y, self.u), rest.as_mut_slice());
        self.lu.solve(&mut rest);
        self.y.iter_mut().zip(rest.as_slice()).for_each(|(y, d)| *y += d);
        self.u += rest.get(k, 0);
        let mut rest = last(k, -1.0);
        residual_columns(&self.bordered, &with(&self.x, -self.v), rest.as_mut_slice());
        self.lu.solve_transpose(&mut rest);
        self.x.iter_mut().zip(rest.as_slice()).for_each(|(x, d)| *x += d);
        self.v -= rest.get(k, 0);
    }

    /// The tableau of the strategies in doubt: `rows` and `columns` of the players who do not play them (with their
    /// slacks `z` and `s`), and places in `s` and `t` of those who do. `None` where entries are out of reach.
    pub fn tableau(
        &self,
        game: &dyn Payoff,
        idle: (&[usize], &[usize]),
        used: (&[usize], &[usize]),
        slacks: (&[f64], &[f64]),
    ) -> Option<Tableau> {
        let k = self.s.len();
        let ((rows, columns), (of_s, of_t)) = (idle, used);
        let (outer, inner) = (columns.len(), of_s.len());
        // What a unit of each dual nonbasic variable adds to (y_T, u).
        let mut answer = Matrix::zeros(k + 1, outer + inner);
        let entering = game.block(&self.s, columns)?;
        for c in 0..outer {
            let column = answer.column_mut(c);
            column[..k].iter_mut().zip(entering.column(c)).for_each(|(out, x)| *out = -x);
            column[k] = -1.0;
        }
        of_s.iter().enumerate().for_each(|(c, &a)| answer.set(a, outer + c, 1.0));
        self.lu.solve(&mut answer);
        // ... and to z = M y - u of the rows that are not played.
        let mut effect = Matrix::zeros(rows.len(), outer + inner);
        let own = game.block(rows, &self.t)?;
        let weights = Matrix::from_fn(k, outer + inner, |b, c| answer.get(b, c));
        gemm(&mut effect, Onto::Replace, 1.0, own.view(), weights.view());
        let direct = game.block(rows, columns)?;
        let height = rows.len() + of_t.len();
        let width = outer + inner;
        let mut entries = vec![0.0; height * width];
        for c in 0..width {
            let lift = answer.get(k, c);
            for r in 0..rows.len() {
                let straight = if c < outer { direct.get(r, c) } else { 0.0 };
                entries[r * width + c] = effect.get(r, c) - lift + straight;
            }
            for (r, &b) in of_t.iter().enumerate() {
                entries[(rows.len() + r) * width + c] = answer.get(b, c);
            }
        }
        let (z, s) = slacks;
        let chain = |first: Vec<f64>, second: Vec<f64>| [first, second].concat();
        Some(Tableau {
            entries,
            rows: rows
                .iter()
                .map(|&i| Strategy::Row(i))
                .chain(of_t.iter().map(|&b| Strategy::Column(self.t[b])))
                .collect(),
            columns: columns
                .iter()
                .map(|&j| Strategy::Column(j))
                .chain(of_s.iter().map(|&a| Strategy::Row(self.s[a])))
                .collect(),
            primal: chain(columns.iter().map(|&j| s[j]).collect(), of_s.iter().map(|&a| self.x[a]).collect()),
            dual: chain(rows.iter().map(|&i| z[i]).collect(), of_t.iter().map(|&b| self.y[b]).collect()),
        })
    }
}

/// `b -= A x`, as if in twice the precision.
fn residual_rows(a: &Matrix<f64>, x: &[f64], b: &mut [f64]) {
    let mut sums: Vec<Sum> = b.iter().map(|&b| Sum::from_parts(b, 0.0)).collect();
    for (j, &x) in x.iter().enumerate() {
        sums.iter_mut().zip(a.column(j)).for_each(|(sum, &a)| sum.add_product(a, -x));
    }
    b.iter_mut().zip(sums).for_each(|(b, sum)| *b = sum.value());
}

/// `b -= Aᵀ x`, as if in twice the precision.
fn residual_columns(a: &Matrix<f64>, x: &[f64], b: &mut [f64]) {
    for (j, b) in b.iter_mut().enumerate() {
        let mut sum = Sum::from_parts(*b, 0.0);
        a.column(j).iter().zip(x).for_each(|(&a, &x)| sum.add_product(a, -x));
        *b = sum.value();
    }
}

/// As many of the strategies as their block has rank, by elimination with complete pivoting, the border first: what is
/// left is a regular basis. Strategies of large weight are preferred. Pivots below `share_of_first` of the first do not
/// count.
pub fn independent(
    s: &[usize],
    t: &[usize],
    block: MatrixView<'_, f64>,
    weights: (&[f64], &[f64]),
    share_of_first: f64,
    monitor: &mut Monitor<'_>,
) -> Result<(Vec<usize>, Vec<usize>), Aborted> {
    let (a, b) = (s.len(), t.len());
    let share = |set: &[usize], weights: &[f64]| {
        let most = set.iter().fold(f64::MIN_POSITIVE, |m: f64, &i| m.max(weights[i]));
        set.iter().map(|&i| weights[i] / most + 1e-3).collect::<Vec<f64>>()
    };
    let (of_s, of_t) = (share(s, weights.0), share(t, weights.1));
    let first = |w: &[f64]| (1..w.len()).fold(0, |k, i| if w[i] > w[k] { i } else { k });
    let (i0, j0) = (first(&of_s), first(&of_t));
    // With the border eliminated through (border, j0) and (i0, border), entries are differences.
    let corner = block.get(i0, j0);
    let mut rest = vec![0.0; a * b];
    for i in 0..a {
        for j in 0..b {
            let difference = block.get(i, j) - block.get(i, j0) - block.get(i0, j) + corner;
            rest[i * b + j] = if i == i0 || j == j0 { 0.0 } else { difference * of_s[i] * of_t[j] };
        }
    }
    let (mut rows, mut columns) = (vec![s[i0]], vec![t[j0]]);
    let mut least = 0.0;
    for step in 0..a.min(b) {
        let (mut p, mut q, mut size) = (0, 0, 0.0);
        for i in 0..a {
            for (j, x) in rest[i * b..(i + 1) * b].iter().enumerate() {
                if x.abs() > size {
                    (p, q, size) = (i, j, x.abs());
                }
            }
        }
        if step == 0 {
            least = share_of_first * size;
        }
        if size <= least {
            break;
        }
        rows.push(s[p]);
        columns.push(t[q]);
        let pivot_row: Vec<f64> = rest[p * b..(p + 1) * b].to_vec();
        for i in 0..a {
            let factor = rest[i * b + q] / pivot_row[q];
            if factor != 0.0 {
                rest[i * b..(i + 1) * b].iter_mut().zip(&pivot_row).for_each(|(x, y)| *x -= factor * y);
            }
            rest[i * b + q] = 0.0;
        }
        rest[p * b..(p + 1) * b].fill(0.0);
        monitor.poll()?;
    }
    rows.sort_unstable();
    columns.sort_unstable();
    Ok((rows, columns))
}
