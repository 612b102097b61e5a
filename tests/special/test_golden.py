"""Values against the golden table: every region, every function, the limits of the documentation.

The references are Arb's, as hi + lo; errors are measured as |y - L| / max(1, |L|)."""

import numpy as np
import pytest
from helpers import golden, oracle
from helpers.functions import call

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
    with np.errstate(under="ignore"):
        v, x = v.astype(np.float32), x.astype(np.float32)
    v, x = v[x > 0], x[x > 0]
    got = call(name, v, x)[0]
    assert got.dtype == np.float32
    true = call(name, v.astype(float), x.astype(float))[0]
    zero = np.zeros_like(true)
    e, where = worst(v.astype(float), x.astype(float), got.astype(float), true, zero, LIMIT_F32)
    assert e <= 1, where


@pytest.mark.parametrize("kind", ["i", "k"])
def test_gradient(kind):
    g = golden.load()
    v, x = g["g_v"], g["g_x"]
    dv, dx = call(f"log_{kind}v_grad", v, x)
    tv, tx = g[f"d{kind}_dv"], g[f"d{kind}_dx"]
    floor = np.where(np.hypot(v, x) < 60, 0.1, 1e-12)
    ev = np.abs(dv - tv) / np.maximum(np.abs(tv), floor)
    ex = np.abs(dx / tx - 1)
    k, j = int(np.argmax(ev)), int(np.argmax(ex))
    assert ev.max() <= 1e-13, f"d/dv at v={v[k]!r} x={x[k]!r}: got {dv[k]!r} true {tv[k]!r}"
    assert ex.max() <= 2e-14, f"d/dx at v={v[j]!r} x={x[j]!r}: got {dx[j]!r} true {tx[j]!r}"


@pytest.mark.parametrize(
    ("name", "key", "limit"), [("iv_ratio", "r_i", 5e-15), ("kv_ratio", "r_k", 5e-15), ("iv_ratio_c", "r_ic", 5e-14)]
)
def test_ratio(name, key, limit):
    g = golden.load()
    keep = g["r_v"] >= (1.0 if name == "iv_ratio_c" else 0.0)
    v, x, true = g["r_v"][keep], g["r_x"][keep], g[key][keep]
    got = call(name, v, x)[0]
    e = np.abs(got / true - 1)
    k = int(np.argmax(e))
    assert e[k] <= limit, f"v={v[k]!r} x={x[k]!r} got {got[k]!r} true {true[k]!r} error {e[k]:.2e}"


def test_negative_orders():
    g = golden.load()
    v, x, hi, lo, sign = g["n_v"], g["n_x"], g["n_hi"], g["n_lo"].astype(float), g["n_sign"].astype(float)
    got, s = call("log_abs_iv", v, x)
    assert np.array_equal(s, sign)
    plain = call("log_iv", v, x)[0]
    assert np.array_equal(np.isnan(plain), sign < 0)
    assert np.array_equal(plain[sign > 0], got[sign > 0])
    value, bound = call("log_iv_certified", v, x)
    assert np.array_equal(np.isnan(value), sign < 0)
    # Near a zero of I_v the condition is inherent, and the bound contains it; where the sign is +1 by far, so is the limit.
    m = sign > 0
    assert np.all(oracle.error(got, hi, lo)[m] <= np.maximum(bound[m], oracle.allowed(v, x, hi)[m]))
    assert np.all(oracle.error(value, hi, lo)[m] <= bound[m])
    integer = v == np.round(v)
    e, where = worst(v[integer], x[integer], got[integer], hi[integer], lo[integer])
    assert e <= 1, where
