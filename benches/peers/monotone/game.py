"""Zero-sum games: ours beside linear programming (HiGHS) and support enumeration (nashpy).

The peers (none is needed to use or test the package): ``pip install highspy==1.15.1 nashpy``.
Every answer is judged by its exact gap ``max(Mᵀx) - min(My)`` over ``max|M|``, in long double, after negative weights
have been set to 0 and the rest scaled to sum 1.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benches.peers.contract import Implementation, Problem, Report, Target, Unavailable

Array = NDArray[np.float64]
Call = Callable[[], Any]

TASK = "game"


@dataclasses.dataclass(frozen=True)
class Payoffs:
    """A game; the row player minimises."""

    M: Array


@dataclasses.dataclass(frozen=True)
class Strategies:
    """What both players do; `result` is what else came back, `remark` says why it ended early."""

    x: Any
    y: Any
    result: Any = None
    remark: str = ""


def payoffs(kind: str, n: int, m: int, seed: int = 0) -> Array:
    """A seeded game: "normal", "uniform", "low rank" or "policeman" (degenerate)."""
    rng = np.random.default_rng(seed)
    if kind == "normal":
        return rng.standard_normal((n, m))
    if kind == "uniform":
        return rng.uniform(-1.0, 1.0, (n, m))
    if kind == "low rank":
        return rng.standard_normal((n, 20)) @ rng.standard_normal((20, m)) / np.sqrt(20)
    if kind == "policeman":
        i, j = np.ogrid[0:n, 0:m]
        return np.abs(rng.standard_normal((n, 1))) * (1 - np.exp(-0.8 * np.abs(i - j)))
    raise ValueError(kind)


def gap(M: Array, x: Any, y: Any) -> float:
    """The gap of two strategies relative to the largest payoff, in long double."""
    wide = M.astype(np.longdouble)
    p, q = (np.maximum(np.asarray(v, dtype=np.longdouble), 0) for v in (x, y))
    if not (p.sum() > 0 and q.sum() > 0 and np.isfinite(p.sum() + q.sum())):
        return float("inf")
    difference = (wide.T @ (p / p.sum())).max() - (wide @ (q / q.sum())).min()
    return float(difference / np.abs(wide).max())


def _digest(data: Payoffs, answer: Strategies) -> dict[str, Any]:
    digest = {"gap": gap(data.M, answer.x, answer.y)}
    return {**digest, "remark": answer.remark} if answer.remark else digest


def problems(size: str) -> Sequence[Problem]:
    """The spec's games at one of the sizes of the suite."""
    shapes = {
        "tiny": [("normal", 30, 20)],
        "quick": [("normal", 500, 500), ("normal", 1000, 1000), ("policeman", 200, 200)],
        "full": [
            ("normal", 500, 500),
            ("normal", 1000, 700),
            ("normal", 1000, 1000),
            ("normal", 2000, 2000),
            ("uniform", 1000, 1000),
            ("low rank", 500, 500),
            ("policeman", 200, 200),
        ],
    }[size]
    return [
        Problem(
            TASK,
            f"{kind} {n}x{m}",
            n * m,
            lambda kind=kind, n=n, m=m: Payoffs(payoffs(kind, n, m)),  # type: ignore[misc]
            _digest,
            lambda digest: float(digest["gap"]),
            unit="payoff",
            limit=1e-6,
        )
        for kind, n, m in shapes
    ]


# --- who takes part ---------------------------------------------------------------------------------------------------


def _ours(method: str, **options: Any) -> Callable[[Payoffs], Call]:
    def prepare(data: Payoffs) -> Call:
        from solvent import get_num_threads, monotone

        def call() -> Strategies:
            result = monotone.matrix_game(data.M, method=method, workers=get_num_threads(), **options)
            return Strategies(result.x, result.y, result)

        return call

    return prepare


def _certificate(task: str, data: Payoffs, answer: Strategies) -> float:
    return float(answer.result.certificate.bound)


