//! Warm-started conjugate gradients on `(P^T W P + ridge I + B) u = P^T W y`, P the gathered rows of the other factor.
//!
//! A step is one pass over P that makes `s = P x` and `P^T W s` together: the rows are read once for both. P stays
//! unweighted, so that weights cost one multiplication an entry, and what the row leaves unexplained is known at the end
//! without another look at P: `y - P u` follows u step by step.

use std::ops::Range;

use solvent_simd::Lanes;

use super::gather::{AHEAD, ask, axpy, copy, dot, scaled};
use super::row::Half;
use crate::completion::entry::{Entry, LineKernel};

/// Rows gathered at a time: they are still in the first-level cache when they are used.
const TILE: usize = 32;
/// How many rows of a tile go together: their horizontal sums overlap.
const GROUP: usize = 4;

/// Scratch of the solver.
pub struct Descent<T> {
    /// Residual of the normal equations.
    r: Vec<T>,
    /// Search direction.
    p: Vec<T>,
    /// Its image.
    q: Vec<T>,
    /// What the row leaves unexplained, entry by entry.
    left: Vec<T>,
    /// Weights.
    w: Vec<T>,
    /// `P p`.
    along: Vec<T>,
}

impl<T: Entry> Descent<T> {
    /// For lines of this length and rows of up to `most` entries.
    pub fn new(stride: usize, most: usize) -> Self {
        let zero = |n: usize| vec![T::ZERO; n];
        Self {
            r: zero(stride),
            p: zero(stride),
            q: zero(stride),
            left: zero(most),
            w: zero(most),
            along: zero(most),
        }
    }
}

/// What a row's solve found.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Descended {
    /// Steps taken.
    pub steps: u64,
    /// `sum w l(r)` at the end, where it was asked for,
    pub loss: f64,
    /// and `sum r²`.
    pub squares: f64,
}

/// The solve of one row.
pub struct Descend<'a, 'h, T> {
    /// Whose row it is.
    pub half: &'a Half<'h, T>,
    /// Its entries.
    pub range: Range<usize>,
    /// Room for gathered rows: the whole row stays where it fits, else tiles are gathered anew for each pass.
    pub panel: &'a mut [T],
    /// Scratch.
    pub descent: &'a mut Descent<T>,
    /// The row's ridge.
    pub ridge: T,
    /// Steps at most.
    pub steps: usize,
    /// Part of the first residual that is small enough.
    pub eta: f64,
    /// The present solution; overwritten.
    pub u: &'a mut [T],
}

