"""The parent's side of a worker: start it with the right environment, ask, time out, bury."""

from __future__ import annotations

import json
import os
import pathlib
import select
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from typing import Any

from benches.peers import machine
from benches.peers.overrides import without_overrides

_ROOT = pathlib.Path(__file__).resolve().parents[2]
_THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "BLIS_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "NUMBA_NUM_THREADS",
    "RAYON_NUM_THREADS",
    "SOLVENT_NUM_THREADS",
)


class Dead(Exception):
    """The process is gone; the message says how it ended."""


class Process:
    """One worker; `threads` = 0 means all.

    One thread is enforced by the variables *and* by affinity to one CPU: XLA's pool obeys only the latter.
    """

    def __init__(
        self, family: str, size: str, threads: int, simd: str | None, extra: Mapping[str, str], timeout: float
    ) -> None:
        environment = without_overrides(os.environ)
        count = threads or machine.all_threads()
        environment.update(dict.fromkeys(_THREAD_VARIABLES, str(count)))
        environment.update(extra)
        environment["PYTHONPATH"] = os.pathsep.join(
            p for p in (str(_ROOT), environment.get("PYTHONPATH")) if p
        )
        environment["PYTHONWARNINGS"] = "ignore"
        if simd:
            environment["SOLVENT_SIMD"] = simd
        cpus = ",".join(str(c) for c in machine.cpus()[-threads:]) if threads else ""
        self.timeout, self.death = timeout, ""
        self._buffer = b""
        self._child = subprocess.Popen(
            [sys.executable, "-m", "benches.peers.worker", family, size, "--cpus", cpus],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE if not sys.stderr.isatty() else None,
            env=environment,
            cwd=_ROOT,
        )
        self._log = b""
        self._receive()

    def ask(self, do: str, **request: Any) -> dict[str, Any]:
        """Send a request and wait for its answer; `Dead` if the process ended or took longer than the timeout."""
        if self.death:
            raise Dead(self.death)
        assert self._child.stdin is not None
        try:
            self._child.stdin.write(json.dumps({"do": do, **request}).encode() + b"\n")
            self._child.stdin.flush()
        except BrokenPipeError:
            self._bury()
        return self._receive()

    def _receive(self) -> dict[str, Any]:
        assert self._child.stdout is not None
        streams = [s for s in (self._child.stdout, self._child.stderr) if s is not None]
        deadline = time.monotonic() + self.timeout
        while b"\n" not in self._buffer:
            readable = select.select(streams, [], [], max(0.0, deadline - time.monotonic()))[0]
            if not readable:
                self._child.kill()
                self._bury(f"no answer within {self.timeout:.0f} s")
            for stream in readable:
                chunk = os.read(stream.fileno(), 1 << 16)
                if stream is self._child.stdout:
                    self._buffer += chunk
                    if not chunk:
                        self._bury()
                elif chunk:
                    self._log = (self._log + chunk)[-4000:]
                else:
                    streams.remove(stream)
        line, _, self._buffer = self._buffer.partition(b"\n")
        reply: dict[str, Any] = json.loads(line)
        return reply

    def _bury(self, cause: str = "") -> None:
        """Remember how the process ended and raise."""
        code = self._child.wait()
        log = self._child.stderr
        while (
            log is not None
            and select.select([log], [], [], 0)[0]
            and (chunk := os.read(log.fileno(), 1 << 16))
        ):
            self._log = (self._log + chunk)[-4000:]
        if not cause:
            last = self._log.decode(errors="replace").strip().rpartition("\n")[2][:200]
            ended = signal.Signals(-code).name if code < 0 else f"exit status {code}"
            cause = f"process ended with {ended}" + (f": {last}" if last else "")
        self.death = cause
        raise Dead(cause)

    def close(self) -> None:
        """End the process."""
        try:
            self._child.communicate(None if self.death else b'{"do": "stop"}\n', timeout=10)
        except (OSError, subprocess.TimeoutExpired):
            self._child.kill()
            self._child.communicate()
