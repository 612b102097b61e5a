"""The von Mises-Fisher distribution on the unit sphere."""

import math
import operator
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from solvent import _core
from solvent._dispatch import array_function
from solvent._rng import RandomStateLike, RNGLike, seed_from_random_state, seed_from_rng
from solvent._validate import check_int

from . import _fit
from ._fit import VMFFit
from ._rows import check_columns, check_kappa, check_mu, refuse_rows

__all__ = ["VonMisesFisher", "VonMisesFisherFrozen", "vonmises_fisher"]


class VonMisesFisher:
    r"""The von Mises-Fisher distribution on the unit sphere of any dimension d >= 2.

    The density at a unit vector x is ``C_d(kappa) exp(kappa mu.x)``. The methods take the parameters ``mu`` (a
    unit vector, ``(d,)`` or ``(..., d)``) and ``kappa`` (finite, >= 0; 0 is the uniform distribution) first;
    ``vonmises_fisher(mu, kappa)`` holds them fixed. Names and order are SciPy's.

    Notes
    -----
    With v = d/2 - 1, ``log C_d(kappa) = v log(kappa) - (v + 1) log(2 pi) - log I_v(kappa)`` (Mardia & Jupp [1]_,
    9.3.4), formed in the scaled form ``log C_d(kappa) + kappa`` so that nothing cancels for large kappa, from
    the series of 0F1 for kappa^2 < d/2, and in closed form for d = 3. No dimension and no kappa overflows.

    References
    ----------
    .. [1] K. V. Mardia, P. E. Jupp, "Directional Statistics", Wiley, 2000.

    Examples
    --------
    >>> import numpy as np
    >>> from solvent.stats import vonmises_fisher
    >>> mu = np.eye(1000)[0]
    >>> x = vonmises_fisher(mu, kappa=500.0).rvs(2000, rng=1)
    >>> x.shape
    (2000, 1000)
    >>> fit = vonmises_fisher.fit(x)
    >>> fit.success, abs(fit.kappa / 500 - 1) < 0.02
    (True, True)
    """

    def __call__(
        self, mu: ArrayLike | None = None, kappa: float = 1, seed: RandomStateLike | None = None
    ) -> "VonMisesFisherFrozen":
        """Fix the parameters.

        Parameters
        ----------
        mu : array_like of shape (d,)
            Mean direction, a unit vector.
        kappa : float, default 1
            Concentration, finite and >= 0.
        seed : None, int, Generator, RandomState or SeedSequence
            Source of the random numbers of `rvs` where it is given none. It advances from call to call.

        Returns
        -------
        VonMisesFisherFrozen
        """
        return VonMisesFisherFrozen(mu, kappa, seed)

    @array_function("x", "mu", "kappa")
    def logpdf(self, x: ArrayLike, mu: ArrayLike | None = None, kappa: ArrayLike = 1) -> Any:
        """Logarithm of the density.

        Parameters
        ----------
        x : array_like of shape (..., d)
            Unit vectors: norm 1 within 1e-5 (float32: 1e-3).
        mu : array_like of shape (d,) or (..., d)
            Mean direction.
        kappa : array_like, default 1
            Concentration.

        Returns
        -------
        ndarray or scalar
            Of shape ``broadcast(x.shape[:-1], mu.shape[:-1], kappa.shape)``; float32 if all arrays are.

        Raises
        ------
        ValueError
            If a vector is not unit or not finite, kappa is negative or not finite, or shapes do not match.
        TypeError
            For complex, object and string input.

        Examples
        --------
        >>> from solvent.stats import vonmises_fisher
        >>> print(f"{vonmises_fisher.logpdf([0.0, 1.0], mu=[0.0, 1.0], kappa=2.0):.12f}")
        -0.661870607892
        """
        direction, concentration = check_mu(mu), check_kappa(kappa)
        d = direction.shape[-1]
        points = check_columns(x, d)
        rows = points.reshape(-1, d)
        try:
            # One pass that also checks the rows.
            first = direction.reshape(-1, d)[0] if direction.size else np.eye(1, d)[0]
            cosine = _core.stats.vmf_cosines(rows, first.astype(np.float64))
        except ValueError:
            refuse_rows(points)
        if direction.ndim == 1:
            cosine = cosine.reshape(points.shape[:-1])
        else:
            cosine = np.einsum("...i,...i->...", points, direction, dtype=np.float64)
        peak = _of_kappa(_core.stats.vmf_log_peak, d, concentration)
        value = np.asarray(peak + concentration.astype(np.float64) * (cosine - 1.0))
        return value.astype(_result_dtype(points, direction, kappa), copy=False)[()]

    @array_function("x", "mu", "kappa")
    def pdf(self, x: ArrayLike, mu: ArrayLike | None = None, kappa: ArrayLike = 1) -> Any:
        """Density; 0 or inf where it leaves the range of floats (`logpdf` does not).

        Parameters
        ----------
        x, mu, kappa : array_like
            As for `logpdf`.

        Returns
        -------
        ndarray or scalar
            As for `logpdf`.

        Raises
        ------
        ValueError, TypeError
            As `logpdf`.

        Examples
        --------
        >>> from solvent.stats import vonmises_fisher
        >>> print(f"{vonmises_fisher.pdf([1.0, 0.0, 0.0], mu=[0.0, 0.0, 1.0], kappa=0.0):.12f}")
        0.079577471546
        """
        with np.errstate(over="ignore", under="ignore"):
            return np.exp(self.logpdf(x, mu, kappa))

    def entropy(self, mu: ArrayLike | None = None, kappa: ArrayLike = 1) -> Any:
        """Differential entropy, -log C_d(kappa) - kappa A_d(kappa), in nats.

        Parameters
        ----------
        mu : array_like of shape (d,) or (..., d)
            Mean direction; only its dimension matters.
        kappa : array_like, default 1
            Concentration.

        Returns
        -------
        ndarray or scalar
            Of shape ``broadcast(mu.shape[:-1], kappa.shape)``.

        Raises
        ------
        ValueError, TypeError
            As `logpdf`.

        Examples
        --------
        >>> import math
        >>> from solvent.stats import vonmises_fisher
        >>> math.isclose(vonmises_fisher.entropy([0.0, 0.0, 1.0], 0.0), math.log(4 * math.pi))
        True
        """
        return _statistic(_core.stats.vmf_entropy, mu, kappa)

    def mean_resultant_length(self, mu: ArrayLike | None = None, kappa: ArrayLike = 1) -> Any:
        """Mean of mu.x: A_d(kappa) = I_{d/2}(kappa) / I_{d/2-1}(kappa).

        Parameters
        ----------
        mu, kappa : array_like
            As for `entropy`.

        Returns
        -------
        ndarray or scalar
            In [0, 1]; shape as for `entropy`.

        Raises
        ------
        ValueError, TypeError
            As `logpdf`.

        Examples
        --------
        >>> from solvent.stats import vonmises_fisher
        >>> print(f"{vonmises_fisher.mean_resultant_length([0.0, 0.0, 1.0], 1.0):.12f}")
        0.313035285499
        """
        return _statistic(_core.stats.vmf_mean_resultant_length, mu, kappa)

    def fisher_information(self, mu: ArrayLike | None = None, kappa: ArrayLike = 1) -> Any:
        """Fisher information of kappa: A_d'(kappa), the variance of mu.x, without cancellation.

        The information is block diagonal: along each of the d - 1 tangent directions of mu it is kappa A_d(kappa).

        Parameters
        ----------
        mu, kappa : array_like
            As for `entropy`.

        Returns
        -------
        ndarray or scalar
            Shape as for `entropy`.

        Raises
        ------
        ValueError, TypeError
            As `logpdf`.

        Examples
        --------
        >>> from solvent.stats import vonmises_fisher
        >>> print(f"{vonmises_fisher.fisher_information([0.0, 0.0, 1.0], 0.0):.12f}")
        0.333333333333
        """
        return _statistic(_core.stats.vmf_variance, mu, kappa)

    def kl_divergence(self, mu: ArrayLike, kappa: ArrayLike, mu2: ArrayLike, kappa2: ArrayLike) -> Any:
        """Kullback-Leibler divergence KL(first || second) in nats.

        Parameters
        ----------
        mu, mu2 : array_like of shape (d,) or (..., d)
            Mean directions.
        kappa, kappa2 : array_like
            Concentrations.

        Returns
        -------
        ndarray or scalar
            Of the shape that all four broadcast to. Never negative, and 0 exactly where both are equal: it is formed
            as ``A(k1) k2 abs(mu - mu2)^2/2 + int_{k1}^{k2} (k2 - t) A'(t) dt``, a sum of positive terms.

        Raises
        ------
        ValueError, TypeError
            As `logpdf`; if the dimensions of `mu` and `mu2` differ.

        Examples
        --------
        >>> from solvent.stats import vonmises_fisher
        >>> mu = [0.6, 0.8]
        >>> float(vonmises_fisher.kl_divergence(mu, 5.0, mu, 5.0))
        0.0
        """
        first, second = check_mu(mu), check_mu(mu2, "mu2")
        d = first.shape[-1]
        if second.shape[-1] != d:
            raise ValueError(f"mu2 has {second.shape[-1]} columns but mu has {d}; expected (..., {d})")
        chord2 = np.square(np.subtract(first, second, dtype=np.float64)).sum(axis=-1)
        k1, k2, c = np.broadcast_arrays(check_kappa(kappa), check_kappa(kappa2, "kappa2"), chord2)
        flat = [np.ascontiguousarray(a, dtype=np.float64).reshape(-1) for a in (k1, k2, c)]
        return _core.stats.vmf_kl_divergence(d, *flat).reshape(c.shape)[()]

    def rvs(
        self,
        mu: ArrayLike | None = None,
        kappa: float = 1,
        size: int | tuple[int, ...] = 1,
        random_state: RandomStateLike | None = None,
        *,
        rng: RNGLike | None = None,
    ) -> NDArray[np.float64]:
        """Random unit vectors.

        Parameters
        ----------
        mu : array_like of shape (d,)
            Mean direction.
        kappa : float, default 1
            Concentration.
        size : int or tuple of ints, default 1
            How many.
        random_state
            Alias of `rng` under SciPy's name; also takes a `numpy.random.RandomState`.
        rng : None, int, Generator or SeedSequence
            Source of the seed; None is fresh entropy.

        Returns
        -------
        ndarray of shape ``size + (d,)``
            float64. An int `size` counts as ``(size,)``.

        Raises
        ------
        ValueError
            If both `rng` and `random_state` are given, `size` is negative, or a parameter is invalid.

        Notes
        -----
        Wood's rejection sampler [1]_ for t = mu.x (d = 2 and d = 3 in closed form), a Gaussian direction of the
        tangent space and one Householder reflection: O(n d). The random numbers are Philox, keyed by (seed, block
        of rows): results do not depend on the number of threads.

        References
        ----------
        .. [1] A. T. A. Wood, "Simulation of the von Mises-Fisher distribution", Communications in Statistics -
           Simulation and Computation 23 (1994) 157-164.

        Examples
        --------
        >>> from solvent.stats import vonmises_fisher
        >>> vonmises_fisher.rvs([1.0, 0.0], 3.0, size=(4, 5), rng=7).shape
        (4, 5, 2)
        """
        direction, concentration = _check_single(mu, kappa)
        return _draw(direction, concentration, size, _seed(random_state, rng))

    @array_function("x", "weights")
    def fit(
        self,
        x: ArrayLike,
        *,
        weights: ArrayLike | None = None,
        tol: float | None = None,
        maxiter: int | None = None,
        workers: int | None = None,
    ) -> VMFFit:
        """Maximum-likelihood mean direction and concentration, with a proven interval for the latter.

        Parameters
        ----------
        x : array_like of shape (n, d)
            Unit rows: norm 1 within 1e-5 (float32: 1e-3).
        weights : array_like of shape (n,), optional
            Finite weights >= 0, not all 0. Default: 1 each.
        tol : float, optional
            Target for the certificate's bound. Default 1e-12, for float32 rows 1e-6. With 0 the interval is made as
            narrow as rounding allows, and `success` says that it was.
        maxiter : int, default 50
            Steps of the scalar search (it takes 3 or 4).
        workers : int, optional
            Threads. The result has the same bits for any number.

        Returns
        -------
        VMFFit
            Unpacks as ``mu, kappa``. Status "degenerate" (kappa = inf) where all rows point the same way and the
            likelihood has no maximum; "rounding_floor" where `tol` is narrower than the data allow.

        Raises
        ------
        ValueError
            If `x` is empty, or a row is not unit or not finite; for invalid weights.
        TypeError
            For complex, object and string input.

        Notes
        -----
        mu = S/abs(S) and A_d(kappa) = R = abs(S)/W, with S and W the weighted sums of rows and weights, which are
        formed in doubled precision on one pass over `x` that also checks it. A_d is strictly increasing; the certificate
        evaluates it below and above kappa by the backward recurrence of the ratios I_v/I_{v-1} in double-double
        arithmetic, started from Amos's bounds [1]_, and requires ``A(lower) < R - dR`` and ``A(upper) > R + dR``.
        Time O(n d), memory O(d).

        References
        ----------
        .. [1] D. E. Amos, "Computation of modified Bessel functions and their ratios", Mathematics of Computation 28
           (1974) 239-251.

        Examples
        --------
        >>> from solvent.stats import vonmises_fisher
        >>> x = vonmises_fisher([0.0, 0.6, 0.8], 50.0).rvs(1000, rng=3)
        >>> mu, kappa = vonmises_fisher.fit(x)
        >>> result = vonmises_fisher.fit(x)
        >>> low, high = result.kappa_interval
        >>> low < kappa < high, result.certificate.bound < 1e-12
        (True, True)
        """
        return _fit.fit(x, weights, tol, maxiter, workers)

    def __repr__(self) -> str:
        return "<distribution solvent.stats.vonmises_fisher>"

    def __reduce__(self) -> str:
        return "vonmises_fisher"


