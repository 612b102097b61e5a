"""`solvent.special` and `solvent.stats`: von Mises-Fisher fits of digits and of a photograph, beside SciPy's."""

import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import scipy
from numpy.typing import NDArray

from solvent import special, stats
from solvent.stats import VonMisesFisherMixture

from . import _special_stats_pictures as pictures
from ._report import Report
from ._table import Table

if TYPE_CHECKING:
    from solvent._result import Certificate
    from solvent.stats import VMFFit

__all__ = ["TITLE", "run"]

TITLE = "von Mises-Fisher distributions and log-Bessel functions"

Array = NDArray[np.float64]
T = TypeVar("T")

PATCH_SIDES = (2, 4, 8, 16, 32)  # of china.jpg: d = 3 side^2 = 12 ... 3072
MAP_SIDE = 240  # points a side of the accuracy maps


def run(report: Report) -> None:
    """Fit digits, patches and mixtures; map the accuracy of log I_v and log K_v."""
    fit_digits(report)
    fit_patches(report)
    mix_digits(report)
    mix_patches(report)
    map_accuracy(report)


# --- data --------------------------------------------------------------------------------------------------------


def directions(rows: Array) -> Array:
    """`rows` scaled to norm 1, rows of norm 0 left out."""
    norms = np.linalg.norm(rows, axis=1)
    seen = norms > 0
    scaled: Array = rows[seen] / norms[seen, None]
    return scaled


def digits() -> tuple[Array, NDArray[np.int64]]:
    """scikit-learn's 1797 handwritten digits, 8 x 8, as directions (1797, 64), and which digit each is."""
    from sklearn.datasets import load_digits

    images, labels = load_digits(return_X_y=True)
    return directions(images), labels


def photograph() -> Array:
    """scikit-learn's china.jpg, (427, 640, 3) in [0, 1]."""
    from sklearn.datasets import load_sample_image

    image: Array = load_sample_image("china.jpg") / 255.0
    return image


def patches(image: Array, side: int, step: int) -> Array:
    """The square patches of `image`, `step` pixels apart, (rows, columns, 3 side^2)."""
    windows = np.lib.stride_tricks.sliding_window_view(image, (side, side), axis=(0, 1))[::step, ::step]
    # (rows, columns, channel, y, x) -> channels last, as in the image
    grid: Array = windows.transpose(0, 1, 3, 4, 2).reshape(*windows.shape[:2], -1)
    return grid


# --- one distribution a data set -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Comparison:
    """Our fit and SciPy's of the same rows."""

    name: str
    rows: int
    d: int
    ours: "VMFFit"
    seconds: float
    theirs: float  # kappa; nan where SciPy raised
    their_bound: float  # our certificate, asked about SciPy's answer
    their_seconds: float
    remark: str  # what SciPy warned or raised

    @property
    def their_text(self) -> str:
        """SciPy's kappa, or what it raised."""
        return f"{self.theirs:.10g}" if np.isfinite(self.theirs) else self.remark


def timed(function: Callable[[], T]) -> tuple[T, float]:
    """What `function` returns, and the seconds it took."""
    start = time.perf_counter()
    value = function()
    return value, time.perf_counter() - start


def compare(name: str, x: Array) -> Comparison:
    """Fit `x` with both, and let our certificate judge SciPy's answer too."""
    ours, seconds = timed(lambda: stats.vonmises_fisher.fit(x))
    (mu, kappa, remark), their_seconds = timed(lambda: scipy_fit(x))
    bound = np.inf
    if np.isfinite(kappa):
        bound = replace(ours, mu=mu, kappa=kappa).certify(x).bound
    return Comparison(name, x.shape[0], x.shape[1], ours, seconds, kappa, bound, their_seconds, remark)


