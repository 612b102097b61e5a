"""Family `monotone`: zero-sum games, linear programs and inclusions.

The peers (none is needed to use or test the package): ``pip install highspy==1.15.1 nashpy ortools scikit-learn``.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence

from benches.peers.contract import Family, Implementation, Problem, Report, Target
from benches.peers.monotone import game, inclusion, lp

PARTS = (game, lp, inclusion)


def problems(size: str) -> Sequence[Problem]:
    """Games, then linear programs, then inclusions."""
    return [problem for part in PARTS for problem in part.problems(size)]


def implementations() -> list[Implementation]:
    """Everyone once: a name that takes part in several kinds of problems (HiGHS) has the tasks of all."""
    joined: dict[str, Implementation] = {}
    for part in PARTS:
        for one in part.IMPLEMENTATIONS:
            # A limit on the size of games is none on linear programs.
            largest = dict.fromkeys(one.tasks, one.largest["*"]) if "*" in one.largest else one.largest
            one = dataclasses.replace(one, largest=largest)
            other = joined.get(one.name)
            if other is not None:
                if (one.process, one.packages) != (other.process, other.packages):
                    raise ValueError(f"{one.name} is two different things")
                one = dataclasses.replace(
                    one, tasks={**other.tasks, **one.tasks}, largest={**other.largest, **one.largest}
                )
            joined[one.name] = one
    return list(joined.values())


def targets(report: Report) -> Iterable[Target]:
    """The promised figures of all parts."""
    return [target for part in PARTS for target in part.targets(report)]


FAMILY = Family("monotone", problems, implementations(), targets)
"""What ``python -m benches.peers monotone`` runs."""
