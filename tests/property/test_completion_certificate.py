"""Nuclear gaps against dense optima, whatever the factors: never below the truth, never lazily large."""

import dataclasses
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from helpers.completion import dual_value, low_rank, nuclear_optimum, penalties, true_objective
from solvent import completion

MOST = settings.get_profile("solvent").max_examples


@st.composite
def problems(draw):
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    m, n = draw(st.integers(2, 12)), draw(st.integers(2, 12))
    kind = draw(st.sampled_from(["random", "blocks", "repeated", "dominating", "sparse", "identity"]))
    mask = rng.random((m, n)) < draw(st.floats(0.2, 1.0))
    Y = rng.standard_normal((m, n))
    if kind == "blocks":
        mask[: m // 2, n // 2 :] = mask[m // 2 :, : n // 2] = False
    elif kind == "repeated":
        Y[:, 1:] = Y[:, :1]
    elif kind == "dominating":
        Y[0] *= 1e6
    elif kind == "sparse":
        mask &= rng.random((m, n)) < 0.3
    elif kind == "identity":
        Y, mask = np.eye(m, n), np.ones((m, n), bool)
    mask[0, 0] = True
    i, j = np.nonzero(mask)
    w = rng.uniform(0.1, 3, i.size) if draw(st.booleans()) else None
    count, bias = draw(st.booleans()), draw(st.booleans())
    delta = draw(st.sampled_from([None, None, 0.3]))
    lam = draw(st.sampled_from([1e-3, 0.05, 0.3, 1.0, 10.0]))
    return rng, i, j, Y[i, j], (m, n), w, count, bias, delta, lam


def fit(problem, **options):
    _, i, j, y, shape, w, count, bias, delta, lam = problem
    return completion.complete(
        (i, j, y),
        shape=shape,
        weights=w,
        lam=lam,
        lam_scaling="count" if count else "none",
        bias=bias,
        loss="l2" if delta is None else "huber",
        delta=delta,
        **options,
    )


def data_of(problem):
    _, i, j, y, shape, w, *_ = problem
    return ((i, j, y),), {"shape": shape, "weights": w}


@settings(max_examples=MOST // 2)
@given(problem=problems(), rank=st.integers(1, 4), sweeps=st.sampled_from([1, 5, 60]))
def test_the_gap_holds_wherever_the_run_stops(problem, rank, sweeps):
    _, i, j, y, shape, w, count, bias, delta, lam = problem
    res = fit(problem, rank=min(rank, *shape), maxiter=sweeps, rng=0)
    F = true_objective(res, i, j, y, lam, w=w, count=count, delta=delta)
    best, _ = nuclear_optimum(
        i, j, y, shape, lam, w=w, count=count, bias=bias, mean=res.mean, delta=delta, steps=2000, tol=1e-12
    )
    parts = res.certificate.parts
    # `best` is above the optimum and `low` below it, both to rounding.
    assert parts["dual"] <= best * (1 + 1e-12)
    assert parts["primal"] >= F * (1 - 1e-12)
    floor = 2.0**-53 * 0.5 * np.sum((1.0 if w is None else w) * y**2)
    assert res.certificate.bound * max(F, floor) >= F - best - 1e-12 * F


@settings(max_examples=MOST)
@given(problem=problems(), size=st.floats(-8, 2), scale=st.sampled_from([2.0**-250, 1.0, 2.0**250]))
def test_any_factors_whatever(problem, size, scale):
    rng, i, j, y, shape, w, count, bias, delta, lam = problem
    y, lam, delta = scale * y, scale * lam, None if delta is None else scale * delta
    res = fit((rng, i, j, y, shape, w, count, bias, delta, lam), rank=1, maxiter=2, rng=0)
    m, n = shape
    # Of full rank on the rows and columns that are seen: else the nuclear norm is bounded by the factors as they are.
    r = int(rng.integers(1, min(3, np.unique(i).size, np.unique(j).size) + 1))
    change = {
        "U": 10.0**size * rng.standard_normal((m, r)),
        "S": scale * np.sort(np.abs(rng.standard_normal(r)))[::-1],
        "V": rng.standard_normal((n, r)),
        "rank": r,
    }
    if bias:
        change["bias_row"], change["bias_col"] = (
            scale * rng.standard_normal(m),
            scale * rng.standard_normal(n),
        )
    held = dataclasses.replace(res, **change)
    certificate = held.certify((i, j, y), shape=shape, weights=w)
    F = true_objective(held, i, j, y, lam, w=w, count=count, delta=delta)
    a, b = penalties(i, j, m, n, count)
    X = (held.U * held.S) @ held.V.T
    residual = y - held.mean - X[i, j]
    if bias:
        residual = residual - held.bias_row[i] - held.bias_col[j]
    dual = dual_value(
        i, j, y, residual, shape, lam, np.ones(y.size) if w is None else w, a, b, bias, held.mean, delta
    )
    gap = F - max(dual, 0.0)
    assert certificate.bound >= gap / F * (1 - 1e-9)
    assert certificate.bound <= 1.1 * gap / F + 1e-8 * (1 + 10.0 ** (2 * size)), (certificate.bound, gap / F)


@settings(max_examples=max(3, MOST // 15))
@given(
    seed=st.integers(0, 2**32),
    noise=st.sampled_from([1e-4, 1e-2]),
    kind=st.sampled_from(["low", "identity", "rank one"]),
)
def test_the_lanczos_path(seed, noise, kind):
    rng = np.random.default_rng(seed)
    m, n = 612, 604  # beyond what the dense way takes
    if kind == "low":
        i, j, y, _ = low_rank(rng, m, n, 3, 3, noise=0.3)
    else:
        Y = np.eye(m, n) if kind == "identity" else np.outer(rng.standard_normal(m), rng.standard_normal(n))
        i, j = np.nonzero(np.ones((m, n)) if kind == "rank one" else Y)
        y = Y[i, j]
    M = np.zeros((m, n))
    M[i, j] = y
    lam = 0.5 * np.linalg.norm(M, 2)
    res = completion.complete((i, j, y), 12, shape=(m, n), lam=lam, tol=1e-7, rng=seed, maxiter=60)
    assert 0 < res.certificate.failure_probability <= 1e-10
    held = dataclasses.replace(res, U=res.U + noise * rng.standard_normal(res.U.shape) / math.sqrt(m))
    certificate = held.certify((i, j, y), shape=(m, n))
    F = true_objective(held, i, j, y, lam)
    X = (held.U * held.S) @ held.V.T
    ones = np.ones(y.size)
    dual = dual_value(i, j, y, y - X[i, j], (m, n), lam, ones, np.ones(m), np.ones(n), False, 0.0, None)
    gap = (F - dual) / F
    assert certificate.bound >= gap * (1 - 1e-9)
    if kind == "low":
        assert certificate.bound <= 3 * gap + 1e-9, (certificate.bound, gap)
    else:
        # The Krylov space closes at once: it is the norm that is tight, to a tenth.
        top = np.linalg.norm(M - np.where(M != 0, X, 0.0), 2)
        assert top <= certificate.parts["norm_ratio"] * lam * (1 + 1e-9) <= 1.1 * top


@settings(max_examples=MOST // 3)
@given(problem=problems(), dtype=st.sampled_from([np.float32, np.float64]))
def test_without_a_ridge_the_residual_is_exact(problem, dtype):
    _, i, j, y, shape, _, _, bias, _, _ = problem
    res = completion.complete((i, j, y.astype(dtype)), 1, shape=shape, bias=bias, maxiter=20, rng=0)
    kind = np.longdouble
    X = (res.U.astype(kind) * res.S.astype(kind)) @ res.V.T.astype(kind) + kind(res.mean)
    if bias:
        X = X + res.bias_row.astype(kind)[:, None] + res.bias_col.astype(kind)
    data = y.astype(dtype).astype(kind)
    exact = float(np.linalg.norm((X[i, j] - data).astype(float))) / float(np.linalg.norm(data.astype(float)))
    parts = res.certificate.parts
    if res.certificate.kind == "interpolation":
        assert exact * (1 - 1e-12) <= res.certificate.bound <= exact * (1 + 1e-9) + 1e-13
    assert parts["residual"] == pytest.approx(exact, rel=1e-6, abs=1e-14)


@settings(max_examples=MOST // 3)
@given(problem=problems())
def test_certificates_repeat_bit_for_bit(problem):
    args, options = data_of(problem)
    res = fit(problem, rank=1, maxiter=10, rng=1)
    again = res.certify(*args, **options)
    assert again.bound == res.certificate.bound and again.parts["dual"] == res.certificate.parts["dual"]
