"""Linear programs: netlib to a relative KKT error of 1e-4, judged by one evaluator; batches with one matrix.

HiGHS comes through ``highspy`` (its simplex, its interior point without crossover, its two first-order methods), PDLP
through ``ortools`` in a process of its own: the two packages cannot share one.
"""

from __future__ import annotations

import dataclasses
import functools
import os
import pathlib
import subprocess
import sys
import tempfile
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benches.peers.contract import Implementation, Problem, Report, Run, Target, Unavailable

Array = NDArray[np.float64]
Call = Callable[[], Any]

TOL = 1e-4
#: Of the judge's own sums, relative.
ROUNDING = 1e-11
ROOT = pathlib.Path(__file__).resolve().parents[3]
NAMES = {
    "tiny": ("afiro",),
    "quick": ("afiro", "adlittle", "israel", "25fv47", "degen3"),
    "full": (
        *("afiro", "adlittle", "sc50a", "share2b", "blend", "israel", "e226"),
        *("25fv47", "degen3", "cycle", "d6cube", "fit1d"),
    ),
}
LARGE = ("25fv47", "degen3", "cycle", "d6cube")
BATCH = {"tiny": 4, "quick": 64, "full": 64}


@dataclasses.dataclass(frozen=True)
class Program:
    """min c x over lc <= A x <= uc, lv <= x <= uv; C, LC where there are many."""

    c: Array
    A: Any
    lc: Array
    uc: Array
    lv: Array
    uv: Array
    path: str = ""


@dataclasses.dataclass(frozen=True)
class Answer:
    """A pair; y is positive for lc, negative for uc."""

    x: Array
    y: Array
    iterations: int = 0
    bound: float = float("nan")


@dataclasses.dataclass(frozen=True)
class Batch:
    """Programs with one matrix."""

    C: Array
    A: Any
    LC: Array
    count: int


# --- problems and their judge -----------------------------------------------------------------------------------


def folder() -> pathlib.Path:
    """Where the netlib files are."""
    return pathlib.Path(os.environ.get("SOLVENT_NETLIB", ROOT.parent / "shared" / "data" / "netlib"))


def read(name: str) -> Program:
    """A netlib program, read once by a process of its own: highspy and ortools cannot share one."""
    import scipy.sparse as sp

    path = folder() / f"{name}.mps.gz"
    if not path.exists():
        raise Unavailable(f"{path.name} is not in {path.parent.name}")
    kept = pathlib.Path(tempfile.gettempdir()) / f"solvent-netlib-{name}.npz"
    if not kept.exists():
        command = [sys.executable, "-m", "benches.peers.monotone.lp", str(path), str(kept)]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        if done.returncode:
            raise Unavailable(f"highspy did not read {path.name}: {done.stderr.strip().splitlines()[-1]}")
    held = np.load(kept)
    A = sp.csr_array((held["data"], held["indices"], held["indptr"]), shape=tuple(held["shape"]))
    return Program(A=A, path=str(path), **{key: held[key] for key in ("c", "lc", "uc", "lv", "uv")})


def convert(path: str, kept: str) -> None:
    """Write the arrays of an MPS file."""
    import highspy
    import scipy.sparse as sp

    reader = highspy.Highs()
    reader.setOptionValue("output_flag", False)
    reader.readModel(path)
    lp = reader.getLp()
    matrix = lp.a_matrix_
    parts = tuple(np.array(part) for part in (matrix.value_, matrix.index_, matrix.start_))
    kind = sp.csc_array if matrix.format_ == highspy.MatrixFormat.kColwise else sp.csr_array
    A = kind(parts, shape=(lp.num_row_, lp.num_col_)).tocsr()
    sides = {"lc": lp.row_lower_, "uc": lp.row_upper_, "lv": lp.col_lower_, "uv": lp.col_upper_}
    arrays = {key: np.array(value, dtype=float) for key, value in sides.items()}
    arrays["c"] = np.array(lp.col_cost_, dtype=float)
    np.savez(kept, data=A.data, indices=A.indices, indptr=A.indptr, shape=np.array(A.shape), **arrays)


