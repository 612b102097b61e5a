"""The pictures of linear programs."""

from typing import TYPE_CHECKING, Any

import numpy as np

from ._report import INK, OURS, THEIRS

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from solvent.monotone import LPResult

__all__ = ["residuals"]


def residuals(figure: "Figure", results: "dict[str, LPResult]") -> None:
    """The three relative residuals of each program by iterations, restarts marked below."""
    axes: Any = figure.subplots(1, len(results), squeeze=False, sharey=True)
    styles = (("primal", OURS, "-"), ("dual", THEIRS, "-"), ("gap", INK, ":"))
    for place, (name, result) in zip(axes[0], results.items(), strict=True):
        history = result.history
        assert history is not None
        for key, colour, line in styles:
            seen = history[key] > 0
            place.loglog(
                history["nit"][seen], history[key][seen], line, color=colour, label=key, linewidth=1.2
            )
        restarted = np.flatnonzero(np.diff(history["restarts"]) > 0) + 1
        place.plot(
            history["nit"][restarted],
            np.full(restarted.size, 0.02),
            "|",
            color=INK,
            transform=place.get_xaxis_transform(),
            label="restart",
        )
        place.set_title(f"{name}, certified to {result.certificate.bound:.0e}")
        place.set_xlabel("iterations")
    axes[0, 0].set_ylabel("relative residual")
    axes[0, 0].legend()
