//! Operators: `F = (1/n) Σ F_i` on R^d.
//!
//! | operator | F_i | kind |
//! |---|---|---|
//! | [`Logistic`] | `-b_i a_i σ(-b_i a_i.u) + reg u` | gradient |
//! | [`Quadratic`] | `B_i u + c_i` | by test |
//! | [`DroLogistic`] | saddle of weights in a ball around the uniform ones | monotone |
//! | [`MatrixGame`] | a column of M by its `y_i`, a row by its `-x_i` | monotone |
//!
//! A caller's own operator (the bindings have one of Python callables) implements [`Operator`] too.

mod blocks;
mod dro;
mod game;
mod logistic;
mod margins;
mod quadratic;
mod rows;
mod twice;

pub use dro::DroLogistic;
pub use game::MatrixGame;
pub use logistic::Logistic;
pub use quadratic::{Quadratic, Symmetry};
pub use rows::Rows;

use crate::base::error::Aborted;
use crate::base::monitor::Monitor;

/// What is known of an operator beside that it is monotone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The gradient of a convex function, each component too: cocoercive by Baillon and Haddad.
    Gradient,
    /// `<F(u) - F(v), u - v> >= |F(u) - F(v)|² / L`.
    Cocoercive,
    /// Monotone and Lipschitz.
    Monotone,
}

impl Kind {
    /// The word that callers use.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Gradient => "gradient",
            Self::Cocoercive => "cocoercive",
            Self::Monotone => "monotone",
        }
    }
}

/// Lipschitz (cocoercivity) constant of F, and that of its components on average.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Constants {
    /// Of F.
    pub full: f64,
    /// `((1/n) Σ L_i²)^(1/2)`.
    pub average: f64,
}

/// Which components.
#[derive(Debug, Clone, Copy)]
pub enum Pick<'a> {
    /// `len` of them from `first` on, one after the other.
    Run {
        /// The first.
        first: usize,
        /// How many.
        len: usize,
    },
    /// These, in this order.
    List(&'a [usize]),
}

impl<'a> Pick<'a> {
    /// All `n` components.
    pub fn all(n: usize) -> Self {
        Self::Run { first: 0, len: n }
    }

    /// How many.
    pub fn len(&self) -> usize {
        match self {
            Self::Run { len, .. } => *len,
            Self::List(list) => list.len(),
        }
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The `k`-th of them.
    #[inline(always)]
    pub fn at(&self, k: usize) -> usize {
        match self {
            Self::Run { first, .. } => first + k,
            Self::List(list) => list[k],
        }
    }

    /// Those from `from` up to `to`.
    pub fn part(&self, from: usize, to: usize) -> Pick<'a> {
        match *self {
            Self::Run { first, .. } => Self::Run { first: first + from, len: to - from },
            Self::List(list) => Self::List(&list[from..to]),
        }
    }
}

/// `F = (1/n) Σ F_i`. Results have the same bits for any number of threads.
pub trait Operator: Sync {
    /// d.
    fn dim(&self) -> usize;

    /// n.
    fn components(&self) -> usize;

    /// Products of the data with a vector in one full evaluation; 0 where nothing is known of the data.
    fn products(&self) -> f64;

    /// `out = F(u)`.
    fn full(&self, u: &[f64], out: &mut [f64], monitor: &mut Monitor<'_>) -> Result<(), Aborted>;

    /// `out` = mean of `F_i(u)` over the components picked.
    fn batch(
        &self,
        u: &[f64],
        pick: Pick<'_>,
        out: &mut [f64],
        monitor: &mut Monitor<'_>,
    ) -> Result<(), Aborted>;

    /// `out` = mean of `F_i(u) - F_i(v)` over the components picked, in one read of the data.
    fn diff(
        &self,
        u: &[f64],
        v: &[f64],
        pick: Pick<'_>,
        out: &mut [f64],
        monitor: &mut Monitor<'_>,
    ) -> Result<(), Aborted>;

    /// The constants, estimated from the data; `None` where only evaluations can tell.
    fn constants(&self, monitor: &mut Monitor<'_>) -> Result<Option<Constants>, Aborted>;

    /// Bounds coordinate by coordinate what rounding can have done to [`full`](Self::full) at `u`, or says (false)
    /// that nothing is known.
    fn allowance(&self, u: &[f64], out: &mut [f64], monitor: &mut Monitor<'_>) -> Result<bool, Aborted>;

    /// Bounds coordinate by coordinate the magnitudes of the terms whose sum F(u) is, or says (false) that nothing is known:
    /// what a residual is small beside.
    fn terms(&self, u: &[f64], out: &mut [f64], monitor: &mut Monitor<'_>) -> Result<bool, Aborted>;

    /// F(u) by sums in twice the precision, and a bound of its error coordinate by coordinate; false: there is none. Slow:
    /// for certificates where the rounding of [`full`](Self::full) is all that is left.
    fn precise(
        &self,
        u: &[f64],
        out: &mut [f64],
        slack: &mut [f64],
        monitor: &mut Monitor<'_>,
    ) -> Result<bool, Aborted> {
        let _ = (u, out, slack, monitor);
        Ok(false)
    }

    /// The same problem in coordinates `û = u/s` that suit it better: `F̂(û) = s F(s û)`, and s, which is constant on each
    /// factor of the sets that the operator is made for. `None`: there are none known.
    fn rescaled(&self) -> Option<(Box<dyn Operator + '_>, Vec<f64>)> {
        None
    }

    /// The same operator with its components in this order (of any length), so that runs of them lie one after the
    /// other in memory; `None` where that is no gain or takes more than `limit` bytes. Only `diff` of it is used.
    fn arranged(&self, order: &[usize], limit: usize) -> Option<Box<dyn Operator + '_>> {
        let _ = (order, limit);
        None
    }
}

/// `k u / (1 - k u)`, rounded up: the relative error of k roundings in a row.
pub(crate) fn gamma(k: usize) -> f64 {
    const UNIT: f64 = 1.1102230246251565e-16;
    let product = k as f64 * UNIT;
    1.0001 * product / (1.0 - product)
}
