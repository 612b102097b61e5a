"""Who solves least squares: ours to two accuracies, SciPy's gelsd and gelsy, NumPy, scikit-learn.

The peers (none is needed to use or test the package): ``pip install scikit-learn==1.9.1``; SciPy and NumPy are there.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benches.peers.contract import Implementation, Problem, Report, Target

Array = NDArray[np.float64]
Call = Callable[[], Any]

TASK, HIGH = "lstsq", "lstsq high"

#: (rows, columns, promised ratio to gelsd).
SHAPES = {
    "tiny": [(2_000, 5, 0.0)],
    "quick": [(200_000, 50, 12.0), (50_000, 100, 10.0), (20_000, 300, 8.0), (8_000, 1000, 5.0)],
    "full": [(1_000_000, 50, 12.0), (100_000, 100, 10.0), (200_000, 300, 8.0), (50_000, 1000, 5.0)],
}


@dataclasses.dataclass(frozen=True)
class Sample:
    """Rows of a known condition number, right sides with a small residual."""

    a: Array
    b: Array


@dataclasses.dataclass(frozen=True)
class Fit:
    """Coefficients, and the bound where there is one."""

    x: Array
    bound: float | None = None


@functools.lru_cache(maxsize=1)
def make(n: int, d: int, cond: float = 1e6, beta: float = 1e-3) -> Sample:
    """``A = N diag(s) V^T / sqrt(n)``, N normal: condition `cond` within a factor (1 + sqrt(d/n))/(1 - sqrt(d/n))."""
    rng = np.random.default_rng(n + d)
    v = np.linalg.qr(rng.standard_normal((d, d)))[0]
    a = rng.standard_normal((n, d)) @ (np.logspace(0, -np.log10(cond), d)[:, None] * v.T / np.sqrt(n))
    x = rng.standard_normal(d)
    x /= np.linalg.norm(x)
    return Sample(np.ascontiguousarray(a), a @ x + beta / np.sqrt(n) * rng.standard_normal(n))


def _digest(data: Sample, answer: Fit) -> dict[str, Any]:
    """Karlson and Walden's estimate of the backward error, relative to the Frobenius norm of A."""
    x = np.asarray(answer.x, dtype=float)
    if not np.isfinite(x).all():
        return {"error": float("nan"), "nonfinite": int((~np.isfinite(x)).sum())}
    size, theta = np.linalg.norm(data.a), np.linalg.norm(data.a) / np.linalg.norm(data.b)
    # In pieces: a long double copy of all rows would be twice the data.
    cuts = [slice(i, i + 10_000) for i in range(0, len(data.a), 10_000)]
    wide = x.astype(np.longdouble)
    r = np.concatenate([(data.b[s] - data.a[s].astype(np.longdouble) @ wide).astype(float) for s in cuts])
    t = 1 / np.hypot(1 / theta, np.linalg.norm(x))
    values, vectors = np.linalg.eigh(data.a.T @ data.a)
    g = vectors.T @ (data.a.T @ r)
    damped = np.sqrt(np.maximum(values, 0) + (t * np.linalg.norm(r)) ** 2)
    return {"error": float(t * np.linalg.norm(g / damped) / size), "nonfinite": 0}


def problems(size: str) -> list[Problem]:
    """The four shapes, to the backward error and to twice the precision."""
    out = []
    for task in (TASK, HIGH):
        for n, d, _ in SHAPES[size]:
            out.append(
                Problem(
                    task, f"{n}x{d}", n, functools.partial(make, n, d), _digest,
                    lambda digest: float(digest["error"]), unit="row", limit=1e-10,
                )
            )  # fmt: skip
    return out


def _ours(data: Sample, **keywords: Any) -> Call:
    from solvent.regression import lstsq

    def call() -> Fit:
        result = lstsq(data.a, data.b, **keywords)
        certificate = result.certificate
        return Fit(result.x, None if certificate is None else certificate.bound)

    return call


def _high(data: Sample) -> Call:
    return _ours(data, accuracy="high")


def _scipy(data: Sample, driver: str) -> Call:
    import scipy.linalg

    return lambda: Fit(scipy.linalg.lstsq(data.a, data.b, lapack_driver=driver, check_finite=False)[0])


def _numpy(data: Sample) -> Call:
    return lambda: Fit(np.linalg.lstsq(data.a, data.b, rcond=None)[0])


def _lsmr(data: Sample) -> Call:
    import scipy.sparse.linalg

    # Its own tolerances: at condition 1e6 it ends where they say, or at as many steps as there are columns.
    return lambda: Fit(scipy.sparse.linalg.lsmr(data.a, data.b, atol=1e-14, btol=1e-14)[0])


def _sklearn(data: Sample) -> Call:
    from sklearn.linear_model import LinearRegression

    model = LinearRegression(fit_intercept=False, tol=1e-15)
    return lambda: Fit(model.fit(data.a, data.b).coef_)


def _bound(task: str, data: Sample, answer: Fit) -> float | None:
    return answer.bound


_GELSD, _GELSY = (functools.partial(_scipy, driver=driver) for driver in ("gelsd", "gelsy"))

LEAST_SQUARES = [
    Implementation("solvent lstsq", {TASK: _ours, HIGH: _high}, ours=True, certificate=_bound),
    Implementation("scipy gelsd", {TASK: _GELSD, HIGH: _GELSD}),
    Implementation("scipy gelsy", {TASK: _GELSY}),
    Implementation("numpy lstsq", {TASK: _numpy}),
    Implementation("scipy lsmr", {TASK: _lsmr}),
    Implementation("scikit-learn", {TASK: _sklearn}, packages=("scikit-learn",)),
]
"""Everyone who takes part."""


def targets(report: Report) -> Iterable[Target]:
    """Ratios to gelsd, one thread, at the largest size of each shape that was run."""
    promised = {f"{n}x{d}": ratio for size in ("quick", "full") for n, d, ratio in SHAPES[size]}
    for task, number in ((TASK, "1"), (HIGH, "3")):
        for problem, ratio in promised.items():
            bar = ratio if task == TASK else 2.0
            found = report.ratio(
                {"implementation": "scipy gelsd"}, {"ours": True}, task=task, problem=problem, threads=1
            )
            if found is not None:
                figure = f"{task} {problem}, gelsd over ours"
                yield Target(number, figure, f">= {bar:g}x", f"{found[0]:.1f}x", found[0] >= bar)
