"""Transport problems of the spec: assignment, image pairs, point clouds; how an answer is reduced and judged.

Every cost is scaled to maximum 1 (`assignment` is uniform on [0, 1] as it stands), so that `reg` means the same on all.
The images are twelve of Fashion-MNIST; they are looked for in ``tests/data`` and ``../shared/data``, or where
``SOLVENT_FASHION`` points, and without them small seeded pictures of the same kind take their place, in problems of
another name.
"""

from __future__ import annotations

import dataclasses
import functools
import math
import os
import pathlib
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benches.peers.contract import Problem

Array = NDArray[np.float64]
_ROOT = pathlib.Path(__file__).resolve().parents[3]
_SIDE = 28


@dataclasses.dataclass(frozen=True)
class Transport:
    """min <C, P> + reg KL(P | a b^T) over the couplings of a and b, to an l1 error of the marginals of `tol`.

    `seconds` is the time after which an iteration that can be interrupted is; reg = 0 is the linear program.
    """

    C: Array
    a: Array
    b: Array
    reg: float
    tol: float = 0.0
    seconds: float = math.inf


@dataclasses.dataclass(frozen=True)
class Potentials:
    """A plan exp((alpha_i + beta_j - C_ij) / reg); `seconds` is the peer's own clock, `remark` says why it ended early."""

    alpha: Any
    beta: Any
    seconds: float = math.nan
    remark: str = ""


@dataclasses.dataclass(frozen=True)
class Coupling:
    """A plan that was handed over as it is, with potentials where the peer has any (`exact`)."""

    plan: Any
    f: Any = None
    g: Any = None
    remark: str = ""


# --- data --------------------------------------------------------------------------------------------------------------


def uniform(n: int) -> Array:
    """n equal weights."""
    return np.full(n, 1 / n)


def assignment(n: int, m: int | None = None, seed: int = 0) -> tuple[Array, Array, Array]:
    """Independent uniform costs: no geometry at all."""
    m = m or n
    return np.random.default_rng(seed).random((n, m)), uniform(n), uniform(m)


def clouds(n: int, m: int | None = None, d: int = 2, seed: int = 0) -> tuple[Array, Array, Array]:
    """Two Gaussian clouds, the second narrower and moved by one; squared distances over their maximum."""
    rng, m = np.random.default_rng(seed), m or n
    x = rng.normal(size=(n, d))
    y = rng.normal(size=(m, d)) * 0.7 + 1.0
    C = np.zeros((n, m))
    for k in range(d):  # the same sums as over the last axis, without its (n, m, d) array
        C += (x[:, k, None] - y[None, :, k]) ** 2
    C /= C.max()
    return C, uniform(n), uniform(m)


def fashion() -> pathlib.Path | None:
    """The sample of Fashion-MNIST, where there is one."""
    folders = [_ROOT / "tests" / "data", _ROOT.parent / "shared" / "data"]
    found = [folder / "fashion_mnist_sample" / "sample.npz" for folder in folders]
    if "SOLVENT_FASHION" in os.environ:
        found.insert(0, pathlib.Path(os.environ["SOLVENT_FASHION"]))
    return next((path for path in found if path.is_file()), None)


@functools.cache
def pictures() -> NDArray[np.uint8]:
    """(12, 28, 28): the sample, or seeded blobs on a black ground."""
    path = fashion()
    if path is not None:
        with np.load(path) as archive:
            return np.asarray(archive["images"])
    rng, grid = np.random.default_rng(12), np.arange(_SIDE)
    made = np.zeros((12, _SIDE, _SIDE))
    for picture in made:
        for (row, column), width in zip(rng.uniform(4, 24, (6, 2)), rng.uniform(1.5, 4, 6), strict=True):
            squares = (grid[:, None] - row) ** 2 + (grid[None] - column) ** 2
            picture += np.exp(-squares / (2 * width * width))
        picture *= 255 / picture.max()
        picture[picture < 16] = 0
    return made.astype(np.uint8)


def images(i: int = 0, j: int = 5, power: int = 2, ground: float = 0.01) -> tuple[Array, Array, Array]:
    """Two pictures as marginals on the grid of pixels, `ground` added; cost |.|_2^2 (power 2) or |.|_1 (power 1)."""
    axis = np.arange(_SIDE, dtype=float)
    grid = np.stack(np.meshgrid(axis, axis, indexing="ij"), -1).reshape(-1, 2)
    C = (np.abs(grid[:, None] - grid[None]) ** power).sum(-1)

    def weights(k: int) -> Array:
        v = pictures()[k].ravel() / 255.0 + ground
        return v / v.sum()

    return C / C.max(), weights(i), weights(j)


# --- judging -----------------------------------------------------------------------------------------------------------

_BLOCK = 256


def marginal_error(data: Transport, answer: Potentials | Coupling, dtype: Any = np.float64) -> float:
    """l1 error of both marginals of the plan, which is rebuilt from the potentials: no peer's own word counts."""
    rows, columns = np.zeros(data.a.size, dtype), np.zeros(data.b.size, dtype)
    for k in range(0, data.a.size, _BLOCK):
        if isinstance(answer, Potentials):
            alpha = np.asarray(answer.alpha, dtype=dtype)[k : k + _BLOCK, None]
            with np.errstate(all="ignore"):
                block = np.exp(((alpha + answer.beta) - data.C[k : k + _BLOCK]) / dtype(data.reg))
        else:
            block = answer.plan[k : k + _BLOCK]
        rows[k : k + _BLOCK] = np.asarray(block.sum(1)).ravel()
        columns += np.asarray(block.sum(0)).ravel()
    error = float(np.abs(rows - data.a).sum() + np.abs(columns - data.b).sum())
    return error if math.isfinite(error) else math.inf


