//! Hooks for the tests of the random numbers: the bijection, and streams of it.

/// Philox4x32-10 and what is drawn from it.
#[pyo3::pymodule(submodule)]
pub mod rng {
    use numpy::PyArray1;
    use pyo3::prelude::*;
    use solvent_core::base::rng::{self as core, Philox};

    /// The four words of a counter and a key.
    #[pyfunction]
    fn philox4x32(counter: [u32; 4], key: [u32; 2]) -> [u32; 4] {
        core::philox4x32(counter, key)
    }

    fn draw(
        py: Python<'_>,
        (seed, stream, block): (u64, u32, u32),
        size: usize,
        next: impl Fn(&mut Philox) -> f64,
    ) -> Bound<'_, PyArray1<f64>> {
        let mut rng = Philox::new(seed, stream, block);
        PyArray1::from_iter(py, (0..size).map(|_| next(&mut rng)))
    }

    /// Uniform numbers in (0, 1) from the start of a stream.
    #[pyfunction]
    #[pyo3(signature = (seed, size, *, stream=0, block=0))]
    fn uniform(py: Python<'_>, seed: u64, size: usize, stream: u32, block: u32) -> Bound<'_, PyArray1<f64>> {
        draw(py, (seed, stream, block), size, Philox::uniform)
    }

    /// Standard normal numbers from the start of a stream.
    #[pyfunction]
    #[pyo3(signature = (seed, size, *, stream=0, block=0))]
    fn normal(py: Python<'_>, seed: u64, size: usize, stream: u32, block: u32) -> Bound<'_, PyArray1<f64>> {
        draw(py, (seed, stream, block), size, Philox::normal)
    }

    /// Standard exponential numbers from the start of a stream.
    #[pyfunction]
    #[pyo3(signature = (seed, size, *, stream=0, block=0))]
    fn exponential(
        py: Python<'_>,
        seed: u64,
        size: usize,
        stream: u32,
        block: u32,
    ) -> Bound<'_, PyArray1<f64>> {
        draw(py, (seed, stream, block), size, Philox::exponential)
    }

    /// Gamma numbers of this shape and scale 1 from the start of a stream.
    #[pyfunction]
    #[pyo3(signature = (seed, shape, size, *, stream=0, block=0))]
    fn gamma(
        py: Python<'_>,
        seed: u64,
        shape: f64,
        size: usize,
        stream: u32,
        block: u32,
    ) -> Bound<'_, PyArray1<f64>> {
        draw(py, (seed, stream, block), size, |rng| rng.gamma(shape))
    }
}
