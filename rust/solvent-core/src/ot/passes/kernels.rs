//! The loops over one group of rows of the cost, on SIMD lanes. One kernel evaluates the exponentials into a buffer that
//! stays in cache; everything else reads that buffer, or the cost alone.
//!
//! The last columns run through the same vector code as the others, padded so that their exponentials are 0.

use solvent_simd::real::Real as _;
use solvent_simd::{F32s, F64s, Kernel, Lanes, Mask, Simd, exp2};

/// Rows that share one load of the columns' potentials.
pub const GROUP: usize = 4;
/// The most lanes of a register.
const MAX_LANES: usize = 16;
/// What [`Mask::positions`] wants behind its output.
pub const SLACK: usize = MAX_LANES + solvent_simd::lanes::SLACK;

/// An element of a cost.
pub trait Entry: Copy + Send + Sync + 'static {
    /// What pads a row.
    const PAD: Self;
    /// The first `V::LANES` of `a`, widened.
    fn load<V: F64s>(a: &[Self]) -> V;
    /// The first `V::LANES` of `a`, rounded.
    fn load_single<V: F32s>(a: &[Self]) -> V;
}

impl Entry for f64 {
    const PAD: f64 = f64::INFINITY;
    #[inline(always)]
    fn load<V: F64s>(a: &[f64]) -> V {
        V::load(a)
    }
    #[inline(always)]
    fn load_single<V: F32s>(a: &[f64]) -> V {
        V::load_f64(a)
    }
}

impl Entry for f32 {
    const PAD: f32 = f32::INFINITY;
    #[inline(always)]
    fn load<V: F64s>(a: &[f32]) -> V {
        V::load_f32(a)
    }
    #[inline(always)]
    fn load_single<V: F32s>(a: &[f32]) -> V {
        V::load(a)
    }
}

/// What exponentials are computed in: `f64`, or `f32` where the answer is only on its way.
pub trait Precision: solvent_simd::real::Real + Into<f64> + Default + Send + Sync {
    /// Its registers.
    type Lanes<S: Simd>: Lanes<Scalar = Self>;
    /// Sums outside are lost to underflow or overflow.
    const RANGE: std::ops::Range<f64>;
    /// Some elements of a cost.
    fn load<S: Simd, T: Entry>(a: &[T]) -> Self::Lanes<S>;
}

impl Precision for f64 {
    type Lanes<S: Simd> = S::F64;
    const RANGE: std::ops::Range<f64> = 1e-200..1e200;
    #[inline(always)]
    fn load<S: Simd, T: Entry>(a: &[T]) -> S::F64 {
        T::load(a)
    }
}

impl Precision for f32 {
    type Lanes<S: Simd> = S::F32;
    const RANGE: std::ops::Range<f64> = 1e-25..1e25;
    #[inline(always)]
    fn load<S: Simd, T: Entry>(a: &[T]) -> S::F32 {
        T::load_single(a)
    }
}

/// Elements of a cost from `j` on; behind its end (`PART`) stands what pads it.
#[inline(always)]
fn entries<S: Simd, P: Precision, T: Entry, const PART: bool>(a: &[T], j: usize) -> P::Lanes<S> {
    if PART {
        let mut padded = [T::PAD; MAX_LANES];
        padded[..a.len() - j].copy_from_slice(&a[j..]);
        P::load::<S, T>(&padded)
    } else {
        P::load::<S, T>(&a[j..j + P::Lanes::<S>::LANES])
    }
}

/// Lanes of `a` from `j` on; behind its end (`PART`) stands 0.
#[inline(always)]
fn numbers<V: Lanes, const PART: bool>(a: &[V::Scalar], j: usize) -> V {
    if PART {
        let mut padded = [V::Scalar::ZERO; MAX_LANES];
        padded[..a.len() - j].copy_from_slice(&a[j..]);
        V::load(&padded)
    } else {
        V::load(&a[j..j + V::LANES])
    }
}

/// Lanes of `a` from `j` on; behind its end (`PART`) stands `pad`.
#[inline(always)]
fn at<V: F64s, T: Entry, const PART: bool>(a: &[T], j: usize, pad: T) -> V {
    if PART {
        let mut padded = [pad; MAX_LANES];
        padded[..a.len() - j].copy_from_slice(&a[j..]);
        T::load(&padded)
    } else {
        T::load(&a[j..j + V::LANES])
    }
}

