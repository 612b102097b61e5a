"""`solvent.ot`: transport between two images and between the colours of two photographs, beside textbook Sinkhorn."""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from solvent import ot

from . import _ot_pictures as pictures
from ._report import Report
from ._table import Table

if TYPE_CHECKING:
    from solvent.ot import PointTransportResult, TransportResult

__all__ = ["TITLE", "run"]

TITLE = "Optimal transport"

Array = NDArray[np.float64]
T = TypeVar("T")

DATA = Path(__file__).resolve().parent / "data"
SIDE = 28
REG = 1 / 1200  # of the largest cost, as in the literature's experiments on images
SINKHORN_STEPS = 2000
COLOURS = 1200  # pixels of each photograph that the plan is made of


def run(report: Report) -> None:
    """Transport images, then colours."""
    transport_images(report)
    transfer_colours(report)


def timed(function: Callable[[], T]) -> tuple[T, float]:
    """What `function` returns, and the seconds it took."""
    start = time.perf_counter()
    value = function()
    return value, time.perf_counter() - start


# --- two images --------------------------------------------------------------------------------------------------


def fashion() -> tuple[Array, Array]:
    """An ankle boot and a sandal of Fashion-MNIST as weights of 28 x 28 pixels that sum to 1."""
    images = np.load(DATA / "fashion_mnist_sample" / "sample.npz")["images"]
    return weights(images[8]), weights(images[2])


def weights(image: NDArray[np.uint8]) -> Array:
    """Grey values over a faint background, as weights that sum to 1."""
    grey: Array = image.ravel() / 255.0 + 0.01
    total: float = grey.sum()
    scaled: Array = grey / total
    return scaled


def pixel_costs(power: int) -> Array:
    """Squared Euclidean (2) or l1 (1) distances of the pixels, largest 1."""
    grid = np.stack(np.meshgrid(np.arange(SIDE), np.arange(SIDE), indexing="ij"), -1).reshape(-1, 2)
    differences = np.abs(grid[:, None] - grid[None]).astype(float)
    cost: Array = (differences**power).sum(-1)
    cost /= cost.max()
    return cost


@dataclass(frozen=True)
class Textbook:
    """Sinkhorn's iteration as it was published, with the kernel exp(-C/reg), and its errors on the way."""

    f: Array
    g: Array
    errors: Array

    @property
    def broken(self) -> bool:
        """Whether the kernel has underflowed."""
        return not (np.isfinite(self.f).all() and np.isfinite(self.g).all())


def textbook(C: Array, a: Array, b: Array, reg: float) -> Textbook:
    """Cuturi's algorithm (2013), `SINKHORN_STEPS` steps."""
    with np.errstate(all="ignore"):
        kernel = np.exp(-C / reg)
        v, errors = np.ones_like(b), []
        for _ in range(SINKHORN_STEPS):
            u = a / (kernel @ v)
            columns = kernel.T @ u
            errors.append(np.abs(columns * v - b).sum())
            v = b / columns
        # the potentials of P = a b exp((f + g - C)/reg)
        return Textbook(reg * np.log(u / a), reg * np.log(v / b), np.array(errors))


def transport_images(report: Report) -> None:
    """Two images, two costs: our plan beside the textbook's, both judged by the same certificate."""
    a, b = fashion()
    table = Table(
        f"Two images of {SIDE} x {SIDE} pixels, reg = max C / 1200",
        ("", "passes", "ms", "marginal error", "certified to", "the unregularised cost is in"),
    )
    curves = {}
    solved: dict[int, TransportResult] = {}
    for power, name in ((2, "squared Euclidean"), (1, "l1")):
        C = pixel_costs(power)
        result, seconds = timed(lambda C=C: ot.solve(C, a, b, reg=REG, history=True))  # type: ignore[misc]
        theirs, their_seconds = timed(lambda C=C: textbook(C, a, b, REG))  # type: ignore[misc]
        table.add(f"{name}, solvent", *row(result, seconds))
        table.add(f"{name}, textbook Sinkhorn", *judged(result, theirs, their_seconds, (C, a, b)))
        solved[power] = result
        curves[name] = (result.history or {}, theirs.errors)
    table.notes.append(
        "certified to: the larger of marginal error and relative duality gap, proven in rounding too"
    )
    table.notes.append(
        f"textbook: {SINKHORN_STEPS} steps with the kernel exp(-C/reg), judged by result.certify"
    )
    report.table(table)
    with report.picture("ot-images", figsize=(8.6, 5.8)) as figure:
        pictures.images(figure, a, b, SIDE, solved, curves)


