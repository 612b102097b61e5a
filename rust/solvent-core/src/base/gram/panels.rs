//! A chunk of rows, packed for the kernel: eight columns side by side, row after row.
//!
//! Packing is the one place where rows of any kind (f32 or f64, weighted, with appended columns) become the kernel's
//! operand. It costs O(rows · columns) against the O(rows · columns²) that follow.

use solvent_simd::{Kernel, Simd};

use crate::base::view::Real;

/// Columns of a panel; the lanes of the widest register.
pub const WIDTH: usize = 8;

/// Rows of a chunk. More would leave L2 for a few hundred columns, fewer would add to the sums more often.
pub const CHUNK: usize = 256;

/// Eight doubles on one cache line.
#[derive(Debug, Clone, Copy, PartialEq)]
#[repr(C, align(64))]
pub struct Octet(pub [f64; WIDTH]);

impl Octet {
    /// Zeros.
    pub const ZERO: Self = Self([0.0; WIDTH]);
}

/// Up to [`CHUNK`] rows of `columns` columns, as `ceil(columns / 8)` panels; the last one is padded with zeros.
#[derive(Debug, Clone)]
pub struct Panels {
    data: Vec<Octet>,
    columns: usize,
    rows: usize,
}

/// One line more than the rows of a chunk, so that equal rows of neighbouring panels lie in different cache sets.
const STRIDE: usize = CHUNK + 1;

impl Panels {
    /// Room for chunks of this many columns.
    pub fn new(columns: usize) -> Self {
        Self { data: vec![Octet::ZERO; columns.div_ceil(WIDTH) * STRIDE], columns, rows: 0 }
    }

    /// Number of columns.
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// Rows held.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Begins a chunk of `rows` rows, at most [`CHUNK`]. Every column is then to be written by [`write`](Self::write).
    pub fn begin(&mut self, rows: usize) {
        assert!(rows <= CHUNK, "{rows} rows; expected at most {CHUNK}");
        self.rows = rows;
        if !self.columns.is_multiple_of(WIDTH) {
            let last = self.columns / WIDTH * STRIDE;
            self.data[last..last + rows].fill(Octet::ZERO);
        }
    }

    /// Writes columns `at..at + width` of every row; row i is `block[i · stride..][..width]`, times `factors[i]`.
    pub fn write<T: Real>(
        &mut self,
        at: usize,
        block: &[T],
        stride: usize,
        width: usize,
        factors: Option<&[f64]>,
    ) {
        assert!(
            at + width <= self.columns && width <= stride,
            "columns {at}..{} of {}",
            at + width,
            self.columns
        );
        assert!(factors.is_none_or(|f| f.len() >= self.rows), "one factor a row");
        solvent_simd::dispatch(Pack { panels: self, at, block, stride, width, factors });
    }

    /// Writes `value` (times `factors[i]`) to one column of every row.
    pub fn write_constant(&mut self, at: usize, value: f64, factors: Option<&[f64]>) {
        assert!(at < self.columns, "column {at} of {}", self.columns);
        let start = at / WIDTH * STRIDE;
        for (i, octet) in self.data[start..start + self.rows].iter_mut().enumerate() {
            octet.0[at % WIDTH] = value * factors.map_or(1.0, |f| f[i]);
        }
    }

    /// The rows of panel `p`.
    #[inline(always)]
    pub(super) fn panel(&self, p: usize) -> &[Octet] {
        &self.data[p * STRIDE..p * STRIDE + self.rows]
    }
}

struct Pack<'a, T> {
    panels: &'a mut Panels,
    at: usize,
    block: &'a [T],
    stride: usize,
    width: usize,
    factors: Option<&'a [f64]>,
}

/// Panels that are written together: a few cache lines of each row are read at once.
const GROUP: usize = 8;

impl<T: Real> Kernel for Pack<'_, T> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self) {
        let Self { panels, at, block, stride, width, factors } = self;
        let rows = panels.rows;
        // Whole panels go octet by octet, the ragged ends element by element.
        let head = if at.is_multiple_of(WIDTH) { 0 } else { (WIDTH - at % WIDTH).min(width) };
        let whole = (width - head) / WIDTH;
        for first in (0..whole).step_by(GROUP) {
            let group = GROUP.min(whole - first);
            for i in 0..rows {
                let from = i * stride + head + first * WIDTH;
                let (octets, _) = block[from..from + group * WIDTH].as_chunks::<WIDTH>();
                let factor = match factors {
                    Some(factors) => factors[i],
                    None => 1.0,
                };
                let mut place = ((at + head) / WIDTH + first) * STRIDE + i;
                for octet in octets {
                    let out = &mut panels.data[place].0;
                    for l in 0..WIDTH {
                        out[l] = octet[l].to_f64() * factor;
                    }
                    place += STRIDE;
                }
            }
        }
        for j in (0..head).chain(head + whole * WIDTH..width) {
            let (panel, lane) = ((at + j) / WIDTH * STRIDE, (at + j) % WIDTH);
            for i in 0..rows {
                let factor = match factors {
                    Some(factors) => factors[i],
                    None => 1.0,
                };
                panels.data[panel + i].0[lane] = block[i * stride + j].to_f64() * factor;
            }
        }
    }
}