def scipy_fit(x: Array) -> tuple[Array, float, str]:
    """SciPy's mu and kappa, and the first thing it complained about."""
    with warnings.catch_warnings(record=True) as complaints:
        warnings.simplefilter("always")
        try:
            mu, kappa = scipy.stats.vonmises_fisher.fit(x)
        except (ArithmeticError, RuntimeError, ValueError) as error:
            return np.full(x.shape[1], np.nan), np.nan, f"{type(error).__name__}: {error}"
    return mu, float(kappa), str(complaints[0].message) if complaints else ""


def fit_table(title: str, comparisons: list[Comparison]) -> Table:
    """One row a comparison."""
    table = Table(
        title,
        ("", "rows", "d", "kappa", "certified to", "ms", "SciPy's kappa", "judged", "ms"),
    )
    for c in comparisons:
        table.add(
            c.name,
            f"{c.rows}",
            f"{c.d}",
            f"{c.ours.kappa:.10g}",
            f"{c.ours.certificate.bound:.1e}",
            f"{1e3 * c.seconds:.2f}",
            c.their_text,
            f"{c.their_bound:.1e}",
            f"{1e3 * c.their_seconds:.2f}",
        )
    return table


def fit_digits(report: Report) -> None:
    """One distribution a digit, d = 64: where SciPy's fit works too."""
    x, labels = digits()
    comparisons = [compare(f"digit {k}", x[labels == k]) for k in range(10)]
    table = fit_table("Handwritten digits, one distribution each", comparisons)
    table.notes.append(
        "certified to: largest relative distance from kappa to the maximum of the likelihood, proven"
    )
    table.notes.append("judged: the same bound for SciPy's answer, by result.certify on the same rows")
    report.table(table)


def fit_patches(report: Report) -> None:
    """All patches of a photograph, in growing dimension: where SciPy's fit stops working."""
    image = photograph()
    comparisons = []
    for side in PATCH_SIDES:
        x = patches(image, side, side)
        comparisons.append(compare(f"{side} x {side} x 3", directions(x.reshape(-1, x.shape[-1]))))
    table = fit_table("Patches of china.jpg, one distribution for each size of patch", comparisons)
    remarks = {c.remark for c in comparisons if c.remark}
    table.notes += [f"SciPy {scipy.__version__} warned: {remark}" for remark in sorted(remarks)]
    report.table(table)
    with report.picture("vmf-fit-dimensions", figsize=(8.6, 4.2)) as figure:
        pictures.dimensions(figure, comparisons)


# --- mixtures ------------------------------------------------------------------------------------------------------


def shown(certificate: "Certificate | None") -> str:
    """The kind and the bound."""
    return "none" if certificate is None else f"{certificate.kind} {certificate.bound:.1e}"


def mix_digits(report: Report) -> None:
    """Ten components for ten digits, found without the labels."""
    from sklearn.cluster import KMeans
    from sklearn.metrics import adjusted_rand_score

    x, labels = digits()
    table = Table(
        "Mixtures of the digits, 10 components, labels not shown to them",
        ("", "ARI", "mean log-likelihood", "sweeps", "converged", "certificate", "seconds"),
    )
    models: dict[str, Any] = {}
    for assignment in ("soft", "hard"):
        model = VonMisesFisherMixture(10, assignment=assignment, n_init=5, max_iter=500, random_state=0)
        _, seconds = timed(lambda model=model: model.fit(x))  # type: ignore[misc]
        score = adjusted_rand_score(labels, model.predict(x))
        table.add(
            f"VonMisesFisherMixture, {assignment}",
            f"{score:.3f}",
            f"{model.lower_bound_:.4f}",
            f"{model.n_iter_}",
            "yes" if model.converged_ else "no",
            shown(model.certificate_),
            f"{seconds:.2f}",
        )
        models[assignment] = model
    means, seconds = timed(lambda: KMeans(10, n_init=5, random_state=0).fit(x))
    score = adjusted_rand_score(labels, means.labels_)
    table.add("scikit-learn's KMeans", f"{score:.3f}", "-", f"{means.n_iter_}", "-", "none", f"{seconds:.2f}")
    table.notes.append("SciPy has no mixture. ARI: agreement with the true digits, 1 is perfect, 0 is chance")
    report.table(table)
    with report.picture("vmf-mixture-digits", figsize=(8.6, 4.7)) as figure:
        pictures.digit_means(figure, models["soft"], x, labels)


