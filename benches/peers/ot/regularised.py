"""Who solves the regularised problems: ours, regot, POT, OTT, MDOT, GeomLoss.

Peers iterate until *their* measure of the error is the one asked for, converted where it is an l2 norm; what they
reached is measured on the plan that their potentials give.  Iterations that would take minutes run in chunks, each warm
started from the last, so that they can stop when the problem's patience is at an end: the answer then carries a remark,
its time is a lower bound, and its row says "missed" with the error that was reached.
"""

from __future__ import annotations

import functools
import math
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from benches.peers.contract import Implementation
from benches.peers.ot.problems import TOLERANCES, Coupling, Potentials, Transport, marginal_error

Call = Callable[[], Any]
TASKS = tuple(f"to {tol:.0e}" for tol in TOLERANCES)


def _for_all(build: Callable[[Transport], Call]) -> dict[str, Callable[[Transport], Call]]:
    return dict.fromkeys(TASKS, build)


def own_clock(task: str, data: Transport, answer: Potentials) -> float:
    """The peer's own word on the time, nan where it has none."""
    return answer.seconds


def _remark(began: float) -> str:
    return f"ran out of time after {time.perf_counter() - began:.0f} s"


# --- ours --------------------------------------------------------------------------------------------------------------


class Solved(Potentials):
    """Ours: the result itself, with the potentials of the convention that the judge uses."""

    def __init__(self, data: Transport, result: Any) -> None:
        with np.errstate(divide="ignore"):
            alpha = np.asarray(result.f) + data.reg * np.log(data.a)
            beta = np.asarray(result.g) + data.reg * np.log(data.b)
        super().__init__(alpha, beta)
        object.__setattr__(self, "result", result)


def _ours(data: Transport) -> Call:
    """`tol` bounds both marginals' error and the duality gap; the certificate is inside the time."""
    from solvent import ot

    def call() -> Any:
        return Solved(data, ot.solve(data.C, data.a, data.b, reg=data.reg, tol=data.tol))

    return call


def _certify(data: Transport) -> Call:
    """The certificate on its own, of an answer that is held already."""
    from solvent import ot

    result = ot.solve(data.C, data.a, data.b, reg=data.reg, tol=data.tol)
    return lambda: result.certify(data.C, data.a, data.b)


def _certificate(task: str, data: Transport, answer: Any) -> float:
    return float(answer.result.certificate.bound)


# --- regot -------------------------------------------------------------------------------------------------------------


def _regot(name: str, data: Transport) -> Call:
    """A compiled solver behind a door that copies: Fortran order, and its own clock where that says less."""
    import regot

    function = getattr(regot, name)
    cost = np.asfortranarray(data.C)
    n, m = cost.shape
    # Its tolerance is on the l2 norm of the n + m residuals.
    tol = data.tol / math.sqrt(n + m)

    def call() -> Potentials:
        found = function(cost, data.a, data.b, data.reg, tol=tol, max_iter=300)
        dual = np.append(np.asarray(found.dual).ravel(), 0.0)  # the last potential is fixed at 0
        seconds = found.run_times[-1] / 1e3 if len(found.run_times) else math.nan
        return Potentials(dual[:n], dual[n:], seconds)

    return call


# --- POT ---------------------------------------------------------------------------------------------------------------


def _pot_scalings(data: Transport, log: dict[str, Any]) -> tuple[Any, Any, tuple[Any, Any]]:
    """(alpha, beta, what a warm start takes) from the log of any of its three iterations."""
    if "alpha" in log:
        return log["alpha"], log["beta"], (log["alpha"], log["beta"])
    with np.errstate(all="ignore"):
        u = log["log_u"] if "log_u" in log else np.log(log["u"])
        v = log["log_v"] if "log_v" in log else np.log(log["v"])
    return data.reg * u, data.reg * v, (u, v)


def _pot(name: str, data: Transport) -> Call:
    """`ot.bregman.NAME`; its threshold is on the l2 norm of the column residual, looked at every 10 iterations."""
    import ot

    function = getattr(ot.bregman, name)
    threshold = data.tol / math.sqrt(data.b.size)

    def call() -> Potentials:
        began, warm, chunk, remark = time.perf_counter(), None, 20, ""
        with np.errstate(all="ignore"):
            while True:
                start = time.perf_counter()
                _, log = function(
                    data.a, data.b, data.C, data.reg, numItermax=chunk, stopThr=threshold,
                    warmstart=warm, log=True, warn=False,
                )  # fmt: skip
                now = time.perf_counter()
                alpha, beta, warm = _pot_scalings(data, log)
                if log["err"] and log["err"][-1] <= threshold:
                    break
                # It gives up at once, with the scalings of the step before, where one overflows or a sum is 0.
                gave_up = log.get("niter", chunk) < chunk - 1 or not log["err"]
                if gave_up or not np.all(np.isfinite(alpha)) or not np.all(np.isfinite(beta)):
                    remark = "lost to overflow or underflow"
                    break
                if now - began >= data.seconds:
                    remark = _remark(began)
                    break
                # So many that a chunk's own overhead is small and the end of patience is not missed by much.
                left = max(data.seconds - (now - began), 0.05)
                chunk = max(20, 10 * int(min(left, 0.1 * data.seconds) / ((now - start) / chunk) / 10))
        return Potentials(alpha, beta, remark=remark)

    return call