def kkt(program: Program, x: Array, y: Array) -> float:
    """The worst relative KKT measure in long double, with nobody's help."""
    wide = np.longdouble
    A = program.A.tocoo()
    rows, columns, data = A.coords[0], A.coords[1], A.data.astype(wide)
    x, y = np.asarray(x, dtype=wide), np.asarray(y, dtype=wide)
    lc, uc, lv, uv = (
        np.asarray(side, dtype=wide) for side in (program.lc, program.uc, program.lv, program.uv)
    )
    y = np.where(np.isneginf(lc), np.minimum(y, 0), y)
    y = np.where(np.isposinf(uc), np.maximum(y, 0), y)
    forward, back = np.zeros(len(lc), dtype=wide), np.zeros(len(lv), dtype=wide)
    np.add.at(forward, rows, data * x[columns])
    np.add.at(back, columns, data * y[rows])
    r = program.c.astype(wide) - back
    lower = np.where(np.isfinite(lv), np.maximum(r, 0), 0)
    upper = np.where(np.isfinite(uv), np.minimum(r, 0), 0)

    def norm(*parts: Any) -> Any:
        return np.sqrt(sum((part**2).sum() for part in parts))

    def finite(a: Any) -> Any:
        return np.where(np.isfinite(a), a, 0)

    b = norm(finite(np.where(lc != uc, lc, 0)), finite(uc))
    primal = norm(forward - np.clip(forward, lc, uc), x - np.clip(x, lv, uv)) / (1 + b)
    dual = norm(r - lower - upper) / (1 + norm(program.c.astype(wide)))
    value = (program.c.astype(wide) * x).sum()
    bound = (np.maximum(y, 0) * finite(lc) + np.minimum(y, 0) * finite(uc)).sum()
    bound += (lower * finite(lv) + upper * finite(uv)).sum()
    gap = abs(value - bound) / (1 + abs(value) + abs(bound))
    return float(max(primal, dual, gap))


def _digest(program: Program, answer: Answer) -> dict[str, Any]:
    """The measure; a nan where a peer gave no point."""
    good = bool(np.isfinite(answer.x).all() and np.isfinite(answer.y).all())
    return {
        "kkt": kkt(program, answer.x, answer.y) if good else float("nan"),
        "iterations": answer.iterations,
    }


def _digest_batch(batch: Batch, answers: list[Answer]) -> dict[str, Any]:
    free = np.zeros(batch.C.shape[1])
    worst = 0.0
    for c, lc, answer in zip(batch.C, batch.LC, answers, strict=True):
        program = Program(c, batch.A, lc, np.full(len(lc), np.inf), free, np.ones(len(c)))
        worst = max(worst, kkt(program, answer.x, answer.y))
    return {"kkt": worst}


def _judge(digest: dict[str, Any]) -> float:
    return float(digest["kkt"])


def batch(count: int) -> Batch:
    """`count` covering programs with random costs and demands, seed 0."""
    import scipy.sparse as sp

    rng = np.random.default_rng(0)
    A = sp.random_array((400, 600), density=0.05, rng=rng, format="csr")
    return Batch(
        rng.random((count, 600)) + 0.1, A, 0.3 * (A @ np.ones(600)) * rng.random((count, 400)), count
    )


def problems(size: str) -> list[Problem]:
    """The programs of a size."""
    netlib = [
        Problem("lp", name, 1, functools.partial(read, name), _digest, _judge, unit="program", limit=3 * TOL)
        for name in NAMES[size]
    ]
    count = BATCH[size]
    many = Problem(
        "lp batch",
        "covering",
        count,
        functools.partial(batch, count),
        _digest_batch,
        _judge,
        "program",
        3 * TOL,
    )
    return [*netlib, many]