class VonMisesFisherFrozen:
    """The von Mises-Fisher distribution with fixed parameters; made by ``vonmises_fisher(mu, kappa)``.

    Parameters
    ----------
    mu : array_like of shape (d,)
        Mean direction, a unit vector.
    kappa : float, default 1
        Concentration, finite and >= 0.
    seed : None, int, Generator, RandomState or SeedSequence
        Source of random numbers for `rvs`.

    Attributes
    ----------
    mu : ndarray of shape (d,)
    kappa : float

    Examples
    --------
    >>> from solvent.stats import vonmises_fisher
    >>> vonmises_fisher([1.0, 0.0], kappa=4.0)
    vonmises_fisher(mu=array([1., 0.]), kappa=4.0)
    """

    def __init__(
        self, mu: ArrayLike | None = None, kappa: float = 1, seed: RandomStateLike | None = None
    ) -> None:
        direction, self.kappa = _check_single(mu, kappa)
        self.mu = direction.copy()
        self.mu.flags.writeable = False
        # An int or a SeedSequence starts one generator, so that two calls of `rvs` give two samples.
        keeps = seed is None or isinstance(seed, np.random.RandomState)
        self._source: Any = seed if keeps else np.random.default_rng(seed)

    def pdf(self, x: ArrayLike) -> Any:
        """Density at `x`; see `VonMisesFisher.pdf`."""
        return vonmises_fisher.pdf(x, self.mu, self.kappa)

    def logpdf(self, x: ArrayLike) -> Any:
        """Logarithm of the density at `x`; see `VonMisesFisher.logpdf`."""
        return vonmises_fisher.logpdf(x, self.mu, self.kappa)

    def entropy(self) -> Any:
        """Differential entropy; see `VonMisesFisher.entropy`."""
        return vonmises_fisher.entropy(self.mu, self.kappa)

    def mean_resultant_length(self) -> Any:
        """Mean of mu.x; see `VonMisesFisher.mean_resultant_length`."""
        return vonmises_fisher.mean_resultant_length(self.mu, self.kappa)

    def fisher_information(self) -> Any:
        """Fisher information of kappa; see `VonMisesFisher.fisher_information`."""
        return vonmises_fisher.fisher_information(self.mu, self.kappa)

    def kl_divergence(self, other: object) -> Any:
        """KL(self || other); see `VonMisesFisher.kl_divergence`."""
        if not isinstance(other, VonMisesFisherFrozen):
            kind = type(other).__name__
            raise TypeError(f"other is a {kind}; expected a frozen vonmises_fisher distribution")
        return vonmises_fisher.kl_divergence(self.mu, self.kappa, other.mu, other.kappa)

    def rvs(
        self,
        size: int | tuple[int, ...] = 1,
        random_state: RandomStateLike | None = None,
        *,
        rng: RNGLike | None = None,
    ) -> NDArray[np.float64]:
        """Random unit vectors, from the frozen seed where no source is given; see `VonMisesFisher.rvs`."""
        if rng is None and random_state is None:
            random_state = self._source
        return _draw(self.mu, self.kappa, size, _seed(random_state, rng))

    def __repr__(self) -> str:
        return f"vonmises_fisher(mu={self.mu!r}, kappa={self.kappa!r})"


