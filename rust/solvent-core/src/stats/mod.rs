//! Distributions on the sphere.
//!
//! | room | what lives there |
//! |---|---|
//! | [`vmf`] | von Mises-Fisher: density, certified fit, sampling, mixtures |

pub mod vmf;
