//! True NumPy ufuncs from slice functions of the core.
//!
//! A loop copies a block of each operand into contiguous buffers (whatever their strides, f32 or f64), calls the core,
//! and copies back. Large calls share their blocks among the package's threads. Floating-point flags are left as they
//! were found: bad points give nan, never a warning.

use std::ffi::{CStr, c_char, c_int, c_void};
use std::ops::Range;
use std::ptr;

use numpy::npyffi::{NPY_TYPES, PY_UFUNC_API, PyUFuncGenericFunction, npy_intp};
use pyo3::prelude::*;
use solvent_core::base::pool;

/// Elements copied at a time.
const BLOCK: usize = 1024;
/// Elements a thread takes at a time.
const SHARE: usize = 8 * BLOCK;
/// From here on a call is shared among threads.
const SHARED_FROM: usize = 32_768;
/// PyUFunc_None: no identity for reductions.
const NO_IDENTITY: c_int = -1;

/// A function of two slices with one or two results; for one result the last slice is empty.
pub type SliceFunction = fn(&[f64], &[f64], &mut [f64], &mut [f64]);

/// What a ufunc computes.
pub struct Elementwise {
    /// Its name in Python.
    pub name: &'static CStr,
    /// Its one-line docstring; the full one is on the Python callable.
    pub doc: &'static CStr,
    /// Whether there are two results.
    pub pair: bool,
    /// Whether the second result bounds the error of the first.
    pub bounded: bool,
    /// The function.
    pub function: SliceFunction,
}

/// A scalar type of the loops.
trait Scalar: Copy {
    fn wide(self) -> f64;
    fn narrow(y: f64) -> Self;
    /// A bound on the error of `narrow(y)` from `bound`, one on that of y.
    fn narrow_bound(y: f64, bound: f64) -> Self;
    /// Whether slices of the type are slices of f64.
    const IS_F64: bool;
}

impl Scalar for f64 {
    const IS_F64: bool = true;

    fn wide(self) -> f64 {
        self
    }
    fn narrow(y: f64) -> f64 {
        y
    }
    fn narrow_bound(_: f64, bound: f64) -> f64 {
        bound
    }
}

impl Scalar for f32 {
    const IS_F64: bool = false;
    fn wide(self) -> f64 {
        self.into()
    }
    fn narrow(y: f64) -> f32 {
        y as f32
    }
    fn narrow_bound(y: f64, bound: f64) -> f32 {
        let narrowed = f64::from(y as f32);
        if narrowed.is_infinite() && y.is_finite() {
            return f32::INFINITY;
        }
        let rounding = if narrowed == y { 0.0 } else { (narrowed - y).abs() };
        let total = bound + rounding;
        let rounded = total as f32;
        if f64::from(rounded) < total { rounded.next_up() } else { rounded }
    }
}

/// One operand of a loop: where it starts and how far apart its elements are, in bytes.
#[derive(Clone, Copy)]
struct Operand {
    start: *mut c_char,
    step: npy_intp,
}

// SAFETY: operands are handed to threads that touch disjoint ranges of the outputs; NumPy keeps the arrays alive and
// unchanged for the duration of the loop.
unsafe impl Sync for Operand {}

impl Operand {
    /// # Safety
    /// Element `i` must exist and be a `T`.
    unsafe fn at<T>(self, i: usize) -> *mut T {
        // SAFETY: the caller's promise; the offset stays within the array.
        unsafe { self.start.offset(i as isize * self.step).cast() }
    }

    /// # Safety
    /// The elements `range` must exist and be `T`.
    unsafe fn read<T: Scalar>(self, range: Range<usize>, out: &mut [f64]) {
        for (i, out) in range.zip(out) {
            // SAFETY: the caller's promise; NumPy may hand over unaligned elements.
            *out = unsafe { self.at::<T>(i).read_unaligned() }.wide();
        }
    }

    /// # Safety
    /// As `read`, and no other thread may touch the elements.
    unsafe fn write<T: Scalar>(self, range: Range<usize>, values: impl Iterator<Item = T>) {
        for (i, value) in range.zip(values) {
            // SAFETY: as above.
            unsafe { self.at::<T>(i).write_unaligned(value) }
        }
    }

