"""The behaviour table: special values, bad input, kinds of arrays.  `call` fails on any floating-point flag left behind."""

import re
import warnings

import numpy as np
import pytest

from helpers.bessel.functions import EVERY, ONE, TWO, arguments, call, same_bits
from solvent import special

INF, NAN = np.inf, np.nan
TINY = 1e-30  # representable in both dtypes, and small enough that every formula meets its limit


def rows(*groups):
    """(names, [(v, x, expected), ...]) flattened to one row a function."""
    return [(n, *row) for names, table in groups for n in names.split() for row in table]


LOG_I, LOG_K = "log_iv log_abs_iv log_iv_certified", "log_kv log_kv_certified"
VALUES = rows(
    # x = 0
    (
        LOG_I,
        [
            (0.0, 0.0, 0.0),
            (-0.0, 0.0, 0.0),
            (0.0, -0.0, 0.0),
            (TINY, 0.0, -INF),
            (0.5, 0.0, -INF),
            (1.0, 0.0, -INF),
        ],
    ),
    (LOG_I, [(1e6, 0.0, -INF), (-1.0, 0.0, -INF), (-2.0, 0.0, -INF), (-40.0, 0.0, -INF)]),
    (LOG_I, [(-0.5, 0.0, INF), (-2.5, 0.0, INF), (-0.25, 0.0, INF), (-10.25, 0.0, INF), (-0.5, -0.0, INF)]),
    ("log_iv log_iv_certified", [(-1.5, 0.0, NAN), (-3.25, 0.0, NAN), (-11.5, 0.0, NAN)]),
    ("log_abs_iv", [(-1.5, 0.0, INF), (-3.25, 0.0, INF), (-11.5, 0.0, INF)]),
    ("log_ive", [(0.0, 0.0, 0.0), (0.5, 0.0, -INF), (3.0, 0.0, -INF)]),
    (LOG_K + " log_kve", [(v, x, INF) for v in (0.0, 0.5, -0.5, 1.0, -7.0, 1e5) for x in (0.0, -0.0)]),
    ("iv_ratio", [(0.0, 0.0, INF), (TINY, 0.0, 0.0), (0.5, 0.0, 0.0), (1.0, 0.0, 0.0), (1e5, 0.0, 0.0)]),
    ("iv_ratio_c", [(0.0, 0.0, -INF), (TINY, 0.0, 1.0), (0.5, 0.0, 1.0), (1.0, 0.0, 1.0), (1e5, 0.0, 1.0)]),
    ("kv_ratio", [(0.75, 0.0, INF), (1.0, 0.0, INF), (1e5, 0.0, INF), (0.5, 0.0, 1.0), (0.25, 0.0, 0.0)]),
    ("kv_ratio", [(0.0, 0.0, 0.0), (-3.0, 0.0, 0.0)]),
    # x = +inf
    (LOG_I, [(v, INF, INF) for v in (0.0, 0.5, 3.0, 1e6, -1.0, -0.5, -1.5, -40.25)]),
    (LOG_K, [(v, INF, -INF) for v in (0.0, 0.5, 3.0, 1e6, -1.5)]),
    ("log_ive log_kve", [(v, INF, -INF) for v in (0.0, 0.5, 3.0, 1e6)]),
    ("iv_ratio kv_ratio", [(v, INF, 1.0) for v in (0.0, 0.5, 3.0, 1e6)]),
    ("kv_ratio", [(-3.0, INF, 1.0)]),
    ("iv_ratio_c", [(v, INF, 0.0) for v in (0.0, 0.5, 3.0, 1e6)]),
    # infinite orders
    (LOG_I, [(INF, x, -INF) for x in (TINY, 1.0, 1e6)]),
    (LOG_K, [(v, x, INF) for v in (INF, -INF) for x in (TINY, 1.0, 1e6)]),
    ("log_iv log_iv_certified log_abs_iv", [(-INF, x, NAN) for x in (TINY, 1.0, 1e6)]),
    (f"{LOG_I} {LOG_K} log_ive log_kve", [(INF, INF, NAN), (-INF, INF, NAN)]),
    # outside the domain
    ("iv_ratio iv_ratio_c", [(v, x, NAN) for v in (-TINY, -0.5, -3.0, -INF) for x in (0.0, 1.0, 50.0)]),
    ("iv_ratio_inv", [(v, r, NAN) for v in (0.0, 0.25, 0.499, -1.0) for r in (0.25, 0.9)]),
    (
        "iv_ratio_inv",
        [(v, r, NAN) for v in (0.5, 3.0, 1e4) for r in (-TINY, -1.0, 1.0 + 1e-6, 2.0, INF, -INF)],
    ),
    ("iv_ratio_inv", [(v, r, 0.0) for v in (0.5, 3.0, 1e4) for r in (0.0, -0.0)]),
    ("iv_ratio_inv", [(v, 1.0, INF) for v in (0.5, 3.0, 1e4)]),
)


