"""The promised figures of the family, from the runs of one report."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Sequence

from benches.peers import machine
from benches.peers.contract import Report, Run, Target
from benches.peers.ot.problems import SEVEN, TOLERANCES

_REGOT = ("regot ssns", "regot splr")
_FINEST = "to 1e-09"
_SMALL_REG = ("c1000e-3", "c1000e-4", "c2000e-3", "c2000e-4", "c5000e-3")
"""Problems with reg <= 1e-3 max C and n >= 1000."""


@dataclasses.dataclass(frozen=True)
class Ratio:
    """A peer's time over ours on one problem; `least`: the peer was cut short, so the truth is larger."""

    problem: str
    value: float
    least: bool = False

    def __str__(self) -> str:
        return f"{self.problem} {'>= ' if self.least else ''}{self.value:.3g}x"


def targets(report: Report) -> Iterable[Target]:
    """Every promised figure as measured in this report."""
    yield from _regot(report)
    for number, peer, bar in (("2", "pot log", 300.0), ("3", "ott", 50.0)):
        found = [r for name in _SMALL_REG if (r := _ratio(report, "to 1e-06", name, peer))]
        yield _worst(number, f"{peer} to 1e-6, reg <= 1e-3, n >= 1000", bar, found)
    yield _worst("4", "mdot-tnt at its own stop", 10.0, _mdot(report))
    yield _garbage(report)
    yield _certificates(report)
    yield _threads(report)
    yield from _exact(report)


def _ours(report: Report, task: str, problem: str, threads: int = 1) -> Run | None:
    """Our fastest SIMD level on a problem."""
    found = report.find(task=task, problem=problem, ours=True, threads=threads)
    return min(found, key=lambda run: run.seconds(report.clock) or math.inf, default=None)


def _peer(report: Report, task: str, problem: str, name: str) -> Run | None:
    """The peer's run with one thread, whether it reached the tolerance or not."""
    wanted = (task, problem, name, 1)
    runs = (r for r in report.runs if (r.task, r.problem, r.implementation, r.threads) == wanted)
    return next((r for r in runs if r.status in ("ok", "missed")), None)


def _ratio(report: Report, task: str, problem: str, name: str) -> Ratio | None:
    """Peer over ours, as a lower bound where the peer ran out of time; None where it failed in any other way."""
    ours, peer = _ours(report, task, problem), _peer(report, task, problem, name)
    if ours is None or peer is None:
        return None
    cut = peer.status == "missed"
    if cut and "ran out of time" not in peer.reason:
        return None
    top, bottom = peer.seconds(report.clock), ours.seconds(report.clock)
    return Ratio(problem, top / bottom, cut) if top and bottom else None


def _worst(number: str, figure: str, bar: float, found: Sequence[Ratio]) -> Target:
    """The smallest ratio decides, and all are shown."""
    if not found:
        return Target(number, figure, f">= {bar:g}x each", "-", None)
    met: bool | None = all(r.value >= bar for r in found)
    if not met and all(r.value >= bar or r.least for r in found):
        met = None  # what falls short is only a lower bound
    return Target(number, figure, f">= {bar:g}x each", ", ".join(map(str, found)), met)


def _regot(report: Report) -> Iterable[Target]:
    """Geometric mean and worst over the problems that a solver of regot finishes; the others are named."""
    found, failed = [], []
    for case in SEVEN:
        ratios = [r for peer in _REGOT if (r := _ratio(report, _FINEST, case.name, peer))]
        if ratios:
            found.append(min(ratios, key=lambda r: r.value))
        elif _ours(report, _FINEST, case.name) and any(
            r.problem == case.name and r.implementation in _REGOT for r in report.runs
        ):
            failed.append(case.name)
    remark = f"; no regot solver finishes {', '.join(failed)}" if failed else ""
    figure = f"best regot to 1e-9, {len(found)} of {len(SEVEN)} problems"
    if found:
        mean = math.exp(sum(math.log(r.value) for r in found) / len(found))
        yield Target("1", f"{figure}, geometric mean", ">= 20x", f"{mean:.3g}x{remark}", mean >= 20)
    else:
        yield Target("1", f"{figure}, geometric mean", ">= 20x", "-" + remark, None)
    yield _worst("1", f"{figure}, each", 8.0, found)


def _mdot(report: Report) -> list[Ratio]:
    """MDOT's time over ours to the loosest tolerance that is at least as good as what it reached."""
    found = []
    for case in SEVEN:
        peer = _peer(report, _FINEST, case.name, "mdot-tnt")
        if peer is None or peer.error is None:
            continue
        tol = next((t for t in sorted(TOLERANCES, reverse=True) if t <= peer.error), min(TOLERANCES))
        ours = _ours(report, f"to {tol:.0e}", case.name) or _ours(report, _FINEST, case.name)
        top, bottom = peer.seconds(report.clock), ours.seconds(report.clock) if ours else None
        if top and bottom:
            found.append(Ratio(case.name, top / bottom))
    return found


def _garbage(report: Report) -> Target:
    """Ours answers every problem, those too on which POT's iterations end in overflow or nowhere."""
    ours = [r for r in report.runs if r.ours and r.task.startswith("to ")]
    failed = [f"{r.task} {r.problem}" for r in ours if r.status != "ok"]
    lost = sorted(
        {
            r.problem
            for r in report.runs
            if r.implementation.startswith("pot") and r.status == "missed" and "flow" in r.reason
        }
    )
    figure = "success on every problem" + (f" (POT lost on {', '.join(lost)})" if lost else "")
    measured = f"{len(ours) - len(failed)} of {len(ours)}" + (f"; not {', '.join(failed)}" if failed else "")
    return Target("5", figure, "all", measured, not failed if ours else None)


def _certificates(report: Report) -> Target:
    """Time of a certificate on its own over that of the whole solve, at the finest tolerance."""
    shares = []
    for run in report.find(task=_FINEST, implementation="solvent certify", threads=1):
        ours = _ours(report, _FINEST, run.problem)
        top, bottom = run.seconds(report.clock), ours.seconds(report.clock) if ours else None
        if top and bottom:
            shares.append((top / bottom, run.problem))
    text = ", ".join(f"{problem} {100 * share:.2g} %" for share, problem in sorted(shares)) or "-"
    met = max(shares)[0] <= 0.1 if shares else None
    return Target("6", "certificate's share of a solve to 1e-9", "<= 10 % each", text, met)


def _threads(report: Report) -> Target:
    """All threads against one, by the wall, on the largest problems."""
    figure, found = "all threads against one, n >= 2000, to 1e-9", []
    for name in _SMALL_REG[2:]:
        one, many = _ours(report, _FINEST, name), _ours(report, _FINEST, name, threads=0)
        if one and many and one.wall and many.wall:
            found.append(Ratio(name, one.wall / many.wall))
    if machine.all_threads() < 2 or not found:
        return Target("7", figure, ">= 1.7x on two", "-", None)
    return Target(
        "7", figure, ">= 1.7x on two", ", ".join(map(str, found)), min(r.value for r in found) >= 1.7
    )


def _exact(report: Report) -> Iterable[Target]:
    for n, bar in ((4000, 5.0), (10_000, 10.0)):
        found = _ratio(report, "exact", f"clouds{n}", "pot emd")
        yield _worst("8", f"emd, exact with certificate, clouds n = {n}", bar, [found] if found else [])