/// Writes lanes to `out` from `j` on, as many as there is room for (`PART`).
#[inline(always)]
fn put<V: Lanes, const PART: bool>(v: V, out: &mut [V::Scalar], j: usize) {
    if PART {
        let mut padded = [V::Scalar::ZERO; MAX_LANES];
        v.store(&mut padded);
        let rest = out.len() - j;
        out[j..].copy_from_slice(&padded[..rest]);
    } else {
        v.store(&mut out[j..j + V::LANES]);
    }
}

/// Walks `0..m` in registers: one expression for the full ones, one for what is left at the end. A macro, because a
/// closure cannot be forced inline, and only inlined code is compiled for the instruction set of the dispatch.
macro_rules! lanes {
    ($lanes:ty, $m:expr, |$j:ident| $whole:expr, $part:expr) => {{
        let body = $m - $m % <$lanes>::LANES;
        let mut $j = 0;
        while $j < body {
            $whole;
            $j += <$lanes>::LANES;
        }
        if $j < $m {
            $part;
        }
    }};
}

/// Calls `$four` for a full group of rows and `$one` for each row of a smaller one.
macro_rules! grouped {
    ($n:expr, $four:expr, |$r:ident| $one:expr) => {
        if $n == GROUP {
            $four
        } else {
            for $r in 0..$n {
                $one
            }
        }
    };
}

/// `buffer[r, j] = 2^(((f_r + g_j) - C_rj) scale)` and its row sums; entries below 2^-1021 are 0, those of infinite
/// cost too. Rows of the buffer are as long as `g`.
pub struct Exponentials<'a, T, P> {
    /// A group of rows of the cost.
    pub rows: &'a [&'a [T]],
    /// Their potentials.
    pub f: &'a [P],
    /// The columns' potentials.
    pub g: &'a [P],
    /// log2(e)/reg.
    pub scale: f64,
    /// Out: the exponentials.
    pub buffer: &'a mut [P],
    /// Out: their sums over each row.
    pub sums: &'a mut [f64],
}

impl<T: Entry, P: Precision> Kernel for Exponentials<'_, T, P> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self) {
        let m = self.g.len();
        grouped!(
            self.rows.len(),
            exponentials::<S, T, P, GROUP>(self.rows, self.f, self.g, self.scale, self.buffer, self.sums),
            |r| exponentials::<S, T, P, 1>(
                &self.rows[r..],
                &self.f[r..],
                self.g,
                self.scale,
                &mut self.buffer[r * m..],
                &mut self.sums[r..],
            )
        );
    }
}

#[inline(always)]
fn exponentials<S: Simd, T: Entry, P: Precision, const R: usize>(
    rows: &[&[T]],
    f: &[P],
    g: &[P],
    scale: f64,
    buffer: &mut [P],
    sums: &mut [f64],
) {
    let m = g.len();
    let mut total = [P::Lanes::<S>::splat(P::ZERO); R];
    let mut potential = [P::Lanes::<S>::splat(P::ZERO); R];
    let mut row = [rows[0]; R];
    for r in 0..R {
        potential[r] = P::Lanes::<S>::splat(f[r]);
        row[r] = &rows[r][..m];
    }
    let buffer = &mut buffer[..R * m];
    let scale = P::Lanes::<S>::splat(P::of(scale));
    lanes!(
        P::Lanes::<S>,
        m,
        |j| exponentials_at::<S, T, P, R, false>(&row, &potential, g, scale, buffer, &mut total, j),
        exponentials_at::<S, T, P, R, true>(&row, &potential, g, scale, buffer, &mut total, j)
    );
    for r in 0..R {
        sums[r] = total[r].reduce_sum().into();
    }
}

#[inline(always)]
fn exponentials_at<S: Simd, T: Entry, P: Precision, const R: usize, const PART: bool>(
    row: &[&[T]; R],
    potential: &[P::Lanes<S>; R],
    g: &[P],
    scale: P::Lanes<S>,
    buffer: &mut [P],
    total: &mut [P::Lanes<S>; R],
    j: usize,
) {
    let m = g.len();
    let gj = numbers::<P::Lanes<S>, PART>(g, j);
    for r in 0..R {
        let c = entries::<S, P, T, PART>(row[r], j);
        let p = exp2(((potential[r] + gj) - c) * scale);
        total[r] = total[r] + p;
        put::<P::Lanes<S>, PART>(p, &mut buffer[r * m..(r + 1) * m], j);
    }
}

