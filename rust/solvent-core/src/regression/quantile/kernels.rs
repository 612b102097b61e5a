//! The passes over a panel that everything here is made of: Gram matrices, products with a few vectors, and the rows'
//! own arithmetic of the interior point between two such products.
//!
//! A panel is `d` columns of `m` rows, column `j` at `x[j stride..]`; `m` is a multiple of [`TILE`](super::design::TILE).

use solvent_simd::{F64s, Kernel, Lanes, Simd};

/// A panel as the kernels see it.
#[derive(Clone, Copy)]
pub struct Panel<'a> {
    /// Columns, `stride` apart.
    pub x: &'a [f64],
    /// Distance of columns.
    pub stride: usize,
    /// Rows, a multiple of the tile.
    pub m: usize,
    /// Columns.
    pub d: usize,
}

impl<'a> Panel<'a> {
    #[inline(always)]
    fn column(&self, j: usize) -> &'a [f64] {
        &self.x[j * self.stride..j * self.stride + self.m]
    }
}

/// `out += X^T diag(v)^2 X` (the half with `k >= j` at `out[j d + k]`): `scaled` is scratch for `diag(v) X`.
#[inline(always)]
fn gram<V: F64s>(panel: &Panel<'_>, v: Option<&[f64]>, scaled: &mut [f64], out: &mut [f64]) {
    let x = match v {
        None => *panel,
        Some(v) => {
            let v = &v[..panel.m];
            for j in 0..panel.d {
                let (from, to) = (panel.column(j), &mut scaled[j * panel.stride..j * panel.stride + panel.m]);
                let mut i = 0;
                while i < panel.m {
                    (V::load(&from[i..]) * V::load(&v[i..])).store(&mut to[i..]);
                    i += V::LANES;
                }
            }
            Panel { x: scaled, ..*panel }
        }
    };
    if V::LANES >= 8 { products::<V, 4, 4>(&x, out) } else { products::<V, 3, 3>(&x, out) }
}

/// `out += X^T X`, in blocks of `M` by `N` dot products. Columns beyond the last are the last again, and dropped.
#[inline(always)]
fn products<V: F64s, const M: usize, const N: usize>(x: &Panel<'_>, out: &mut [f64]) {
    let (d, m) = (x.d, x.m / V::LANES * V::LANES);
    let mut j = 0;
    while j < d {
        let mut k = j / N * N;
        while k < d {
            let mut left = [&x.x[..m]; M];
            let mut right = [&x.x[..m]; N];
            for a in 0..M {
                left[a] = &x.column((j + a).min(d - 1))[..m];
            }
            for b in 0..N {
                right[b] = &x.column((k + b).min(d - 1))[..m];
            }
            let mut sums = [[V::splat(0.0); N]; M];
            let mut i = 0;
            while i < m {
                let mut loaded = [V::splat(0.0); M];
                for a in 0..M {
                    loaded[a] = V::load(&left[a][i..i + V::LANES]);
                }
                for b in 0..N {
                    let other = V::load(&right[b][i..i + V::LANES]);
                    for a in 0..M {
                        sums[a][b] = loaded[a].mul_add(other, sums[a][b]);
                    }
                }
                i += V::LANES;
            }
            // All of them, so that the sums stay in registers: an index that varies would put them into memory.
            let mut found = [[0.0; N]; M];
            for a in 0..M {
                for b in 0..N {
                    found[a][b] = sums[a][b].reduce_sum();
                }
            }
            for a in 0..M.min(d - j) {
                for b in 0..N.min(d - k) {
                    out[(j + a) * d + k + b] += found[a][b];
                }
            }
            k += N;
        }
        j += M;
    }
}

/// `X c` for four registers of rows at once from row `i` on.
#[inline(always)]
fn dots<V: F64s>(panel: &Panel<'_>, c: &[f64], i: usize) -> [V; 4] {
    let mut sums = [V::splat(0.0); 4];
    for j in 0..panel.d {
        let factor = V::splat(c[j]);
        let rows = &panel.x[j * panel.stride + i..j * panel.stride + i + 4 * V::LANES];
        for l in 0..4 {
            sums[l] = V::load(&rows[l * V::LANES..(l + 1) * V::LANES]).mul_add(factor, sums[l]);
        }
    }
    sums
}

/// `X c` for one register of rows.
#[inline(always)]
fn dot<V: F64s>(panel: &Panel<'_>, c: &[f64], i: usize) -> V {
    let mut sum = V::splat(0.0);
    for j in 0..panel.d {
        let at = j * panel.stride + i;
        sum = V::load(&panel.x[at..at + V::LANES]).mul_add(V::splat(c[j]), sum);
    }
    sum
}

