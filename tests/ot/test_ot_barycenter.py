"""Barycenters: brackets against plain log-domain projections and high precision, payloads against plain sums."""

import dataclasses
import math
import pickle
import re

import mpmath
import numpy as np
import pytest
from scipy.special import logsumexp

from solvent import ot


def problem(rng, n, m, count, zeros=0.0):
    x, y = rng.standard_normal((n, 2)), rng.standard_normal((m, 2))
    C = ((x[:, None] - y) ** 2).sum(-1)
    B = rng.dirichlet(np.ones(m), size=count).T
    B[rng.random(B.shape) < zeros] = 0
    return B / B.sum(0), C, rng.dirichlet(np.full(count, 3.0))


def projections(B, C, w, reg, steps):
    """Log-domain Bregman projections, until they stand still or `steps` are done: p, the dual value, the last move."""
    n, count = len(C), len(w)
    F = np.zeros((n, count))
    with np.errstate(divide="ignore"):
        log_b = np.log(B)
    for _ in range(steps):
        G = reg * (log_b - np.stack([logsumexp((F[:, [k]] - C) / reg, axis=0) for k in range(count)], 1))
        R = np.stack([reg * logsumexp((G[:, k] - C) / reg, axis=1) for k in range(count)], 1)
        last = F
        F = (R @ w)[:, None] - R
        if np.abs(F - last).max() < 1e-13:
            break
    G = reg * (log_b - np.stack([logsumexp((F[:, [k]] - C) / reg, axis=0) for k in range(count)], 1))
    value = sum(
        w[k] * (math.fsum(G[B[:, k] > 0, k] * B[B[:, k] > 0, k]) - reg * B[:, k].sum()) for k in range(count)
    )
    p = sum(
        w[k] * np.exp((F[:, k] + reg * logsumexp((G[:, k] - C) / reg, axis=1)) / reg) for k in range(count)
    )
    return p, value, np.abs(F - last).max()


def assert_payload(res, B, C, w):
    f, g = res.potentials
    plans = res.plan()
    columns = np.abs(plans.sum(1) - B.T).sum()
    assert columns < 1e-10
    error = sum(
        w[k] * np.abs(plans[k].sum(1) - sum(v * P.sum(1) for v, P in zip(w, plans))).sum()
        for k in range(len(w))
    )
    assert res.marginal_error == pytest.approx(error, abs=1e-11)
    assert np.abs(f @ w).max() <= 1e-13 * np.abs(f).max()
    assert res.p.sum() == pytest.approx(B.sum(0).mean(), rel=1e-12) and (res.p >= 0).all()
    assert np.array_equal(np.isneginf(g), B == 0)
    assert res.lower <= res.value <= res.upper
    scale = (C.max() - C.min()) or 1.0
    mass = B.sum(0).mean()
    assert res.certificate.bound == pytest.approx((res.upper - res.lower) / mass / scale, rel=1e-9, abs=1e-18)
    parts = res.certificate.parts
    assert parts["p_error"] == pytest.approx(math.sqrt(2 * mass * parts["gap"] / res.reg))
    assert res.certificate.kind == "duality-gap" and res.certificate.rigorous
    assert np.array_equal(res.plan(0), plans[0])


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize(("n", "m", "zeros"), [(25, 31, 0.0), (31, 20, 0.4), (70, 150, 0.1)])
def test_against_plain_projections(order, n, m, zeros, rng):
    B, C, w = problem(rng, n, m, 3, zeros)
    res = ot.barycenter(B, np.asarray(C, order=order), w, reg=0.3, tol=1e-11)
    assert res.success and res.status == "converged"
    p, value, moved = projections(B, C, w, 0.3, 40_000)
    assert moved < 1e-12
    assert res.lower - 1e-12 <= value <= res.upper + 1e-12
    assert res.value == pytest.approx(value, abs=1e-10)
    assert np.abs(res.p - p).sum() <= res.certificate.parts["p_error"] + 1e-10
    assert np.abs(res.p - p).sum() < 1e-8
    assert_payload(res, B, C, w)