impl<T: Entry> LineKernel<T> for Descend<'_, '_, T> {
    type Output = Descended;
    #[inline(always)]
    fn run<V: Lanes<Scalar = T>>(self) -> Descended {
        let Self { half, range, panel, descent, ridge, steps, eta, u } = self;
        let Descent { r, p, q, left, w, along } = descent;
        let (n, line) = (range.len(), half.line());
        let whole = n * line <= panel.len();
        // The constant column, where it is kept out of the panel: its coefficient is the line after the others.
        let constant = if line < half.design.stride() { half.constant.unwrap_or(T::ZERO) } else { T::ZERO };
        let bias = if line < half.design.stride() { line } else { 0 };
        let (left, along) = (&mut left[..n], &mut along[..n]);
        let weighted = half.weights.is_some() || half.delta.is_some();
        let w = &mut w[..if weighted { n } else { 0 }];
        match half.weights {
            Some(weights) => w.copy_from_slice(&weights[range.clone()]),
            None => w.fill(T::ONE),
        }
        let (mut rr, mut enough, mut taken) = (T::ZERO, T::ZERO, 0);
        loop {
            let first = taken == 0 && rr == T::ZERO;
            let (x, to): (&[T], &mut [T]) = if first { (&*u, &mut *r) } else { (&*p, &mut *q) };
            let (s, sign) = if first { (&mut *left, -T::ONE) } else { (&mut *along, T::ONE) };
            scaled::<V, T>(sign * ridge, x, to);
            if let Some(base) = half.base {
                add_base::<V, T>(base, half.design.width(), sign, x, to);
            }
            let shift = constant * x[bias];
            let mut total = T::ZERO;
            let mut at = 0;
            while at < n {
                let count = if whole && !first { n } else { TILE.min(n - at) };
                let place = if whole { at * line } else { 0 };
                let rows = &mut panel[place..place + count * line];
                if first || !whole {
                    let part = range.start + at..range.start + at + count;
                    fetch::<V, T>(half, part, line, rows, first.then_some(&mut s[at..at + count]));
                }
                let s = &mut s[at..at + count];
                let w = if weighted { Some(&mut w[at..at + count]) } else { None };
                let kind = Kind { first, delta: if first { half.delta } else { None }, shift };
                total += apply::<V, T>(rows, line, kind, s, w, x, to);
                at += count;
            }
            if bias > 0 {
                to[bias] += constant * total;
            }
            if first {
                p.copy_from_slice(r);
                rr = dot::<V, T>(r, r);
                enough = T::from_f64(eta * eta) * rr;
            } else {
                let pq = dot::<V, T>(p, q);
                let alpha = rr / pq;
                if pq <= T::ZERO || !alpha.to_f64().is_finite() {
                    break;
                }
                axpy::<V, T>(alpha, p, u);
                axpy::<V, T>(-alpha, q, r);
                for t in 0..n {
                    left[t] -= alpha * along[t];
                }
                let next = dot::<V, T>(r, r);
                let beta = V::splat(next / rr);
                let mut c = 0;
                while c + V::LANES <= r.len() {
                    beta.mul_add(V::load(&p[c..]), V::load(&r[c..])).store(&mut p[c..]);
                    c += V::LANES;
                }
                rr = next;
                taken += 1;
            }
            let open = rr > enough && rr > T::ZERO;
            if !open || taken == steps as u64 {
                break;
            }
        }
        let (loss, squares) = if half.measure { losses(half, range, left) } else { (0.0, 0.0) };
        Descended { steps: taken, loss, squares }
    }
}

/// `sum w l(r)` and `sum r²`, in eight sums each.
#[inline(always)]
fn losses<T: Entry>(half: &Half<'_, T>, range: Range<usize>, left: &[T]) -> (f64, f64) {
    let (mut loss, mut squares) = ([0.0; 8], [0.0; 8]);
    match (half.weights, half.delta) {
        (None, None) => {
            let whole = left.len() / 8 * 8;
            let mut at = 0;
            while at < whole {
                let part = &left[at..at + 8];
                for c in 0..8 {
                    squares[c] += part[c].to_f64() * part[c].to_f64();
                }
                at += 8;
            }
            for t in whole..left.len() {
                squares[t - whole] += left[t].to_f64() * left[t].to_f64();
            }
            loss = squares;
        }
        (weights, delta) => {
            for t in 0..left.len() {
                let r = left[t].to_f64();
                squares[t % 8] += r * r;
                let l = match delta.map(|d| d.to_f64()) {
                    Some(delta) if r.abs() > delta => 2.0 * delta * r.abs() - delta * delta,
                    _ => r * r,
                };
                loss[t % 8] += weights.map_or(l, |w| w[range.start + t].to_f64() * l);
            }
        }
    }
    (loss.iter().sum(), squares.iter().sum())
}

/// Copies the rows of the other factor that the entries of `part` meet, and makes their targets.
#[inline(always)]
fn fetch<V: Lanes<Scalar = T>, T: Entry>(
    half: &Half<'_, T>,
    part: Range<usize>,
    line: usize,
    rows: &mut [T],
    targets: Option<&mut [T]>,
) {
    let (stride, all) = (half.design.stride(), half.design.as_slice());
    let columns = half.entries.indices();
    let most = columns.len();
    for t in 0..part.len() {
        let e = part.start + t;
        if e + AHEAD < most {
            ask(all, columns[e + AHEAD] as usize, stride, line);
        }
        let from = columns[e] as usize * stride;
        copy::<V, T>(&all[from..from + line], &mut rows[t * line..t * line + line]);
    }
    if let Some(targets) = targets {
        let targets = &mut targets[..part.len()];
        for t in 0..targets.len() {
            let e = part.start + t;
            targets[t] = half.target(e, columns[e] as usize);
        }
    }
}

