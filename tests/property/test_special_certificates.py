"""Hypothesis hunts for a point where an error bound is below the true error, guided by error / bound."""

import math

import numpy as np
import pytest
from hypothesis import assume, given, settings, target
from hypothesis import strategies as st

from helpers.bessel import oracle
from helpers.bessel.functions import call

MOST = settings.get_profile("solvent").max_examples * 2
orders = st.one_of(
    st.floats(0, 30),
    st.floats(0, 3000),
    st.integers(0, 60).flatmap(
        lambda k: st.integers(-40, 40).map(lambda u: abs(k / 2 + u * math.ulp(max(k / 2, 0.1))))
    ),
    st.floats(0, 1e300),
)
arguments = st.one_of(
    st.floats(1e-6, 30),
    st.floats(1e-3, 3000),
    st.sampled_from([1.0, 2.9, 4.0, 8.5, 10.0, 25.0]).flatmap(
        lambda s: st.integers(-8, 8).map(lambda u: s + u * math.ulp(s))
    ),
    st.floats(5e-324, 1e300),
)


@pytest.mark.parametrize("kind", ["i", "k"])
@settings(max_examples=MOST)
@given(v=orders, x=arguments)
def test_bound_covers_error(kind, v, x):
    value, bound = call(f"log_{kind}v_certified", v, x)
    hi, lo, _ = oracle.log_bessel(kind, v, x)
    assume(math.isfinite(hi))
    error = abs((float(value) - hi) - lo)
    if bound > 0:
        target(error / float(bound), label="error / bound")
    assert error <= bound, (
        f"v={v!r} x={x!r} value={value!r} true={hi!r}+{lo!r} error={error:.3e} bound={bound:.3e}"
    )
    assert bound <= 400 * oracle.EPS * oracle.scale(v, x, hi), (
        f"v={v!r} x={x!r} bound={bound:.3e} |L|={abs(hi)!r}"
    )


@pytest.mark.parametrize("kind", ["i", "k"])
@settings(max_examples=MOST)
@given(w=st.floats(0, 12), offset=st.integers(-2000, 2000))
def test_bound_on_the_zero_curve(kind, w, offset):
    """On log I = 0 or log K = 0 nothing of the value is left: the bound must be about the parts."""
    v = 10.0**w / 8
    s = 1 if kind == "i" else -1
    lo, hi = 1e-3 * v, 3 * v + 3
    for _ in range(64):  # bisection with the function itself: only a place to look at
        x = 0.5 * (lo + hi)
        if s * float(call(f"log_{kind}v", v, x)[0]) < 0:
            lo = x
        else:
            hi = x
    x = lo + offset * math.ulp(lo)
    value, bound = call(f"log_{kind}v_certified", v, x)
    true, rest, _ = oracle.log_bessel(kind, v, x)
    error = abs((float(value) - true) - rest)
    target(error / float(bound), label="error / bound")
    assert error <= bound, (
        f"v={v!r} x={x!r} value={value!r} true={true!r} error={error:.3e} bound={bound:.3e}"
    )
    assert error <= 5e-15


@settings(max_examples=MOST)
@given(m=st.one_of(st.floats(0.01, 40), st.floats(0.01, 400)), x=st.floats(1e-3, 60))
def test_bound_at_negative_orders(m, x):
    value, bound = call("log_iv_certified", -m, x)
    hi, lo, sign = oracle.log_bessel("i", -m, x)
    assume(sign)
    if np.isposinf(bound):
        return
    assert np.isnan(value) == (sign < 0), f"v={-m!r} x={x!r} value={value!r} sign={sign}"
    if sign > 0:
        error = abs((float(value) - hi) - lo)
        target(error / float(bound), label="error / bound")
        assert error <= bound, (
            f"v={-m!r} x={x!r} value={value!r} true={hi!r} error={error:.3e} bound={bound:.3e}"
        )