    /// Whether the elements are consecutive aligned values of 8 bytes.
    fn contiguous_f64(self) -> bool {
        self.step == 8 && self.start.addr() % align_of::<f64>() == 0
    }

    /// First byte and one past the last that `n` elements of `size` bytes touch.
    fn extent(self, n: usize, size: usize) -> (usize, usize) {
        let (start, span) = (self.start as isize, self.step * (n as isize - 1));
        ((start + span.min(0)) as usize, (start + span.max(0)) as usize + size)
    }

    /// Whether no byte is shared with `other`.
    fn apart(self, other: Operand, n: usize, size: usize) -> bool {
        let ((a, b), (c, d)) = (self.extent(n, size), other.extent(n, size));
        b <= c || d <= a
    }

    /// Whether writing element i of `self` can change another element of `other` than its own i-th.
    fn disturbs(self, other: Operand, n: usize, size: usize) -> bool {
        let same = self.start == other.start && self.step == other.step && self.step != 0;
        !self.apart(other, n, size) && !same
    }
}

/// The floating-point flags of the calling thread, put back on drop.
struct Flags(u64);

impl Flags {
    fn keep() -> Flags {
        #[cfg(target_arch = "x86_64")]
        {
            let mut saved = 0u32;
            // SAFETY: stores MXCSR into the local.
            unsafe { core::arch::asm!("stmxcsr [{}]", in(reg) &mut saved, options(nostack)) };
            Flags(saved.into())
        }
        #[cfg(target_arch = "aarch64")]
        {
            let mut saved = 0u64;
            // SAFETY: reads FPSR.
            unsafe { core::arch::asm!("mrs {}, fpsr", out(reg) saved, options(nostack)) };
            Flags(saved)
        }
        #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
        Flags(0)
    }
}

impl Drop for Flags {
    fn drop(&mut self) {
        #[cfg(target_arch = "x86_64")]
        {
            let saved = self.0 as u32;
            // SAFETY: loads the value that `keep` stored.
            unsafe { core::arch::asm!("ldmxcsr [{}]", in(reg) &saved, options(nostack)) };
        }
        #[cfg(target_arch = "aarch64")]
        // SAFETY: writes the value that `keep` read.
        unsafe {
            core::arch::asm!("msr fpsr, {}", in(reg) self.0, options(nostack));
        }
    }
}

/// Computes the elements `range` of contiguous f64 operands, in place.
///
/// # Safety
/// The elements must exist, the outputs must overlap neither each other nor the inputs, and nobody else may write them.
unsafe fn compute_in_place(spec: &Elementwise, operands: &[Operand; 4], range: Range<usize>) {
    let (start, n) = (range.start, range.len());
    // SAFETY: the caller's promise.
    unsafe {
        let v = std::slice::from_raw_parts(operands[0].at::<f64>(start), n);
        let x = std::slice::from_raw_parts(operands[1].at::<f64>(start), n);
        let y = std::slice::from_raw_parts_mut(operands[2].at::<f64>(start), n);
        let z =
            if spec.pair { std::slice::from_raw_parts_mut(operands[3].at::<f64>(start), n) } else { &mut [] };
        (spec.function)(v, x, y, z);
    }
}

/// Computes the elements `range` in blocks of at most `block`.
///
/// # Safety
/// The elements must exist, be `T`, and not be written by anyone else meanwhile.
unsafe fn compute<T: Scalar>(spec: &Elementwise, operands: &[Operand; 4], range: Range<usize>, block: usize) {
    let [mut v, mut x, mut y, mut z] = [[0.0; BLOCK]; 4];
    let mut start = range.start;
    while start < range.end {
        let end = (start + block.min(BLOCK)).min(range.end);
        let n = end - start;
        // SAFETY: the caller's promise.
        unsafe {
            operands[0].read::<T>(start..end, &mut v);
            operands[1].read::<T>(start..end, &mut x);
        }
        let second = if spec.pair { &mut z[..n] } else { &mut [] };
        (spec.function)(&v[..n], &x[..n], &mut y[..n], second);
        // SAFETY: the caller's promise.
        unsafe {
            operands[2].write(start..end, y.iter().map(|&y| T::narrow(y)));
            if spec.bounded {
                operands[3].write(start..end, y.iter().zip(&z).map(|(&y, &z)| T::narrow_bound(y, z)));
            } else if spec.pair {
                operands[3].write(start..end, z.iter().map(|&z| T::narrow(z)));
            }
        }
        start = end;
    }
}

