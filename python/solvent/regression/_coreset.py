"""Regression in an lp norm from rows that are drawn by their scores."""

from __future__ import annotations

import dataclasses
import math
import time
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from solvent import _core
from solvent._result import Certificate

from ._lp import LpResult, _rooted, lp_regression

__all__ = ["fit_sample"]


def fit_sample(
    given: tuple[Any, NDArray[np.float64], NDArray[np.float64] | None, Any],
    shape: tuple[int, int],
    p: float,
    fit_intercept: bool,
    eps: float,
    tol: float,
    seed: int,
    budget: tuple[int, float | None],
    workers: int | None,
) -> LpResult:
    """The fit of a sample with a certificate of all rows."""
    from solvent import sketch

    began = time.perf_counter()
    design, b, w, a = given
    n, d = shape
    power = p if p > 1 else 1.0
    whole = _augmented(a, b, w, p, fit_intercept)
    width = d + fit_intercept
    scheme: Literal["sensitivity+leverage", "lewis"] = "sensitivity+leverage" if p <= 2 else "lewis"
    size = n
    if n > 0 and width > 0:
        if p <= 2:
            total = sketch.lp_sensitivities(whole, p, workers=workers).total + width + 1
        else:
            total = float(width + 1) ** (p / 2)
        size = math.ceil(2 * total * math.log(width + 2) / eps**2)
    options: dict[str, Any] = {
        "fit_intercept": fit_intercept,
        "maxiter": budget[0],
        "maxtime": budget[1],
        "workers": workers,
    }
    if 2 * size >= n:
        result = lp_regression(a, b, p, weights=w, tol=min(tol, 1e-10), **options)
        message = f"{size} draws from {n} rows: all of them were fitted; {result.message}"
        return dataclasses.replace(result, message=message)
    drawn = sketch.sample_rows(whole, size, p=power, scheme=scheme, rng=seed, workers=workers)
    rows, first, count = np.unique(drawn.indices, return_index=True, return_counts=True)
    # What is drawn twice counts twice: the weights of `sample_rows` multiply rows, ours what a row adds to the sum.
    each = count * drawn.weights[first] ** power * (1.0 if w is None else w[rows])
    some = a.tocsr()[rows] if hasattr(a, "tocsr") else np.asarray(a)[rows]
    fit = lp_regression(some, b[rows], p, weights=each, **options)
    x = [*fit.x.astype(float).tolist(), *([fit.intercept] if fit_intercept else [])]
    judged = _core.regression.lp_regression(
        a=design, b=b, p=float(p), weights=_rooted(w, p), fit_intercept=fit_intercept,
        single=fit.x.dtype == np.float32, tol=0.0, maxiter=0, maxtime=None, history=False, x0=x, workers=workers,
        callback=None,
    )  # fmt: skip
    result = dataclasses.replace(
        fit, objective=judged["objective"], gap=judged["gap"], dual=judged["dual"], rank=judged["rank"], basis=None,
        certificate=Certificate.from_core(judged["certificate"]), history=None,
    )  # fmt: skip
    if p == 1:
        # As `certify` counts it: at level 1/2.
        certificate = result.certify(a, b, w, workers=workers)
        result = dataclasses.replace(result, certificate=certificate, gap=certificate.parts["gap"])
    bound = result.certificate.bound
    met = bound <= tol
    message = f"{size} draws ({len(rows)} rows) of {n}: the bound of all rows is {bound:.1e}"
    if not met:
        message += f" > tol {tol:.1e}; pass a smaller eps, or method='auto' for the least norm"
    return dataclasses.replace(
        result, success=met, status="converged" if met else "stalled", message=message,
        elapsed=time.perf_counter() - began,
    )  # fmt: skip


def _augmented(
    a: Any, b: NDArray[np.float64], w: NDArray[np.float64] | None, p: float, fit_intercept: bool
) -> Any:
    """The weighted rows with the intercept's ones and b: their scores matter for ``b - a @ x``, any x."""
    columns = np.column_stack([*([np.ones(len(b))] if fit_intercept else []), b])
    root = np.ones(len(b)) if w is None else w ** (1.0 / p)
    # Powers of two: the scores do not depend on them, and nothing overflows.
    peak = np.abs(columns).max(axis=0, initial=0.0)
    columns = columns * 2.0 ** -np.floor(np.log2(np.where(peak > 0, peak, 1.0)))
    if hasattr(a, "tocsr"):
        import scipy.sparse as sp

        return sp.diags_array(root) @ sp.csr_array(sp.hstack([a.tocsr(), sp.csr_array(columns)]))
    return np.column_stack([np.asarray(a, dtype=float), columns]) * root[:, None]
