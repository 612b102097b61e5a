"""The games of the peers harness: the judge against planted gaps, the targets against made-up runs, and a tiny real run."""

import numpy as np
import pytest

from benches.peers.contract import Report, Run
from benches.peers.monotone import game


def test_the_judge_measures_a_gap_that_was_planted():
    M = np.array([[2.0, 0.0], [0.0, 2.0]])
    assert game.gap(M, [0.5, 0.5], [0.5, 0.5]) == 0
    assert game.gap(M, [0.75, 0.25], [0.5, 0.5]) == 0.25
    assert game.gap(M, [3.0, 1.0], [1.0, 1.0]) == 0.25  # scaled to sum 1
    assert game.gap(M, [1.0, -1.0], [1.0, 0.0]) == 1.0  # negative weights count as 0
    assert game.gap(M, [np.nan, 1.0], [1.0, 0.0]) == np.inf
    assert game.gap(M, [0.0, 0.0], [1.0, 0.0]) == np.inf


@pytest.mark.parametrize("kind", ["normal", "uniform", "low rank", "policeman"])
def test_games_are_seeded(kind):
    assert np.array_equal(game.payoffs(kind, 7, 5), game.payoffs(kind, 7, 5))
    assert not np.array_equal(game.payoffs(kind, 7, 5), game.payoffs(kind, 7, 5, seed=1))


def test_targets_are_met_and_missed():
    def run(implementation, problem, seconds, error=1e-15, certificate=None):
        return Run(
            game.TASK,
            problem,
            1,
            "payoff",
            implementation,
            implementation == "solvent",
            1,
            "v4",
            "ok",
            wall=seconds,
            cpu=seconds,
            rounds=1,
            error=error,
            certificate=certificate,
        )

    runs = [
        run("solvent", "normal 500x500", 0.05, certificate=2e-15),
        run("highs ipm", "normal 500x500", 0.6),
        run("solvent", "normal 1000x1000", 1.0, certificate=1e-16),
        run("highs ipm", "normal 1000x1000", 3.0),
    ]
    met = {target.number: target.met for target in game.targets(Report(runs))}
    assert met == {
        "game 500": True,
        "game 1000": False,
        "game 2000": None,
        "game gap": True,
        "game certificate": False,
    }


def test_ours_answers_every_tiny_problem():
    for problem in game.problems("tiny"):
        data = problem.make()
        for implementation in game.IMPLEMENTATIONS:
            if implementation.ours:
                answer = implementation.tasks[game.TASK](data)()
                gap = problem.judge(problem.digest(data, answer))
                assert gap <= problem.limit
                assert implementation.certificate(game.TASK, data, answer) >= gap - 1e-17
