"""The promised figures of the family, from the runs of one report."""

from __future__ import annotations

from collections.abc import Iterable

from benches.peers.contract import Report, Target


def targets(report: Report) -> Iterable[Target]:
    """Every promised figure as measured in this report."""
    for number, problem, bar in (("1a", "r=5 rho=2", 20.0), ("1b", "r=5 rho=5", 15.0)):
        found = report.ratio(
            {"implementation": "pymanopt cg"}, {"ours": True}, task="exact", problem=problem, threads=1
        )
        yield _target(number, f"exact to 1e-9, {problem}: pymanopt over ours", bar, found)
    for number, task, peer, bar in (
        ("2a", "ratings", "cmfrec cg", 5.0),
        ("2b", "ratings", "lenskit als", 15.0),
        ("3a", "feedback", "implicit cg", 4.0),
        ("3b", "feedback", "irspack cg", 3.0),
    ):
        found = report.ratio({"implementation": peer}, {"ours": True}, task=task, threads=1)
        yield _target(number, f"{task}, ten sweeps: {peer.split()[0]} over ours", bar, found)


def _target(number: str, figure: str, bar: float, found: tuple[float, int] | None) -> Target:
    if found is None:
        return Target(number, figure, f">= {bar:g}x", "not measured", None)
    ratio, count = found
    return Target(number, figure, f">= {bar:g}x", f"{ratio:.3g}x at {count}", ratio >= bar)
