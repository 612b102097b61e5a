"""Values against the golden table: every region, every function, the limits of the documentation.

The references are Arb's, as hi + lo; errors are measured as |y - L| / max(1, |L|)."""

import numpy as np
import pytest

from helpers.bessel import golden, oracle
from helpers.bessel.functions import call

LIMIT = 5e-15
LIMIT_F32 = 4e-7
REGIONS = golden.regions()


def worst(v, x, got, hi, lo, limit=LIMIT):
    """Largest error as a multiple of the allowed one, and the point where it is; nan and inf count as infinitely wrong."""
    e = oracle.error(got, hi, lo) / oracle.allowed(v, x, hi, limit)
    e = np.where(np.isfinite(got), e, np.inf)
    k = int(np.argmax(e))
    return e[k], f"v={v[k]!r} x={x[k]!r} got={got[k]!r} true={hi[k]!r}+{lo[k]!r} error/limit={e[k]:.3g}"


@pytest.mark.parametrize("region", REGIONS)
@pytest.mark.parametrize("name", ["log_iv", "log_abs_iv", "log_iv_certified"])
def test_log_i(name, region):
    v, x, (hi, lo), _ = golden.region(region)
    e, where = worst(v, x, call(name, v, x)[0], hi, lo)
    assert e <= 1, where


@pytest.mark.parametrize("region", REGIONS)
@pytest.mark.parametrize("name", ["log_kv", "log_kv_certified"])
@pytest.mark.parametrize("sign", [1, -1], ids=["v", "-v"])
def test_log_k(name, region, sign):
    v, x, _, (hi, lo) = golden.region(region)
    e, where = worst(v, x, call(name, sign * v, x)[0], hi, lo)
    assert e <= 1, where


@pytest.mark.parametrize("region", REGIONS)
@pytest.mark.parametrize("name", ["log_ive", "log_kve"])
def test_scaled(name, region):
    v, x, (ihi, ilo), (khi, klo) = golden.region(region)
    a, b, c = (ihi, -x, ilo) if name == "log_ive" else (khi, x, klo)
    hi = a + b  # two-sum: hi + lo is a + b + c to more than twice the working precision
    z = hi - a
    lo = ((a - (hi - z)) + (b - z)) + c
    e, where = worst(v, x, call(name, v, x)[0], hi, lo)
    assert e <= 1, where


@pytest.mark.parametrize("region", REGIONS)
def test_pair_is_both_bit_for_bit(region):
    v, x, _, _ = golden.region(region)
    i, k = call("log_ivk", v, x)
    assert np.array_equal(i, call("log_iv", v, x)[0])
    assert np.array_equal(k, call("log_kv", v, x)[0])


@pytest.mark.parametrize("region", REGIONS)
@pytest.mark.parametrize("name", ["log_iv", "log_kv", "log_ive", "log_kve"])
def test_float32_against_float64(name, region):
    v, x, _, _ = golden.region(region)
    with np.errstate(under="ignore", over="ignore"):
        v, x = v.astype(np.float32), x.astype(np.float32)
    keep = np.isfinite(v) & np.isfinite(x) & (x > 0)
    v, x = v[keep], x[keep]
    got = call(name, v, x)[0]
    assert got.dtype == np.float32
    true = call(name, v.astype(float), x.astype(float))[0]
    fits = np.abs(true) < np.finfo(np.float32).max
    assert fits.any()
    v, x, got, true = v[fits], x[fits], got[fits], true[fits]
    zero = np.zeros_like(true)
    e, where = worst(v.astype(float), x.astype(float), got.astype(float), true, zero, LIMIT_F32)
    assert e <= 1, where


@pytest.mark.parametrize("table", golden.TABLES)
@pytest.mark.parametrize("kind", ["i", "k"])
def test_gradient(kind, table):
    g = golden.load(table)
    v, x = g["g_v"], g["g_x"]
    dv, dx = call(f"log_{kind}v_grad", v, x)
    tv, tx = g[f"d{kind}_dv"], g[f"d{kind}_dx"]
    floor = np.where(np.hypot(v, x) < 60, 0.1, 1e-12)
    ev = oracle.error(dv, tv, g[f"d{kind}_dv_lo"]) / np.maximum(np.abs(tv), floor)
    ex = oracle.error(dx, tx, g[f"d{kind}_dx_lo"]) / np.abs(tx)
    k, j = int(np.argmax(ev)), int(np.argmax(ex))
    assert ev[k] <= 1e-13, f"d/dv at v={v[k]!r} x={x[k]!r}: got {dv[k]!r} true {tv[k]!r} error {ev[k]:.2e}"
    assert ex[j] <= 2e-14, f"d/dx at v={v[j]!r} x={x[j]!r}: got {dx[j]!r} true {tx[j]!r} error {ex[j]:.2e}"


@pytest.mark.parametrize("table", golden.TABLES)
@pytest.mark.parametrize(
    ("name", "key", "limit"),
    [("iv_ratio", "r_i", 5e-15), ("kv_ratio", "r_k", 5e-15), ("iv_ratio_c", "r_ic", 5e-14)],
)
def test_ratio(name, key, limit, table):
    g = golden.load(table)
    keep = g["r_v"] >= (1.0 if name == "iv_ratio_c" else 0.0)
    v, x, true, low = (g[k][keep] for k in ("r_v", "r_x", key, f"{key}_lo"))
    got = call(name, v, x)[0]
    e = oracle.error(got, true, low) / np.abs(true)
    k = int(np.argmax(e))
    assert e[k] <= limit, f"v={v[k]!r} x={x[k]!r} got {got[k]!r} true {true[k]!r} error {e[k]:.2e}"


@pytest.mark.parametrize("table", golden.TABLES)
def test_negative_orders(table):
    """Near a zero of I_v the condition is inherent and the bound contains it; the sign is right where it is decided."""
    g = golden.load(table)
    v, x, hi, lo, sign = g["n_v"], g["n_x"], g["n_hi"], g["n_lo"], g["n_sign"].astype(float)
    got, s = call("log_abs_iv", v, x)
    value, bound = call("log_iv_certified", v, x)
    undecided = np.isposinf(bound)
    assert np.array_equal(s[~undecided], sign[~undecided])
    plain = call("log_iv", v, x)[0]
    assert np.array_equal(np.isnan(plain), s < 0)
    assert np.array_equal(plain[s > 0], got[s > 0])
    assert np.array_equal(np.isnan(value)[~undecided], (s < 0)[~undecided])
    m = (sign > 0) & ~undecided
    e = oracle.error(value, hi, lo)
    assert np.all(e[m] <= bound[m]), [
        (v[k], x[k], value[k], hi[k], e[k], bound[k]) for k in np.flatnonzero(m & (e > bound))
    ][:5]
    assert np.all(oracle.error(got, hi, lo)[m] <= np.maximum(bound[m], oracle.allowed(v, x, hi)[m]))
    integer = v == np.round(v)
    if integer.any():
        e, where = worst(v[integer], x[integer], got[integer], hi[integer], lo[integer])
        assert e <= 1, where


def test_undecided_signs_are_few():
    """Only beside the zeros: none among ordinary negative orders."""
    g = golden.load("golden")
    assert not np.isposinf(call("log_iv_certified", g["n_v"], g["n_x"])[1]).any()
