"""Family `regression`: least squares and quantiles."""

from __future__ import annotations

from collections.abc import Iterable

from benches.peers.contract import Family, Problem, Report, Target
from benches.peers.regression import least_squares, quantile


def _problems(size: str) -> list[Problem]:
    return [*least_squares.problems(size), *quantile.problems(size)]


def _targets(report: Report) -> Iterable[Target]:
    yield from least_squares.targets(report)
    yield from quantile.targets(report)


FAMILY = Family("regression", _problems, [*least_squares.LEAST_SQUARES, *quantile.IMPLEMENTATIONS], _targets)
"""What ``python -m benches.peers regression`` runs."""
