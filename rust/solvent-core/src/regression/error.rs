//! What can go wrong.

use crate::base::dense::DenseError;
use crate::base::error::{Aborted, ArgumentError};

/// Misuse, an observer that abandoned the work, or a factorisation that does not exist.
#[derive(Debug, thiserror::Error)]
pub enum RegressionError {
    /// An argument was refused before any work, or an entry of the data when a pass met it.
    #[error(transparent)]
    Argument(#[from] ArgumentError),
    /// The observer abandoned the work.
    #[error(transparent)]
    Aborted(#[from] Aborted),
    /// A small factorisation failed; with finite data it does not.
    #[error(transparent)]
    Dense(#[from] DenseError),
}
