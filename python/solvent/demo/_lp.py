"""The part of `monotone` that shows linear programs: netlib where it is at hand, a proof of infeasibility, SciPy beside."""

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from solvent import monotone

from . import _lp_pictures as pictures
from ._report import Report
from ._table import Table

if TYPE_CHECKING:
    from solvent.monotone import LPResult

__all__ = ["linear_programs"]

Array = NDArray[np.float64]
Program = tuple[Array, Any, Array, Array, Array, Array]

NETLIB = ("afiro", "israel", "25fv47")
TOL = 1e-4


def netlib() -> dict[str, Program]:
    """Netlib programs by name; none without their files (``SOLVENT_NETLIB``, ``../shared/data/netlib``) or highspy."""
    shared = Path(__file__).resolve().parents[4] / "shared" / "data" / "netlib"
    folder = Path(os.environ.get("SOLVENT_NETLIB", shared))
    try:
        import highspy
    except ImportError:
        return {}
    from scipy.sparse import csc_array, csr_array

    found: dict[str, Program] = {}
    for name in NETLIB:
        path = folder / f"{name}.mps.gz"
        if not path.exists():
            continue
        reader = highspy.Highs()
        reader.setOptionValue("output_flag", False)
        reader.readModel(str(path))
        lp = reader.getLp()
        matrix = lp.a_matrix_
        parts = tuple(np.array(part) for part in (matrix.value_, matrix.index_, matrix.start_))
        kind = csc_array if matrix.format_ == highspy.MatrixFormat.kColwise else csr_array
        A = kind(parts, shape=(lp.num_row_, lp.num_col_)).tocsr()
        sides = (lp.row_lower_, lp.row_upper_, lp.col_lower_, lp.col_upper_)
        lc, uc, lv, uv = (np.array(side, dtype=float) for side in sides)
        found[name] = (np.array(lp.col_cost_, dtype=float), A, lc, uc, lv, uv)
    return found


def shipping(sources: int = 40, sinks: int = 60) -> Program:
    """Shipping from places to places in a square, by distance: supplies at most, demands at least."""
    from scipy.sparse import eye_array, kron, vstack

    rng = np.random.default_rng(0)
    distance = np.linalg.norm(rng.random((sources, 1, 2)) - rng.random((1, sinks, 2)), axis=2)
    demand = rng.random(sinks) + 0.5
    supply = np.full(sources, 1.2 * demand.sum() / sources)
    A = vstack(
        [
            kron(eye_array(sources), np.ones((1, sinks))),
            kron(np.ones((1, sources)), eye_array(sinks)),
        ]
    )
    n = sources * sinks
    lower = np.concatenate([np.full(sources, -np.inf), demand])
    upper = np.concatenate([supply, np.full(sinks, np.inf)])
    return distance.ravel(), A.tocsr(), lower, upper, np.zeros(n), np.full(n, np.inf)


def solve(program: Program, **options: Any) -> "LPResult":
    """Our answer."""
    c, A, lc, uc, lv, uv = program
    return monotone.linprog(c, A=A, lc=lc, uc=uc, bounds=np.column_stack([lv, uv]), **options)


def scipys(program: Program) -> tuple[float, float]:
    """SciPy's optimum and its seconds."""
    from scipy.optimize import Bounds, LinearConstraint, milp

    c, A, lc, uc, lv, uv = program
    start = time.perf_counter()
    found = milp(c, constraints=LinearConstraint(A, lc, uc), bounds=Bounds(lv, uv))
    return float(found.fun), time.perf_counter() - start


def linear_programs(report: Report) -> None:
    """Solve, prove, draw."""
    programs = netlib() or {"shipping": shipping()}
    table = Table(
        f"Linear programs to a relative KKT error of {TOL:g}",
        (
            "program",
            "rows x columns",
            "iterations",
            "seconds",
            "objective",
            "certificate",
            "HiGHS",
            "its seconds",
        ),
    )
    results = {}
    for name, program in programs.items():
        result = solve(program, tol=TOL, history=True)
        value, seconds = scipys(program)
        results[name] = result
        rows, columns = program[1].shape
        table.add(
            name,
            f"{rows} x {columns}",
            f"{result.nit}",
            f"{result.elapsed:.3f}",
            f"{result.fun:.6g}",
            f"{result.certificate.bound:.1e}",
            f"{value:.6g}",
            f"{seconds:.3f}",
        )
    table.notes.append("certificate: largest of three relative residuals, rounded up, from the data as given")
    table.notes.append(
        "HiGHS is a simplex method here: exact to rounding, and faster on programs of this size"
    )
    report.table(table)
    prove(report)
    with report.picture("monotone_linprog", figsize=(9, 3.2)) as figure:
        pictures.residuals(figure, results)


def prove(report: Report) -> None:
    """Ask for a thousandth more than there is."""
    c, A, lc, uc, lv, uv = shipping(5, 8)
    lc = lc.copy()
    lc[5:] *= 1.001 * uc[:5].sum() / lc[5:].sum()
    result = solve((c, A, lc, uc, lv, uv))
    parts = result.certificate.parts
    rest = (
        "no rest"
        if parts["violation"] == 0
        else f"a rest of {parts['violation']:.1e} that the rows' own bounds outweigh"
    )
    report.say(
        f"\nShipping a thousandth more than there is: {result.status_name}, proven in exact arithmetic by multipliers of "
        f"value {parts['value']:.3g} and {rest}"
    )
