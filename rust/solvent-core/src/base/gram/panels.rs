//! A chunk of rows, packed for the kernel: eight columns side by side, row after row.
//!
//! Packing is the one place where rows of any kind (f32 or f64, weighted, with appended columns) become the kernel's
//! operand. It costs O(rows · columns) against the O(rows · columns²) that follow.

use solvent_simd::{Kernel, Simd, prefetch};

use crate::base::view::Real;

/// Columns of a panel; the lanes of the widest register.
pub const WIDTH: usize = 8;

/// Rows of a chunk. More would leave L2 for a few hundred columns, fewer would add to the sums more often.
pub const CHUNK: usize = 512;

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

    /// Writes columns `at..at + width` of every row; row i is `block[i · stride..][..width]`, times `factors[i]`. The
    /// columns that follow up to the next multiple of [`WIDTH`] are zeroed: write from left to right.
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

/// Rows that are written together: as many lines of a panel side by side, and few enough for the first cache.
const BLOCK: usize = 8;

/// How far ahead of the packing rows are asked for, in bytes: the hardware loses track of so many streams.
const AHEAD: usize = 4096;

impl<T: Real> Kernel for Pack<'_, T> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self) {
        let Self { panels, at, block, stride, width, factors } = self;
        let rows = panels.rows;
        // Whole octets, then the ragged end as one; only a ragged start goes element by element.
        let head = if at.is_multiple_of(WIDTH) { 0 } else { (WIDTH - at % WIDTH).min(width) };
        let whole = (width - head) / WIDTH;
        let tail = head + whole * WIDTH;
        let ahead = (AHEAD / size_of::<T>()).max(BLOCK * stride);
        for start in (0..rows).step_by(BLOCK) {
            let end = (start + BLOCK).min(rows);
            for i in start..end {
                let factor = factor_of(factors, i);
                for j in 0..head {
                    let (panel, lane) = ((at + j) / WIDTH * STRIDE, (at + j) % WIDTH);
                    panels.data[panel + i].0[lane] = block[i * stride + j].to_f64() * factor;
                }
            }
            for p in 0..whole {
                let panel = ((at + head) / WIDTH + p) * STRIDE;
                for i in start..end {
                    let from = i * stride + head + p * WIDTH;
                    prefetch(block, from + ahead);
                    let octet = block[from..].first_chunk().expect("a whole octet");
                    panels.data[panel + i] = octet_of(octet, WIDTH, factor_of(factors, i));
                }
            }
            if tail < width {
                let panel = (at + tail) / WIDTH * STRIDE;
                for i in start..end {
                    let rest = &block[i * stride + tail..];
                    let factor = factor_of(factors, i);
                    panels.data[panel + i] = if let Some(octet) = rest.first_chunk() {
                        octet_of(octet, width - tail, factor)
                    } else {
                        let mut octet = [rest[0]; WIDTH];
                        octet[..width - tail].copy_from_slice(&rest[..width - tail]);
                        octet_of(&octet, width - tail, factor)
                    };
                }
            }
        }
    }
}

#[inline(always)]
fn factor_of(factors: Option<&[f64]>, i: usize) -> f64 {
    match factors {
        Some(factors) => factors[i],
        None => 1.0,
    }
}

/// The first `count` elements times the factor, then zeros.
#[inline(always)]
fn octet_of<T: Real>(octet: &[T; WIDTH], count: usize, factor: f64) -> Octet {
    // By way of a value: the compiler cannot know that input and output do not overlap.
    let mut row = [0.0; WIDTH];
    for l in 0..WIDTH {
        row[l] = if l < count { octet[l].to_f64() * factor } else { 0.0 };
    }
    Octet(row)
}
