"""The pictures of `special_stats`."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ._report import INK, MISSING, OURS, THEIRS

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from .special_stats import Comparison

__all__ = ["accuracy", "digit_means", "dimensions", "segmentation"]

Array = NDArray[np.float64]

# Eight hues that stay apart in print and for colour-blind readers.
HUES = ("#4477aa", "#ee6677", "#228833", "#ccbb44", "#66ccee", "#aa3377", "#bbbbbb", "#ee8866")


def dimensions(figure: "Figure", comparisons: "Sequence[Comparison]") -> None:
    """Kappa against the dimension, and how far each answer can be from the maximum of the likelihood."""
    left, right = figure.subplots(1, 2)
    d = [c.d for c in comparisons]
    left.loglog(d, [c.ours.kappa for c in comparisons], "o-", color=OURS, label="solvent", zorder=3)
    left.loglog(
        d, [c.theirs for c in comparisons], "s--", color=THEIRS, label="SciPy", markerfacecolor="white"
    )
    left.set_title("Concentration of the patches of a photograph")
    left.set_ylabel("fitted kappa")
    right.loglog(d, [c.ours.certificate.bound for c in comparisons], "o-", color=OURS, label="solvent")
    right.loglog(
        d, [c.their_bound for c in comparisons], "s--", color=THEIRS, label="SciPy", markerfacecolor="white"
    )
    right.set_title("How wrong kappa can be (certificate)")
    right.set_ylabel("relative bound")
    for axes in (left, right):
        axes.set_xlabel("dimension d = 3 side²")
        axes.set_xticks(d, [str(n) for n in d])
        axes.minorticks_off()
        axes.grid(alpha=0.25, linewidth=0.6)
        axes.legend(loc="center left")


def digit_means(figure: "Figure", model: Any, x: Array, labels: NDArray[np.int64]) -> None:
    """The mean direction of each component as an 8 x 8 image, ordered by the digit it holds most of."""
    found = model.predict(x)
    counts = np.array([np.bincount(labels[found == j], minlength=10) for j in range(len(model.weights_))])
    holds = counts.argmax(axis=1)
    share = counts.max(axis=1) / np.maximum(counts.sum(axis=1), 1)
    figure.set_layout_engine("constrained", h_pad=0.1, w_pad=0.08, hspace=0.04)
    title = "A von Mises-Fisher mixture of handwritten digits: its ten mean directions"
    figure.suptitle(title, x=0.012, ha="left", fontsize=11)
    for axes, j in zip(figure.subplots(2, 5).flat, np.lexsort((-share, holds)), strict=True):
        axes.imshow(model.means_[j].reshape(8, 8), cmap="Greys", vmin=0, interpolation="bicubic")
        axes.set_title(f"mostly {holds[j]} ({share[j]:.0%})", fontsize=9.5, loc="center", pad=4)
        axes.set_xlabel(f"weight {model.weights_[j]:.3f}, kappa {model.concentrations_[j]:.0f}", fontsize=8)
        _frame(axes, "#c4c8cc", 0.8)


def segmentation(
    figure: "Figure", image: Array, model: Any, found: NDArray[np.int64], order: NDArray[np.int64]
) -> None:
    """The photograph, the same with each patch in the colour of its component, and the mean patches."""
    from matplotlib.colors import to_rgb

    figure.set_layout_engine("constrained", h_pad=0.06)
    halves: Any = figure.subfigures(2, 1, height_ratios=[2.1, 1], hspace=0.0)
    upper, lower = halves
    photo, parts = upper.subplots(1, 2)
    photo.imshow(image)
    photo.set_title("china.jpg")
    place = np.empty(len(order), dtype=np.int64)
    place[order] = np.arange(len(order))
    hues = np.array([to_rgb(HUES[k % len(HUES)]) for k in range(len(order))])
    # A patch's centre lies half a patch inside: shift the map of labels by as much.
    coloured = np.full_like(image, np.nan)
    coarse = hues[place[found]].repeat(8, axis=0).repeat(8, axis=1)
    h, w = (min(a, b - 4) for a, b in zip(coarse.shape[:2], image.shape[:2], strict=True))
    coloured[4 : h + 4, 4 : w + 4] = coarse[:h, :w]
    grey = image.mean(axis=2, keepdims=True).repeat(3, axis=2)
    blend = np.where(np.isnan(coloured), grey, 0.62 * coloured + 0.38 * grey)
    parts.imshow(blend)
    parts.set_title(f"its 16 × 16 patches in {len(order)} components, d = 768")
    for axes in (photo, parts):
        _frame(axes, "white", 0)
    for axes, j in zip(lower.subplots(1, len(order)), order, strict=True):
        patch = model.means_[j].reshape(16, 16, 3)
        axes.imshow(np.clip(patch / max(patch.max(), 1e-12), 0, 1), interpolation="nearest")
        axes.set_xlabel(
            f"kappa {_compact(model.concentrations_[j])}\nweight {model.weights_[j]:.2f}", fontsize=8.5
        )
        _frame(axes, hues[place[j]], 3)
    lower.suptitle("mean directions, as patches (brightest value = white)", x=0.005, ha="left", fontsize=10)


def accuracy(figure: "Figure", axis: Array, maps: "Sequence[tuple[str, Array, Array]]") -> None:
    """Two maps a function over (v, x): our certified bound, and SciPy's distance from our value."""
    import matplotlib as mpl
    from matplotlib.colors import BoundaryNorm
    from matplotlib.patches import Patch

    decades = np.arange(-17.0, -11.5, 0.5)
    colours = mpl.colormaps["viridis"].with_extremes(bad=MISSING)
    norm = BoundaryNorm(decades, colours.N, extend="both")
    grid = figure.subplots(2, 2, sharex=True, sharey=True)
    drawn: Any = None
    for row, (name, bound, distance) in zip(grid, maps, strict=True):
        for axes, error, title in (
            (row[0], bound, f"solvent, {name}: certified error bound"),
            (row[1], distance, f"SciPy, {name}: distance from solvent's value"),
        ):
            exponent = np.log10(np.maximum(error, 1e-18))
            drawn = axes.pcolormesh(axis, axis, exponent, cmap=colours, norm=norm, rasterized=True)
            axes.set(xscale="log", yscale="log", title=title)
            axes.set_facecolor(MISSING)
            axes.spines[["top", "right"]].set_visible(True)
        row[0].set_ylabel("x")
        lost = np.isnan(distance).mean()
        row[1].legend(
            handles=[
                Patch(
                    facecolor=MISSING,
                    edgecolor=INK,
                    linewidth=0.6,
                    label=f"inf or nan: {lost:.0%} of the map",
                )
            ],
            loc="upper right",
            frameon=True,
            framealpha=0.92,
            edgecolor="none",
        )
    for axes in grid[1]:
        axes.set_xlabel("order v")
    bar = figure.colorbar(drawn, ax=grid, shrink=0.8, aspect=36, pad=0.02, ticks=decades[::2])
    bar.ax.set_yticklabels([f"$10^{{{k:.0f}}}$" for k in decades[::2]])
    bar.set_label("error / max(1, |value|)")


def _compact(number: float) -> str:
    """Three digits, without a long exponent: 5310, 4.23e6."""
    return f"{number:.0f}" if number < 1e5 else f"{number:.2e}".replace("e+0", "e")


def _frame(axes: "Axes", colour: Any, width: float) -> None:
    """No ticks, one colour around."""
    axes.set_xticks([])
    axes.set_yticks([])
    axes.spines[:].set(visible=width > 0, edgecolor=colour, linewidth=width)
