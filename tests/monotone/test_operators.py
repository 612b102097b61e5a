"""Operators: values in long double, batches and differences, constants, kinds, bad input."""

import numpy as np
import pytest
import scipy.sparse as sp
from numpy.testing import assert_allclose, assert_array_equal

from solvent.monotone import (
    DROLogistic,
    FiniteSum,
    LogisticRegression,
    MatrixGame,
    Quadratic,
    solve_inclusion,
)


def logistic_components(A, b, reg, u):
    """F_i(u), one a row, in long double."""
    A, b, u = (np.asarray(x, dtype=np.longdouble) for x in (A, b, u))
    c = -b / (1 + np.exp(b * (A @ u)))
    return c[:, None] * A + reg * u


def dro_components(A, b, reg, u):
    n, d = A.shape
    A, b, u = (np.asarray(x, dtype=np.longdouble) for x in (A, b, u))
    t = b * (A @ u[:d])
    out = np.zeros((n, d + n), dtype=np.longdouble)
    out[:, :d] = (-b / (1 + np.exp(t)) * u[d:] * n)[:, None] * A + reg * u[:d]
    out[np.arange(n), d + np.arange(n)] = -n * (np.maximum(-t, 0) + np.log1p(np.exp(-np.abs(t))))
    return out


def game_components(M, u):
    n, m = M.shape
    N = max(n, m)
    out = np.zeros((N, n + m), dtype=np.longdouble)
    for k in range(N):
        if k < m:
            out[k, :n] = N * M[:, k].astype(np.longdouble) * u[n + k]
        if k < n:
            out[k, n:] = -N * M[k].astype(np.longdouble) * u[k]
    return out


def cases(rng):
    """Operators with all their components at a point."""
    A = rng.normal(size=(13, 5)) * 3
    b = rng.choice([-1.0, 1.0], 13)
    u = rng.normal(size=5)
    w = np.r_[u, rng.dirichlet(np.ones(13))]
    S = sp.random(17, 6, 0.4, format="csr", rng=rng)
    s = rng.choice([0, 1], 17)
    v = rng.normal(size=6)
    B, c = rng.normal(size=(7, 4, 4)), rng.normal(size=(7, 4))
    B = B - B.transpose(0, 2, 1) + np.eye(4)
    z = rng.normal(size=4)
    M = rng.normal(size=(5, 8))
    xy = rng.normal(size=13)
    return {
        "logistic": (LogisticRegression(A, b, 0.3), u, logistic_components(A, b, 0.3, u)),
        "sparse logistic": (LogisticRegression(S, s), v, logistic_components(S.toarray(), 2.0 * s - 1, 0, v)),
        "dro": (DROLogistic(A, b, 0.2, 0.1), w, dro_components(A, b, 0.1, w)),
        "quadratic": (Quadratic(B, c), z, np.einsum("nij,j->ni", B.astype(np.longdouble), z) + c),
        "game": (MatrixGame(M), xy, game_components(M, xy)),
        "sparse game": (MatrixGame(sp.csr_array(M.T)), xy, game_components(M.T, xy)),
    }


NAMES = ("logistic", "sparse logistic", "dro", "quadratic", "game", "sparse game")


@pytest.mark.parametrize("name", NAMES)
def test_values_batches_and_differences(rng, name):
    F, u, components = cases(rng)[name]
    scale = np.abs(components).max()
    assert len(components) == F.n and u.size == F.dim
    assert_allclose(F.full(u), components.mean(axis=0), atol=1e-14 * scale)
    assert_array_equal(F(u), F.full(u))
    idx = rng.integers(0, F.n, 6)
    assert_allclose(F.batch(u, idx), components[idx].mean(axis=0), atol=1e-14 * scale)
    v = u + 0.5 * rng.normal(size=u.size)
    exact = F.batch(u, idx) - F.batch(v, idx)
    assert_allclose(F.diff(u, v, idx), exact, atol=1e-13 * scale)
    assert_allclose(F.batch(u, np.arange(F.n)), F.full(u), atol=1e-14 * scale)


@pytest.mark.parametrize("name", NAMES)
def test_operators_are_monotone_and_lipschitz(rng, name):
    F, u, _ = cases(rng)[name]
    for _ in range(20):
        v = u + 10.0 ** rng.uniform(-3, 0) * rng.normal(size=u.size)
        if name == "dro":  # monotone where the weights are some
            v[5:] = rng.dirichlet(np.ones(13))
        change, step = F(u) - F(v), u - v
        size = np.linalg.norm(change) * np.linalg.norm(step)
        assert change @ step >= -1e-9 * size
        if name != "dro":  # whose constant is that near the uniform weights
            assert np.linalg.norm(change) <= 1.0001 * F.L * np.linalg.norm(step)
        if F.kind != "monotone":
            assert change @ step >= 0.999 * (change @ change) / F.L - 1e-12 * size
    assert F.L_avg >= 0.99 * F.L


def test_constants_of_known_matrices(rng):
    A = rng.normal(size=(300, 12)) * np.logspace(0, -2, 12)
    b = rng.choice([-1, 1], 300)
    F = LogisticRegression(A, b, reg=0.01)
    exact = np.linalg.norm(A, 2) ** 2 / 1200 + 0.01
    assert exact * 0.99 <= F.L <= 1.02 * exact
    average = np.sqrt(np.mean((0.25 * (A**2).sum(1) + 0.01) ** 2))
    assert F.L_avg == pytest.approx(average)
    M = rng.normal(size=(40, 30))
    assert abs(MatrixGame(M).L / np.linalg.norm(M, 2) - 1) < 0.03


