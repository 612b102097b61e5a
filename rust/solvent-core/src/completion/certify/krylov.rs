//! The largest eigenvalue of a positive semidefinite operator from both sides: block Lanczos steps from a random start.
//!
//! With xi the largest Ritz value after L steps from an orthonormal block Q, and v a unit eigenvector of lambda_1 with
//! |Q^T v|² = tau, the Krylov space holds that of q = Q Q^T v / |Q^T v|, and every polynomial p of degree below L has
//! `sum_i tau_i p(lambda_i)² (lambda_i - xi) <= 0`, tau_i the shares of q. Taking p(lambda)² (xi - lambda) =
//! xi T_(2L-1)(sqrt(1 - lambda/xi))², T the Chebyshev polynomial, which is at most xi on [0, xi]:
//!
//! lambda_1 <= xi (1 + y²), y = sinh(asinh(sqrt((1 - tau)/tau)) / (2L - 1)).
//!
//! Beside it lambda_1 <= xi + |R| / sqrt(tau), R what couples the last block to the next: it serves where the space closes.
//! For a Gaussian start tau has the beta distribution of b/2 and (d - b)/2, b the width of the block and d the dimension:
//! the wider the block, the less its worst case asks. (Kuczynski & Wozniakowski, SIAM J. Matrix Anal. Appl. 13 (1992)
//! 1094, have the first bound for b = 1, within a few per cent of y.)

use crate::base::dense::{Cholesky, Matrix, Onto, Triangle, gemm, solve_triangular};
use crate::base::rng::Philox;
use crate::base::view::MatrixView;
use crate::completion::factor::Factor;
use crate::completion::linear::{add, dot};

/// Columns of a block: a line of doubles, so that a product reads the matrix once and gathers whole lines.
pub const WIDTH: usize = 8;
/// A column of which less is left, next to the largest eigenvalue, is none.
const CLOSED: f64 = 1e-14;
/// A column that lost more than this part of itself to those before it is made orthogonal to all of the basis again.
const CANCELLED: f64 = 1e-2;
/// Rows no larger than so many times what counts as nothing are taken one by one.
const SAFE: f64 = 1e6;
/// Halvings that locate a Ritz value.
const HALVINGS: usize = 64;
/// Its relative accuracy.
const LOCATED: f64 = 4e-16;

/// Block Lanczos on the complement of some orthonormal columns.
pub struct Krylov {
    rows: usize,
    /// Column-major: what is deflated, then block after block. Columns that closed are zero.
    basis: Vec<f64>,
    deflated: usize,
    /// Element (j + d, j) of the projected operator, for d = 0..=WIDTH.
    band: Vec<[f64; WIDTH + 1]>,
    steps: usize,
    /// Frobenius norm of the last coupling, what was dropped of it included.
    coupling: f64,
    /// Whether nothing was kept of it.
    closed: bool,
    /// What images are no larger than is rounding: made a direction of its own, it would bring back what is deflated.
    noise: f64,
    /// The largest Ritz value, from below and from above.
    top: (f64, f64),
}

impl Krylov {
    /// From a random block outside the span of orthonormal columns; `noise` is the rounding of the operator's images.
    pub fn new(deflated: &Matrix<f64>, noise: f64, rng: &mut Philox) -> Self {
        let rows = deflated.rows();
        let mut own = Self {
            rows,
            basis: deflated.as_slice().to_vec(),
            deflated: deflated.columns(),
            band: Vec::new(),
            steps: 0,
            coupling: f64::INFINITY,
            closed: false,
            noise,
            top: (0.0, 0.0),
        };
        let mut block = Matrix::zeros(WIDTH, rows);
        for c in 0..WIDTH {
            for i in 0..rows {
                block.set(c, i, rng.normal());
            }
        }
        own.project(&mut block);
        own.project(&mut block);
        // Its own norm is the scale.
        let scale = dot(block.as_slice(), block.as_slice()).sqrt();
        own.append(block, CLOSED * scale);
        own
    }

