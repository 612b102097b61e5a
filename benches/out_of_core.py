"""Least squares on a file that is larger than the memory it may use.

    python -m benches.out_of_core --gigabytes 4 --directory /var/tmp

Writes a matrix of real numbers row by row as a `.npy` file, solves it as `numpy.memmap` and as an iterable of row blocks,
prints time, reads of the file, and how much the process's own (anonymous) memory grew, and removes the file.  The pages
of a map are the kernel's cache and no memory of the process; they are printed apart."""

import argparse
import os
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np

from solvent.regression import lstsq


def write(path, rows, columns, seed, cond=1e6, beta=1e-3):
    """``A = N diag(s) V^T / sqrt(n)`` in blocks, and b = A x + noise; returns b and x."""
    rng = np.random.default_rng(seed)
    v = np.linalg.qr(rng.standard_normal((columns, columns)))[0]
    shape = np.logspace(0, -np.log10(cond), columns)[:, None] * v.T / np.sqrt(rows)
    x = rng.standard_normal(columns)
    x /= np.linalg.norm(x)
    out = np.lib.format.open_memmap(path, mode="w+", dtype=np.float64, shape=(rows, columns))
    b = np.empty(rows)
    for i in range(0, rows, 100_000):
        block = rng.standard_normal((min(100_000, rows - i), columns)) @ shape
        out[i : i + len(block)] = block
        b[i : i + len(block)] = block @ x + beta / np.sqrt(rows) * rng.standard_normal(len(block))
    out.flush()
    return b, x


class Watch:
    """The largest anonymous and file-backed memory of this process while the watch runs, over that at its start."""

    def __enter__(self):
        self._over = threading.Event()
        self._first = self._read()
        self.most = [0, 0]
        self._thread = threading.Thread(target=self._run)
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._over.set()
        self._thread.join()

    @staticmethod
    def _read():
        lines = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
        return [int(lines[name].split()[0]) * 1024 for name in ("RssAnon", "RssFile")]

    def _run(self):
        while not self._over.wait(0.01):
            now = self._read()
            self.most = [max(m, a - b) for m, a, b in zip(self.most, now, self._first, strict=True)]


class FromFile:
    """Row blocks read from the file, again at every pass."""

    def __init__(self, path, b, block=20_000):
        self._path, self._b, self._block = path, b, block

    def __iter__(self):
        data = np.load(self._path, mmap_mode="r")
        for i in range(0, len(data), self._block):
            yield np.array(data[i : i + self._block]), self._b[i : i + self._block]


def main(argv=None):
    """Run."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--gigabytes", type=float, default=4.0)
    parser.add_argument("--columns", type=int, default=100)
    parser.add_argument("--directory", type=Path, default=Path(tempfile.gettempdir()))
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args(argv)
    rows = int(args.gigabytes * 2**30 / 8 / args.columns)
    path = args.directory / f"solvent-out-of-core-{os.getpid()}.npy"
    failed = False
    try:
        start = time.perf_counter()
        b, _ = write(path, rows, args.columns, args.seed)
        size = path.stat().st_size
        print(
            f"{rows} x {args.columns}, {size / 2**30:.2f} GiB, written in {time.perf_counter() - start:.1f} s"
        )
        answers = []
        for name in ("memmap", "blocks"):
            data = (np.load(path, mmap_mode="r"), b) if name == "memmap" else (FromFile(path, b),)
            with Watch() as watch:
                result = lstsq(*data)
            own, mapped = watch.most
            answers.append(result.x)
            print(
                f"{name}: {result.elapsed:.1f} s, {result.n_passes} reads, {result.method}, bound "
                f"{result.certificate.bound:.1e}, own memory {own / 2**20:.1f} MiB ({100 * own / size:.2f} % of A), "
                f"mapped {mapped / 2**20:.0f} MiB"
            )
            failed |= not result.success or result.n_passes > 6 or own > 0.05 * size
        gap = float(np.linalg.norm(answers[0] - answers[1]) / np.linalg.norm(answers[0]))
        print(f"difference of the answers {gap:.1e}")
    finally:
        path.unlink(missing_ok=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
