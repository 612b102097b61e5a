"""Error bars: what share of the true entries lies inside, over many entries of several problems."""

import numpy as np
import pytest

from helpers.completion import low_rank
from solvent import completion

PROBLEMS, ENTRIES = 8, 400


def test_nominal_95_percent_cover_what_they_say(rng):
    inside = []
    for noise in np.geomspace(0.02, 0.2, PROBLEMS):
        i, j, y, X = low_rank(rng, 120, 90, 3, 6.0, noise=noise)
        result = completion.complete((i, j, y), 3, shape=X.shape, tol=1e-6, rng=0)
        assert result.noise_std == pytest.approx(noise, rel=0.15)
        rows, cols = rng.integers(0, 120, ENTRIES), rng.integers(0, 90, ENTRIES)
        error = np.abs(result.predict(rows, cols) - X[rows, cols])
        std = completion.entry_std(result, rows, cols)
        assert np.isfinite(std).all() and (std > 0).all()
        inside.append(error <= 1.959964 * std)
        wider = completion.entry_std(result, rows, cols, kind="observation")
        np.testing.assert_allclose(wider**2, std**2 + result.noise_std**2)
    share = np.mean(inside)
    assert 0.92 <= share <= 0.98, share


def test_sides_do_not_mix(rng):
    """Each entry's error bar is its own, whoever shares its pass."""
    i, j, y, X = low_rank(rng, 60, 50, 2, 4.0, noise=0.1)
    result = completion.complete((i, j, y), 2, shape=X.shape, tol=1e-6, rng=0)
    rows, cols = rng.integers(0, 60, 37), rng.integers(0, 50, 37)
    together = completion.entry_std(result, rows, cols, tol=1e-6)
    order = rng.permutation(37)
    np.testing.assert_allclose(
        completion.entry_std(result, rows[order], cols[order], tol=1e-6), together[order], rtol=1e-5
    )
    alone = [float(completion.entry_std(result, rows[t], cols[t], tol=1e-6)) for t in range(3)]
    np.testing.assert_allclose(alone, together[:3], rtol=1e-5)
    for workers in (1, 2, 5):
        again = completion.entry_std(result, rows, cols, tol=1e-6, workers=workers)
        assert np.array_equal(again, together)


@pytest.mark.parametrize("bias", [False, True])
def test_error_bars_are_those_of_the_dense_pseudo_inverse(rng, bias):
    m, n, k = 24, 18, 2
    i, j, y, _ = low_rank(rng, m, n, k, 5.0, noise=0.1)
    w = rng.uniform(0.5, 2, y.size)
    result = completion.complete((i, j, y), k, shape=(m, n), weights=w, bias=bias, tol=1e-6, rng=0)
    U, V = result.U * np.sqrt(result.S), result.V * np.sqrt(result.S)
    k = result.rank

    def gradient(rows, cols):
        J = np.zeros((rows.size, (m + n) * (k + bias)))
        for e, (r, c) in enumerate(zip(rows, cols, strict=True)):
            J[e, r * k : (r + 1) * k] = V[c]
            J[e, (m + c) * k : (m + c + 1) * k] = U[r]
            if bias:
                J[e, (m + n) * k + r] = J[e, (m + n) * k + m + c] = 1
        return J

    J = np.sqrt(w)[:, None] * gradient(i, j)
    inverse = np.linalg.pinv(J.T @ J, rcond=1e-11)
    rows, cols = np.divmod(np.arange(m * n), n)
    a = gradient(rows, cols)
    expected = result.noise_std * np.sqrt(np.einsum("el,lk,ek->e", a, inverse, a))
    got = completion.entry_std(result, rows, cols, tol=1e-7)
    finite = np.isfinite(got)
    assert finite.mean() > 0.9
    np.testing.assert_allclose(got[finite], expected[finite], rtol=5e-3)
