"""What one pass over rows leaves of them: the mergeable state of a mixture's EM."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

__all__ = ["MixtureState"]


@dataclass(frozen=True, eq=False)
class MixtureState:
    """Expected sufficient statistics of some rows under one model.

    States of disjoint sets of rows under the same model add up, in any order, to the state of their union; the
    empty state is ``0``. So one sweep over data in many places is a map (`VonMisesFisherMixture.expectation`), a
    sum, and `VonMisesFisherMixture.maximization`.

    Attributes
    ----------
    sums : ndarray of shape (k, d)
        S_j, the rows weighted by their posteriors.
    counts : ndarray of shape (k,)
        N_j, the sums of the posteriors.
    weight : float
        Total weight of the rows.
    log_likelihood : float
        Weighted sum of their log-densities.
    """

    sums: NDArray[np.float64]
    counts: NDArray[np.float64]
    weight: float
    log_likelihood: float

    def __add__(self, other: "MixtureState | int") -> "MixtureState":
        if isinstance(other, int) and other == 0:
            return self
        if not isinstance(other, MixtureState):
            return NotImplemented
        return MixtureState(
            self.sums + other.sums,
            self.counts + other.counts,
            self.weight + other.weight,
            self.log_likelihood + other.log_likelihood,
        )

    __radd__ = __add__

    def mean(self) -> "MixtureState":
        """The state of one row on average."""
        return self.scaled(1.0 / self.weight)

    def scaled(self, factor: float) -> "MixtureState":
        """Every statistic times `factor`."""
        return MixtureState(
            factor * self.sums, factor * self.counts, factor * self.weight, factor * self.log_likelihood
        )

    def blended(self, new: Self, share: float) -> "MixtureState":
        """``(1 - share) self + share new``."""
        return self.scaled(1.0 - share) + new.scaled(share)