/// The loop that NumPy calls.
///
/// # Safety
/// NumPy's contract for inner loops, with `data` the `Elementwise` that the ufunc was made from.
unsafe extern "C" fn inner_loop<T: Scalar + 'static>(
    args: *mut *mut c_char,
    dimensions: *mut npy_intp,
    steps: *mut npy_intp,
    data: *mut c_void,
) {
    // SAFETY: NumPy passes one dimension, as many arguments and steps as operands, and the data given at creation.
    let (n, spec) = unsafe { (*dimensions as usize, &*data.cast::<Elementwise>()) };
    if n == 0 {
        return;
    }
    let outputs = if spec.pair { 2 } else { 1 };
    let mut operands = [Operand { start: ptr::null_mut(), step: 0 }; 4];
    for (i, operand) in operands.iter_mut().take(2 + outputs).enumerate() {
        // SAFETY: as above.
        *operand = unsafe { Operand { start: *args.add(i), step: *steps.add(i) } };
    }
    let _flags = Flags::keep();
    let (inputs, results) = (&operands[..2], &operands[2..2 + outputs]);
    // Reductions and accumulations feed an output back as an input: then every element waits for the one before.
    let chained = n > 1
        && results
            .iter()
            .any(|out| out.step == 0 || inputs.iter().any(|input| out.disturbs(*input, n, size_of::<T>())));
    let in_place = T::IS_F64
        && operands[..2 + outputs].iter().all(|operand| operand.contiguous_f64())
        && results.iter().all(|out| inputs.iter().all(|input| out.apart(*input, n, size_of::<T>())))
        && (outputs == 1 || results[0].apart(results[1], n, size_of::<T>()));
    let operands = &operands;
    let run = |range: Range<usize>| {
        if in_place {
            // SAFETY: NumPy's promise, and the operands were just seen to lie apart.
            unsafe { compute_in_place(spec, operands, range) }
        } else {
            // SAFETY: NumPy's promise.
            unsafe { compute::<T>(spec, operands, range, BLOCK) }
        }
    };
    if chained {
        // SAFETY: NumPy's promise, one element at a time on this thread.
        unsafe { compute::<T>(spec, operands, 0..n, 1) };
    } else if n < SHARED_FROM || pool::num_threads() == 1 {
        run(0..n);
    } else {
        // The ranges are disjoint.
        pool::map_blocks(None, n, SHARE, run);
    }
}

/// Makes the ufunc, with loops for single and double precision.
pub fn create(py: Python<'_>, spec: Elementwise) -> PyResult<Bound<'_, PyAny>> {
    let (float, double) = (NPY_TYPES::NPY_FLOAT as u8 as c_char, NPY_TYPES::NPY_DOUBLE as u8 as c_char);
    let operands = if spec.pair { 4 } else { 3 };
    let mut types = vec![float; operands];
    types.extend(vec![double; operands]);
    // NumPy keeps these pointers for as long as the ufunc lives, and the module keeps the ufunc: they are never freed.
    let loops: &'static mut [PyUFuncGenericFunction; 2] =
        Box::leak(Box::new([Some(inner_loop::<f32>), Some(inner_loop::<f64>)]));
    let spec: &'static mut Elementwise = Box::leak(Box::new(spec));
    let data: *mut c_void = ptr::from_mut(spec).cast();
    let data: &'static mut [*mut c_void; 2] = Box::leak(Box::new([data; 2]));
    let types = Box::leak(types.into_boxed_slice());
    // SAFETY: all pointers are valid for ever and the counts are theirs; the result is a new reference or an error.
    unsafe {
        let ufunc = PY_UFUNC_API.PyUFunc_FromFuncAndData(
            py,
            loops.as_mut_ptr(),
            data.as_mut_ptr(),
            types.as_mut_ptr(),
            2,
            2,
            operands as c_int - 2,
            NO_IDENTITY,
            spec.name.as_ptr(),
            spec.doc.as_ptr(),
            0,
        );
        Bound::from_owned_ptr_or_err(py, ufunc)
    }
}
