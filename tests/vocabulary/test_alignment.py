"""Arrays whose entries are not aligned, as files and messages hold them, are taken like any others."""

import numpy as np
import pytest
import scipy.sparse as sp

from solvent import completion, monotone, ot, regression, sketch, special, stats


def shifted(values):
    """The same values, one byte off."""
    values = np.ascontiguousarray(values)
    room = np.zeros(values.nbytes + 1, np.uint8)[1:]
    out = room.view(values.dtype).reshape(values.shape)
    out[...] = values
    assert not out.flags.aligned
    return out


def regressions(A, b, form):
    a, b = form(A), form(b)
    yield regression.lstsq(a, b).x
    yield regression.lstsq([(a, b)]).x
    yield regression.lstsq(a, b, weights=form(np.full(len(A), 0.5)), accuracy="high").x
    yield regression.quantile_regression(a, b).x
    yield regression.lp_regression(a, b, 1.5).x
    yield regression.RowSketch(A.shape[1]).update(a, b).solve().x


def sketches(A, b, form):
    yield sketch.leverage_scores(form(A))
    yield sketch.lewis_weights(form(A), 1.5)
    yield sketch.BlockHadamard(30, 60, rng=0) @ form(A)


def transports(A, b, form):
    C = np.abs(A[:5] @ A[5:12].T)
    yield ot.solve(form(C), form(np.full(5, 0.2)), reg=0.1).f
    yield ot.solve_points(form(A), form(A + 1), reg=0.5).f
    yield ot.exact(form(C)).f


def completions(A, b, form):
    i, j = np.nonzero(np.ones(A.shape))
    yield completion.complete(form(A), 2, rng=0).S
    yield completion.complete((form(i), form(j), form(A.ravel())), 2, shape=A.shape, rng=0).S
    csr = sp.csr_array(A)
    csr.data, csr.indices = form(csr.data), form(csr.indices.astype(np.int32))
    yield completion.complete(csr, 2, rng=0).S


def monotones(A, b, form):
    yield monotone.matrix_game(form(A)).x
    yield monotone.linprog(form(np.ones(4)), A_ub=form(-np.abs(A)), b_ub=form(-np.ones(60))).x
    yield monotone.solve_inclusion(monotone.Quadratic(form(np.eye(4)), form(b[:4]))).x
    yield monotone.solve_inclusion(monotone.LogisticRegression(form(A), form(np.sign(b)), 0.1)).x
    yield monotone.fixed_point(np.cos, form(b[:4])).x


def functions(A, b, form):
    yield special.log_iv(form(np.abs(b)), form(np.abs(b)))
    yield [stats.vonmises_fisher.fit(form(A / np.linalg.norm(A, axis=1, keepdims=True))).kappa]


@pytest.mark.parametrize(
    "family", [regressions, sketches, transports, completions, monotones, functions], ids=lambda f: f.__name__
)
def test_entries_that_are_not_aligned(family, rng):
    A, b = rng.normal(size=(60, 4)), rng.normal(size=60)
    for usual, odd in zip(family(A, b, np.asarray), family(A, b, shifted), strict=True):
        np.testing.assert_array_equal(odd, usual)
