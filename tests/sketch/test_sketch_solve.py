"""Sketch and solve: coverage of its error bars, its rules, and where it solves the whole problem."""

import dataclasses
import math
import pickle

import numpy as np
import pytest
import scipy.sparse

from solvent import regression

SKETCHES = ("srht", "block-hadamard", "gaussian")


def problem(rng, n=20_000, d=6, noise=1.0):
    a = rng.normal(size=(n, d)) * np.logspace(0, -3, d)
    b = a @ rng.normal(size=d) + noise * rng.normal(size=n)
    return a, b, np.linalg.lstsq(a, b, rcond=None)[0]


@pytest.mark.parametrize("name", SKETCHES)
def test_error_bars_cover_and_are_not_lazy(name, rng):
    a, b, exact = problem(rng, n=4000)
    covered, ratios = 0, []
    for _ in range(30):
        result = regression.sketch_and_solve(a, b, m=200, delta=0.05, sketch=name, rng=rng)
        error = np.abs(result.x - exact)
        covered += bool((error <= result.error_bars).all())
        ratios.append(np.median(error / result.error_bars))
        assert result.success and result.m == 200
    # At least 95 in 100 are promised; 24 of 30 or fewer happen once in 10^4 at that rate.
    assert covered >= 25
    assert 0.05 < np.median(ratios) < 0.6


def test_rules_give_the_rows_they_say(rng):
    a, b, _ = problem(rng, n=30_000, d=4)
    practical = regression.sketch_and_solve(a, b, eps=0.5, delta=0.05, rng=rng)
    assert practical.m == 4 + math.ceil(2 * 4 * math.log(8 / 0.05) / 0.25)
    theory = regression.sketch_and_solve(a, b, eps=2.0, delta=0.5, rule="theory", rng=rng)
    assert theory.m == math.ceil(4 * math.log(30_000 / 0.5) ** 3 / 4)
    assert theory.certificate.failure_probability == 0.5
    whole = regression.sketch_and_solve(a, b, eps=0.5, rule="theory", rng=rng)
    assert whole.m == 30_000 and "solved directly" in whole.message


def test_the_whole_problem(rng):
    a, b, exact = problem(rng, n=200)
    result = regression.sketch_and_solve(a, b, rng=rng)
    assert result.m == 200 and result.certificate.failure_probability == 0
    assert (np.abs(result.x - exact) <= 2 * result.error_bars + 1e-14).all()
    assert result.certificate.bound < 1e-8
    assert abs(result.residual_norm / np.linalg.norm(b - a @ exact) - 1) < 1e-12


def test_certificate_judges_what_is_held(rng):
    a, b, exact = problem(rng)
    result = regression.sketch_and_solve(a, b, rng=rng)
    assert result.certificate.kind == "error-bars" and not result.certificate.rigorous
    assert not result.certificate.relative
    assert result.certificate.bound == result.error_bars.max()
    assert result.certify(a, b) == result.certificate
    assert pickle.loads(pickle.dumps(result)).certify(a, b) == result.certificate
    off = dataclasses.replace(result, x=result.x + 5.0)
    assert np.abs(off.x - exact).max() <= off.certify(a, b).bound <= 5.0 + result.certificate.bound + 1e-12


def test_every_form_of_input(rng):
    a, b, _ = problem(rng)
    expected = regression.sketch_and_solve(a, b, rng=3)
    for form in (np.asfortranarray(a), np.repeat(a, 2, axis=0)[::2]):
        assert np.array_equal(regression.sketch_and_solve(form, b, rng=3).x, expected.x)
    for workers in (1, 3):
        assert np.array_equal(regression.sketch_and_solve(a, b, rng=3, workers=workers).x, expected.x)
    two = regression.sketch_and_solve(a, np.c_[b, 2 * b], rng=3, m=expected.m)
    assert two.x.shape == two.error_bars.shape == (6, 2) and two.residual_norm.shape == (2,)
    np.testing.assert_allclose(two.x[:, 0], expected.x, rtol=1e-9)
    assert two.certify(a, np.c_[b, 2 * b]) == two.certificate
    single = regression.sketch_and_solve(a.astype(np.float32), b, rng=3)
    assert single.x.dtype == np.float32
    np.testing.assert_allclose(single.x, expected.x, rtol=1e-3, atol=1e-2)
    sparse = scipy.sparse.csr_array(a)
    np.testing.assert_allclose(regression.sketch_and_solve(sparse, b, rng=3).x, expected.x, rtol=1e-8)