/// `out = X c`.
#[inline(always)]
fn apply<V: F64s>(panel: &Panel<'_>, c: &[f64], out: &mut [f64]) {
    let mut i = 0;
    while i + 4 * V::LANES <= panel.m {
        let sums = dots::<V>(panel, c, i);
        for l in 0..4 {
            sums[l].store(&mut out[i + l * V::LANES..i + (l + 1) * V::LANES]);
        }
        i += 4 * V::LANES;
    }
    while i < panel.m {
        dot::<V>(panel, c, i).store(&mut out[i..i + V::LANES]);
        i += V::LANES;
    }
}

/// `out_k += X^T v_k` for `K` vectors at once.
#[inline(always)]
fn collect<V: F64s, const K: usize>(panel: &Panel<'_>, v: [&[f64]; K], out: &mut [&mut [f64]; K]) {
    for j in 0..panel.d {
        let column = panel.column(j);
        let mut sums = [[V::splat(0.0); 2]; K];
        let mut i = 0;
        while i + 2 * V::LANES <= panel.m {
            for l in 0..2 {
                let at = i + l * V::LANES;
                let x = V::load(&column[at..at + V::LANES]);
                for k in 0..K {
                    sums[k][l] = x.mul_add(V::load(&v[k][at..at + V::LANES]), sums[k][l]);
                }
            }
            i += 2 * V::LANES;
        }
        while i < panel.m {
            let x = V::load(&column[i..i + V::LANES]);
            for k in 0..K {
                sums[k][0] = x.mul_add(V::load(&v[k][i..i + V::LANES]), sums[k][0]);
            }
            i += V::LANES;
        }
        for k in 0..K {
            out[k][j] += (sums[k][0] + sums[k][1]).reduce_sum();
        }
    }
}

/// Sums of squares of the columns, added to `out`.
pub struct Sizes<'a> {
    /// The rows.
    pub panel: Panel<'a>,
    /// What rows are multiplied by.
    pub weights: Option<&'a [f64]>,
    /// One a column.
    pub out: &'a mut [f64],
}

impl Kernel for Sizes<'_> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self) {
        let l = <S::F64 as Lanes>::LANES;
        for j in 0..self.panel.d {
            let column = self.panel.column(j);
            let mut sum = S::F64::splat(0.0);
            let mut i = 0;
            while i < self.panel.m {
                let mut x = S::F64::load(&column[i..i + l]);
                if let Some(w) = self.weights {
                    x = x * S::F64::load(&w[i..i + l]);
                }
                sum = x.mul_add(x, sum);
                i += l;
            }
            self.out[j] += sum.reduce_sum();
        }
    }
}

/// [`gram`] as a kernel.
pub struct Gram<'a> {
    /// The rows.
    pub panel: Panel<'a>,
    /// Square roots of the weights.
    pub weights: Option<&'a [f64]>,
    /// As long as the panel.
    pub scratch: &'a mut [f64],
    /// `d` by `d`.
    pub out: &'a mut [f64],
}

impl Kernel for Gram<'_> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self) {
        gram::<S::F64>(&self.panel, self.weights, self.scratch, self.out);
    }
}

/// [`apply`] as a kernel.
pub struct Apply<'a> {
    /// The rows.
    pub panel: Panel<'a>,
    /// One a column.
    pub c: &'a [f64],
    /// One a row.
    pub out: &'a mut [f64],
}

impl Kernel for Apply<'_> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self) {
        apply::<S::F64>(&self.panel, self.c, self.out);
    }
}

/// Sums of squares of products: `out = sum_k (X c_k)^2`, four vectors c at a time.
pub struct Squares<'a> {
    /// The rows.
    pub panel: Panel<'a>,
    /// One a column, each.
    pub c: &'a [Vec<f64>],
    /// One a row.
    pub out: &'a mut [f64],
}

impl Kernel for Squares<'_> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self) {
        let l = <S::F64 as Lanes>::LANES;
        let mut i = 0;
        while i < self.panel.m {
            let pairs = if i + 2 * l <= self.panel.m { 2 } else { 1 };
            let mut squares = [S::F64::splat(0.0); 2];
            for four in self.c.chunks(4) {
                if pairs == 2 {
                    add_squares::<S::F64, 2>(&self.panel, four, i, &mut squares);
                } else {
                    add_squares::<S::F64, 1>(&self.panel, four, i, &mut squares);
                }
            }
            for r in 0..pairs {
                squares[r].store(&mut self.out[i + r * l..i + (r + 1) * l]);
            }
            i += pairs * l;
        }
    }
}

