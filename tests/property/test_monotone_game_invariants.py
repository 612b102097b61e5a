"""Invariants of `solvent.monotone.matrix_game` on games of every kind."""

import numpy as np
from hypothesis import example, given
from hypothesis import strategies as st

from solvent.monotone import matrix_game

SEEDS = st.integers(0, 2**32 - 1)
SIZES = st.integers(1, 24)
KINDS = ["normal", "integers", "low rank", "repeated", "policeman", "signs", "offset"]


def game(rng, n, m, kind):
    i, j = np.ogrid[0:n, 0:m]
    return {
        "normal": lambda: rng.normal(size=(n, m)),
        "integers": lambda: rng.integers(-3, 4, (n, m)).astype(float),
        "low rank": lambda: rng.normal(size=(n, 2)) @ rng.normal(size=(2, m)),
        "repeated": lambda: rng.normal(size=(n, m))[rng.integers(0, n, n)][:, rng.integers(0, m, m)],
        "policeman": lambda: np.abs(rng.normal(size=(n, 1))) * (1 - np.exp(-0.8 * np.abs(i - j))),
        "signs": lambda: rng.choice([-1.0, 1.0], (n, m)),
        "offset": lambda: rng.normal(size=(n, m)) + 1e5,
    }[kind]()


def bracket(result):
    return result.certificate.parts["lower"], result.certificate.parts["upper"]


@given(SIZES, SIZES, st.sampled_from(KINDS), SEEDS)
@example(24, 24, "low rank", 0)
@example(24, 3, "policeman", 1)
@example(20, 20, "signs", 2)
def test_brackets_of_equivalent_games_meet(n, m, kind, seed):
    rng = np.random.default_rng(seed)
    M = game(rng, n, m, kind)
    size = np.abs(M).max() or 1.0
    base = matrix_game(M)
    assert base.success, base
    low, high = bracket(base)
    slack = 1e-15 * size

    def meets(result, move=lambda v: v):
        lower, upper = sorted(move(v) for v in bracket(result))
        return lower <= high + slack and low <= upper + slack

    rows, columns = rng.permutation(n), rng.permutation(m)
    assert meets(matrix_game(M[rows][:, columns]))
    assert meets(matrix_game(-M.T), lambda v: -v)
    assert meets(matrix_game(4.0 * M), lambda v: v / 4.0)
    assert meets(matrix_game(np.vstack([M, M[rng.integers(n)], M.max(axis=0) + 1.0])))
    assert meets(matrix_game(np.column_stack([M, M.min(axis=1) - 1.0])))


@given(SIZES, SIZES, st.sampled_from(KINDS), SEEDS)
def test_a_better_game_for_a_player_is_worth_no_less(n, m, kind, seed):
    rng = np.random.default_rng(seed)
    M = game(rng, n, m, kind)
    more = M + rng.random((n, m)) * (rng.random((n, m)) < 0.3)
    slack = 1e-15 * (np.abs(more).max() + 1.0)
    assert bracket(matrix_game(M))[0] <= bracket(matrix_game(more))[1] + slack


@given(st.integers(2, 20), st.sampled_from(KINDS), SEEDS)
def test_a_symmetric_game_is_worth_nothing(n, kind, seed):
    A = game(np.random.default_rng(seed), n, n, kind)
    result = matrix_game(A - A.T)
    lower, upper = bracket(result)
    assert result.success and lower <= 0 <= upper


@given(st.integers(2, 20), st.integers(2, 20), SEEDS)
def test_both_methods_bracket_one_value(n, m, seed):
    M = np.random.default_rng(seed).normal(size=(n, m))
    exact = matrix_game(M)
    first_order = matrix_game(M, method="halpern", polish=False, tol=1e-5)
    assert first_order.success
    low, high = bracket(first_order)
    assert low <= exact.value + 1e-15 and exact.value <= high + 1e-15
