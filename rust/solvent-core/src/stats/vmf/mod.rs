//! The von Mises-Fisher distribution on the unit sphere in `d >= 2` dimensions,
//! `f(x) = C_d(kappa) exp(kappa mu.x)`, for any `d` and any finite `kappa >= 0`.
//!
//! The mean of mu.x is `A_d(kappa) = I_{d/2}(kappa)/I_{d/2-1}(kappa)`, strictly increasing from 0 to 1. With
//! `S = sum w_i x_i` and `W = sum w_i` the likelihood is greatest at `mu = S/|S|` and `A_d(kappa) = R = |S|/W`
//! (Mardia & Jupp, Directional Statistics, 10.3): one pass over the rows, then one scalar equation, whose root is
//! enclosed by a computed interval ([`certify`]).
//!
//! | room | what lives there |
//! |---|---|
//! | [`rows`] | the data: directions, one a row, any layout |
//! | [`cosine`] | mu.x for many rows, checked |
//! | [`density`] | normaliser, entropy, Kullback-Leibler divergence |
//! | [`variance`] | A_d', without cancellation |
//! | [`moments`] | the one pass: S and W in doubled precision, norms checked on the way |
//! | [`concentration`] | the root of A_d(kappa) = R |
//! | [`certify`] | an interval that contains the root, and the certificate |
//! | [`fit`] | the three together: maximum likelihood |
//! | [`sample`] | random directions |
//! | [`mixture`] | mixtures by EM |

pub mod certify;
pub mod concentration;
pub mod cosine;
pub mod density;
pub mod fit;
mod kernels;
pub mod mixture;
pub mod moments;
pub mod rows;
pub mod sample;
pub mod variance;

use crate::base::error::{Aborted, ArgumentError};

/// What can go wrong with a distribution on the sphere.
#[derive(Debug, thiserror::Error)]
pub enum VmfError {
    /// An argument was refused.
    #[error(transparent)]
    Argument(#[from] ArgumentError),
    /// The observer abandoned the work; it holds the reason.
    #[error(transparent)]
    Aborted(#[from] Aborted),
}
