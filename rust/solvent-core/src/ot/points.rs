//! Costs between two clouds of points, computed row by row when they are needed.

use solvent_simd::{F64s, Kernel, Simd, exp, ln};

use super::passes::GROUP;

/// The cost of moving x to y.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Metric {
    /// `sum (x_k - y_k)^2`.
    SqEuclidean,
    /// Its root.
    Euclidean,
    /// `sum |x_k - y_k|`.
    L1,
    /// `1 - x.y/(|x| |y|)`.
    Cosine,
    /// `(sum |x_k - y_k|^p)^(1/p)`.
    Lp(f64),
}

/// Two clouds in d dimensions: the rows' points as they are, the columns' coordinate by coordinate.
#[derive(Debug, Clone)]
pub struct Points {
    x: Vec<f64>,
    y: Vec<f64>,
    n: usize,
    m: usize,
    d: usize,
    metric: Metric,
}

impl Points {
    /// `x` holds n points one after the other, `y` holds m. For [`Metric::Cosine`] they are scaled to norm 1 here.
    pub fn new(mut x: Vec<f64>, mut y: Vec<f64>, d: usize, metric: Metric) -> Self {
        let (n, m) = (x.len() / d.max(1), y.len() / d.max(1));
        if metric == Metric::Cosine {
            x.chunks_exact_mut(d.max(1)).for_each(normalise);
            y.chunks_exact_mut(d.max(1)).for_each(normalise);
        }
        let mut by_coordinate = vec![0.0; y.len()];
        for (j, point) in y.chunks_exact(d.max(1)).enumerate() {
            for (k, &coordinate) in point.iter().enumerate() {
                by_coordinate[k * m + j] = coordinate;
            }
        }
        Self { x, y: by_coordinate, n, m, d, metric }
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.n
    }

    /// Number of columns.
    pub fn columns(&self) -> usize {
        self.m
    }

    /// The metric.
    pub fn metric(&self) -> Metric {
        self.metric
    }

    /// Dimension of the space.
    pub fn dimension(&self) -> usize {
        self.d
    }

    /// Point i of the rows.
    pub fn x(&self, i: usize) -> &[f64] {
        &self.x[i * self.d..(i + 1) * self.d]
    }

    /// Coordinate k of all the columns' points.
    pub fn y(&self, k: usize) -> &[f64] {
        &self.y[k * self.m..(k + 1) * self.m]
    }

    /// The same with rows and columns exchanged.
    #[must_use]
    pub fn transpose(&self) -> Self {
        let points = |j: usize| (0..self.d).map(move |k| self.y[k * self.m + j]);
        let rows = (0..self.m).flat_map(points).collect();
        Self::raw(rows, self.x.clone(), self.d, self.metric)
    }

    /// These rows and columns only.
    #[must_use]
    pub fn select(&self, rows: &[usize], columns: &[usize]) -> Self {
        let x = rows.iter().flat_map(|&i| self.x(i)).copied().collect();
        let y = columns.iter().flat_map(|&j| (0..self.d).map(move |k| self.y[k * self.m + j])).collect();
        Self::raw(x, y, self.d, self.metric)
    }

    /// As [`new`](Self::new), of points that are scaled already.
    fn raw(x: Vec<f64>, y: Vec<f64>, d: usize, metric: Metric) -> Self {
        match metric {
            Metric::Cosine => Self { metric, ..Self::new(x, y, d, Metric::L1) },
            _ => Self::new(x, y, d, metric),
        }
    }

    /// Writes the costs of the rows `first..first + count` (a group at most) over `out`, one row after the other.
    pub fn fill(&self, first: usize, count: usize, out: &mut [f64]) {
        solvent_simd::dispatch(Fill { points: self, first, out: &mut out[..count * self.m] });
    }

    /// A bound on the error of a computed cost, for costs up to `largest`.
    pub fn rounding(&self, largest: f64) -> f64 {
        let u = f64::EPSILON / 2.0;
        match self.metric {
            // d differences, squares and sums of one sign each; one more for the root.
            Metric::SqEuclidean | Metric::L1 => (self.d as f64 + 3.0) * u * largest,
            Metric::Euclidean => (self.d as f64 + 4.0) * u * largest,
            // Norms and products of vectors of norm 1.
            Metric::Cosine => (2.0 * self.d as f64 + 8.0) * u,
            // Shares of the largest coordinate: r^p errs by p |ln r| r^p 2u <= u, and a few ulp; then the root.
            Metric::Lp(p) => ((2.0 * self.d as f64 + 12.0) / p.min(1.0) + 8.0) * u * largest,
        }
    }
}

