//! A sketch chosen by name at run time.

use super::rows::{Element, Rows};
use super::{BlockHadamard, Gaussian, Key, Sketch, SparseSign, Srht};
use std::ops::Range;

/// The sketches that act on rows, by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Name {
    /// [`BlockHadamard`].
    BlockHadamard,
    /// [`SparseSign`] with 8 entries a column, or m if that is less.
    SparseSign,
    /// [`SparseSign`] with one.
    CountSketch,
    /// [`Srht`].
    Srht,
    /// [`Gaussian`].
    Gaussian,
}

impl Name {
    /// Every name.
    pub const ALL: [Self; 5] =
        [Self::BlockHadamard, Self::SparseSign, Self::Srht, Self::Gaussian, Self::CountSketch];

    /// The word users write.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::BlockHadamard => "block-hadamard",
            Self::SparseSign => "sparse-sign",
            Self::CountSketch => "countsketch",
            Self::Srht => "srht",
            Self::Gaussian => "gaussian",
        }
    }
}

/// Any of the sketches that act on rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Operator {
    /// One scatter a row, eight non-zeros a column.
    BlockHadamard(BlockHadamard),
    /// Some signed entries a column.
    SparseSign(SparseSign),
    /// Subsampled randomised Hadamard transform.
    Srht(Srht),
    /// Normal entries.
    Gaussian(Gaussian),
}

impl Operator {
    /// The sketch of this name with m rows for n rows of d columns; m at most [`padded_size`](super::padded_size) of n
    /// for [`Name::Srht`].
    pub fn new(name: Name, m: usize, (n, d): (usize, usize), key: Key) -> Self {
        match name {
            Name::BlockHadamard => Self::BlockHadamard(BlockHadamard::for_columns(m, d, key)),
            Name::SparseSign => Self::SparseSign(SparseSign::new(m, m.min(8), key)),
            Name::CountSketch => Self::SparseSign(SparseSign::new(m, 1, key)),
            Name::Srht => Self::Srht(Srht::new(m, n, key)),
            Name::Gaussian => Self::Gaussian(Gaussian::new(m, key)),
        }
    }
}

macro_rules! each {
    ($self:ident, $sketch:ident => $call:expr) => {
        match $self {
            Operator::BlockHadamard($sketch) => $call,
            Operator::SparseSign($sketch) => $call,
            Operator::Srht($sketch) => $call,
            Operator::Gaussian($sketch) => $call,
        }
    };
}

impl Sketch for Operator {
    fn rows(&self) -> usize {
        each!(self, sketch => sketch.rows())
    }

    fn grain(&self) -> usize {
        each!(self, sketch => sketch.grain())
    }

    fn scale(&self) -> f64 {
        each!(self, sketch => sketch.scale())
    }

    fn stripe(&self) -> usize {
        each!(self, sketch => sketch.stripe())
    }

    fn add<T: Element>(&self, block: &Rows<'_, T>, first: usize, out: &mut [f64]) {
        each!(self, sketch => sketch.add(block, first, out));
    }

    fn add_adjoint(&self, y: &[f64], padded: usize, first: usize, out: &mut [f64]) {
        each!(self, sketch => sketch.add_adjoint(y, padded, first, out));
    }

    fn nonzeros(&self) -> Option<usize> {
        each!(self, sketch => sketch.nonzeros())
    }

    fn visit(&self, n: usize, range: Range<usize>, visit: &mut dyn FnMut(usize, usize, f64)) {
        each!(self, sketch => sketch.visit(n, range, visit));
    }
}
