#!/usr/bin/env python3
"""Check an installed wheel in an environment that has the run-time dependencies only: `check_wheel.py WHEEL`."""

import importlib.metadata
import importlib.util
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np

# Extras must stay extras: nothing below may need them.
ABSENT = ["sklearn", "matplotlib", "dask", "tqdm", "pytest", "jax", "torch", "cupy"]


def check(condition, message):
    """Stop with `message` unless `condition` holds."""
    if not condition:
        sys.exit(f"check_wheel: {message}")


def main():
    """Run every check."""
    names = zipfile.ZipFile(sys.argv[1]).namelist()
    for wanted in ("solvent/py.typed", "solvent/_core/__init__.pyi"):
        check(wanted in names, f"{wanted} is not in the wheel")
    check(any(name.endswith("LICENSE") for name in names), "the licence is not in the wheel")
    check(
        not any(name.startswith(("tests/", "benches/", "docs/")) for name in names),
        "the wheel carries strays",
    )
    check("abi3" in Path(sys.argv[1]).name, "the wheel is not abi3")
    for name in ABSENT:
        check(
            importlib.util.find_spec(name) is None,
            f"{name} is installed; this check needs an environment without it",
        )

    import solvent

    check("site-packages" in solvent.__file__, f"solvent was imported from {solvent.__file__}")
    check(solvent.__version__ == importlib.metadata.version("solvent"), "two versions")
    solvent.show_config()

    # An independent value: K_1/2(x) = sqrt(pi / (2 x)) exp(-x).
    x = np.linspace(0.1, 700.0, 10_000)
    exact = 0.5 * np.log(np.pi / (2 * x)) - x
    error = np.abs(solvent.special.log_kv(0.5, x) - exact) / np.maximum(1, np.abs(exact))
    check(error.max() < 5e-15, f"log_kv is off by {error.max()}")

    rows = solvent.stats.vonmises_fisher(np.eye(64)[0], 50.0).rvs(500, rng=7)
    fit = solvent.stats.vonmises_fisher.fit(rows)
    check(fit.success and abs(fit.kappa / 50.0 - 1) < 0.1, f"the fit says\n{fit}")
    labels = solvent.stats.VonMisesFisherMixture(2, random_state=3).fit(rows).predict(rows)
    check(set(np.unique(labels)) <= {0, 1}, "the mixture needs scikit-learn")

    # Two points to two points at distance 0 or 1: nothing need move.
    cost = np.array([[0.0, 1.0], [1.0, 0.0]])
    plan, exact = solvent.ot.solve(cost, reg=0.05), solvent.ot.exact(cost)
    check(plan.success and exact.success and exact.cost == 0.0, f"transport says\n{plan}\n{exact}")
    check(plan.unreg_lower <= 0.0 <= plan.unreg_upper, f"the bracket misses 0:\n{plan}")
    whole = np.outer(np.arange(1.0, 9.0), np.arange(1.0, 7.0))
    holes = np.where(np.arange(48).reshape(8, 6) % 5 == 0, np.nan, whole)
    filled = solvent.completion.complete(holes, 1, rng=0)
    check(filled.success and np.allclose(filled.to_dense(), whole, atol=1e-5), "completion is wrong")

    fit = solvent.regression.lstsq(whole[:, :1] + np.eye(8, 1), whole[:, 0], accuracy="high")
    check(fit.success and fit.certificate.kind == "forward-error", f"least squares says\n{fit}")
    sketched = solvent.sketch.SparseSign(8, 8, rng=0) @ whole
    check(sketched.shape == (8, 6), "a sketch has another shape")
    game = solvent.monotone.matrix_game([[0.0, 1.0, -1.0], [-1.0, 0.0, 1.0], [1.0, -1.0, 0.0]])
    check(game.success and abs(game.value) < 1e-12, f"rock, paper and scissors are\n{game}")
    program = solvent.monotone.linprog([1.0, 1.0], A_ub=[[-1.0, -2.0]], b_ub=[-2.0])
    check(program.success and abs(program.fun - 1.0) < 1e-5, f"the linear program says\n{program}")

    warned = subprocess.run(
        [
            sys.executable,
            "-I",
            "-W",
            "error",
            "-c",
            "; ".join(f"import solvent.{f}" for f in solvent._FAMILIES),
        ],
        capture_output=True,
        text=True,
    )
    check(warned.returncode == 0 and not warned.stderr, f"the import warns: {warned.stderr}")
    print("check_wheel: all is well")


if __name__ == "__main__":
    main()
