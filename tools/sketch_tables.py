"""Measure what the theory of sketches leaves open, and write the tables of docs/derivations/sketch.md.

    python tools/sketch_tables.py [--draws 12] [--fits 100] [--seed N]

* embedding: condition of S Q, Q orthonormal with d = 100 columns of 8192 rows, on matrices that are hard for one sketch
  or another; median and worst of the draws, at m = 4 d and 12 d.
* coverage: in how many of the fits all error bars of `solvent.regression.sketch_and_solve` at delta = 0.05 cover the
  least-squares solution, on three kinds of data, at m = 8 d and 32 d, and how evenly the error is spread over the
  coefficients: 95th percentile of |e|_inf sqrt(d)/|e|_2.

The tables stand between the marks ``<!-- NAME -->`` and ``<!-- end NAME -->`` of the page; the seed is printed there."""

import argparse
import re
import secrets
from pathlib import Path

import numpy as np

from solvent import sketch

PAGE = Path(__file__).resolve().parents[1] / "docs" / "derivations" / "sketch.md"


def orthonormal(a):
    return np.linalg.qr(a)[0]


def geometries(n, d, rng):
    """Matrices with a weak spot for some sketch."""
    yield "Gaussian", orthonormal(rng.normal(size=(n, d)))
    columns = np.arange(d)
    places = {
        "identity rows, scattered": rng.choice(n, d, replace=False),
        "identity rows, contiguous": columns,
        "identity rows, n/8 apart": columns % 8 * (n // 8) + columns // 8,
        "identity rows, 512 apart": columns % 8 * 512 + columns // 8,
    }
    for name, rows in places.items():
        q = np.zeros((n, d))
        q[rows, columns] = 1
        yield name, q
    heavy = rng.normal(size=(n, d))
    heavy[rng.choice(n, 50, replace=False)] *= 1e4
    yield "50 heavy rows", orthonormal(heavy)
    yield "rows repeated 8 times", orthonormal(np.repeat(rng.normal(size=(n // 8, d)), 8, axis=0))
    hot = np.zeros((n, d))
    hot[np.arange(n), np.arange(n) // (n // d + 1)] = 1
    yield "one-hot, sorted", orthonormal(hot)
    yield "Chebyshev", orthonormal(np.polynomial.chebyshev.chebvander(np.linspace(-1, 1, n), d - 1))


def condition(s, q):
    values = np.linalg.svd(s @ q, compute_uv=False)
    return values[0] / max(values[-1], 1e-300)


def embedding(rng, draws):
    n, d = 8192, 100
    kinds = {
        "CountSketch": sketch.CountSketch,
        "SparseSign(8)": sketch.SparseSign,
        "SRHT": sketch.SRHT,
        "BlockHadamard": sketch.BlockHadamard,
        "mixing=2": lambda m, n, rng: sketch.BlockHadamard(m, n, rng, mixing=2),
    }
    yield f"| rows | m | {' | '.join(kinds)} |"
    yield "|---|---" + "|---" * len(kinds) + "|"
    for name, q in geometries(n, d, rng):
        for multiple in (4, 12):
            cells = []
            for make in kinds.values():
                values = [condition(make(multiple * d, n, rng), q) for _ in range(draws)]
                cells.append(
                    " / ".join("inf" if v > 1e12 else f"{v:.2f}" for v in (np.median(values), max(values)))
                )
            yield f"| {name} | {multiple} d | {' | '.join(cells)} |"


def regressions(rng, n, d):
    """Graded Gaussian columns; columns carried by one row each; a residual in few rows."""
    graded = rng.normal(size=(n, d)) * np.logspace(0, -3, d)
    yield "graded", graded, rng.normal(size=n)
    coherent = np.zeros((n, d))
    coherent[:d] = 0.9 * np.eye(d)
    coherent[d:] = rng.normal(size=(n - d, d)) * np.sqrt(0.19 / (n - d))
    yield "coherent", coherent, rng.normal(size=n)
    yield "coherent, spiky residual", coherent, np.r_[np.zeros(n - 30), 30 * rng.normal(size=30)]


def coverage(rng, fits):
    n, d, delta = 8192, 48, 0.05
    t = np.sqrt(2 * np.log(2 * d / delta))
    kinds = {
        "SRHT": sketch.SRHT,
        "BlockHadamard": sketch.BlockHadamard,
        "SparseSign(8)": sketch.SparseSign,
        "CountSketch": sketch.CountSketch,
    }
    yield f"| data | m | {' | '.join(kinds)} |"
    yield "|---|---" + "|---" * len(kinds) + "|"
    for name, a, b in regressions(rng, n, d):
        exact = np.linalg.lstsq(a, b, rcond=None)[0]
        both = np.c_[a, b]
        for multiple in (8, 32):
            m, cells = multiple * d, []
            for make in kinds.values():
                covered, spread = 0, []
                for _ in range(fits):
                    s = make(m, n, rng) @ both
                    r = np.linalg.qr(s[:, :-1], mode="r")
                    x = np.linalg.lstsq(s[:, :-1], s[:, -1], rcond=None)[0]
                    residual = np.linalg.norm(s[:, -1] - s[:, :-1] @ x)
                    lengths = np.linalg.norm(np.linalg.pinv(r), axis=1)
                    error = np.abs(x - exact)
                    covered += bool((error <= t * lengths * residual / np.sqrt(m - d)).all())
                    spread.append(error.max() * np.sqrt(d) / np.linalg.norm(error))
                cells.append(f"{100 * covered / fits:.0f} %, {np.quantile(spread, 0.95):.1f}")
            yield f"| {name} | {multiple} d | {' | '.join(cells)} |"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--draws", type=int, default=12)
    parser.add_argument("--fits", type=int, default=100)
    parser.add_argument("--seed", type=int, default=secrets.randbits(32))
    options = parser.parse_args()
    text = PAGE.read_text(encoding="utf-8")
    for name, make, count in (("embedding", embedding, options.draws), ("coverage", coverage, options.fits)):
        rows = "\n".join(make(np.random.default_rng(options.seed), count))
        print(rows, flush=True)
        table = (
            f"<!-- {name} -->\n\n{rows}\n\n{count} draws a cell, seed {options.seed}.\n\n<!-- end {name} -->"
        )
        pattern = rf"<!-- {name} -->.*?<!-- end {name} -->"
        text, found = re.subn(pattern, lambda _, table=table: table, text, flags=re.DOTALL)
        if found != 1:
            raise SystemExit(f"{PAGE} has {found} places for the table '{name}'; expected 1")
    PAGE.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
