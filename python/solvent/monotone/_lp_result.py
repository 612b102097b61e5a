"""What `linprog` returns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from solvent import _core
from solvent._dispatch import array_function
from solvent._result import STATUS, Certificate, Result, ResultBatch
from solvent._validate import check_shape, check_workers

from ._lp_data import LinearProgram, linear_program

__all__ = ["LPBatchResult", "LPResult", "Marginals", "result_of"]

#: SciPy's integer for each word.
CODES = {
    "converged": 0,
    "max_iterations": 1,
    "max_time": 1,
    "interrupted": 1,
    "infeasible": 2,
    "unbounded": 3,
    "unbounded_or_infeasible": 4,
    "stalled": 4,
    "rounding_floor": 4,
}


class Marginals(NamedTuple):
    """Residuals of some constraints and the sensitivity of the objective to them.

    Attributes
    ----------
    residual : ndarray
        How far each constraint is from being active: ``b_ub - A_ub x``, ``b_eq - A_eq x``, ``x - lb``, ``ub - x``.
    marginals : ndarray
        Derivative of the optimal objective with respect to each limit, with SciPy's signs: at most 0 for inequalities
        and upper bounds, at least 0 for lower bounds.

    Examples
    --------
    >>> from solvent.monotone import linprog
    >>> result = linprog([-1.0], A_ub=[[2.0]], b_ub=[3.0], tol=1e-8)
    >>> round(float(result.ineqlin.marginals[0]), 4)
    -0.5
    """

    residual: NDArray[Any]
    marginals: NDArray[Any]

    def __getitem__(self, key: Any) -> Any:
        return getattr(self, key) if key in self._fields else tuple(self)[key]

    def keys(self) -> list[str]:
        """The names of the two arrays."""
        return list(self._fields)


@dataclass(frozen=True, repr=False, eq=False, kw_only=True)
class LPResult(Result):
    """A solution of a linear program, or a proof that there is none.

    Attributes
    ----------
    x : ndarray of shape (n,)
        The variables, inside their bounds.
    fun : float
        ``c @ x``.
    slack : ndarray
        ``b_ub - A_ub @ x``.
    con : ndarray
        ``b_eq - A_eq @ x``.
    ineqlin, eqlin, lower, upper : Marginals
        As SciPy's: for ``A_ub``, ``A_eq`` and the bounds, ``.residual`` and ``.marginals``.
    y : ndarray of shape (m,)
        Multipliers of the rows, stacked in the order A, A_ub, A_eq: positive for a lower limit, negative for an upper one.
    reduced_costs : ndarray of shape (n,)
        ``c - A.T @ y``.
    dual_fun : float
        The dual objective at `y`.
    kkt : tuple of three floats
        Relative residuals: primal, dual, gap.
    ray : ndarray, or None
        With kind "farkas", multipliers of the rows that no feasible point allows; with kind "recession-ray", a direction
        along which the objective falls for ever.
    restarts, matvecs : int
        Restarts, and products with the matrix or its transpose.
    status : int
        SciPy's: 0 solved, 1 budget used up, 2 infeasible, 3 unbounded, 4 anything else.
    success, message, nit, certificate, history, elapsed, backend
        As in every result. `nit` counts iterations.

    Notes
    -----
    `status_name` is the package's word for the outcome: "converged"; "max_iterations", "max_time", "interrupted";
    "infeasible"; "unbounded"; "unbounded_or_infeasible", "stalled", "rounding_floor". ``success`` means kind "kkt" and
    ``certificate.bound <= tol``. What the kinds prove is in `linprog`.

    Examples
    --------
    >>> from solvent.monotone import linprog
    >>> result = linprog([-1, 4], [[-3, 1], [1, 2]], [6, 4], bounds=[(None, None), (-3, None)])
    >>> result.status, result.status_name, (result.x.round(4) + 0.0).tolist()
    (0, 'converged', [10.0, -3.0])
    >>> (result.ineqlin.marginals.round(4) + 0.0).tolist()
    [0.0, -1.0]
    """

    x: NDArray[Any]
    fun: float
    slack: NDArray[Any]
    con: NDArray[Any]
    ineqlin: Marginals
    eqlin: Marginals
    lower: Marginals
    upper: Marginals
    y: NDArray[Any]
    reduced_costs: NDArray[Any]
    dual_fun: float
    kkt: tuple[float, float, float]
    ray: NDArray[Any] | None
    restarts: int
    matvecs: int
    certificate: Certificate  # never without
    status: int  # type: ignore[assignment]  # SciPy's codes
    status_name: str

    @array_function("c", "A_ub", "b_ub", "A_eq", "b_eq", "A", "lc", "uc")
    def certify(
        self,
        c: ArrayLike,
        A_ub: Any = None,
        b_ub: ArrayLike | None = None,
        A_eq: Any = None,
        b_eq: ArrayLike | None = None,
        bounds: Any = (0, None),
        *,
        A: Any = None,
        lc: ArrayLike | None = None,
        uc: ArrayLike | None = None,
        workers: int | None = None,
    ) -> Certificate:
        """Judge the `x` and `y`, or the `ray`, that this result holds now.

        Parameters
        ----------
        c, A_ub, b_ub, A_eq, b_eq, bounds, A, lc, uc
            The problem, as for `linprog`.
        workers : int, optional
            Threads.

        Returns
        -------
        Certificate
            As `certificate`; nothing of the earlier solve is used.

        Raises
        ------
        ValueError, TypeError
            As `linprog`; if the payload does not fit the data.

        Examples
        --------
        >>> import dataclasses
        >>> from solvent.monotone import linprog
        >>> data = [1.0, 2.0], [[-1.0, -1.0]], [-1.0]
        >>> result = linprog(*data)
        >>> result.certify(*data) == result.certificate
        True
        >>> dataclasses.replace(result, x=result.x + 1.0).certify(*data).bound > 0.1
        True
        """
        program = linear_program(c, A_ub, b_ub, A_eq, b_eq, bounds, A=A, lc=lc, uc=uc)
        return judged(program, self.x, self.y, self.ray, self.certificate.kind, workers)


def judged(program: LinearProgram, x: Any, y: Any, ray: Any, kind: str, workers: int | None) -> Certificate:
    """The certificate of what a result holds."""
    n, m = program.c.size, program.lc.size
    held = []
    for name, value, size, because in (
        ("x", x, n, f"c has {n} entries"),
        ("y", y, m, f"there are {m} rows"),
    ):
        held.append(np.ascontiguousarray(value, dtype=np.float64))
        check_shape(held[-1], name, (size,), because)
    direction = None
    if ray is not None:
        direction = np.ascontiguousarray(ray, dtype=np.float64)
        size = m if kind == "farkas" else n
        check_shape(direction, "ray", (size,), f"it is a {kind} ray")
    raw = _core.monotone.linprog_certify(
        **program.core(),
        x=held[0],
        y=held[1],
        ray=direction,
        kind=kind,
        workers=check_workers(workers),
    )
    return Certificate.from_core(raw)


def result_of(raw: dict[str, Any], program: LinearProgram) -> LPResult:
    """The result of what the core returned."""
    x, y = raw["x"], raw["y"]
    activity, reduced = raw["activity"], raw["reduced_costs"]
    ub, eq = program.inequalities, program.equations
    slack, con = program.uc[ub] - activity[ub], program.uc[eq] - activity[eq]
    lower = np.where(np.isfinite(program.lv), np.maximum(reduced, 0.0), 0.0)
    upper = np.where(np.isfinite(program.uv), np.minimum(reduced, 0.0), 0.0)
    word = str(raw["status"])
    dtype = program.dtype
    single = dtype == np.float32

    def cast(a: NDArray[np.float64]) -> NDArray[Any]:
        return a.astype(np.float32) if single else a

    certificate, ray = raw["certificate"], raw["ray"]
    payload: dict[str, Any] = {
        "x": cast(x),
        "y": cast(y),
        "ray": None if ray is None else cast(ray),
    }
    outcome = {**raw, "status": word}
    if single:
        judgement = judged(program, payload["x"], payload["y"], payload["ray"], certificate["kind"], None)
        outcome["certificate"] = {
            "kind": judgement.kind,
            "bound": judgement.bound,
            "relative": judgement.relative,
            "rigorous": judgement.rigorous,
            "failure_probability": judgement.failure_probability,
            "parts": judgement.parts,
        }
        if word == "converged" and not judgement.bound <= raw["tol"]:
            word = "rounding_floor"
            outcome.update(success=False, message=STATUS[word])
    result = LPResult.from_core(
        outcome,
        **payload,
        fun=float(raw["fun"]),
        slack=cast(slack),
        con=cast(con),
        ineqlin=Marginals(cast(slack), cast(y[ub])),
        eqlin=Marginals(cast(con), cast(y[eq])),
        lower=Marginals(cast(x - program.lv), cast(lower)),
        upper=Marginals(cast(program.uv - x), cast(upper)),
        reduced_costs=cast(reduced),
        dual_fun=float(raw["dual_fun"]),
        kkt=tuple(map(float, raw["kkt"])),
        restarts=int(raw["restarts"]),
        matvecs=int(raw["matvecs"]),
        status_name=word,
    )
    # The base class holds a word.
    object.__setattr__(result, "status", CODES[word])
    return result


class LPBatchResult(ResultBatch):
    """The results of `linprog_batch`, in the caller's order; ``x``, ``y``, ``fun``, ``status`` and ``bound`` are stacked.

    Examples
    --------
    >>> import numpy as np
    >>> from solvent.monotone import linprog_batch
    >>> batch = linprog_batch([[1.0, 2.0], [3.0, 1.0]], [[1.0, 1.0]], [[1.0]], [[np.inf]])
    >>> batch.fun.round(4).tolist(), len(batch)
    ([1.0, 1.0], 2)
    """

    @property
    def bound(self) -> NDArray[np.float64]:
        """The bounds of the certificates."""
        return np.array([result.certificate.bound for result in self])  # type: ignore[union-attr]
