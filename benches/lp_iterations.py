"""Seconds an iteration of ours beside those of OR-tools' PDLP, neither with presolve.

``python -m benches.lp_iterations [--json F] [names]``: the time of a long run less that of a short one, over the iterations
between them, so that reading, scaling and step sizes are left out. Processor time of one thread, best of the rounds, who
begins alternating; everyone in a process of its own. PDLP needs ``pip install ortools``.
"""

from __future__ import annotations

import argparse
import functools
import json
import os
import pathlib
import subprocess
import sys
import time
from typing import Any

import numpy as np

from benches.peers.monotone.lp import Program, read

NETLIB = ("afiro", "israel", "25fv47", "degen3", "cycle", "d6cube", "fit1d")
SYNTHETIC = {"1e5": 10_000, "1e6": 100_000, "1e7": 1_000_000}
WHO = ("solvent", "solvent double", "ortools")


def synthetic(columns: int) -> Program:
    """A covering program with ten entries a column, half as many rows, feasible and bounded; seed 0."""
    import scipy.sparse as sp

    rng = np.random.default_rng(0)
    rows = columns // 2
    indices = rng.integers(0, rows, (columns, 10))
    data = rng.random(10 * columns) + 0.1
    A = sp.csr_array((data, (indices.ravel(), np.repeat(np.arange(columns), 10))), shape=(rows, columns))
    A.sum_duplicates()
    x = rng.random(columns)
    return Program(
        rng.random(columns) + 0.1, A, A @ x * 0.5, np.full(rows, np.inf), np.zeros(columns), np.ones(columns)
    )


def program(name: str) -> Program:
    """Of this name."""
    return synthetic(SYNTHETIC[name]) if name in SYNTHETIC else read(name)


def solvent(precision: str, lp: Program, count: int) -> int:
    """`count` iterations of ours."""
    from solvent.monotone import linprog

    bounds = np.column_stack([lp.lv, lp.uv])
    found = linprog(
        lp.c, A=lp.A, lc=lp.lc, uc=lp.uc, bounds=bounds, tol=0, maxiter=count, presolve=False, polish=False,
        precision=precision,
    )  # fmt: skip
    return int(found.nit)


def ortools(lp: Program, count: int) -> int:
    """`count` iterations of PDLP."""
    from ortools.pdlp import solve_log_pb2, solvers_pb2
    from ortools.pdlp.python import pdlp

    held = pdlp.QuadraticProgram()
    held.objective_vector, held.constraint_matrix = lp.c, lp.A.tocsc()
    held.constraint_lower_bounds, held.constraint_upper_bounds = lp.lc, lp.uc
    held.variable_lower_bounds, held.variable_upper_bounds = lp.lv, lp.uv
    params = solvers_pb2.PrimalDualHybridGradientParams()
    criteria = params.termination_criteria
    criteria.simple_optimality_criteria.eps_optimal_relative = 0.0
    criteria.simple_optimality_criteria.eps_optimal_absolute = 0.0
    criteria.eps_primal_infeasible = criteria.eps_dual_infeasible = 0.0
    criteria.iteration_limit = count
    params.num_threads = 1
    params.presolve_options.use_glop = False
    found = pdlp.primal_dual_hybrid_gradient(held, params)
    return int(solve_log_pb2.SolveLog.FromString(found.solve_log.SerializeToString()).iteration_count)


def worker(who: str, name: str) -> None:
    """Prints seconds an iteration, and the iterations of the two runs."""
    lp = program(name)
    kind = {"solvent": "mixed", "solvent double": "double"}.get(who)
    run: Any = functools.partial(solvent, kind, lp) if kind else functools.partial(ortools, lp)
    if kind:
        import solvent as package

        package.set_num_threads(1)

    def timed(count: int) -> tuple[float, int]:
        began = time.process_time()
        done = run(count)
        return time.process_time() - began, done

    run(64)
    # As many as take about a second, within what every method iterates without an end in sight.
    few = 64
    first, _ = timed(few)
    second, _ = timed(3 * few)
    each = max((second - first) / (2 * few), 1e-7)
    many = few + int(np.clip(1.0 / each, 128, 20_000)) // 64 * 64
    (short, a), (long, b) = timed(few), timed(many)
    print(json.dumps({"seconds": (long - short) / max(b - a, 1), "iterations": [a, b]}))


def main(arguments: list[str]) -> None:
    """Print the table; store it."""
    parser = argparse.ArgumentParser("python -m benches.lp_iterations")
    parser.add_argument("names", nargs="*", default=[*NETLIB, *SYNTHETIC])
    parser.add_argument("--json", type=pathlib.Path)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args(arguments)
    rows = []
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}
    print(
        "| program | entries | us: solvent | us: solvent, f64 | us: PDLP | PDLP / ours | ns an entry, ours |"
    )
    print("|---|---|---|---|---|---|---|")
    for name in options.names:
        best: dict[str, float] = {}
        for turn in range(options.rounds):
            for who in WHO if turn % 2 else WHO[::-1]:
                command = [sys.executable, "-m", "benches.lp_iterations", "--worker", who, name]
                done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
                if done.returncode:
                    print(done.stderr.strip().splitlines()[-1], file=sys.stderr)
                    continue
                seconds = json.loads(done.stdout.splitlines()[-1])["seconds"]
                best[who] = min(best.get(who, np.inf), seconds)
        entries = program(name).A.nnz
        ours, double, theirs = (1e6 * best.get(who, np.nan) for who in WHO)
        rows.append({"program": name, "entries": entries, **best, "load": os.getloadavg()[0]})
        print(
            f"| {name} | {entries} | {ours:.1f} | {double:.1f} | {theirs:.1f} | {theirs / ours:.2f} "
            f"| {1e3 * ours / entries:.2f} |",
            flush=True,
        )
        if options.json:  # after each: the large ones take minutes
            options.json.write_text(json.dumps(rows, indent=1) + "\n")
    ratios = [row["ortools"] / row["solvent"] for row in rows if {"ortools", "solvent"} <= row.keys()]
    print(f"\ngeometric mean {np.exp(np.mean(np.log(ratios))):.2f}" if ratios else "\nno peer")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--worker"]:
        worker(*sys.argv[2:4])
    else:
        main(sys.argv[1:])