fn normalise(point: &mut [f64]) {
    let norm = crate::base::sum::norm2(point);
    if norm > 0.0 {
        point.iter_mut().for_each(|t| *t /= norm);
    }
}

/// One coordinate's share of the cost.
trait Share: Copy {
    /// Adds it to the sum so far.
    fn add<V: F64s>(self, x: V, y: V, sum: V) -> V;
    /// What the whole sum stands for.
    fn end<V: F64s>(self, sum: V) -> V;
}

#[derive(Clone, Copy)]
struct Square<const ROOT: bool>;
impl<const ROOT: bool> Share for Square<ROOT> {
    #[inline(always)]
    fn add<V: F64s>(self, x: V, y: V, sum: V) -> V {
        let t = x - y;
        t.mul_add(t, sum)
    }
    #[inline(always)]
    fn end<V: F64s>(self, sum: V) -> V {
        if ROOT { sum.sqrt() } else { sum }
    }
}

#[derive(Clone, Copy)]
struct Modulus;
impl Share for Modulus {
    #[inline(always)]
    fn add<V: F64s>(self, x: V, y: V, sum: V) -> V {
        sum + (x - y).abs()
    }
    #[inline(always)]
    fn end<V: F64s>(self, sum: V) -> V {
        sum
    }
}

#[derive(Clone, Copy)]
struct Product;
impl Share for Product {
    #[inline(always)]
    fn add<V: F64s>(self, x: V, y: V, sum: V) -> V {
        x.mul_add(y, sum)
    }
    #[inline(always)]
    fn end<V: F64s>(self, sum: V) -> V {
        V::splat(0.0).max(V::splat(1.0) - sum)
    }
}

struct Fill<'a> {
    points: &'a Points,
    first: usize,
    out: &'a mut [f64],
}

impl Kernel for Fill<'_> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self) {
        match self.points.metric {
            Metric::SqEuclidean => fill::<S::F64, _>(self, Square::<false>),
            Metric::Euclidean => fill::<S::F64, _>(self, Square::<true>),
            Metric::L1 => fill::<S::F64, _>(self, Modulus),
            Metric::Cosine => fill::<S::F64, _>(self, Product),
            Metric::Lp(p) => fill_power::<S::F64>(self, p),
        }
    }
}

#[inline(always)]
fn fill<V: F64s, H: Share>(it: Fill<'_>, share: H) {
    let (p, m) = (it.points, it.points.m);
    let count = it.out.len().checked_div(m).unwrap_or(0);
    if count == GROUP {
        fill_rows::<V, H, GROUP>(p, share, it.first, it.out);
    } else {
        for r in 0..count {
            fill_rows::<V, H, 1>(p, share, it.first + r, &mut it.out[r * m..(r + 1) * m]);
        }
    }
}

/// `max_k |t_k| (sum (|t_k|/max)^p)^(1/p)`: nothing overflows, nothing vanishes.
#[inline(always)]
fn fill_power<V: F64s>(it: Fill<'_>, power: f64) {
    let (points, m) = (it.points, it.points.m);
    let count = it.out.len().checked_div(m).unwrap_or(0);
    let (exponent, root) = (V::splat(power), V::splat(1.0 / power));
    let (zero, one) = (V::splat(0.0), V::splat(1.0));
    for r in 0..count {
        let x = points.x(it.first + r);
        let row = &mut it.out[r * m..(r + 1) * m];
        let mut j = 0;
        while j < m {
            let width = (m - j).min(V::LANES);
            let mut largest = zero;
            for k in 0..points.d {
                largest = largest.max((V::splat(x[k]) - columns::<V>(points, k, j)).abs());
            }
            let mut sum = zero;
            for k in 0..points.d {
                let share = (V::splat(x[k]) - columns::<V>(points, k, j)).abs() / largest;
                // ln 0 = -inf, and exp of that 0.
                sum = sum + exp(ln(share) * exponent);
            }
            let cost = V::select(largest.gt(zero), largest * exp(ln(sum.max(one)) * root), zero);
            let mut padded = [0.0; 8];
            cost.store(&mut padded);
            row[j..j + width].copy_from_slice(&padded[..width]);
            j += V::LANES;
        }
    }
}