@pytest.mark.parametrize("dtype", [np.float64, np.float32], ids=["f64", "f32"])
@pytest.mark.parametrize("name", EVERY)
def test_special_values(name, dtype):
    table = [(v, x, e) for n, v, x, e in VALUES if n == name]
    if not table:
        pytest.skip("only the rows common to all functions")
    v, x, expected = (np.array(c, dtype) for c in zip(*table, strict=True))
    got = call(name, v, x)[0]
    assert same_bits(got + dtype(0), expected + dtype(0)), [
        (table[k], float(got[k]))
        for k in range(len(v))
        if not np.array_equal(got[k], expected[k], equal_nan=True)
    ]
    for k in range(len(v)):  # the same, one at a time
        assert same_bits(np.asarray(call(name, v[k], x[k])[0]), got[k : k + 1][0])


@pytest.mark.parametrize("dtype", [np.float64, np.float32], ids=["f64", "f32"])
@pytest.mark.parametrize("name", EVERY)
def test_nan_and_negative_x(name, dtype):
    v = np.array([NAN, 0.5, NAN, NAN, NAN, 0.0, 1.5, 30.0], dtype)
    x = np.array([1.0, NAN, NAN, 0.0, INF, -1.0, -TINY, -INF], dtype)
    for out in call(name, v, x):
        assert out.dtype == dtype
        assert np.isnan(out).all()


@pytest.mark.parametrize("name", EVERY)
def test_special_values_disturb_no_neighbour(name, rng):
    """One special lane among ordinary ones, in every position of a vector and of its tail."""
    v, x = arguments(name, rng.uniform(0.5, 60, 37), rng.uniform(0.1, 60, 37))
    clean = call(name, v, x)
    for bad_v, bad_x in (
        (NAN, 1.0),
        (1.0, NAN),
        (1.0, -1.0),
        (2.0, 0.0),
        (2.0, INF),
        (INF, 2.0),
        (-1.5, 0.0),
        (-2.5, 3.0),
    ):
        for k in (0, 3, 7, 8, 31, 35, 36):
            a, b = v.copy(), x.copy()
            a[k], b[k] = bad_v, bad_x
            for got, ref in zip(call(name, a, b), clean, strict=True):
                assert same_bits(np.delete(got, k), np.delete(ref, k)), (bad_v, bad_x, k)


def test_signs_of_i():
    v = np.array([0.0, 0.0, 2.0, -2.0, -2.0, -1.5, -0.5, -1.5, -2.5, 3.0, -1.5, 7.0])
    x = np.array([0.0, 1.0, 0.0, 0.0, 1.0, 0.0, 0.0, 1e-3, 1e-3, 1e300, INF, INF])
    s = np.array([1.0, 1.0, 0.0, 0.0, 1.0, -1.0, 1.0, -1.0, 1.0, 1.0, 1.0, 1.0])
    value, sign = call("log_abs_iv", v, x)
    assert sign.tolist() == s.tolist()
    plain = call("log_iv", v, x)[0]
    assert np.array_equal(plain, np.where(s < 0, NAN, value), equal_nan=True)


def test_k_is_even(rng):
    v, x = rng.uniform(0, 200, 400), rng.uniform(0, 200, 400)
    for name in ("log_kv", "log_kve", "log_kv_certified"):
        for a, b in zip(call(name, v, x), call(name, -v, x), strict=True):
            assert same_bits(a, b)
    dv, dx = call("log_kv_grad", v, x)
    mv, mx = call("log_kv_grad", -v, x)
    assert np.array_equal(dv, -mv)
    assert same_bits(dx, mx)


def test_integer_orders_are_even_for_i(rng):
    v, x = rng.integers(0, 200, 400).astype(float), rng.uniform(0.01, 200, 400)
    for name in ("log_iv", "log_ive"):
        assert same_bits(call(name, -v, x)[0], call(name, v, x)[0])
    assert np.all(call("log_abs_iv", -v, x)[1] == 1)


