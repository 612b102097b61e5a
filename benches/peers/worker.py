"""The process that holds implementations: reads one JSON request a line, answers each with one JSON line.

Requests: prepare (make data, compile, answer once, digest), sample (time one batch of calls), release, facts, stop.
Standard output belongs to the protocol; whatever a peer prints goes to standard error.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import sys
import time
import warnings
from collections.abc import Callable
from typing import Any

from benches.peers import machine
from benches.peers.contract import Unavailable, load_family

_LONG = 1.0
"""Seconds from which the first call tells well enough how long a call takes."""


class Worker:
    """State: the data of one problem, and a ready function for each implementation that was prepared on it."""

    def __init__(self, family: str, size: str) -> None:
        self.family, self.size = load_family(family), size
        self.key: str | None = None
        self.problem: Any = None
        self.data: Any = None
        self.ready: dict[str, tuple[Callable[[], Any], Callable[[str, Any, Any], float] | None]] = {}

    def release(self) -> dict[str, Any]:
        """Forget data and functions."""
        self.key, self.problem, self.data = None, None, None
        self.ready.clear()
        gc.collect()
        return {}

    def prepare(self, problem: str, implementation: str) -> dict[str, Any]:
        """First answer (compilation included, not timed), its digest and certificate; about how long a call takes."""
        if problem != self.key:
            self.release()
            self.problem = self.family.problem(self.size, problem)
            self.data, self.key = self.problem.make(), problem
        chosen = self.family.implementation(implementation)
        call = chosen.tasks[self.problem.task](self.data)
        began = time.perf_counter()
        answer = call()
        first = seconds = time.perf_counter() - began
        reply = {
            "digest": self.problem.digest(self.data, answer) if chosen.judged else None,
            "certificate": chosen.certificate(self.problem.task, self.data, answer)
            if chosen.certificate
            else None,
            "simd": machine.solvent_level(),
        }
        del answer
        if seconds < _LONG:
            began = time.perf_counter()
            call()
            seconds = time.perf_counter() - began
        self.ready[implementation] = (call, chosen.clock)
        return {**reply, "first": first, "seconds": seconds}

    def sample(self, implementation: str, batch: int) -> dict[str, Any]:
        """Seconds a call over `batch` calls, by the wall and by the CPU time of all threads of this process.

        Where the implementation has a clock of its own and it says less, it counts.
        """
        call, clock = self.ready[implementation]
        own = 0.0
        gc.disable()
        try:
            cpu, wall = time.process_time(), time.perf_counter()
            for _ in range(batch):
                answer = call()
                if clock is not None:
                    own += clock(self.problem.task, self.data, answer)
            wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        finally:
            gc.enable()
        if own > 0:  # nan and 0 say that the peer does not know
            wall, cpu = min(wall, own), min(cpu, own)
        return {"wall": wall / batch, "cpu": cpu / batch}

    def facts(self) -> dict[str, Any]:
        """What this process runs on."""
        return {
            "blas": machine.blas(),
            "solvent_simd": machine.solvent_level(),
            "solvent_version": machine.solvent_version(),
        }

    def answer(self, request: dict[str, Any]) -> dict[str, Any]:
        """Serve one request; a failure of an implementation is an answer, not the end."""
        do = request.pop("do")
        try:
            return dict(getattr(self, do)(**request))
        except (ModuleNotFoundError, Unavailable) as error:
            return {"status": "not available", "reason": str(error)}
        except Exception as error:  # whatever a peer raises is its row's remark
            return {
                "status": "failed",
                "reason": f"{type(error).__name__}: {' '.join(str(error).split())[:200]}",
            }


def main() -> None:
    """Serve until "stop" or the end of the input."""
    parser = argparse.ArgumentParser()
    parser.add_argument("family")
    parser.add_argument("size")
    parser.add_argument("--cpus", default="")
    arguments = parser.parse_args()
    if arguments.cpus and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {int(c) for c in arguments.cpus.split(",")})
    replies = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    warnings.simplefilter(
        "ignore"
    )  # a peer's overflow warnings would swamp the log; non-finite answers are counted
    worker = Worker(arguments.family, arguments.size)
    replies.write('{"hello": true}\n')
    for line in sys.stdin:
        request = json.loads(line)
        if request["do"] == "stop":
            return
        replies.write(json.dumps(worker.answer(request)) + "\n")


if __name__ == "__main__":
    main()
