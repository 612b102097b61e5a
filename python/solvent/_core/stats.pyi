"""Directional statistics."""

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "mixture_certify",
    "mixture_evaluate",
    "mixture_expectation",
    "mixture_fit",
    "mixture_init",
    "mixture_maximization",
    "vmf_certify",
    "vmf_cosines",
    "vmf_entropy",
    "vmf_fit",
    "vmf_kl_divergence",
    "vmf_log_peak",
    "vmf_mean_resultant_length",
    "vmf_sample",
    "vmf_variance",
]

_Vector: TypeAlias = NDArray[np.float64]
_Weights: TypeAlias = NDArray[np.float64] | None
_Parts: TypeAlias = tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]

def vmf_log_peak(d: int, kappa: _Vector) -> _Vector: ...
def vmf_entropy(d: int, kappa: _Vector) -> _Vector: ...
def vmf_mean_resultant_length(d: int, kappa: _Vector) -> _Vector: ...
def vmf_variance(d: int, kappa: _Vector) -> _Vector: ...
def vmf_kl_divergence(d: int, kappa: _Vector, kappa2: _Vector, chord2: _Vector) -> _Vector: ...
def vmf_cosines(x: NDArray[Any], mu: _Vector) -> _Vector: ...
def vmf_fit(
    x: NDArray[Any], weights: _Weights, tol: float, maxiter: int, workers: int | None
) -> dict[str, Any]: ...
def vmf_certify(x: NDArray[Any], weights: _Weights, mu: _Vector, kappa: float) -> dict[str, Any]: ...
def vmf_sample(mu: _Vector, kappa: float, n: int, seed: int, stream: int) -> _Vector: ...
def mixture_fit(
    x: NDArray[Any],
    sample_weight: _Weights,
    *,
    normalize: bool,
    n_components: int,
    assignment: str,
    concentration: str,
    kappa_max: float,
    init: str,
    means_init: NDArray[np.float64] | None,
    n_init: int,
    max_iter: int,
    tol: float,
    min_weight: float,
    seed: int,
    warm: _Parts | None,
    workers: int | None,
    callback: Any,
) -> dict[str, Any]: ...
def mixture_init(
    x: NDArray[Any],
    sample_weight: _Weights,
    *,
    normalize: bool,
    n_components: int,
    assignment: str,
    concentration: str,
    kappa_max: float,
    init: str,
    means_init: NDArray[np.float64] | None,
    seed: int,
    workers: int | None,
) -> dict[str, Any]: ...
def mixture_expectation(
    x: NDArray[Any],
    sample_weight: _Weights,
    normalize: bool,
    assignment: str,
    parts: _Parts,
    workers: int | None,
) -> tuple[NDArray[np.float64], _Vector, float, float]: ...
def mixture_maximization(
    sums: NDArray[np.float64], counts: _Vector, parts: _Parts, concentration: str, kappa_max: float
) -> dict[str, Any]: ...
def mixture_certify(
    x: NDArray[Any],
    sample_weight: _Weights,
    *,
    normalize: bool,
    assignment: str,
    concentration: str,
    kappa_max: float,
    parts: _Parts,
    workers: int | None,
) -> dict[str, Any]: ...
def mixture_evaluate(
    x: NDArray[Any], normalize: bool, parts: _Parts, posteriors: bool, workers: int | None
) -> tuple[_Vector, NDArray[np.float64] | None]: ...
