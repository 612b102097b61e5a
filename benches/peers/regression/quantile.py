"""Who fits quantiles: ours, scikit-learn by HiGHS, statsmodels by reweighting, pinball-qr's three methods, pyqreg.

The peers (none is needed to use or test the package):
``pip install scikit-learn==1.9.1 statsmodels==0.15.0 pinball-qr==1.0.0 pyqreg2==0.5.1``.
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

TASK = "quantile"


@dataclasses.dataclass(frozen=True)
class Sample:
    """Rows whose first column is ones, right sides with t(2) noise, a level."""

    a: Array
    b: Array
    tau: float


@dataclasses.dataclass(frozen=True)
class Fit:
    """Coefficients, and the bound where there is one."""

    x: Array
    bound: float | None = None


def _make(n: int, d: int, tau: float) -> Sample:
    rng = np.random.default_rng(n + d)
    a = rng.standard_normal((n, d))
    a[:, 0] = 1
    return Sample(a, a @ rng.standard_normal(d) + rng.standard_t(2, n), tau)


def _loss(data: Sample, x: Any) -> float:
    r = (data.b - data.a @ np.asarray(x, dtype=float)).astype(np.longdouble)
    tau = np.longdouble(data.tau)
    return float(np.maximum(tau * r, (tau - 1) * r).sum())


def _digest(data: Sample, answer: Fit) -> dict[str, Any]:
    return {"loss": _loss(data, answer.x), "nonfinite": int((~np.isfinite(answer.x)).sum())}


@functools.cache
def _optimum(n: int, d: int, tau: float) -> float:
    """The certified optimum: its bound is below 1e-12, so that it judges everybody."""
    from solvent.regression import quantile_regression

    data = _make(n, d, tau)
    result = quantile_regression(data.a, data.b, tau, method="interior-point")
    assert result.certificate.bound <= 1e-12, result.message
    return float(result.objective)


def _judge(n: int, d: int, tau: float, digest: dict[str, Any]) -> float:
    return abs(float(digest["loss"]) / _optimum(n, d, tau) - 1)


def problems(size: str) -> list[Problem]:
    """Medians and an outer quantile, from a thousand rows to a million."""
    shapes = {
        "tiny": [(1000, 5, 0.5)],
        "quick": [(10_000, 20, 0.5), (20_000, 50, 0.5)],
        "full": [
            (10_000, 20, 0.5),
            (10_000, 20, 0.05),
            (100_000, 50, 0.5),
            (1_000_000, 20, 0.5),
        ],
    }[size]
    return [
        Problem(
            task=TASK,
            name=f"d{d} tau{tau:g}",
            count=n,
            make=functools.partial(_make, n, d, tau),
            digest=_digest,
            judge=functools.partial(_judge, n, d, tau),
            unit="row",
            limit=1e-4,
        )
        for n, d, tau in shapes
    ]


def _ours(data: Sample) -> Call:
    from solvent.regression import quantile_regression

    def call() -> Fit:
        result = quantile_regression(data.a, data.b, data.tau, tol=1e-13)
        return Fit(result.x, result.certificate.bound)

    return call


def _certificate(_task: str, _data: Sample, answer: Fit) -> float | None:
    return answer.bound


def _sklearn(data: Sample) -> Call:
    from sklearn.linear_model import QuantileRegressor

    model = QuantileRegressor(quantile=data.tau, alpha=0, solver="highs", fit_intercept=False)
    return lambda: Fit(model.fit(data.a, data.b).coef_)


def _statsmodels(data: Sample) -> Call:
    import warnings

    from statsmodels.regression.quantile_regression import QuantReg

    def call() -> Fit:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return Fit(QuantReg(data.b, data.a).fit(q=data.tau).params)

    return call


def _pinball(method: str) -> Callable[[Sample], Call]:
    def prepare(data: Sample) -> Call:
        from pinball import QuantileRegressor

        model = QuantileRegressor(tau=data.tau, method=method, fit_intercept=False)
        return lambda: Fit(np.ravel(model.fit(data.a, data.b).coef_))

    return prepare


def _pyqreg(data: Sample) -> Call:
    from pyqreg.quantile_regression import QuantReg

    return lambda: Fit(np.ravel(QuantReg(data.b, data.a).fit(data.tau).params))


IMPLEMENTATIONS = [
    Implementation("solvent", {TASK: _ours}, ours=True, certificate=_certificate),
    Implementation("sklearn highs", {TASK: _sklearn}, packages=("scikit-learn",), largest={"*": 20_000}),
    Implementation(
        "statsmodels QuantReg", {TASK: _statsmodels}, packages=("statsmodels",), largest={"*": 100_000}
    ),
    *(
        Implementation(
            f"pinball {method}",
            {TASK: _pinball(method)},
            process="pinball",
            packages=("pinball-qr",),
            largest={} if method == "pfn" else {"*": 100_000 if method == "fn" else 10_000},
        )
        for method in ("pfn", "fn", "br")
    ),
    Implementation(
        "pyqreg", {TASK: _pyqreg}, process="pyqreg", packages=("pyqreg2",), largest={"*": 100_000}
    ),
]
"""Everyone who takes part in the task "quantile"."""


def targets(report: Report) -> Iterable[Target]:
    """The promised figures of the task as measured in this report."""
    promised = [
        ("8", "pinball pfn", "d50 tau0.5", 100_000, 6.0),
        ("8", "pyqreg", "d50 tau0.5", 100_000, 8.0),
        ("8", "statsmodels QuantReg", "d50 tau0.5", 100_000, 60.0),
        ("9", "sklearn highs", "d20 tau0.5", 10_000, 300.0),
    ]
    for number, peer, problem, count, bar in promised:
        wanted = {"task": TASK, "problem": problem, "count": count, "threads": 1}
        found = report.ratio({"implementation": peer}, {"implementation": "solvent"}, **wanted)
        measured = "-" if found is None else f"{found[0]:.3g}x"
        met = None if found is None else found[0] >= bar
        yield Target(number, f"{peer}, {problem}, n = {count:g}", f">= {bar:g}x", measured, met)
    large = report.find(task=TASK, ours=True, count=1_000_000, threads=1)
    seconds = min((s for run in large if (s := run.seconds(report.clock))), default=None)
    bound = max((run.certificate for run in large if run.certificate is not None), default=None)
    measured = "-" if seconds is None else f"{seconds:.3g} s, bound {bound:.0e}"
    met = None if seconds is None or bound is None else seconds <= 1 and bound <= 1e-13
    yield Target("10", "median of 1e6 x 20, certified to 1e-13", "<= 1 s", measured, met)