@pytest.mark.parametrize("name", ["log_iv_certified", "log_kv_certified"])
def test_bound_of_exact_results(name):
    """An infinite value has bound 0, a nan has bound nan, a finite one a finite positive bound (v >= 0)."""
    v = np.array([0.0, 1.0, 3.0, 3.0, INF, 2.0, NAN, 2.0, 2.0, 40.0, 0.5])
    x = np.array([0.0, 0.0, 0.0, INF, 1.0, -1.0, 1.0, NAN, 3.0, 50.0, 5e-324])
    value, bound = call(name, v, x)
    assert np.array_equal(np.isnan(value), np.isnan(bound))
    assert np.all(bound[np.isinf(value)] == 0)
    finite = np.isfinite(value)
    assert np.all(np.isfinite(bound[finite]) & (bound[finite] >= 0))
    assert np.all(bound[finite & (value != 0)] > 0)


def test_gradient_limits():
    with np.errstate(all="raise"):
        dv, dx = special.log_iv_grad([0.0, 0.5, 3.0], [0.0, 0.0, 0.0])
    assert dx.tolist() == [0.0, INF, INF]
    assert not np.isfinite(dv).any()  # d/dv log I = log(x/2) - ... has no finite limit
    kv, kx = call("log_kv_grad", np.array([0.5, 3.0]), np.zeros(2))
    assert not np.isfinite(kv).any()
    assert not np.isfinite(kx).any()
    for name, slope in (("log_iv_grad", 1.0), ("log_kv_grad", -1.0)):
        dv, dx = call(name, np.array([0.0, 0.5, 30.0]), np.full(3, INF))
        assert np.all((dx == slope) | np.isnan(dx))
        assert np.all((dv == 0.0) | np.isnan(dv))
        dv, dx = call(name, np.array([NAN, 1.0, 1.0]), np.array([1.0, -1.0, NAN]))
        assert np.isnan(dv).all()
        assert np.isnan(dx).all()
    assert np.all(call("log_kv_grad", np.zeros(60), np.geomspace(1e-3, 1e3, 60))[0] == 0)  # K is even in v


def test_finite_at_huge_and_tiny():
    """Where the exact value is finite and fits, so is the result."""
    v = np.array([0.0, 0.5, 5e-324, 1e-300, 1e300, 1e300, 3.0, 1e154, 5e-324, 0.0, 1e305, 1e-310])
    x = np.array([1e300, 1e300, 5e-324, 1e-320, 1e300, 1e299, 5e-324, 1e155, 1.0, 1e308, 1e305, 1e308])
    for name in ("log_iv", "log_kv", "log_ive", "log_kve", "log_ivk", "log_iv_certified", "log_kv_certified"):
        for out in call(name, v, x):
            assert np.isfinite(out).all(), (
                name,
                [(a, b, c) for a, b, c in zip(v, x, out) if not np.isfinite(c)],
            )
    ratio = call("iv_ratio", v, x)[0]
    assert np.all((ratio >= 0) & np.isfinite(ratio))


@pytest.mark.parametrize("name", EVERY)
def test_no_warning(name):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        v = np.array([0.0, -1.5, NAN, INF, 1e300, 5e-324, 25.0])
        for x in (0.0, -1.0, NAN, INF, 1e300, 5e-324, 25.0):
            getattr(special, name)(v, x)


@pytest.mark.parametrize("name", EVERY)
def test_integers_and_bools_become_float64(name):
    v, x = np.array([1, 2, 3]), np.array([1, 0, 1]) if name == "iv_ratio_inv" else np.array([4, 5, 6])
    expected = call(name, v.astype(float), x.astype(float))
    for dtype in (np.int8, np.uint8, np.int16, np.int32, np.int64, np.uint64):
        for got, ref in zip(call(name, v.astype(dtype), x.astype(dtype)), expected, strict=True):
            assert same_bits(got, ref), dtype
    one = call(name, 1.0, 1.0)
    for args in ((True, True), (1, 1), (np.bool_(True), 1.0), (np.array(True), np.array(1, np.int8))):
        for got, ref in zip(call(name, *args), one, strict=True):
            assert np.asarray(got).dtype == np.float64
            assert same_bits(np.asarray(got), np.asarray(ref)), args
    lists = call(name, [1, 2, 3], x.tolist())
    for got, ref in zip(lists, expected, strict=True):
        assert same_bits(got, ref)


@pytest.mark.parametrize("name", EVERY)
def test_dtype_of_the_result(name):
    a, d = np.full(3, 1.5, np.float32), np.full(3, 0.75)
    for got in call(name, a, a * np.float32(0.5)):
        assert got.dtype == np.float32
    for args in ((a, d), (d, a), (d, d), (np.arange(1, 4), d)):
        for got in call(name, *args):
            assert got.dtype == np.float64
    for got in call(name, a, 0.5) + call(name, 1.5, a * np.float32(0.5)):  # Python scalars are weak
        assert got.dtype == np.float32
    for got in call(name, np.float32(1.5), np.float32(0.5)):
        assert got.dtype == np.float32
    for got in call(name, 1.5, 0.5):
        assert isinstance(got, np.float64)  # 0-d in, scalar out, as NumPy's own
    for got in call(name, a, a / 2, dtype=np.float64):
        assert got.dtype == np.float64


