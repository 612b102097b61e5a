//! The Gauss-Newton operator on many right sides at once: what the tangent map and its adjoint do to one side's rows.

use std::ops::Range;

use solvent_simd::Lanes;

use crate::base::sparse::SparseView;
use crate::completion::entry::LineKernel;

/// Right sides that go together: two lines of doubles.
pub const SIDES: usize = 16;

/// `q_i = sum_j w_ij t_ij b_j` with `t_ij = a_i · db_j + da_i · b_j`, for the rows of a range. Directions hold `SIDES`
/// numbers for each coefficient.
pub struct Tangent<'a> {
    /// The pattern by the rows of this side.
    pub entries: SparseView<'a, f64>,
    /// Weights, in its order.
    pub weights: Option<&'a [f64]>,
    /// This side's factor, row-major of `width`.
    pub a: &'a [f64],
    /// The other side's.
    pub b: &'a [f64],
    /// Columns.
    pub width: usize,
    /// This side's directions.
    pub da: &'a [f64],
    /// The other side's.
    pub db: &'a [f64],
    /// Which rows.
    pub rows: Range<usize>,
    /// Their images.
    pub out: &'a mut [f64],
}

impl LineKernel<f64> for Tangent<'_> {
    /// `da_i · q_i` summed over the rows, one a side.
    type Output = [f64; SIDES];
    #[inline(always)]
    fn run<V: Lanes<Scalar = f64>>(self) -> [f64; SIDES] {
        let mut sums = [V::splat(0.0); 2];
        let (k, line) = (self.width, self.width * SIDES);
        let first = self.rows.start;
        for i in self.rows {
            let out = &mut self.out[(i - first) * line..(i - first + 1) * line];
            out.fill(0.0);
            let a = &self.a[i * k..(i + 1) * k];
            let da = &self.da[i * line..(i + 1) * line];
            for e in self.entries.range(i) {
                let j = self.entries.indices()[e] as usize;
                let b = &self.b[j * k..(j + 1) * k];
                let db = &self.db[j * line..(j + 1) * line];
                let (mut low, mut high) = (V::splat(0.0), V::splat(0.0));
                for l in 0..k {
                    let (x, y) = (V::splat(a[l]), V::splat(b[l]));
                    let (dx, dy) = (&da[l * SIDES..(l + 1) * SIDES], &db[l * SIDES..(l + 1) * SIDES]);
                    low = x.mul_add(V::load(dy), y.mul_add(V::load(dx), low));
                    high = x.mul_add(V::load(&dy[V::LANES..]), y.mul_add(V::load(&dx[V::LANES..]), high));
                }
                if let Some(w) = self.weights {
                    let w = V::splat(w[e]);
                    (low, high) = (w * low, w * high);
                }
                for l in 0..k {
                    let y = V::splat(b[l]);
                    let to = &mut out[l * SIDES..(l + 1) * SIDES];
                    y.mul_add(low, V::load(to)).store(to);
                    let to = &mut to[V::LANES..];
                    y.mul_add(high, V::load(to)).store(to);
                }
            }
            accumulate::<V>(&mut sums, da, out);
        }
        both(sums)
    }
}

/// `sums += x · y`, one a side.
#[inline(always)]
fn accumulate<V: Lanes<Scalar = f64>>(sums: &mut [V; 2], x: &[f64], y: &[f64]) {
    let y = &y[..x.len()];
    let mut at = 0;
    while at + SIDES <= x.len() {
        for h in 0..2 {
            let own = at + h * V::LANES;
            sums[h] = V::load(&x[own..]).mul_add(V::load(&y[own..]), sums[h]);
        }
        at += SIDES;
    }
}

#[inline(always)]
fn both<V: Lanes<Scalar = f64>>(sums: [V; 2]) -> [f64; SIDES] {
    let mut out = [0.0; SIDES];
    sums[0].store(&mut out);
    sums[1].store(&mut out[V::LANES..]);
    out
}

/// What a step of conjugate gradients does to some rows once its lengths are known: `x += a p`, `r -= a q`, and the
/// preconditioned residual `z` by the rows' own triangles.
pub struct Relax<'a> {
    /// Triangles `L`, `L L^T` the rows' Gram matrices.
    pub triangles: &'a [f64],
    /// Columns.
    pub width: usize,
    /// Step lengths, one a side.
    pub step: &'a [f64; SIDES],
    /// Directions,
    pub p: &'a [f64],
    /// and their images.
    pub q: &'a [f64],
    /// Solutions, where they are wanted,
    pub x: Option<&'a mut [f64]>,
    /// residuals
    pub r: &'a mut [f64],
    /// and preconditioned residuals.
    pub z: &'a mut [f64],
}

