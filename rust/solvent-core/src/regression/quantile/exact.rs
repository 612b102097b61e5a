//! The certificate's pass over a panel in double-double: residuals, what each row adds to the gap, and `A^T a`.

use super::kernels::Panel;
use crate::base::sum::{Dd, Sum};
use solvent_simd::{F64s, Kernel, Lanes, Simd};

/// Lanes that hold unevaluated sums of two doubles.
#[derive(Clone, Copy)]
struct Pair<V> {
    hi: V,
    lo: V,
}

/// `(s, e)` with `s + e = a + b` exactly, lane by lane (Knuth).
#[inline(always)]
fn two_sum<V: F64s>(a: V, b: V) -> Pair<V> {
    let s = a + b;
    let t = s - a;
    Pair { hi: s, lo: (a - (s - t)) + (b - t) }
}

/// `(p, e)` with `p + e = a b` exactly, lane by lane.
#[inline(always)]
fn two_prod<V: F64s>(a: V, b: V) -> Pair<V> {
    let p = a * b;
    Pair { hi: p, lo: a.fma(b, -p) }
}

/// Sums over the rows of a panel.
#[derive(Debug, Clone, Copy, Default)]
pub struct Totals {
    /// `sum w rho(r)`
    pub objective: Sum,
    /// `sum w rho(r) - a r`, every term >= 0.
    pub slack: f64,
    /// `sum w |y|`
    pub size: f64,
}

impl Totals {
    /// Of two parts of the rows, in their order.
    pub fn join(mut self, other: Self) -> Self {
        self.objective.merge(other.objective);
        Self { objective: self.objective, slack: self.slack + other.slack, size: self.size + other.size }
    }
}

/// The ends of a box of weight 1: `tau` and `tau - 1 = below + below_rest` exactly.
#[derive(Debug, Clone, Copy)]
pub struct Ends {
    /// tau
    pub above: f64,
    /// fl(tau - 1)
    pub below: f64,
    /// What the rounding left.
    pub below_rest: f64,
}

impl Ends {
    /// For a level strictly between 0 and 1.
    pub fn new(tau: f64) -> Self {
        let exact = Dd::new(tau, -1.0);
        Self { above: tau, below: exact.hi, below_rest: exact.lo }
    }
}

/// Judges rows; `dual` is clipped into its boxes (head and `rest`).
pub struct Judge<'a, 'b> {
    /// The rows.
    pub panel: Panel<'a>,
    /// Coefficients, one a column.
    pub x: &'a [f64],
    /// Right sides.
    pub y: &'a [f64],
    /// Weights.
    pub w: &'a [f64],
    /// The level.
    pub ends: Ends,
    /// The dual, in and out.
    pub dual: &'b mut [f64],
    /// What the clipped dual has beyond its head.
    pub rest: &'b mut [f64],
    /// Residuals, rounded.
    pub residual: &'b mut [f64],
    /// `A^T a`, added to.
    pub gradient: &'b mut [Dd],
}

impl Kernel for Judge<'_, '_> {
    type Output = Totals;
    #[inline(always)]
    fn run<S: Simd>(self) -> Totals {
        let Self { panel, x, y, w, ends, dual, rest, residual, gradient } = self;
        let totals = judge::<S::F64>(&panel, x, y, w, ends, dual, rest, residual);
        collect::<S::F64>(&panel, dual, rest, gradient);
        totals
    }
}

/// Residuals and `A^T a` of a panel, for a dual that is taken as it is.
pub struct Expose<'a, 'b> {
    /// The rows.
    pub panel: Panel<'a>,
    /// Coefficients, one a column.
    pub x: &'a [f64],
    /// Right sides.
    pub y: &'a [f64],
    /// The dual.
    pub dual: &'a [f64],
    /// Zeros.
    pub rest: &'a [f64],
    /// Residuals, rounded.
    pub residual: &'b mut [f64],
    /// `A^T a`, added to.
    pub gradient: &'b mut [Dd],
}

impl Kernel for Expose<'_, '_> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self) {
        let Self { panel, x, y, dual, rest, residual, gradient } = self;
        let mut i = 0;
        while i < panel.m {
            let [one] = residuals::<S::F64, 1>(&panel, x, y, i);
            one.hi.store(&mut residual[i..]);
            i += <S::F64 as Lanes>::LANES;
        }
        collect::<S::F64>(&panel, dual, rest, gradient);
    }
}

/// `A^T a` of a panel.
pub struct Gradient<'a, 'b> {
    /// The rows.
    pub panel: Panel<'a>,
    /// The dual.
    pub dual: &'a [f64],
    /// Zeros.
    pub rest: &'a [f64],
    /// Added to.
    pub gradient: &'b mut [Dd],
}

impl Kernel for Gradient<'_, '_> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self) {
        collect::<S::F64>(&self.panel, self.dual, self.rest, self.gradient);
    }
}

/// `y - X x` for `K` registers of rows from row `i` on.
#[inline(always)]
fn residuals<V: F64s, const K: usize>(panel: &Panel<'_>, x: &[f64], y: &[f64], i: usize) -> [Pair<V>; K] {
    let mut r = [Pair { hi: V::splat(0.0), lo: V::splat(0.0) }; K];
    for k in 0..K {
        r[k].hi = V::load(&y[i + k * V::LANES..i + (k + 1) * V::LANES]);
    }
    for j in 0..panel.d {
        let factor = V::splat(-x[j]);
        let rows = &panel.x[j * panel.stride + i..j * panel.stride + i + K * V::LANES];
        for k in 0..K {
            let product = two_prod(V::load(&rows[k * V::LANES..(k + 1) * V::LANES]), factor);
            let sum = two_sum(r[k].hi, product.hi);
            r[k] = Pair { hi: sum.hi, lo: r[k].lo + (sum.lo + product.lo) };
        }
    }
    for k in 0..K {
        r[k] = two_sum(r[k].hi, r[k].lo);
    }
    r
}