/// Coordinate k of the columns' points from j on; 0 behind the last.
#[inline(always)]
fn columns<V: F64s>(points: &Points, k: usize, j: usize) -> V {
    let all = &points.y[k * points.m..(k + 1) * points.m];
    if j + V::LANES <= all.len() {
        return V::load(&all[j..]);
    }
    let mut padded = [0.0; 8];
    padded[..all.len() - j].copy_from_slice(&all[j..]);
    V::load(&padded)
}

#[inline(always)]
fn fill_rows<V: F64s, H: Share, const R: usize>(p: &Points, share: H, first: usize, out: &mut [f64]) {
    let m = p.m;
    let mut j = 0;
    while j + V::LANES <= m {
        let mut sum = [V::splat(0.0); R];
        for k in 0..p.d {
            let y = V::load(&p.y[k * m + j..]);
            for r in 0..R {
                sum[r] = share.add(V::splat(p.x[(first + r) * p.d + k]), y, sum[r]);
            }
        }
        for r in 0..R {
            share.end(sum[r]).store(&mut out[r * m + j..]);
        }
        j += V::LANES;
    }
    if j < m {
        let rest = m - j;
        let mut sum = [V::splat(0.0); R];
        for k in 0..p.d {
            let mut padded = [0.0; 8];
            padded[..rest].copy_from_slice(&p.y[k * m + j..(k + 1) * m]);
            let y = V::load(&padded);
            for r in 0..R {
                sum[r] = share.add(V::splat(p.x[(first + r) * p.d + k]), y, sum[r]);
            }
        }
        for r in 0..R {
            let mut padded = [0.0; 8];
            share.end(sum[r]).store(&mut padded);
            out[r * m + j..(r + 1) * m].copy_from_slice(&padded[..rest]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::rng::Philox;

    #[test]
    fn costs_agree_with_plain_formulas() {
        let mut rng = Philox::new(11, 0, 0);
        let (n, m, d) = (9, 21, 3);
        let x: Vec<f64> = (0..n * d).map(|_| rng.normal()).collect();
        let y: Vec<f64> = (0..m * d).map(|_| rng.normal()).collect();
        for metric in [Metric::SqEuclidean, Metric::Euclidean, Metric::L1, Metric::Cosine, Metric::Lp(3.5)] {
            let points = Points::new(x.clone(), y.clone(), d, metric);
            let across = points.transpose();
            let mut out = vec![0.0; GROUP * m];
            for first in [0, 4, 8] {
                let count = (n - first).min(GROUP);
                points.fill(first, count, &mut out);
                for r in 0..count {
                    for j in 0..m {
                        let (p, q) = (&x[(first + r) * d..(first + r + 1) * d], &y[j * d..(j + 1) * d]);
                        let pairs = || p.iter().zip(q);
                        let dot = |p: &[f64], q: &[f64]| p.iter().zip(q).map(|(x, y)| x * y).sum::<f64>();
                        let expected = match metric {
                            Metric::SqEuclidean => pairs().map(|(x, y)| (x - y).powi(2)).sum(),
                            Metric::Euclidean => pairs().map(|(x, y)| (x - y).powi(2)).sum::<f64>().sqrt(),
                            Metric::L1 => pairs().map(|(x, y)| (x - y).abs()).sum(),
                            Metric::Cosine => 1.0 - dot(p, q) / (dot(p, p) * dot(q, q)).sqrt(),
                            Metric::Lp(e) => {
                                pairs().map(|(x, y)| (x - y).abs().powf(e)).sum::<f64>().powf(1.0 / e)
                            }
                        };
                        let computed: f64 = out[r * m + j];
                        assert!((computed - expected).abs() <= points.rounding(expected.max(1.0)));
                        let mut other = vec![0.0; GROUP * n];
                        across.fill(j, 1, &mut other);
                        assert!((other[first + r] - computed).abs() <= 1e-14 * (1.0 + computed));
                    }
                }
            }
        }
    }

    #[test]
    fn coincident_points_cost_nothing() {
        let x = vec![1.0, -2.0, 0.5];
        for metric in [Metric::SqEuclidean, Metric::Euclidean, Metric::L1, Metric::Lp(2.5)] {
            let mut out = [f64::NAN; GROUP];
            Points::new(x.clone(), x.clone(), 3, metric).fill(0, 1, &mut out);
            assert_eq!(out[0], 0.0);
        }
    }
}