def test_one_histogram_has_a_closed_form(rng):
    B, C, _ = problem(rng, 14, 9, 1)
    for reg, tol in ((1.0, 1e-12), (1e-2, 1e-11), (1e-4, 1e-9)):
        res = ot.barycenter(B, C, reg=reg, tol=tol)
        log_p = logsumexp(np.log(B.T) - C / reg - logsumexp(-C / reg, axis=0), axis=1)
        assert res.success and np.abs(res.p - np.exp(log_p)).max() < tol
        assert res.marginal_error < 1e-9


@pytest.mark.parametrize("reg", [1e-2, 1e-3, 1e-4])
def test_small_reg_and_disconnected_scales(reg, rng):
    x = np.linspace(0, 1, 64)
    C = (x[:, None] - x) ** 2
    B = np.stack([(np.abs(x - c) < 0.05).astype(float) for c in (0.1, 0.5, 0.9)], axis=1)
    B /= B.sum(0)
    res = ot.barycenter(B, C, reg=reg, tol=1e-8)
    assert res.success, res
    assert np.isfinite(res.p).all() and abs((res.p @ x) - 0.5) < 1e-3
    assert_payload(res, B, C, np.full(3, 1 / 3))


def test_integer_costs_and_far_apart_scales():
    C = np.array([[0.0, 1e3, 1e3], [1e3, 0.0, 1e3], [1e3, 1e3, 0.0]])
    res = ot.barycenter(np.array([[1.0, 0.0], [0.0, 1.0], [0.0, 0.0]]), C, reg=1e-1)
    assert res.success and np.isfinite(res.p).all()
    # Every p on the first two points costs the same but for the entropy; the third is dearer by 1e4 reg.
    assert res.p[2] == 0 and res.p.sum() == pytest.approx(1)


def high_precision(B, C, w, reg, steps=400):
    """D after many projections in 40 digits: a lower bound of the optimum, and its distance to it is far below 1e-16."""
    with mpmath.workdps(40):
        (n, m), count = C.shape, len(w)
        mp = lambda x: mpmath.mpf(float(x))
        total = sum(math.fsum(B[:, k]) for k in range(count)) / count
        weights = [mp(x) / mpmath.fsum(map(mp, w)) for x in w]
        b = [
            [mp(B[j, k]) * mp(total) / mpmath.fsum(map(mp, B[:, k])) for j in range(m)] for k in range(count)
        ]
        K = [[mpmath.exp(-mp(C[i, j]) / mp(reg)) for j in range(m)] for i in range(n)]
        u = [[mpmath.mpf(1)] * n for _ in range(count)]
        for _ in range(steps):
            v = [
                [b[k][j] / mpmath.fsum(K[i][j] * u[k][i] for i in range(n)) for j in range(m)]
                for k in range(count)
            ]
            r = [[mpmath.fsum(K[i][j] * v[k][j] for j in range(m)) for i in range(n)] for k in range(count)]
            p = [
                mpmath.exp(mpmath.fsum(weights[k] * mpmath.log(r[k][i]) for k in range(count)))
                for i in range(n)
            ]
            u = [[p[i] / r[k][i] for i in range(n)] for k in range(count)]
        v = [
            [b[k][j] / mpmath.fsum(K[i][j] * u[k][i] for i in range(n)) for j in range(m)]
            for k in range(count)
        ]
        terms = [
            weights[k] * mp(reg) * (b[k][j] * mpmath.log(v[k][j]) - b[k][j])
            for k in range(count)
            for j in range(m)
            if b[k][j] > 0
        ]
        return mpmath.fsum(terms)


def test_brackets_hold_for_any_potentials(rng):
    for trial in range(25):
        n, m, count = (int(x) for x in rng.integers(1, 5, 3))
        B = rng.dirichlet(np.ones(m), size=count).T
        if trial % 3 == 0 and m > 1:
            B[0, 0] = 0
            B[1, 0] = 1e-290
        B = B / B.sum(0) * 10 ** rng.uniform(-6, 6)
        B *= B.sum(0).mean() / B.sum(0)
        C = rng.random((n, m)) * 10 ** rng.uniform(-3, 3)
        if trial % 5 == 0:
            C = np.round(10 * C / C.max())
        C -= C.mean() if trial % 2 else 0
        w = rng.dirichlet(np.ones(count))
        reg = np.ptp(C) * 10 ** rng.uniform(-0.5, 0.5) or 0.1
        truth = high_precision(B, C, w, reg)
        res = ot.barycenter(B, C, w, reg=reg, tol=1e-12, maxiter=int(rng.integers(1, 40)))
        assert mpmath.mpf(res.lower) <= truth <= mpmath.mpf(res.upper)
        for _ in range(6):
            size = reg * 10 ** rng.uniform(-8, 4)
            f, g = res.potentials
            other = dataclasses.replace(
                res,
                potentials=(f + size * rng.standard_normal(f.shape), g + size * rng.standard_normal(g.shape)),
                p=np.abs(res.p * (1 + 0.1 * size / reg * rng.standard_normal(n))) + 1e-300,
            )
            parts = other.certify(B, C, w).parts
            assert mpmath.mpf(parts["lower"]) <= truth <= mpmath.mpf(parts["upper"])


