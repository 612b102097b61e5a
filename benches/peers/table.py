"""Runs and targets as text."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from benches.peers.contract import Run, Target


def grid(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Aligned columns; the header is underlined."""
    rows = [list(header), *map(list, rows)]
    widths = [max(len(row[i]) for row in rows) for i in range(len(header))]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    ]
    return "\n".join([lines[0], "  ".join("-" * width for width in widths), *lines[1:]])


def _number(value: float | None, form: str = ".2e") -> str:
    return "-" if value is None else format(value, form)


def _time(run: Run | None, clock: str) -> tuple[str, str]:
    """(seconds, ns an element)."""
    seconds = run.seconds(clock) if run else None
    if run is None or seconds is None:
        return "-", "-"
    return f"{seconds:.3g}", f"{1e9 * seconds / run.count:.4g}"


def runs_table(runs: Sequence[Run], clock: str = "wall") -> str:
    """One line a (problem, threads, peer, SIMD level of ours); problems without peer show ours alone."""
    lines = []
    for group in _groups(runs):
        ours: list[Run | None] = [run for run in group if run.ours]
        peers: list[Run | None] = [run for run in group if not run.ours]
        pairs = [
            (peer, our)
            for our in ours or [None]
            for peer in peers or [None]
            if not (peer and our and peer.simd) or peer.simd == our.simd or peer.status != "ok"
        ]
        lines += [_line(peer, our, clock) for peer, our in pairs]
    header = "problem n threads simd peer peer_s peer_ns ours_s ours_ns ratio peer_err our_err our_cert peer_nonfinite note"
    return grid(header.split(), lines)


def _groups(runs: Sequence[Run]) -> Iterable[list[Run]]:
    groups: dict[tuple[Any, ...], list[Run]] = {}
    for run in runs:
        groups.setdefault((run.task, run.problem, run.count, run.threads), []).append(run)
    return groups.values()


def _line(peer: Run | None, our: Run | None, clock: str) -> list[str]:
    any_run = our or peer
    assert any_run is not None
    clock = clock if any_run.threads == 1 else "wall"
    ratio = "-"
    if peer and our and peer.status == our.status == "ok" and peer.seconds(clock) and our.seconds(clock):
        ratio = f"{peer.seconds(clock) / our.seconds(clock):.3g}x"  # type: ignore[operator]
    notes = []
    if our and our.status != "ok":
        notes.append(f"ours {our.status}: {our.reason}")
    if peer:
        notes.append(peer.reason if peer.status == "ok" else f"{peer.status}: {peer.reason}")
    return [
        f"{any_run.task} {any_run.problem}",
        f"{any_run.count:.3g}",
        str(any_run.threads or "all"),
        our.simd if our else "-",
        peer.implementation if peer else "(none)",
        *_time(peer, clock),
        *_time(our, clock),
        ratio,
        _number(peer.error if peer else None),
        _number(our.error if our else None),
        _number(our.certificate if our else None),
        "-" if peer is None or peer.nonfinite is None else str(peer.nonfinite),
        "; ".join(note for note in notes if note),
    ]


def targets_table(targets: Iterable[Target]) -> str:
    """number, figure, measured, target, met?"""
    words = {True: "yes", False: "NO", None: "not measured"}
    rows = [(t.number, t.figure, t.measured, t.promised, words[t.met]) for t in targets]
    return grid(("#", "figure", "measured", "target", "met?"), rows)


def clock_text(runs: Sequence[Run], clock: str) -> str:
    """Which clock the times are by, and how much the machine was busy with something else."""
    busy = [run.wall / run.cpu for run in runs if run.threads == 1 and run.wall and run.cpu]
    busiest = f"; wall over CPU time up to {max(busy):.2f} there (1 = an idle machine)" if busy else ""
    return f"times: {clock} clock for one thread{busiest}; wall for more"


def facts_text(facts: dict[str, Any]) -> str:
    """The facts, one a line; the BLAS of each process in words."""
    lines = [f"{key}: {value}" for key, value in facts.items() if key not in ("processes", "versions")]
    lines.append(
        "versions: " + ", ".join(f"{k} {v or 'not installed'}" for k, v in facts["versions"].items())
    )
    for name, process in facts["processes"].items():
        pools = [
            " ".join(
                str(p[k])
                for k in ("internal_api", "version", "architecture", "num_threads")
                if p.get(k) is not None
            )
            for p in process.get("blas", [])
        ]
        level = f"; solvent at {process['solvent_simd']}" if process.get("solvent_simd") else ""
        lines.append(f"process {name}: {', '.join(pools) or 'no BLAS loaded'}{level}")
    return "\n".join(lines)
