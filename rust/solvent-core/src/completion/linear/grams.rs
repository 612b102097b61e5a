//! The Gram matrices of all rows of one side, factorised: what preconditions steps on both factors.
//!
//! The triangles of a line of rows lie side by side, one a lane, so that a whole line is solved for at once.

use solvent_simd::Lanes;

use super::{Pattern, dot};
use crate::base::error::Aborted;
use crate::base::monitor::Monitor;
use crate::completion::entry::{Entry, LineKernel, run_double};
use crate::completion::factor::{Factor, Lines};
use crate::completion::kernels::gram::Gram;

/// Ridge of a Gram matrix, relative to its trace over its order.
const RIDGE: f64 = 1e-13;
/// Entries gathered at a time for a row's Gram matrix.
const PANEL: usize = 64;
/// Rows whose triangles lie side by side.
const LANES: usize = <f64 as Entry>::LINE;

/// Lower Cholesky factors of `sum_j w_ij x_j x_j^T + ridge` for all rows of one side, their diagonals inverted: element (i, j)
/// of row `g LANES + l` at `((g size + i (i + 1)/2 + j) LANES + l`, `size = k (k + 1)/2`.
pub struct Grams {
    triangles: Lines<f64>,
    k: usize,
}

impl Grams {
    /// Of one side's rows; `by_rows` says which.
    pub fn new(
        pattern: &Pattern<'_>,
        by_rows: bool,
        other: &Factor<f64>,
        ridge: Option<&[f64]>,
        monitor: &mut Monitor<'_>,
    ) -> Result<Self, Aborted> {
        let k = other.width();
        let columns = pattern.columns();
        let (entries, cuts) =
            if by_rows { (pattern.rows, &pattern.row_cuts) } else { (columns, &pattern.column_cuts) };
        let root = |e: usize| {
            pattern.roots().map_or(1.0, |roots| roots[if by_rows { e } else { pattern.order()[e] }])
        };
        let scale = dot(other.as_slice(), other.as_slice()) / other.rows().max(1) as f64;
        let (stride, size) = (other.stride(), k * (k + 1) / 2);
        let (indices, all) = (entries.indices(), other.as_slice());
        let parts = monitor.map_items(cuts.clone().into_iter(), |rows| {
            let mut out = vec![0.0; rows.len() * size];
            let (mut panel, mut gram) = (Lines::zeros(PANEL * stride), Lines::zeros(stride * stride));
            let (panel, gram) = (panel.as_mut_slice(), gram.as_mut_slice());
            for (i, l) in rows.zip(out.chunks_exact_mut(size)) {
                gram.fill(0.0);
                let range = entries.range(i);
                for start in range.clone().step_by(PANEL) {
                    let count = PANEL.min(range.end - start);
                    for t in 0..count {
                        let (j, s) = (indices[start + t] as usize * stride, root(start + t));
                        let to = &mut panel[t * stride..(t + 1) * stride];
                        to.copy_from_slice(&all[j..j + stride]);
                        if s != 1.0 {
                            to.iter_mut().for_each(|x| *x *= s);
                        }
                    }
                    let panel = &panel[..count * stride];
                    f64::gram(Gram { panel, targets: &[], width: k, stride, gram: &mut *gram, b: &mut [] });
                }
                let mut at = 0;
                for a in 0..k {
                    for b in 0..=a {
                        l[at + b] = gram[b * stride + a];
                    }
                    at += a + 1;
                }
                factorise(l, k, ridge.map_or(0.0, |ridge| ridge[i]), scale);
            }
            out
        })?;
        Ok(Self { triangles: side_by_side(&parts.concat(), k), k })
    }

    /// Solves with every row's Gram matrix.
    pub fn solve(&self, x: &mut Factor<f64>) {
        let (stride, k) = (x.stride(), self.k);
        let mut room = Lines::zeros(k * LANES);
        run_double(Substitute {
            triangles: self.triangles.as_slice(),
            k,
            stride,
            room: room.as_mut_slice(),
            x: x.as_mut_slice(),
        });
    }
}

