"""The part of `monotone` that shows inclusions: robust logistic regression on scikit-learn's breast-cancer data."""

import time
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from solvent import monotone

from . import _inclusion_pictures as pictures
from ._report import Report
from ._table import Table

if TYPE_CHECKING:
    from solvent.monotone import InclusionResult

__all__ = ["robust_regression"]

Array = NDArray[np.float64]

RADII = (0.0, 0.003, 0.01, 0.03)
REG = 1e-2


def breast_cancer() -> tuple[Array, Array]:
    """569 tumours with 30 features, standardised, and a constant; 1 is benign, -1 malignant."""
    from sklearn.datasets import load_breast_cancer

    data = load_breast_cancer()
    features = (data.data - data.data.mean(axis=0)) / data.data.std(axis=0)
    return np.c_[features, np.ones(len(features))], 2.0 * data.target - 1.0


def losses(A: Array, b: Array, w: Array) -> Array:
    """The logistic loss of each row."""
    margins: Array = b * (A @ w)
    value: Array = np.logaddexp(0.0, -margins)
    return value


def robust_regression(report: Report) -> None:
    """One table and one picture: what the worst weights of the rows do to a classifier."""
    A, b = breast_cancer()
    n, d = A.shape
    table = Table(
        f"Breast cancer, {n} rows: min over w, max over weights q, |q - 1/n| <= rho, of the weighted logistic loss",
        (
            "rho",
            "method",
            "passes",
            "ms",
            "certified to",
            "mean loss",
            "worst tenth",
            "largest weight x n",
            "errors",
        ),
    )
    solved: dict[float, InclusionResult] = {}
    for rho in RADII:
        F = monotone.DROLogistic(A, b, rho, REG)
        start = time.perf_counter()
        result = monotone.solve_inclusion(F, tol=1e-4, maxiter=50_000)
        milliseconds = 1e3 * (time.perf_counter() - start)
        solved[rho] = result
        w, q = result.x[:d], result.x[d:]
        loss = np.sort(losses(A, b, w))
        table.add(
            f"{rho:g}",
            result.method,
            f"{result.passes:.0f}",
            f"{milliseconds:.0f}",
            f"{result.certificate.bound:.1e}",
            f"{loss.mean():.4f}",
            f"{loss[-n // 10 :].mean():.4f}",
            f"{n * q.max():.1f}",
            f"{int((b * (A @ w) <= 0).sum())}",
        )
    table.notes.append(
        "certified to: residual of the full operator at the returned point, relative to the start's"
    )
    table.notes.append(
        "errors: rows on the wrong side; the worst tenth: mean loss of the rows with the largest losses"
    )
    report.table(table)
    with report.picture("inclusion-robust", figsize=(8.6, 3.6)) as figure:
        pictures.robust(
            figure, {rho: losses(A, b, it.x[:d]) for rho, it in solved.items()}, solved[RADII[-1]].x[d:]
        )