def test_the_bound_is_not_lazy(rng):
    """At full precision the bracket is as narrow as rounding allows."""
    B, C, w = problem(rng, 30, 30, 3)
    res = ot.barycenter(B, C, w, reg=0.2, tol=0)
    assert res.status in ("rounding_floor", "converged", "stalled")
    assert res.certificate.bound < 1e-11


def test_certify_judges_what_is_held_now(rng):
    B, C, w = problem(rng, 20, 25, 4, 0.2)
    res = ot.barycenter(B, C, w, reg=0.1)
    assert res.certify(B, C, w) == res.certificate
    assert pickle.loads(pickle.dumps(res)).certify(B, C, w) == res.certificate
    f, g = res.potentials
    for other in (
        dataclasses.replace(res, p=np.full(20, 1 / 20)),
        dataclasses.replace(res, potentials=(f + 0.01 * rng.standard_normal(f.shape), g)),
        dataclasses.replace(res, potentials=(f + 0.01, g)),
        dataclasses.replace(res, potentials=(f, g - 0.01)),
    ):
        assert other.certify(B, C, w).bound > 10 * res.certificate.bound


def test_invariants(rng):
    B, C, w = problem(rng, 22, 30, 3)
    res = ot.barycenter(B, C, w, reg=0.2, tol=1e-11)
    swapped = ot.barycenter(B[:, ::-1], C, w[::-1], reg=0.2, tol=1e-11)
    assert np.abs(swapped.p - res.p).sum() < 1e-7
    scaled = ot.barycenter(B, 8 * C, w, reg=1.6, tol=1e-11)
    assert np.abs(scaled.p - res.p).sum() < 1e-7 and scaled.value == pytest.approx(8 * res.value, abs=1e-8)
    shifted = ot.barycenter(B, C + 5, w, reg=0.2, tol=1e-11)
    assert shifted.value == pytest.approx(res.value + 5, abs=1e-9)
    # Twice the same histogram is one of twice the weight.
    doubled = ot.barycenter(np.c_[B, B[:, :1]], C, np.r_[w[0] / 2, w[1:], w[0] / 2], reg=0.2, tol=1e-11)
    assert np.abs(doubled.p - res.p).sum() < 1e-7
    # A histogram of weight 0 has no say.
    muted = ot.barycenter(np.c_[B, np.full(30, 1 / 30)], C, np.r_[w, 0.0], reg=0.2, tol=1e-11)
    assert np.abs(muted.p - res.p).sum() < 1e-7 and not muted.potentials[0][:, 3].any()
    assert muted.certify(np.c_[B, np.full(30, 1 / 30)], C, np.r_[w, 0.0]) == muted.certificate


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_dtypes_and_layouts_and_threads(dtype, rng):
    B, C, w = problem(rng, 130, 90, 3)
    C = C.astype(dtype)
    first = ot.barycenter(B, C, w, reg=0.2, workers=1)
    assert first.p.dtype == dtype and first.potentials[0].dtype == np.float64
    for c in (np.repeat(C, 2, axis=1)[:, ::2], C[::-1][::-1]):
        assert np.array_equal(ot.barycenter(B, c, w, reg=0.2).p, first.p)
    for workers in (2, 3, 7):
        other = ot.barycenter(B, C, w, reg=0.2, workers=workers)
        assert np.array_equal(other.potentials[1], first.potentials[1])
        assert other.certificate == first.certificate
    turned = ot.barycenter(B, np.asfortranarray(C), w, reg=0.2)
    assert np.abs(turned.p - first.p).sum() < 1e-5
    assert first.certify(B, C, w) == first.certificate
    assert first.plan(1).dtype == dtype


