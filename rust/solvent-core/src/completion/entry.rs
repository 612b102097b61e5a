//! What a matrix holds: `f32` or `f64`, with the arithmetic and the dispatch that kernels need.

use std::ops::{Add, AddAssign, Div, DivAssign, Mul, MulAssign, Neg, Sub, SubAssign};

use solvent_simd::{Kernel, Lanes, Simd, dispatch};

use super::kernels::cg::{Descend, Descended};
use super::kernels::cholesky::{Batch, Factorise, Solved};
use super::kernels::dual::Similarity;
use super::kernels::gather::Gather;
use super::kernels::gram::Gram;
use super::kernels::normal::Normal;
use super::kernels::product::{Fitted, Product};
use super::kernels::residual::Residual;
use crate::base::dense::Field;

/// A kernel over cache lines of `T`.
pub trait LineKernel<T> {
    /// What it returns.
    type Output;
    /// Runs with lines of lanes. Must be `#[inline(always)]`, as must be all that it calls with lanes.
    fn run<V: Lanes<Scalar = T>>(self) -> Self::Output;
}

/// `f32` or `f64`.
pub trait Entry:
    Field
    + solvent_simd::real::Real
    + Add<Output = Self>
    + Sub<Output = Self>
    + Mul<Output = Self>
    + Div<Output = Self>
    + Neg<Output = Self>
    + AddAssign
    + SubAssign
    + MulAssign
    + DivAssign
    + std::iter::Sum
{
    /// How many fill a cache line of 64 bytes.
    const LINE: usize;
    /// A Cholesky pivot below this part of the largest diagonal element is noise.
    const PIVOT: f64;
    /// Gathers a row's design.
    fn gather(kernel: Gather<'_, '_, Self>);
    /// Adds a panel's Gram matrix and moments.
    fn gram(kernel: Gram<'_, Self>);
    /// Solves one system by Cholesky; the pivot ratio.
    fn factorise(kernel: Factorise<'_, Self>) -> f64;
    /// Solves a batch of small systems.
    fn batch(batch: &mut Batch<Self>) -> Solved;
    /// Inner products of a panel's rows.
    fn similarity(kernel: Similarity<'_, Self>);
    /// Solves a row by conjugate gradients.
    fn descend(kernel: Descend<'_, '_, Self>) -> Descended;
    /// A product with a panel's normal matrix.
    fn normal(kernel: Normal<'_, Self>);
    /// Loss and squares of a row.
    fn residual(kernel: Residual<'_, '_, Self>) -> (f64, f64);
    /// Sparse times tall.
    fn product(kernel: Product<'_, Self>);
    /// Entries of a product of two factors.
    fn fitted(kernel: Fitted<'_, Self>);
    /// Square root.
    fn root(self) -> Self;
    /// Absolute value.
    fn modulus(self) -> Self;
}

/// A kernel's door to the dispatch, for doubles,
struct Doubles<K>(K);

impl<K: LineKernel<f64>> Kernel for Doubles<K> {
    type Output = K::Output;
    #[inline(always)]
    fn run<S: Simd>(self) -> K::Output {
        self.0.run::<S::F64Line>()
    }
}

/// and for singles.
struct Singles<K>(K);

impl<K: LineKernel<f32>> Kernel for Singles<K> {
    type Output = K::Output;
    #[inline(always)]
    fn run<S: Simd>(self) -> K::Output {
        self.0.run::<S::F32Line>()
    }
}

/// Runs a kernel over doubles.
pub fn run_double<K: LineKernel<f64>>(kernel: K) -> K::Output {
    dispatch(Doubles(kernel))
}

// Each kernel is its own function, compiled once a level, here: what is generic over the type calls them by name.
macro_rules! entry {
    ($t:ident, $shell:ident, $line:literal, $pivot:literal) => {
        impl Entry for $t {
            const LINE: usize = $line;
            const PIVOT: f64 = $pivot;
            fn gather(kernel: Gather<'_, '_, $t>) {
                dispatch($shell(kernel));
            }
            fn gram(kernel: Gram<'_, $t>) {
                dispatch($shell(kernel));
            }
            fn factorise(kernel: Factorise<'_, $t>) -> f64 {
                dispatch($shell(kernel))
            }
            fn batch(batch: &mut Batch<$t>) -> Solved {
                dispatch($shell(batch))
            }
            fn similarity(kernel: Similarity<'_, $t>) {
                dispatch($shell(kernel));
            }
            fn descend(kernel: Descend<'_, '_, $t>) -> Descended {
                dispatch($shell(kernel))
            }
            fn normal(kernel: Normal<'_, $t>) {
                dispatch($shell(kernel));
            }
            fn residual(kernel: Residual<'_, '_, $t>) -> (f64, f64) {
                dispatch($shell(kernel))
            }
            fn product(kernel: Product<'_, $t>) {
                dispatch($shell(kernel));
            }
            fn fitted(kernel: Fitted<'_, $t>) {
                dispatch($shell(kernel));
            }
            #[inline(always)]
            fn root(self) -> Self {
                self.sqrt()
            }
            #[inline(always)]
            fn modulus(self) -> Self {
                self.abs()
            }
        }
    };
}
entry!(f64, Doubles, 8, 1e-12);
entry!(f32, Singles, 16, 1e-6);
