"""Proxes: known values, the definition of a projection, hard inputs, bad inputs."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.optimize import brentq, minimize

from solvent.monotone import L1, Box, DROLogistic, L2Ball, NonNegative, Product, SecondOrderCone, Simplex


def weights(rho, n):
    """The prox of DROLogistic's weights alone."""
    return DROLogistic(np.ones((n, 1)), np.ones(n), rho).prox.parts[1][0]


def sorted_simplex(v, total):
    """Projection by sorting, in long double."""
    s = np.sort(np.asarray(v, dtype=np.longdouble))[::-1]
    sums = np.cumsum(s) - np.longdouble(total)
    k = np.nonzero(s - sums / np.arange(1, s.size + 1) > 0)[0][-1]
    return np.maximum(np.asarray(v, dtype=np.longdouble) - sums[k] / (k + 1), 0)


@pytest.mark.parametrize("d", [1, 2, 7, 100, 3000])
@pytest.mark.parametrize("total", [1.0, 1e-3, 50.0])
def test_simplex_agrees_with_sorting_in_long_double(rng, d, total):
    for v in (
        rng.normal(size=d),
        rng.integers(-2, 3, d).astype(float),
        1e5 * rng.normal(size=d),
        np.zeros(d),
    ):
        ours, exact = Simplex(total)(v), sorted_simplex(v, total)
        # The oracle's own difference v - theta loses what 11 more bits cannot keep.
        assert np.abs(ours - exact).max() <= 4 * np.spacing(total) + 4e-19 * np.abs(v).max()
        assert (ours >= 0).all() and abs(np.sum(ours.astype(np.longdouble)) - total) <= d * np.spacing(total)


def test_simplex_on_ties_huge_numbers_and_size_one():
    assert_array_equal(Simplex()(np.full(8, 3.5)), np.full(8, 0.125))
    assert_array_equal(Simplex()([1e308, -1e308, 1e308]), [0.5, 0.0, 0.5])
    assert_array_equal(Simplex(2.0)([-7.0]), [2.0])
    assert_array_equal(Simplex()([1e16, 1e16 + 2]), [0.0, 1.0])
    assert np.isnan(Simplex()([np.nan, 1.0])).all()


def test_box():
    v = np.array([-2.0, 0.5, 9.0])
    assert_array_equal(Box(-1.0, [0.0, 1.0, np.inf])(v), [-1.0, 0.5, 9.0])
    assert_array_equal(Box(-np.inf, np.inf)(v), v)
    assert np.isnan(Box(0, 1)([np.nan, 2.0])[0])
    assert Box(0.0, 1.0).distance(v) == pytest.approx(np.hypot(2, 8))
    assert_array_equal(NonNegative()(v), [0.0, 0.5, 9.0])


def test_l1_is_soft_thresholding():
    assert_array_equal(L1([1.0, 2.0, 0.0])([3.0, -3.0, -3.0], 0.5), [2.5, -2.0, -3.0])
    assert L1(1.0).distance([5.0, 6.0]) == 0.0


@pytest.mark.parametrize("scale", [1.0, 1e200, 1e-200])
def test_ball_and_cone_at_every_scale(rng, scale):
    v = scale * rng.normal(size=6)
    norm = np.linalg.norm(v / scale) * scale
    radius = 0.3 * norm
    assert_allclose(L2Ball(radius)(v), v * 0.3, rtol=1e-14)
    centered = L2Ball(radius, center=v)(v + 0.1 * radius * np.eye(6)[0])
    assert_allclose(centered, v + 0.1 * radius * np.eye(6)[0], rtol=1e-14)
    s, x = v[0], v[1:]
    size = np.linalg.norm(x / scale) * scale
    half = 0.5 * (s + size)
    expected = v if size <= s else np.zeros(6) if size <= -s else np.r_[half, half * (x / size)]
    assert_allclose(SecondOrderCone()(v), expected, rtol=1e-13)


