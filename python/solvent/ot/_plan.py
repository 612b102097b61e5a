"""The plan that potentials make: whole, by rows, sparse, applied, rounded; and what derivatives need of it. All in NumPy."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from solvent import _core

from ._check import totals
from ._ground import Ground

if TYPE_CHECKING:
    from scipy.sparse import csr_array

__all__ = ["Plan"]

Array = NDArray[Any]
Vector = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Plan:
    """``P_ij = a_i b_j exp((f_i + g_j + lam - C_ij) / reg)``.

    Attributes
    ----------
    ground : Ground
        The cost.
    a, b, f, g : ndarray of float64
        Weights as the caller gave them, and potentials.
    lam, reg : float
        `lam` is 0 unless the problem is partial.
    tau : tuple of two floats
        The marginal penalties, inf for hard marginals.
    mass : float or None
        Of partial problems.
    workers : int or None
        Threads.
    """

    ground: Ground
    a: Vector
    b: Vector
    f: Vector
    g: Vector
    lam: float
    reg: float
    tau: tuple[float, float]
    mass: float | None
    workers: int | None

    @property
    def is_balanced(self) -> bool:
        """Whether both marginals are hard."""
        return self.mass is None and min(self.tau) == math.inf

    @cached_property
    def weights(self) -> tuple[Vector, Vector]:
        """a and b as the plan has them: balanced, b takes the total of a."""
        if not self.is_balanced:
            return self.a, self.b
        (total_a,), (total_b,) = totals(self.a), totals(self.b)
        return self.a, self.b * (total_a / total_b)

    def _dual(self) -> dict[str, Any]:
        """The core's keywords. Two infinite tau make it give b the total of a, which a partial plan must not."""
        tau_a, tau_b = self.tau if self.mass is None else (1.0, 1.0)
        return {
            **self.ground.core,
            "a": self.a,
            "b": self.b,
            "f": self.f,
            "g": self.g,
            "lam": self.lam,
            "reg": self.reg,
            "tau_a": tau_a,
            "tau_b": tau_b,
            "workers": self.workers,
        }

    def _soft_dual(self) -> dict[str, Any]:
        """The same plan with its weights as they stand, so that rows, columns and weights may be exchanged."""
        a, b = self.weights
        return {**self._dual(), "a": a, "b": b, "tau_a": 1.0, "tau_b": 1.0}

    # --- forms of the plan --------------------------------------------------------------------------------

    def whole(self) -> Array:
        """Every entry, in the dtype of the cost."""
        values: Array = _core.ot.plan(**self._dual())
        return values

    def rows(self, chosen: Any, a: Vector | None = None) -> Array:
        """Some rows, with other weights if they are given."""
        dual = self._soft_dual()
        if a is not None:
            dual["a"] = a
        for name in ("a", "f"):
            dual[name] = np.ascontiguousarray(dual[name][chosen])
        values: Array = _core.ot.plan(**{**dual, **self.ground.rows(chosen).core})
        return values

    def columns(self, chosen: Any, b: Vector) -> Array:
        """Some columns, with other weights."""
        dual = {**self._soft_dual(), "b": b}
        for name in ("b", "g"):
            dual[name] = np.ascontiguousarray(dual[name][chosen])
        values: Array = _core.ot.plan(**{**dual, **self.ground.columns(chosen).core})
        return values

    def sparse(self, drop: float, **potentials: Vector | float) -> tuple[csr_array, float]:
        """By rows in float64 (of other potentials, if they are given), and the mass that is missing."""
        from scipy.sparse import csr_array

        data, indices, indptr, dropped = _core.ot.plan_sparse(**{**self._dual(), **potentials}, drop=drop)
        return csr_array((data, indices, indptr), shape=self.ground.shape), float(dropped)

    def apply(self, V: Array, *, transpose: bool) -> Vector:
        """``P V`` or ``P.T V`` for a matrix V."""
        columns = np.ascontiguousarray(V, dtype=np.float64)
        product: Vector = _core.ot.apply(**self._dual(), V=columns, transpose=transpose)
        return product

    def total(self) -> float:
        """The mass."""
        if self.is_balanced:
            return totals(self.a)[0]
        if self.mass is not None:
            return self.mass
        return math.fsum(self.apply(np.ones((self.ground.shape[1], 1)), transpose=False)[:, 0])

    def rounded(self) -> tuple[Any, Array, Array]:
        """A feasible plan as Q, u, w: it is ``Q + outer(u, w)``; Q dense where half of it is not 0."""
        from scipy.sparse import coo_array

        shape, dtype = self.ground.shape, self.ground.dtype
        data = {**self._dual(), "tau_a": self.tau[0], "tau_b": self.tau[1]}
        raw = _core.ot.rounded(**data, mass=self.mass)
        # -inf stands at weight 0, where the plan is 0 for any number.
        f, g = (np.where(np.isfinite(raw[name]), raw[name], 0.0) for name in ("f", "g"))
        scaled, _ = self.sparse(0.0, f=f, g=g, lam=0.0)
        scaled = scaled * float(raw["theta"])
        if raw["flows"]:
            i, j, flow = zip(*raw["flows"], strict=True)
            scaled = scaled + coo_array((flow, (i, j)), shape=shape).tocsr()
            # What is taken away as a whole may leave a rounding error.
            scaled.data = np.maximum(scaled.data, 0.0)
        scaled = scaled.astype(dtype)
        return (
            scaled if 2 * scaled.nnz <= shape[0] * shape[1] else scaled.toarray(),
            raw["u"].astype(dtype, copy=False),
            raw["w"].astype(dtype, copy=False),
        )

    # --- derivatives --------------------------------------------------------------------------------------

    def value_in_weights(self) -> tuple[Vector, Vector]:
        """The derivatives of the optimal value in a and b: of the dual at fixed potentials (envelope theorem)."""
        if self.is_balanced:
            return self.f, self.g
        (total_a,), (total_b,) = totals(self.a), totals(self.b)
        if self.mass is None:
            return (
                _penalised(self.f, self.tau[0]) - self.reg * (_decay(self.f, self.tau[0]) - total_b),
                _penalised(self.g, self.tau[1]) - self.reg * (_decay(self.g, self.tau[1]) - total_a),
            )
        # A row's sum over its weight, which is there at weight 0 too: the plan with weights 1 in place of a.
        dual, (n, m) = self._soft_dual(), self.ground.shape
        rows = _core.ot.apply(**{**dual, "a": np.ones(n)}, V=np.ones((m, 1)), transpose=False)[:, 0]
        columns = _core.ot.apply(**{**dual, "b": np.ones(m)}, V=np.ones((n, 1)), transpose=True)[:, 0]
        return self.f - self.reg * (rows - total_b), self.g - self.reg * (columns - total_a)

    def adjoint(self, V: Array) -> tuple[Vector, Vector, dict[str, Vector]]:
        """For the loss ``<V, P>``: the multipliers x, y of the marginals, and the cotangents of a and b."""
        n, m = self.ground.shape
        w1, w2 = np.empty(n), np.zeros(m)
        for rows in self.ground.slices():
            weighted = self.rows(rows) * V[rows]
            w1[rows] = weighted.sum(axis=1)
            w2 += weighted.sum(axis=0)
        dual = self._dual()
        del dual["lam"]
        raw = _core.ot.plan_adjoint(**dual, w1=w1, w2=w2)
        x, y, cotangents = raw["x"], raw["y"], {"a": raw["a"], "b": raw["b"]}
        # Weights of 0 take no part in the system: a row q of weight 1 there changes the loss by <q, V - y>.
        a, b = self.weights
        empty = np.flatnonzero(a == 0)
        if len(empty):
            q = self.rows(empty, a=np.ones(n))
            cotangents["a"][empty] = (q * (V[empty] - y)).sum(axis=1)
        empty = np.flatnonzero(b == 0)
        if len(empty):
            q = self.columns(empty, b=np.ones(m))
            cotangents["b"][empty] = (q * (V[:, empty] - x[:, None])).sum(axis=0)
        return x, y, cotangents

    def cost_cotangent(self, V: Array, x: Vector, y: Vector, rows: slice) -> Vector:
        """``-P (V - x - y) / reg``, some rows of it."""
        out: Vector = V[rows] - x[rows, None] - y[None, :]
        out *= self.rows(rows)
        out /= -self.reg
        return out

    def pull_to_points(self, cotangent: Callable[[slice], Array]) -> dict[str, Array]:
        """From a cotangent of the cost, given by blocks of rows, to those of the points X and Y."""
        X, Y, cost, p = self.ground.clouds
        y = np.ascontiguousarray(Y, dtype=np.float64)
        of_x, of_y = [], np.zeros(Y.shape)
        for rows in self.ground.slices():
            x = np.ascontiguousarray(X[rows], dtype=np.float64)
            weights = np.ascontiguousarray(cotangent(rows), dtype=np.float64)
            own, others = _core.ot.cost_slopes(x, y, cost, p, weights, self.workers)
            of_x.append(own)
            of_y += others
        return {"X": np.concatenate(of_x).astype(X.dtype, copy=False), "Y": of_y.astype(Y.dtype, copy=False)}

    def value_in_points(self) -> dict[str, Array]:
        """The derivatives of the optimal value in X and Y."""
        X, Y, cost, _ = self.ground.clouds
        if cost != "sqeuclidean":
            return self.pull_to_points(self.rows)
        # 2 (x_i (P 1)_i - (P Y)_i): two products with the plan. Both clouds are centred, so that little cancels.
        x, y = X.astype(np.float64), Y.astype(np.float64)
        centre = y.mean(axis=0)
        x, y, out = x - centre, y - centre, {}
        for name, own, other in (("X", x, y), ("Y", y, x)):
            carried = np.column_stack([np.ones(len(other)), other])
            sums = self.apply(carried, transpose=name == "Y")
            out[name] = (2.0 * (sums[:, :1] * own - sums[:, 1:])).astype(X.dtype, copy=False)
        return out


def _penalised(f: Vector, tau: float) -> Vector:
    """``-tau expm1(-f / tau)``, which is f for a hard marginal."""
    out: Vector = f if math.isinf(tau) else -tau * np.expm1(-f / tau)
    return out


def _decay(f: Vector, tau: float) -> Vector:
    """``exp(-f / tau)``: the marginal of the optimal plan over its weight."""
    out: Vector = np.ones_like(f) if math.isinf(tau) else np.exp(-f / tau)
    return out
