"""Which exact completion problems are solved: ``python tools/completion_phase.py [--n N] [--seeds K]`` prints the tables of
docs/derivations/completion_phase.md as Markdown.

Every problem is drawn by the generator of the tests' helpers (orthonormal factors, singular values from kappa to 1, entries
uniform with at least r + 1 in each row and column). A cell is the number of problems, of K, whose *whole* matrix comes out
to a relative error of 1e-6 (1e-9 in the table of ill-conditioned problems); "false" counts answers that meet the entries to
1e-9 and are wrong elsewhere.
"""

import argparse
import sys
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

from helpers.completion import low_rank
from solvent import completion


def trial(n, r, rho, kappa, seed, method, goal):
    """(whether the whole matrix was found, whether the entries are met although it was not, seconds)."""
    rng = np.random.default_rng([seed, n, r, round(100 * rho), round(np.log10(kappa))])
    i, j, y, X = low_rank(rng, n, n, r, rho, kappa=kappa)
    start = time.process_time()
    result = completion.complete(
        (i, j, y), r, shape=(n, n), method=method, tol=1e-12, maxtime=60, rng=0, workers=1
    )
    spent = time.process_time() - start
    error = np.linalg.norm(result.to_dense() - X) / np.linalg.norm(X)
    met = result.certificate.parts["residual"] <= 1e-9
    return error <= goal, bool(met and error > goal), spent


def cell(n, r, rho, kappa, seeds, method, goal=1e-6):
    """A table's cell."""
    found = [trial(n, r, rho, kappa, seed, method, goal) for seed in range(seeds)]
    solved, false = sum(f[0] for f in found), sum(f[1] for f in found)
    text = f"{solved}/{seeds}" + (f" ({false} false)" if false else "")
    return text, float(np.median([f[2] for f in found]))


def table(rows, header):
    """Markdown."""
    print("| " + " | ".join(header) + " |")
    print("|" + "---|" * len(header))
    for row in rows:
        print("| " + " | ".join(row) + " |", flush=True)
    print()


def main():
    """Run."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--n", type=int, default=200)
    parser.add_argument("--seeds", type=int, default=5)
    given = parser.parse_args()
    n, seeds = given.n, given.seeds
    print(f"n = {n}, {seeds} seeds a cell\n")
    rhos = (1.05, 1.1, 1.2, 1.3, 1.5, 2.0, 3.0)
    rows = []
    for method in ("irls", "als", "auto"):
        for r in (2, 5, 10, 20):
            rows.append([method, str(r), *(cell(n, r, rho, 1.0, seeds, method)[0] for rho in rhos)])
    table(rows, ["method", "r", *(f"rho {rho}" for rho in rhos)])
    rows = []
    for method in ("irls", "als", "auto"):
        for kappa in (1e1, 1e3, 1e6):
            cells = [cell(n, 5, rho, kappa, seeds, method, 1e-9) for rho in (1.5, 2.0, 3.0, 5.0)]
            rows.append([method, f"{kappa:g}", *(f"{text}, {spent:.2f} s" for text, spent in cells)])
    table(rows, ["method", "kappa", "rho 1.5", "rho 2", "rho 3", "rho 5"])


if __name__ == "__main__":
    main()