# --- who takes part -----------------------------------------------------------------------------------------------


def _ours(presolve: Any) -> Callable[[Program], Call]:
    def make(program: Program) -> Call:
        from solvent.monotone import linprog

        bounds = np.column_stack([program.lv, program.uv])

        def call() -> Answer:
            found = linprog(
                program.c,
                A=program.A,
                lc=program.lc,
                uc=program.uc,
                bounds=bounds,
                tol=TOL,
                presolve=presolve,
            )
            return Answer(found.x, found.y, found.nit, found.certificate.bound)

        return call

    return make


def _ours_batch(batch: Batch) -> Call:
    from solvent.monotone import linprog_batch

    def call() -> list[Answer]:
        found = linprog_batch(batch.C, batch.A, batch.LC, bounds=(0, 1), tol=TOL)
        return [Answer(one.x, one.y, one.nit, one.certificate.bound) for one in found]

    return call


def _ours_one_by_one(batch: Batch) -> Call:
    from solvent.monotone import linprog

    def call() -> list[Answer]:
        answers = []
        for c, lc in zip(batch.C, batch.LC, strict=True):
            found = linprog(c, A=batch.A, lc=lc, bounds=(0, 1), tol=TOL, presolve=False)
            answers.append(Answer(found.x, found.y, found.nit, found.certificate.bound))
        return answers

    return call


def _certificate(task: str, data: Any, answer: Any) -> float:
    answers = answer if isinstance(answer, list) else [answer]
    return max(one.bound for one in answers)


def _highs(**options: Any) -> Callable[[Program], Call]:
    def make(program: Program) -> Call:
        import highspy

        # Counted once; `call` hands the same model over again, so that nothing is remembered.
        A = program.A.tocsc()

        def call() -> Answer:
            solver = highspy.Highs()
            settings = {"output_flag": False, "threads": 1, "time_limit": 60.0, **options}
            for key, value in settings.items():
                solver.setOptionValue(key, value)
            lp = highspy.HighsLp()
            lp.num_row_, lp.num_col_ = A.shape
            lp.col_cost_, lp.col_lower_, lp.col_upper_ = program.c, program.lv, program.uv
            lp.row_lower_, lp.row_upper_ = program.lc, program.uc
            lp.a_matrix_.format_ = highspy.MatrixFormat.kColwise
            lp.a_matrix_.start_, lp.a_matrix_.index_ = A.indptr, A.indices
            lp.a_matrix_.value_ = A.data
            solver.passModel(lp)
            solver.run()
            found, info = solver.getSolution(), solver.getInfo()
            iterations = max(
                info.pdlp_iteration_count, info.simplex_iteration_count, info.ipm_iteration_count
            )
            return Answer(np.array(found.col_value), np.array(found.row_dual), int(iterations))

        return call

    return make


def _ortools(presolve: bool) -> Callable[[Program], Call]:
    def make(program: Program) -> Call:
        from ortools.pdlp import solve_log_pb2, solvers_pb2
        from ortools.pdlp.python import pdlp

        def call() -> Answer:
            lp = pdlp.QuadraticProgram()
            lp.objective_vector = program.c
            lp.constraint_matrix = program.A.tocsc()
            lp.constraint_lower_bounds, lp.constraint_upper_bounds = program.lc, program.uc
            lp.variable_lower_bounds, lp.variable_upper_bounds = program.lv, program.uv
            params = solvers_pb2.PrimalDualHybridGradientParams()
            criteria = params.termination_criteria
            criteria.simple_optimality_criteria.eps_optimal_relative = TOL
            criteria.simple_optimality_criteria.eps_optimal_absolute = TOL
            criteria.time_sec_limit = 60.0
            params.num_threads = 1
            params.presolve_options.use_glop = presolve
            found = pdlp.primal_dual_hybrid_gradient(lp, params)
            counted = solve_log_pb2.SolveLog.FromString(found.solve_log.SerializeToString())
            return Answer(found.primal_solution, found.dual_solution, int(counted.iteration_count))

        return call

    return make


