"""The run itself: who takes part in which problem, interleaved rounds, best of k."""

from __future__ import annotations

import contextlib
import dataclasses
import math
import sys
import time
from collections.abc import Sequence
from typing import Any

from benches.peers import machine
from benches.peers.contract import Family, Implementation, Problem, Run
from benches.peers.process import Dead, Process

_SHORTEST, _LONGEST = 0.01, 0.25
"""Seconds of a window: the slowest entrant's call, within these."""
_FEWEST = 3
"""Rounds below which the time limit is disregarded, unless single calls exceed it."""


def _cut(reply: dict[str, Any]) -> bool:
    """Whether the answer says why it ended early: its digest then has a ``remark``."""
    return bool((reply["digest"] or {}).get("remark"))


@dataclasses.dataclass(frozen=True)
class Settings:
    """What the command line says."""

    size: str = "full"
    threads: Sequence[int] = (1, 0)
    simd: Sequence[str | None] = (None,)
    rounds: int = 9
    seconds: float = 20.0
    timeout: float = 900.0
    only: Sequence[str] = ()
    peers: Sequence[str] = ()


@dataclasses.dataclass(frozen=True)
class Entrant:
    """An implementation in a process of its own kind: ours once a SIMD level, peers once."""

    implementation: Implementation
    simd: str | None
    threads: int

    def label(self, reported: str | None) -> str:
        """SIMD level as the runs name it: what the process reports; peers have none."""
        solvent = self.implementation.ours or self.implementation.uses_solvent
        return (reported or self.simd or "native") if solvent else ""


