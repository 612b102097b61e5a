"""Inclusions: logistic regression beside scikit-learn's saga, and finite sums beside deterministic methods of our own.

Everyone is judged by the same number, the gradient (or the operator) at the answer in long double, relative to that at 0.
scikit-learn minimises ``C sum(loss) + |w|²/2``: with ``C = 1/(n reg)`` the same problem.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benches.inclusion_problems import bilinear, logistic
from benches.peers.contract import Implementation, Problem, Target

Array = NDArray[np.float64]
Call = Callable[[], Any]

REG = 1e-4
TARGET = 1e-4


@dataclass(frozen=True)
class Sum:
    """Logistic rows and labels, or matrices and shifts; and the relative residual that is asked for."""

    first: Array
    second: Array
    tol: float


def _residual(task: str, data: Sum, x: Array) -> float:
    """|F(x)| / |F(0)| in long double, by blocks of rows."""
    d = data.first.shape[-1]
    if task == "bilinear":
        B, c = data.first.mean(axis=0).astype(np.longdouble), data.second.mean(axis=0)
        value, start = B @ x + c, c
    else:
        value, start = np.zeros(d, np.longdouble), np.zeros(d, np.longdouble)
        n = len(data.first)
        for k in range(0, n, 20_000):
            A, b = data.first[k : k + 20_000].astype(np.longdouble), data.second[k : k + 20_000]
            value -= A.T @ (b / (1 + np.exp(b * (A @ x)))) / n
            start -= A.T @ (b / 2) / n
        value += np.longdouble(REG) * x
    return float(np.sqrt((value**2).sum()) / np.sqrt((start**2).sum()))


def _digest(task: str) -> Callable[[Any, Any], dict[str, Any]]:
    def digest(data: Sum, answer: Any) -> dict[str, Any]:
        x = np.asarray(answer["x"] if isinstance(answer, dict) else answer.x, dtype=np.float64)
        found = {"residual": _residual(task, data, x), "nonfinite": int((~np.isfinite(x)).sum())}
        passes = getattr(answer, "passes", None)
        return found if passes is None else {**found, "passes": float(passes)}

    return digest


def _judge(digest: dict[str, Any]) -> float:
    return float(digest["residual"])


def problems(size: str) -> list[Problem]:
    """The problems of a size."""
    counts = {"tiny": (2_000,), "quick": (10_000, 100_000), "full": (10_000, 100_000, 1_000_000)}[size]

    def rows(n: int) -> Sum:
        A, b = logistic(n, d=100)
        # Both classes, as classifiers want them: signs of rows are free.
        signs = np.where(np.random.default_rng(1).random(n) < 0.5, -1.0, 1.0)
        return Sum(np.ascontiguousarray(A * signs[:, None]), b * signs, TARGET)

    made = [
        Problem(
            "logistic", "d100", n, lambda n=n: rows(n), _digest("logistic"), _judge, "row", limit=2 * TARGET
        )
        for n in counts
    ]
    sums = {"tiny": (300,), "quick": (1000, 10_000), "full": (1000, 10_000)}[size]
    made += [
        Problem(
            "bilinear",
            "cond 5",
            n,
            lambda n=n: Sum(*bilinear(n, cond=5.0), 1e-3),
            _digest("bilinear"),
            _judge,
            "component",
            limit=2e-3,
        )
        for n in sums
    ]
    return made


# --- ours --------------------------------------------------------------------------------------------------------


def _operator(task: str, data: Sum) -> Any:
    from solvent.monotone import LogisticRegression, Quadratic

    if task == "bilinear":
        return Quadratic(data.first, data.second)
    return LogisticRegression(data.first, data.second, REG)


def _ours(task: str, method: str) -> Callable[[Sum], Call]:
    def build(data: Sum) -> Call:
        from solvent.monotone import solve_inclusion

        # The operator is made inside the call: its tests and constants belong to the time.
        return lambda: solve_inclusion(_operator(task, data), method=method, tol=data.tol, maxiter=5000)

    return build


def _certificate(task: str, data: Sum, answer: Any) -> float:
    return float(answer.certificate.bound)


# --- scikit-learn ------------------------------------------------------------------------------------------------


def _sklearn(solver: str) -> Callable[[Sum], Call]:
    """The tolerance is lowered tenfold until the gradient is the one asked for; only the last fit is timed."""

    def build(data: Sum) -> Call:
        from sklearn.linear_model import LogisticRegression

        def fit(tol: float) -> dict[str, Any]:
            model = LogisticRegression(
                C=1 / (REG * len(data.second)), solver=solver, tol=tol, max_iter=2000, fit_intercept=False
            )
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                model.fit(data.first, data.second)
            return {"x": model.coef_.ravel()}

        tol = 1e-2
        while tol > 1e-9 and _residual("logistic", data, fit(tol)["x"]) > data.tol:
            tol /= 10 if solver == "lbfgs" else 4
        return lambda: fit(tol)

    return build


IMPLEMENTATIONS = [
    Implementation(
        "solvent auto",
        {"logistic": _ours("logistic", "auto"), "bilinear": _ours("bilinear", "auto")},
        ours=True,
        certificate=_certificate,
    ),
    Implementation(
        "solvent halpern, restarted",
        {"logistic": _ours("logistic", "halpern")},
        uses_solvent=True,
        certificate=_certificate,
        note="deterministic, our own",
    ),
    Implementation(
        "solvent ogda",
        {"bilinear": _ours("bilinear", "ogda")},
        uses_solvent=True,
        certificate=_certificate,
        note="deterministic, our own",
    ),
    Implementation("sklearn saga", {"logistic": _sklearn("saga")}, packages=("scikit-learn",)),
    Implementation("sklearn lbfgs", {"logistic": _sklearn("lbfgs")}, packages=("scikit-learn",)),
]
"""Everyone who takes part in the tasks "logistic" and "bilinear"."""


def targets(report: Any) -> list[Target]:
    """The promised figures."""
    made = []
    for peer, promised in (("sklearn saga", 3.0), ("solvent halpern, restarted", 1.0)):
        found = report.ratio(
            {"implementation": peer}, {"implementation": "solvent auto"}, task="logistic", threads=1
        )
        measured = "not measured" if found is None else f"{found[0]:.2f}x at n = {found[1]}"
        met = None if found is None else found[0] >= promised
        made.append(Target("logistic", f"{peer}, same gradient", f">= {promised:g}x", measured, met))
    return made