impl LineKernel<f64> for Relax<'_> {
    /// `r · z`, one a side.
    type Output = [f64; SIDES];
    #[inline(always)]
    fn run<V: Lanes<Scalar = f64>>(self) -> [f64; SIDES] {
        let Self { triangles, width: k, step, p, q, mut x, r, z } = self;
        let line = k * SIDES;
        let step = [V::load(step), V::load(&step[V::LANES..])];
        let mut sums = [V::splat(0.0); 2];
        let size = k * (k + 1) / 2;
        for i in 0..p.len() / line {
            let l = &triangles[i * size..(i + 1) * size];
            let own = i * line..(i + 1) * line;
            let (p, q) = (&p[own.clone()], &q[own.clone()]);
            if let Some(x) = &mut x {
                let x = &mut x[own.clone()];
                let mut at = 0;
                while at < line {
                    for h in 0..2 {
                        let place = at + h * V::LANES;
                        step[h].mul_add(V::load(&p[place..]), V::load(&x[place..])).store(&mut x[place..]);
                    }
                    at += SIDES;
                }
            }
            let (r, z) = (&mut r[own.clone()], &mut z[own]);
            for h in 0..2 {
                let mut at = h * V::LANES;
                while at < line {
                    let left = (-step[h]).mul_add(V::load(&q[at..]), V::load(&r[at..]));
                    left.store(&mut r[at..]);
                    left.store(&mut z[at..]);
                    at += SIDES;
                }
                settle::<V>(l, k, h, z);
            }
            accumulate::<V>(&mut sums, r, z);
        }
        both(sums)
    }
}

/// Solves `L L^T z = z` in place for half `h` of the right sides: forward, then back.
#[inline(always)]
fn settle<V: Lanes<Scalar = f64>>(l: &[f64], k: usize, h: usize, z: &mut [f64]) {
    for c in 0..k {
        let row = &l[c * (c + 1) / 2..];
        let at = c * SIDES + h * V::LANES;
        let mut sum = V::load(&z[at..]);
        for d in 0..c {
            sum = V::splat(-row[d]).mul_add(V::load(&z[d * SIDES + h * V::LANES..]), sum);
        }
        (sum * V::splat(1.0 / row[c])).store(&mut z[at..]);
    }
    for c in (0..k).rev() {
        let row = &l[c * (c + 1) / 2..];
        let at = c * SIDES + h * V::LANES;
        let sum = V::load(&z[at..]) * V::splat(1.0 / row[c]);
        sum.store(&mut z[at..]);
        for d in 0..c {
            let at = d * SIDES + h * V::LANES;
            V::splat(-row[d]).mul_add(sum, V::load(&z[at..])).store(&mut z[at..]);
        }
    }
}

/// What couples the sides: `sum_j w_ij (a_i · db_j) b_j` for the rows i of a range. The side that is eliminated wants it
/// solved by the rows' triangles; the other side takes it from its own part.
pub struct Couple<'a> {
    /// The pattern by the rows of this side.
    pub entries: SparseView<'a, f64>,
    /// Weights, in its order.
    pub weights: Option<&'a [f64]>,
    /// This side's factor, row-major of `width`.
    pub a: &'a [f64],
    /// The other side's.
    pub b: &'a [f64],
    /// Columns.
    pub width: usize,
    /// The other side's directions.
    pub db: &'a [f64],
    /// Which rows.
    pub rows: Range<usize>,
    /// What becomes of the sums.
    pub then: Then<'a>,
    /// The results.
    pub out: &'a mut [f64],
}

/// What becomes of the coupled sums of a row.
#[derive(Clone, Copy)]
pub enum Then<'a> {
    /// `D^-1` times them: triangles of all rows.
    Solve(&'a [f64]),
    /// What is left of the first when they are taken away; it is multiplied with the second.
    Subtract(&'a [f64], &'a [f64]),
}

