"""`linprog_batch`: each program as if it were alone, and what belongs to the batch."""

import numpy as np
import pytest
import scipy.sparse as sp

from helpers.linear_programs import INF, kkt, with_optimum
from solvent.monotone import LPBatchResult, linprog, linprog_batch


def programs(rng, k, m=20, n=30):
    """Feasible and bounded programs with one matrix."""
    (_, A, _, _, _, _), _ = with_optimum(rng, m, n, density=0.4)
    A[0] = rng.normal(size=n)  # a long row
    x = rng.random((k, n))
    LC = x @ A.T - 0.1
    UC = np.where(rng.random((k, m)) < 0.5, INF, LC + 0.3)
    return rng.normal(size=(k, n)), A, LC, UC


@pytest.mark.parametrize("k", [1, 3, 8, 19])
def test_a_batch_has_the_bits_of_single_calls(k, rng):
    C, A, LC, UC = programs(rng, k)
    batch = linprog_batch(C, A, LC, UC, (0, 2))
    assert len(batch) == k and isinstance(batch, LPBatchResult)
    for i, result in enumerate(batch):
        single = linprog(C[i], A=A, lc=LC[i], uc=UC[i], bounds=(0, 2), presolve=False)
        assert result.x.tobytes() == single.x.tobytes() and result.y.tobytes() == single.y.tobytes()
        assert (result.nit, result.restarts, result.status) == (single.nit, single.restarts, single.status)
        assert result.certificate == single.certificate
        program = (C[i], A, LC[i], UC[i], np.zeros(30), np.full(30, 2.0))
        assert max(kkt(program, result.x, result.y)) <= result.certificate.bound <= 1e-6


def test_threads_and_long_tails_do_not_change_a_bit(rng):
    A = sp.random_array((300, 400), density=0.02, rng=rng, format="lil")
    A[5] = rng.normal(size=400)
    A = A.tocsr()
    C, LC = rng.random((20, 400)), rng.random((20, 300)) - 0.5
    runs = [linprog_batch(C, A, LC, bounds=(0, 1), tol=0, maxiter=200, workers=w) for w in (1, 2, 5)]
    assert all(run.x.tobytes() == runs[0].x.tobytes() for run in runs)
    single = linprog(C[7], A=A, lc=LC[7], bounds=(0, 1), tol=0, maxiter=200, presolve=False)
    assert single.x.tobytes() == runs[0].x[7].tobytes()


def test_fields_stack_and_limits_broadcast(rng):
    C, A, LC, _ = programs(rng, 4)
    batch = linprog_batch(C, A, LC[0], bounds=(0, 3))
    assert batch.x.shape == (4, 30) and batch.y.shape == (4, 20) and batch.fun.shape == (4,)
    assert batch.status.tolist() == [0] * 4 and (batch.bound <= 1e-6).all()
    other = linprog_batch(C[0], A, LC, bounds=(0, 3))
    assert len(other) == 4 and other[0].fun == batch[0].fun


def test_programs_of_a_batch_may_have_no_solution():
    C = np.array([[1.0, 1.0], [1.0, 1.0], [-1.0, 0.0]])
    UC = np.array([[2.0], [-1.0], [INF]])
    batch = linprog_batch(C, [[1.0, 1.0]], UC=UC)
    assert batch.status.tolist() == [0, 2, 3]


def test_a_stop_ends_all_and_programs_are_numbered(rng):
    C, A, LC, UC = programs(rng, 5)
    seen = []

    def stop(info):
        seen.append(info.index)
        if len(seen) == 3:
            raise StopIteration

    batch = linprog_batch(C, A, LC, UC, (0, 2), callback=stop, tol=0)
    assert seen == [0, 1, 2] and all(result.status_name == "interrupted" for result in batch)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: linprog_batch(np.ones((2, 3)), [[1, 1]], [0]), r"A has shape \(1, 2\) but C has 3 columns"),
        (lambda: linprog_batch(np.ones((2, 2)), [[1, 1]], [0, 1]), r"LC has shape \(1, 2\) but A has 1 rows"),
        (lambda: linprog_batch(np.ones((2, 2)), [[1, 1]], np.zeros((3, 1))), "C has 2 rows but there are 3"),
        (lambda: linprog_batch(np.ones(2), [[1, 1]], [2.0], [1.0]), r"LC\[0, 0\] = 2.0 > UC\[0, 0\] = 1.0"),
        (lambda: linprog_batch(np.ones(2), [[1, 1]], [INF]), r"LC\[0, 0\] is inf"),
        (lambda: linprog_batch([[1.0, np.nan]], [[1, 1]], [0]), r"C\[0, 1\] is nan"),
        (lambda: linprog_batch(np.ones((0, 2)), [[1, 1]]), r"C has shape \(0, 2\)"),
    ],
)
def test_bad_input_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
