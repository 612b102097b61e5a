//! What the caller chooses.

/// How a row is shared among the components.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Assignment {
    /// In proportion to the posterior: EM.
    Soft,
    /// Whole, to the most probable one: classification EM.
    Hard,
}

/// Which concentrations there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Concentration {
    /// One each.
    Full,
    /// One for all.
    Tied,
}

/// How the first means are found.
#[derive(Debug, Clone, PartialEq)]
pub enum Init {
    /// Rows drawn one after the other with probability in proportion to 1 - cos to the nearest mean so far.
    KMeansPlusPlus,
    /// Distinct rows, uniformly.
    Random,
    /// These, one after the other.
    Means(Vec<f64>),
}

/// What an M step needs to know.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rule {
    /// How rows are shared.
    pub assignment: Assignment,
    /// Which concentrations there are.
    pub concentration: Concentration,
    /// A concentration above this is held here and flagged.
    pub kappa_max: f64,
}

/// What a whole fit needs to know.
#[derive(Debug, Clone, PartialEq)]
pub struct Options {
    /// Number of components.
    pub components: usize,
    /// The M step.
    pub rule: Rule,
    /// The first means.
    pub init: Init,
    /// Starts; the best end is kept.
    pub n_init: u32,
    /// Sweeps of one start.
    pub max_iter: u64,
    /// Target for the change that one more sweep would make.
    pub tol: f64,
    /// A component of smaller weight is re-seeded.
    pub min_weight: f64,
    /// Key of the random numbers.
    pub seed: u64,
}