/// `out_j += sum_r weight_r buffer[r, j]`.
pub struct AddRows<'a, P> {
    /// Rows one after the other, as long as `out`.
    pub buffer: &'a [P],
    /// One a row.
    pub weights: &'a [P],
    /// In and out.
    pub out: &'a mut [P],
}

impl<P: Precision> Kernel for AddRows<'_, P> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self) {
        let m = self.out.len();
        grouped!(
            self.weights.len(),
            add_rows::<P::Lanes<S>, GROUP>(self.buffer, self.weights, self.out),
            |r| add_rows::<P::Lanes<S>, 1>(&self.buffer[r * m..], &self.weights[r..], self.out)
        );
    }
}

#[inline(always)]
fn add_rows<V: Lanes, const R: usize>(buffer: &[V::Scalar], weights: &[V::Scalar], out: &mut [V::Scalar]) {
    let m = out.len();
    let buffer = &buffer[..R * m];
    let mut weight = [V::splat(V::Scalar::ZERO); R];
    for r in 0..R {
        weight[r] = V::splat(weights[r]);
    }
    lanes!(
        V,
        m,
        |j| add_rows_at::<V, R, false>(buffer, &weight, out, j),
        add_rows_at::<V, R, true>(buffer, &weight, out, j)
    );
}

#[inline(always)]
fn add_rows_at<V: Lanes, const R: usize, const PART: bool>(
    buffer: &[V::Scalar],
    weight: &[V; R],
    out: &mut [V::Scalar],
    j: usize,
) {
    let m = out.len();
    let mut sum = numbers::<V, PART>(out, j);
    for r in 0..R {
        sum = numbers::<V, PART>(&buffer[r * m..(r + 1) * m], j).mul_add(weight[r], sum);
    }
    put::<V, PART>(sum, out, j);
}

/// `max_j (g_j - C_j)` over one row: -inf where no cost is finite.
pub struct RowMax<'a, T> {
    /// The row.
    pub row: &'a [T],
    /// The columns' potentials.
    pub g: &'a [f64],
}

impl<T: Entry> Kernel for RowMax<'_, T> {
    type Output = f64;
    #[inline(always)]
    fn run<S: Simd>(self) -> f64 {
        let least = S::F64::splat(f64::NEG_INFINITY);
        // Four chains side by side: a maximum takes several cycles.
        let (mut a, mut b, mut c, mut d) = (least, least, least, least);
        let (row, g) = (&self.row[..self.g.len()], self.g);
        let m = g.len();
        let body = m - m % (4 * S::F64::LANES);
        let mut j = 0;
        while j < body {
            a = above::<S::F64, T, false>(row, g, j, a);
            b = above::<S::F64, T, false>(row, g, j + S::F64::LANES, b);
            c = above::<S::F64, T, false>(row, g, j + 2 * S::F64::LANES, c);
            d = above::<S::F64, T, false>(row, g, j + 3 * S::F64::LANES, d);
            j += 4 * S::F64::LANES;
        }
        while j + S::F64::LANES <= m {
            a = above::<S::F64, T, false>(row, g, j, a);
            j += S::F64::LANES;
        }
        if j < m {
            b = above::<S::F64, T, true>(row, g, j, b);
        }
        a.max(b).max(c.max(d)).reduce_max()
    }
}

#[inline(always)]
fn above<V: F64s, T: Entry, const PART: bool>(row: &[T], g: &[f64], j: usize, so_far: V) -> V {
    so_far.max(at::<V, f64, PART>(g, j, 0.0) - at::<V, T, PART>(row, j, T::PAD))
}

/// `out_j = min(out_j, C_rj - f_r)` over a group of rows.
pub struct ColumnMin<'a, T> {
    /// Rows of the cost.
    pub rows: &'a [&'a [T]],
    /// Their potentials.
    pub f: &'a [f64],
    /// In and out.
    pub out: &'a mut [f64],
}

impl<T: Entry> Kernel for ColumnMin<'_, T> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self) {
        grouped!(self.rows.len(), column_min::<S::F64, T, GROUP>(self.rows, self.f, self.out), |r| {
            column_min::<S::F64, T, 1>(&self.rows[r..], &self.f[r..], self.out)
        });
    }
}

