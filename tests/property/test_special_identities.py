"""Identities and inequalities that hold for every order and argument, each within the certified bounds of its terms."""

import math

import mpmath
import numpy as np
import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from helpers.bessel import oracle
from helpers.bessel.functions import call, same_bits

EPS = 2.0**-53
# Orders on a grid of 2^-10, so that v - 1, v + 1, 2v are exact; arguments over the whole range that matters.
grid_orders = st.one_of(
    st.integers(0, 60 * 1024), st.integers(0, 10**6 * 1024), st.integers(0, 120).map(lambda k: 512 * k)
).map(lambda k: k / 1024)
orders = st.one_of(st.floats(0, 60), st.floats(0, 1e6), st.floats(0, 1e300), grid_orders)
arguments = st.one_of(
    st.floats(1e-3, 60), st.floats(-6, 7).map(lambda e: 10.0**e), st.floats(5e-324, 1e300, exclude_min=False)
)
moderate = st.one_of(st.floats(1e-3, 60), st.floats(-4, 6).map(lambda e: 10.0**e))


def certified(kind, v, x):
    value, bound = call(f"log_{kind}v_certified", v, x)
    assert math.isfinite(value) and math.isfinite(bound)
    return float(value), float(bound)


def logaddexp(a, b):
    m = max(a, b)
    return m + math.log1p(math.exp(min(a, b) - m))


@given(grid_orders, moderate)
def test_wronskian(v, x):
    """x (I_v K_{v+1} + I_{v+1} K_v) = 1."""
    (i0, a), (i1, b) = certified("i", v, x), certified("i", v + 1, x)
    (k0, c), (k1, d) = certified("k", v, x), certified("k", v + 1, x)
    left = math.log(x) + logaddexp(i0 + k1, i1 + k0)
    size = abs(i0) + abs(i1) + abs(k0) + abs(k1) + abs(math.log(x)) + 1
    assert abs(left) <= max(a + d, b + c) + 4 * EPS * size


@given(grid_orders, moderate)
def test_three_term_recurrence_of_i(v, x):
    """I_{v-1} = I_{v+1} + (2v/x) I_v: all terms positive."""
    assume(v >= 1)
    (left, a), (mid, b), (right, c) = (certified("i", v + j, x) for j in (-1, 0, 1))
    step = math.log(2 * v) - math.log(x)
    both = logaddexp(right, step + mid)
    assert abs(left - both) <= a + max(b, c) + 4 * EPS * (abs(left) + abs(mid) + abs(right) + abs(step) + 1)


@given(grid_orders, moderate)
def test_three_term_recurrence_of_k(v, x):
    """K_{v+1} = K_{v-1} + (2v/x) K_v, through v = 0 too."""
    assume(v > 0)
    (left, a), (mid, b), (right, c) = (certified("k", v + j, x) for j in (1, 0, -1))
    step = math.log(2 * v) - math.log(x)
    both = logaddexp(right, step + mid)
    assert abs(left - both) <= a + max(b, c) + 4 * EPS * (abs(left) + abs(mid) + abs(right) + abs(step) + 1)


@given(orders, orders, arguments)
def test_monotone_in_the_order(v1, v2, x):
    """I falls and K grows with v."""
    v1, v2 = sorted((v1, v2))
    (i1, a), (i2, b) = certified("i", v1, x), certified("i", v2, x)
    (k1, c), (k2, d) = certified("k", v1, x), certified("k", v2, x)
    assert i2 - i1 <= a + b
    assert k1 - k2 <= c + d


@given(orders, arguments, arguments)
def test_monotone_in_the_argument(v, x1, x2):
    """I grows and K falls with x."""
    x1, x2 = sorted((x1, x2))
    (i1, a), (i2, b) = certified("i", v, x1), certified("i", v, x2)
    (k1, c), (k2, d) = certified("k", v, x1), certified("k", v, x2)
    assert i1 - i2 <= a + b
    assert k2 - k1 <= c + d


@given(orders, arguments)
def test_gradient_signs(v, x):
    """d/dv: I falls, K grows; d/dx: I grows, K falls; and K is even, so its order derivative is odd."""
    dv, dx = call("log_iv_grad", v, x)
    assert dv <= 1e-13 and dx >= 0
    kv, kx = call("log_kv_grad", v, x)
    assert kv >= 0 and kx <= 0
    mv, mx = call("log_kv_grad", -v, x)
    assert mv == -kv and mx == kx


@given(orders, arguments)
def test_pairs_and_evenness(v, x):
    i, k = call("log_ivk", v, x)
    assert same_bits(i, call("log_iv", v, x)[0])
    assert same_bits(k, call("log_kv", v, x)[0])
    assert same_bits(k, call("log_kv", -v, x)[0])
    assert same_bits(call("log_kve", v, x)[0], call("log_kve", -v, x)[0])
    value, sign = call("log_abs_iv", v, x)
    assert sign == 1
    assert same_bits(value, i)


