//! Weights, means, concentrations.

use crate::stats::vmf::density::log_peak;

/// A mixture of k components in d dimensions.
#[derive(Debug, Clone, PartialEq)]
pub struct Model {
    /// Dimension.
    pub d: usize,
    /// Mixing weights; they add up to 1.
    pub weights: Vec<f64>,
    /// Unit means, one after the other.
    pub means: Vec<f64>,
    /// Concentrations.
    pub concentrations: Vec<f64>,
    /// Components whose likelihood grows without limit, held at the largest concentration allowed.
    pub degenerate: Vec<bool>,
}

impl Model {
    /// Number of components.
    pub fn components(&self) -> usize {
        self.weights.len()
    }

    /// One mean.
    pub fn mean(&self, j: usize) -> &[f64] {
        &self.means[j * self.d..(j + 1) * self.d]
    }

    /// `log w_j + log C(k_j) + k_j`: to which `k_j (mu_j.x - 1)` is added.
    pub(super) fn offsets(&self) -> Vec<f64> {
        let pairs = self.weights.iter().zip(&self.concentrations);
        pairs.map(|(w, &k)| w.ln() + log_peak(self.d, k)).collect()
    }
}
