"""Which exact completion problems are solved: ``python tools/completion_phase.py [--n N] [--seeds K] [--out FILE]`` prints
the tables of docs/derivations/completion_phase.md as Markdown, row by row.

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


def table(header, rows, out):
    """Markdown, each row as it comes."""

    def put(text):
        print(text, flush=True)
        if out:
            with out.open("a", encoding="utf-8") as file:
                file.write(text + "\n")

    put("| " + " | ".join(header) + " |")
    put("|" + "---|" * len(header))
    for row in rows:
        put("| " + " | ".join(row) + " |")
    put("")


def main():
    """Run."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--n", type=int, default=200)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    n, seeds = given.n, given.seeds
    if given.out:
        given.out.parent.mkdir(parents=True, exist_ok=True)
        given.out.write_text(f"n = {n}, {seeds} seeds a cell\n\n", encoding="utf-8")
    rhos = (1.05, 1.1, 1.2, 1.3, 1.5, 2.0, 3.0)
    kappas = (1.5, 2.0, 3.0, 5.0)

    def ill(method, kappa):
        cells = [cell(n, 5, rho, kappa, seeds, method, 1e-9) for rho in kappas]
        return [method, f"{kappa:g}", *(f"{text}, {spent:.2f} s" for text, spent in cells)]

    methods = ("auto", "irls", "als")
    table(
        ["method", "kappa", *(f"rho {rho}" for rho in kappas)],
        (ill(method, kappa) for kappa in (1e1, 1e3, 1e6) for method in methods),
        given.out,
    )
    table(
        ["method", "r", *(f"rho {rho}" for rho in rhos)],
        (
            [method, str(r), *(cell(n, r, rho, 1.0, seeds, method)[0] for rho in rhos)]
            for r in (2, 5, 10, 20)
            for method in methods
        ),
        given.out,
    )


if __name__ == "__main__":
    main()