def test_extreme_scales(rng):
    a, b, _ = problem(rng)
    scale = np.array([1e-150, 1e150, 1.0, 1e100, 1e-100, 1.0])
    base = regression.sketch_and_solve(a, b, rng=1)
    wild = regression.sketch_and_solve(a * scale, b * 1e-120, rng=1)
    np.testing.assert_allclose(wild.x * scale, base.x * 1e-120, rtol=1e-9)
    assert wild.success and (wild.error_bars > 0).all()


def test_lost_rank(rng):
    a, b, _ = problem(rng)
    result = regression.sketch_and_solve(np.c_[a, a[:, :1]], b, rng=rng)
    assert result.status == "degenerate" and not result.success
    assert np.isinf(result.error_bars).all() and result.certificate.bound == np.inf
    assert "rank 6 of 7" in result.message
    empty = regression.sketch_and_solve(np.zeros((0, 3)), np.zeros(0))
    assert empty.x.shape == (3,) and not empty.x.any()
    none = regression.sketch_and_solve(np.zeros((5, 0)), np.ones(5))
    assert none.x.shape == (0,) and none.success and none.residual_norm == pytest.approx(5**0.5)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda f, a, b: f(a[:, 0], b), ValueError, r"a has shape \(40,\); expected a 2-D array"),
        (
            lambda f, a, b: f(a, b[:4]),
            ValueError,
            r"b has shape \(4,\) but a has 40 rows; expected \(40,\) or \(40, k\)",
        ),
        (lambda f, a, b: f(a, np.r_[b[:-1], np.inf]), ValueError, r"b\[39\] is inf; expected finite values"),
        (
            lambda f, a, b: f(np.where(a == a[7, 1], np.nan, a), b),
            ValueError,
            r"a\[7, 1\] is nan; expected finite",
        ),
        (
            lambda f, a, b: f(np.where(a == a[7, 1], np.nan, a), b, m=9),
            ValueError,
            r"a\[7, 1\] is nan; expected finite",
        ),
        (
            lambda f, a, b: f(a, b, sketch="countsketch"),
            ValueError,
            "sketch = 'countsketch'; expected a dense sketch",
        ),
        (
            lambda f, a, b: f(a, b, sketch="sparse-sign"),
            ValueError,
            "sketch = 'sparse-sign'; expected a dense sketch",
        ),
        (lambda f, a, b: f(a, b, sketch="svd"), ValueError, "sketch = 'svd'; expected one of"),
        (
            lambda f, a, b: f(a, b, rule="best"),
            ValueError,
            "rule = 'best'; expected one of 'practical', 'theory'",
        ),
        (lambda f, a, b: f(a, b, m=0), ValueError, "m = 0; expected an integer >= 1"),
        (lambda f, a, b: f(a, b, m=3), ValueError, "m = 3 but a has 3 columns; expected an integer > 3"),
        (lambda f, a, b: f(a, b, eps=0), ValueError, "eps = 0; expected a finite number > 0"),
        (lambda f, a, b: f(a, b, delta=1.0), ValueError, "delta = 1.0; expected a finite number > 0 and < 1"),
        (lambda f, a, b: f(a.astype(complex), b), TypeError, "a has dtype complex128"),
    ],
)
def test_misuse_is_named(call, error, message, rng):
    a, b = rng.normal(size=(40, 3)), rng.normal(size=40)
    with pytest.raises(error, match=message):
        call(regression.sketch_and_solve, a, b)


def test_blocks_are_the_rows(rng):
    a, b = rng.normal(size=(3000, 4)), rng.normal(size=(3000, 2))
    blocks = [(a[i], b[i]) for i in np.array_split(np.arange(3000), 6)]
    whole = regression.sketch_and_solve(a, b, rng=3)
    result = regression.sketch_and_solve(blocks, rng=3)
    np.testing.assert_array_equal(result.x, whole.x)
    assert result.certify(blocks) == whole.certificate