/// What a pass is for.
#[derive(Clone, Copy)]
struct Kind<T> {
    /// `s` holds targets and becomes `y - P x`; else it becomes `P x`.
    first: bool,
    /// Where a robust loss turns linear: its weights are those of the first pass.
    delta: Option<T>,
    /// What the constant column adds to `P x`.
    shift: T,
}

/// `s` from the rows of a panel, `q += P^T W s`, and `sum w s`.
#[inline(always)]
fn apply<V: Lanes<Scalar = T>, T: Entry>(
    panel: &[T],
    line: usize,
    kind: Kind<T>,
    s: &mut [T],
    w: Option<&mut [T]>,
    x: &[T],
    q: &mut [T],
) -> T {
    match line / V::LANES {
        1 => fixed::<V, T, 1>(panel, kind, s, w, x, q),
        2 => fixed::<V, T, 2>(panel, kind, s, w, x, q),
        3 => fixed::<V, T, 3>(panel, kind, s, w, x, q),
        4 => fixed::<V, T, 4>(panel, kind, s, w, x, q),
        5 => fixed::<V, T, 5>(panel, kind, s, w, x, q),
        6 => fixed::<V, T, 6>(panel, kind, s, w, x, q),
        8 => fixed::<V, T, 8>(panel, kind, s, w, x, q),
        _ => wide::<V, T>(panel, line, kind, s, w, x, q),
    }
}

/// What the entries of a group are multiplied with, from their rows' products with x; `s` keeps them unweighted.
#[inline(always)]
fn settle<T: Entry, const G: usize>(
    mut along: [T; G],
    kind: Kind<T>,
    s: &mut [T],
    w: Option<&mut [T]>,
) -> [T; G] {
    let s = &mut s[..G];
    for g in 0..G {
        along[g] += kind.shift;
    }
    if kind.first {
        for g in 0..G {
            along[g] = s[g] - along[g];
        }
    }
    s.copy_from_slice(&along);
    if let Some(w) = w {
        let w = &mut w[..G];
        if let Some(delta) = kind.delta {
            for g in 0..G {
                let r = along[g].modulus();
                if r > delta {
                    w[g] *= delta / r;
                }
            }
        }
        for g in 0..G {
            along[g] *= w[g];
        }
    }
    along
}

/// `G` rows with `x` and `q` in `N` registers each.
#[inline(always)]
fn group<V: Lanes<Scalar = T>, T: Entry, const N: usize, const G: usize>(
    rows: &[T],
    kind: Kind<T>,
    s: &mut [T],
    w: Option<&mut [T]>,
    x: &[V; N],
    q: &mut [V; N],
) -> T {
    let stride = N * V::LANES;
    let rows = &rows[..G * stride];
    let mut along = [T::ZERO; G];
    for g in 0..G {
        let mut sum = V::load(&rows[g * stride..]) * x[0];
        for c in 1..N {
            sum = V::load(&rows[g * stride + c * V::LANES..]).mul_add(x[c], sum);
        }
        along[g] = sum.reduce_sum();
    }
    let factors = settle::<T, G>(along, kind, s, w);
    let mut total = T::ZERO;
    for g in 0..G {
        total += factors[g];
        let f = V::splat(factors[g]);
        for c in 0..N {
            q[c] = f.mul_add(V::load(&rows[g * stride + c * V::LANES..]), q[c]);
        }
    }
    total
}

/// The weights from `t` on.
#[inline(always)]
fn after<'w, T>(w: &'w mut Option<&mut [T]>, t: usize) -> Option<&'w mut [T]> {
    match w {
        Some(w) => Some(&mut w[t..]),
        None => None,
    }
}