/// Cholesky in place of a packed lower triangle, with the inverses of the diagonal; a pivot that is noise is raised.
fn factorise(l: &mut [f64], k: usize, nu: f64, scale: f64) {
    let at = |i: usize| i * (i + 1) / 2;
    let trace: f64 = (0..k).map(|i| l[at(i) + i]).sum();
    let ridge = nu + RIDGE * (trace / k as f64).max(1e-3 * scale).max(f64::MIN_POSITIVE);
    for i in 0..k {
        l[at(i) + i] += ridge;
        for j in 0..=i {
            let (mut sum, rows) = (l[at(i) + j], (at(i), at(j)));
            for p in 0..j {
                sum -= l[rows.0 + p] * l[rows.1 + p];
            }
            l[at(i) + j] = if i == j { 1.0 / sum.max(ridge).sqrt() } else { sum * l[at(j) + j] };
        }
    }
}

/// Triangles packed one after the other, a line of them at a time; the last line is filled up with zeros.
fn side_by_side(packed: &[f64], k: usize) -> Lines<f64> {
    let size = k * (k + 1) / 2;
    let rows = packed.len() / size.max(1);
    let mut out = Lines::zeros(rows.next_multiple_of(LANES) * size);
    for (i, triangle) in packed.chunks_exact(size.max(1)).enumerate() {
        let (group, lane) = (i / LANES, i % LANES);
        let to = &mut out.as_mut_slice()[group * size * LANES..(group + 1) * size * LANES];
        for (to, x) in to.chunks_exact_mut(LANES).zip(triangle) {
            to[lane] = *x;
        }
    }
    out
}

/// Solves `L L^T x = x` for all rows.
struct Substitute<'a> {
    triangles: &'a [f64],
    k: usize,
    stride: usize,
    /// A line for each coefficient.
    room: &'a mut [f64],
    x: &'a mut [f64],
}

impl LineKernel<f64> for Substitute<'_> {
    type Output = ();
    #[inline(always)]
    fn run<V: Lanes<Scalar = f64>>(self) {
        let Self { triangles, k, stride, room, x } = self;
        let (size, rows) = (k * (k + 1) / 2, x.len() / stride);
        let (mut first, mut from) = (0, 0);
        while first < rows {
            let count = LANES.min(rows - first);
            let own = &mut x[first * stride..(first + count) * stride];
            for r in 0..count {
                for i in 0..k {
                    room[i * LANES + r] = own[r * stride + i];
                }
            }
            let l = &triangles[from..from + size * LANES];
            let mut at = 0;
            for i in 0..k {
                let row = &l[at..at + (i + 1) * LANES];
                at += (i + 1) * LANES;
                let mut sum = V::load(&room[i * LANES..]);
                for p in 0..i {
                    sum = (-V::load(&row[p * LANES..])).mul_add(V::load(&room[p * LANES..]), sum);
                }
                (sum * V::load(&row[i * LANES..])).store(&mut room[i * LANES..]);
            }
            for i in (0..k).rev() {
                at -= (i + 1) * LANES;
                let row = &l[at..at + (i + 1) * LANES];
                let solved = V::load(&room[i * LANES..]) * V::load(&row[i * LANES..]);
                solved.store(&mut room[i * LANES..]);
                for p in 0..i {
                    let to = &mut room[p * LANES..(p + 1) * LANES];
                    (-V::load(&row[p * LANES..])).mul_add(solved, V::load(to)).store(to);
                }
            }
            for r in 0..count {
                for i in 0..k {
                    own[r * stride + i] = room[i * LANES + r];
                }
            }
            (first, from) = (first + count, from + size * LANES);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn triangles_side_by_side_solve() {
        let g = [[4.0, 1.0, 0.5], [1.0, 3.0, 0.25], [0.5, 0.25, 2.0]];
        let (rows, k) = (LANES + 3, 3);
        let mut packed = Vec::new();
        let mut x = Factor::zeros(rows, k);
        let solution = |i: usize, l: usize| 1.0 + i as f64 - 2.0 * l as f64;
        for i in 0..rows {
            let scale = 1.0 + i as f64;
            let mut l: Vec<f64> = (0..k).flat_map(|a| (0..=a).map(move |b| scale * g[a][b])).collect();
            factorise(&mut l, k, 0.0, 1.0);
            packed.extend(l);
            for a in 0..k {
                x.row_mut(i)[a] = (0..k).map(|b| scale * g[a][b] * solution(i, b)).sum();
            }
        }
        Grams { triangles: side_by_side(&packed, k), k }.solve(&mut x);
        for i in 0..rows {
            for l in 0..k {
                assert!((x.row(i)[l] - solution(i, l)).abs() < 1e-10);
            }
            assert!(x.row(i)[k..].iter().all(|&x| x == 0.0));
        }
    }
}
