"""What transport between clouds of points returns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from solvent._dispatch import array_function
from solvent._result import Certificate

from ._check import check_points
from ._ground import Ground, cost_rows
from ._plan import Plan
from ._result import TransportResult

__all__ = ["PointTransportResult"]


@dataclass(frozen=True, repr=False, eq=False, kw_only=True)
class PointTransportResult(TransportResult):
    """A `TransportResult` between clouds of points; what differs is `map`, `grad` and the data of `certify`.

    Examples
    --------
    >>> import numpy as np
    >>> from solvent import ot
    >>> X = np.random.default_rng(0).normal(size=(100, 2))
    >>> result = ot.solve_points(X, X + [3.0, 0.0], reg=1e-3)
    >>> shift = result.map(X) - X
    >>> bool(np.allclose(shift.mean(axis=0), [3.0, 0.0]))
    True
    """

    @array_function("X_new")
    def map(self, X_new: ArrayLike) -> Any:
        """Barycentric projection: where the plan sends points, on average, also points that it has not seen.

        ``T(x) = sum_j w_j(x) y_j`` with ``w_j(x)`` proportional to ``b_j exp((g_j - c(x, y_j)) / reg)``: the plan's
        row of a point x of weight 0 added to X, normalised (Pooladian & Niles-Weed, "Entropic estimation of optimal
        transport maps", arXiv 2109.12004).

        Parameters
        ----------
        X_new : array_like of shape (k, d)
            Points.

        Returns
        -------
        ndarray of shape (k, d)
            Their images, in the dtype of the clouds. At the rows of X: ``P Y / P 1``.

        Raises
        ------
        ValueError
            If `X_new` has not d columns or is not finite.

        Notes
        -----
        O(k m d) time; no matrix of k x m is kept. For ``cost="euclidean"``, ``"l1"`` and ``"cosine"`` the mean
        is a projection too, though not the minimiser of the mean cost.

        Examples
        --------
        >>> import numpy as np
        >>> from solvent import ot
        >>> X = np.linspace(0, 1, 200)[:, None]
        >>> result = ot.solve_points(X, 2 * X, reg=1e-3)
        >>> bool(np.allclose(result.map([[0.25], [0.5]]), [[0.5], [1.0]], atol=1e-2))
        True
        """
        X, Y, cost, p = self._ground.clouds
        new, _, _, _ = check_points(X_new, Y, cost, p or None, ("X_new", "Y"))
        g, (_, b) = self._potential("g"), self._plan().weights
        with np.errstate(divide="ignore"):
            level = g + self.reg * np.log(b)  # -inf at weight 0, where no mass can go
        targets = Y.astype(np.float64, copy=False)
        out = np.empty((len(new), Y.shape[1]))
        step = max(1, (1 << 20) // len(Y))
        for start in range(0, len(new), step):
            rows = slice(start, start + step)
            score = (level - cost_rows(new[rows], Y, cost, p)) / self.reg
            score -= score.max(axis=1, keepdims=True)
            np.exp(score, out=score)
            out[rows] = (score @ targets) / score.sum(axis=1, keepdims=True)
        return self._out(out.astype(X.dtype, copy=False))

    @array_function("X", "Y", "a", "b")
    def certify(  # type: ignore[override]  # the data of this problem are points
        self, X: ArrayLike, Y: ArrayLike, a: ArrayLike | None = None, b: ArrayLike | None = None
    ) -> Certificate:
        """Judge the potentials that this result holds now against the points.

        Parameters
        ----------
        X, Y : array_like of shape (n, d), (m, d)
            The clouds.
        a, b : array_like of shape (n,), (m,), optional
            Their weights; uniform by default.

        Returns
        -------
        Certificate
            As `TransportResult.certify`; the allowance also covers the rounding of the costs.

        Raises
        ------
        ValueError
            As `solve_points`; if the shapes of `f`, `g` and the clouds disagree.

        Examples
        --------
        >>> import numpy as np
        >>> from solvent import ot
        >>> X = np.linspace(0, 1, 20)[:, None]
        >>> result = ot.solve_points(X, X**2, reg=1e-2)
        >>> result.certify(X, X**2) == result.certificate
        True
        """
        _, _, cost, p = self._ground.clouds
        points = check_points(X, Y, cost, p or None)
        return self._certified(Ground(points=points), a, b, ("X", "Y", "rows", "rows"))

    def _cost_gradient(self, plan: Plan) -> dict[str, Any]:
        return plan.value_in_points()
