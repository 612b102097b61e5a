"""Family `special`: log-Bessel functions, von Mises-Fisher distributions and mixtures."""

from __future__ import annotations

from collections.abc import Sequence

from benches.peers.contract import Family, Problem
from benches.peers.special import directional, elementwise, problems
from benches.peers.special.targets import targets


def _problems(size: str) -> Sequence[Problem]:
    return [*problems.problems(size), *directional.problems(size)]


FAMILY = Family("special", _problems, [*elementwise.ELEMENTWISE, *directional.DIRECTIONAL], targets)
"""What ``python -m benches.peers special`` runs."""
