"""Forbidden arcs (+inf costs): plans where there are any, a checked ray where there are none, and never a hang."""

import numpy as np
import pytest
from scipy.optimize import linprog

from solvent import ot


def feasible(C, a, b):
    """Whether a plan exists, by a linear program on the finite arcs; weights are integers."""
    rows, columns = np.nonzero(np.isfinite(C))
    if not len(rows):
        return False
    n, m = C.shape
    A = np.zeros((n + m, len(rows)))
    A[rows, np.arange(len(rows))] = 1
    A[n + columns, np.arange(len(rows))] = 1
    solved = linprog(np.zeros(len(rows)), A_eq=A, b_eq=np.concatenate([a, b]), method="highs")
    return solved.status == 0


def check_ray(C, a, b, result):
    u, v = result.ray
    sums = u[:, None] + v[None, :]
    assert (sums[np.isfinite(C)] <= 0).all()
    assert set(np.unique(u)) <= {0.0, 1.0} and set(np.unique(v)) <= {-1.0, 0.0}
    b = b * (a.sum() / b.sum())
    assert u @ a + v @ b == pytest.approx(result.certificate.parts["excess"], abs=1e-12 * a.sum())
    assert u @ a + v @ b > 0
    assert result.certificate.bound == np.inf and not result.success


def test_random_patterns(rng):
    seen = {True: 0, False: 0}
    for _ in range(60):
        n, m = rng.integers(2, 9, 2)
        C = np.where(rng.random((n, m)) < 0.45, rng.random((n, m)), np.inf)
        a = rng.integers(1, 5, n).astype(float)
        b = rng.multinomial(int(a.sum()) - m, np.ones(m) / m) + 1.0 if a.sum() > m else None
        if b is None or np.isinf(C).all(0).any() or np.isinf(C).all(1).any():
            continue
        possible = feasible(C, a, b)
        seen[possible] += 1
        result = ot.solve(C, a, b, reg=0.05, maxiter=3000)
        assert (result.status == "infeasible") == (not possible)
        if not possible:
            check_ray(C, a, b, result)
            assert "rows" in result.message
        else:
            assert result.ray is None and result.status == "converged", result.message
    assert min(seen.values()) > 2, seen


def test_nearly_infeasible(rng):
    # Row set {0, 1} has arcs into columns {0, 1} only.
    C = rng.random((4, 4))
    C[:2, 2:] = np.inf
    a = np.full(4, 0.25)
    for excess in (1e-3, 1e-6, 1e-9, 1e-12):
        for sign in (1, -1):
            b = np.array([0.25, 0.25 - sign * excess, 0.25, 0.25 + sign * excess])
            result = ot.solve(C, a, b, reg=0.05, maxiter=2000)
            if sign > 0:
                assert result.status == "infeasible"
                check_ray(C, a, b, result)
                assert result.certificate.parts["excess"] == pytest.approx(excess, rel=1e-3)
            else:
                assert result.status in {"converged", "stalled", "max_iterations", "rounding_floor"}
                assert result.status != "infeasible"


def test_exactly_tight_sets_end(rng):
    C = rng.random((4, 4))
    C[:2, 2:] = np.inf
    result = ot.solve(C, reg=0.05, maxiter=1500)
    # Every plan leaves the lower left block empty: the optimum is that of two problems side by side.
    assert result.status != "infeasible" and result.ray is None
    parts = [ot.solve(C[k : k + 2, k : k + 2], np.full(2, 0.25), np.full(2, 0.25), reg=0.05) for k in (0, 2)]
    linear = sum(part.cost for part in parts)
    assert result.cost == pytest.approx(linear, abs=1e-5)


def test_blocks(rng):
    C = np.full((30, 40), np.inf)
    C[:10, :15], C[10:, 15:] = rng.random((10, 15)), rng.random((20, 25))
    a, b = rng.dirichlet(np.ones(30)), rng.dirichlet(np.ones(40))
    b[:15] *= a[:10].sum() / b[:15].sum()
    b[15:] *= a[10:].sum() / b[15:].sum()
    result = ot.solve(C, a, b, reg=0.02)
    assert result.status in {"converged", "rounding_floor"}, result.message
    assert np.isfinite(result.upper) and result.lower <= result.upper
    assert result.marginal_error < 1e-8
    b[0] *= 1.1
    result = ot.solve(C, a, b / b.sum(), reg=0.02)
    assert result.status == "infeasible"
    check_ray(C, a, b / b.sum(), result)


