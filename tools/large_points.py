"""Transport between two clouds of 100,000 points, its cost never stored: time, memory, certificate.

    python tools/large_points.py --out docs/evidence/ot-points.json

Gaussian clouds in three dimensions, squared distances, reg = 0.05 times the mean cost, marginal error 1e-6. Memory is the
growth of the peak resident set over that before the call, a point of both clouds together. Exit status: 0 if the bound
holds within 20 minutes and 200 bytes a point, 1 otherwise."""

import argparse
import json
import platform
import resource
import sys
import threading
import time
from pathlib import Path

import numpy as np

import solvent

SECONDS, BYTES = 20 * 60, 200


class Resident(threading.Thread):
    """The largest resident set while it runs, in bytes."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.largest, self._stop_now = resident(), threading.Event()

    def run(self) -> None:
        while not self._stop_now.wait(0.05):
            self.largest = max(self.largest, resident())

    def finish(self) -> int:
        self._stop_now.set()
        self.join()
        return self.largest


def resident() -> int:
    """The resident set now, in bytes."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * resource.getpagesize()


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--points", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    n, rng = options.points, np.random.default_rng(options.seed)
    x, y = rng.normal(size=(n, 3)), rng.normal(size=(n, 3)) * 0.7 + 1.0
    # E|x - y|^2 over all pairs, from the moments.
    mean = (x**2).sum() / n + (y**2).sum() / n - 2 * x.mean(0) @ y.mean(0)
    solvent.ot.solve_points(x[:100], y[:100], reg=0.05 * mean)
    before, watch = resident(), Resident()
    watch.start()
    began = time.perf_counter()
    result = solvent.ot.solve_points(x, y, reg=0.05 * mean, tol=1e-6, maxtime=2 * SECONDS)
    seconds = time.perf_counter() - began
    each = (watch.finish() - before) / (2 * n)
    report = {
        "points": n,
        "seed": options.seed,
        "solvent": solvent.__version__,
        "machine": platform.machine(),
        "threads": solvent.get_num_threads(),
        "seconds": round(seconds, 1),
        "bytes_a_point": round(each, 1),
        "status": result.status,
        "passes": int(result.nit),
        "bound": result.certificate.bound,
        "marginal_error": [result.marginal_error_a, result.marginal_error_b]
        if hasattr(result, "marginal_error_a")
        else None,
    }
    print(json.dumps(report, indent=2))
    if options.out:
        options.out.parent.mkdir(parents=True, exist_ok=True)
        options.out.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    return 0 if result.success and seconds <= SECONDS and each <= BYTES else 1


if __name__ == "__main__":
    sys.exit(main())