def mix_patches(report: Report) -> None:
    """A photograph in eight kinds of texture: 16 x 16 x 3 patches, d = 768."""
    image = photograph()
    grid = patches(image, 16, 8)
    x = directions(grid.reshape(-1, grid.shape[-1]))
    model = VonMisesFisherMixture(8, n_init=4, max_iter=300, tol=1e-4, random_state=0)
    _, seconds = timed(lambda: model.fit(x))
    table = Table(
        f"A mixture of {len(x)} patches of china.jpg, 16 x 16 x 3, d = {x.shape[1]}: {model.n_iter_} sweeps, "
        f"{seconds:.2f} s, {shown(model.certificate_)}",
        ("component", "weight", "kappa", "1 - mean resultant length"),
    )
    spreads = special.iv_ratio_c(x.shape[1] / 2, model.concentrations_)
    order = np.argsort(-model.weights_)
    for place, j in enumerate(order):
        table.add(
            f"{place + 1}", f"{model.weights_[j]:.3f}", f"{model.concentrations_[j]:.6g}", f"{spreads[j]:.3e}"
        )
    report.table(table)
    with report.picture("vmf-mixture-photograph", figsize=(8.6, 4.7)) as figure:
        pictures.segmentation(figure, image, model, model.predict(x).reshape(grid.shape[:2]), order)


# --- the functions underneath --------------------------------------------------------------------------------------


def map_accuracy(report: Report) -> None:
    """Our certified bound, and SciPy's distance from our value, over fifteen decades of v and x."""
    axis = np.logspace(-3, 12, MAP_SIDE)
    v, x = np.meshgrid(axis, axis)
    table = Table(
        f"log I_v(x) and log K_v(x) at {v.size} points, v and x from 1e-3 to 1e12",
        (
            "",
            "finite",
            "largest bound",
            "median bound",
            "SciPy finite",
            "SciPy off by, worst",
            "SciPy off by, median",
        ),
    )
    maps = []
    for name, ours, theirs in (
        ("log I", special.log_iv_certified, scipy_log_iv),
        ("log K", special.log_kv_certified, scipy_log_kv),
    ):
        value, bound = ours(v, x)
        scale = np.maximum(1.0, np.abs(value))
        with np.errstate(all="ignore"):
            other = theirs(v, x)
            distance = np.abs(other - value) / scale
        finite = np.isfinite(other)
        table.add(
            name,
            f"{np.isfinite(value).mean():.1%}",
            f"{(bound / scale).max():.1e}",
            f"{np.median(bound / scale):.1e}",
            f"{finite.mean():.1%}",
            f"{distance[finite].max():.1e}",
            f"{np.median(distance[finite]):.1e}",
        )
        maps.append((name, bound / scale, np.where(finite, distance, np.nan)))
    table.notes.append(
        "bounds and distances over max(1, |value|); SciPy: log(ive(v, x)) + x and log(kve(v, x)) - x"
    )
    report.table(table)
    with report.picture("log-bessel-accuracy", figsize=(8.6, 7.4)) as figure:
        pictures.accuracy(figure, axis, maps)


def scipy_log_iv(v: Array, x: Array) -> Array:
    """What a SciPy user writes for log I."""
    value: Array = np.log(scipy.special.ive(v, x)) + x
    return value


def scipy_log_kv(v: Array, x: Array) -> Array:
    """What a SciPy user writes for log K."""
    value: Array = np.log(scipy.special.kve(v, x)) - x
    return value
