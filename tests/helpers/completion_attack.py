"""Attacks on the certificates of `solvent.completion`, one problem at a time: what `tools/attack_completion.py` runs by the
thousand and the tests in samples. Judges in long double: the gap to the best multiple of the same dual point, interpolation and
stationarity from their definitions; on some problems also the optimum itself by dense proximal gradient."""

import dataclasses

import numpy as np

from helpers.completion import loss, low_rank, nuclear_optimum, penalties, psi
from solvent import completion

WIDE = np.longdouble
UNIT = float(np.finfo(WIDE).eps)
KINDS = ("random", "blocks", "repeated", "dominating", "sparse", "identity", "low rank", "integers")
#: What dense proximal gradient itself may be off by, relatively: its objective is summed in double.
OPTIMUM = 1e-11


@dataclasses.dataclass
class Found:
    """What became of a problem: bounds over the truth, and false claims."""

    status: str
    ratios: list = dataclasses.field(default_factory=list)
    certificates: int = 0
    violations: list = dataclasses.field(default_factory=list)

    def claim(self, holds, words):
        """Collects claims that do not hold."""
        if not holds:
            self.violations.append(words)


def entries(rng):
    """Rows, columns, values and shape of a hostile matrix."""
    kind = KINDS[rng.integers(len(KINDS))]
    m, n = (int(x) for x in rng.integers(1, 15, 2))
    if kind == "low rank":
        m, n = m + 6, n + 6
        i, j, y, _ = low_rank(rng, m, n, 2, 2.5, kappa=10.0 ** rng.uniform(0, 6), noise=rng.choice([0, 1e-3]))
        return i, j, y, (m, n)
    mask = rng.random((m, n)) < rng.uniform(0.2, 1.0)
    Y = rng.standard_normal((m, n))
    if kind == "blocks":
        mask[: m // 2, n // 2 :] = mask[m // 2 :, : n // 2] = False
    elif kind == "repeated":
        Y[:, 1:] = Y[:, :1]
    elif kind == "dominating":
        Y[0] *= 10.0 ** rng.uniform(0, 12)
    elif kind == "sparse":
        mask &= rng.random((m, n)) < 0.3
    elif kind == "identity":
        Y, mask = np.eye(m, n), np.ones((m, n), bool)
    elif kind == "integers":
        Y = rng.integers(-2, 3, (m, n)).astype(float)
    mask[0, 0] = True
    i, j = np.nonzero(mask)
    return i, j, Y[i, j], (m, n)


def replaced(rng, result, i, j):
    """The same result with arbitrary factors, of full rank where anything is seen."""
    m, n = result.shape
    r = int(rng.integers(1, min(3, np.unique(i).size, np.unique(j).size) + 1))
    size = 10.0 ** rng.uniform(-8, 2)
    change = {
        "U": size * rng.standard_normal((m, r)),
        "S": np.sort(np.abs(rng.standard_normal(r)))[::-1],
        "V": rng.standard_normal((n, r)),
        "rank": r,
    }
    if result.bias_row is not None:
        change["bias_row"], change["bias_col"] = rng.standard_normal(m), rng.standard_normal(n)
    return dataclasses.replace(result, **change)


def low_rank_part(result):
    """`U S V^T` in long double."""
    return (result.U.astype(WIDE) * result.S.astype(WIDE)) @ result.V.T.astype(WIDE)


def fitted(result):
    """All of what a result holds, in long double."""
    X = low_rank_part(result) + WIDE(result.mean)
    if result.bias_row is not None:
        X = X + result.bias_row.astype(WIDE)[:, None] + result.bias_col.astype(WIDE)
    return X


def nuclear_norm(X):
    """From below: the inner product with an orthogonal matrix, that of the double-precision decomposition made orthogonal
    to long double. Its error is quadratic in that of the decomposition."""
    if X.shape[0] > X.shape[1]:
        X = X.T
    scale = np.abs(X).max()
    if scale == 0:
        return WIDE(0)
    u, _, vt = np.linalg.svd((X / scale).astype(float), full_matrices=False)
    P = u.astype(WIDE) @ vt.astype(WIDE)
    for _ in range(2):
        P = 1.5 * P - 0.5 * (P @ P.T) @ P
    return max(np.sum(P * X), WIDE(0))


def norm(M):
    """The spectral norm from below, likewise."""
    scale = np.abs(M).max()
    if scale == 0:
        return WIDE(0)
    u, _, vt = np.linalg.svd((M / scale).astype(float))
    u, v = u[:, 0].astype(WIDE), vt[0].astype(WIDE)
    return abs(u @ M @ v) / np.sqrt((u @ u) * (v @ v))


@dataclasses.dataclass(frozen=True)
class Problem:
    """Entries, weights (or None), ridge, whether it is scaled by counts, threshold of the loss (or None)."""

    i: np.ndarray
    j: np.ndarray
    y: np.ndarray
    shape: tuple[int, int]
    lam: float
    w: np.ndarray | None
    count: bool
    delta: float | None

    @property
    def weights(self):
        return np.ones(self.y.size) if self.w is None else self.w


def gap(answer, problem):
    """F, and F less the largest dual value of a multiple of `w psi(residual)`, which a certificate made of that point is not
    below but for the rounding of the point itself; and how much that may be: a dual point may be any, so that of a
    certificate holds residuals rounded to double."""
    i, j, w = problem.i, problem.j, problem.weights.astype(WIDE)
    a, b = (x.astype(WIDE) for x in penalties(i, j, *problem.shape, problem.count))
    lam, delta = WIDE(problem.lam), problem.delta
    X = fitted(answer)
    r = problem.y.astype(WIDE) - X[i, j]
    parts = np.abs(answer.U * answer.S).astype(WIDE) @ np.abs(answer.V.T).astype(WIDE) + np.abs(X)
    y = np.abs(problem.y.astype(WIDE))
    if answer.bias_row is not None:
        # Biases that cancel round as what they are.
        parts = parts + np.abs(answer.bias_row)[:, None] + np.abs(answer.bias_col)
    # What the dual value changes by with z, term by term.
    pull = y + abs(answer.mean)
    F = np.sum(w * loss(r, delta)) / 2
    F = F + lam * nuclear_norm(np.sqrt(a)[:, None] * low_rank_part(answer) * np.sqrt(b))
    z = w * psi(r, delta)
    inner, quad = np.sum(z * (problem.y - WIDE(answer.mean))), np.sum(z**2 / w)
    if answer.bias_row is not None:
        own = (answer.bias_row.astype(WIDE), answer.bias_col.astype(WIDE))
        F = F + lam / 2 * sum(np.sum(c * x**2) for c, x in zip((a, b), own, strict=True))
        for at, c in ((i, a), (j, b)):
            sums = np.zeros(c.size, WIDE)
            np.add.at(sums, at, z)
            quad = quad + np.sum(sums**2 / np.where(c > 0, c, 1)) / lam
            pull = pull + np.abs(sums[at]) / (c[at] * lam)
    slack = 16 * 2.0**-53 * np.sum(w * (y + abs(answer.mean) + parts[i, j]) * pull)
    M = np.zeros(problem.shape, WIDE)
    M[i, j] = z / np.sqrt(a[i] * b[j])
    size = norm(M)
    most = lam / size if size > 0 else WIDE(np.inf)
    if delta is not None:
        most = min(most, WIDE(1))
    t = min(max(inner / quad, WIDE(0)), most) if quad > 0 else WIDE(0)
    return F, F - max(t * inner - t * t / 2 * quad, WIDE(0)), slack * (1 + t)


def nuclear(rng, deep=False):
    """The gap of a run, of its answer moved by a little, and of arbitrary factors; with `deep` against the optimum too."""
    i, j, y, shape = entries(rng)
    w = 10.0 ** rng.uniform(-3, 3, y.size) if rng.random() < 0.4 else None
    count, bias = bool(rng.random() < 0.3), bool(rng.random() < 0.3)
    scale = max(float(np.abs(y).max()), 1e-300)
    delta = 0.3 * scale if rng.random() < 0.25 else None
    lam = float(scale * 10.0 ** rng.uniform(-4, 1.5))
    problem = Problem(i, j, y, shape, lam, w, count, delta)
    options = {"lam_scaling": "count" if count else "none", "bias": bias, "lam": lam, "weights": w}
    if delta is not None:
        options |= {"loss": "huber", "delta": delta}
    sweeps = int(rng.choice([1, 3, 30, 300]))
    rank = int(rng.integers(1, min(shape) + 1))
    result = completion.complete(
        (i, j, y), rank, shape=shape, maxiter=sweeps, rng=int(rng.integers(2**31)), **options
    )
    moved = dataclasses.replace(result, U=result.U * (1 + 10.0 ** rng.uniform(-14, -1)))
    found = Found(result.status)
    best = None
    if deep and shape[0] * shape[1] <= 150 and lam > 1e-2 * scale and (w is None or np.ptp(np.log10(w)) < 3):
        best, _ = nuclear_optimum(
            i, j, y, shape, lam, w=w, count=count, bias=bias, mean=result.mean, delta=delta, steps=3000
        )
    squares = np.sum(problem.weights.astype(WIDE) * problem.y.astype(WIDE) ** 2)
    for name, answer in (("run", result), ("moved", moved), ("replaced", replaced(rng, result, i, j))):
        c = answer.certify((i, j, y), shape=shape, weights=w)
        found.certificates += 1
        F, truth, slack = gap(answer, problem)
        F, truth = F * (1 - 64 * UNIT), truth - 64 * UNIT * (F + squares) - slack
        scale = max(c.parts["primal"], 2.0**-54 * float(squares), 1e-300)
        found.claim(c.parts["primal"] >= F, f"{name}: primal {c.parts['primal']!r} below {float(F)!r}")
        found.claim(
            c.bound * WIDE(scale) >= truth, f"{name}: bound {c.bound!r} below {float(truth / scale)!r}"
        )
        if best is not None:
            least = float(F) - best * (1 + OPTIMUM)
            found.claim(
                c.bound * scale >= least, f"{name}: bound {c.bound!r} below the optimum's {least / scale!r}"
            )
        if truth > 1e-9 * F and 2.0**-54 * squares < F:
            found.ratios.append(float(c.bound * scale / truth))
    return found


def fit(rng, deep=False):
    """Interpolation and stationarity."""
    i, j, y, shape = entries(rng)
    y = y.astype(rng.choice([np.float32, np.float64]))
    w = rng.uniform(0.1, 3, y.size).astype(y.dtype) if rng.random() < 0.4 else None
    rank = int(rng.integers(1, min(4, *shape) + 1))
    result = completion.complete(
        (i, j, y),
        rank,
        shape=shape,
        weights=w,
        method=str(rng.choice(["auto", "als", "irls", "ram"])),
        maxiter=int(rng.choice([1, 5, 60, 400])),
        rng=int(rng.integers(2**31)),
    )
    moved = dataclasses.replace(result, U=result.U * y.dtype.type(1 + 10.0 ** rng.uniform(-12, 0)))
    found = Found(result.status)
    data = y.astype(WIDE)
    size = np.sqrt(np.sum(data**2))
    for name, answer in (("run", result), ("moved", moved)):
        c = answer.certify((i, j, y), shape=shape, weights=w)
        found.certificates += 1
        r = data - fitted(answer)[i, j]
        rest = np.sqrt(np.sum(r**2))
        if size == 0:
            found.claim(c.bound >= 0, f"{name}: bound {c.bound!r} of data that are zero")
            continue
        if c.kind == "interpolation":
            truth = rest / size
        elif answer.rank == 0:
            continue
        else:
            Z = np.zeros(shape, WIDE)
            Z[i, j] = r if w is None else w.astype(WIDE) * r
            Q = [np.linalg.qr(x.astype(float))[0].astype(WIDE) for x in (answer.U, answer.V)]
            left, right = Q[0].T @ Z, Z @ Q[1]
            truth = np.sqrt(np.sum(left**2) + np.sum((right - Q[0] @ (Q[0].T @ right)) ** 2)) / size
            # The bases of the oracle are good to double precision.
            truth = truth * (1 - 1e-12) - 1e-13 * rest / size
        truth = truth * (1 - 64 * UNIT)
        found.claim(c.bound >= truth, f"{name}: {c.kind} {c.bound!r} below {float(truth)!r}")
        if truth > 1e-10:
            found.ratios.append(float(c.bound / truth))
    return found


def beyond_dense(rng):
    """Rows, columns, values and shape of a hostile matrix beyond what norms are computed densely for."""
    m, n = (int(x) for x in rng.integers(201, 300, 2))
    kind = ("full", "sparse", "identity", "spectrum", "cluster", "one row", "blocks", "rank one")[
        rng.integers(8)
    ]
    mask = rng.random((m, n)) < (1.0 if kind in ("full", "identity") else rng.uniform(0.02, 0.9))
    Y = rng.standard_normal((m, n))
    if kind == "identity":
        Y = np.eye(m, n)
    elif kind in ("spectrum", "cluster"):
        u, _, vt = np.linalg.svd(Y, full_matrices=False)
        steep = 10.0 ** rng.uniform(-2, 1.5)
        s = np.arange(1, u.shape[1] + 1.0) ** -steep if kind == "spectrum" else np.ones(u.shape[1])
        if kind == "cluster":
            s[: rng.integers(1, 20)] += 10.0 ** rng.uniform(-12, 0)
            mask[:] = True
        Y = (u * s) @ vt
    elif kind == "one row":
        Y[rng.integers(m)] *= 10.0 ** rng.uniform(0, 12)
    elif kind == "blocks":
        mask[: m // 2, n // 2 :] = mask[m // 2 :, : n // 2] = False
    elif kind == "rank one":
        Y = np.outer(Y[:, 0], Y[0])
    mask[0, 0] = True
    i, j = np.nonzero(mask)
    return i, j, Y[i, j] * 10.0 ** rng.uniform(-150, 150) if rng.random() < 0.2 else Y[i, j], (m, n)


def lanczos(rng, deep=False):
    """The dual's norm by Lanczos steps, with what `deep` adds to a judge: none. Stored entries and implicit feedback."""
    del deep
    i, j, y, shape = beyond_dense(rng)
    seed = int(rng.integers(2**31))
    rank = int(rng.integers(1, 12))
    w = 10.0 ** rng.uniform(-2, 2, y.size) if rng.random() < 0.3 else None
    M = np.zeros(shape)
    if rng.random() < 0.25:
        C = np.abs(rng.standard_normal(y.size)) * 10.0 ** rng.uniform(-2, 2)
        lam = float(np.sqrt(y.size) * 10.0 ** rng.uniform(-2, 0.5))
        M[i, j] = C
        sweeps = int(rng.choice([1, 3, 20]))
        result = completion.implicit_als(
            (i, j, C), rank, shape=shape, lam=lam, maxiter=sweeps, rng=seed, tol=1e-6
        )
        X = low_rank_part(result)
        Z = np.where(M > 0, 1 + M, 1).astype(WIDE) * ((M > 0) - X)
        found = Found(result.status)
        answers = [("implicit", result, result.certificate, Z)]
    else:
        count = bool(rng.random() < 0.3)
        M[i, j] = y
        lam = float(np.linalg.norm(M / np.abs(M).max(), 2) * np.abs(M).max() * 10.0 ** rng.uniform(-2.5, 0.2))
        options = {"lam_scaling": "count" if count else "none", "lam": lam, "weights": w}
        sweeps = int(rng.choice([1, 3, 30]))
        result = completion.complete(
            (i, j, y), rank, shape=shape, maxiter=sweeps, rng=seed, tol=1e-7, **options
        )
        found = Found(result.status)
        if result.rank == 0:
            return found
        change = 10.0 ** rng.uniform(-14, 0) * rng.standard_normal(result.U.shape) / np.sqrt(shape[0])
        a, b = (x.astype(WIDE) for x in penalties(i, j, *shape, count))
        answers = []
        for name, answer in (("run", result), ("moved", dataclasses.replace(result, U=result.U + change))):
            Z = np.zeros(shape, WIDE)
            r = y.astype(WIDE) - fitted(answer)[i, j]
            Z[i, j] = (r if w is None else w.astype(WIDE) * r) / np.sqrt(a[i] * b[j])
            answers.append((name, answer, answer.certify((i, j, y), shape=shape, weights=w), Z))
    for name, answer, c, Z in answers:
        found.certificates += 1
        # What rounding leaves of a residual of zero is not the certificate's.
        truth = norm(Z) * (1 - 64 * UNIT) - 2.0**-50 * np.sqrt(np.sum(Z**2)) * (c.failure_probability > 0)
        stated = WIDE(c.parts["norm_ratio"]) * WIDE(answer.lam)
        found.claim(
            stated >= truth, f"{name}: norm {float(stated)!r} below {float(truth)!r}, {c.failure_probability}"
        )
        if truth > 0:
            found.ratios.append(float(stated / truth))
    return found


FAMILIES = {"gap": nuclear, "fit": fit, "norm": lanczos}
