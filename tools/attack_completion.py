"""Attack the certificates of `solvent.completion` with small hostile problems, judged by dense oracles.

``python tools/attack_completion.py --problems N --out FILE``: every problem is solved, stopped early, or its answer replaced by
arbitrary factors; a bound below the truth is printed with its seed, and the exit status is 1. The truth: the nuclear gap
against a dense dual (an independent SVD's norm) and, on every eighth problem, against the optimum itself by dense
proximal gradient; interpolation and stationarity in long double from their definitions. One line of JSON a chunk; the
same command goes on where it stopped.
"""

import argparse
import dataclasses
import json
import math
import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

from helpers.completion import dual_value, low_rank, nuclear_optimum, penalties, true_objective
from solvent import completion

KINDS = ("random", "blocks", "repeated", "dominating", "sparse", "identity", "low rank", "integers")
#: What the oracles themselves may be off by, relatively.
ORACLE = 1e-11


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


def dense_gap(held, i, j, y, lam, w, count, delta):
    """F and F - D of what a result holds, with a dense norm and sums in double."""
    shape, (a, b) = held.shape, penalties(i, j, *held.shape, count)
    F = true_objective(held, i, j, y, lam, w=w, count=count, delta=delta)
    residual = y - held.mean - ((held.U * held.S) @ held.V.T)[i, j]
    bias = held.bias_row is not None
    if bias:
        residual = residual - held.bias_row[i] - held.bias_col[j]
    weights = np.ones(y.size) if w is None else w
    return F, F - max(dual_value(i, j, y, residual, shape, lam, weights, a, b, bias, held.mean, delta), 0.0)


def attack_gap(rng, deep):
    """(held, ratios of bound to the dense gap)."""
    i, j, y, shape = entries(rng)
    w = 10.0 ** rng.uniform(-3, 3, y.size) if rng.random() < 0.4 else None
    count, bias = bool(rng.random() < 0.3), bool(rng.random() < 0.3)
    scale = max(float(np.abs(y).max()), 1e-300)
    delta = 0.3 * scale if rng.random() < 0.25 else None
    lam = float(scale * 10.0 ** rng.uniform(-4, 1.5))
    options = {
        "lam_scaling": "count" if count else "none",
        "bias": bias,
        "lam": lam,
        "weights": w,
        "shape": shape,
    }
    if delta is not None:
        options |= {"loss": "huber", "delta": delta}
    sweeps = int(rng.choice([1, 3, 30, 300]))
    rank = int(rng.integers(1, min(shape) + 1))
    result = completion.complete((i, j, y), rank, maxiter=sweeps, rng=int(rng.integers(2**31)), **options)
    moved = dataclasses.replace(result, U=result.U * (1 + 10.0 ** rng.uniform(-14, -1)))
    held, ratios = True, []
    low = None
    if deep and shape[0] * shape[1] <= 150 and lam > 1e-2 * scale and (w is None or np.ptp(np.log10(w)) < 3):
        best, _ = nuclear_optimum(
            i, j, y, shape, lam, w=w, count=count, bias=bias, mean=result.mean, delta=delta, steps=3000
        )
        low = best
    for answer in (result, moved, replaced(rng, result, i, j)):
        c = answer.certify((i, j, y), shape=shape, weights=w)
        F, gap = dense_gap(answer, i, j, y, lam, w, count, delta)
        floor = 2.0**-53 * 0.5 * math.fsum((np.ones(y.size) if w is None else w) * y**2)
        truth = (gap - ORACLE * F) / max(F, floor)
        if not c.bound >= truth or not c.parts["primal"] >= F * (1 - ORACLE):
            held = False
        if low is not None and not c.bound * max(F, floor) >= F - low - ORACLE * F:
            held = False
        if gap > 1e-9 * F and floor < F:
            ratios.append(c.bound * F / gap)
    return held, ratios


def wide(result):
    """The matrix that a result holds, in long double."""
    kind = np.longdouble
    X = (result.U.astype(kind) * result.S.astype(kind)) @ result.V.T.astype(kind) + kind(result.mean)
    if result.bias_row is not None:
        X = X + result.bias_row.astype(kind)[:, None] + result.bias_col.astype(kind)
    return X


