"""About 2000 new points a run against Arb: every region, seam and zero curve, scaled convergents, subnormal and huge arguments."""

import mpmath
import numpy as np
import pytest

from golden.bessel import arb_reference
from helpers.bessel import oracle, regions
from helpers.bessel.functions import call

N = 36


def check(got, v, x, hi, lo):
    e = oracle.error(got, hi, lo) / oracle.allowed(v, x, hi)
    e = np.where(np.isfinite(got), e, np.inf)
    k = int(np.argmax(e))
    assert e[k] <= 1, f"v={v[k]!r} x={x[k]!r} got={got[k]!r} true={hi[k]!r}+{lo[k]!r} error/limit={e[k]:.3g}"


@pytest.mark.parametrize("region", regions.PLAIN | regions.HARD)
def test_log_i_and_log_k(region, rng):
    v, x = (regions.PLAIN | regions.HARD)[region](rng, N)
    for kind, names in (("i", ("log_iv", "log_iv_certified")), ("k", ("log_kv", "log_kv_certified"))):
        hi, lo, _ = oracle.table(kind, v, x)
        assert np.isfinite(hi).all()
        for name in names:
            check(call(name, v, x)[0], v, x, hi, lo)


@pytest.mark.parametrize(
    "region", ["small", "inner", "global", "zero_I", "zero_K", "w_seams", "x_seams", "subnormal_x"]
)
def test_scaled(region, rng):
    v, x = (regions.PLAIN | regions.HARD)[region](rng, N // 2)
    for kind, name in (("i", "log_ive"), ("k", "log_kve")):
        hi, lo = np.array([oracle.log_scaled(kind, a, b) for a, b in zip(v, x, strict=True)]).reshape(-1, 2).T
        check(call(name, v, x)[0], v, x, hi, lo)


@pytest.mark.parametrize("region", regions.NEGATIVE)
def test_negative_orders(region, rng):
    """The sign is right where the bound decides it, the value is within the bound everywhere, and K is that of |v|."""
    v, x = regions.NEGATIVE[region](rng, N)
    hi, lo, sign = oracle.table("i", v, x)
    got, s = call("log_abs_iv", v, x)
    value, bound = call("log_iv_certified", v, x)
    decided = np.isfinite(bound)
    assert np.array_equal(s[decided], sign[decided])
    undecided = np.isposinf(bound)
    assert np.array_equal(np.isnan(value)[~undecided], (s < 0)[~undecided])
    assert np.all(oracle.error(value, hi, lo)[decided] <= bound[decided])
    m = decided & (s > 0)
    assert np.array_equal(got[m], value[m])
    khi, klo, _ = oracle.table("k", v, x)
    check(call("log_kv", v, x)[0], v, x, khi, klo)


def test_scaled_at_negative_orders(rng):
    """log_ive(-m, x) keeps its accuracy where x is large: there I_{-m} is I_m to all digits (K/I < e^{-2 T})."""
    m = np.concatenate([rng.uniform(0.01, 30, 30), rng.integers(1, 30, 10), rng.integers(0, 30, 10) + 0.5])
    x = regions.log_uniform(rng, 400, 1e300, len(m))
    x[::2] = regions.log_uniform(rng, 400, 1e8, len(x[::2]))
    hi, lo = np.array([oracle.log_scaled("i", a, b) for a, b in zip(m, x, strict=True)]).T
    check(call("log_ive", -m, x)[0], m, x, hi, lo)


@pytest.mark.parametrize("kind", ["i", "k"])
def test_gradients(kind, rng):
    """Inner and outer, orders at and beside integers and half-integers, the x seams and w = 25."""
    n = 40
    v = np.concatenate(
        [rng.uniform(0, 26, n), regions.log_uniform(rng, 1e-2, 1e4, n), rng.integers(0, 50, n) / 2.0]
    )
    x = np.concatenate(
        [
            regions.log_uniform(rng, 0.05, 26, n),
            regions.log_uniform(rng, 1e-2, 1e4, n),
            rng.uniform(0.05, 30, n),
        ]
    )
    for draw in (regions.x_seams, regions.w_seams, regions.v_seams, regions.below_half_integer):
        a, b = draw(rng, 12)
        v, x = np.concatenate([v, a]), np.concatenate([x, np.maximum(b, 0.05)])
    dv, dx = call(f"log_{kind}v_grad", v, x)
    for k in range(len(v)):
        tv = arb_reference.grad_v(kind, v[k], x[k])[0]
        tx = arb_reference.grad_x(kind, v[k], x[k])[0]
        floor = 0.1 if np.hypot(v[k], x[k]) < 60 else 1e-12
        where = f"v={v[k]!r} x={x[k]!r}"
        if np.isfinite(tv):  # Arb's difference quotient of K gives up at some orders
            ev = abs(dv[k] - tv) / max(abs(tv), floor)
            assert ev <= 1e-13, f"d/dv at {where}: got {dv[k]!r} true {tv!r} error {ev:.2e}"
        assert np.isfinite(tx), where
        ex = abs(dx[k] / tx - 1)
        assert ex <= 2e-14, f"d/dx at {where}: got {dx[k]!r} true {tx!r} error {ex:.2e}"


def far_points(rng, n):
    """w from 1e5 to 1e300, both v >> x and v << x; v >= 1."""
    w = 10.0 ** rng.uniform(5, 300, n)
    w[: n // 2] = 10.0 ** rng.uniform(5, 16, n // 2)
    tilt = 10.0 ** rng.uniform(-8, 0, n)
    swap = rng.random(n) < 0.5
    return np.maximum(1, np.where(swap, w, w * tilt)), np.where(swap, w * tilt, w)


@pytest.mark.parametrize("kind", ["i", "k"])
def test_far_gradients(kind, rng):
    v, x = far_points(rng, 60)
    dv, dx = call(f"log_{kind}v_grad", v, x)
    for k in range(len(v)):
        tv, tx = oracle.far_slopes(kind, v[k], x[k])
        where = f"v={v[k]!r} x={x[k]!r}"
        ev, ex = abs(dv[k] - tv) / max(abs(tv), 1e-12), abs(dx[k] / tx - 1)
        assert ev <= 1e-13, f"d/dv at {where}: got {dv[k]!r} true {tv!r} error {ev:.2e}"
        assert ex <= 2e-14, f"d/dx at {where}: got {dx[k]!r} true {tx!r} error {ex:.2e}"


@pytest.mark.parametrize(
    ("name", "kind", "limit"),
    [("iv_ratio", "i", 5e-15), ("iv_ratio_c", "i", 5e-14), ("kv_ratio", "k", 5e-15)],
)
def test_far_ratios(name, kind, limit, rng):
    v, x = far_points(rng, 60)
    got = call(name, v, x)[0]
    for k in range(len(v)):
        true = oracle.far_ratio(kind, v[k], x[k], complement=name == "iv_ratio_c")
        assert np.isfinite(true)
        e = abs(got[k] / true - 1) if true >= 1e-307 else abs(got[k] - true) / 1e-307
        assert e <= limit, f"v={v[k]!r} x={x[k]!r} got {got[k]!r} true {true!r} error {e:.2e}"


def ratio_points(rng, n, lowest):
    v = np.concatenate([regions.log_uniform(rng, lowest, 1e5, n), rng.uniform(lowest, 26, n)])
    x = np.concatenate([v[:n] * np.exp(rng.normal(0, 1.5, n)), regions.log_uniform(rng, 1e-3, 60, n)])
    for draw in (regions.w_seams, regions.x_seams):
        a, b = draw(rng, 10)
        keep = (a >= lowest) & (a < 1e5) & (b < 1e5)
        v, x = np.concatenate([v, a[keep]]), np.concatenate([x, b[keep]])
    return v, x


@pytest.mark.parametrize(
    ("name", "kind", "limit", "lowest"),
    [("iv_ratio", "i", 5e-15, 0.01), ("iv_ratio_c", "i", 5e-14, 1.0), ("kv_ratio", "k", 5e-15, 0.01)],
)
def test_ratios(name, kind, limit, lowest, rng):
    v, x = ratio_points(rng, 25, lowest)
    if name == "kv_ratio":
        v = v * np.where(rng.random(len(v)) < 0.3, -1, 1)
    got = call(name, v, x)[0]
    for k in range(len(v)):
        true = (
            oracle.kv_ratio(v[k], x[k])
            if kind == "k"
            else arb_reference.ratio(v[k], x[k], complement=name == "iv_ratio_c")[0]
        )
        if np.isfinite(true):
            e = abs(got[k] / true - 1)
            assert e <= limit, f"v={v[k]!r} x={x[k]!r} got {got[k]!r} true {true!r} error {e:.2e}"


def test_complement_below_one(rng):
    """1 - A passes through 0 for all large x at v = 1/2: the absolute error stays small, and there it is 2/(e^(2 x) + 1)."""
    n = 25
    near = 0.5 + rng.choice([-1, 1], n) * regions.log_uniform(rng, 1e-15, 0.4, n)
    v = np.concatenate([rng.uniform(0, 1, n), near, np.zeros(5)])
    x = np.concatenate([regions.log_uniform(rng, 1e-2, 1e3, n), rng.uniform(1, 60, n), rng.uniform(1, 60, 5)])
    got = call("iv_ratio_c", v, x)[0]
    for k in range(len(v)):
        true = arb_reference.ratio(v[k], x[k], complement=True)[0]
        e = abs(got[k] - true)
        assert e <= 1e-14 * (1 + 1 / x[k]), f"v={v[k]!r} x={x[k]!r} got {got[k]!r} true {true!r}"
    x = regions.log_uniform(rng, 1e-6, 340, n)
    with mpmath.workdps(30):
        closed = np.array([float(2 / (mpmath.exp(2 * mpmath.mpf(y)) + 1)) for y in x])
    np.testing.assert_allclose(call("iv_ratio_c", np.full(n, 0.5), x)[0], closed, rtol=5e-15)


def test_inverse_next_to_one_half(rng):
    """Where 1 - A falls as an exponential before it does as 1/x; at v = 1/2 the inverse is artanh."""
    n = 60
    less = regions.log_uniform(rng, 1e-15, 0.5, n)
    r = 1 - less
    with mpmath.workdps(30):
        inverse = np.array([float(mpmath.atanh(mpmath.mpf(y))) for y in r])
    # (1 - r is a multiple of 1e-16, and so is what 1 - A is compared with.)
    np.testing.assert_allclose(call("iv_ratio_inv", np.full(n, 0.5), r)[0], inverse, rtol=1e-14)
    v = 0.5 + regions.log_uniform(rng, 1e-15, 0.5, n)
    x = call("iv_ratio_inv", v, r)[0]
    for a, b, c in zip(v, x, r, strict=True):
        e = abs(oracle.ratio_residual(a, b, c)) / c
        assert e <= 1e-14, f"v={a!r} r={c!r} x={b!r} backward error {e:.2e}"


def test_inverse_ratio(rng):
    """Backward error: the exact ratio at the returned x is r to 1e-14, for r near 0, near 1 and between."""
    n = 30
    v = np.concatenate(
        [
            regions.log_uniform(rng, 0.5, 1e4, n),
            np.full(5, 0.5),
            rng.integers(1, 40, n) / 2.0,
            rng.uniform(0.5, 30, n),
        ]
    )
    r = np.concatenate(
        [
            rng.uniform(0, 1, n + 5),
            1 - regions.log_uniform(rng, 1e-4, 1, n),
            regions.log_uniform(rng, 1e-12, 1, n),
        ]
    )
    x = call("iv_ratio_inv", v, r)[0]
    assert np.all(np.isfinite(x) & (x > 0))
    for a, b, c in zip(v, x, r, strict=True):
        e = abs(oracle.ratio_residual(a, b, c)) / c
        assert e <= 1e-14, f"v={a!r} r={c!r} x={b!r} backward error {e:.2e}"


def test_float32(rng):
    """The float32 loop against the float64 one at the same arguments, over all regions."""
    for region, draw in regions.EVERY.items():
        v, x = draw(rng, 200)
        with np.errstate(all="ignore"):
            v, x = v.astype(np.float32), x.astype(np.float32)
        v, x = v[np.isfinite(v) & (x > 0)], x[np.isfinite(v) & (x > 0)]
        v, x = v[np.isfinite(x)], x[np.isfinite(x)]
        for name in ("log_iv", "log_kv", "log_ive", "log_kve"):
            a, b = (np.abs(v), x) if name == "log_ive" or region in regions.NEGATIVE else (v, x)
            got, ref = call(name, a, b)[0].astype(float), call(name, a.astype(float), b.astype(float))[0]
            fits = np.abs(ref) < 3e38
            e = np.abs(got - ref)[fits] / np.maximum(1, np.abs(ref[fits]))
            assert not (e > 4e-7).any() and np.isfinite(e).all(), (
                region,
                name,
                [(float(p), float(q)) for p, q in zip(a[fits][~(e <= 4e-7)], b[fits][~(e <= 4e-7)])][:3],
                e.max(),
            )


def test_ratios_next_to_the_origin(rng):
    """I_v/I_{v-1} = (x/2)/(v + x^2/4) where both are tiny: squares vanish, the ratio does not."""
    n = 60
    v = np.where(rng.random(n) < 0.3, 0.0, regions.log_uniform(rng, 1e-300, 1e-60, n))
    x = regions.log_uniform(rng, 1e-300, 1e-90, n)
    got, complement = call("iv_ratio", v, x)[0], call("iv_ratio_c", v, x)[0]
    with mpmath.workdps(30):
        for k in range(n):
            V, X = mpmath.mpf(float(v[k])), mpmath.mpf(float(x[k]))
            true = (X / 2) / (V + X * X / 4)
            assert abs(got[k] / true - 1) <= 5e-15, (v[k], x[k])
            assert abs(complement[k] - (1 - true)) <= 5e-15 * (1 + true), (v[k], x[k])
    assert (call("kv_ratio", np.full(n, 0.5), x)[0] == 1).all()