def _of_kappa(function: Any, d: int, kappa: NDArray[Any]) -> NDArray[np.float64]:
    """A function of the core at every kappa."""
    flat = np.ascontiguousarray(kappa, dtype=np.float64).reshape(-1)
    values: NDArray[np.float64] = function(d, flat).reshape(kappa.shape)
    return values


def _statistic(function: Any, mu: ArrayLike | None, kappa: ArrayLike) -> Any:
    """A function of d and kappa, broadcast against `mu`."""
    direction, concentration = check_mu(mu), check_kappa(kappa)
    values = _of_kappa(function, direction.shape[-1], concentration)
    shape = np.broadcast_shapes(direction.shape[:-1], concentration.shape)
    return values[()] if values.shape == shape else np.broadcast_to(values, shape).copy()


def _result_dtype(points: NDArray[Any], mu: NDArray[Any], kappa: Any) -> np.dtype[Any]:
    """float32 where every array is; a Python number for kappa has no say."""
    dtypes = [points.dtype, mu.dtype]
    if isinstance(kappa, np.ndarray | np.generic):
        dtypes.append(kappa.dtype)
    return np.dtype(np.float32 if all(dtype == np.float32 for dtype in dtypes) else np.float64)


def _check_single(mu: ArrayLike | None, kappa: Any) -> tuple[NDArray[Any], float]:
    """One mean direction and one concentration."""
    direction = check_mu(mu)
    if direction.ndim != 1:
        raise ValueError(f"mu has shape {direction.shape}; expected (d,) with d >= 2")
    concentration = check_kappa(kappa)
    if concentration.ndim != 0:
        raise ValueError(f"kappa has shape {concentration.shape}; expected a number")
    return direction, float(concentration)


def _seed(random_state: RandomStateLike | None, rng: RNGLike | None) -> int:
    if random_state is None:
        return seed_from_rng(rng)
    if rng is not None:
        raise ValueError("rng and random_state are both given; expected one of them")
    return seed_from_random_state(random_state)


def _draw(mu: NDArray[Any], kappa: float, size: Any, seed: int) -> NDArray[np.float64]:
    """Rows from stream 0 of the seed."""
    shape = tuple(check_int(n, "size", ge=0) for n in (size if isinstance(size, tuple | list) else (size,)))
    count = math.prod(shape)
    rows = _core.stats.vmf_sample(mu.astype(np.float64), kappa, operator.index(count), seed, 0)
    return rows.reshape(*shape, mu.shape[0])


#: The distribution.
vonmises_fisher = VonMisesFisher()
