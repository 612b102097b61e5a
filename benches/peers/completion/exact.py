"""Who recovers matrices exactly: ours, pymanopt's conjugate gradients on the manifold, alternating least squares in NumPy."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from benches.peers.completion.problems import Recovery
from benches.peers.contract import Implementation

Call = Callable[[], Any]
TOL = 1e-9


class _Answer(tuple):
    """(U S, V)."""

    result: Any = None


def _ours(data: Recovery) -> Call:
    from solvent import completion

    rank = data.left.shape[1]

    def call() -> _Answer:
        result = completion.complete(
            (data.i, data.j, data.y), rank, shape=data.shape, tol=TOL, maxiter=5000, rng=0
        )
        answer = _Answer((result.U * result.S, result.V))
        answer.result = result
        return answer

    return call


def _certificate(task: str, data: Recovery, answer: Any) -> float:
    return float(answer.result.certificate.bound)


def _spectral(data: Recovery) -> tuple[Any, Any, Any]:
    from scipy.sparse import csr_array
    from scipy.sparse.linalg import svds

    m, n = data.shape
    u, s, vt = svds(csr_array((data.y, (data.i, data.j)), shape=(m, n)), k=data.left.shape[1], random_state=0)
    return u[:, ::-1], s[::-1] * (m * n / data.y.size), vt[::-1]


def _pymanopt(data: Recovery) -> Call:
    """Fixed-rank embedded geometry, its gradient by sparse products; the spectral start is given free."""
    import pymanopt
    from pymanopt.manifolds import FixedRankEmbedded
    from pymanopt.optimizers import ConjugateGradient
    from scipy.sparse import csr_array

    m, n = data.shape
    r = data.left.shape[1]
    manifold = FixedRankEmbedded(m, n, r)
    start = _spectral(data)

    def residual(u: Any, s: Any, vt: Any) -> Any:
        return np.einsum("el,el->e", (u * s)[data.i], vt.T[data.j]) - data.y

    @pymanopt.function.numpy(manifold)
    def cost(u: Any, s: Any, vt: Any) -> float:
        return 0.5 * float(np.sum(residual(u, s, vt) ** 2))

    @pymanopt.function.numpy(manifold)
    def gradient(u: Any, s: Any, vt: Any) -> Any:
        S = csr_array((residual(u, s, vt), (data.i, data.j)), shape=(m, n))
        SV, StU = S @ vt.T, S.T @ u
        return SV * s, np.einsum("ml,ml->l", u, SV), (StU * s).T

    problem = pymanopt.Problem(manifold, cost, euclidean_gradient=gradient)

    def call() -> _Answer:
        solver = ConjugateGradient(
            max_iterations=2000, max_time=60, min_gradient_norm=1e-9 * np.linalg.norm(data.y), verbosity=0
        )
        u, s, vt = solver.run(problem, initial_point=start).point
        return _Answer((u * s, vt.T))

    return call


def _numpy(data: Recovery) -> Call:
    """Alternating least squares with the ridge of a practitioner, 300 sweeps."""
    m, n = data.shape
    r = data.left.shape[1]

    def half(rows: Any, cols: Any, y: Any, other: Any, count: int) -> Any:
        order = np.argsort(rows, kind="stable")
        cuts = np.concatenate(([0], np.cumsum(np.bincount(rows, minlength=count))))
        out = np.empty((count, r))
        for i in range(count):
            part = order[cuts[i] : cuts[i + 1]]
            P = other[cols[part]]
            out[i] = np.linalg.solve(P.T @ P + 1e-9 * np.eye(r), P.T @ y[part])
        return out

    def call() -> _Answer:
        _, _, vt = _spectral(data)
        V = vt.T
        norm = np.linalg.norm(data.y)
        for _ in range(300):
            U = half(data.i, data.j, data.y, V, m)
            V = half(data.j, data.i, data.y, U, n)
            if np.linalg.norm(np.einsum("el,el->e", U[data.i], V[data.j]) - data.y) <= TOL * norm:
                break
        return _Answer((U, V))

    return call


EXACT = [
    Implementation("solvent complete", {"exact": _ours}, ours=True, certificate=_certificate),
    Implementation("pymanopt cg", {"exact": _pymanopt}, process="pymanopt", packages=("pymanopt",)),
    Implementation("numpy als", {"exact": _numpy}, packages=("numpy",), largest={"*": 300}),
]
"""Everyone who takes part in the task "exact"."""