@given(orders, arguments)
@example(0.0, 1e300)
@example(5e-324, 5e-324)
def test_scaled_forms(v, x):
    """log_ive = log_iv - x and log_kve = log_kv + x, within bounds."""
    for kind, s in (("i", -1), ("k", 1)):
        L, bound = certified(kind, v, x)
        got = float(call(f"log_{kind}ve", v, x)[0])
        shift = L + s * x
        assert abs(got - shift) <= bound + oracle.allowed(v, x, got) + EPS * abs(shift)


@given(st.one_of(st.floats(0.5, 60), st.floats(0.5, 1e6)), moderate)
def test_amos_bounds(v, x):
    """x/(v - 1/2 + hypot(x, v + 1/2)) <= I_v/I_{v-1} <= x/(v - 1/2 + hypot(x, v - 1/2)), v >= 1/2."""
    r = float(call("iv_ratio", v, x)[0])
    low = x / (v - 0.5 + math.hypot(x, v + 0.5))
    high = x / (v - 0.5 + math.hypot(x, v - 0.5)) if v > 0.5 else 1.0
    assert low * (1 - 5.5e-15) <= r <= high * (1 + 5.5e-15)


@given(st.one_of(st.floats(0.5, 60), st.floats(0.5, 1e6)), moderate)
def test_ratio_and_its_complement(v, x):
    r, c = float(call("iv_ratio", v, x)[0]), float(call("iv_ratio_c", v, x)[0])
    assert 0 <= r <= 1 and 0 <= c <= 1
    assert abs((r - 1) + c) <= 5.5e-15 * r + 5e-14 * c


@given(grid_orders, moderate)
def test_ratio_of_logs(v, x):
    """The ratios are exp of a difference of logs, as far as that difference is known."""
    assume(v >= 1)
    for kind in "ik":
        (a, ba), (b, bb) = certified(kind, v, x), certified(kind, v - 1, x)
        r = float(call(f"{kind}v_ratio", v, x)[0])
        assume(r > 0)
        assert abs(math.log(r) - (a - b)) <= ba + bb + 6e-15 + 2 * EPS * (abs(a - b) + 1)


@given(st.one_of(st.floats(0.5, 60), st.floats(0.5, 1e6)), st.floats(0, 1))
def test_inverse_ratio(v, r):
    """iv_ratio(v, iv_ratio_inv(v, r)) = r, and the inverse grows with r."""
    x = float(call("iv_ratio_inv", v, r)[0])
    assert x >= 0
    assume(0 < x < math.inf)
    assert abs(float(call("iv_ratio", v, x)[0]) - r) <= 1.6e-14 * r
    more = float(call("iv_ratio_inv", v, min(1.0, r * 1.001))[0])
    assert more >= x


@pytest.mark.parametrize("kind", ["i", "k", "-i"])
@given(n=st.integers(0, 40), x=st.one_of(st.floats(1e-3, 60), st.floats(-3, 4).map(lambda e: 10.0**e)))
def test_half_integer_closed_forms(kind, n, x):
    """K_{n+1/2} = sqrt(pi/2x) e^-x sum a_k/(2x)^k, a_k = (n+k)!/(k!(n-k)!), and the same with both exponentials for I."""
    v = n + 0.5
    with mpmath.workdps(40 + 3 * n + int(4 * n * max(0, -math.log10(x)))):
        X = mpmath.mpf(x)
        terms = [
            mpmath.factorial(n + k) / (mpmath.factorial(k) * mpmath.factorial(n - k)) / (2 * X) ** k
            for k in range(n + 1)
        ]
        plain, alternating = mpmath.fsum(terms), mpmath.fsum((-1) ** k * t for k, t in enumerate(terms))
        if kind == "k":
            true = mpmath.sqrt(mpmath.pi / (2 * X)) * mpmath.exp(-X) * plain
        else:
            s = (-1) ** (n + 1) * (1 if kind == "i" else -1)
            true = (mpmath.exp(X) * alternating + s * mpmath.exp(-X) * plain) / mpmath.sqrt(2 * mpmath.pi * X)
        sign, log = int(mpmath.sign(true)), mpmath.log(abs(true))
        hi = float(log)
        lo = float(log - hi)
    if kind == "-i":
        value, got_sign = call("log_abs_iv", -v, x)
        certified_value, bound = call("log_iv_certified", -v, x)
        if math.isinf(bound):
            return  # beside a zero
        assert got_sign == sign
        if sign > 0:
            assert abs((certified_value - hi) - lo) <= bound
            assert value == certified_value
    else:
        value, bound = certified(kind, v, x)
        assert abs((value - hi) - lo) <= min(bound, 5e-15 * max(1, abs(hi)))


@given(st.lists(st.tuples(orders, arguments), min_size=1, max_size=70), st.randoms(use_true_random=False))
def test_order_of_the_points(points, random):
    """Permuting the points permutes the results, bit for bit."""
    v, x = np.array(points).T
    order = np.array(random.sample(range(len(v)), len(v)))
    for name in ("log_ivk", "log_iv_grad", "log_kv_grad", "log_iv_certified", "log_kv_certified"):
        for a, b in zip(call(name, v, x), call(name, v[order], x[order]), strict=True):
            assert same_bits(a[order], b)
