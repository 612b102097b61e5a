//! Misuse, and the pattern of a family's error enum.
//!
//! Not converging is a [`Status`](super::status::Status), never an error. An error says that the call could
//! not be carried out at all: an argument was wrong ([`ArgumentError`]), or the observer abandoned the work
//! ([`Aborted`]). Each family has one enum, which begins with these two and adds what only it can meet:
//!
//! ```
//! use solvent_core::base::error::{Aborted, ArgumentError};
//!
//! /// What can go wrong in this family.
//! #[derive(Debug, thiserror::Error)]
//! pub enum TransportError {
//!     /// An argument was refused before any work.
//!     #[error(transparent)]
//!     Argument(#[from] ArgumentError),
//!     /// The observer abandoned the work; it holds the reason.
//!     #[error(transparent)]
//!     Aborted(#[from] Aborted),
//!     /// The plan asked for does not fit in memory.
//!     #[error("the plan needs {bytes} bytes; expected at most memory_limit = {limit}")]
//!     TooLarge { bytes: usize, limit: usize },
//! }
//! ```

use std::fmt;

/// Which exception the bindings raise for an [`ArgumentError`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Misuse {
    /// The right type with a wrong value: `ValueError` in Python.
    Value,
    /// A type that is not accepted: `TypeError` in Python.
    Type,
}

/// An argument that was refused, in the house form "what it was; expected what was expected".
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{was}; expected {expected}")]
pub struct ArgumentError {
    misuse: Misuse,
    argument: String,
    was: String,
    expected: String,
}

impl ArgumentError {
    /// A refused value in the caller's words: `was` is a clause about `argument`.
    pub fn new(argument: &str, was: impl Into<String>, expected: impl Into<String>) -> Self {
        Self {
            misuse: Misuse::Value,
            argument: argument.to_owned(),
            was: was.into(),
            expected: expected.into(),
        }
    }

    /// `reg = 0.0; expected a finite number > 0`.
    pub fn value(argument: &str, value: impl Shown, expected: impl Into<String>) -> Self {
        Self::new(argument, format!("{argument} = {}", value.shown()), expected)
    }

    /// `A[3, 7] is inf; expected finite values`.
    pub fn element(argument: &str, index: &[usize], value: impl Shown, expected: impl Into<String>) -> Self {
        let index = index.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        Self::new(argument, format!("{argument}[{index}] is {}", value.shown()), expected)
    }

    /// `a has shape (3,) but C has 4 rows; expected (4,)`; `because` names what fixes the shape.
    pub fn shape(argument: &str, shape: &[usize], because: &str, expected: &[usize]) -> Self {
        let was = format!("{argument} has shape {} but {because}", tuple(shape));
        Self::new(argument, was, tuple(expected))
    }

    /// `A has dtype complex128; expected float32 or float64`: a `TypeError`.
    pub fn dtype(argument: &str, dtype: &str, expected: impl Into<String>) -> Self {
        Self {
            misuse: Misuse::Type,
            ..Self::new(argument, format!("{argument} has dtype {dtype}"), expected)
        }
    }

    /// The name of the argument.
    pub fn argument(&self) -> &str {
        &self.argument
    }

    /// Wrong value or wrong type.
    pub fn misuse(&self) -> Misuse {
        self.misuse
    }
}

/// The observer abandoned the work (Ctrl-C, an exception in a callback or in a caller's operator). It keeps
/// the reason and raises it once the solver has unwound, so nothing but the fact travels through the core.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the work was abandoned by its observer")]
pub struct Aborted;

/// A value as a Python user would write it.
pub trait Shown {
    /// The text: `0.0`, `1e-300`, `nan`, `inf`, `'name'`.
    fn shown(&self) -> String;
}

impl Shown for f64 {
    fn shown(&self) -> String {
        if self.is_nan() { "nan".to_owned() } else { format!("{self:?}") }
    }
}

impl Shown for f32 {
    fn shown(&self) -> String {
        if self.is_nan() { "nan".to_owned() } else { format!("{self:?}") }
    }
}

impl Shown for &str {
    fn shown(&self) -> String {
        format!("'{self}'")
    }
}

impl Shown for bool {
    fn shown(&self) -> String {
        if *self { "True" } else { "False" }.to_owned()
    }
}

macro_rules! shown_integers {
    ($($integer:ty),*) => {$(
        impl Shown for $integer {
            fn shown(&self) -> String {
                self.to_string()
            }
        }
    )*};
}
shown_integers!(i32, i64, u32, u64, usize);

/// A shape as Python prints it: `()`, `(3,)`, `(3, 4)`.
fn tuple(shape: &[usize]) -> String {
    struct Tuple<'a>(&'a [usize]);
    impl fmt::Display for Tuple<'_> {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            match self.0 {
                [n] => write!(f, "({n},)"),
                many => {
                    let items = many.iter().map(ToString::to_string).collect::<Vec<_>>();
                    write!(f, "({})", items.join(", "))
                }
            }
        }
    }
    Tuple(shape).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_have_the_house_form() {
        let shape = ArgumentError::shape("a", &[3], "C has 4 rows", &[4]);
        assert_eq!(shape.to_string(), "a has shape (3,) but C has 4 rows; expected (4,)");
        let element = ArgumentError::element("A", &[3, 7], f64::INFINITY, "finite values");
        assert_eq!(element.to_string(), "A[3, 7] is inf; expected finite values");
        let value = ArgumentError::value("reg", 0.0, "a finite number > 0");
        assert_eq!(value.to_string(), "reg = 0.0; expected a finite number > 0");
        assert_eq!((value.argument(), value.misuse()), ("reg", Misuse::Value));
        let dtype = ArgumentError::dtype("A", "complex128", "float32 or float64");
        assert_eq!(dtype.to_string(), "A has dtype complex128; expected float32 or float64");
        assert_eq!(dtype.misuse(), Misuse::Type);
    }

    #[test]
    fn values_are_shown_as_python_writes_them() {
        let shown = [f64::NAN.shown(), f64::NEG_INFINITY.shown(), 1e-300.shown(), 2.0.shown(), "sns".shown()];
        assert_eq!(shown, ["nan", "-inf", "1e-300", "2.0", "'sns'"]);
        assert_eq!((tuple(&[]), tuple(&[2, 3])), ("()".to_owned(), "(2, 3)".to_owned()));
    }
}
