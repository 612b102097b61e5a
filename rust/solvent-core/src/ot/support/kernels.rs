//! Products with a support. Full rows, which are rounded anyway, are multiplied in single precision, in sums that are
//! carried over into double before they grow long.

use super::super::passes::{Entry, Precision};
use super::{Block, Columns, Full, ROWS, WIDTH};
use solvent_simd::{F64s, Kernel, Lanes, Simd, load_short, store_short};

/// The most lanes of a register.
const MAX_LANES: usize = 16;
/// Tiles whose products are summed in single precision.
const CHUNK: usize = 16;

/// The largest of some numbers, by which they fit into single precision; 1 if it is 0.
pub fn scale(x: &[f64]) -> f64 {
    let largest = x.iter().fold(0.0_f64, |m, x| if x.abs() <= m { m } else { x.abs() });
    if largest == 0.0 { 1.0 } else { largest }
}

/// Rounds the shares of a row to short numbers, into a slot of its tiles; returns the sum of those.
pub struct Shorten<'a, P> {
    pub p: &'a [P],
    pub share: f64,
    pub slot: usize,
    pub tiles: &'a mut [u16],
}

impl<P: Precision + Entry> Kernel for Shorten<'_, P> {
    type Output = f64;
    #[inline(always)]
    fn run<S: Simd>(self) -> f64 {
        let (lanes, half) = (S::F32::LANES, S::F64::LANES);
        let share = S::F64::splat(self.share);
        let mut sums = [S::F64::splat(0.0); 2];
        let mut padded;
        let mut single = [0.0_f32; MAX_LANES];
        for t in 0..self.p.len().div_ceil(WIDTH) {
            let p = &self.p[t * WIDTH..self.p.len().min((t + 1) * WIDTH)];
            let p = if p.len() == WIDTH {
                p
            } else {
                padded = [P::ZERO; WIDTH];
                padded[..p.len()].copy_from_slice(p);
                &padded
            };
            let out = &mut self.tiles[(t * ROWS + self.slot) * WIDTH..][..WIDTH];
            let mut j = 0;
            while j < WIDTH {
                for s in 0..2 {
                    let at = j + s * half;
                    let v = <P as Entry>::load::<S::F64>(&p[at..at + half]) * share;
                    v.store_f32(&mut single[s * half..(s + 1) * half]);
                }
                let short = &mut out[j..j + lanes];
                store_short(S::F32::load(&single[..lanes]), short);
                load_short::<S::F32>(short).store(&mut single[..lanes]);
                for s in 0..2 {
                    sums[s] = sums[s] + S::F64::load_f32(&single[s * half..(s + 1) * half]);
                }
                j += lanes;
            }
        }
        (sums[0] + sums[1]).reduce_sum()
    }
}

/// `out += V^T x`, `x` of the block's rows.
pub struct AddTransposed<'a> {
    pub block: &'a Block,
    pub x: &'a [f64],
    pub out: &'a mut [f64],
}

impl Kernel for AddTransposed<'_> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self) {
        let Self { block, x, out } = self;
        for few in &block.few {
            let held = few.held.clone();
            scatter(&block.positions[held.clone()], &block.shares[held], x[few.row], out);
        }
        let group = ROWS * WIDTH * out.len().div_ceil(WIDTH);
        for (g, full) in block.full.chunks(ROWS).enumerate() {
            add_scaled::<S>(&block.tiles[g * group..(g + 1) * group], full, x, out);
        }
    }
}

/// `out = V w`, `out` of the block's rows; with the squares of V where `SQUARE`.
pub struct Dots<'a, const SQUARE: bool> {
    pub block: &'a Block,
    pub w: &'a Columns<'a>,
    pub out: &'a mut [f64],
}

impl<const SQUARE: bool> Kernel for Dots<'_, SQUARE> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self) {
        let Self { block, w, out } = self;
        for few in &block.few {
            let held = few.held.clone();
            let (positions, shares) = (&block.positions[held.clone()], &block.shares[held]);
            out[few.row] = gathered::<S::F64, SQUARE>(positions, shares, w.whole);
        }
        let group = ROWS * w.single.len();
        for (g, full) in block.full.chunks(ROWS).enumerate() {
            dots::<S, SQUARE>(&block.tiles[g * group..(g + 1) * group], full, w, out);
        }
    }
}

/// `out[positions_k] += shares_k x`.
#[inline(always)]
fn scatter(positions: &[u32], shares: &[f64], x: f64, out: &mut [f64]) {
    let shares = &shares[..positions.len()];
    for k in 0..positions.len() {
        out[positions[k] as usize] += shares[k] * x;
    }
}