    /// Columns of the basis, the deflated ones included.
    fn count(&self) -> usize {
        self.basis.len() / self.rows.max(1)
    }

    /// Steps done.
    pub fn steps(&self) -> usize {
        self.steps
    }

    /// The block that the operator is applied to next.
    pub fn block(&self) -> Factor<f64> {
        let mut block = Factor::zeros(self.rows, WIDTH);
        for c in 0..WIDTH {
            let column = &self.basis[self.basis.len() - (WIDTH - c) * self.rows..][..self.rows];
            for (line, &x) in block.as_mut_slice().chunks_exact_mut(WIDTH).zip(column) {
                line[c] = x;
            }
        }
        block
    }

    /// Takes the basis out of the rows of `x`; what was along it.
    fn project(&self, x: &mut Matrix<f64>) -> Matrix<f64> {
        let count = self.count();
        let mut along = Matrix::zeros(x.rows(), count);
        if count > 0 {
            let basis = MatrixView::column_major(&self.basis, self.rows, count).expect("whole columns");
            gemm(&mut along, Onto::Replace, 1.0, x.view(), basis);
            gemm(x, Onto::Add, -1.0, along.view(), basis.transpose());
        }
        along
    }

    /// Makes the rows of a block orthonormal and appends them; the lower triangle that leads back. A row of which no more than
    /// `floor` is left becomes zero.
    fn append(&mut self, block: Matrix<f64>, floor: f64) -> Matrix<f64> {
        let (block, triangle) = match by_gram(&block, floor) {
            Some(found) => found,
            None => self.one_by_one(&block, floor),
        };
        for c in 0..WIDTH {
            self.basis.extend(block.as_slice().iter().skip(c).step_by(WIDTH));
        }
        triangle
    }

    /// Row by row, with care where one nearly depends on those before it.
    fn one_by_one(&self, block: &Matrix<f64>, floor: f64) -> (Matrix<f64>, Matrix<f64>) {
        let mut triangle = Matrix::zeros(WIDTH, WIDTH);
        let mut done: Vec<Vec<f64>> = Vec::with_capacity(WIDTH);
        for c in 0..WIDTH {
            let mut own: Vec<f64> = block.as_slice().iter().skip(c).step_by(WIDTH).copied().collect();
            let before = dot(&own, &own).sqrt();
            for round in 0..3 {
                for (p, q) in done.iter().enumerate() {
                    let along = dot(q, &own);
                    triangle.set(c, p, triangle.get(c, p) + along);
                    add(-along, q, &mut own);
                }
                // What cancelled brings the rest of the basis back in.
                if round == 1 {
                    if dot(&own, &own).sqrt() > CANCELLED * before {
                        break;
                    }
                    let mut single = Matrix::from_column_major(own, 1, self.rows);
                    self.project(&mut single);
                    self.project(&mut single);
                    own = single.into_vec();
                }
            }
            let size = dot(&own, &own).sqrt();
            let kept = size > floor;
            triangle.set(c, c, if kept { size } else { 0.0 });
            own.iter_mut().for_each(|x| *x = if kept { *x / size } else { 0.0 });
            done.push(own);
        }
        (Matrix::from_fn(WIDTH, self.rows, |c, i| done[c][i]), triangle)
    }

