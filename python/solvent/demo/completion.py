"""`solvent.completion`: photographs with most of their pixels missing, restored next to their error bars; ratings from a file."""

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from solvent import completion

from ._report import Report
from ._table import Table

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from solvent.completion import CompletionResult

__all__ = ["TITLE", "run"]

TITLE = "Matrix completion"

Array = NDArray[np.float64]

MISSING = 0.7
STRIDE = 4  # every so many pixels of the photographs
RIDGE = 0.1  # of the largest singular value of what was given: few enough directions that the residuals still tell the noise
GAP = 1e-2
SCRATCHES = 20
#: The file of ratings (userId, movieId, rating, ...), where there is one.
VARIABLE = "SOLVENT_RATINGS"


def run(report: Report) -> None:
    """Restore two photographs, then complete ratings if a file is named."""
    photographs(report)
    ratings(report)


# --- photographs --------------------------------------------------------------------------------------------------


def images() -> dict[str, Array]:
    """scikit-learn's two photographs, values in [0, 1], every fourth pixel."""
    from sklearn.datasets import load_sample_images

    found = load_sample_images()
    names = [Path(name).stem for name in found.filenames]
    return {name: image[::STRIDE, ::STRIDE] / 255.0 for name, image in zip(names, found.images, strict=True)}


def scratched(shape: tuple[int, int], rng: np.random.Generator) -> NDArray[np.bool_]:
    """Random pixels gone, and straight scratches through what is left; True = observed."""
    seen = rng.random(shape) >= MISSING
    m, n = shape
    for _ in range(SCRATCHES):
        (i0, i1), (j0, j1) = rng.integers(0, m, 2), rng.integers(0, n, 2)
        count = 2 * max(abs(i1 - i0), abs(j1 - j0)) + 1
        steps = np.linspace(0, 1, count)
        seen[np.rint(i0 + (i1 - i0) * steps).astype(int), np.rint(j0 + (j1 - j0) * steps).astype(int)] = False
    return seen


def restore(channel: Array, seen: NDArray[np.bool_]) -> "CompletionResult":
    """One channel: the nuclear-norm problem, at whatever rank closes its gap."""
    given = np.where(seen, channel - channel[seen].mean(), 0)
    lam = RIDGE * float(np.linalg.norm(given, 2))
    return completion.complete(
        np.where(seen, channel, np.nan), lam=lam, bias=True, tol=GAP, maxiter=300, rng=0
    )


def column_means(channel: Array, seen: NDArray[np.bool_]) -> Array:
    """Today's quick answer: each hole gets the mean of its column."""
    counts = np.maximum(seen.sum(0), 1)
    return np.where(seen, channel, np.where(seen, channel, 0).sum(0) / counts)


def decibels(x: Array, y: Array) -> float:
    """Peak signal-to-noise ratio."""
    return -10 * float(np.log10(np.mean((x - y) ** 2)))


def photographs(report: Report) -> None:
    """Two photographs, channel by channel."""
    rng = np.random.default_rng(20)
    title = f"Photographs with {MISSING:.0%} of their pixels missing, and scratches"
    table = Table(title, ("photograph", "column means", "restored", "seconds", "largest gap", "rank"))
    shown = []
    for name, image in images().items():
        restored, means, error = (np.empty_like(image) for _ in range(3))
        began, gaps, ranks = time.perf_counter(), [], []
        seen = scratched(image.shape[:2], rng)
        for c in range(3):
            result = restore(image[..., c], seen)
            restored[..., c] = np.clip(np.where(seen, image[..., c], result.to_dense()), 0, 1)
            means[..., c] = column_means(image[..., c], seen)
            error[..., c] = bars(result)
            gaps.append(result.certificate.bound if result.certificate else np.nan)
            ranks.append(result.rank)
        seconds = time.perf_counter() - began
        table.add(
            name,
            f"{decibels(means, image):.1f} dB",
            f"{decibels(restored, image):.1f} dB",
            f"{seconds:.1f}",
            f"{max(gaps):.1e}",
            str(max(ranks)),
        )
        shown.append((np.where(seen[..., None], image, 1.0), restored, error.mean(-1)))
    table.notes.append(
        "gap: how far the objective may lie above that of the best matrix of any rank, relative; a bound, not an estimate"
    )
    report.table(table)
    with report.picture("completion_photographs", figsize=(10, 3.6 * len(shown))) as figure:
        draw(figure, shown)


def bars(result: "CompletionResult") -> Array:
    """Standard errors of all entries, from the Gram matrices of rows and columns."""
    m, n = result.shape
    i, j = np.divmod(np.arange(m * n), n)
    return result.predict_std(i, j, method="gram").reshape(m, n)


def draw(figure: "Figure", shown: list[tuple[Array, Array, Array]]) -> None:
    """What was given, what came out, and how sure it is."""
    axes = figure.subplots(len(shown), 3, squeeze=False)
    for row, (given, restored, error) in zip(axes, shown, strict=True):
        finite = error[np.isfinite(error)]
        top = float(np.quantile(finite, 0.99)) if finite.size else 1.0
        for ax, picture, title in zip(
            row, (given, restored, error), ("given", "restored", "standard error"), strict=True
        ):
            if picture.ndim == 2:
                ax.imshow(picture, cmap="magma", vmax=top)
            else:
                ax.imshow(picture)
            ax.set_title(title)
            ax.axis("off")


# --- ratings ------------------------------------------------------------------------------------------------------


def ratings_file() -> Path | None:
    """The file that the environment names."""
    name = os.environ.get(VARIABLE)
    path = Path(name) if name else None
    return path if path is not None and path.exists() else None


def ratings(report: Report) -> None:
    """Hold a tenth of the ratings out, predict them with error bars."""
    path = ratings_file()
    if path is None:
        report.say(f"\nRatings: set {VARIABLE} to a file with userId,movieId,rating to see them completed.")
        return
    table: Any = np.loadtxt(path, delimiter=",", skiprows=1, usecols=(0, 1, 2))
    users, i = np.unique(table[:, 0], return_inverse=True)
    items, j = np.unique(table[:, 1], return_inverse=True)
    y = table[:, 2]
    held = np.random.default_rng(1).random(y.size) < 0.1
    began = time.perf_counter()
    result = completion.complete(
        (i[~held], j[~held], y[~held]),
        20,
        shape=(users.size, items.size),
        lam="auto",
        bias=True,
        tol=1e-3,
        maxiter=100,
        rng=0,
    )
    seconds = time.perf_counter() - began
    error = result.predict(i[held], j[held]) - y[held]
    shown = Table(f"{y.size} ratings, a tenth held out", ("model", "RMSE", "seconds", "gap"))
    shown.add("mean of all", f"{np.std(y[held] - y[~held].mean()):.4f}", "", "")
    gap = result.certificate.bound if result.certificate else np.nan
    shown.add(
        f"completion, lam {result.lam:.3g}",
        f"{np.sqrt(np.mean(error**2)):.4f}",
        f"{seconds:.1f}",
        f"{gap:.1e}",
    )
    report.table(shown)
