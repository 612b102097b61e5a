"""von Mises-Fisher problems: a fit against one pass over memory and SciPy, samples, densities, and mixtures."""

from __future__ import annotations

import dataclasses
import functools
import itertools
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benches.peers.contract import Implementation, Problem
from benches.peers.special import mixture_em, oracle
from benches.peers.special.oracle import Array

Call = Callable[[], Any]


@dataclasses.dataclass(frozen=True)
class Rows:
    """Unit rows around planted directions, with the parameters that densities and samples use."""

    x: Array
    mu: Array
    kappa: float
    labels: NDArray[np.intp]
    copies: int = 1


def unit_rows(n: int, d: int, pull: float, seed: int, components: int = 1) -> Rows:
    """Normalised Gaussian rows around `components` random directions (`pull` times the noise's own length)."""
    rng = np.random.default_rng(seed)
    mu = rng.standard_normal((components, d))
    mu /= np.linalg.norm(mu, axis=1, keepdims=True)
    labels = np.arange(n) % components
    x = rng.standard_normal((n, d))
    x += (pull * math.sqrt(d)) * mu[labels]
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    return Rows(x, mu, 0.5 * d, labels)


# --- fit ---------------------------------------------------------------------------------------------------------------


def _cycled(function: Callable[[Array], Any], data: Rows) -> Call:
    """Call after call on the next copy of x: with more copies than the caches hold, every call reads memory."""
    copies = itertools.cycle([data.x, *(data.x.copy() for _ in range(data.copies - 1))])
    return lambda: function(next(copies))


def _ours_fit(data: Rows) -> Call:
    from solvent.stats import vonmises_fisher

    return _cycled(vonmises_fisher.fit, data)


def _scipy_fit(data: Rows) -> Call:
    from scipy.stats import vonmises_fisher

    return _cycled(vonmises_fisher.fit, data)


def _memory_pass(data: Rows) -> Call:
    """One read of every double: the BLAS dot of the flat array with itself (both operands are one load)."""
    return _cycled(lambda x: float(np.dot(x.ravel(), x.ravel())), data)


def _digest_fit(data: Rows, answer: Any) -> dict[str, Any]:
    _, kappa = answer
    return {"kappa": float(kappa), "nonfinite": int(not math.isfinite(kappa))}


@functools.cache
def _exact_kappa(n: int, d: int, pull: float, seed: int) -> float:
    x = unit_rows(n, d, pull, seed).x
    sums = [math.fsum(column) for column in x.T]
    return oracle.kappa_mle(d, math.sqrt(math.fsum(s * s for s in sums)) / n)


def _judge_fit(digested: dict[str, Any], arguments: tuple[int, int, float, int]) -> float:
    kappa = digested["kappa"]
    if not math.isfinite(kappa):
        return float("nan")
    exact = _exact_kappa(*arguments)
    return float(abs(kappa - exact) / exact)


# --- rvs ---------------------------------------------------------------------------------------------------------------

_DRAWS = 50


def _ours_rvs(data: Rows) -> Call:
    from solvent.stats import vonmises_fisher

    return lambda: vonmises_fisher.rvs(data.mu[0], data.kappa, size=_DRAWS, rng=7)


def _scipy_rvs(data: Rows) -> Call:
    from scipy.stats import vonmises_fisher

    return lambda: vonmises_fisher.rvs(data.mu[0], data.kappa, size=_DRAWS, random_state=7)


def _digest_rvs(data: Rows, answer: Any) -> dict[str, Any]:
    rows = np.asarray(answer)
    norms = np.linalg.norm(rows, axis=-1)
    return {"nonfinite": int(np.count_nonzero(~np.isfinite(rows))), "norm": float(np.max(np.abs(norms - 1)))}


# --- logpdf ------------------------------------------------------------------------------------------------------------

_DENSITIES = 50


def _ours_logpdf(data: Rows) -> Call:
    from solvent.stats import vonmises_fisher

    return lambda: vonmises_fisher.logpdf(data.x, data.mu[0], data.kappa)


def _scipy_logpdf(data: Rows) -> Call:
    from scipy.stats import vonmises_fisher

    return lambda: vonmises_fisher.logpdf(data.x, data.mu[0], data.kappa)


def _digest_logpdf(data: Rows, answer: Any) -> dict[str, Any]:
    values = np.asarray(answer)
    return {"nonfinite": int(np.count_nonzero(~np.isfinite(values))), "values": values[:_DENSITIES].tolist()}


@functools.cache
def _exact_logpdf(n: int, d: int, pull: float, seed: int) -> oracle.Pair:
    data = unit_rows(n, d, pull, seed)
    constant = oracle.log_vmf_constant(d, data.kappa)
    # Products in long double: their own error is 2^-11 of a double's.
    wide = data.x[:_DENSITIES].astype(np.longdouble) @ data.mu[0].astype(np.longdouble)
    exact = np.longdouble(constant) + np.longdouble(data.kappa) * wide
    hi = exact.astype(np.float64)
    return hi, (exact - hi).astype(np.float64)


def _judge_logpdf(digested: dict[str, Any], arguments: tuple[int, int, float, int]) -> float:
    return oracle.mixed_error(np.array(digested["values"]), _exact_logpdf(*arguments))


