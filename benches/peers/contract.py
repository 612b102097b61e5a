"""What a family hands to the harness: problems, implementations, and the figures that were promised."""

from __future__ import annotations

import dataclasses
import importlib
import importlib.util
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

SIZES = ("tiny", "quick", "full")
"""tiny: seconds, for the tests of the suite itself; quick: minutes; full: what is published."""


class Unavailable(Exception):
    """An implementation cannot take part here, for a reason that its row shows (a missing API, an unsupported dtype)."""


@dataclasses.dataclass(frozen=True, eq=False)
class Problem:
    """One set of data and the way to judge answers to it.

    `make` must be seeded: every process makes the data anew and must get the same bits.  `digest` runs where the answer
    is and reduces it to a small JSON-able dict (``nonfinite`` in it is counted in the table, and a ``remark`` says why the
    answer ended early: such a one is timed once); `judge` runs in the parent
    and turns a digest into an error (nan: not judged), so that only the parent needs the oracle.  An answer whose error
    exceeds `limit` is no answer to this problem: its row is "missed" and takes no part in ratios.
    """

    task: str
    name: str
    count: int
    make: Callable[[], Any]
    digest: Callable[[Any, Any], dict[str, Any]]
    judge: Callable[[dict[str, Any]], float]
    unit: str = "element"
    limit: float | None = None

    @property
    def key(self) -> str:
        """Name that identifies the problem across processes."""
        return f"{self.task}/{self.name}/{self.count}"


@dataclasses.dataclass(frozen=True, eq=False)
class Implementation:
    """Ours, a peer, or a yardstick such as one pass over memory.

    `tasks[task](data)` imports what it needs, compiles, and returns a function without arguments: one call of it is what
    is timed.  Implementations with the same `process` share one; `environment` is set there before Python starts.
    `uses_solvent` marks a yardstick that calls solvent itself: it runs at each SIMD level beside ours.  A yardstick that
    answers another question is not `judged`: its answers need not be what the problem's `digest` takes.
    `clock(task, data, answer)` gives the seconds that the implementation itself says the answer took (a solver behind
    a slow door); the smaller of that and our clocks counts.
    `largest` bounds the problem counts it is run on (a peer that needs minutes for one call is not worth them).
    """

    name: str
    tasks: Mapping[str, Callable[[Any], Callable[[], Any]]]
    ours: bool = False
    uses_solvent: bool = False
    judged: bool = True
    process: str = "shared"
    packages: tuple[str, ...] = ()
    environment: Mapping[str, str] = dataclasses.field(default_factory=dict)
    certificate: Callable[[str, Any, Any], float | None] | None = None
    clock: Callable[[str, Any, Any], float] | None = None
    largest: Mapping[str, int] = dataclasses.field(default_factory=dict)
    note: str = ""

    def limit(self, problem: Problem) -> int | None:
        """Largest count to run a problem at: keys of `largest` are ``"task/name"``, ``"task"`` or ``"*"``."""
        keys = (f"{problem.task}/{problem.name}", problem.task, "*")
        return next((self.largest[key] for key in keys if key in self.largest), None)


@dataclasses.dataclass(frozen=True)
class Run:
    """One implementation on one problem with one thread count (0 = all) at one SIMD level; `seconds` is the best round.

    `status` is "ok", "missed" (timed, but the error exceeds the problem's limit), "failed", "skipped" or "not available".
    """

    task: str
    problem: str
    count: int
    unit: str
    implementation: str
    ours: bool
    threads: int
    simd: str
    status: str
    reason: str = ""
    wall: float | None = None
    cpu: float | None = None
    rounds: int = 0
    error: float | None = None
    nonfinite: int | None = None
    certificate: float | None = None

    def seconds(self, clock: str) -> float | None:
        """Best time by the clock "wall" or "cpu" (time of all threads of the process)."""
        return self.wall if clock == "wall" else self.cpu


@dataclasses.dataclass(frozen=True)
class Target:
    """A promised figure beside what was measured; `met` is None where nothing could be measured."""

    number: str
    figure: str
    promised: str
    measured: str
    met: bool | None


@dataclasses.dataclass(frozen=True)
class Report:
    """All runs, with the look-ups that a family's targets need."""

    runs: Sequence[Run]
    clock: str = "wall"

    def find(self, **wanted: Any) -> list[Run]:
        """Successful runs whose fields equal the given ones."""
        return [
            r for r in self.runs if r.status == "ok" and all(getattr(r, k) == v for k, v in wanted.items())
        ]

    def largest(self, **wanted: Any) -> Run | None:
        """The successful run of the largest count among those that match."""
        return max(self.find(**wanted), key=lambda r: r.count, default=None)

    def ratio(
        self, slow: Mapping[str, Any], fast: Mapping[str, Any], **both: Any
    ) -> tuple[float, int] | None:
        """(time of `slow` / time of `fast`, count) at the largest count that both ran at."""
        pairs = [
            (a, b)
            for a in self.find(**both, **slow)
            for b in self.find(**both, **fast)
            if a.count == b.count and a.problem == b.problem
        ]
        if not pairs:
            return None
        a, b = max(pairs, key=lambda ab: ab[0].count)
        # Times of several threads are compared by the wall whatever the clock: CPU time does not fall with threads.
        clock = self.clock if a.threads == b.threads == 1 else "wall"
        top, bottom = a.seconds(clock), b.seconds(clock)
        return (top / bottom, a.count) if top and bottom else None


@dataclasses.dataclass(frozen=True)
class Family:
    """A family of problems; `problems(size)` for a size of `SIZES`."""

    name: str
    problems: Callable[[str], Sequence[Problem]]
    implementations: Sequence[Implementation]
    targets: Callable[[Report], Iterable[Target]]

    def problem(self, size: str, key: str) -> Problem:
        """The problem of that key."""
        return next(p for p in self.problems(size) if p.key == key)

    def implementation(self, name: str) -> Implementation:
        """The implementation of that name."""
        return next(i for i in self.implementations if i.name == name)


def load_family(name: str) -> Family:
    """`benches.peers.NAME` if there is one, else the importable module NAME."""
    inside = f"{__package__}.{name}"
    plain = name.isidentifier()
    module = importlib.import_module(inside if plain and importlib.util.find_spec(inside) else name)
    family: Family = module.FAMILY
    return family
