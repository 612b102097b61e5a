"""The pictures of inclusions."""

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ._report import INK, OURS, THEIRS

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["robust"]

Array = NDArray[np.float64]


def robust(figure: "Figure", losses: dict[float, Array], weights: Array) -> None:
    """The largest losses, radius by radius; and the weights that the largest radius gives to the rows."""
    axes: Any = figure.subplots(1, 2)
    left, right = axes
    last = max(losses)
    for rho, loss in losses.items():
        shade = THEIRS if rho == 0 else OURS
        strength = 1.0 if rho in (0, last) else 0.25 + 0.5 * rho / last
        left.plot(np.sort(loss)[::-1][:60], color=shade, alpha=strength, label=f"rho = {rho:g}")
    left.set_xlabel("rows, by loss")
    left.set_ylabel("logistic loss")
    left.set_title("The largest losses fall")
    left.legend()
    right.scatter(losses[last], weights * weights.size, s=9, color=OURS, alpha=0.6, linewidths=0)
    right.axhline(1.0, color=INK, linewidth=0.8, linestyle=":")
    right.set_xlabel("logistic loss")
    right.set_ylabel("weight x n")
    right.set_title(f"The worst weights, rho = {last:g}")
