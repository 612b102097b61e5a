"""The pictures of matrix games: what the players do, and how fast it is known."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ._report import INK, MISSING, OURS, THEIRS

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from solvent.monotone import GameResult

__all__ = ["blotto", "game"]

Array = NDArray[np.float64]


def blotto(regiments: int, posts: int) -> tuple[Array, Array]:
    """Colonel Blotto: both sides spread `regiments` over `posts`, each post goes to the larger force.

    Returns
    -------
    deployments : ndarray of shape (k, posts)
        All ways to spread them.
    payoffs : ndarray of shape (k, k)
        Posts that the column player wins less those that the row player wins.
    """
    grid = np.stack(np.meshgrid(*[np.arange(regiments + 1)] * (posts - 1), indexing="ij"), -1)
    first = grid.reshape(-1, posts - 1)
    first = first[first.sum(axis=1) <= regiments]
    deployments = np.column_stack([first, regiments - first.sum(axis=1)]).astype(float)
    payoffs = np.sign(deployments[None] - deployments[:, None]).sum(axis=-1)
    return deployments, payoffs


def game(
    figure: "Figure",
    deployments: Array,
    result: "GameResult",
    runs: "Mapping[str, GameResult]",
) -> None:
    """How often each post gets how many regiments, the best answers' pay, and gap against time for each run."""
    left, middle, right = figure.subplots(1, 3, width_ratios=(1.1, 1, 1.2))
    _posts(left, deployments, np.asarray(result.x))
    _answers(middle, deployments, result)
    for (name, run), colour in zip(runs.items(), (OURS, THEIRS, INK), strict=False):
        assert run.history is not None
        gaps = np.maximum(run.history["bound"], 1e-18)
        right.semilogy(run.history["elapsed"], gaps, ".-", color=colour, label=name)
    right.set_title("Certified gap against time")
    right.set_xlabel("seconds")
    right.set_ylabel("gap / max|M|")
    right.grid(alpha=0.25, linewidth=0.6)
    right.legend(fontsize=8)


def _posts(axes: "Axes", deployments: Array, weights: Array) -> None:
    """The distribution of the force at one post, all posts being alike."""
    most = int(deployments.max())
    posts = deployments.shape[1]
    shares = np.zeros(most + 1)
    for post in range(posts):
        np.add.at(shares, deployments[:, post].astype(int), weights / posts)
    axes.bar(np.arange(most + 1), shares, color=OURS, width=0.8)
    axes.axvline(deployments.sum(axis=1)[0] / posts, color=THEIRS, linewidth=1, label="an even spread")
    axes.set_title("Regiments at a post, optimal play")
    axes.set_xlabel("regiments")
    axes.set_ylabel("probability")
    axes.legend(fontsize=8)


def _answers(axes: "Axes", deployments: Array, result: "GameResult") -> None:
    """Weights of the deployments that are played."""
    rows, _ = result.support
    weights = np.sort(np.asarray(result.x)[rows])[::-1]
    axes.bar(np.arange(len(weights)), weights, color=OURS, width=1.0)
    axes.axhline(1 / len(deployments), color=MISSING, linewidth=1)
    axes.set_title(f"{len(rows)} of {len(deployments)} deployments are played")
    axes.set_xlabel("deployments, by weight")
    axes.set_ylabel("probability")