def digest(data: Transport, answer: Potentials | Coupling) -> dict[str, Any]:
    """The error of the marginals, and why the answer was cut short if it was."""
    return {"error": marginal_error(data, answer), "remark": answer.remark}


def digest_exact(data: Transport, answer: Coupling) -> dict[str, Any]:
    """Cost of the coupling less the value of its potentials made feasible, over the cost; error of the marginals.

    Weak duality judges everyone alike and needs no reference solver: the true relative error is at most this gap.
    """
    plan = answer.plan
    rows, columns = plan.nonzero()
    flows = np.asarray(plan[rows, columns]).ravel()
    cost = math.fsum(flows * data.C[rows, columns])
    g = np.full(data.b.size, np.inf)
    for k in range(0, data.a.size, _BLOCK):
        np.minimum(g, (data.C[k : k + _BLOCK] - np.asarray(answer.f)[k : k + _BLOCK, None]).min(0), out=g)
    f = np.concatenate([(data.C[k : k + _BLOCK] - g).min(1) for k in range(0, data.a.size, _BLOCK)])
    value = math.fsum(f * data.a) + math.fsum(g * data.b)
    return {
        "gap": (cost - value) / abs(cost),
        "error": marginal_error(data, answer),
        "cost": cost,
        "remark": "",
    }


def judge(digested: dict[str, Any]) -> float:
    """The marginal error."""
    return float(digested["error"])


def judge_exact(digested: dict[str, Any]) -> float:
    """The worse of the gap and the marginal error."""
    return float(max(abs(digested["gap"]), digested["error"]))


# --- the problems ------------------------------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class Case:
    """Name, sizes, regularisation and generator of one dense problem."""

    name: str
    shape: tuple[int, int]
    reg: float
    generate: Callable[[], tuple[Array, Array, Array]]


def _square(name: str, n: int, reg: float, generate: Callable[[], tuple[Array, Array, Array]]) -> Case:
    return Case(name, (n, n), reg, generate)


_PICTURES = "img" if fashion() else "blob"
SEVEN = (
    _square("assign500", 500, 1 / 1200, functools.partial(assignment, 500)),
    _square(f"{_PICTURES}L2", _SIDE**2, 1 / 1200, functools.partial(images, power=2)),
    _square(f"{_PICTURES}L1", _SIDE**2, 1 / 1200, functools.partial(images, power=1)),
    _square("c1000e-3", 1000, 1e-3, functools.partial(clouds, 1000)),
    _square("c1000e-4", 1000, 1e-4, functools.partial(clouds, 1000)),
    _square("c2000e-3", 2000, 1e-3, functools.partial(clouds, 2000)),
    _square("c2000e-4", 2000, 1e-4, functools.partial(clouds, 2000)),
)
"""The dense problems that the promised figures are about."""
EXTRA = (
    _square("c5000e-3", 5000, 1e-3, functools.partial(clouds, 5000)),
    Case("rect600x1100", (600, 1100), 3e-4, functools.partial(clouds, 600, 1100, 3, 5)),
    _square(f"{_PICTURES}L1hard", _SIDE**2, 1 / 3000, functools.partial(images, 10, 2, 1, 0.001)),
    Case("assign700x400", (700, 400), 1e-4, functools.partial(assignment, 700, 400, 3)),
)
"""Larger, rectangular and harder ones beside them."""
TINY = (_square("assign60", 60, 1e-2, functools.partial(assignment, 60)),)
TOLERANCES = (1e-3, 1e-6, 1e-9)
_QUICK = {1e-9: ("assign500", f"{_PICTURES}L2"), 1e-6: ("c1000e-3",)}
"""Problems of ``--quick`` at each tolerance."""
_PATIENCE = {"tiny": dict.fromkeys(TOLERANCES, 5.0), "quick": dict.fromkeys(TOLERANCES, 1.0),
             "full": {1e-3: 30.0, 1e-6: 180.0, 1e-9: 30.0}}  # fmt: skip
"""Seconds for an iteration that can be cut short: long where a promise is about it."""
_EXACT = {"tiny": (40,), "quick": (1000,), "full": (2000, 4000, 10_000)}


def patience(size: str, tol: float) -> float:
    """Seconds after which an iteration that can be is cut short; ``SOLVENT_PEERS_PATIENCE`` overrides."""
    return float(os.environ.get("SOLVENT_PEERS_PATIENCE", _PATIENCE[size][tol]))


def cases(size: str, tol: float) -> Sequence[Case]:
    """The problems to solve to `tol` at a size."""
    if size == "tiny":
        return TINY
    if size == "quick":
        return [case for case in SEVEN if case.name in _QUICK.get(tol, ())]
    return [*SEVEN, *EXTRA]


def _make(case: Case, tol: float, seconds: float) -> Transport:
    C, a, b = case.generate()
    return Transport(np.ascontiguousarray(C), a, b, case.reg, tol, seconds)


def _make_exact(n: int) -> Transport:
    return Transport(*clouds(n), 0.0)


def problems(size: str) -> Sequence[Problem]:
    """Every problem of a size: regularised ones at each tolerance, then exact ones."""
    found = []
    for tol in TOLERANCES:
        for case in cases(size, tol):
            make = functools.partial(_make, case, tol, patience(size, tol))
            # Twice tol: what a peer stops by is not quite our l1 norm, and it must not fail over the conversion.
            limit = 2 * tol
            count = case.shape[0] * case.shape[1]
            found.append(Problem(f"to {tol:.0e}", case.name, count, make, digest, judge, "entry", limit))
    for n in _EXACT[size]:
        make_exact = functools.partial(_make_exact, n)
        found.append(
            Problem("exact", f"clouds{n}", n * n, make_exact, digest_exact, judge_exact, "entry", 1e-9)
        )
    return found
