"""What the wrappers for frameworks share: a problem as a function of NumPy arrays, with its pullbacks."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ._check import check_unbalanced, check_weights
from ._divergence import DivergenceResult, divergence
from ._ground import Ground
from ._monge_gap import MongeGapResult, monge_gap
from ._point_result import PointTransportResult
from ._points import solve_points
from ._result import TransportResult
from ._sinkhorn import SinkhornWarning
from ._solve import solve

__all__ = ["Problem"]

Array = NDArray[Any]

_SOLVERS: dict[str, Callable[..., Any]] = {
    "solve": solve,
    "solve_points": solve_points,
    "divergence": divergence,
    "monge_gap": monge_gap,
}
#: The data of each function, in its own order.
ARGUMENTS = {
    "solve": ("C", "a", "b"),
    "solve_points": ("X", "Y", "a", "b"),
    "divergence": ("X", "Y", "a", "b"),
    "monge_gap": ("X", "TX"),
}


@dataclass(frozen=True)
class Problem:
    """One of the family's functions with its options fixed.

    Parameters
    ----------
    kind : str
        The function: a key of `ARGUMENTS`.
    options : mapping
        Its keywords.
    """

    kind: str
    options: Mapping[str, Any]

    def __post_init__(self) -> None:
        if self.options.get("reg_scale") is not None:
            raise ValueError(
                "reg_scale makes reg depend on the cost, whose derivative would miss that; "
                "expected reg in units of the cost"
            )

    @property
    def arguments(self) -> tuple[str, ...]:
        """The names of the data."""
        return ARGUMENTS[self.kind]

    def shapes(self, arrays: Mapping[str, Any]) -> tuple[int, int]:
        """Rows and columns of the plan."""
        if self.kind == "solve":
            n, m = arrays["C"].shape
            return n, m
        return len(arrays["X"]), len(arrays["Y"])

    def solve(self, arrays: Mapping[str, Array]) -> Any:
        """The result; where its certificate misses the tolerance it comes with a `SinkhornWarning`."""
        result = _SOLVERS[self.kind](**arrays, **self.options)
        if not result.success:
            warnings.warn(f"{result.status}: {result.message}", SinkhornWarning, stacklevel=2)
        return result

    def gradients(self, result: Any, names: tuple[str, ...]) -> dict[str, Array]:
        """The derivative of the value in the data named, each in NumPy."""
        if isinstance(result, MongeGapResult):
            out: dict[str, Any] = {"TX": result.grad}
        elif isinstance(result, DivergenceResult):
            out = result.grad
        else:
            out = result.grad()
        missing = set(names) - set(out)
        if missing:
            raise NotImplementedError(
                f"{self.kind} has no derivative in {', '.join(sorted(missing))}; expected {', '.join(out)}"
            )
        return {name: np.asarray(out[name]) for name in names}

    def pull(self, result: TransportResult, V: Array, names: tuple[str, ...]) -> dict[str, Array]:
        """The derivative of ``<V, plan>`` in the data named, each in NumPy."""
        return {name: np.asarray(g) for name, g in result.vjp(V, wrt=names).items()}

    def revive(self, arrays: Mapping[str, Array], f: Array, g: Array) -> TransportResult:
        """The result that had the potentials f, g, without its outcome: enough for `pull`."""
        n, m = self.shapes(arrays)
        tau = check_unbalanced(self.options.get("unbalanced"))
        if self.kind == "solve":
            kind, ground = TransportResult, Ground(C=arrays["C"])
        else:
            power = self.options.get("p")
            cost = self.options.get("cost", "sqeuclidean")
            kind = PointTransportResult
            ground = Ground(points=(arrays["X"], arrays["Y"], cost, 0.0 if power is None else float(power)))
        return kind(
            f=f,
            g=g,
            value=np.nan,
            cost=np.nan,
            marginal_error_a=np.nan,
            marginal_error_b=np.nan,
            reg=float(self.options["reg"]),
            unbalanced=None if min(tau) == np.inf else tau,
            mass=self.options.get("mass"),
            success=True,
            status="converged",
            message="",
            nit=0,
            certificate=None,
            _ground=ground,
            _a=check_weights(arrays.get("a"), "a", n, ""),
            _b=check_weights(arrays.get("b"), "b", m, ""),
            _workers=self.options.get("workers"),
        )