def _highs(solver: str) -> Callable[[Payoffs], Call]:
    """min v with Mᵀx <= v, x a strategy; y from the duals. No crossover: we compare with the interior point itself."""

    def prepare(data: Payoffs) -> Call:
        import highspy

        n, m = data.M.shape
        # Constraint by constraint: payoffs of a column less v, and the sum of x.
        values = np.vstack([np.column_stack([data.M.T, np.full(m, -1.0)]), np.append(np.ones(n), 0.0)])
        width = n + 1
        lp = highspy.HighsLp()
        lp.num_col_, lp.num_row_ = width, m + 1
        lp.col_cost_ = np.append(np.zeros(n), 1.0)
        lp.col_lower_ = np.append(np.zeros(n), -highspy.kHighsInf)
        lp.col_upper_ = np.full(width, highspy.kHighsInf)
        lp.row_lower_ = np.append(np.full(m, -highspy.kHighsInf), 1.0)
        lp.row_upper_ = np.append(np.zeros(m), 1.0)
        lp.a_matrix_.format_ = highspy.MatrixFormat.kRowwise
        lp.a_matrix_.start_ = np.arange(0, values.size + 1, width)
        lp.a_matrix_.index_ = np.tile(np.arange(width), m + 1)
        lp.a_matrix_.value_ = values.ravel()

        def call() -> Strategies:
            highs = highspy.Highs()
            for option, value in {"output_flag": False, "solver": solver, "run_crossover": "off"}.items():
                highs.setOptionValue(option, value)
            highs.setOptionValue("time_limit", 600.0)
            highs.passModel(lp)
            highs.run()
            solution = highs.getSolution()
            status = highs.modelStatusToString(highs.getModelStatus())
            x, y = np.array(solution.col_value)[:n], -np.array(solution.row_dual)[:m]
            return Strategies(x, y, remark="" if status == "Optimal" else status)

        return call

    return prepare


def _nashpy(data: Payoffs) -> Call:
    import nashpy

    if max(data.M.shape) > 30:
        raise Unavailable("support enumeration is exponential in the number of strategies")
    game = nashpy.Game(-data.M)

    def call() -> Strategies:
        x, y = game.linear_program()
        return Strategies(x, y)

    return call


IMPLEMENTATIONS = [
    Implementation("solvent", {TASK: _ours("auto")}, ours=True, certificate=_certificate),
    Implementation(
        "solvent halpern",
        {TASK: _ours("halpern")},
        ours=True,
        certificate=_certificate,
        largest={"*": 1_000_000},
    ),
    Implementation("highs ipm", {TASK: _highs("ipm")}, process="highs", packages=("highspy",)),
    Implementation(
        "highs simplex",
        {TASK: _highs("simplex")},
        process="highs",
        packages=("highspy",),
        largest={"*": 1_000_000},
    ),
    Implementation("nashpy", {TASK: _nashpy}, process="nashpy", packages=("nashpy",)),
]
"""Everyone who takes part."""


def targets(report: Report) -> Iterable[Target]:
    """The promised figures for games, as measured in this report."""
    for number, name, bar in (
        ("game 500", "normal 500x500", 9.0),
        ("game 1000", "normal 1000x1000", 15.0),
        ("game 2000", "normal 2000x2000", 10.0),
    ):
        figure = f"{name}: HiGHS ipm / ours, one thread"
        found = report.ratio(
            {"implementation": "highs ipm"}, {"implementation": "solvent"}, problem=name, threads=1
        )
        if found is None:
            yield Target(number, figure, f">= {bar:g}x", "not measured", None)
        else:
            yield Target(number, figure, f">= {bar:g}x", f"{found[0]:.3g}x", found[0] >= bar)
    ours = [r for r in report.find(task=TASK, implementation="solvent") if r.problem.startswith("normal")]
    errors = [r.error for r in ours if r.error is not None]
    if errors:
        worst = max(errors)
        yield Target("game gap", "largest gap of normal games", "<= 1e-13", f"{worst:.1e}", worst <= 1e-13)
    honest = [r for r in ours if r.certificate is not None and r.error is not None]
    if honest:
        # The judge's own long double sums are good to 2^-64 a term.
        low = [r for r in honest if r.error > r.certificate + 1e-17]  # type: ignore[operator]
        text = f"{len(low)} of {len(honest)} below the judge's gap"
        yield Target("game certificate", "certificates below the independent gap", "0", text, not low)
