//! Factorisations of small dense matrices: faer behind a narrow door.

/// What the factorisations need of an element; not for implementing outside.
pub trait Field: sealed::Sealed {}
mod sealed {
    pub trait Sealed {}
    impl Sealed for f32 {}
    impl Sealed for f64 {}
}
impl Field for f32 {}
impl Field for f64 {}