def row(result: "TransportResult", seconds: float) -> tuple[str, ...]:
    """A solved problem's cells."""
    assert result.certificate is not None
    return (
        f"{result.passes}",
        f"{1e3 * seconds:.0f}",
        f"{result.marginal_error:.1e}",
        f"{result.certificate.bound:.1e}",
        f"[{result.unreg_lower:.6f}, {result.unreg_upper:.6f}]",
    )


def judged(result: "TransportResult", theirs: Textbook, seconds: float, data: Any) -> tuple[str, ...]:
    """The textbook's cells: what our certificate says about its potentials."""
    steps, milliseconds = f"{SINKHORN_STEPS}", f"{1e3 * seconds:.0f}"
    if theirs.broken:
        return steps, milliseconds, "nan", "inf", "its kernel underflows"
    certificate = replace(result, f=theirs.f, g=theirs.g).certify(*data)
    parts = certificate.parts
    return (
        steps,
        milliseconds,
        f"{parts['marginal_error_a'] + parts['marginal_error_b']:.1e}",
        f"{certificate.bound:.1e}",
        f"[{parts['unreg_lower']:.6f}, {parts['unreg_upper']:.6f}]",
    )


# --- two photographs ----------------------------------------------------------------------------------------------


def photographs() -> tuple[Array, Array]:
    """scikit-learn's china.jpg and flower.jpg at half their size, (213, 320, 3) in [0, 1]."""
    from sklearn.datasets import load_sample_image

    first, second = (load_sample_image(name)[:426:2, ::2] / 255.0 for name in ("china.jpg", "flower.jpg"))
    return first, second


def transfer_colours(report: Report) -> None:
    """The first photograph in the second one's colours: a plan of some pixels, extended to all of them."""
    china, flower = photographs()
    rng = np.random.default_rng(0)
    X, Y = (
        picture.reshape(-1, 3)[rng.choice(picture.size // 3, COLOURS, replace=False)]
        for picture in (china, flower)
    )
    table = Table(
        f"Colours of china.jpg to those of flower.jpg, {COLOURS} pixels of each, squared distance in RGB",
        (
            "reg",
            "passes",
            "ms",
            "marginal error",
            "certified to",
            "the unregularised cost is in",
            "divergence after",
        ),
    )
    painted: dict[float, Array] = {}
    before = ot.divergence(X, Y, reg=0.01)
    for reg in (0.1, 0.01, 0.001):
        result, seconds = timed(lambda reg=reg: ot.solve_points(X, Y, reg=reg))  # type: ignore[misc]
        moved = ot.divergence(result.map(X), Y, reg=0.01)
        table.add(f"{reg:g}", *row(result, seconds), f"{moved.value:.5f}")
        painted[reg] = paint(result, china)
    table.notes.append(
        f"divergence: Sinkhorn divergence of the colours from the target's at reg 0.01; {before.value:.5f} before, "
        f"in [{before.lower:.12f}, {before.upper:.12f}]"
    )
    report.table(table)
    with report.picture("ot-colours", figsize=(8.6, 4.7)) as figure:
        pictures.colours(figure, china, flower, painted, (X, Y))


def paint(result: "PointTransportResult", picture: Array) -> Array:
    """Every pixel at its barycentric projection, also those that the plan has not seen."""
    mapped: Array = result.map(picture.reshape(-1, 3)).reshape(picture.shape).clip(0.0, 1.0)
    return mapped
