"""Ratings on disk, factorised shard by shard: seconds a sweep, and memory that does not grow with their number.

    python tools/large_ratings.py --ratings 100000000 --out docs/evidence/completion-ratings.json

Synthetic ratings (a log-normal activity of users, a power law of items, eight tastes, noise 0.5) are written to a folder as
memory-mapped compressed rows and compressed columns, 16 bytes a rating together. A sweep runs `half_sweep` over the shards
of both; only the two factors live in memory. Memory is the peak of the anonymous resident set (pages of mapped files are
the system's cache). Exit status: 0 if the error falls to 0.6 and memory stays below that of the factors, eight times over,
plus 64 bytes for each rating of a shard; 1 otherwise."""

import argparse
import json
import platform
import shutil
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
import scipy.sparse as sp

import solvent
from solvent import completion

NOISE, TASTES = 0.5, 8


class Anonymous(threading.Thread):
    """The largest anonymous resident set while it runs, in bytes."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.largest, self._stop_now = anonymous(), threading.Event()

    def run(self) -> None:
        while not self._stop_now.wait(0.02):
            self.largest = max(self.largest, anonymous())

    def finish(self) -> int:
        self._stop_now.set()
        self.join()
        return self.largest


def anonymous() -> int:
    """The anonymous resident set now, in bytes."""
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith("RssAnon:"):
            return int(line.split()[1]) * 1024
    return 0


class Disk:
    """Compressed rows in three memory-mapped files, written in pieces."""

    def __init__(self, folder: Path, name: str, rows: int, columns: int, offsets: np.ndarray) -> None:
        self.shape, self.offsets = (rows, columns), offsets
        count = int(offsets[-1])
        self.indices = np.memmap(folder / f"{name}-indices", np.int32, "w+", shape=(count,))
        self.data = np.memmap(folder / f"{name}-data", np.float32, "w+", shape=(count,))

    def shards(self, size: int) -> list[slice]:
        """Cuts of about `size` ratings."""
        at, cuts = 0, []
        while at < self.shape[0]:
            end = int(np.searchsorted(self.offsets, self.offsets[at] + size, "right")) - 1
            end = min(max(end, at + 1), self.shape[0])
            cuts.append(slice(at, end))
            at = end
        return cuts

    def shard(self, rows: slice) -> sp.csr_array:
        """Rows as they lie on disk."""
        start, stop = int(self.offsets[rows.start]), int(self.offsets[rows.stop])
        offsets = (self.offsets[rows.start : rows.stop + 1] - start).astype(np.int32)
        part = (self.data[start:stop], self.indices[start:stop], offsets)
        return sp.csr_array(part, shape=(rows.stop - rows.start, self.shape[1]))


def blocks(m: int, n: int, count: int, seed: int):
    """Pieces of the rows: first row, counts, columns ascending in each row, values."""
    rng = np.random.default_rng(seed)
    activity = rng.lognormal(0, 0.8, m)
    wanted = np.maximum(1, activity / activity.sum() * count).astype(np.int64)
    popularity = (np.arange(n) + 50.0) ** -0.8
    steps = np.cumsum(rng.permutation(popularity / popularity.sum()))
    U, V = (rng.normal(0, 1, (size, TASTES)).astype(np.float32) for size in (m, n))
    V *= 1 / np.sqrt(TASTES)
    for at in range(0, m, 8192):
        own = np.repeat(np.arange(at, min(at + 8192, m)), wanted[at : at + 8192])
        draw = np.random.default_rng((seed, at))
        items = np.minimum(np.searchsorted(steps, draw.random(own.size)), n - 1)
        code = np.unique(own * n + items)
        own, items = np.divmod(code, n)
        values = np.einsum("el,el->e", U[own], V[items])
        values += NOISE * draw.standard_normal(code.size, dtype=np.float32)
        yield own, items, values


def write(folder: Path, m: int, n: int, count: int, seed: int) -> tuple[Disk, Disk]:
    """Both orders, in two passes over the same random numbers."""
    by_row, by_column = np.zeros(m, np.int64), np.zeros(n, np.int64)
    for own, items, _ in blocks(m, n, count, seed):
        by_row += np.bincount(own, minlength=m)
        by_column += np.bincount(items, minlength=n)
    ends = [np.concatenate(([0], np.cumsum(c))) for c in (by_row, by_column)]
    rows, columns = Disk(folder, "rows", m, n, ends[0]), Disk(folder, "columns", n, m, ends[1])
    at, free = 0, ends[1][:-1].copy()
    for own, items, values in blocks(m, n, count, seed):
        rows.indices[at : at + own.size], rows.data[at : at + own.size] = items, values
        at += own.size
        order = np.argsort(items, kind="stable")
        sizes = np.bincount(items, minlength=n)
        starts = np.concatenate(([0], np.cumsum(sizes)[:-1]))
        places = (free - starts)[items[order]] + np.arange(own.size)
        columns.indices[places], columns.data[places] = own[order], values[order]
        free += sizes
    return rows, columns


def half(disk: Disk, other: np.ndarray, present: np.ndarray, size: int, lam: float) -> float:
    """Solves all rows of a side in place, shard by shard; the sum of squares after it."""
    squares = 0.0
    for rows in disk.shards(size):
        present[rows], stats = completion.half_sweep(
            disk.shard(rows),
            other,
            U0=present[rows],
            lam=lam,
            lam_scaling="count",
            inner="cg",
            return_stats=True,
        )
        squares += stats["squares"]
    return squares


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--ratings", type=int, default=100_000_000)
    parser.add_argument("--shard", type=int, default=2_000_000, help="ratings of a shard")
    parser.add_argument("--rank", type=int, default=32)
    parser.add_argument("--sweeps", type=int, default=6)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--folder", type=Path, help="where the ratings are written; default: a temporary folder"
    )
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    m, n = max(options.ratings // 200, 100), max(options.ratings // 1000, 50)
    folder = Path(tempfile.mkdtemp(prefix="ratings-", dir=options.folder))
    try:
        began = time.perf_counter()
        rows, columns = write(folder, m, n, options.ratings, options.seed)
        written, count = time.perf_counter() - began, int(rows.offsets[-1])
        rng = np.random.default_rng(options.seed)
        U = np.zeros((m, options.rank), np.float32)
        V = rng.normal(0, 0.3, (n, options.rank)).astype(np.float32)
        before, watch = anonymous(), Anonymous()
        watch.start()
        seconds, errors = [], []
        for _ in range(options.sweeps):
            began = time.perf_counter()
            half(rows, V, U, options.shard, 0.02)
            errors.append(float(np.sqrt(half(columns, U, V, options.shard, 0.02) / count)))
            seconds.append(time.perf_counter() - began)
        memory = watch.finish() - before
    finally:
        shutil.rmtree(folder)
    allowed = 8 * 4 * options.rank * (m + n) + 64 * options.shard
    report = {
        "ratings": count,
        "shape": [m, n],
        "rank": options.rank,
        "shard": options.shard,
        "solvent": solvent.__version__,
        "machine": platform.machine(),
        "threads": solvent.get_num_threads(),
        "seconds_to_write": round(written, 1),
        "seconds_a_sweep": [round(s, 2) for s in seconds],
        "rmse": [round(e, 4) for e in errors],
        "memory_growth_mb": round(memory / 1e6, 1),
        "memory_allowed_mb": round(allowed / 1e6, 1),
    }
    print(json.dumps(report, indent=2))
    if options.out:
        options.out.parent.mkdir(parents=True, exist_ok=True)
        options.out.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    return 0 if errors[-1] <= 0.6 and memory <= allowed else 1


if __name__ == "__main__":
    sys.exit(main())