IMPLEMENTATIONS = [
    Implementation("solvent linprog", {"lp": _ours("auto")}, ours=True, certificate=_certificate),
    Implementation("solvent linprog_batch", {"lp batch": _ours_batch}, ours=True, certificate=_certificate),
    Implementation("solvent without presolve", {"lp": _ours(False)}, uses_solvent=True),
    Implementation("solvent one by one", {"lp batch": _ours_one_by_one}, uses_solvent=True),
    *(
        Implementation(f"highs {name}", {"lp": _highs(**options)}, process="highs", packages=("highspy",))
        for name, options in (
            ("simplex", {"solver": "simplex"}),
            ("ipm", {"solver": "ipm", "run_crossover": "off"}),
            ("pdlp", {"solver": "pdlp", "pdlp_optimality_tolerance": TOL, "kkt_tolerance": TOL}),
            ("hipdlp", {"solver": "hipdlp", "pdlp_optimality_tolerance": TOL, "kkt_tolerance": TOL}),
        )
    ),
    Implementation("ortools pdlp", {"lp": _ortools(True)}, process="ortools", packages=("ortools",)),
    Implementation(
        "ortools pdlp without presolve", {"lp": _ortools(False)}, process="ortools", packages=("ortools",)
    ),
]
"""Everyone who takes part in linear programs."""


def targets(report: Report) -> list[Target]:
    """The promised figures as measured in this report."""
    return [
        _mean(report, "8", "LP to 1e-4 against OR-tools PDLP", 1.0, LARGE),
        _honest(report, "9"),
        _many(report, "10"),
    ]


def _run(report: Report, task: str, problem: str, name: str) -> Run | None:
    runs = report.find(task=task, problem=problem, implementation=name, threads=1)
    return min(runs, key=lambda run: run.seconds(report.clock) or float("inf"), default=None)


def _mean(report: Report, number: str, figure: str, bar: float, names: tuple[str, ...]) -> Target:
    ratios = []
    for name in names:
        ours, theirs = (_run(report, "lp", name, who) for who in ("solvent linprog", "ortools pdlp"))
        if ours and theirs:
            ratios.append((theirs.seconds(report.clock) or 0.0) / (ours.seconds(report.clock) or 1.0))
    mean = float(np.exp(np.mean(np.log(ratios)))) if ratios else float("nan")
    text = f"{mean:.2f}x over {len(ratios)} programs" if ratios else "not measured"
    return Target(number, figure, f">= {bar:g}x (geometric mean)", text, mean >= bar if ratios else None)


def _honest(report: Report, number: str) -> Target:
    runs = [run for run in report.runs if run.task == "lp" and run.ours and run.error is not None]
    worst = max((run.error or 0.0 for run in runs), default=float("nan"))
    # Long double sums terms that are up to 1e6 times their sum; tests compare with rationals, without slack.
    below = [
        run
        for run in runs
        if run.certificate is not None and (run.error or 0.0) > run.certificate * (1 + ROUNDING)
    ]
    met = worst <= TOL and not below if runs else None
    return Target(
        number, "KKT by one evaluator, netlib", f"<= {TOL:g} and <= certificate", f"{worst:.1e}", met
    )


def _many(report: Report, number: str) -> Target:
    both = [
        _run(report, "lp batch", "covering", name) for name in ("solvent linprog_batch", "solvent one by one")
    ]
    if not all(both):
        return Target(number, "64 programs, one matrix", ">= 4x", "not measured", None)
    batch, singles = (run.seconds(report.clock) or float("nan") for run in both if run)
    return Target(number, "64 programs, one matrix", ">= 4x", f"{singles / batch:.2f}x", singles / batch >= 4)


if __name__ == "__main__":
    convert(*sys.argv[1:])
