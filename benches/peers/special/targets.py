"""The nine figures that the family promises, one line a SIMD level that has a promise."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from benches.peers import machine
from benches.peers.contract import Report, Run, Target

_LEVELS = {"v4": "AVX-512", "v3": "AVX2"}
_ERROR = 5e-15


def targets(report: Report) -> Iterable[Target]:
    """Targets 1 to 9 as measured in this report."""
    levels = sorted({run.simd for run in report.find(ours=True)} & set(_LEVELS), reverse=True)
    if not levels:
        yield Target("1-9", "all figures", "need our code at v4 or v3", "-", None)
    for level in levels:
        yield from _speed(report, level)
        yield from _own(report, level)
        yield from _accuracy(report, level)
        yield from _statistics(report, level)
        yield _threads(report, level)


def _at_least(number: str, figure: str, level: str, bar: float, found: tuple[float, int] | None) -> Target:
    label = f"{figure} ({_LEVELS[level]})"
    if found is None:
        return Target(number, label, f">= {bar:g}x", "-", None)
    return Target(number, label, f">= {bar:g}x", f"{found[0]:.3g}x (n = {found[1]:.3g})", found[0] >= bar)


def _speed(report: Report, level: str) -> Iterable[Target]:
    ours: dict[str, Any] = {"ours": True, "simd": level}
    v4 = level == "v4"
    rows = [
        ("1", "log_iv", "scipy", "small", 30 if v4 else 15),
        ("2", "log_kv", "scipy", "small", 25 if v4 else 12),
        ("2", "log_kv", "scipy", "inner", 20 if v4 else 10),
        ("3", "log_iv", "tfp-jax", "small", 80 if v4 else 40),
        ("3", "log_kv", "tfp-jax", "small", 80 if v4 else 40),
    ]
    for number, task, peer, problem, bar in rows:
        found = report.ratio({"implementation": peer}, ours, task=task, problem=problem, threads=1)
        yield _at_least(number, f"{task} against {peer}, {problem}", level, bar, found)


def _own(report: Report, level: str) -> Iterable[Target]:
    """Ours against our plain function on the same points: the worst over the problems."""
    ours: dict[str, Any] = {"ours": True, "simd": level}
    plain = {"implementation": "solvent plain", "simd": level}
    rows = [("4", "log_ivk", 1.3)]
    rows += [
        ("6", f"log_{kind}v{form}", bar)
        for form, bar in (("_certified", 1.6), ("_grad", 2.5))
        for kind in "ik"
    ]
    for number, task, bar in rows:
        found = {}
        for problem in {run.problem for run in report.find(task=task, **ours)}:
            ratio = report.ratio(ours, plain, task=task, problem=problem, threads=1)
            if ratio:
                found[problem] = ratio[0]
        text = ", ".join(f"{problem} {ratio:.2f}x" for problem, ratio in sorted(found.items())) or "-"
        met = max(found.values()) <= bar if found else None
        yield Target(number, f"{task} against plain ({_LEVELS[level]})", f"<= {bar:g}x its time", text, met)


def _worst(runs: Iterable[Run]) -> Run | None:
    return max((run for run in runs if run.error is not None), key=lambda run: run.error or 0.0, default=None)


def _accuracy(report: Report, level: str) -> Iterable[Target]:
    ours = [run for task in ("log_iv", "log_kv") for run in report.find(task=task, ours=True, simd=level)]
    worst = _worst(ours)
    nonfinite = sum(run.nonfinite or 0 for run in ours)
    figure = f"max error of log_iv, log_kv, every problem ({_LEVELS[level]})"
    if worst is None or worst.error is None:
        yield Target("5", figure, f"<= {_ERROR:g}", "-", None)
    else:
        text = f"{worst.error:.2g} ({worst.task} {worst.problem}), {nonfinite} non-finite"
        yield Target(
            "5", figure, f"<= {_ERROR:g}, 0 non-finite", text, worst.error <= _ERROR and not nonfinite
        )
    for kind in "ik":
        where = {"task": f"log_{kind}v", "problem": f"golden zero_{kind.upper()}", "threads": 1}
        our = _worst(report.find(**where, ours=True, simd=level))
        peer = _worst(report.find(**where, implementation="tfp-jax"))
        found = None if not (our and peer and our.error) else ((peer.error or 0.0) / our.error, our.count)
        yield _at_least("5", f"log_{kind}v on its zero curve: error of tfp-jax over ours", level, 1e4, found)


def _statistics(report: Report, level: str) -> Iterable[Target]:
    ours: dict[str, Any] = {"ours": True, "simd": level}
    for problem in sorted({run.problem for run in report.find(task="vmf_fit", **ours)} or {"uncached"}):
        found = report.ratio(
            {"implementation": "memory pass"}, ours, task="vmf_fit", problem=problem, threads=1
        )
        yield _at_least("7", f"vMF fit, {problem}: speed over that of one read of x", level, 0.5, found)
    found = report.ratio({"implementation": "scipy.stats"}, ours, task="vmf_rvs", threads=1)
    yield _at_least("8", "vMF rvs, 50 rows, against scipy.stats", level, 100, found)


def _threads(report: Report, level: str) -> Target:
    cores = machine.all_threads()
    ours: dict[str, Any] = {"ours": True, "simd": level, "task": "log_iv", "problem": "small"}
    found = report.ratio({"threads": 1}, {"threads": 0}, **ours) if cores > 1 else None
    share = None if found is None else (found[0] / cores, found[1])
    return _at_least("9", f"all {cores} threads, log_iv small: speed-up over cores", level, 0.8, share)