/// Adds the squares of up to four products to each of `R` registers of rows.
#[inline(always)]
fn add_squares<V: F64s, const R: usize>(panel: &Panel<'_>, c: &[Vec<f64>], i: usize, out: &mut [V; 2]) {
    let mut sums = [[V::splat(0.0); R]; 4];
    for j in 0..panel.d {
        let rows = &panel.x[j * panel.stride + i..j * panel.stride + i + R * V::LANES];
        let mut x = [V::splat(0.0); R];
        for r in 0..R {
            x[r] = V::load(&rows[r * V::LANES..(r + 1) * V::LANES]);
        }
        for k in 0..4 {
            // Fewer than four: the last is counted once below.
            let factor = V::splat(c[k.min(c.len() - 1)][j]);
            for r in 0..R {
                sums[k][r] = x[r].mul_add(factor, sums[k][r]);
            }
        }
    }
    for k in 0..c.len() {
        for r in 0..R {
            out[r] = sums[k][r].mul_add(sums[k][r], out[r]);
        }
    }
}

/// [`collect`] as a kernel.
pub struct Collect<'a, 'b, const K: usize> {
    /// The rows.
    pub panel: Panel<'a>,
    /// One a row, each.
    pub v: [&'a [f64]; K],
    /// One a column, each.
    pub out: [&'b mut [f64]; K],
}

impl<const K: usize> Kernel for Collect<'_, '_, K> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(mut self) {
        collect::<S::F64, K>(&self.panel, self.v, &mut self.out);
    }
}

/// The interior point's vectors, rows of one panel.
pub struct Rows<'a> {
    /// Distance of the dual from the lower end of its box, > 0.
    pub p: &'a mut [f64],
    /// Distance from the upper end, > 0.
    pub s: &'a mut [f64],
    /// Multiplier of the upper end: positive part of the residual, > 0.
    pub z: &'a mut [f64],
    /// Multiplier of the lower end: negative part, > 0.
    pub w: &'a mut [f64],
    /// Lower ends of the boxes.
    pub lo: &'a [f64],
    /// Newton's weights `1/(w/p + z/s)`.
    pub weight: &'a mut [f64],
    /// Step of the dual.
    pub da: &'a mut [f64],
    /// Step of z.
    pub dz: &'a mut [f64],
    /// Step of w.
    pub dw: &'a mut [f64],
}

/// First pass: Newton's weights W, the matrix `X^T W X` and `X^T (W t + a)`, `t = z - w` being the residual.
pub struct Assemble<'a, 'b> {
    /// The rows.
    pub panel: Panel<'a>,
    /// Their state.
    pub rows: Rows<'b>,
    /// As long as the panel, and two vectors more.
    pub scratch: &'b mut [f64],
    /// `d` by `d`.
    pub gram: &'b mut [f64],
    /// One a column.
    pub right: &'b mut [f64],
}

impl Kernel for Assemble<'_, '_> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self) {
        let Self { panel, rows, scratch, gram: out, right } = self;
        let (scaled, vectors) = scratch.split_at_mut(panel.d * panel.stride);
        let (roots, v) = vectors.split_at_mut(panel.stride);
        let mut i = 0;
        while i < panel.m {
            let l = <S::F64 as Lanes>::LANES;
            let r = i..i + l;
            let (p, s) = (S::F64::load(&rows.p[r.clone()]), S::F64::load(&rows.s[r.clone()]));
            let (z, w) = (S::F64::load(&rows.z[r.clone()]), S::F64::load(&rows.w[r.clone()]));
            let weight = p * s / w.mul_add(s, z * p);
            weight.store(&mut rows.weight[r.clone()]);
            weight.sqrt().store(&mut roots[r.clone()]);
            (weight * (z - w) + p + S::F64::load(&rows.lo[r.clone()])).store(&mut v[r]);
            i += l;
        }
        gram::<S::F64>(&panel, Some(roots), scaled, out);
        collect::<S::F64, 1>(&panel, [v], &mut [right]);
    }
}

/// What the second and third pass find out about step lengths.
#[derive(Debug, Clone, Copy, Default)]
pub struct Ratios {
    /// Largest relative decrease of p and s.
    pub dual: f64,
    /// Largest relative decrease of z and w.
    pub primal: f64,
    /// `sum t da` (second pass).
    pub linear: f64,
    /// `sum da X dx` (second pass).
    pub square: f64,
}

impl Ratios {
    /// Of two parts of the rows; order matters to the last bit.
    pub fn join(self, other: Self) -> Self {
        Self {
            dual: self.dual.max(other.dual),
            primal: self.primal.max(other.primal),
            linear: self.linear + other.linear,
            square: self.square + other.square,
        }
    }
}

/// Second pass: the affine step, its ratios, and the right sides of the corrector: `X^T W c` and `X^T W e`.
pub struct Predict<'a, 'b> {
    /// The rows.
    pub panel: Panel<'a>,
    /// Their state; `da` is written.
    pub rows: Rows<'b>,
    /// The affine step.
    pub dx: &'a [f64],
    /// Two vectors.
    pub scratch: &'b mut [f64],
    /// One a column: `X^T W c`.
    pub cross: &'b mut [f64],
    /// One a column: `X^T W e`.
    pub centre: &'b mut [f64],
}

