"""`solvent.monotone`: a game, linear programs, a robust classifier and a decision process, each with its certificate."""

import time
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from solvent import monotone

from . import _game_pictures
from ._inclusion import robust_regression
from ._lp import linear_programs
from ._report import Report
from ._table import Table

if TYPE_CHECKING:
    from solvent.monotone import GameResult

__all__ = ["TITLE", "run"]

TITLE = "Games, linear programs, monotone inclusions, fixed points"

Array = NDArray[np.float64]

REGIMENTS, POSTS = 12, 3
STATES, ACTIONS, NEXT, DISCOUNT = 1000, 5, 20, 0.99


def run(report: Report) -> None:
    """One table a problem, and three pictures."""
    blotto(report)
    linear_programs(report)
    robust_regression(report)
    decisions(report)


# --- a game -------------------------------------------------------------------------------------------------------


def blotto(report: Report) -> None:
    """Colonel Blotto by interior point and by Halpern's iteration."""
    deployments, payoffs = _game_pictures.blotto(REGIMENTS, POSTS)
    methods: dict[str, tuple[Literal["ipm", "halpern"], float]] = {
        "interior point": ("ipm", 1e-12),
        "Halpern": ("halpern", 1e-6),
    }
    runs: dict[str, GameResult] = {
        name: monotone.matrix_game(payoffs, method=method, tol=tol, history=True)
        for name, (method, tol) in methods.items()
    }
    table = Table(
        f"Colonel Blotto, {REGIMENTS} regiments for {POSTS} posts: a {payoffs.shape[0]} x {payoffs.shape[1]} game of value 0",
        ("method", "steps", "ms", "value", "certified gap / max|M|", "deployments played"),
    )
    for name, result in runs.items():
        table.add(
            name,
            str(result.nit),
            f"{1e3 * result.elapsed:.1f}",
            f"{result.value:+.1e}",
            f"{result.certificate.bound:.1e}",
            str(np.count_nonzero(np.asarray(result.x) > 1e-9)),
        )
    report.table(table)
    with report.picture("monotone_game", figsize=(11, 3.6)) as figure:
        _game_pictures.game(figure, deployments, runs["interior point"], runs)


# --- a decision process -------------------------------------------------------------------------------------------


def decisions(report: Report) -> None:
    """Value iteration of a Markov decision process, plain and accelerated."""
    rng = np.random.default_rng(0)
    following = rng.integers(0, STATES, size=(STATES, ACTIONS, NEXT))
    chances = rng.dirichlet(np.full(NEXT, 0.3), size=(STATES, ACTIONS))
    rewards = rng.random((STATES, ACTIONS))

    def bellman(v: Array) -> Array:
        return np.asarray((rewards + DISCOUNT * (chances * v[following]).sum(-1)).max(1))

    v, steps, start = np.zeros(STATES), 0, time.perf_counter()
    while True:
        after, steps = bellman(v), steps + 1
        if np.abs(after - v).max() <= 1e-8:
            break
        v = after
    plain = time.perf_counter() - start
    result: Any = monotone.fixed_point(
        bellman, np.zeros(STATES), contraction=DISCOUNT, norm=np.inf, nonexpansive=False, tol=1e-8
    )
    table = Table(
        f"Value iteration: {STATES} states, {ACTIONS} actions, discount {DISCOUNT}",
        ("method", "evaluations", "ms", "largest residual", "certified distance to the value"),
    )
    table.add("plain", str(steps), f"{1e3 * plain:.0f}", f"{np.abs(after - v).max():.1e}", "none")
    distance = result.certificate.parts["distance"]
    table.add(
        "solvent",
        str(result.nfev),
        f"{1e3 * result.elapsed:.0f}",
        f"{result.residual:.1e}",
        f"{distance:.1e}",
    )
    report.table(table)
