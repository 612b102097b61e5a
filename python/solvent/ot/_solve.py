"""Entropic transport with a cost matrix."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from solvent import _core
from solvent._dispatch import array_function
from solvent._progress import observer
from solvent._result import ResultBatch

from ._check import (
    Run,
    check_choice_of,
    check_mass,
    check_matrix,
    check_reg,
    check_run,
    check_start,
    check_totals,
    check_unbalanced,
    check_weights,
)
from ._ground import Ground
from ._result import TransportResult
from ._run import options, result_of, solve_each, solve_one

__all__ = ["scaled_reg", "solve"]


@array_function("C", "a", "b", "reg", "x0")
def solve(
    C: ArrayLike,
    a: ArrayLike | None = None,
    b: ArrayLike | None = None,
    *,
    reg: float | ArrayLike,
    reg_scale: Literal["max", "mean"] | None = None,
    unbalanced: float | tuple[float, float] | None = None,
    mass: float | None = None,
    method: Literal["auto", "sinkhorn", "sns"] = "auto",
    anneal: bool | float = True,
    density: float | None = None,
    n_sinkhorn: int | None = None,
    tol: float | None = None,
    maxiter: int | None = None,
    maxtime: float | None = None,
    x0: Any = None,
    workers: int | None = None,
    callback: Callable[[Any], object] | None = None,
    history: bool = False,
    progress: bool = False,
) -> Any:
    r"""Solve entropic optimal transport with a cost matrix: balanced, unbalanced, partial, or a batch of problems.

    Balanced: ``min <C, P> + reg KL(P | a b^T)`` over P >= 0 with ``P 1 = a``, ``P^T 1 = b``, where
    ``KL(P | Q) = sum P log(P / Q) - P + Q``. The optimal plan is ``P_ij = a_i b_j exp((f_i + g_j - C_ij) / reg)``.

    Parameters
    ----------
    C : array_like of shape (n, m) or (B, n, m)
        Cost, float32 or float64 in any memory layout, contiguous or strided; the one of a single problem is not copied.
        ``+inf`` forbids an arc; nan and -inf are refused. Three dimensions: B problems.
    a, b : array_like of shape (n,), (m,), optional
        Non-negative weights, uniform by default. Zeros are allowed. A batch shares them, or has ``(B, n)``, ``(B, m)``.
        Balanced: equal totals to 1e-7 relative (1e-4 if any of the data is float32); then the problem that is solved
        and certified has ``b * (sum a / sum b)``.
    reg : float or array_like of shape (B,)
        Regularisation > 0 in units of the cost.
    reg_scale : {None, "max", "mean"}
        Multiply `reg` by the largest or the mean finite entry of C.
    unbalanced : float or tuple (tau_a, tau_b), optional
        Replace the marginal constraints by ``tau_a KL(P 1 | a) + tau_b KL(P^T 1 | b)``; each in (0, inf], inf is a
        hard marginal.
    mass : float, optional
        Partial transport: ``P 1 <= a``, ``P^T 1 <= b``, ``sum P = mass``, in (0, min(sum a, sum b)].
    method : {"auto", "sinkhorn", "sns"}, default "auto"
        "auto": annealing with extrapolated potentials and a sparsified Newton method on the semi-dual, with Sinkhorn
        steps where Newton's do not ascend. "sinkhorn": annealed log-domain Sinkhorn. "sns": the published
        Sinkhorn-Newton-Sparse with a fixed density [1]_, for reproduction; its rate is linear, not superlinear.
    anneal : bool or float, default True
        Begin at a large reg and lower it; False: begin at `reg`; a number: the first reg.
    density, n_sinkhorn : float, int, optional
        "sns" alone: the share of the plan's entries that the Hessian keeps (default 2/n) and the Sinkhorn steps
        before the first Newton step (default 20).
    tol : float, optional
        Target of ``certificate.bound``: 1e-9, with float32 costs 1e-6. It bounds the l1 marginal error over the mass
        and the duality gap over mass times the spread of C. 0: use the whole budget.
    maxiter : int, optional
        Passes over the cost: 2000 ("auto"), 200000 ("sinkhorn"); Newton steps: 200 ("sns").
    maxtime : float, optional
        Seconds.
    x0 : tuple (f, g) or earlier result, optional
        Potentials to start from, at the smallest reg of the schedule where they are of use.
    workers : int, optional
        Threads. The bits of the result are the same for any number.
    callback : callable, optional
        ``callback(info)`` once a pass: ``info.nit``, ``bound`` (nan before the first certificate), ``elapsed``,
        ``marginal_error``, ``value`` (dual), ``reg`` (of the stage), in a batch ``index``. Raising `StopIteration`
        stops with the best iterate.
    history : bool, default False
        Keep the numbers that the callback gets, in ``result.history``.
    progress : bool, default False
        Show a tqdm bar.

    Returns
    -------
    TransportResult, or ResultBatch of B of them
        A batch has ``batch.f`` of shape (B, n), ``batch.success`` of shape (B,), ...; ``batch[i]`` is one result.

    Raises
    ------
    ValueError
        For empty, negative, nan or mismatched data, unequal totals, a row or column of positive weight without a
        finite cost (balanced and partial), and parameters out of range.
    TypeError
        For complex, object and sparse arrays.

    Notes
    -----
    The certificate is described at `TransportResult`: brackets of the regularised *and* the unregularised optimum,
    rigorous, at the cost of two or three passes. A balanced pattern of forbidden arcs that no plan meets gives status
    "infeasible" and a `ray`.

    A pass is one sweep over the n m costs with one exponential an entry. Problems with reg from 1e-3 to 1e-4 of the
    spread of C take some 30 to 90 passes to 1e-9, where Sinkhorn's iteration takes thousands. Memory beyond C:
    O(n + m), and the entries of the plan that the sparsified Newton matrix keeps.

    Against the convention ``P = exp((f' + g' - C) / reg)`` of other packages: ``f' = f + reg log a``.

    References
    ----------
    .. [1] X. Tang, M. Shavlovsky, H. Rahmanian, E. Tardini, K. K. Thekumparampil, T. Xiao, L. Ying, "Accelerating
       Sinkhorn algorithm with sparse Newton iterations", ICLR 2024, arXiv 2401.12253, Algorithm 1.
    .. [2] M. Cuturi, "Sinkhorn distances", NeurIPS 2013.
    .. [3] L. Chizat, G. Peyré, B. Schmitzer, F.-X. Vialard, "Scaling algorithms for unbalanced optimal transport
       problems", Mathematics of Computation 87 (2018) 2563-2609.

    Examples
    --------
    >>> import numpy as np
    >>> from solvent import ot
    >>> rng = np.random.default_rng(0)
    >>> C = rng.random((200, 300))
    >>> result = ot.solve(C, reg=1e-3)
    >>> result.success, result.certificate.bound <= 1e-9
    (True, True)
    >>> result.unreg_lower <= result.cost <= result.unreg_upper
    True

    A batch with a regularisation each:

    >>> batch = ot.solve(C[:6, :8].reshape(2, 3, 8), reg=[0.1, 0.01])
    >>> batch.success.tolist(), batch.f.shape, batch[1].reg
    ([True, True], (2, 3), 0.01)
    """
    cost = check_matrix(C, batch=True)
    batch = len(cost) if cost.ndim == 3 else None
    n, m = cost.shape[-2:]
    first = check_weights(a, "a", n, f"C has {n} rows", batch=batch)
    second = check_weights(b, "b", m, f"C has {m} columns", batch=batch)
    regs = check_reg(reg, batch=batch)
    tau = check_unbalanced(unbalanced)
    moved = check_mass(mass, unbalanced, first, second)
    if min(tau) == math.inf and moved is None:
        check_totals(first, second, cost, a, b)
    start = check_start(x0, n, m, batch=batch)
    run = check_run(
        cost.dtype,
        method=method,
        anneal=anneal,
        density=density,
        n_sinkhorn=n_sinkhorn,
        tol=tol,
        maxiter=maxiter,
        maxtime=maxtime,
        workers=workers,
        callback=callback,
        history=history,
    )
    grounds = [Ground(C=problem) for problem in (cost if batch is not None else (cost,))]
    regs = scaled_reg(regs, reg_scale, grounds)
    if batch is None:
        return solve_one(
            grounds[0],
            first,
            second,
            reg=float(regs[0]),
            tau=tau,
            mass=moved,
            x0=start,
            run=run,
            callback=callback,
            progress=progress,
        )
    return _solve_batch(cost, grounds, first, second, regs, tau, moved, start, run, callback, progress)


def scaled_reg(regs: NDArray[np.float64], reg_scale: Any, grounds: list[Ground]) -> NDArray[np.float64]:
    """`regs` in units of the cost."""
    if reg_scale is None:
        return regs
    kind = check_choice_of(reg_scale, "reg_scale", ("max", "mean"))
    scales = np.array([ground.scale(kind) for ground in grounds])
    for scale in scales:
        if not 0 < scale < math.inf:
            raise ValueError(
                f"the {kind} of the costs is {scale:g}; reg_scale={kind!r} needs it finite and > 0 (pass reg_scale=None)"
            )
    scaled: NDArray[np.float64] = regs * scales
    return scaled


def _solve_batch(
    cost: NDArray[Any],
    grounds: list[Ground],
    a: NDArray[np.float64],
    b: NDArray[np.float64],
    regs: NDArray[np.float64],
    tau: tuple[float, float],
    mass: float | None,
    start: Any,
    run: Run,
    callback: Callable[[Any], object] | None,
    progress: bool,
) -> ResultBatch:
    if mass is not None or run.method == "sns" or start is not None:
        return ResultBatch(
            solve_each(
                grounds,
                a,
                b,
                regs=regs,
                tau=tau,
                mass=mass,
                x0=start,
                run=run,
                callback=callback,
                progress=progress,
            )
        )
    with observer(callback, progress, unit="pass") as observe:
        how = options(run)
        del how["density"], how["n_sinkhorn"]  # of "sns"
        raws = _core.ot.solve_batch(
            C=cost,
            a=a,
            b=b,
            reg=regs,
            tau_a=tau[0],
            tau_b=tau[1],
            **how,
            x0=None,
            callback=observe,
        )
    results: list[TransportResult] = [
        result_of(raw, ground, a[i], b[i], reg=float(regs[i]), tau=tau, mass=mass, workers=run.workers)
        for i, (raw, ground) in enumerate(zip(raws, grounds, strict=True))
    ]
    return ResultBatch(results)
