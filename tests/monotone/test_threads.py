"""The same bits for 1, 2 and 5 threads, from every entry point, on data that are shared out."""

import numpy as np
import pytest
import scipy.sparse as sp

import solvent
from helpers import inclusions as make
from solvent.monotone import (
    Box,
    DROLogistic,
    LogisticRegression,
    MatrixGame,
    Product,
    Quadratic,
    Simplex,
    fixed_point,
    linprog,
    linprog_batch,
    matrix_game,
    solve_inclusion,
)


def same(run, fields):
    """Runs with each number of threads and compares the bytes."""
    runs = [run(workers) for workers in (1, 2, 5)]
    for other in runs[1:]:
        for field in fields:
            assert np.asarray(other[field]).tobytes() == np.asarray(runs[0][field]).tobytes(), field
        assert other.nit == runs[0].nit and other.certificate == runs[0].certificate


@pytest.mark.parametrize("method", ["auto", "extragradient", "ogda", "halpern", "vr-halpern"])
@pytest.mark.parametrize("kind", ["dense", "sparse", "dro", "game", "tilted"])
def test_inclusions(kind, method, rng):
    n, d = 20_000, 8
    A, b = make.logistic(rng, n, d=d)
    if kind == "sparse":
        A = sp.csr_array(np.where(rng.random(A.shape) < 0.3, A, 0.0))
    F, G = {
        "dense": lambda: (LogisticRegression(A, b, 1e-3), Box(-1, 1)),
        "sparse": lambda: (LogisticRegression(A, b, 1e-3), None),
        "dro": lambda: (DROLogistic(A[:3000], b[:3000], 1e-2, 1e-3), None),
        "game": lambda: (
            MatrixGame(rng.normal(size=(300, 200))),
            Product([(Simplex(), 300), (Simplex(), 200)]),
        ),
        "tilted": lambda: (Quadratic(*make.tilted_sum(rng, 400)[:2]), None),
    }[kind]()
    same(
        lambda w: solve_inclusion(F, G, method=method, maxiter=12, tol=0, rng=3, workers=w), ("x", "residual")
    )


@pytest.mark.parametrize("method", ["ipm", "halpern"])
def test_games(method, rng):
    M = rng.normal(size=(300, 220))
    same(lambda w: matrix_game(M, method=method, maxiter=40, workers=w), ("x", "y", "value"))
    sparse = sp.random_array((900, 700), density=0.05, rng=rng, format="csr")
    if method == "halpern":
        same(lambda w: matrix_game(sparse, maxiter=40, workers=w), ("x", "y", "value"))


@pytest.mark.parametrize("polish", [True, False])
def test_linear_programs(polish, rng):
    m, n = 1500, 2500
    A = sp.random_array((m, n), density=0.03, rng=rng, format="csr")
    lc = A @ np.where(rng.random(n) < 0.3, 1.0, 0.0)
    same(
        lambda w: linprog(np.ones(n), A=A, lc=lc, maxiter=256, tol=1e-6, polish=polish, workers=w),
        ("x", "y", "reduced_costs"),
    )


def test_exact_steps(rng):
    A = rng.normal(size=(40, 60))
    b = A @ rng.random(60)
    c = A.T @ rng.normal(size=40) + rng.random(60)
    same(lambda w: linprog(c, A_eq=A, b_eq=b, tol=1e-12, polish=True, workers=w), ("x", "y", "fun"))


def test_batches(rng):
    A = sp.random_array((60, 90), density=0.2, rng=rng, format="csr")
    C, LC = rng.random((20, 90)) + 0.1, 0.3 * rng.random((20, 60))
    runs = [linprog_batch(C, A, LC, bounds=(0, 1), workers=w) for w in (1, 2, 5)]
    for other in runs[1:]:
        assert other.x.tobytes() == runs[0].x.tobytes() and other.y.tobytes() == runs[0].y.tobytes()


@pytest.mark.parametrize("method", ["auto", "halpern", "anderson"])
def test_fixed_points(method, rng):
    P = rng.dirichlet(np.ones(400), size=400)
    c = rng.random(400)

    def run(workers):
        with solvent.threads(workers):
            return fixed_point(lambda v: c + 0.9 * P @ v, np.zeros(400), method=method)

    same(run, ("x", "residual"))
