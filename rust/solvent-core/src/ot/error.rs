//! What can go wrong in transport.

use crate::base::error::{Aborted, ArgumentError};

/// What can go wrong in transport.
#[derive(Debug, thiserror::Error)]
pub enum OtError {
    /// An argument was refused.
    #[error(transparent)]
    Argument(#[from] ArgumentError),
    /// The observer abandoned the work; it holds the reason.
    #[error(transparent)]
    Aborted(#[from] Aborted),
}