#[inline(always)]
fn column_min<V: F64s, T: Entry, const R: usize>(rows: &[&[T]], f: &[f64], out: &mut [f64]) {
    let m = out.len();
    let mut row = [rows[0]; R];
    let mut potential = [V::splat(0.0); R];
    for r in 0..R {
        row[r] = &rows[r][..m];
        potential[r] = V::splat(f[r]);
    }
    lanes!(
        V,
        m,
        |j| column_min_at::<V, T, R, false>(&row, &potential, out, j),
        column_min_at::<V, T, R, true>(&row, &potential, out, j)
    );
}

#[inline(always)]
fn column_min_at<V: F64s, T: Entry, const R: usize, const PART: bool>(
    row: &[&[T]; R],
    potential: &[V; R],
    out: &mut [f64],
    j: usize,
) {
    let mut least = at::<V, f64, PART>(out, j, 0.0);
    for r in 0..R {
        least = least.min(at::<V, T, PART>(row[r], j, T::PAD) - potential[r]);
    }
    put::<V, PART>(least, out, j);
}

/// `(sum |f + g_j| p_j, sum |f + g_j - C_j| p_j, sum C_j p_j)` over the entries p > 0 of one row.
pub struct Moments<'a, T> {
    /// The row of the cost.
    pub row: &'a [T],
    /// Its potential.
    pub f: f64,
    /// The columns' potentials.
    pub g: &'a [f64],
    /// Its exponentials.
    pub p: &'a [f64],
}

impl<T: Entry> Kernel for Moments<'_, T> {
    type Output = (f64, f64, f64);
    #[inline(always)]
    fn run<S: Simd>(self) -> (f64, f64, f64) {
        let mut sums = [S::F64::splat(0.0); 3];
        let m = self.g.len();
        lanes!(
            S::F64,
            m,
            |j| moments_at::<S::F64, T, false>(&self, &mut sums, j),
            moments_at::<S::F64, T, true>(&self, &mut sums, j)
        );
        (sums[0].reduce_sum(), sums[1].reduce_sum(), sums[2].reduce_sum())
    }
}

#[inline(always)]
fn moments_at<V: F64s, T: Entry, const PART: bool>(it: &Moments<'_, T>, sums: &mut [V; 3], j: usize) {
    let zero = V::splat(0.0);
    let p = at::<V, f64, PART>(it.p, j, 0.0);
    let s = V::splat(it.f) + at::<V, f64, PART>(it.g, j, 0.0);
    // Where p is 0 the cost may be infinite.
    let c = V::select(p.gt(zero), at::<V, T, PART>(it.row, j, T::PAD), zero);
    sums[0] = s.abs().mul_add(p, sums[0]);
    sums[1] = (s - c).abs().mul_add(p, sums[1]);
    sums[2] = c.mul_add(p, sums[2]);
}

/// The positions of the entries of a row of exponentials that matter: those above the row's threshold or their column's.
/// Returns how many; what follows them in `out` is scratch.
pub struct Keep<'a, P> {
    /// The row of exponentials.
    pub p: &'a [P],
    /// The row's threshold.
    pub row: P,
    /// The columns' thresholds.
    pub columns: &'a [P],
    /// Room for all positions and [`SLACK`].
    pub out: &'a mut [u32],
}

impl<P: Precision> Kernel for Keep<'_, P> {
    type Output = usize;
    #[inline(always)]
    fn run<S: Simd>(self) -> usize {
        let m = self.columns.len();
        let mut kept = 0;
        lanes!(
            P::Lanes::<S>,
            m,
            |j| kept +=
                keep_at::<P::Lanes<S>, false>(self.p, self.row, self.columns, &mut self.out[kept..], j),
            kept += keep_at::<P::Lanes<S>, true>(self.p, self.row, self.columns, &mut self.out[kept..], j)
        );
        kept
    }
}

#[inline(always)]
fn keep_at<V: Lanes, const PART: bool>(
    p: &[V::Scalar],
    row: V::Scalar,
    columns: &[V::Scalar],
    out: &mut [u32],
    j: usize,
) -> usize {
    // Behind the end both are 0, and 0 is not above 0.
    let threshold = numbers::<V, PART>(columns, j).min(V::splat(row));
    numbers::<V, PART>(p, j).gt(threshold).positions(j as u32, out)
}