@pytest.mark.parametrize("rho", [0.0, 0.01, 0.1, 0.4, 1.5])
def test_weights_against_a_multiplier_search(rng, rho):
    """The projection is that of s v on the simplex, s in (0, 1]: found here by bracketing, with the sorting oracle."""
    for n in (2, 5, 60):
        v = rng.normal(size=n)
        q = weights(rho, n)(v)

        def at(s, v=v):
            return np.asarray(sorted_simplex(s * v, 1.0), dtype=float)

        def excess(s, n=n, at=at):
            return np.linalg.norm(at(s) - 1 / n) - rho

        s = 1.0 if excess(1.0) <= 0 else 0.0 if rho == 0 else brentq(excess, 1e-12, 1.0, xtol=1e-15)
        assert_allclose(q, at(s), atol=1e-11)
        assert abs(q.sum() - 1) < 1e-14 and np.linalg.norm(q - 1 / n) <= rho + 1e-14


def test_projection_against_a_quadratic_program(rng):
    """Nearest point, by SLSQP."""
    v = rng.normal(size=4)
    found = minimize(
        lambda x: ((x - v) ** 2).sum(),
        np.full(4, 0.25),
        jac=lambda x: 2 * (x - v),
        constraints=[{"type": "eq", "fun": lambda x: x.sum() - 1}],
        bounds=[(0, None)] * 4,
        method="SLSQP",
        options={"ftol": 1e-15},
    )
    assert_allclose(Simplex()(v), found.x, atol=1e-7)


def test_product_is_its_parts(rng):
    v = rng.normal(size=9)
    parts = Product([(Simplex(2.0), 3), (None, 2), (SecondOrderCone(), 3), (L1(0.5), 1), (NonNegative(), 0)])
    expected = np.r_[Simplex(2.0)(v[:3]), v[3:5], SecondOrderCone()(v[5:8]), L1(0.5)(v[8:], 2.0)]
    assert_array_equal(parts(v, 2.0), expected)
    distances = [Simplex(2.0).distance(v[:3]), SecondOrderCone().distance(v[5:8])]
    assert parts.distance(v) == pytest.approx(np.hypot(*distances))


def test_out_dtype_and_foreign_arrays():
    torch = pytest.importorskip("torch")
    v = np.array([2.0, -1.0], dtype=np.float32)
    assert NonNegative()(v).dtype == np.float32
    out = np.empty(2)
    assert NonNegative()(v, out=out) is out and out[0] == 2.0
    assert isinstance(Simplex()(torch.tensor([0.0, 5.0])), torch.Tensor)


@pytest.mark.parametrize(
    ("call", "kind", "message"),
    [
        (lambda: Box(1.0, 0.0), ValueError, r"lo\[0\] = 1.0 > hi\[0\] = 0.0; expected lo <= hi"),
        (lambda: Box([0.0, np.nan], 1.0), ValueError, r"lo\[1\] is nan; expected no nan"),
        (lambda: Box([0.0, 1.0], [1.0, 2.0, 3.0]), ValueError, r"hi has shape \(3,\) but lo has 2 entries"),
        (lambda: Box(np.inf, np.inf), ValueError, r"lo\[0\] is inf; expected < inf"),
        (lambda: Simplex(0.0), ValueError, "total = 0.0; expected a finite number > 0"),
        (lambda: L1([-1.0]), ValueError, r"weight\[0\] is -1.0; expected weights >= 0"),
        (lambda: L2Ball(-1), ValueError, "radius = -1; expected a finite number >= 0"),
        (lambda: L2Ball(1, center=3.0), ValueError, "center = 3.0; expected 0 or a vector"),
        (lambda: Product([(Simplex(), 2)])([1.0]), ValueError, "sizes of the product sum to 2"),
        (lambda: Product([(len, 2)]), TypeError, "expected a prox of solvent.monotone or None"),
        (lambda: Box([0.0, 0.0], 1.0)([1.0]), ValueError, "v has 1 coordinates but Box"),
        (lambda: Simplex()([[1.0]]), ValueError, r"v has shape \(1, 1\); expected 1 dimension"),
        (lambda: Simplex()([1j]), TypeError, "v has dtype complex128"),
        (lambda: L1(1.0)([1.0], -1.0), ValueError, "t = -1.0; expected a finite number >= 0"),
        (lambda: Simplex()([1.0], out=np.empty(3)), ValueError, r"out has shape \(3,\)"),
    ],
)
def test_bad_input(call, kind, message):
    with pytest.raises(kind, match=message):
        call()