#[inline(always)]
#[allow(clippy::too_many_arguments, reason = "the fields of one kernel")]
fn judge<V: F64s>(
    panel: &Panel<'_>,
    x: &[f64],
    y: &[f64],
    w: &[f64],
    ends: Ends,
    dual: &mut [f64],
    rest: &mut [f64],
    residual: &mut [f64],
) -> Totals {
    let zero = V::splat(0.0);
    let mut sums = (Pair { hi: zero, lo: zero }, zero, zero);
    let mut i = 0;
    while i + 2 * V::LANES <= panel.m {
        let pair = residuals::<V, 2>(panel, x, y, i);
        for k in 0..2 {
            rows(pair[k], i + k * V::LANES, y, w, ends, dual, rest, residual, &mut sums);
        }
        i += 2 * V::LANES;
    }
    while i < panel.m {
        let [one] = residuals::<V, 1>(panel, x, y, i);
        rows(one, i, y, w, ends, dual, rest, residual, &mut sums);
        i += V::LANES;
    }
    let mut objective = Sum::new();
    let (mut heads, mut tails) = ([0.0; 8], [0.0; 8]);
    sums.0.hi.store(&mut heads);
    sums.0.lo.store(&mut tails);
    for k in 0..V::LANES {
        objective.add(heads[k]);
        objective.add(tails[k]);
    }
    Totals { objective, slack: sums.1.reduce_sum(), size: sums.2.reduce_sum() }
}

/// One register of rows.
#[inline(always)]
#[allow(clippy::too_many_arguments, reason = "the fields of one kernel")]
fn rows<V: F64s>(
    r: Pair<V>,
    i: usize,
    y: &[f64],
    w: &[f64],
    ends: Ends,
    dual: &mut [f64],
    rest: &mut [f64],
    residual: &mut [f64],
    sums: &mut (Pair<V>, V, V),
) {
    let range = i..i + V::LANES;
    let zero = V::splat(0.0);
    let (w, a) = (V::load(&w[range.clone()]), V::load(&dual[range.clone()]));
    let top = two_prod(w, V::splat(ends.above));
    let bottom = two_prod(w, V::splat(ends.below));
    let bottom = two_sum(bottom.hi, w.mul_add(V::splat(ends.below_rest), bottom.lo));
    let (room_up, room_down) = ((top.hi - a) + top.lo, (a - bottom.hi) - bottom.lo);
    let (over, under) = (room_up.lt(zero), room_down.lt(zero));
    let span = top.hi - bottom.hi;
    let clip = |inside, top, bottom| V::select(under, bottom, V::select(over, top, inside));
    let room_up = clip(room_up, zero, span);
    let room_down = clip(room_down, span, zero);
    clip(a, top.hi, bottom.hi).store(&mut dual[range.clone()]);
    clip(zero, top.lo, bottom.lo).store(&mut rest[range.clone()]);
    r.hi.store(&mut residual[range.clone()]);
    let positive = r.hi.gt(zero);
    let slack = V::select(positive, room_up, room_down) * r.hi.abs();
    let worth = V::select(positive, top.hi, -bottom.hi) * r.hi.abs();
    let sum = two_sum(sums.0.hi, worth);
    sums.0 = Pair { hi: sum.hi, lo: sums.0.lo + sum.lo };
    sums.1 = sums.1 + slack;
    sums.2 = w.mul_add(V::load(&y[range]).abs(), sums.2);
}

/// `gradient += X^T (head + rest)`.
#[inline(always)]
fn collect<V: F64s>(panel: &Panel<'_>, head: &[f64], rest: &[f64], gradient: &mut [Dd]) {
    let zero = V::splat(0.0);
    let mut j = 0;
    while j < panel.d {
        // Two columns share the loads of the dual.
        let second = (j + 1).min(panel.d - 1);
        let columns = [&panel.x[j * panel.stride..], &panel.x[second * panel.stride..]];
        let mut sums = [Pair { hi: zero, lo: zero }; 2];
        let mut i = 0;
        while i < panel.m {
            let range = i..i + V::LANES;
            let (a, more) = (V::load(&head[range.clone()]), V::load(&rest[range.clone()]));
            for k in 0..2 {
                let x = V::load(&columns[k][range.clone()]);
                let product = two_prod(x, a);
                let sum = two_sum(sums[k].hi, product.hi);
                sums[k] = Pair { hi: sum.hi, lo: sums[k].lo + x.mul_add(more, sum.lo + product.lo) };
            }
            i += V::LANES;
        }
        for k in 0..2.min(panel.d - j) {
            let (mut heads, mut tails) = ([0.0; 8], [0.0; 8]);
            sums[k].hi.store(&mut heads);
            sums[k].lo.store(&mut tails);
            for l in 0..V::LANES {
                gradient[j + k] = gradient[j + k] + Dd::new(heads[l], tails[l]);
            }
        }
        j += 2;
    }
}

/// How many rows of a panel one lane sums.
pub fn chain(stride: usize) -> f64 {
    match solvent_simd::level().name() {
        "v4" => stride as f64 / 8.0,
        "v3" => stride as f64 / 4.0,
        _ => stride as f64 / 2.0,
    }
}
