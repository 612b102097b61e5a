"""The inclusion part of the peers: every implementation answers a small problem, and one judge measures all."""

import pytest

from benches.peers.monotone import inclusion


@pytest.mark.parametrize("implementation", inclusion.IMPLEMENTATIONS, ids=lambda it: it.name)
def test_everyone_reaches_the_target(implementation):
    if implementation.packages:
        pytest.importorskip("sklearn")
    for problem in inclusion.problems("tiny"):
        if problem.task not in implementation.tasks or implementation.name == "sklearn saga":
            continue  # saga's search for its tolerance takes a minute
        data = problem.make()
        answer = implementation.tasks[problem.task](data)()
        error = problem.judge(problem.digest(data, answer))
        assert error <= problem.limit, (implementation.name, problem.key)
        if implementation.certificate is not None:
            assert error <= implementation.certificate(problem.task, data, answer) * (1 + 1e-9)
