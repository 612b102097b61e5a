"""Across every seam between branches a step of one ulp moves the result by less than the two error bounds."""

import numpy as np
import pytest

from helpers.bessel import regions
from helpers.bessel.functions import call


def check(kind, v0, x0, v1, x1):
    a, ba = call(f"log_{kind}v_certified", v0, x0)
    b, bb = call(f"log_{kind}v_certified", v1, x1)
    dv, dx = call(f"log_{kind}v_grad", v0, x0)
    true_step = np.abs(dv * (v1 - v0)) + np.abs(dx * (x1 - x0))
    jump = np.abs(a - b) - 1.01 * true_step
    k = int(np.argmax(jump - ba - bb))
    assert jump[k] <= ba[k] + bb[k], (
        f"({v0[k]!r}, {x0[k]!r}) -> ({v1[k]!r}, {x1[k]!r}): {a[k]!r} -> {b[k]!r}, bounds {ba[k]:.2e}"
    )


@pytest.mark.parametrize("kind", ["i", "k"])
@pytest.mark.parametrize("w", regions.W_SEAMS)
def test_w(kind, w, rng):
    """hypot(v, x) = w is crossed in steps of one ulp of x and of v: the branch changes somewhere on the way."""
    th = np.concatenate([rng.uniform(0, np.pi / 2, 200), [0.0, 1e-9, np.pi / 2 - 1e-9]])
    v, x = w * np.sin(th), w * np.cos(th)
    x = np.maximum(x, 1e-12 * w)
    for _ in range(3):
        v, x = np.nextafter(v, 0), np.nextafter(x, 0)
    for _ in range(6):
        right, up = np.nextafter(x, np.inf), np.nextafter(v, np.inf)
        check(kind, v, x, v, right)
        check(kind, v, x, up, x)
        v, x = up, right


@pytest.mark.parametrize("kind", ["i", "k"])
@pytest.mark.parametrize("seam", regions.X_SEAMS)
def test_x(kind, seam, rng):
    v = np.concatenate([rng.uniform(0, 26, 200), np.arange(0, 26, 0.5)])
    x = np.full_like(v, seam)
    x = np.nextafter(np.nextafter(x, 0), 0)
    for _ in range(4):
        right = np.nextafter(x, np.inf)
        check(kind, v, x, v, right)
        x = right


@pytest.mark.parametrize("kind", ["i", "k"])
def test_half_integer_orders(kind, rng):
    """n = floor(v + 1/2) changes at half-integers, lgamma's branch at 2, and reflection begins below 0."""
    v = np.repeat(np.arange(0.5, 25.5, 0.5), 12)
    x = regions.log_uniform(rng, 1e-3, 25, len(v))
    v = np.nextafter(np.nextafter(v, 0), 0)
    for _ in range(4):
        up = np.nextafter(v, np.inf)
        check(kind, v, x, up, x)
        v = up


def test_zero_order(rng):
    """From v = 0 to the smallest orders on both sides of it."""
    x = regions.log_uniform(rng, 1e-3, 1e3, 60)
    zero = np.zeros_like(x)
    for tiny in (5e-324, 1e-300, 1e-30):
        for kind in "ik":
            check(kind, zero, x, zero + tiny, x)
        a, b = call("log_iv_certified", zero - tiny, x)
        c, d = call("log_iv_certified", zero, x)
        # d/dv log I at 0 is -K_0/I_0
        step = tiny * np.exp(call("log_kv", zero, x)[0] - call("log_iv", zero, x)[0])
        assert np.all(np.abs(a - c) <= b + d + 1.01 * step)
