"""Rows drawn by their scores."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from solvent import _core
from solvent._dispatch import array_function
from solvent._result import Certificate, Result
from solvent._rng import RNGLike, seed_from_rng
from solvent._validate import check_choice, check_int, check_scalar, check_workers

from ._data import as_table
from ._scores import Scores, leverage_scores, lewis_weights, lp_sensitivities

__all__ = ["SampledRows", "sample_rows"]

_SCHEMES = ("uniform", "leverage", "root-leverage", "lewis", "sensitivity+leverage")


@dataclass(frozen=True, repr=False, eq=False, kw_only=True)
class SampledRows(Result):
    """Rows drawn with replacement, and what each counts for.

    Attributes
    ----------
    indices : ndarray of shape (size,)
        The rows drawn, int64.
    weights : ndarray of shape (size,)
        ``(size * probabilities[indices])**(-1/p)``: ``weights[:, None] * a[indices]`` is the sample.
    probabilities : ndarray of shape (n,)
        What rows were drawn by; they sum to 1.
    scheme : str
        Where they come from.
    success, status, message, nit, certificate, history, elapsed, backend
        As in every result. `certificate` is that of the scores behind the probabilities; None for "uniform".

    Examples
    --------
    >>> import numpy as np
    >>> from solvent import sketch
    >>> A = np.random.default_rng(0).normal(size=(1000, 3))
    >>> sample = sketch.sample_rows(A, 200, rng=0)
    >>> (sample.weights[:, None] * A[sample.indices]).shape
    (200, 3)
    """

    indices: NDArray[np.int64]
    weights: NDArray[np.float64]
    probabilities: NDArray[np.float64]
    scheme: str
    _scores: Scores | None = None

    @array_function("a")
    def certify(self, a: ArrayLike, *, workers: int | None = None) -> Certificate:
        """Judge the scores that the probabilities were made of.

        Parameters
        ----------
        a : array_like or sparse matrix of shape (n, d)
            The matrix.
        workers : int, optional
            Threads.

        Returns
        -------
        Certificate
            As `certificate`, computed anew.

        Raises
        ------
        ValueError
            For "uniform", which has no scores; if the shapes do not fit.
        """
        if self._scores is None:
            raise ValueError(f"scheme = {self.scheme!r}; expected a scheme that computes scores")
        return self._scores.certify(a, workers=workers)


@array_function("a")
def sample_rows(
    a: ArrayLike,
    size: int,
    *,
    p: float = 2,
    scheme: Literal["uniform", "leverage", "root-leverage", "lewis", "sensitivity+leverage"] = "leverage",
    rng: RNGLike | None = None,
    workers: int | None = None,
) -> SampledRows:
    """Draw rows with replacement so that the sample keeps the p-norms of all ``A x``.

    Parameters
    ----------
    a : array_like or sparse matrix of shape (n, d)
        The matrix, as for `leverage_scores`; n >= 1.
    size : int
        Draws, >= 1.
    p : float, default 2
        The norm, > 0; "lewis" takes p < 4, "sensitivity+leverage" 1 <= p <= 2.
    scheme : {"uniform", "leverage", "root-leverage", "lewis", "sensitivity+leverage"}
        What the probabilities are proportional to: 1, the leverage, its square root, the lp Lewis weight, or the bound of
        the lp sensitivity plus the leverage [2]_.
    rng : None, int, Generator or SeedSequence
        Where the draws come from; None takes fresh entropy.
    workers : int, optional
        Threads; the result does not depend on it.

    Returns
    -------
    SampledRows

    Raises
    ------
    ValueError
        If `a` has no rows, ``size < 1``, `p` or `scheme` is not one of those above.
    TypeError
        For complex and object data.

    Notes
    -----
    ``|weights * (A x)[indices]|_p^p`` is ``|A x|_p^p`` on average for every x. How many draws make it so for all x at
    once, up to logarithms and accuracy: d by leverage at p = 2, ``S^(2/p)`` (p < 2) and ``S^(2 - 2/p)`` (p > 2) by
    sensitivities of sum S [1]_; root leverage about d for p < 2; the sum of sensitivity and leverage ``S + d`` for
    1 <= p <= 2 [2]_. A zero row is never drawn, except by "uniform".

    References
    ----------
    .. [1] D. P. Woodruff, T. Yasuda, "Sharper bounds for lp sensitivity sampling", arXiv:2306.00732.
    .. [2] A. Munteanu, S. Omlor, "Optimal bounds for lp sensitivity sampling via l2 augmentation", arXiv:2406.00328.

    Examples
    --------
    >>> import numpy as np
    >>> from solvent import sketch
    >>> A = np.random.default_rng(0).normal(size=(2000, 3))
    >>> sample = sketch.sample_rows(A, 500, p=1, scheme="lewis", rng=0)
    >>> x = np.array([1.0, -2.0, 0.5])
    >>> ratio = np.abs(sample.weights * (A @ x)[sample.indices]).sum() / np.abs(A @ x).sum()
    >>> bool(0.8 < ratio < 1.25)
    True
    """
    _, (n, _) = as_table(a)
    if n == 0:
        raise ValueError("a has 0 rows; expected at least 1")
    draws = check_int(size, "size", ge=1)
    check_choice(scheme, "scheme", _SCHEMES)
    limits: dict[str, Any] = {"lewis": {"gt": 0, "lt": 4}, "sensitivity+leverage": {"ge": 1, "le": 2}}
    power = check_scalar(p, "p", **limits.get(scheme, {"gt": 0}))
    check_workers(workers)
    seed = seed_from_rng(rng)
    scores, values = _values(a, n, power, scheme, workers)
    probabilities, indices, weights = _core.sketch.sample_rows(values, draws, power, seed)
    return SampledRows(
        indices=indices,
        weights=weights,
        probabilities=probabilities,
        scheme=scheme,
        success=True if scores is None else scores.success,
        status="converged" if scores is None else scores.status,
        message=f"{draws} of {n} rows drawn with replacement" if scores is None else scores.message,
        nit=0 if scores is None else scores.nit,
        certificate=None if scores is None else scores.certificate,
        elapsed=0.0 if scores is None else scores.elapsed,
        _scores=scores,
    )


def _values(
    a: Any, n: int, p: float, scheme: str, workers: int | None
) -> tuple[Scores | None, NDArray[np.float64]]:
    """The scores behind a scheme, and what the probabilities are proportional to."""
    if scheme == "uniform":
        return None, np.ones(n)
    if scheme == "lewis":
        weights = lewis_weights(a, p, workers=workers)
        return weights, weights.scores
    leverage = leverage_scores(a, workers=workers)
    if scheme == "root-leverage":
        return leverage, np.sqrt(leverage.scores)
    if scheme == "leverage":
        return leverage, leverage.scores
    return leverage, lp_sensitivities(a, p, workers=workers).scores + leverage.scores
