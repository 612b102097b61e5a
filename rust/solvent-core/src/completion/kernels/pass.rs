//! One pass over gathered rows: `s = P x` and `P^T W s` together, so that every row is read once for both.

use solvent_simd::Lanes;

use super::gather::{axpy, dot};
use crate::completion::entry::Entry;

/// How many rows go together: their products with the direction make whole registers.
const BLOCK: usize = 16;
/// How many are left over together: their horizontal sums are made in one.
const GROUP: usize = 4;

/// What a pass is for.
#[derive(Clone, Copy)]
pub struct Kind<T> {
    /// `s` holds targets and becomes `y - P x`; else it becomes `P x`.
    pub first: bool,
    /// Where a robust loss turns linear: its weights are those of the first pass.
    pub delta: Option<T>,
    /// What the constant column adds to `P x`.
    pub shift: T,
}

/// `s` from the rows of a panel, `q += P^T W s`, and `sum w s`.
#[inline(always)]
pub fn apply<V: Lanes<Scalar = T>, T: Entry>(
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

/// [`settle`] of a block, on registers: `along` becomes the factors, whose sum comes back lane by lane.
#[inline(always)]
fn settle_block<V: Lanes<Scalar = T>, T: Entry>(
    along: &mut [T; BLOCK],
    kind: Kind<T>,
    s: &mut [T],
    w: Option<&mut [T]>,
) -> V {
    let s = &mut s[..BLOCK];
    let shift = V::splat(kind.shift);
    let mut total = V::splat(T::ZERO);
    let mut c = 0;
    while c + V::LANES <= BLOCK {
        let mut a = V::load(&along[c..]) + shift;
        if kind.first {
            a = V::load(&s[c..]) - a;
        }
        a.store(&mut s[c..]);
        a.store(&mut along[c..]);
        total = total + a;
        c += V::LANES;
    }
    let Some(w) = w else { return total };
    let w = &mut w[..BLOCK];
    total = V::splat(T::ZERO);
    let mut c = 0;
    while c + V::LANES <= BLOCK {
        let a = V::load(&along[c..]);
        let mut f = V::load(&w[c..]);
        if let Some(delta) = kind.delta {
            let (r, delta) = (a.abs(), V::splat(delta));
            f = V::select(r.gt(delta), f * (delta / r), f);
            f.store(&mut w[c..]);
        }
        let a = a * f;
        a.store(&mut along[c..]);
        total = total + a;
        c += V::LANES;
    }
    total
}

/// Products of `G` rows with `x`, which is held in `N` registers.
#[inline(always)]
fn dots<V: Lanes<Scalar = T>, T: Entry, const N: usize, const G: usize>(rows: &[T], x: &[V; N]) -> [T; G] {
    let stride = N * V::LANES;
    let rows = &rows[..G * stride];
    let mut along = [T::ZERO; G];
    let mut g = 0;
    while g + GROUP <= G {
        let mut sums = [V::splat(T::ZERO); GROUP];
        for h in 0..GROUP {
            let row = &rows[(g + h) * stride..(g + h + 1) * stride];
            sums[h] = V::load(row) * x[0];
            for c in 1..N {
                sums[h] = V::load(&row[c * V::LANES..]).mul_add(x[c], sums[h]);
            }
        }
        along[g..g + GROUP].copy_from_slice(&V::reduce_sums(sums));
        g += GROUP;
    }
    if g < G {
        // What is left over shares one transposition too.
        let mut sums = [V::splat(T::ZERO); GROUP];
        for h in 0..G % GROUP {
            let row = &rows[(g + h) * stride..(g + h + 1) * stride];
            sums[h] = V::load(row) * x[0];
            for c in 1..N {
                sums[h] = V::load(&row[c * V::LANES..]).mul_add(x[c], sums[h]);
            }
        }
        along[g..].copy_from_slice(&V::reduce_sums(sums)[..G % GROUP]);
    }
    along
}

/// Adds `G` rows times their factors to `q`, which is held in `N` registers.
#[inline(always)]
fn spread<V: Lanes<Scalar = T>, T: Entry, const N: usize, const G: usize>(
    rows: &[T],
    factors: &[T; G],
    q: &mut [V; N],
) {
    let stride = N * V::LANES;
    let rows = &rows[..G * stride];
    for g in 0..G {
        let (f, row) = (V::splat(factors[g]), &rows[g * stride..(g + 1) * stride]);
        for c in 0..N {
            q[c] = f.mul_add(V::load(&row[c * V::LANES..]), q[c]);
        }
    }
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
    let factors = settle::<T, G>(dots::<V, T, N, G>(rows, x), kind, s, w);
    spread::<V, T, N, G>(rows, &factors, q);
    factors.into_iter().sum()
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
    let mut many = V::splat(T::ZERO);
    let (n, mut t) = (s.len(), 0);
    while t + BLOCK <= n {
        let rows = &panel[t * stride..(t + BLOCK) * stride];
        let mut factors = dots::<V, T, N, BLOCK>(rows, &left);
        many = many + settle_block::<V, T>(&mut factors, kind, &mut s[t..], after(&mut w, t));
        spread::<V, T, N, BLOCK>(rows, &factors, &mut sums);
        t += BLOCK;
    }
    let mut total = many.reduce_sum();
    while t + GROUP <= n {
        let rows = &panel[t * stride..(t + GROUP) * stride];
        total += group::<V, T, N, GROUP>(rows, kind, &mut s[t..], after(&mut w, t), &left, &mut sums);
        t += GROUP;
    }
    let (rows, s, w) = (&panel[t * stride..n * stride], &mut s[t..], after(&mut w, t));
    total += match n - t {
        3 => group::<V, T, N, 3>(rows, kind, s, w, &left, &mut sums),
        2 => group::<V, T, N, 2>(rows, kind, s, w, &left, &mut sums),
        1 => group::<V, T, N, 1>(rows, kind, s, w, &left, &mut sums),
        _ => T::ZERO,
    };
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
        let f = settle::<T, GROUP>(V::reduce_sums(sums), kind, &mut s[t..], after(&mut w, t));
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