def attack_fit(rng):
    """Interpolation and stationarity from their definitions."""
    i, j, y, shape = entries(rng)
    y = y.astype(rng.choice([np.float32, np.float64]))
    w = rng.uniform(0.1, 3, y.size).astype(y.dtype) if rng.random() < 0.4 else None
    rank = int(rng.integers(1, min(4, *shape) + 1))
    method = str(rng.choice(["auto", "als", "irls", "ram"]))
    result = completion.complete(
        (i, j, y),
        rank,
        shape=shape,
        weights=w,
        method=method,
        maxiter=int(rng.choice([1, 5, 60])),
        rng=int(rng.integers(2**31)),
    )
    held, ratios = True, []
    for answer in (
        result,
        dataclasses.replace(result, U=result.U * y.dtype.type(1 + 10.0 ** rng.uniform(-12, 0))),
    ):
        c = answer.certify((i, j, y), shape=shape, weights=w)
        kind = np.longdouble
        data = y.astype(kind)
        r = data - wide(answer)[i, j]
        norm = np.sqrt(np.sum(data**2))
        if norm == 0:
            held &= c.bound >= 0
            continue
        if c.kind == "interpolation":
            truth = np.sqrt(np.sum(r**2)) / norm
        else:
            Z = np.zeros(shape, dtype=kind)
            Z[i, j] = r if w is None else w.astype(kind) * r
            if answer.rank == 0:
                continue
            Q = [np.linalg.qr(x.astype(float))[0].astype(kind) for x in (answer.U, answer.V)]
            left, right = Q[0].T @ Z, Z @ Q[1]
            core = Q[0].T @ right
            truth = np.sqrt(np.sum(left**2) + np.sum((right - Q[0] @ core) ** 2)) / norm
        # The bases of the oracle are good to double precision.
        if not c.bound >= float(truth) * (1 - 1e-12) - 1e-13 * float(np.sqrt(np.sum(r**2)) / norm):
            held = False
        if truth > 1e-10:
            ratios.append(c.bound / float(truth))
    return held, ratios


def chunk_of(seed, chunk, size):
    """One chunk of problems as a record."""
    record = {"seed": seed, "chunk": chunk, "problems": size, "violations": [], "gap": [], "fit": []}
    for k in range(chunk * size, (chunk + 1) * size):
        rng = np.random.default_rng([seed, k])
        held, ratios = attack_fit(rng) if k % 3 == 0 else attack_gap(rng, k % 8 == 1)
        record["fit" if k % 3 == 0 else "gap"] += ratios
        if not held:
            record["violations"].append(k)
            print(f"violation: seed {seed}, problem {k}", flush=True)
    for name in ("gap", "fit"):
        ratios = np.sort(record[name])
        quantiles = [] if ratios.size == 0 else [float(np.quantile(ratios, q)) for q in (0.5, 0.99, 1.0)]
        record[name] = {"count": int(ratios.size), "median, 99 %, most": quantiles}
    return record


def main(argv=None):
    """Run."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--problems", type=int, default=10_000)
    parser.add_argument("--chunk", type=int, default=100, help="problems a chunk")
    parser.add_argument("--seed", type=int, default=20230211)
    parser.add_argument("--out", type=Path, default=Path("docs/evidence/completion-certificates.jsonl"))
    given = parser.parse_args(argv)
    done = []
    if given.out.exists():
        done = [json.loads(line) for line in given.out.read_text().splitlines()]
        done = [
            record for record in done if record["seed"] == given.seed and record["problems"] == given.chunk
        ]
    seen = {record["chunk"] for record in done}
    failures = sum(len(record["violations"]) for record in done)
    for chunk in range(-(-given.problems // given.chunk)):
        if chunk not in seen:
            record = chunk_of(given.seed, chunk, given.chunk)
            failures += len(record["violations"])
            with given.out.open("a") as file:
                file.write(json.dumps(record) + "\n")
    print(f"{failures} violations in {-(-given.problems // given.chunk) * given.chunk} problems")
    return 1 if failures else 0


if __name__ == "__main__":
    raise SystemExit(main())
