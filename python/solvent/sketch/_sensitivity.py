"""Exact lp sensitivities: one lp regression a row, and a bound from either side."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
from numpy.typing import NDArray

from solvent import _core
from solvent._result import Certificate
from solvent._validate import as_float_array, check_workers

__all__ = ["Pairs", "solve", "timed", "weigh"]

#: For each row x (k, d) and y (k, n).
Pairs = tuple[NDArray[np.float64], NDArray[np.float64]]

_U = 2.0**-53


def _dense(a: Any) -> NDArray[np.float64]:
    """The matrix, each column times a power of two: sensitivities do not change, and nothing overflows."""
    array = a.toarray() if hasattr(a, "toarray") else a
    array = as_float_array(array, "a").astype(np.float64, copy=False)
    peak = np.abs(array).max(axis=0, initial=0.0)
    return array * 2.0 ** -np.floor(np.log2(np.where(peak > 0, peak, 1.0)))


def _norm(x: NDArray[np.float64], p: float) -> float:
    """The p-norm, p may be inf; scaled by the largest."""
    peak = float(np.abs(x).max(initial=0.0))
    if peak == 0 or not np.isfinite(p):
        return peak
    return float(peak * (np.abs(x / peak) ** p).sum() ** (1 / p))


def solve(a: Any, rows: NDArray[np.int64], p: float, tol: float, workers: int | None) -> tuple[Pairs, int]:
    """What `weigh` proves with, and the steps taken.

    With ``H a_i = |a_i| e_1``, H a reflection, ``x = H (1/|a_i|, z)`` has ``a_i x = 1`` for every z: the least ``|A x|_p``
    among them is an lp regression in z, and its dual y has ``A^T y`` along a_i.
    """
    from solvent.regression import lp_regression

    work = _dense(a)
    n, d = work.shape
    primal, dual, steps = np.zeros((len(rows), d)), np.zeros((len(rows), n)), 0
    for k, i in enumerate(rows):
        row = work[i]
        size = float(np.linalg.norm(row))
        if size == 0:
            continue
        v = row / size
        sign = 1.0 if v[0] >= 0 else -1.0
        v[0] += sign
        turned = work - np.outer(work @ v, v * (2 / (v @ v)))
        side = -turned[:, 0] * sign / size  # H a_i = -sign |a_i| e_1
        free = turned[:, 1:].copy()
        side[i], free[i] = 1.0, 0.0
        fit = lp_regression(-free, side, p, tol=max(tol / (8 * p), 1e-12), workers=workers)
        steps += fit.nit
        z = np.r_[-sign / size, fit.x]
        primal[k] = z - v * (2 * (v @ z) / (v @ v))
        scale = float(fit.dual @ side)
        dual[k] = fit.dual / scale if scale > 0 else 0.0
    return (primal, dual), steps


def weigh(
    a: Any, rows: NDArray[np.int64], scores: NDArray[np.float64], p: float, pairs: Pairs, workers: int | None
) -> tuple[NDArray[np.float64], NDArray[np.float64], Certificate]:
    """Lower and upper ends for each row, and how far `scores` can be from the truth, relative to it.

    For any x the sensitivity is at least ``|a_i x|^p / |A x|_p^p``. For any y, with ``s = A^T y - a_i``,
    ``|a_i x| = |y^T A x - s^T x| <= (|y|_q + c_p K(s)) |A x|_p``, K(s) the largest ``|s^T z| / |A z|_2``, c_p = 1 for
    p <= 2 and ``n^(1/2 - 1/p)`` above: the sensitivity is at most that sum to the power p.
    """
    work = _dense(a)
    n, d = work.shape
    q = p / (p - 1) if p > 1 else np.inf
    spread = 1.0 if p <= 2 else n ** (0.5 - 1 / p)
    lower, upper, rigorous = np.zeros(len(rows)), np.zeros(len(rows)), True
    # Roundings of the powers, sums and roots; of a product A x below.
    slack = (1 + 4 * (n + 16) * _U) * (1 + (p + 1) * 8 * _U)
    magnitude = np.abs(work)
    for k, i in enumerate(rows):
        if not work[i].any():
            continue
        x, y = pairs[0][k], pairs[1][k]
        off = 2 * (d + 2) * _U * (magnitude @ np.abs(x))
        value = max(abs(float(work[i] @ x)) - float(off[i]), 0.0)
        whole = _norm(np.abs(work @ x) + off, p) * slack
        lower[k] = min((value / whole) ** p, 1.0) / slack if whole > 0 else 0.0
        # A^T of this is s for the y that is this but for 1 more at i.
        shifted = y.copy()
        shifted[i] -= 1.0
        exact = shifted.copy()
        exact[i] += 1.0
        raw = _core.regression.certify_lp(
            a=work, b=np.ones(n), p=2.0, x=np.zeros(d), dual=shifted, weights=None, fit_intercept=False,
            workers=check_workers(workers),
        )  # fmt: skip
        judged = Certificate.from_core(raw)
        rigorous &= judged.rigorous
        # The part is K(s) 2 |b|_2/|dual|_2.
        K = judged.parts["infeasibility"] * _norm(shifted, 2.0) / (2 * n**0.5) * slack * slack
        reach = (_norm(exact, q) * slack + 2 * _U) + spread * K
        upper[k] = min(reach**p * slack, 1.0) if np.isfinite(reach) else 1.0
    with np.errstate(divide="ignore", invalid="ignore"):
        over, under = upper / scores - 1, scores / lower - 1
    # A quotient near 1 less 1: the rounding of the quotient is all that is left of it.
    off = np.where((upper == 0) & (scores == 0), 0.0, np.maximum(np.maximum(over, under), 0.0) + 4 * _U)
    bound = float(np.nan_to_num(off, nan=np.inf).max(initial=0.0)) * (1 + 8 * _U)
    parts = {"upper": float(upper.max(initial=0.0)), "lower": float(lower.min(initial=1.0))}
    return (
        lower,
        upper,
        Certificate("duality-gap", bound, relative=True, rigorous=bool(rigorous), parts=parts),
    )


def timed(
    a: Any, rows: NDArray[np.int64], p: float, tol: float, workers: int | None
) -> tuple[NDArray[np.float64], Certificate, Pairs, int, float]:
    """The scores, their certificate, what proves it, steps and seconds."""
    began = time.perf_counter()
    pairs, steps = solve(a, rows, p, tol, workers)
    lower, upper, _ = weigh(a, rows, np.ones(len(rows)), p, pairs, workers)
    # Between the ends, at the same ratio from both.
    scores = np.sqrt(lower * upper)
    _, _, certificate = weigh(a, rows, scores, p, pairs, workers)
    return scores, certificate, pairs, steps, time.perf_counter() - began