def test_budgets_starts_and_history(rng):
    B, C, w = problem(rng, 40, 40, 3)
    full = ot.barycenter(B, C, w, reg=0.02, tol=1e-10, history=True)
    assert full.success and full.history is not None
    assert set(full.history) == {"nit", "bound", "elapsed", "marginal_error", "value", "reg"}
    assert (np.diff(full.history["reg"]) <= 0).all() and full.history["reg"][-1] == 0.02
    last = full.history["value"][full.history["reg"] == 0.02]
    assert (np.diff(last) >= -1e-12).all()
    again = ot.barycenter(B, C, w, reg=0.02, tol=1e-10, x0=full)
    assert again.success and again.nit <= 3
    _, truth, _ = projections(B, C, w, 0.02, 3000)
    for maxiter in (1, 2, 5, 9, 14):
        short = ot.barycenter(B, C, w, reg=0.02, tol=1e-10, maxiter=maxiter)
        assert short.status == "max_iterations" and short.nit == maxiter
        assert short.lower <= truth + 1e-10 and short.upper >= truth - 1e-10

    def stop(info):
        assert info.reg >= 0.02 and info.marginal_error >= 0
        if info.nit == 4:
            raise StopIteration

    stopped = ot.barycenter(B, C, w, reg=0.02, tol=1e-10, callback=stop)
    assert stopped.status == "interrupted" and stopped.certify(B, C, w) == stopped.certificate
    hopeless = ot.barycenter(B, C, w, reg=0.02, tol=1e-30)
    assert hopeless.status == "rounding_floor" and "rounding allows no smaller bound" in hopeless.message


def test_against_pot(rng):
    pot = pytest.importorskip("ot.bregman")  # the folder of these tests is called ot too
    B, C, w = problem(rng, 20, 20, 3)
    # POT's histograms live on the rows.
    p = pot.barycenter(B, C.T.copy(), 0.2, weights=w, method="sinkhorn_log", numItermax=5000, stopThr=1e-14)
    assert np.abs(ot.barycenter(B, C, w, reg=0.2, tol=1e-12).p - p).sum() < 1e-8


C33 = np.arange(9.0).reshape(3, 3)
B32 = np.array([[0.5, 0.2], [0.5, 0.3], [0.0, 0.5]])
CASES = [
    ({"C": np.where(C33 == 5, math.inf, C33)}, "C[1, 2] is inf; expected finite values"),
    ({"C": np.where(C33 == 5, math.nan, C33)}, "C[1, 2] is nan; expected finite values"),
    ({"B": B32[:2]}, "B has shape (2, 2) but C has 3 columns; expected (3, K) with K >= 1"),
    ({"B": B32[:, :0]}, "B has shape (3, 0) but C has 3 columns; expected (3, K) with K >= 1"),
    ({"B": -B32}, "B[0, 0] is -0.5; expected finite weights >= 0"),
    ({"B": B32 * [1, 0]}, "B[:, 1] sums to 0; expected a positive total"),
    ({"B": B32 * [1, 1.3]}, "B[:, 1] sums to 1.3 and B[:, 0] to 1; expected equal totals"),
    ({"weights": [0.5, 0.6]}, "weights sums to 1.1; expected 1"),
    ({"weights": [1.5, -0.5]}, "weights[1] is -0.5; expected finite weights >= 0"),
    ({"weights": [1.0]}, "weights has shape (1,) but B has 2 columns; expected (2,)"),
    ({"x0": np.zeros((2, 2))}, "x0 has shape (2, 2) but C has 3 rows and B 2 columns; expected (3, 2)"),
    ({"tol": -1.0}, "tol = -1.0; expected a finite number >= 0"),
]


@pytest.mark.parametrize(("call", "message"), CASES, ids=[message for _, message in CASES])
def test_misuse_is_refused_with_the_promised_message(call, message):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        ot.barycenter(**{"B": B32, "C": C33, "reg": 1.0, **call})


def test_misuse_of_reg_and_types():
    for reg in (0.0, -1.0, math.nan, math.inf):
        with pytest.raises(ValueError, match=r"^reg = .*; expected a finite number > 0"):
            ot.barycenter(B32, C33, reg=reg)
    with pytest.raises(TypeError):
        ot.barycenter(B32 * 1j, C33, reg=1.0)
