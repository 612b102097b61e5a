"""What least squares returns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from solvent import _core
from solvent._dispatch import array_function
from solvent._result import Certificate, Result

from ._dask import accepts_dask
from ._data import check_alpha, check_data

__all__ = ["LstsqResult"]


@dataclass(frozen=True, repr=False, eq=False)
class LstsqResult(Result):
    """Result of `lstsq` and `ridge`.

    Attributes
    ----------
    x : ndarray of shape (d,) or (d, k)
        Coefficients, in the precision of `a`.
    intercept : float or ndarray of shape (k,)
        Coefficient of the column of ones; 0 without `fit_intercept`.
    residual_norm : float or ndarray of shape (k,)
        2-norm of the weighted residual, without the ridge's part.
    rank : int
        Columns that count at `rcond`.
    method : str
        How the factor was found: ``"gram"``, ``"sketch-gram"``, ``"sketch-cg"`` or ``"single-pass"``.
    n_passes : int
        Reads of `a`.
    gradient : ndarray, shape of `x`
        ``a.T @ (weights * (b - a @ x)) - alpha * x`` as computed at x.
    coef_bound : ndarray, shape of `x`, or None
        With ``accuracy="high"``: bounds of ``abs(x - exact)``, each rigorous if the certificate is.
    x_lo : ndarray, shape of `x`, or None
        With ``accuracy="high"``: ``x + x_lo`` is the answer in twice the precision.
    singular_values : ndarray of shape (d,)
        Of the (weighted) matrix, with the ridge rows and the intercept's column if there are any, descending; computed
        from the factor on access.
    cond : float
        Their largest over their smallest.

    Examples
    --------
    >>> import numpy as np
    >>> from solvent.regression import lstsq
    >>> result = lstsq(
    ...     np.array([[1.0, 0.0], [0.0, 2.0], [0.0, 0.0]]), np.array([1.0, 2.0, 3.0])
    ... )
    >>> result.x.round(12).tolist(), round(float(result.residual_norm), 12), result.rank
    ([1.0, 1.0], 3.0, 2)
    """

    x: NDArray[Any]
    intercept: Any
    residual_norm: Any
    rank: int
    method: str
    n_passes: int
    gradient: NDArray[np.float64]
    coef_bound: NDArray[np.float64] | None
    x_lo: NDArray[np.float64] | None
    _rcond: float
    _r: NDArray[np.float64]
    _scale: int
    _tol: float
    _route: tuple[str, str, int]
    _base: NDArray[np.float64] | None
    """The point whose pass certified x, if that is not x."""

    _derived: ClassVar[tuple[str, ...]] = ("singular_values", "cond")

    @property
    def singular_values(self) -> NDArray[np.float64]:
        """Singular values, descending."""
        values = np.zeros(max(len(self._r), len(self.x)))
        found = _core.regression.singular_values(self._r)
        values[: len(found)] = np.ldexp(found, self._scale)
        return self._out(values)  # type: ignore[no-any-return]

    @property
    def cond(self) -> float:
        """Ratio of the largest singular value to the smallest; inf for dependent columns."""
        values = _core.regression.singular_values(self._r)
        if len(values) == 0:
            return 0.0
        if len(values) < len(self.x):
            return float("inf")
        return float(values[0] / values[-1]) if values[-1] > 0 else float("inf")

    @accepts_dask
    @array_function("a", "b", "weights")
    def certify(
        self, a: Any, b: Any = None, *, weights: Any = None, alpha: Any = 0.0, fit_intercept: bool = False
    ) -> Certificate:
        """Judge the x (and x_lo) that this result holds now.

        Parameters
        ----------
        a, b, weights, alpha, fit_intercept
            The data, as given to `lstsq`.

        Returns
        -------
        Certificate
            "forward-error" if the result holds `x_lo`, else "backward-error". The factor is computed afresh.
        """
        data = check_data(a, b, weights)
        columns = self._columns(self.x, self.intercept if fit_intercept else None)
        lo = None if self.x_lo is None else self._columns(self.x_lo, 0.0 if fit_intercept else None)
        if columns.shape != (data.sides, data.columns + fit_intercept):
            raise ValueError(
                f"a has {data.columns} columns and b {data.sides} right side(s) but x has shape {self.x.shape}"
            )
        setting = data.setting(
            alpha=check_alpha(alpha, data.columns),
            intercept=fit_intercept,
            accuracy="backward" if self.x_lo is None else "high",
            method=self._route[0],
            sketch=self._route[1],
            seed=self._route[2],
            rcond=self._rcond,
        )
        base = self._base if self._base is not None and self._base.shape == columns.shape else None
        raw = _core.regression.lstsq_certify(data.rows, setting, columns, lo, base, self._tol)
        return Certificate.from_core(raw)

    def _columns(self, x: Any, intercept: Any) -> NDArray[np.float64]:
        """One row a right side, the intercept last."""
        x = np.asarray(x, dtype=np.float64)
        rows = x[:, None].T if x.ndim == 1 else x.T
        if intercept is not None:
            last = np.broadcast_to(np.asarray(intercept, dtype=np.float64), (len(rows),))
            rows = np.concatenate([rows, last[:, None]], axis=1)
        return np.ascontiguousarray(rows)
