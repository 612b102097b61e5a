//! Resolvents `J_{tG} = (I + tG)^{-1}` of the sets and functions that G stands for.
//!
//! | prox | G |
//! |---|---|
//! | [`Bounds`] | normal cone of a box, ends may be infinite |
//! | [`Simplex`] | of `{x >= 0, Σx = total}` |
//! | [`L2Ball`] | of a ball |
//! | [`SecondOrderCone`] | of `{(s, x): |x| <= s}` |
//! | [`WeightBall`] | of the weights within rho of the uniform ones |
//! | [`L1`] | subdifferential of `Σ λ_j |x_j|` |
//! | [`Product`] | several, each on its own coordinates |

mod ball;
mod bounds;
mod cone;
mod l1;
mod product;
mod rescaled;
mod simplex;
mod weights;

pub use ball::L2Ball;
pub use bounds::Bounds;
pub use cone::SecondOrderCone;
pub use l1::L1;
pub use product::Product;
pub use rescaled::Rescaled;
pub use simplex::Simplex;
pub use weights::WeightBall;

use crate::base::error::Aborted;
use crate::monotone::vector::distance;

/// The resolvent of a maximal monotone G.
pub trait Prox: Sync {
    /// `out = J_{tG}(v)`.
    fn apply(&self, v: &[f64], t: f64, out: &mut [f64]) -> Result<(), Aborted>;

    /// Distance of x from the domain of G.
    fn distance(&self, x: &[f64]) -> Result<f64, Aborted> {
        let mut nearest = vec![0.0; x.len()];
        self.apply(x, 1.0, &mut nearest)?;
        Ok(distance(x, &nearest))
    }

    /// Whether `apply` has no rounding error at all, so that `(v - J(v))/t` lies in `G(J(v))` for the floats themselves.
    fn is_exact(&self) -> bool {
        false
    }

    /// What rounding can have moved `y = J_{tG}(v)` by.
    fn allowance(&self, v: &[f64], t: f64, y: &[f64]) -> f64;
}