impl Kernel for Predict<'_, '_> {
    type Output = Ratios;
    #[inline(always)]
    fn run<S: Simd>(self) -> Ratios {
        let Self { panel, rows, dx, scratch, cross, centre } = self;
        let (first, second) = scratch.split_at_mut(panel.stride);
        apply::<S::F64>(&panel, dx, &mut first[..panel.m]);
        let l = <S::F64 as Lanes>::LANES;
        let zero = S::F64::splat(0.0);
        let one = S::F64::splat(1.0);
        let (mut dual, mut primal, mut linear, mut square) = (zero, zero, zero, zero);
        let mut i = 0;
        while i < panel.m {
            let r = i..i + l;
            let (p, s) = (S::F64::load(&rows.p[r.clone()]), S::F64::load(&rows.s[r.clone()]));
            let (z, w) = (S::F64::load(&rows.z[r.clone()]), S::F64::load(&rows.w[r.clone()]));
            let weight = S::F64::load(&rows.weight[r.clone()]);
            let moved = S::F64::load(&first[r.clone()]);
            let t = z - w;
            let da = weight * (t - moved);
            da.store(&mut rows.da[r.clone()]);
            let inverse = one / (p * s);
            let (over_p, over_s) = (inverse * s, inverse * p);
            let (up, down) = (da * over_s, da * over_p);
            dual = dual.max(up.max(-down));
            primal = primal.max((one - up).max(one + down));
            linear = da.mul_add(t, linear);
            square = da.mul_add(moved, square);
            // dz = z (da/s - 1), dw = -w (da/p + 1): c = -da (dz/s + dw/p).
            let c = -(da * (z * (up - one) * over_s - w * (down + one) * over_p));
            (weight * c).store(&mut first[r.clone()]);
            (weight * (over_p - over_s)).store(&mut second[r]);
            i += l;
        }
        collect::<S::F64, 2>(&panel, [first, second], &mut [cross, centre]);
        Ratios {
            dual: dual.reduce_max(),
            primal: primal.reduce_max(),
            linear: linear.reduce_sum(),
            square: square.reduce_sum(),
        }
    }
}

/// Third pass: the corrected step, and its ratios.
pub struct Correct<'a, 'b> {
    /// The rows.
    pub panel: Panel<'a>,
    /// Their state; `da` holds the affine step, `da`, `dz`, `dw` the corrected one afterwards.
    pub rows: Rows<'b>,
    /// The corrected step.
    pub dx: &'a [f64],
    /// What every product shall become.
    pub mu: f64,
    /// A vector.
    pub scratch: &'b mut [f64],
}

impl Kernel for Correct<'_, '_> {
    type Output = Ratios;
    #[inline(always)]
    fn run<S: Simd>(self) -> Ratios {
        let Self { panel, rows, dx, mu, scratch } = self;
        apply::<S::F64>(&panel, dx, &mut scratch[..panel.m]);
        let l = <S::F64 as Lanes>::LANES;
        let zero = S::F64::splat(0.0);
        let one = S::F64::splat(1.0);
        let mu = S::F64::splat(mu);
        let (mut dual, mut primal) = (zero, zero);
        let mut i = 0;
        while i < panel.m {
            let r = i..i + l;
            let (p, s) = (S::F64::load(&rows.p[r.clone()]), S::F64::load(&rows.s[r.clone()]));
            let (z, w) = (S::F64::load(&rows.z[r.clone()]), S::F64::load(&rows.w[r.clone()]));
            let weight = S::F64::load(&rows.weight[r.clone()]);
            let (moved, affine) = (S::F64::load(&scratch[r.clone()]), S::F64::load(&rows.da[r.clone()]));
            let inverse = one / (p * s);
            let (over_p, over_s) = (inverse * s, inverse * p);
            let dz = z * (affine * over_s - one);
            let dw = -(w * (affine * over_p + one));
            // (z + dz)(s - da) = mu and (w + dw)(p + da) = mu with the affine products in second order.
            let (up, down) = (mu + dz * affine, mu - dw * affine);
            let t = (z - w) - up * over_s + down * over_p;
            let da = weight * (t - moved);
            let dz = (up + z * da) * over_s - z;
            let dw = (down - w * da) * over_p - w;
            da.store(&mut rows.da[r.clone()]);
            dz.store(&mut rows.dz[r.clone()]);
            dw.store(&mut rows.dw[r]);
            dual = dual.max((da * over_s).max(-(da * over_p)));
            primal = primal.max((-dz / z).max(-dw / w));
            i += l;
        }
        Ratios { dual: dual.reduce_max(), primal: primal.reduce_max(), linear: 0.0, square: 0.0 }
    }
}
