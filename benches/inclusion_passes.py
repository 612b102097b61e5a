"""Passes to four relative residuals: deterministic methods beside variance-reduced ones.

`python -m benches.inclusion_passes [n ...]` prints the tables of `docs/derivations/monotone-inclusions.md`: a pass is n
evaluations of components, the start and exact evaluations included; a method is stopped at 3000 passes, or 1000 where it is
stochastic. Residuals are the full operator's at the points where it is known exactly.
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np

from benches.inclusion_problems import operator

TARGETS = (1e-2, 1e-3, 1e-4, 1e-6)

COCOERCIVE: dict[str, dict[str, Any]] = {
    "halpern, no restart": {"method": "halpern", "restart": False, "maxiter": 3000},
    "halpern": {"method": "halpern", "maxiter": 3000},
    "vr-halpern, published": {"method": "vr-halpern", "restart": False, "options": {"preset": "paper"}},
    "vr-halpern, published + restart": {"method": "vr-halpern", "options": {"preset": "paper"}},
    "vr-halpern": {"method": "vr-halpern"},
    "vr-halpern, c = 4": {"method": "vr-halpern", "options": {"c": 4}},
    "l-svrg": {"method": "l-svrg"},
    "auto": {"method": "auto"},
}

MONOTONE: dict[str, dict[str, Any]] = {
    "ogda": {"method": "ogda", "maxiter": 3000},
    "halpern": {"method": "halpern", "maxiter": 3000},
    "extragradient": {"method": "extragradient"},
    "vr-halpern": {"method": "vr-halpern"},
    "auto": {"method": "auto"},
}


def passes(F: Any, seed: int = 0, **options: Any) -> list[int | None]:
    """Passes to each target, the start's included; None where it was not reached."""
    from solvent.monotone import solve_inclusion

    result = solve_inclusion(F, tol=TARGETS[-1], history=True, rng=seed, **options)
    residual = result.history["residual"] / np.linalg.norm(F(np.zeros(F.dim)))
    reached = [np.flatnonzero(residual <= target) for target in TARGETS]
    return [int(result.history["nit"][hits[0]]) + 1 if hits.size else None for hits in reached]


def row(name: str, counts: list[int | None]) -> str:
    """One line of a table."""
    return f"| {name} | " + " | ".join("–" if count is None else str(count) for count in counts) + " |"


def table(title: str, F: Any, methods: dict[str, dict[str, Any]]) -> None:
    """Print one problem's table."""
    print(f"\n{title}: L = {F.L:.3g}, L_avg = {F.L_avg:.3g}, kind {F.kind}\n")
    print("| method | " + " | ".join(f"{target:.0e}" for target in TARGETS) + " |")
    print("|---|" + "---|" * len(TARGETS), flush=True)
    for name, options in methods.items():
        print(row(name, passes(F, **options)), flush=True)


def main(sizes: list[int]) -> None:
    """All problems at each size; saddles, whose data are d² numbers a component, up to 10⁴."""
    for n in sizes:
        table(f"logistic, n = {n}", operator("logistic", n), COCOERCIVE)
        if n <= 10_000:
            table(f"saddle, n = {n}", operator("saddle", n), COCOERCIVE)
            table(f"saddle, cond 10, n = {n}", operator("saddle", n, cond=10.0, seed=3), COCOERCIVE)
            for cond in (1.0, 5.0, 10.0):
                F = operator("bilinear", n, cond=cond)
                table(f"bilinear, cond {cond:g}, n = {n}", F, MONOTONE)


if __name__ == "__main__":
    main([int(n) for n in sys.argv[1:]] or [1000, 10_000, 100_000])