def test_kinds():
    rotation = np.array([[0.0, 1.0], [-1.0, 0.0]])
    assert Quadratic(np.eye(2)).kind == "gradient"
    assert Quadratic(rotation).kind == "monotone"
    tilted = Quadratic(np.eye(2) + rotation)
    assert tilted.kind == "cocoercive" and abs(tilted.L - 2) < 1e-12
    assert Quadratic([np.eye(2) + rotation, np.eye(2) - rotation]).kind == "cocoercive"
    assert Quadratic([[0.0]]).kind == "gradient"


@pytest.mark.parametrize("unit", [1e-290, 1e-160, 1e160, 1e290])
def test_units_of_matrices_do_not_matter(unit):
    turn = np.array([[0.0, 1.0, 0.0], [-1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
    assert Quadratic(unit * np.eye(3)).kind == "gradient"
    F = Quadratic(np.stack([unit * turn, 3 * unit * turn]), np.ones((2, 3)))
    assert F.kind == "monotone"
    assert_allclose([F.L / unit, F.L_avg / unit], [2, np.sqrt(5)], rtol=1e-12)
    result = solve_inclusion(F, x0=np.zeros(3))
    assert result.success
    assert_allclose(unit * (2 * turn @ result.x), -np.ones(3), atol=1e-5)


def test_sums_that_overflow_are_told():
    with pytest.raises(
        ValueError, match=r"Q has entries up to 1e\+308; expected entries whose sums are finite"
    ):
        Quadratic(np.full((4, 3, 3), 1e308))


def test_extreme_margins_neither_overflow_nor_vanish():
    F = LogisticRegression([[1e4], [-1e4]], [1, 1])
    assert_allclose(F([1.0]), [5e3])
    G = DROLogistic([[1e4], [-1e4]], [1, 1], 1.0)
    assert_allclose(G([1.0, 0.5, 0.5]), [5e3, 0.0, -1e4])


def test_layouts_give_the_same_bits(rng):
    A, b = rng.normal(size=(50, 7)), rng.choice([-1.0, 1.0], 50)
    u = rng.normal(size=7)
    plain = LogisticRegression(A, b)(u)
    wide = np.zeros((50, 14))
    wide[:, ::2] = A
    for same in (np.asfortranarray(A), wide[:, ::2]):
        assert_array_equal(LogisticRegression(same, b)(u), plain)
    torch = pytest.importorskip("torch")
    assert_array_equal(LogisticRegression(torch.tensor(A), torch.tensor(b))(u), plain)


def nothing(u):
    return u


@pytest.mark.parametrize(
    ("call", "kind", "message"),
    [
        (
            lambda: LogisticRegression([[np.nan]], [1]),
            ValueError,
            r"A\[0, 0\] is nan; expected finite values",
        ),
        (lambda: LogisticRegression([[1.0]], [2]), ValueError, r"b\[0\] is 2.0; expected labels -1 and 1"),
        (
            lambda: LogisticRegression([[1.0], [1.0]], [0, -1]),
            ValueError,
            r"b\[1\] is -1.0; expected labels 0",
        ),
        (lambda: LogisticRegression([[1.0]], [1, 1]), ValueError, r"b has shape \(2,\) but A has 1 row"),
        (lambda: LogisticRegression([[1j]], [1]), TypeError, "A has dtype complex128"),
        (
            lambda: LogisticRegression([[1.0]], [1], reg=-1),
            ValueError,
            "reg = -1; expected a finite number >= 0",
        ),
        (lambda: LogisticRegression([1.0], [1]), ValueError, r"A has shape \(1,\); expected \(n, m\)"),
        (
            lambda: LogisticRegression(sp.csr_array([[0.0, np.inf]]), [1]),
            ValueError,
            r"A\[0, 1\] is .*inf.*; expected finite values",
        ),
        (lambda: DROLogistic([[1.0]], [1], -0.1), ValueError, "rho = -0.1; expected a finite number >= 0"),
        (lambda: MatrixGame(np.empty((0, 3))), ValueError, r"M has shape \(0, 3\); expected \(n, m\)"),
        (lambda: MatrixGame([[np.inf]]), ValueError, r"M\[0, 0\] is inf; expected finite values"),
        (lambda: Quadratic([[1.0, 2.0]]), ValueError, r"Q has shape \(1, 2\); expected \(d, d\)"),
        (lambda: Quadratic([[1.0]], [1.0, 2.0]), ValueError, r"c has shape \(2,\) but Q has shape \(1, 1\)"),
        (
            lambda: Quadratic([[0.1, 0.0], [0.0, -0.3]]),
            ValueError,
            r"Quadratic: symmetric part has eigenvalue -0.3; the operator is not monotone",
        ),
        (lambda: FiniteSum(full=3), TypeError, "full = 3; expected a callable"),
        (lambda: FiniteSum(full=nothing, n=5), ValueError, "n = 5 without batch"),
        (lambda: FiniteSum(full=nothing, kind="convex"), ValueError, "kind = 'convex'; expected one of"),
        (lambda: FiniteSum(full=nothing, L=0.0), ValueError, "L = 0.0; expected a finite number > 0"),
        (lambda: MatrixGame([[1.0]]).full([1.0]), ValueError, r"u has shape \(1,\) but F has dim 2"),
        (
            lambda: MatrixGame([[1.0]]).batch([1.0, 0], [1]),
            ValueError,
            r"idx\[0\] is 1.0; expected 0 <= idx < 1",
        ),
        (lambda: MatrixGame([[1.0]]).batch([1.0, 0], []), ValueError, "expected .b,. integers"),
    ],
)
def test_bad_input(call, kind, message):
    with pytest.raises(kind, match=message):
        call()