# --- OTT ---------------------------------------------------------------------------------------------------------------


def _ott(data: Transport) -> Call:
    """Sinkhorn in the log domain, float64, compiled before the clock starts; l1 error, looked at every 10 iterations."""
    import jax

    jax.config.update("jax_enable_x64", True)
    import jax.numpy as jnp
    from ott.geometry import geometry
    from ott.problems.linear import linear_problem
    from ott.solvers.linear import sinkhorn

    # About a second a chunk at a nanosecond an entry.
    chunk = max(50, 10 * int(1e8 / data.C.size))
    C, a, b = (jax.device_put(jnp.asarray(x)) for x in (data.C, data.a, data.b))
    solver = sinkhorn.Sinkhorn(
        lse_mode=True, threshold=data.tol, norm_error=1, inner_iterations=10, max_iterations=chunk
    )

    @jax.jit
    def step(C: Any, a: Any, b: Any, f: Any, g: Any) -> Any:
        problem = linear_problem.LinearProblem(geometry.Geometry(cost_matrix=C, epsilon=data.reg), a, b)
        out = solver(problem, init=(f, g))
        return out.f, out.g, out.converged

    start = (jnp.zeros(data.a.size), jnp.zeros(data.b.size))
    # Twice: the outputs of the first are committed to the device, which zeros are not, and that is another compilation.
    jax.block_until_ready(step(C, a, b, *step(C, a, b, *start)[:2]))

    def call() -> Potentials:
        began, remark, f, g = time.perf_counter(), "", *start
        while True:
            f, g, converged = step(C, a, b, f, g)
            if bool(converged):
                break
            if time.perf_counter() - began >= data.seconds:
                remark = _remark(began)
                break
        return Potentials(np.asarray(f), np.asarray(g), remark=remark)

    return call


# --- MDOT and GeomLoss, on PyTorch -------------------------------------------------------------------------------------


def _tensors(data: Transport) -> tuple[Any, Any, Any]:
    import os

    import torch

    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))
    return torch.from_numpy(data.C), torch.from_numpy(data.a), torch.from_numpy(data.b)


def _mdot(data: Transport) -> Call:
    """It stops by a rule of its own, whatever tolerance is wanted; its duals are of the plan exp(u + v - C / reg)."""
    C, a, b = _tensors(data)
    import mdot_tnt

    def call() -> Potentials:
        u, v, *_ = mdot_tnt.mdot(a, b, C, 1 / data.reg)
        return Potentials(data.reg * u.numpy(), data.reg * v.numpy())

    return call


def _geomloss(data: Transport) -> Call:
    """`geomloss.ot.solve`, whose iterations are given in number: doubled until the tolerance or patience is reached."""
    C, a, b = _tensors(data)
    from geomloss import ot

    def solved(iterations: int) -> Coupling:
        return Coupling(ot.solve(C, reg=data.reg, a=a, b=b, max_iter=iterations).plan.numpy())

    # The number is found before the clock starts, which no user could do: the peer's time is not ours to inflate.
    began, iterations = time.perf_counter(), 16
    while True:
        start = time.perf_counter()
        reached = marginal_error(data, solved(iterations)) <= data.tol
        took = time.perf_counter() - start
        if reached or time.perf_counter() - began + 2 * took > data.seconds or iterations >= 1 << 20:
            break
        iterations *= 2
    remark = "" if reached else f"ran out of time at {iterations} iterations"

    def call() -> Coupling:
        answer = solved(iterations)
        return Coupling(answer.plan, remark=remark)

    return call


_SINGLE = {"XLA_PYTHON_CLIENT_PREALLOCATE": "false"}
REGULARISED = [
    Implementation("solvent", _for_all(_ours), ours=True, certificate=_certificate),
    Implementation(
        "solvent certify",
        {TASKS[-1]: _certify},
        uses_solvent=True,
        judged=False,
        note="the certificate alone",
    ),
    *(
        Implementation(
            f"regot {kind}",
            _for_all(functools.partial(_regot, f"sinkhorn_{kind}")),
            process="regot",
            packages=("regot",),
            clock=own_clock,
        )
        for kind in ("ssns", "splr")
    ),
    *(
        Implementation(
            f"pot {kind}", _for_all(functools.partial(_pot, name)), process="pot", packages=("POT",)
        )
        for kind, name in (
            ("kernel", "sinkhorn_knopp"),
            ("log", "sinkhorn_log"),
            ("stabilized", "sinkhorn_stabilized"),
        )
    ),
    Implementation("ott", _for_all(_ott), process="ott", packages=("ott-jax", "jax"), environment=_SINGLE),
    Implementation(
        "mdot-tnt",
        _for_all(_mdot),
        process="torch",
        packages=("mdot-tnt", "torch"),
        note="stops by its own rule",
    ),
    Implementation("geomloss", _for_all(_geomloss), process="torch", packages=("geomloss", "torch")),
]
"""Everyone who takes part in the tasks "to 1e-03", "to 1e-06", "to 1e-09"."""
