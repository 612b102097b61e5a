"""The pictures of `ot`."""

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ._report import INK, OURS, THEIRS

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from solvent.ot import TransportResult

__all__ = ["colours", "images"]

Array = NDArray[np.float64]

FRAMES = 7


def displaced(result: "TransportResult", side: int, t: float) -> Array:
    """The plan's mass a share t of its way, each arc's mass shared by the four pixels around it."""
    plan, _ = result.plan_sparse(1e-3)
    arcs = plan.tocoo()
    start, end = (np.stack(np.unravel_index(index, (side, side)), 1) for index in arcs.coords)
    place = (1 - t) * start + t * end
    corner = np.minimum(place.astype(int), side - 2)
    share = place - corner
    frame = np.zeros((side, side))
    for down in (0, 1):
        for right in (0, 1):
            weight = (share[:, 0] if down else 1 - share[:, 0]) * (share[:, 1] if right else 1 - share[:, 1])
            np.add.at(frame, (corner[:, 0] + down, corner[:, 1] + right), weight * arcs.data)
    return frame


def images(
    figure: "Figure",
    a: Array,
    b: Array,
    side: int,
    solved: "dict[int, TransportResult]",
    curves: dict[str, tuple[dict[str, Array], Array]],
) -> None:
    """The images and what lies between them; below, the errors of both methods pass by pass."""
    parts: Any = figure.subfigures(2, 1, height_ratios=(1, 1))
    top, bottom = parts
    result = solved[2]
    assert result.certificate is not None
    top.suptitle(
        f"Mass on its way between two images (squared distance), plan certified to {result.certificate.bound:.0e}",
        x=0.012,
        ha="left",
        fontsize=11,
    )
    grid = top.subplots(2, FRAMES)
    for line, power, name in zip(grid, (2, 1), ("squared", "l1"), strict=True):
        for axes, t in zip(line, np.linspace(0, 1, FRAMES), strict=True):
            axes.imshow(
                displaced(solved[power], side, t), cmap="Greys", vmin=0, vmax=1.1 * max(a.max(), b.max())
            )
            axes.set_xticks([])
            axes.set_yticks([])
            axes.spines[:].set_visible(False)
            if power == 2:
                axes.set_title(f"{t:.2f}", fontsize=8.5, loc="center", pad=3)
        line[0].set_ylabel(name)
    for axes, (name, (history, theirs)) in zip(bottom.subplots(1, 2), curves.items(), strict=True):
        errors(axes, name, history, theirs)


def errors(axes: "Axes", name: str, history: dict[str, Array], theirs: Array) -> None:
    """Marginal errors against passes."""
    ours = history["marginal_error"]
    seen = np.isfinite(ours) & (ours > 0)
    axes.loglog(history["nit"][seen], ours[seen], ".-", color=OURS, label="solvent, stage by stage")
    kept = np.isfinite(theirs) & (theirs > 0)
    if kept.any():
        steps = np.arange(1, len(theirs) + 1)[kept]
        axes.loglog(steps, theirs[kept], "--", color=THEIRS, label="textbook Sinkhorn")
    else:
        axes.plot([], [], "--", color=THEIRS, label="textbook Sinkhorn: nan from the first step")
    axes.set_title(f"{name} cost")
    axes.set_xlabel("passes over the cost matrix")
    axes.set_ylabel("l1 marginal error")
    axes.grid(alpha=0.25, linewidth=0.6)
    axes.legend(loc="lower left", fontsize=8)


def colours(
    figure: "Figure", china: Array, flower: Array, painted: dict[float, Array], clouds: tuple[Array, Array]
) -> None:
    """The photographs, the first in the second's colours for each reg, and the clouds of colours."""
    grid = figure.subplots(2, 3)
    shown: list[tuple[str, Any]] = [("china.jpg", china), ("flower.jpg, the palette", flower)]
    shown += [(f"in the palette's colours, reg = {reg:g}", picture) for reg, picture in painted.items()]
    for axes, (title, picture) in zip(grid.flat, shown, strict=False):
        axes.imshow(picture)
        axes.set_title(title, fontsize=9.5)
        axes.set_axis_off()
    axes = grid.flat[len(shown)]
    for cloud, marker, name in zip(clouds, ("o", "^"), ("china.jpg", "flower.jpg"), strict=True):
        axes.scatter(
            cloud[:, 0], cloud[:, 2], s=7, c=cloud, marker=marker, edgecolors=INK, linewidths=0.15, label=name
        )
    axes.set_title("The two clouds of colours", fontsize=9.5)
    axes.set_xlabel("red")
    axes.set_ylabel("blue")
    axes.legend(fontsize=8, loc="upper left")