/// A panel whose lines are `N` registers long.
#[inline(always)]
fn fixed<V: Lanes<Scalar = T>, T: Entry, const N: usize>(
    panel: &[T],
    kind: Kind<T>,
    s: &mut [T],
    mut w: Option<&mut [T]>,
    x: &[T],
    q: &mut [T],
) -> T {
    let stride = N * V::LANES;
    let (mut left, mut sums) = ([V::splat(T::ZERO); N], [V::splat(T::ZERO); N]);
    for c in 0..N {
        left[c] = V::load(&x[c * V::LANES..]);
        sums[c] = V::load(&q[c * V::LANES..]);
    }
    let mut total = T::ZERO;
    let (n, mut t) = (s.len(), 0);
    while t + GROUP <= n {
        let rows = &panel[t * stride..(t + GROUP) * stride];
        total += group::<V, T, N, GROUP>(rows, kind, &mut s[t..], after(&mut w, t), &left, &mut sums);
        t += GROUP;
    }
    while t < n {
        let row = &panel[t * stride..(t + 1) * stride];
        total += group::<V, T, N, 1>(row, kind, &mut s[t..], after(&mut w, t), &left, &mut sums);
        t += 1;
    }
    for c in 0..N {
        sums[c].store(&mut q[c * V::LANES..]);
    }
    total
}

/// Longer lines: `x` and `q` are read again for each group.
#[inline(always)]
fn wide<V: Lanes<Scalar = T>, T: Entry>(
    panel: &[T],
    line: usize,
    kind: Kind<T>,
    s: &mut [T],
    mut w: Option<&mut [T]>,
    x: &[T],
    q: &mut [T],
) -> T {
    let (x, q) = (&x[..line], &mut q[..line]);
    let mut total = T::ZERO;
    let mut t = 0;
    while (t + GROUP) * line <= panel.len() {
        let rows = &panel[t * line..][..GROUP * line];
        let mut sums = [V::splat(T::ZERO); GROUP];
        let mut c = 0;
        while c < line {
            let x = V::load(&x[c..]);
            for g in 0..GROUP {
                sums[g] = x.mul_add(V::load(&rows[g * line + c..]), sums[g]);
            }
            c += V::LANES;
        }
        let along = [sums[0].reduce_sum(), sums[1].reduce_sum(), sums[2].reduce_sum(), sums[3].reduce_sum()];
        let f = settle::<T, GROUP>(along, kind, &mut s[t..], after(&mut w, t));
        let mut c = 0;
        while c < line {
            let mut sum = V::load(&q[c..]);
            for g in 0..GROUP {
                sum = V::splat(f[g]).mul_add(V::load(&rows[g * line + c..]), sum);
            }
            sum.store(&mut q[c..]);
            c += V::LANES;
        }
        total += (f[0] + f[1]) + (f[2] + f[3]);
        t += GROUP;
    }
    while (t + 1) * line <= panel.len() {
        let row = &panel[t * line..(t + 1) * line];
        let [f] = settle::<T, 1>([dot::<V, T>(row, x)], kind, &mut s[t..], after(&mut w, t));
        axpy::<V, T>(f, row, q);
        total += f;
        t += 1;
    }
    total
}

/// Adds `sign` times the common Gram matrix's image of `x`.
#[inline(always)]
fn add_base<V: Lanes<Scalar = T>, T: Entry>(base: &[T], width: usize, sign: T, x: &[T], out: &mut [T]) {
    // Four registers of the image at a time, each the sum over all rows.
    let stride = out.len();
    let mut from = 0;
    while from < stride {
        let end = (from + 4 * V::LANES).min(stride);
        let part = &mut out[from..end];
        match (end - from) / V::LANES {
            4 => block::<V, T, 4>(&base[from..], stride, width, sign, x, part),
            3 => block::<V, T, 3>(&base[from..], stride, width, sign, x, part),
            2 => block::<V, T, 2>(&base[from..], stride, width, sign, x, part),
            _ => block::<V, T, 1>(&base[from..], stride, width, sign, x, part),
        }
        from = end;
    }
}

#[inline(always)]
fn block<V: Lanes<Scalar = T>, T: Entry, const N: usize>(
    base: &[T],
    stride: usize,
    width: usize,
    sign: T,
    x: &[T],
    out: &mut [T],
) {
    let mut sums = [V::splat(T::ZERO); N];
    for c in 0..N {
        sums[c] = V::load(&out[c * V::LANES..]);
    }
    let x = &x[..width];
    for i in 0..width {
        let f = V::splat(sign * x[i]);
        let row = &base[i * stride..i * stride + N * V::LANES];
        for c in 0..N {
            sums[c] = f.mul_add(V::load(&row[c * V::LANES..]), sums[c]);
        }
    }
    for c in 0..N {
        sums[c].store(&mut out[c * V::LANES..]);
    }
}