impl LineKernel<f64> for Couple<'_> {
    /// The products with the second of [`Then::Subtract`], one a side.
    type Output = [f64; SIDES];
    #[inline(always)]
    fn run<V: Lanes<Scalar = f64>>(self) -> [f64; SIDES] {
        let mut sums = [V::splat(0.0); 2];
        let (k, line) = (self.width, self.width * SIDES);
        let size = k * (k + 1) / 2;
        let first = self.rows.start;
        for i in self.rows.clone() {
            let out = &mut self.out[(i - first) * line..(i - first + 1) * line];
            let range = self.entries.range(i);
            let columns = &self.entries.indices()[range.clone()];
            let row = Row {
                columns,
                weights: self.weights.map(|w| &w[range]),
                a: &self.a[i * k..(i + 1) * k],
                b: self.b,
                db: self.db,
            };
            match k {
                1 => row.fixed::<V, 1>(out),
                2 => row.fixed::<V, 2>(out),
                3 => row.fixed::<V, 3>(out),
                4 => row.fixed::<V, 4>(out),
                5 => row.fixed::<V, 5>(out),
                6 => row.fixed::<V, 6>(out),
                _ => row.any::<V>(out),
            }
            match self.then {
                Then::Solve(triangles) => {
                    let l = &triangles[i * size..(i + 1) * size];
                    settle::<V>(l, k, 0, out);
                    settle::<V>(l, k, 1, out);
                }
                Then::Subtract(own, p) => {
                    let own = &own[i * line..(i + 1) * line];
                    let mut at = 0;
                    while at + V::LANES <= line {
                        (V::load(&own[at..]) - V::load(&out[at..])).store(&mut out[at..]);
                        at += V::LANES;
                    }
                    accumulate::<V>(&mut sums, &p[i * line..(i + 1) * line], out);
                }
            }
        }
        both(sums)
    }
}

/// One row of [`Couple`].
struct Row<'a> {
    columns: &'a [i32],
    weights: Option<&'a [f64]>,
    a: &'a [f64],
    b: &'a [f64],
    db: &'a [f64],
}

impl Row<'_> {
    /// `K` columns: the sums stay in registers.
    #[inline(always)]
    fn fixed<V: Lanes<Scalar = f64>, const K: usize>(&self, out: &mut [f64]) {
        let mut sums = [[V::splat(0.0); 2]; K];
        let a = &self.a[..K];
        for e in 0..self.columns.len() {
            let j = self.columns[e] as usize;
            let (b, db) = (&self.b[j * K..(j + 1) * K], &self.db[j * K * SIDES..(j + 1) * K * SIDES]);
            let mut t = [V::splat(0.0); 2];
            for l in 0..K {
                let x = V::splat(a[l]);
                for h in 0..2 {
                    t[h] = x.mul_add(V::load(&db[l * SIDES + h * V::LANES..]), t[h]);
                }
            }
            if let Some(w) = self.weights {
                let w = V::splat(w[e]);
                t = [w * t[0], w * t[1]];
            }
            for l in 0..K {
                let y = V::splat(b[l]);
                for h in 0..2 {
                    sums[l][h] = y.mul_add(t[h], sums[l][h]);
                }
            }
        }
        for l in 0..K {
            for h in 0..2 {
                sums[l][h].store(&mut out[l * SIDES + h * V::LANES..]);
            }
        }
    }

    /// Any number of them.
    #[inline(always)]
    fn any<V: Lanes<Scalar = f64>>(&self, out: &mut [f64]) {
        let k = self.a.len();
        out.fill(0.0);
        for e in 0..self.columns.len() {
            let j = self.columns[e] as usize;
            let (b, db) = (&self.b[j * k..(j + 1) * k], &self.db[j * k * SIDES..(j + 1) * k * SIDES]);
            let mut t = [V::splat(0.0); 2];
            for l in 0..k {
                let x = V::splat(self.a[l]);
                for h in 0..2 {
                    t[h] = x.mul_add(V::load(&db[l * SIDES + h * V::LANES..]), t[h]);
                }
            }
            if let Some(w) = self.weights {
                let w = V::splat(w[e]);
                t = [w * t[0], w * t[1]];
            }
            for l in 0..k {
                let y = V::splat(b[l]);
                for h in 0..2 {
                    let at = l * SIDES + h * V::LANES;
                    y.mul_add(t[h], V::load(&out[at..])).store(&mut out[at..]);
                }
            }
        }
    }
}

/// The next directions: `p = b p + z`.
pub struct Steer<'a> {
    /// `b`, one a side.
    pub by: &'a [f64; SIDES],
    /// Preconditioned residuals.
    pub z: &'a [f64],
    /// Directions.
    pub p: &'a mut [f64],
}

impl LineKernel<f64> for Steer<'_> {
    type Output = ();
    #[inline(always)]
    fn run<V: Lanes<Scalar = f64>>(self) {
        let by = [V::load(self.by), V::load(&self.by[V::LANES..])];
        let (p, z) = (self.p, self.z);
        let mut at = 0;
        while at + SIDES <= p.len() {
            for h in 0..2 {
                let own = at + h * V::LANES;
                by[h].mul_add(V::load(&p[own..]), V::load(&z[own..])).store(&mut p[own..]);
            }
            at += SIDES;
        }
    }
}
