"""Mixtures of von Mises-Fisher distributions: the estimator."""

import math
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from solvent import _core
from solvent._result import Certificate
from solvent._rng import RandomStateLike, seed_from_random_state
from solvent._validate import as_float_array, check_choice, check_int, check_scalar, check_workers

from ._estimator import Base, check_fitted, check_rows, check_sample_weight
from ._state import MixtureState

__all__ = ["VonMisesFisherMixture"]


class VonMisesFisherMixture(Base):
    r"""Mixture of von Mises-Fisher distributions, fitted by expectation-maximisation.

    Clusters directions: text or image embeddings, wind, gene expression profiles. The density of a unit row x is
    ``sum_j w_j C_d(k_j) exp(k_j mu_j.x)``.

    Parameters
    ----------
    n_components : int, default 1
        Number of components.
    assignment : {"soft", "hard"}, default "soft"
        EM, or classification EM (each row counts for its most probable component alone).
    concentration : {"full", "tied"}, default "full"
        One concentration each, or one for all.
    init : {"k-means++", "random"} or array_like of shape (n_components, d), default "k-means++"
        First means: rows spread out on 1 - cos, random rows, or the given directions.
    n_init : int, default 1
        Starts; the one that ends at the greatest likelihood is kept.
    max_iter : int, default 100
        Sweeps over the rows, per start.
    tol : float, default 1e-6
        ``converged_`` is ``certificate_.bound <= tol``. 0 uses all sweeps.
    kappa_max : float, optional
        A component that collapses on one point (rows equal to the rounding of their mean) is held at this
        concentration and flagged in ``degenerate_``. Default (d - 1) / (4 eps), eps = 2^-52.
    min_weight : float, optional
        A lighter component is re-seeded at the row that the mixture explains worst, at most `n_components` times a
        start; the likelihood may fall at that sweep, and at no other. Default 1/n.
    normalize : bool, default False
        Scale every row to norm 1, here and in prediction (the data are not copied). False demands unit rows.
    step_decay : float, default 0.6
        In (0.5, 1]: `partial_fit` takes its t-th batch with weight (t + 2)^(-step_decay).
    warm_start : bool, default False
        Begin `fit` at the present parameters.
    random_state : None, int, RandomState, Generator or SeedSequence
        Source of the random numbers of `init` and `sample`.
    workers : int, optional
        Threads. Results have the same bits for any number.
    verbose : int, default 0
        Print every sweep.

    Attributes
    ----------
    weights_ : ndarray of shape (n_components,)
        Mixing weights.
    means_ : ndarray of shape (n_components, d)
        Mean directions.
    concentrations_ : ndarray of shape (n_components,)
        Concentrations.
    degenerate_ : ndarray of bool of shape (n_components,)
        Components held at `kappa_max`.
    lower_bounds_ : ndarray of shape (sweeps,)
        Mean log-likelihood of the rows after each sweep (hard: of the assigned components alone). It never falls,
        up to rounding.
    lower_bound_ : float
        The last of them.
    converged_ : bool
        Whether ``certificate_.bound <= tol``.
    n_iter_ : int
        Sweeps of the start that was kept; batches after `partial_fit`.
    n_features_in_ : int
        Dimension d.
    certificate_ : Certificate or None
        Kind "stationarity", not rigorous: the largest change that one more sweep over the same rows would make, of a
        weight (over max(weight, 1/n)), a mean (norm) or a concentration (over max(kappa, d/100)). It says that EM
        has come to rest, not that the maximum is the greatest. None after `partial_fit`, which has no fixed rows;
        `certify` judges the model on any rows.

    Notes
    -----
    EM as in Banerjee et al. [1]_, with the exact root of A_d(kappa) = abs(S_j)/N_j in place of their approximation.
    A sweep is one pass over the rows in blocks that stay in L2: O(n k d) time, O(k d) memory a thread.

    References
    ----------
    .. [1] A. Banerjee, I. S. Dhillon, J. Ghosh, S. Sra, "Clustering on the unit hypersphere using von Mises-Fisher
       distributions", Journal of Machine Learning Research 6 (2005) 1345-1382.

    Examples
    --------
    >>> import numpy as np
    >>> from solvent.stats import VonMisesFisherMixture, vonmises_fisher
    >>> x = np.concatenate([vonmises_fisher(mu, 80.0).rvs(200, rng=5) for mu in np.eye(50)[:3]])
    >>> mixture = VonMisesFisherMixture(3, random_state=0).fit(x)
    >>> mixture.converged_, mixture.certificate_.bound <= 1e-6
    (True, True)
    >>> [len(set(labels)) for labels in mixture.predict(x).reshape(3, 200).tolist()]
    [1, 1, 1]
    """

    weights_: NDArray[np.float64]
    means_: NDArray[np.float64]
    concentrations_: NDArray[np.float64]
    degenerate_: NDArray[np.bool_]
    lower_bounds_: NDArray[np.float64]
    lower_bound_: float
    converged_: bool
    n_iter_: int
    n_features_in_: int
    certificate_: Certificate | None

    def __init__(
        self,
        n_components: int = 1,
        *,
        assignment: Literal["soft", "hard"] = "soft",
        concentration: Literal["full", "tied"] = "full",
        init: Any = "k-means++",
        n_init: int = 1,
        max_iter: int = 100,
        tol: float = 1e-6,
        kappa_max: float | None = None,
        min_weight: float | None = None,
        normalize: bool = False,
        step_decay: float = 0.6,
        warm_start: bool = False,
        random_state: RandomStateLike | None = None,
        workers: int | None = None,
        verbose: int = 0,
    ) -> None:
        self.n_components = n_components
        self.assignment = assignment
        self.concentration = concentration
        self.init = init
        self.n_init = n_init
        self.max_iter = max_iter
        self.tol = tol
        self.kappa_max = kappa_max
        self.min_weight = min_weight
        self.normalize = normalize
        self.step_decay = step_decay
        self.warm_start = warm_start
        self.random_state = random_state
        self.workers = workers
        self.verbose = verbose

    # --- fitting ----------------------------------------------------------------------------------------------

    def fit(
        self,
        X: ArrayLike,
        y: Any = None,  # noqa: ARG002 (scikit-learn's protocol)
        sample_weight: ArrayLike | None = None,
    ) -> Self:
        """Fit the mixture.

        Parameters
        ----------
        X : array_like of shape (n, d)
            Unit rows, or any rows but zero with ``normalize=True``.
        y : ignored
        sample_weight : array_like of shape (n,), optional
            Finite weights >= 0.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            If a row or a parameter is invalid.
        """
        rows, weights = self._check(X, sample_weight, reset=True)
        n, d = rows.shape
        k = self._check_components(n)
        rule = self._rule(d)
        warm = self._parts() if self.warm_start and self._has_model(k, d) else None
        least = (
            1.0 / n if self.min_weight is None else check_scalar(self.min_weight, "min_weight", ge=0, lt=1)
        )
        raw = _core.stats.mixture_fit(
            rows,
            weights,
            n_components=k,
            **rule,
            **self._start(d, k),
            n_init=check_int(self.n_init, "n_init", ge=1),
            max_iter=check_int(self.max_iter, "max_iter", ge=1),
            tol=check_scalar(self.tol, "tol", ge=0),
            min_weight=least,
            warm=warm,
            workers=check_workers(self.workers),
            callback=_print_sweep if self.verbose else None,
        )
        self._hold(raw)
        self.lower_bounds_ = raw["lower_bounds"]
        self.lower_bound_ = float(self.lower_bounds_[-1])
        self.n_iter_ = int(raw["nit"])
        self.certificate_ = Certificate.from_core(raw["certificate"])
        self.converged_ = self.certificate_.bound <= self.tol
        self._running: MixtureState | None = None
        self._batches = 0
        return self

    def partial_fit(
        self,
        X: ArrayLike,
        y: Any = None,  # noqa: ARG002 (scikit-learn's protocol)
        sample_weight: ArrayLike | None = None,
    ) -> Self:
        """Take in one batch: one E step on it, and an M step from the running mean of the statistics.

        The running mean of (S_j, N_j) moves by ``a_t = (t + 2)^(-step_decay)`` towards the mean over the t-th batch;
        the first batch also makes the first model, by `init`. After `fit`, it goes on from the fitted model.

        Parameters
        ----------
        X, y, sample_weight
            As for `fit`.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            As `fit`.
        """
        fitted = hasattr(self, "weights_")
        rows, weights = self._check(X, sample_weight, reset=not fitted)
        n, d = rows.shape
        decay = check_scalar(self.step_decay, "step_decay", gt=0.5, le=1)
        rule = self._rule(d)
        if not fitted:
            k = self._check_components(n)
            start, workers = self._start(d, k), check_workers(self.workers)
            self._hold(
                _core.stats.mixture_init(rows, weights, n_components=k, **rule, **start, workers=workers)
            )
            self._running, self._batches, self.lower_bounds_ = None, 0, np.empty(0)
        elif self._running is None:
            # What the statistics of one row are on average at a fixed point of EM.
            r = _core.stats.vmf_mean_resultant_length(d, self.concentrations_)
            sums = (self.weights_ * r)[:, np.newaxis] * self.means_
            self._running, self._batches = MixtureState(sums, self.weights_, 1.0, self.lower_bound_), 1
        batch = self._state(rows, weights).mean()
        share = (self._batches + 2.0) ** -decay
        self._running = batch if self._running is None else self._running.blended(batch, share)
        self._batches += 1
        self.maximization(self._running)
        self.lower_bounds_ = np.append(self.lower_bounds_, batch.log_likelihood)
        self.lower_bound_ = float(batch.log_likelihood)
        self.n_iter_, self.converged_, self.certificate_ = self._batches, False, None
        return self

    def expectation(self, X: ArrayLike, sample_weight: ArrayLike | None = None) -> MixtureState:
        """The E step: statistics of `X` under the present model, which add up over disjoint rows.

        Parameters
        ----------
        X, sample_weight
            As for `fit`.

        Returns
        -------
        MixtureState

        Examples
        --------
        >>> import numpy as np
        >>> from solvent.stats import VonMisesFisherMixture, vonmises_fisher
        >>> x = vonmises_fisher(np.eye(8)[0], 5.0).rvs(90, rng=2)
        >>> mixture = VonMisesFisherMixture(2, random_state=0).fit(x)
        >>> parts = [mixture.expectation(part) for part in np.split(x, 3)]
        >>> np.allclose(sum(parts).sums, mixture.expectation(x).sums, rtol=1e-13)
        True
        """
        check_fitted(self)
        rows, weights = self._check(X, sample_weight, reset=False)
        return self._state(rows, weights)

    def maximization(self, state: MixtureState) -> Self:
        """The M step: replace the model by the one of greatest expected likelihood under `state`.

        Parameters
        ----------
        state : MixtureState
            Sum of what `expectation` gave for the rows.

        Returns
        -------
        self
        """
        check_fitted(self)
        rule = self._rule(self.means_.shape[1])
        self._hold(
            _core.stats.mixture_maximization(
                state.sums, state.counts, self._parts(), rule["concentration"], rule["kappa_max"]
            )
        )
        return self

    def certify(self, X: ArrayLike, sample_weight: ArrayLike | None = None) -> Certificate:
        """Judge the model that the estimator holds now on the rows `X`: one sweep.

        Parameters
        ----------
        X, sample_weight
            As for `fit`.

        Returns
        -------
        Certificate
            As ``certificate_``.
        """
        check_fitted(self)
        rows, weights = self._check(X, sample_weight, reset=False)
        raw = _core.stats.mixture_certify(
            rows,
            weights,
            **self._rule(rows.shape[1]),
            parts=self._parts(),
            workers=check_workers(self.workers),
        )
        return Certificate.from_core(raw)

    # --- using the fit ----------------------------------------------------------------------------------------

    def score_samples(self, X: ArrayLike) -> NDArray[np.float64]:
        """Log-density of every row, shape (n,)."""
        return self._evaluate(X, posteriors=False)[0]

    def score(self, X: ArrayLike, y: Any = None) -> float:  # noqa: ARG002 (scikit-learn's protocol)
        """Mean log-density of the rows."""
        return float(np.mean(self.score_samples(X)))

    def predict_proba(self, X: ArrayLike) -> NDArray[np.float64]:
        """Posterior of every component for every row, shape (n, k)."""
        posteriors = self._evaluate(X, posteriors=True)[1]
        assert posteriors is not None
        return posteriors

    def predict(self, X: ArrayLike) -> NDArray[np.intp]:
        """The most probable component of every row, shape (n,)."""
        labels: NDArray[np.intp] = np.argmax(self.predict_proba(X), axis=1)
        return labels

    def fit_predict(
        self, X: ArrayLike, y: Any = None, sample_weight: ArrayLike | None = None
    ) -> NDArray[np.intp]:
        """`fit`, then `predict` on the same rows."""
        return self.fit(X, y, sample_weight).predict(X)

    def sample(self, n_samples: int = 1) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
        """Draw from the mixture.

        Parameters
        ----------
        n_samples : int, default 1
            How many.

        Returns
        -------
        X : ndarray of shape (n_samples, d)
            Unit rows, component by component.
        y : ndarray of shape (n_samples,)
            Their components.
        """
        check_fitted(self)
        n = check_int(n_samples, "n_samples", ge=1)
        seed = seed_from_random_state(self.random_state)
        counts = np.random.default_rng(seed).multinomial(n, self.weights_ / self.weights_.sum())
        parts = [
            _core.stats.vmf_sample(mean, float(kappa), int(count), seed, 1 + j)
            for j, (mean, kappa, count) in enumerate(
                zip(self.means_, self.concentrations_, counts, strict=True)
            )
        ]
        return np.concatenate(parts), np.repeat(np.arange(len(counts)), counts)

    def bic(self, X: ArrayLike) -> float:
        """Bayesian information criterion on `X`; the lower the better."""
        density = self.score_samples(X)
        return -2.0 * float(density.sum()) + self._n_parameters() * math.log(len(density))

    def aic(self, X: ArrayLike) -> float:
        """Akaike's information criterion on `X`; the lower the better."""
        return -2.0 * float(self.score_samples(X).sum()) + 2.0 * self._n_parameters()

    # --- inside -----------------------------------------------------------------------------------------------

    def _n_parameters(self) -> int:
        k, d = (int(n) for n in self.means_.shape)
        return (k - 1) + k * (d - 1) + (1 if self.concentration == "tied" else k)

    def _check(
        self, X: ArrayLike, sample_weight: ArrayLike | None, *, reset: bool
    ) -> tuple[NDArray[Any], NDArray[np.float64] | None]:
        rows = check_rows(self, X, reset=reset)
        return rows, check_sample_weight(sample_weight, len(rows))

    def _check_components(self, n: int) -> int:
        k = check_int(self.n_components, "n_components")
        if not 1 <= k <= n:
            raise ValueError(f"n_components = {k}; expected an integer in 1..{n} (X has {n} rows)")
        return k

    def _rule(self, d: int) -> dict[str, Any]:
        """What every E or M step needs to know."""
        limit = (
            (d - 1) * 2.0**50 if self.kappa_max is None else check_scalar(self.kappa_max, "kappa_max", gt=0)
        )
        return {
            "normalize": bool(self.normalize),
            "assignment": check_choice(self.assignment, "assignment", ("soft", "hard")),
            "concentration": check_choice(self.concentration, "concentration", ("full", "tied")),
            "kappa_max": limit,
        }

    def _start(self, d: int, k: int) -> dict[str, Any]:
        """How the first model is found."""
        seed = seed_from_random_state(self.random_state)
        if isinstance(self.init, str):
            return {
                "init": check_choice(self.init, "init", ("k-means++", "random")),
                "means_init": None,
                "seed": seed,
            }
        if self.init is None or np.ndim(self.init) == 0:
            expected = f"'k-means++', 'random' or an array of shape ({k}, {d})"
            raise ValueError(f"init = {self.init!r}; expected {expected}")
        means = as_float_array(self.init, "init").astype(np.float64)
        if means.shape != (k, d):
            raise ValueError(
                f"init has shape {means.shape} but there are {k} components in {d} dimensions; expected ({k}, {d})"
            )
        norms = np.linalg.norm(means, axis=1)
        if not norms.all():
            raise ValueError(f"init[{int(np.argmin(norms))}] has norm 0; expected a direction")
        return {"init": "array", "means_init": means / norms[:, np.newaxis], "seed": seed}

    def _has_model(self, k: int, d: int) -> bool:
        return hasattr(self, "means_") and self.means_.shape == (k, d)

    def _parts(self) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        return self.weights_, self.means_, self.concentrations_

    def _hold(self, raw: dict[str, Any]) -> None:
        self.weights_, self.means_ = raw["weights"], raw["means"]
        self.concentrations_, self.degenerate_ = raw["concentrations"], raw["degenerate"]

    def _state(self, rows: NDArray[Any], weights: NDArray[np.float64] | None) -> MixtureState:
        rule = self._rule(rows.shape[1])
        return MixtureState(
            *_core.stats.mixture_expectation(
                rows,
                weights,
                rule["normalize"],
                rule["assignment"],
                self._parts(),
                check_workers(self.workers),
            )
        )

    def _evaluate(
        self, X: ArrayLike, *, posteriors: bool
    ) -> tuple[NDArray[np.float64], NDArray[np.float64] | None]:
        check_fitted(self)
        rows = check_rows(self, X, reset=False)
        return _core.stats.mixture_evaluate(
            rows, bool(self.normalize), self._parts(), posteriors, check_workers(self.workers)
        )


def _print_sweep(info: Any) -> None:
    print(f"sweep {info.nit}: mean log-likelihood {info.lower_bound:.10g}, change {info.bound:.3g}")
