"""Quantile regression on Engel's households: levels, certificates, and scikit-learn's fit beside them."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from solvent.regression import quantile_regression

from ._report import INK, OURS, THEIRS, Report
from ._table import Table

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from solvent.regression import QuantileResult

__all__ = ["engel"]

Array = NDArray[np.float64]

LEVELS = (0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95)
PATH = np.linspace(0.02, 0.98, 49)


def households() -> tuple[Array, Array]:
    """Income and food expenditure of 235 households, in thousands of Belgian francs."""
    path = Path(__file__).parent / "data" / "engel" / "engel.csv"
    income, food = np.loadtxt(path, delimiter=",", skiprows=1, unpack=True) / 1000
    return income[:, None], food


def engel(report: Report) -> None:
    """Fit seven levels and a path of 49, beside scikit-learn's fits by HiGHS."""
    income, food = households()
    start = time.perf_counter()
    fits = quantile_regression(income, food, LEVELS, fit_intercept=True)
    ours = time.perf_counter() - start
    path = quantile_regression(income, food, PATH, fit_intercept=True)
    peers, theirs = _peers(income, food)
    table = Table(
        "Engel's households: food = intercept + slope * income, 235 rows",
        ("level", "intercept", "slope", "loss", "bound", "sklearn's loss - ours"),
    )
    for k, tau in enumerate(LEVELS):
        excess = "not installed" if peers is None else f"{peers[k] - fits.objective[k]:+.1e}"
        bound = fits.certificate.parts[f"bound_{k}"]
        table.add(
            f"{tau:.2f}",
            f"{fits.intercept[k]:.5f}",
            f"{fits.x[k, 0]:.5f}",
            f"{fits.objective[k]:.8f}",
            f"{bound:.0e}",
            excess,
        )
    table.notes.append(f"solvent: {1e3 * ours:.1f} ms for all seven levels")
    if peers is not None:
        table.notes.append(f"sklearn QuantileRegressor(solver='highs'): {1e3 * theirs:.0f} ms")
    report.table(table)
    with report.picture("regression_engel", figsize=(9.5, 4.2)) as figure:
        _draw(figure, income[:, 0], food, fits, path)


def _peers(income: Array, food: Array) -> tuple[list[float] | None, float]:
    """scikit-learn's losses and its seconds."""
    try:
        from sklearn.linear_model import QuantileRegressor
    except ImportError:
        return None, float("nan")
    start = time.perf_counter()
    models: list[Any] = [
        QuantileRegressor(quantile=tau, alpha=0, solver="highs").fit(income, food) for tau in LEVELS
    ]
    seconds = time.perf_counter() - start
    loss: Callable[[Array, float], float] = lambda r, tau: float(np.maximum(tau * r, (tau - 1) * r).sum())
    return [loss(food - m.predict(income), tau) for m, tau in zip(models, LEVELS, strict=True)], seconds


def _draw(
    figure: "Figure", income: Array, food: Array, fits: "QuantileResult", path: "QuantileResult"
) -> None:
    """The households with seven lines; the slope as a function of the level."""
    left, right = figure.subplots(1, 2, width_ratios=(1.5, 1))
    left.scatter(income, food, s=7, color="#c9c4ba", label="households")
    ends = np.array([0.0, income.max()])
    for k, tau in enumerate(LEVELS):
        style = {"color": INK, "lw": 1.8} if tau == 0.5 else {"color": OURS, "lw": 0.9}
        left.plot(ends, fits.intercept[k] + fits.x[k, 0] * ends, **style)
    slope, intercept = np.polyfit(income, food, 1)
    left.plot(ends, intercept + slope * ends, color=THEIRS, lw=1.2, ls="--", label="least squares")
    left.set(xlabel="income (1000 francs)", ylabel="food (1000 francs)", xlim=(0, None), ylim=(0, 2.2))
    left.set_title(f"Seven quantiles, certified to {fits.certificate.bound:.0e}")
    left.legend(loc="upper left")
    right.plot(path.tau, path.x[:, 0], color=OURS, drawstyle="steps-mid")
    right.axhline(slope, color=THEIRS, lw=1.2, ls="--")
    right.set(xlabel="level", ylabel="slope")
    right.set_title(f"Slope by level, worst bound {path.certificate.bound:.0e}")