@pytest.mark.parametrize("name", EVERY)
@pytest.mark.parametrize(
    "bad",
    [
        1j,
        np.array([1 + 0j]),
        np.array([1.0, None], object),
        np.array([0.5], object),
        "one",
        np.array(["a"]),
        None,
    ],
    ids=["complex", "complex array", "None in array", "object", "str", "str array", "None"],
)
def test_wrong_kind_is_a_type_error(name, bad):
    f = getattr(special, name)
    with pytest.raises(TypeError):
        f(bad, 1.0)
    with pytest.raises(TypeError):
        f(1.0, bad)


@pytest.mark.parametrize("name", EVERY)
def test_misuse(name):
    f = getattr(special, name)
    with pytest.raises(ValueError, match=re.escape("could not be broadcast together")):
        f(np.ones(3), np.ones(4))
    with pytest.raises(ValueError, match=re.escape("broadcast")):
        f(np.ones((2, 3)), np.ones((3, 2)))
    nout = 2 if name in TWO else 1
    wrong = tuple(np.empty(3, np.int64) for _ in range(nout))
    with pytest.raises(TypeError):
        f(np.ones(3), np.full(3, 0.5), out=wrong if nout == 2 else wrong[0])
    short = tuple(np.empty(2) for _ in range(nout))
    with pytest.raises(ValueError, match="broadcast"):
        f(np.ones(3), np.full(3, 0.5), out=short if nout == 2 else short[0])
    with pytest.raises(TypeError):
        f(1.0)
    with pytest.raises(TypeError):
        f(1.0, 1.0, workers=2)
    frozen = tuple(np.empty(3) for _ in range(nout))
    for out in frozen:
        out.flags.writeable = False
    with pytest.raises(ValueError, match="read-only"):
        f(np.ones(3), np.full(3, 0.5), out=frozen if nout == 2 else frozen[0])


@pytest.mark.parametrize("name", ONE)
def test_out_and_where(name):
    v, x = arguments(name, np.array([0.5, 1.5, 30.0, 2.0]), np.array([0.5, 3.0, 40.0, 1e-3]))
    ref = call(name, v, x)[0]
    out = np.full(4, 7.0)
    assert call(name, v, x, out=out)[0] is out
    assert same_bits(out, ref)
    mask = np.array([True, False, True, False])
    out = np.full(4, 7.0)
    call(name, v, x, out=out, where=mask)
    assert same_bits(out, np.where(mask, ref, 7.0))
    wide = np.full((3, 4), 7.0)
    call(name, v, x, out=wide[1])
    assert same_bits(wide[1], ref)
    assert np.all(wide[[0, 2]] == 7)
    a = v.copy()
    call(name, a, x, out=a)  # overlap with an input
    assert same_bits(a, ref)
    b = x.copy()
    call(name, v, b, out=b)
    assert same_bits(b, ref)
    small = np.empty(4, np.float32)  # same kind: NumPy casts the result of the float64 loop
    call(name, v, x, out=small)
    assert same_bits(small, ref.astype(np.float32))


@pytest.mark.parametrize("name", TWO)
def test_out_and_where_of_pairs(name):
    v, x = np.array([0.5, 1.5, 30.0, 2.0]), np.array([0.5, 3.0, 40.0, 1e-3])
    ref = call(name, v, x)
    out = (np.full(4, 7.0), np.full(4, 7.0))
    got = call(name, v, x, out=out)
    assert got[0] is out[0] and got[1] is out[1]
    assert same_bits(out[0], ref[0]) and same_bits(out[1], ref[1])
    mask = np.array([True, False, True, False])
    out = (np.full(4, 7.0), np.full(4, 7.0))
    call(name, v, x, out=out, where=mask)
    for o, r in zip(out, ref, strict=True):
        assert same_bits(o, np.where(mask, r, 7.0))
    only = np.empty(4)
    got = call(name, v, x, out=(None, only))
    assert got[1] is only and same_bits(only, ref[1]) and same_bits(got[0], ref[0])
    a, b = v.copy(), x.copy()
    call(name, a, b, out=(b, a))  # both outputs over both inputs, crossed
    assert same_bits(b, ref[0]) and same_bits(a, ref[1])