    /// One step: `image` is the operator applied to [`block`](Self::block).
    pub fn step(&mut self, image: &Factor<f64>) {
        let first = self.band.len();
        let mut image = Matrix::from_column_major(image.as_slice().to_vec(), WIDTH, self.rows);
        let along = self.project(&mut image);
        // Rounding brings back what the recurrence has taken out.
        self.project(&mut image);
        let from = self.count() - WIDTH;
        for c in 0..WIDTH {
            let mut column = [0.0; WIDTH + 1];
            for d in 0..WIDTH - c {
                let (i, j) = (from + c + d, from + c);
                column[d] = 0.5 * (along.get(c, i) + along.get(c + d, j));
            }
            self.band.push(column);
        }
        self.steps += 1;
        let scale = self.band.iter().fold(0.0f64, |m, column| m.max(column[0]));
        let floor = (CLOSED * scale).max(self.noise).max(f64::MIN_POSITIVE);
        let triangle = self.append(image, floor);
        // Row p of the next block, column c of this one.
        for c in 0..WIDTH {
            for p in 0..=c {
                self.band[first + c][WIDTH + p - c] = triangle.get(c, p);
            }
        }
        let kept = dot(triangle.as_slice(), triangle.as_slice());
        let dropped = (0..WIDTH).filter(|&c| triangle.get(c, c) == 0.0).count() as f64;
        self.coupling = (kept + dropped * floor * floor).sqrt();
        self.closed = dropped == WIDTH as f64;
    }

    /// Whether no direction is left.
    pub fn is_closed(&self) -> bool {
        self.closed
    }

    /// The largest Ritz value from below and from above, to the last digits.
    pub fn top(&mut self) -> (f64, f64) {
        let size = self.band.len();
        let diagonal = self.band.iter().fold(0.0f64, |m, column| m.max(column[0]));
        // It never falls, and is at least the largest diagonal element.
        let mut low = self.top.0.max(diagonal);
        if low == 0.0 {
            return (0.0, 0.0);
        }
        let (mut room, mut step) = (Vec::new(), 1e-12 * low);
        let mut high = low + step;
        while !self.is_below(size, high, &mut room) {
            if !high.is_finite() {
                return (self.top.0, f64::INFINITY);
            }
            step *= 8.0;
            (low, high) = (high, high + step);
        }
        for _ in 0..HALVINGS {
            if high - low <= LOCATED * high {
                break;
            }
            let middle = 0.5 * (low + high);
            if self.is_below(size, middle, &mut room) {
                high = middle;
            } else {
                low = middle;
            }
        }
        self.top = (low, high);
        self.top
    }

    /// Whether all Ritz values are below theta: Cholesky's elimination of `theta I - T` in its band.
    fn is_below(&self, size: usize, theta: f64, room: &mut Vec<[f64; WIDTH + 1]>) -> bool {
        room.clear();
        room.extend(self.band[..size].iter().enumerate().map(|(j, column)| {
            let mut out = [0.0; WIDTH + 1];
            for d in 0..(WIDTH + 1).min(size - j) {
                out[d] = if d == 0 { theta - column[0] } else { -column[d] };
            }
            out
        }));
        for j in 0..size {
            let column = room[j];
            if column[0].is_nan() || column[0] <= 0.0 {
                return false;
            }
            for d in 1..=WIDTH {
                if column[d] != 0.0 {
                    let factor = column[d] / column[0];
                    for e in d..=WIDTH {
                        room[j + d][e - d] -= factor * column[e];
                    }
                }
            }
        }
        true
    }

    /// At least the operator's largest eigenvalue, but with probability `delta`; `noise` is what rounding may have left of
    /// the coupling.
    pub fn above(&mut self, delta: f64, noise: f64) -> f64 {
        // Rows that were dropped count as a change of the operator.
        let xi = self.top().1 + 3.0 * self.noise;
        let tau = share(self.rows - self.deflated.min(self.rows), delta);
        let angle = ((1.0 - tau) / tau).sqrt();
        let y = (angle.asinh() / (2.0 * self.steps as f64 - 1.0)).sinh();
        let closing = self.coupling.max(noise * xi.sqrt());
        // asinh, sinh and the roots are good to a few units in the last place.
        (xi * (1.0 + y * y * (1.0 + 1e-13))).min(xi + closing / tau.sqrt()) * (1.0 + 1e-15)
    }
}