class Harness:
    """Runs a family and keeps the processes that hold its implementations."""

    def __init__(self, family: Family, module: str, settings: Settings) -> None:
        self.family, self.module, self.settings = family, module, settings
        self.processes: dict[tuple[Any, ...], Process] = {}
        self.facts: dict[str, Any] = {}

    def run(self) -> list[Run]:
        """Every problem at every thread count; one row an entrant, failures included."""
        runs: list[Run] = []
        try:
            for threads in self.settings.threads:
                for problem in self.family.problems(self.settings.size):
                    if self.settings.only and not any(word in problem.key for word in self.settings.only):
                        continue
                    began = time.monotonic()
                    runs += self._compete(problem, threads)
                    took = time.monotonic() - began
                    print(
                        f"{problem.key} ({threads or 'all'} threads): {took:.1f} s",
                        file=sys.stderr,
                        flush=True,
                    )
                self._close()  # the next thread count needs other environments: give the memory back first
        finally:
            self._close()
        return runs

    def _close(self) -> None:
        """End the processes; `facts` keeps the BLAS and SIMD level of each kind."""
        for (group, simd, threads, _), process in self.processes.items():
            if not process.death:
                name = f"{group}, {threads or 'all'} threads" + (f", {simd}" if simd else "")
                with contextlib.suppress(Dead):
                    self.facts[name] = process.ask("facts")
            process.close()
        self.processes.clear()

    def _entrants(self, problem: Problem, threads: int) -> list[Entrant]:
        chosen = []
        for implementation in self.family.implementations:
            if problem.task not in implementation.tasks:
                continue
            if (
                self.settings.peers
                and not implementation.ours
                and implementation.name not in self.settings.peers
            ):
                continue
            levels = self.settings.simd if implementation.ours or implementation.uses_solvent else (None,)
            chosen += [Entrant(implementation, simd, threads) for simd in levels]
        return chosen

    def _process(self, entrant: Entrant) -> Process:
        extra = dict(entrant.implementation.environment)
        key = (entrant.implementation.process, entrant.simd, entrant.threads, tuple(sorted(extra.items())))
        if key not in self.processes or self.processes[key].death:
            if key in self.processes:
                self.processes[key].close()
            self.processes[key] = Process(
                self.module, self.settings.size, entrant.threads, entrant.simd, extra, self.settings.timeout
            )
        return self.processes[key]

    def _ask(self, entrant: Entrant, do: str, **request: Any) -> dict[str, Any]:
        try:
            return self._process(entrant).ask(do, implementation=entrant.implementation.name, **request)
        except Dead as end:
            return {"status": "failed", "reason": str(end)}

    def _compete(self, problem: Problem, threads: int) -> list[Run]:
        """Prepare every entrant, then sample them in turn, in an order that rotates from round to round."""
        prepared: dict[Entrant, dict[str, Any]] = {}
        refused: dict[Entrant, dict[str, Any]] = {}
        for entrant in self._entrants(problem, threads):
            limit = entrant.implementation.limit(problem)
            if limit is not None and problem.count > limit:
                refused[entrant] = {
                    "status": "skipped",
                    "reason": f"too slow to run at n > {limit}" if limit else "too slow to run",
                }
                continue
            reply = self._ask(entrant, "prepare", problem=problem.key)
            if "status" not in reply and entrant.simd and reply["simd"] != entrant.simd:
                reply = {
                    "status": "not available",
                    "reason": f"asked for {entrant.simd}, got {reply['simd']}",
                }
            (refused if "status" in reply else prepared)[entrant] = reply
        samples = self._sample(prepared, refused)
        for process in self.processes.values():
            with contextlib.suppress(Dead):
                process.ask("release")
        return [
            self._row(problem, entrant, prepared.get(entrant), samples.get(entrant, []), refused.get(entrant))
            for entrant in self._entrants(problem, threads)
        ]

    def _sample(
        self, prepared: dict[Entrant, dict[str, Any]], refused: dict[Entrant, dict[str, Any]]
    ) -> dict[Entrant, list[tuple[float, float]]]:
        """(wall, cpu) of every round.  All get the same number of rounds and windows of about the same length.

        On a shared machine the best of many short windows finds a quiet moment, the best of few long ones does not: without
        this rule whoever is quick looks quicker still.  Two exceptions, so that one who needs minutes does not cost the others
        their rounds: an answer that was cut short is not repeated (its time is what it was allowed), and a call longer than
        a quarter of the time for all rounds is timed once.
        """
        samples: dict[Entrant, list[tuple[float, float]]] = {
            entrant: [(reply["first"], reply["first"])] if _cut(reply) else []
            for entrant, reply in prepared.items()
        }
        repeated = {
            e: reply["seconds"]
            for e, reply in prepared.items()
            if not _cut(reply) and reply["seconds"] <= self.settings.seconds / 4
        }
        slowest = max(repeated.values(), default=0.0)
        window = min(max(slowest, _SHORTEST), _LONGEST)
        batches = {e: max(1, round(window / max(reply["seconds"], 1e-7))) for e, reply in prepared.items()}
        for entrant, reply in prepared.items():
            if entrant not in repeated and not _cut(reply):
                self._one(entrant, 1, samples, refused)
        began = time.monotonic()
        for turn in range(self.settings.rounds):
            late = time.monotonic() - began > self.settings.seconds * len(repeated)
            if late and turn >= min(_FEWEST, max(1, self.settings.seconds // max(slowest, 1e-7))):
                break
            order = [e for e in repeated if e not in refused]
            for entrant in order[turn % len(order) :] + order[: turn % len(order)] if order else []:
                self._one(entrant, batches[entrant], samples, refused)
        return samples

    def _one(
        self,
        entrant: Entrant,
        batch: int,
        samples: dict[Entrant, list[tuple[float, float]]],
        refused: dict[Entrant, dict[str, Any]],
    ) -> None:
        """One window of an entrant."""
        reply = self._ask(entrant, "sample", batch=batch)
        if "status" in reply:
            refused[entrant] = reply
        else:
            samples[entrant].append((reply["wall"], reply["cpu"]))

    @staticmethod
    def _row(
        problem: Problem,
        entrant: Entrant,
        prepared: dict[str, Any] | None,
        samples: list[tuple[float, float]],
        refused: dict[str, Any] | None,
    ) -> Run:
        row = Run(
            problem.task,
            problem.name,
            problem.count,
            problem.unit,
            entrant.implementation.name,
            entrant.implementation.ours,
            entrant.threads,
            entrant.label(prepared["simd"] if prepared else None),
            status=refused["status"] if refused else "ok",
            reason=refused["reason"] if refused else entrant.implementation.note,
        )
        if refused or prepared is None:
            return row
        error, reason, digest = math.nan, row.reason, prepared["digest"] or {}
        try:
            if digest:
                error = problem.judge(digest)
        except Exception as failure:  # the times of a long run must not be lost with a judgement
            reason = f"not judged: {type(failure).__name__}: {failure}"
        missed = problem.limit is not None and error > problem.limit
        if missed:
            reason = f"error {error:.2e} exceeds {problem.limit:.2e}"
        if digest.get("remark"):
            reason = "; ".join(filter(None, (digest["remark"], reason)))
        return dataclasses.replace(
            row,
            status="missed" if missed else "ok",
            reason=reason,
            wall=min(wall for wall, _ in samples),
            cpu=min(cpu for _, cpu in samples),
            rounds=len(samples),
            error=None if math.isnan(error) else error,
            nonfinite=digest.get("nonfinite"),
            certificate=prepared["certificate"],
        )


def run_family(family: Family, module: str, settings: Settings) -> tuple[list[Run], dict[str, Any]]:
    """All runs and the facts to store beside them."""
    began = time.time()
    harness = Harness(family, module, settings)
    runs = harness.run()
    packages = sorted({p for i in family.implementations for p in i.packages} | {"numpy"})
    running = {facts["solvent_version"] for facts in harness.facts.values()} - {None}
    facts = {
        **machine.machine(),
        "versions": {**machine.versions(packages), "solvent": ", ".join(sorted(running)) or None},
        "processes": harness.facts,
        "began": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(began)),
        "took_seconds": round(time.time() - began, 1),
    }
    return runs, facts