# --- mixture -----------------------------------------------------------------------------------------------------------

_SWEEPS = 10


def _start(data: Rows) -> Array:
    """Directions 45 degrees off the planted ones: the same start for everybody."""
    off = np.random.default_rng(9).standard_normal(data.mu.shape)
    start = data.mu + off / np.linalg.norm(off, axis=1, keepdims=True)
    directions: Array = start / np.linalg.norm(start, axis=1, keepdims=True)
    return directions


def _ours_mixture(data: Rows) -> Call:
    from solvent.stats import VonMisesFisherMixture

    start = _start(data)

    def call() -> Any:
        model = VonMisesFisherMixture(len(start), init=start, max_iter=_SWEEPS, tol=0.0, random_state=0)
        return model.fit(data.x)

    return call


def _numpy_mixture(data: Rows) -> Call:
    start = _start(data)
    return lambda: mixture_em.fit(data.x, start, _SWEEPS)


def _digest_mixture(data: Rows, answer: Any) -> dict[str, Any]:
    nonfinite = int(
        np.count_nonzero(~np.isfinite(answer.means_)) + np.count_nonzero(~np.isfinite(answer.concentrations_))
    )
    closeness = np.einsum("kd,kd->k", np.asarray(answer.means_), data.mu)
    labels = np.argmax(data.x @ np.asarray(answer.means_).T, axis=1)
    return {
        "nonfinite": nonfinite,
        "misplaced": float(np.mean(labels != data.labels)),
        "sweeps": int(answer.n_iter_),
        "closeness": float(closeness.min()),
    }


# --- lists -------------------------------------------------------------------------------------------------------------

_SHAPES: dict[str, dict[str, tuple[int, int]]] = {
    "tiny": {"vmf_fit": (50, 32), "vmf_rvs": (4, 16), "vmf_logpdf": (60, 32)},
    "quick": {"vmf_fit": (1000, 2048), "vmf_rvs": (4, 1024), "vmf_logpdf": (2000, 1024)},
    "full": {"vmf_fit": (1000, 2048), "vmf_rvs": (4, 1024), "vmf_logpdf": (10_000, 1024)},
}
_UNCACHED = 160_000_000
"""Bytes that no cache holds."""
_MIXTURES = {"tiny": [(90, 8, 3)], "quick": [(1200, 64, 4)], "full": [(1200, 64, 4), (20_000, 256, 16)]}


def _with_copies(make: Callable[[], Rows], copies: int) -> Rows:
    return dataclasses.replace(make(), copies=copies)


def problems(size: str) -> Sequence[Problem]:
    """Every directional problem of a size."""
    shapes, found = _SHAPES[size], []
    judged = {
        "vmf_fit": (_digest_fit, _judge_fit),
        "vmf_logpdf": (_digest_logpdf, _judge_logpdf),
    }
    for task, (n, d) in shapes.items():
        arguments = (n, d, 0.3, 201)
        make = functools.partial(unit_rows, *arguments)
        if task == "vmf_rvs":
            found.append(
                Problem(task, f"d={d}", _DRAWS, make, _digest_rvs, lambda digested: digested["norm"], "row")
            )
        else:
            digest, judge = judged[task]
            judging = functools.partial(judge, arguments=arguments)
            found.append(Problem(task, f"d={d}", n, make, digest, judging, "row"))
        if task == "vmf_fit" and size != "tiny":
            # The same rows, but never in a cache: what "one pass over memory" means.
            copies = 1 + _UNCACHED // (8 * n * d)
            cold = functools.partial(_with_copies, make, copies)
            found.append(Problem(task, f"d={d} uncached", n, cold, digest, judging, "row"))
    for n, d, k in _MIXTURES[size]:
        make = functools.partial(unit_rows, n, d, 1.2, 202, components=k)
        name = f"d={d} k={k} {_SWEEPS} sweeps"
        found.append(
            Problem("mixture", name, n, make, _digest_mixture, lambda digested: digested["misplaced"], "row")
        )
    return found


def _fit_certificate(task: str, data: Any, answer: Any) -> float | None:
    if task == "vmf_fit":
        return float(answer.certificate.bound)
    return float(answer.certificate_.bound) if task == "mixture" else None


DIRECTIONAL = [
    Implementation(
        "solvent stats",
        {"vmf_fit": _ours_fit, "vmf_rvs": _ours_rvs, "vmf_logpdf": _ours_logpdf, "mixture": _ours_mixture},
        ours=True,
        process="solvent",
        packages=("solvent",),
        certificate=_fit_certificate,
    ),
    Implementation(
        "scipy.stats",
        {"vmf_fit": _scipy_fit, "vmf_rvs": _scipy_rvs, "vmf_logpdf": _scipy_logpdf},
        packages=("scipy",),
    ),
    Implementation(
        "memory pass",
        {"vmf_fit": _memory_pass},
        judged=False,
        note="yardstick: one read of x (BLAS dot of x with itself)",
    ),
    Implementation(
        "numpy EM", {"mixture": _numpy_mixture}, packages=("numpy", "scipy"), note="spherecluster-like EM"
    ),
]