/// Orthonormal rows by two Cholesky factorisations of Gram matrices, which loses nothing where no row nearly depends on the
/// others; `None` elsewhere.
fn by_gram(block: &Matrix<f64>, floor: f64) -> Option<(Matrix<f64>, Matrix<f64>)> {
    let mut rows = block.clone();
    let mut triangle = Matrix::identity(WIDTH);
    for _ in 0..2 {
        let mut gram = Matrix::zeros(WIDTH, WIDTH);
        gemm(&mut gram, Onto::Replace, 1.0, rows.view(), rows.view().transpose());
        let factor = Cholesky::new(gram.view()).ok()?;
        let lower = factor.lower();
        for c in 0..WIDTH {
            let size = gram.get(c, c).sqrt();
            if lower.get(c, c) <= CANCELLED * size || size <= SAFE * floor {
                return None;
            }
        }
        solve_triangular(lower.view(), Triangle::Lower, &mut rows);
        let before = triangle;
        triangle = Matrix::zeros(WIDTH, WIDTH);
        gemm(&mut triangle, Onto::Replace, 1.0, before.view(), lower.view());
    }
    Some((rows, triangle))
}

/// What a unit vector in dimension `d` has in the span of a random block, but with probability `delta` at least, squared.
///
/// The density of the beta distribution of b/2 and c = (d - b)/2 is at most x^(b/2 - 1)/B, and for c < 1, where x <= 1/2,
/// at most sqrt(2) times that: P(tau <= t) <= sqrt(2) t^(b/2) / (b/2 B(b/2, c)), for b = 8 with
/// B(4, c) = 6 / (c (c + 1)(c + 2)(c + 3)).
fn share(d: usize, delta: f64) -> f64 {
    if d <= WIDTH {
        return 1.0;
    }
    let c = (d - WIDTH) as f64 / 2.0;
    let beta = 6.0 / (c * (c + 1.0) * (c + 2.0) * (c + 3.0));
    let room = if c < 1.0 { std::f64::consts::FRAC_1_SQRT_2 } else { 1.0 };
    (delta * room * 4.0 * beta).sqrt().sqrt().min(0.5) * (1.0 - 1e-14)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::dense::eigh;

    fn scaled(mut block: Factor<f64>, values: &[f64]) -> Factor<f64> {
        for (i, value) in values.iter().enumerate() {
            block.row_mut(i).iter_mut().for_each(|x| *x *= value);
        }
        block
    }

    /// Runs on a diagonal operator; all it says after every step.
    fn run(values: &[f64], deflated: usize, seed: u64, steps: usize) -> Vec<(f64, f64, f64)> {
        let n = values.len();
        let q = Matrix::from_fn(n, deflated, |i, l| if i == l { 1.0 } else { 0.0 });
        let mut krylov = Krylov::new(&q, 1e-16, &mut Philox::new(seed, 1, 1));
        let mut out = Vec::new();
        for _ in 0..steps {
            krylov.step(&scaled(krylov.block(), values));
            let (low, high) = krylov.top();
            out.push((low, high, krylov.above(1e-10, 1e-15)));
            if krylov.is_closed() {
                break;
            }
        }
        out
    }

    #[test]
    fn bounds_hold_and_close_in() {
        for seed in 0..20 {
            let n = 40 + 13 * seed as usize;
            let mut rng = Philox::new(seed, 2, 0);
            let values: Vec<f64> = (0..n).map(|_| rng.uniform() * rng.uniform()).collect();
            let top = values.iter().skip(3).fold(0.0f64, |m, &x| m.max(x));
            let found = run(&values, 3, seed, 30);
            for &(low, high, above) in &found {
                assert!(low <= high && low <= top * (1.0 + 1e-13) && above >= top * (1.0 - 1e-13), "{seed}");
            }
            let last = found.last().expect("a step");
            assert!(last.2 <= 1.02 * top && last.1 >= 0.999 * top, "{seed}: {last:?} {top}");
        }
    }

    #[test]
    fn a_space_that_closes_at_once_is_tight() {
        for values in [vec![0.25; 500], {
            let mut one = vec![0.0; 500];
            one[77] = 3.0;
            one
        }] {
            let top = values.iter().fold(0.0f64, |m, &x| m.max(x));
            let found = run(&values, 0, 5, 4);
            let last = found.last().expect("a step");
            assert!(last.2 >= top * (1.0 - 1e-13) && last.2 <= top * (1.0 + 1e-6), "{last:?}");
        }
        // Of nothing only the stated rounding is left.
        assert!(run(&[0.0; 50], 0, 1, 3).last().expect("a step").2 < 1e-12);
    }

    #[test]
    fn nothing_but_rounding_outside_the_deflated_columns() {
        // What is deflated is all there is: images are rounding, and their directions must not bring it back.
        for seed in 0..10 {
            let n = 400;
            let mut rng = Philox::new(seed, 4, 0);
            let mut v: Vec<f64> = (0..n).map(|_| rng.normal()).collect();
            let size = dot(&v, &v).sqrt();
            v.iter_mut().for_each(|x| *x /= size);
            let q = Matrix::from_column_major(v.clone(), n, 1);
            let mut krylov = Krylov::new(&q, 4.0 * f64::EPSILON, &mut Philox::new(seed, 1, 1));
            for _ in 0..12 {
                let block = krylov.block();
                let along = block.cross(&Factor::from_matrix(&q));
                krylov.step(&Factor::from_fn(n, WIDTH, |i, l| v[i] * along.get(l, 0)));
                assert!(krylov.top().1 < 1e-20 && krylov.above(1e-10, 1e-15) < 1e-9, "{seed}");
                if krylov.is_closed() {
                    break;
                }
            }
        }
    }

    #[test]
    fn spaces_smaller_than_a_block() {
        for n in 1..=20 {
            let values: Vec<f64> = (0..n).map(|i| 1.0 / (1.0 + i as f64)).collect();
            let found = run(&values, 0, n as u64, 5);
            let last = found.last().expect("a step");
            assert!(last.2 >= 1.0 - 1e-13, "{n} {last:?}");
            assert!(last.2 <= 1.0 + 1e-6, "{n} {last:?}");
        }
    }

    #[test]
    fn ritz_values_are_those_of_the_dense_matrix() {
        let values: Vec<f64> = (0..300).map(|i| (f64::from(i) * 0.37).sin().powi(2)).collect();
        let mut krylov = Krylov::new(&Matrix::zeros(300, 0), 0.0, &mut Philox::new(9, 1, 1));
        for _ in 0..6 {
            krylov.step(&scaled(krylov.block(), &values));
        }
        let count = krylov.band.len();
        let basis =
            MatrixView::column_major(&krylov.basis[..count * 300], 300, count).expect("whole columns");
        let turned = Matrix::from_fn(300, count, |i, j| basis.get(i, j) * values[i]);
        let mut projected = Matrix::zeros(count, count);
        gemm(&mut projected, Onto::Replace, 1.0, basis.transpose(), turned.view());
        let top = eigh(projected.view()).expect("finite").values[count - 1];
        let (low, high) = krylov.top();
        assert!(low <= top * (1.0 + 1e-14) && high >= top * (1.0 - 1e-14) && high - low <= 1e-14 * top);
    }

    #[test]
    fn shares_are_met_as_often_as_they_say() {
        // At a tenth, the bound of the density costs little: met in nine cases of ten at least, and not always.
        for d in [9, 10, 30, 200] {
            let (mut missed, draws) = (0, 2000);
            let tau = share(d, 0.1);
            for seed in 0..draws {
                let krylov = Krylov::new(&Matrix::zeros(d, 0), 0.0, &mut Philox::new(seed, 3, 1));
                let along: f64 = (0..WIDTH).map(|l| krylov.basis[l * d] * krylov.basis[l * d]).sum();
                missed += usize::from(along < tau);
            }
            assert!(
                missed <= draws as usize / 10 && (d < 30 || missed > draws as usize / 100),
                "{d}: {missed}"
            );
        }
    }
}
