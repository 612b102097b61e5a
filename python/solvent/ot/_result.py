"""What the solvers of transport return: potentials, an outcome, a certificate, and the plan on demand."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, Literal, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from solvent import _core
from solvent._dispatch import _is_foreign, _to_numpy, array_function
from solvent._result import Certificate, Result
from solvent._validate import _shown, as_float_array, check_scalar, check_shape

from ._check import check_matrix, check_totals, check_weights
from ._ground import Ground
from ._lazy import LazyMatrix
from ._plan import Plan

if TYPE_CHECKING:
    from scipy.sparse import csr_array

__all__ = ["TransportResult", "part"]


def part(name: str, doc: str) -> Any:
    """A property that reads one of the certificate's parts."""

    def get(self: Result) -> float:
        return self.certificate.parts.get(name, math.nan) if self.certificate is not None else math.nan

    return property(get, doc=doc)


@dataclass(frozen=True, repr=False, eq=False, kw_only=True)
class TransportResult(Result):
    r"""A solved entropic transport problem: its potentials, from which everything else follows.

    The plan is ``P_ij = a_i b_j exp((f_i + g_j - C_ij) / reg)`` (partial transport: ``f_i + g_j + lam - C_ij``). It
    is stored nowhere: `plan`, `apply` and the other methods make what they return in a pass over the cost. For that
    the result holds the caller's `C` (or points) and weights themselves, not copies: overwriting them afterwards
    changes what the methods return. Pickling writes them too.

    Attributes
    ----------
    f, g : ndarray of shape (n,), (m,)
        Dual potentials, always float64. Balanced transport leaves ``f + t, g - t`` open; here ``<f, a> = <g, b>``.
        At a point of weight 0 the potential is its (soft) c-transform, the right derivative of `value` in that
        weight. ``+inf`` at an unbalanced point without a finite arc.
    value : float
        Dual value, a lower bound of the optimum up to rounding; off by the square of the marginal error.
    cost : float
        ``<C, P>``, the transport cost of the plan without its entropy.
    marginal_error_a, marginal_error_b : float
        ``sum_i |(P 1)_i - a_i|`` and the same for b. Unbalanced and partial transport: the KKT residuals (Notes).
    reg : float
        The regularisation in units of the cost, after `reg_scale`.
    unbalanced : tuple (tau_a, tau_b), or None
        Weights of the marginal penalties; None where both marginals are hard.
    mass : float or None
        The mass that a partial plan moves.
    lam : float
        Partial transport: the multiplier of the mass; otherwise nan.
    passes, newton_steps, cg_steps, backtracks, rescues, stages : int
        The work: sweeps over the cost; steps of Newton's method, of conjugate gradients within them, and of the line
        search; Sinkhorn steps taken where no Newton step ascended; values of reg on the way down.
    ray : tuple of two ndarrays, or None
        With status "infeasible": indicators ``(u, v)`` of a set of rows and minus that of all columns they reach:
        the rows hold more than the columns take, so ``<u, a> + <v, b> > 0`` though ``u_i + v_j <= 0`` on every arc.
    success, status, message, nit, certificate, history, elapsed, backend
        As in every result. `nit` counts passes (with ``method="sns"`` Newton steps).

    Notes
    -----
    **What the certificate proves** (kind "duality-gap", relative, rigorous): the optimal value of *this* regularised
    problem lies in ``[lower, upper]``, the optimal cost of the problem without regularisation in ``[unreg_lower,
    unreg_upper]``, and `rounded` gives a plan that is feasible up to rounding and costs at most `upper`. `lower` is weak
    duality at (f, g), true for any pair; `upper` bounds the value of the plan rounded as in [1]_ (Algorithm 2); the
    second bracket takes hard c-transforms of the potentials and the rounded plan's cost. All four are widened by an
    allowance for rounding, counted operation by operation. With M the plan's mass and s the spread max C - min C of
    the finite costs ::

        bound = max((marginal_error + rounding) / M, (upper - lower) / (M s))

    **KKT residuals.** Unbalanced: ``|P1 - a exp(-f/tau_a)|_1`` and the same for b [2]_; partial:
    ``|P1 - min(a, P1 exp(-f/reg))|_1``, the same for b plus ``|sum P - mass|``.

    References
    ----------
    .. [1] J. Altschuler, J. Weed, P. Rigollet, "Near-linear time approximation algorithms for optimal transport via
       Sinkhorn iteration", NeurIPS 2017, Algorithm 2 and Lemma 7.
    .. [2] L. Chizat, G. Peyré, B. Schmitzer, F.-X. Vialard, "Scaling algorithms for unbalanced optimal transport
       problems", Mathematics of Computation 87 (2018) 2563-2609.

    Examples
    --------
    >>> import numpy as np
    >>> from solvent import ot
    >>> C = np.abs(np.subtract.outer(np.arange(4.0), np.arange(5.0)))
    >>> result = ot.solve(C, reg=0.05)
    >>> result.success, result.certificate.kind
    (True, 'duality-gap')
    >>> result.lower <= result.value <= result.upper
    True
    >>> bool(np.allclose(result.plan().sum(axis=1), 0.25))
    True
    """

    f: NDArray[np.float64]
    g: NDArray[np.float64]
    value: float
    cost: float
    marginal_error_a: float
    marginal_error_b: float
    reg: float
    unbalanced: tuple[float, float] | None = None
    mass: float | None = None
    lam: float = math.nan
    passes: int = 0
    newton_steps: int = 0
    cg_steps: int = 0
    backtracks: int = 0
    rescues: int = 0
    stages: int = 0
    ray: tuple[NDArray[np.float64], NDArray[np.float64]] | None = None

    _ground: Ground = field(default_factory=Ground)
    _a: NDArray[np.float64] = field(default_factory=lambda: np.empty(0))
    _b: NDArray[np.float64] = field(default_factory=lambda: np.empty(0))
    _workers: int | None = None

    _derived: ClassVar[tuple[str, ...]] = (
        "marginal_error",
        "gap",
        "lower",
        "upper",
        "unreg_lower",
        "unreg_upper",
    )

    # --- numbers ------------------------------------------------------------------------------------------

    gap = part("gap", "``upper - lower``, allowances for rounding included.")
    lower = part("lower", "Proven lower bound of the regularised optimum.")
    upper = part("upper", "Proven upper bound of the regularised optimum, from the rounded plan.")
    unreg_lower = part("unreg_lower", "Proven lower bound of the optimal cost without regularisation.")
    unreg_upper = part("unreg_upper", "Proven upper bound of the optimal cost without regularisation.")

    @property
    def marginal_error(self) -> float:
        """``marginal_error_a + marginal_error_b``."""
        return self.marginal_error_a + self.marginal_error_b

    # --- the plan -----------------------------------------------------------------------------------------

    def plan(self) -> NDArray[Any]:
        """The plan as a dense matrix.

        Returns
        -------
        ndarray of shape (n, m)
            In the dtype of the cost. Made anew at each call, in O(nm).

        Examples
        --------
        >>> from solvent import ot
        >>> ot.solve([[0.0, 1.0], [1.0, 0.0]], reg=0.01).plan().round(6)
        array([[0.5, 0. ],
               [0. , 0.5]])
        """
        return self._out(self._plan().whole())  # type: ignore[no-any-return]

    def plan_sparse(self, drop: float = 1e-12) -> tuple[csr_array, float]:
        """The plan without its smallest entries, as a sparse matrix.

        Parameters
        ----------
        drop : float, default 1e-12
            At most this share of the plan's mass is dropped; in [0, 1). 0 keeps every entry that is not 0.

        Returns
        -------
        plan : scipy.sparse.csr_array of shape (n, m)
            In the dtype of the cost.
        dropped : float
            The mass of the entries that are missing, rounded up.

        Raises
        ------
        ValueError
            If `drop` is outside [0, 1).

        Examples
        --------
        >>> import numpy as np
        >>> from solvent import ot
        >>> points = np.linspace(0, 1, 50)[:, None]
        >>> plan, dropped = ot.solve_points(points, points + 0.1, reg=1e-4).plan_sparse(1e-9)
        >>> plan.nnz < 1000, 0 <= dropped <= 1e-9
        (True, True)
        """
        share = check_scalar(drop, "drop", ge=0, lt=1)
        sparse, dropped = self._plan().sparse(share)
        sparse.data = sparse.data.astype(self._ground.dtype, copy=False)
        return sparse, dropped

    @array_function("V")
    def apply(self, V: ArrayLike) -> Any:
        """``P V``, without making P.

        Parameters
        ----------
        V : array_like of shape (m,) or (m, k)
            What the columns carry.

        Returns
        -------
        ndarray of shape (n,) or (n, k)
            In the dtype of the cost. Divided by ``P 1`` it is the barycentric projection of `V`.

        Raises
        ------
        ValueError
            If `V` has not m rows or is not finite.

        Examples
        --------
        >>> import numpy as np
        >>> from solvent import ot
        >>> result = ot.solve([[0.0, 1.0], [1.0, 0.0]], reg=0.01)
        >>> bool(np.allclose(result.apply([1.0, 3.0]), [0.5, 1.5]))
        True
        """
        return self._product(V, "V", 1, transpose=False)

    @array_function("U")
    def apply_t(self, U: ArrayLike) -> Any:
        """``P.T U``, without making P.

        Parameters
        ----------
        U : array_like of shape (n,) or (n, k)
            What the rows carry.

        Returns
        -------
        ndarray of shape (m,) or (m, k)
            In the dtype of the cost.

        Raises
        ------
        ValueError
            If `U` has not n rows or is not finite.

        Examples
        --------
        >>> import numpy as np
        >>> from solvent import ot
        >>> result = ot.solve([[0.0, 1.0, 2.0], [1.0, 0.0, 1.0]], reg=0.1)
        >>> bool(np.allclose(result.apply_t(np.ones(2)), 1 / 3))
        True
        """
        return self._product(U, "U", 0, transpose=True)

    @overload
    def rounded(self, dense: Literal[False] = False) -> tuple[Any, NDArray[Any], NDArray[Any]]: ...
    @overload
    def rounded(self, dense: Literal[True]) -> NDArray[Any]: ...
    def rounded(self, dense: bool = False) -> Any:
        """A plan that meets its marginals exactly, up to rounding: the one whose value `upper` bounds.

        The plan's rows, then its columns are scaled down to their marginals, and what is missing then returns as a
        matrix of rank one (Altschuler, Weed & Rigollet 2017, Algorithm 2), or along arcs where some are forbidden.

        Parameters
        ----------
        dense : bool, default False
            True: one dense matrix instead of the three parts.

        Returns
        -------
        Q : scipy.sparse.csr_array or ndarray of shape (n, m)
            The scaled plan: dense where more than half of its entries are not 0.
        u, w : ndarray of shape (n,), (m,)
            The rounded plan is ``Q + outer(u, w)``.

        Notes
        -----
        In the dtype of the cost: with float32 the marginals hold to float32's rounding.

        Examples
        --------
        >>> import numpy as np
        >>> from solvent import ot
        >>> C = np.random.default_rng(0).random((30, 40))
        >>> rough = ot.solve(C, reg=0.01, tol=1e-2)
        >>> plan = rough.rounded(dense=True)
        >>> bool(np.abs(plan.sum(axis=1) - 1 / 30).sum() < 1e-14)
        True
        """
        plan, u, w = self._plan().rounded()
        if dense:
            total = plan if isinstance(plan, np.ndarray) else plan.toarray()
            if u.any() and w.any():
                total += np.outer(u, w)
            return self._out(total)
        return self._out((plan, u, w))

    # --- derivatives --------------------------------------------------------------------------------------

    def grad(self) -> dict[str, Any]:
        """The derivative of the optimal value in the data, by the envelope theorem.

        Returns
        -------
        dict
            ``"a"`` (n,) and ``"b"`` (m,): float64. Balanced, they are f and g, up to an additive constant each: only
            changes of equal total have a meaning. Unbalanced: ``-tau_a expm1(-f/tau_a) - reg (exp(-f/tau_a) - sum b)``;
            partial: ``f - reg (q - sum b)`` with q the plan's row sums over a. ``"C"``: the plan, as a `LazyMatrix`
            that ``numpy.asarray`` computes in one pass. With points ``"X"`` and ``"Y"`` in its place, the plan's
            cotangents pulled back to the points, in one pass without the plan.

        Notes
        -----
        The derivative of the exact optimum at the potentials found: its error is of the order of the marginal error.

        Examples
        --------
        >>> import numpy as np
        >>> from solvent import ot
        >>> C = np.random.default_rng(0).random((4, 5))
        >>> result = ot.solve(C, reg=0.1, tol=1e-12)
        >>> step = np.zeros_like(C)
        >>> step[1, 2] = 1e-6
        >>> up, down = (ot.solve(C + s * step, reg=0.1, tol=1e-12).value for s in (1, -1))
        >>> bool(abs((up - down) / 2e-6 - np.asarray(result.grad()["C"])[1, 2]) < 1e-7)
        True
        """
        return self._out(self._numpy_grad())  # type: ignore[no-any-return]

    @array_function("V")
    def vjp(self, V: ArrayLike, wrt: Iterable[str] | None = None) -> dict[str, Any]:
        r"""Pull a cotangent of the *plan* back to the data: the derivative of ``<V, P>``.

        Parameters
        ----------
        V : array_like of shape (n, m)
            Derivative of a loss in the plan.
        wrt : iterable of str, optional
            Which of ``"C"``, ``"a"``, ``"b"``, with points also ``"X"``, ``"Y"``. Default: those that `grad` has.

        Returns
        -------
        dict
            With the names in `wrt`, in their order; ``"C"`` as a `LazyMatrix`. Balanced ``"a"`` and ``"b"`` are given
            up to an additive constant each.

        Raises
        ------
        ValueError
            If `V` has another shape than the plan or is not finite, or a name is unknown.
        NotImplementedError
            For partial transport, whose plan is not differentiable where its active set changes.

        Notes
        -----
        Implicit differentiation of the optimality conditions: with ``W = P * V``, r and c the plan's marginals, the
        system ``[diag(r) P; P.T diag(c)] (x, y) = (W 1, W.T 1)`` (unbalanced: r times 1 + reg/tau_a, c likewise) is
        solved through its Schur complement: conjugate gradients on the sparsified matrix, refined with residuals of the
        plan itself to 1e-13; then ``dC = -(W - P * (x_i + y_j)) / reg``. O(nm) a refinement; the plan is made by blocks
        of rows and never kept.

        Examples
        --------
        >>> import numpy as np
        >>> from solvent import ot
        >>> rng = np.random.default_rng(0)
        >>> C, V = rng.random((4, 5)), rng.random((4, 5))
        >>> gradient = np.asarray(ot.solve(C, reg=0.1, tol=1e-12).vjp(V)["C"])
        >>> step = np.zeros_like(C)
        >>> step[1, 2] = 1e-6
        >>> up, down = (
        ...     (V * ot.solve(C + s * step, reg=0.1, tol=1e-12).plan()).sum() for s in (1, -1)
        ... )
        >>> bool(abs((up - down) / 2e-6 - gradient[1, 2]) < 1e-7)
        True
        """
        if self.mass is not None:
            raise NotImplementedError("vjp of a partial plan (mass=) is not available; expected mass=None")
        known = ("C", "a", "b") if self._ground.points is None else ("X", "Y", "a", "b", "C")
        names = known[:4] if wrt is None else tuple([wrt] if isinstance(wrt, str) else wrt)
        for name in names:
            if name not in known:
                raise ValueError(f"wrt holds {_shown(name)}; expected names from {', '.join(known)}")
        cotangent = as_float_array(V, "V")
        check_shape(cotangent, "V", self._ground.shape, f"the plan has shape {self._ground.shape}")
        plan = self._plan()
        x, y, weights = plan.adjoint(cotangent)
        out: dict[str, Any] = dict(weights)
        of_cost = partial(plan.cost_cotangent, cotangent, x, y)
        if "C" in names:
            shape, dtype = self._ground.shape, self._ground.dtype
            out["C"] = LazyMatrix(shape, dtype, lambda: of_cost(slice(None)).astype(dtype, copy=False))
        if {"X", "Y"} & set(names):
            out |= plan.pull_to_points(of_cost)
        return self._out({name: out[name] for name in names})  # type: ignore[no-any-return]

    # --- the certificate ----------------------------------------------------------------------------------

    @array_function("C", "a", "b")
    def certify(self, C: ArrayLike, a: ArrayLike | None = None, b: ArrayLike | None = None) -> Certificate:
        """Judge the potentials that this result holds now against the data.

        Parameters
        ----------
        C : array_like of shape (n, m)
            The cost.
        a, b : array_like of shape (n,), (m,), optional
            The weights; uniform by default.

        Returns
        -------
        Certificate
            As `certificate`, from `C`, `a`, `b`, `f`, `g`, `reg` (`unbalanced`, `mass`, `lam`) alone, in two or three
            passes: the same number for the same potentials, a larger one for worse potentials.

        Raises
        ------
        ValueError
            As `solve`; if the shapes of `f`, `g` and `C` disagree.

        Examples
        --------
        >>> import dataclasses, numpy as np
        >>> from solvent import ot
        >>> C = np.random.default_rng(0).random((4, 5))
        >>> result = ot.solve(C, reg=0.1)
        >>> result.certify(C) == result.certificate
        True
        >>> other = dataclasses.replace(result, f=result.f + 0.01 * np.arange(4))
        >>> other.certify(C).bound > 1e-3
        True
        """
        cost = check_matrix(C)
        return self._certified(Ground(C=cost), a, b, ("C", "C", "rows", "columns"))

    def _certified(self, ground: Ground, a: Any, b: Any, words: tuple[str, str, str, str]) -> Certificate:
        first, second, rows, columns = words
        n, m = ground.shape
        f, g = self._potential("f"), self._potential("g")
        check_shape(f, "f", (n,), f"{first} has {n} {rows}")
        check_shape(g, "g", (m,), f"{second} has {m} {columns}")
        first_weights = check_weights(a, "a", n, f"{first} has {n} {rows}")
        second_weights = check_weights(b, "b", m, f"{second} has {m} {columns}")
        if self._is_balanced():
            check_totals(first_weights, second_weights, ground, a, b)
        raw = _core.ot.certify(
            **ground.core,
            a=first_weights,
            b=second_weights,
            f=f,
            g=g,
            lam=self._lam(),
            reg=float(self.reg),
            **self._penalties(),
            workers=self._workers,
        )
        return Certificate.from_core(raw)

    # --- what the methods share -----------------------------------------------------------------------------

    def _is_balanced(self) -> bool:
        return self.mass is None and (self.unbalanced is None or min(self.unbalanced) == math.inf)

    def _potential(self, name: Literal["f", "g"]) -> NDArray[np.float64]:
        held = self[name]  # in the caller's array type
        values: NDArray[np.float64] = np.ascontiguousarray(
            _to_numpy(held) if _is_foreign(held) else held, dtype=np.float64
        )
        return values

    def _lam(self) -> float:
        return 0.0 if self.mass is None else float(self.lam)

    def _penalties(self) -> dict[str, Any]:
        tau_a, tau_b = self.unbalanced or (math.inf, math.inf)
        return {"tau_a": float(tau_a), "tau_b": float(tau_b), "mass": self.mass}

    def _plan(self) -> Plan:
        """The plan of the potentials that are held now."""
        return Plan(
            ground=self._ground,
            a=self._a,
            b=self._b,
            f=self._potential("f"),
            g=self._potential("g"),
            lam=self._lam(),
            reg=float(self.reg),
            tau=self.unbalanced or (math.inf, math.inf),
            mass=self.mass,
            workers=self._workers,
        )

    def _product(self, V: Any, name: str, axis: int, *, transpose: bool) -> Any:
        values = as_float_array(V, name)
        size = self._ground.shape[axis]
        if values.ndim not in (1, 2) or values.shape[0] != size:
            side = ("rows", "columns")[axis]
            raise ValueError(
                f"{name} has shape {values.shape} but the plan has {size} {side}; expected ({size},) or ({size}, k)"
            )
        out = self._plan().apply(values.reshape(size, -1), transpose=transpose)
        cast = out.astype(self._ground.dtype, copy=False)
        return self._out(cast[:, 0] if values.ndim == 1 else cast)

    def _numpy_grad(self) -> dict[str, Any]:
        """The gradient in NumPy whatever the caller's array type is."""
        plan = self._plan()
        a, b = plan.value_in_weights()
        return {**self._cost_gradient(plan), "a": a, "b": b}

    def _cost_gradient(self, plan: Plan) -> dict[str, Any]:
        return {"C": LazyMatrix(self._ground.shape, self._ground.dtype, plan.whole)}
