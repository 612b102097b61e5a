"""Maximum likelihood for the von Mises-Fisher distribution, with a proven interval for the concentration."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from solvent import _core
from solvent._dispatch import array_function
from solvent._result import Certificate, Result
from solvent._validate import as_float_array, check_maxiter, check_scalar, check_tol, check_workers

from ._rows import check_mu

__all__ = ["VMFFit", "fit"]


@dataclass(frozen=True, repr=False, eq=False, kw_only=True)
class VMFFit(Result):
    """A fitted von Mises-Fisher distribution; unpacks as ``mu, kappa = fit``.

    Attributes
    ----------
    mu : ndarray of shape (d,)
        Mean direction, in the dtype of the data.
    kappa : float
        Concentration; inf where the likelihood has no maximum (all rows point the same way).
    mean_resultant_length : float
        R, the length of the weighted mean of the rows.
    log_likelihood : float
        Weighted sum of the log-densities of the rows.
    kappa_interval : tuple of two floats
        An interval that is proven to contain the maximum-likelihood concentration of these rows.
    success, status, message, nit, certificate, history, elapsed, backend
        As in every result. `nit` counts steps of the scalar search; `history` is None.

    Notes
    -----
    ``certificate`` has kind "kappa-bracket", is relative and rigorous: its bound is the larger distance from
    `kappa` to an end of `kappa_interval`, over ``max(kappa, d/100)``. Its ``parts`` are ``kappa_lower``,
    ``kappa_upper``, ``R``, ``dR`` (bound on the rounding of R) and ``mu_error``, the distance of `mu` from the
    maximum-likelihood direction.

    Examples
    --------
    >>> from solvent.stats import vonmises_fisher
    >>> fit = vonmises_fisher.fit([[1.0, 0.0], [0.8, 0.6], [0.8, -0.6]])
    >>> fit.success, fit.certificate.kind
    (True, 'kappa-bracket')
    >>> fit.kappa_interval[0] <= fit.kappa <= fit.kappa_interval[1]
    True
    """

    mu: NDArray[Any]
    kappa: float
    mean_resultant_length: float
    log_likelihood: float
    kappa_interval: tuple[float, float]
    certificate: Certificate  # a fit is never without

    def __iter__(self) -> Iterator[Any]:
        return iter((self.mu, self.kappa))

    @array_function("x", "weights")
    def certify(self, x: ArrayLike, weights: ArrayLike | None = None) -> Certificate:
        """Judge the `mu` and `kappa` that this result holds now against the rows `x`.

        Parameters
        ----------
        x : array_like of shape (n, d)
            Unit rows.
        weights : array_like of shape (n,), optional
            Their weights.

        Returns
        -------
        Certificate
            As `certificate`: the interval is proven anew from `x`, nothing of the earlier fit is used.

        Raises
        ------
        ValueError
            As `vonmises_fisher.fit`; if `kappa` is negative or nan, or `mu` is not a unit vector.

        Examples
        --------
        >>> import dataclasses
        >>> from solvent.stats import vonmises_fisher
        >>> x = vonmises_fisher([0.6, 0.8, 0.0], 20.0).rvs(100, rng=0)
        >>> result = vonmises_fisher.fit(x)
        >>> result.certify(x) == result.certificate
        True
        >>> other = dataclasses.replace(result, kappa=1.01 * result.kappa)
        >>> 0.009 < other.certify(x).bound < 0.011
        True
        """
        rows, row_weights = check_data(x, weights)
        mu = check_mu(self.mu)
        if mu.shape != rows.shape[1:]:
            raise ValueError(
                f"x has {rows.shape[1]} columns but mu has shape {mu.shape}; expected one length"
            )
        kappa = check_scalar(self.kappa, "kappa", ge=0, finite=False)
        raw = _core.stats.vmf_certify(rows, row_weights, mu.astype(np.float64), kappa)
        return Certificate.from_core(raw)


def check_data(x: ArrayLike, weights: ArrayLike | None) -> tuple[NDArray[Any], NDArray[np.float64] | None]:
    """Rows and weights in the form that the core takes; the core checks their entries on its one pass."""
    rows = as_float_array(x, "x", ndim=2, finite=False)
    if len(rows) == 0:
        raise ValueError("x has 0 rows; expected at least 1")
    if rows.shape[1] < 2:
        raise ValueError(f"x has shape {rows.shape}; expected (n, d) with d >= 2")
    if weights is None:
        return rows, None
    row_weights = as_float_array(weights, "weights", finite=False)
    if row_weights.shape != rows.shape[:1]:
        shape = row_weights.shape
        raise ValueError(f"weights has shape {shape} but x has {len(rows)} rows; expected ({len(rows)},)")
    return rows, row_weights.astype(np.float64, copy=False)


def fit(
    x: ArrayLike,
    weights: ArrayLike | None,
    tol: float | None,
    maxiter: int | None,
    workers: int | None,
) -> VMFFit:
    """The fit behind `vonmises_fisher.fit`."""
    rows, row_weights = check_data(x, weights)
    raw = _core.stats.vmf_fit(
        rows,
        row_weights,
        check_tol(tol, 1e-6 if rows.dtype == np.float32 else 1e-12),
        check_maxiter(maxiter, 50),
        check_workers(workers),
    )
    low, high = raw["kappa_interval"]
    return VMFFit.from_core(
        raw,
        mu=raw["mu"].astype(rows.dtype, copy=False),
        kappa=raw["kappa"],
        mean_resultant_length=raw["mean_resultant_length"],
        log_likelihood=raw["log_likelihood"],
        kappa_interval=(low, high),
    )