def test_arcs_to_zero_weights_only():
    C = np.array([[1.0, np.inf, np.inf], [1.0, 2.0, np.inf], [np.inf, 2.0, 3.0]])
    a, b = np.array([0.2, 0.3, 0.5]), np.array([0.0, 0.4, 0.6])
    for C_, a_, b_ in ((C, a, b), (np.asfortranarray(C), a, b), (C.T.copy(), b, a)):
        result = ot.solve(C_, a_, b_, reg=0.1)
        assert result.status == "infeasible"
        check_ray(C_, a_, b_, result)


def test_no_arc_at_all_is_an_error():
    C = np.array([[1.0, np.inf], [1.0, np.inf]])
    with pytest.raises(ValueError, match="column 1 of C has no finite entry"):
        ot.solve(C, reg=0.1)


@pytest.mark.parametrize("method", ["auto", "sinkhorn", "sns"])
def test_every_method_says_so(method, rng):
    C = rng.random((6, 6))
    C[:3, 2:] = np.inf
    result = ot.solve(C, reg=0.1, method=method)
    assert result.status == "infeasible"
    check_ray(C, np.full(6, 1 / 6), np.full(6, 1 / 6), result)


def test_partial_plans_need_room_too(rng):
    C = rng.random((5, 5))
    C[1:, 1:] = np.inf
    # Row 0 and column 0 carry everything: 0.2 each.
    good = ot.solve(C, reg=0.1, mass=0.35)
    assert good.status == "converged", good.message
    bad = ot.solve(C, reg=0.1, mass=0.45)
    assert bad.status == "infeasible"
    u, v = bad.ray
    assert (u[:, None] + v + 1)[np.isfinite(C)].max() <= 0
    assert 0.45 + 0.2 * (u.sum() + v.sum()) == pytest.approx(0.05)


def test_large_sparse_pattern(rng):
    # Permutations make it feasible; one column taken away from two rows does not.
    n = 400
    C = np.full((n, n), np.inf)
    for _ in range(3):
        C[np.arange(n), rng.permutation(n)] = rng.random(n)
    result = ot.solve(C, reg=0.05)
    assert result.status == "converged", result.message
    C[0] = C[1] = np.inf
    C[0, 7] = C[1, 7] = 0.5
    result = ot.solve(C, reg=0.05)
    assert result.status == "infeasible"
    check_ray(C, np.full(n, 1 / n), np.full(n, 1 / n), result)


@pytest.mark.parametrize("reg", [5e-2, 5e-3])
def test_blocks_that_give_nothing_to_each_other(rng, reg):
    """Arcs between blocks go one way, and each block balances by itself: potentials diverge, the plan does not."""
    for _ in range(20):
        sizes = rng.integers(1, 8, rng.integers(2, 6))
        block = np.repeat(np.arange(len(sizes)), sizes)
        C = rng.random((len(block), len(block)))
        C[block[:, None] > block] = np.inf
        a, b = rng.random((2, len(block))) + 0.1
        total = np.bincount(block, a)
        b *= (total / np.bincount(block, b))[block]
        result = ot.solve(C, a, b, reg=reg)
        assert result.status == "converged", result.message
        plan = result.rounded(dense=True)
        assert plan.min() >= 0 and (plan[np.isinf(C)] == 0).all()
        assert abs(plan.sum(1) - a).sum() + abs(plan.sum(0) - b).sum() <= 1e-13 * a.sum()
        held = plan > 0
        P, ab = plan[held], np.outer(a, b)[held]
        # The plan attains the upper bounds.
        cost = P @ C[held]
        value = cost + reg * (P @ np.log(P / ab) - a.sum() + a.sum() * b.sum())
        slack = 1e-12 * a.sum()
        assert result.lower - slack <= value <= result.upper + slack
        assert cost <= result.unreg_upper + slack
        rows, columns = np.nonzero(np.isfinite(C))
        A = np.zeros((2 * len(a), len(rows)))
        A[rows, np.arange(len(rows))] = A[len(a) + columns, np.arange(len(rows))] = 1
        best = linprog(C[rows, columns], A_eq=A, b_eq=np.concatenate([a, b]), method="highs").fun
        assert result.unreg_lower - 1e-7 <= best <= result.unreg_upper + 1e-7