/// `sum_k shares_k w[positions_k]`, of squared shares where `SQUARE`.
#[inline(always)]
fn gathered<V: F64s, const SQUARE: bool>(positions: &[u32], shares: &[f64], w: &[f64]) -> f64 {
    let shares = &shares[..positions.len()];
    let body = positions.len() - positions.len() % V::LANES;
    let mut sum = V::splat(0.0);
    let mut k = 0;
    while k < body {
        let w = V::gather(w, &positions[k..k + V::LANES]);
        let v = V::load(&shares[k..k + V::LANES]);
        sum = if SQUARE { v * v } else { v }.mul_add(w, sum);
        k += V::LANES;
    }
    let mut rest = 0.0;
    for k in body..positions.len() {
        let v = shares[k];
        rest += if SQUARE { v * v } else { v } * w[positions[k] as usize];
    }
    sum.reduce_sum() + rest
}

/// `out += sum_r x_r row_r` over these rows.
#[inline(always)]
fn add_scaled<S: Simd>(tiles: &[u16], full: &[Full], x: &[f64], out: &mut [f64]) {
    let (lanes, half) = (S::F32::LANES, S::F64::LANES);
    let mut each = [0.0; ROWS];
    for r in 0..full.len() {
        each[r] = x[full[r].row] * full[r].factor;
    }
    let scale = scale(&each);
    let mut single = [S::F32::splat(0.0); ROWS];
    for r in 0..ROWS {
        single[r] = S::F32::splat((each[r] / scale) as f32);
    }
    let unit = S::F64::splat(scale);
    let mut narrow = [0.0_f32; MAX_LANES];
    let mut wide = [0.0; WIDTH];
    for t in 0..out.len().div_ceil(WIDTH) {
        let tile = &tiles[t * ROWS * WIDTH..][..ROWS * WIDTH];
        let end = out.len().min((t + 1) * WIDTH);
        let out = &mut out[t * WIDTH..end];
        let last = out.len() < WIDTH;
        if last {
            wide[..out.len()].copy_from_slice(out);
        }
        let o = if last { &mut wide[..] } else { &mut *out };
        let mut j = 0;
        while j < WIDTH {
            let mut sums = [S::F32::splat(0.0); 2];
            for r in 0..ROWS {
                let v = load_short::<S::F32>(&tile[r * WIDTH + j..r * WIDTH + j + lanes]);
                sums[r % 2] = v.mul_add(single[r], sums[r % 2]);
            }
            (sums[0] + sums[1]).store(&mut narrow[..lanes]);
            for s in 0..2 {
                let o = &mut o[j + s * half..j + (s + 1) * half];
                let sum = S::F64::load_f32(&narrow[s * half..(s + 1) * half]);
                sum.mul_add(unit, S::F64::load(o)).store(o);
            }
            j += lanes;
        }
        if last {
            out.copy_from_slice(&wide[..out.len()]);
        }
    }
}

/// `out = row . w` for each of these rows, of squared entries where `SQUARE`.
#[inline(always)]
fn dots<S: Simd, const SQUARE: bool>(tiles: &[u16], full: &[Full], w: &Columns<'_>, out: &mut [f64]) {
    let lanes = S::F32::LANES;
    let count = w.single.len() / WIDTH;
    let mut total = [0.0; ROWS];
    let mut t = 0;
    while t < count {
        let end = count.min(t + CHUNK);
        let mut sums = [S::F32::splat(0.0); ROWS];
        while t < end {
            let tile = &tiles[t * ROWS * WIDTH..][..ROWS * WIDTH];
            let w = &w.single[t * WIDTH..][..WIDTH];
            let mut j = 0;
            while j < WIDTH {
                let w = S::F32::load(&w[j..j + lanes]);
                for r in 0..ROWS {
                    let v = load_short::<S::F32>(&tile[r * WIDTH + j..r * WIDTH + j + lanes]);
                    sums[r] = if SQUARE { v * v } else { v }.mul_add(w, sums[r]);
                }
                j += lanes;
            }
            t += 1;
        }
        for half in 0..2 {
            let four = [sums[4 * half], sums[4 * half + 1], sums[4 * half + 2], sums[4 * half + 3]];
            let four = S::F32::reduce_sums(four);
            for r in 0..4 {
                total[4 * half + r] += f64::from(four[r]);
            }
        }
    }
    for r in 0..full.len() {
        let factor = if SQUARE { full[r].factor * full[r].factor } else { full[r].factor };
        out[full[r].row] = total[r] * factor * w.scale;
    }
}