/// `sum_j x_j y_j` where `x` is a row of the cost (0 where it is infinite) and `y` is finite.
pub struct CostDot<'a, T> {
    /// The row of the cost.
    pub row: &'a [T],
    /// What it is multiplied by.
    pub y: &'a [f64],
}

impl<T: Entry> Kernel for CostDot<'_, T> {
    type Output = f64;
    #[inline(always)]
    fn run<S: Simd>(self) -> f64 {
        let mut sum = S::F64::splat(0.0);
        let m = self.y.len();
        lanes!(
            S::F64,
            m,
            |j| sum = cost_dot_at::<S::F64, T, false>(&self, sum, j),
            sum = cost_dot_at::<S::F64, T, true>(&self, sum, j)
        );
        sum.reduce_sum()
    }
}

#[inline(always)]
fn cost_dot_at<V: F64s, T: Entry, const PART: bool>(it: &CostDot<'_, T>, sum: V, j: usize) -> V {
    let c = at::<V, T, PART>(it.row, j, T::PAD);
    let finite = V::select(c.lt(V::splat(f64::INFINITY)), c, V::splat(0.0));
    finite.mul_add(at::<V, f64, PART>(it.y, j, 0.0), sum)
}

/// What a row of the cost holds.
#[derive(Debug, Clone, Copy)]
pub struct Extent {
    /// Least entry.
    pub least: f64,
    /// Largest finite entry; -inf if there is none.
    pub largest: f64,
    /// Whether an entry is nan or -inf.
    pub invalid: bool,
    /// Whether an entry is +inf.
    pub forbidden: bool,
}

/// The extent of one row.
pub struct RowExtent<'a, T>(pub &'a [T]);

impl<T: Entry> Kernel for RowExtent<'_, T> {
    type Output = Extent;
    #[inline(always)]
    fn run<S: Simd>(self) -> Extent {
        let inf = S::F64::splat(f64::INFINITY);
        let zero = S::F64::splat(0.0);
        // The last column padded by the first, which changes nothing.
        let m = self.0.len();
        let (mut least, mut largest, mut invalid, mut forbidden) = (inf, -inf, zero, zero);
        lanes!(
            S::F64,
            m,
            |j| extent_at::<S::F64, T, false>(
                self.0,
                j,
                &mut least,
                &mut largest,
                &mut invalid,
                &mut forbidden
            ),
            extent_at::<S::F64, T, true>(self.0, j, &mut least, &mut largest, &mut invalid, &mut forbidden)
        );
        Extent {
            least: least.reduce_min(),
            largest: largest.reduce_max(),
            invalid: invalid.reduce_max() > 0.0,
            forbidden: forbidden.reduce_max() > 0.0,
        }
    }
}

#[inline(always)]
fn extent_at<V: F64s, T: Entry, const PART: bool>(
    row: &[T],
    j: usize,
    least: &mut V,
    largest: &mut V,
    invalid: &mut V,
    forbidden: &mut V,
) {
    let (inf, one) = (V::splat(f64::INFINITY), V::splat(1.0));
    let c = at::<V, T, PART>(row, j, row[j]);
    let good = c.gt(-inf);
    *invalid = V::select(good, *invalid, one);
    *forbidden = V::select(c.eq(inf), one, *forbidden);
    *least = V::select(good, least.min(c), *least);
    *largest = V::select(good.and(c.lt(inf)), largest.max(c), *largest);
}

/// `x . y`.
pub struct Dot<'a> {
    /// One row.
    pub x: &'a [f64],
    /// Another of the same length.
    pub y: &'a [f64],
}

impl Kernel for Dot<'_> {
    type Output = f64;
    #[inline(always)]
    fn run<S: Simd>(self) -> f64 {
        let mut sums = [S::F64::splat(0.0); 4];
        let (m, lanes) = (self.x.len().min(self.y.len()), S::F64::LANES);
        let body = m - m % (4 * lanes);
        let mut j = 0;
        while j < body {
            for s in 0..4 {
                let k = j + s * lanes;
                sums[s] =
                    S::F64::load(&self.x[k..k + lanes]).mul_add(S::F64::load(&self.y[k..k + lanes]), sums[s]);
            }
            j += 4 * lanes;
        }
        let mut rest = 0.0;
        while j < m {
            rest += self.x[j] * self.y[j];
            j += 1;
        }
        ((sums[0] + sums[1]) + (sums[2] + sums[3])).reduce_sum() + rest
    }
}
