"""`RowSketch`, the estimators, and Dask arrays."""

import concurrent.futures
import multiprocessing
import pickle

import numpy as np
import pytest

from helpers.least_squares import make, optimal_backward_error
from solvent.regression import LinearRegression, Ridge, RowSketch, lstsq


def fill(state, a, b, sizes, weights=None):
    i = k = 0
    while i < len(a):
        j = min(i + sizes[k % len(sizes)], len(a))
        state.update(a[i:j], b[i:j], None if weights is None else weights[i:j])
        i, k = j, k + 1
    return state


def test_any_cut_gives_the_same_bits(rng):
    a, b = make(rng, 9000, 4)
    whole = RowSketch(4).update(a, b).solve()
    for sizes in ([1000], [1, 7, 4096], [5000]):
        assert np.array_equal(fill(RowSketch(4), a, b, sizes).solve().x, whole.x)
    assert whole.success
    assert whole.method == "single-pass"
    np.testing.assert_allclose(whole.x, lstsq(a, b).x, rtol=1e-8)


@pytest.mark.parametrize("fit_intercept", [False, True])
@pytest.mark.parametrize("k", [1, 2])
def test_merging_is_symmetric(rng, fit_intercept, k):
    a, b = rng.standard_normal((3000, 5)), rng.standard_normal((3000, k))
    w = rng.uniform(0.5, 2, 3000)
    parts = [
        RowSketch(5, k=k, stream=i, fit_intercept=fit_intercept).update(a[s], b[s], w[s])
        for i, s in enumerate((slice(0, 100), slice(100, 2000), slice(2000, 3000)))
    ]
    left, right = parts[0] + parts[1], parts[1].merge(parts[0])
    assert np.array_equal(left.solve().x, right.solve().x)
    assert left.streams == frozenset({0, 1})
    total = pickle.loads(pickle.dumps(left)) + parts[2]
    assert total.n_rows == 3000
    expected = lstsq(a, b if k > 1 else b[:, 0], weights=w, fit_intercept=fit_intercept)
    result = total.solve()
    assert result.success
    np.testing.assert_allclose(result.x, expected.x, rtol=1e-8, atol=1e-10)
    np.testing.assert_allclose(result.intercept, expected.intercept, rtol=1e-8, atol=1e-10)
    np.testing.assert_allclose(result.residual_norm, expected.residual_norm, rtol=1e-8)
    np.testing.assert_allclose(result.singular_values, expected.singular_values, rtol=1e-8)
    assert total.update(a[:10], b[:10]).n_rows == 3010


def test_the_bound_of_one_pass_holds(rng):
    a, b = make(rng, 40, 3, cond=1e4, beta=0.5)
    result = RowSketch(3).update(a, b).solve()
    assert result.success
    assert optimal_backward_error(a, b, result.x) <= result.certificate.bound <= 1e-8


def test_where_the_gram_matrix_fails_the_sketch_stands_in(rng):
    a, b = make(rng, 20000, 6, cond=1e10, beta=1e-2)
    state = RowSketch(6, m=400).update(a, b)
    result = state.solve(rcond=0)
    assert not result.success
    assert "sketch" in result.message
    best = lstsq(a, b, rcond=0)
    assert result.residual_norm >= 0
    assert np.linalg.norm(b - a @ result.x) <= 1.2 * best.residual_norm
    refined = state.solve(rcond=0, source=(a, b))
    assert refined.success
    assert np.array_equal(refined.x, best.x)


def test_dependent_columns(rng):
    a = rng.standard_normal((300, 3))
    a = np.column_stack([a, a[:, 0]])
    b = rng.standard_normal(300)
    result = RowSketch(4).update(a, b).solve()
    assert (result.success, result.rank) == (False, 3)
    np.testing.assert_allclose(result.x, np.linalg.lstsq(a, b, rcond=None)[0], atol=1e-6)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: RowSketch(2).merge(RowSketch(2)), ValueError, r"streams overlap in \{0\}; merge expects disjoint streams"),
        (lambda: RowSketch(2).merge(RowSketch(3, stream=1)), ValueError, "other has d = 3; expected 2"),
        (lambda: RowSketch(2, m=0), ValueError, "m = 0; expected an integer >= 2"),
        (lambda: RowSketch(2).update(np.ones((3, 4)), np.ones(3)), ValueError, "a has 4 columns; expected 2"),
        (lambda: RowSketch(2).update(np.ones((3, 2)), np.ones(4)), ValueError, r"b has shape \(4,\) but a has 3 rows; expected \(3,\)"),
        (lambda: RowSketch(2).update(np.full((3, 2), np.nan), np.ones(3)), ValueError, r"a\[0, 0\] is nan; expected finite values"),
        (lambda: RowSketch(2, dtype=int), TypeError, "dtype = int64; expected float32 or float64"),
    ],
)  # fmt: skip
def test_misuse_is_named(call, error, message):
    with pytest.raises(error, match=message):
        call()


# --- estimators -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("targets", [0, 2])
@pytest.mark.parametrize("fit_intercept", [True, False])
def test_estimators_agree_with_scikit_learn(rng, targets, fit_intercept):
    linear = pytest.importorskip("sklearn.linear_model")
    x = rng.standard_normal((400, 6)) + 3
    y = rng.standard_normal((400, targets) if targets else 400) + 5
    w = rng.uniform(0.5, 2, 400)
    pairs = [
        (LinearRegression(fit_intercept=fit_intercept), linear.LinearRegression(fit_intercept=fit_intercept)),
        (Ridge(2.5, fit_intercept=fit_intercept), linear.Ridge(2.5, fit_intercept=fit_intercept)),
    ]
    for ours, theirs in pairs:
        for weights in (None, w):
            ours.fit(x, y, weights)
            theirs.fit(x, y, weights)
            assert ours.coef_.shape == theirs.coef_.shape
            np.testing.assert_allclose(ours.coef_, theirs.coef_, rtol=1e-7, atol=1e-9)
            np.testing.assert_allclose(ours.intercept_, theirs.intercept_, rtol=1e-7, atol=1e-9)
            np.testing.assert_allclose(ours.predict(x), theirs.predict(x), rtol=1e-7, atol=1e-9)
            assert ours.score(x, y) == pytest.approx(theirs.score(x, y), abs=1e-9)
        streamed = type(ours)(**ours.get_params())
        for part in np.array_split(np.arange(400), 7):
            streamed.partial_fit(x[part], y[part], w[part])
        np.testing.assert_allclose(streamed.coef_, ours.coef_, rtol=1e-7, atol=1e-9)


def checks():
    """scikit-learn's checks of both estimators; none where it is not installed."""
    try:
        from sklearn.utils.estimator_checks import estimator_checks_generator
    except ImportError:
        return []
    pairs = [pair for model in (LinearRegression(), Ridge()) for pair in estimator_checks_generator(model)]
    return [
        pytest.param(*pair, id=f"{type(pair[0]).__name__}-{getattr(pair[1], 'func', pair[1]).__name__}")
        for pair in pairs
    ]


@pytest.mark.parametrize(("estimator", "check"), checks())
def test_scikit_learns_checks(estimator, check):
    check(estimator)


# --- Dask -----------------------------------------------------------------------------------------------------


def test_dask_arrays(rng):
    da = pytest.importorskip("dask.array")
    a, b = make(rng, 3000, 5, cond=1e2)
    w = rng.uniform(0.5, 2, 3000)
    whole = lstsq(a, b, weights=w)
    lazy = da.from_array(a, chunks=(700, 3))
    for side, weights in ((b, w), (da.from_array(b, chunks=400), da.from_array(w, chunks=700))):
        result = lstsq(lazy, side, weights=weights)
        assert result.success
        assert np.linalg.norm(result.x - whole.x) <= 1e-12 * np.linalg.norm(whole.x)
    with pytest.raises(
        ValueError, match=r"b has shape \(5,\) but a has 3000 rows; expected \(3000,\) or \(3000, k\)"
    ):
        lstsq(lazy, np.ones(5))


@pytest.mark.parametrize("cond", [1e2, 1e4, 1e6])
def test_a_tree_of_chunks_loses_no_digits(rng, cond):
    """In twice the precision the answers agree whatever the condition; in double each is as good as its data allow."""
    da = pytest.importorskip("dask.array")
    a, b = make(rng, 4000, 6, cond=cond)
    lazy = da.from_array(a, chunks=(170, 6))
    precise = {"fit_intercept": True, "accuracy": "high", "tol": 1e-8}
    tree, whole = lstsq(lazy, b, **precise), lstsq(a, b, **precise)
    assert tree.success and whole.success
    assert np.linalg.norm(tree.x - whole.x) <= 1e-12 * np.linalg.norm(whole.x)
    double = lstsq(lazy, b, fit_intercept=True)
    assert (
        double.success and double.certificate.bound <= 4 * lstsq(a, b, fit_intercept=True).certificate.bound
    )


def test_dask_chunks_stay_where_they_are(rng):
    """Two worker processes; what travels is the sums."""
    dask = pytest.importorskip("dask")
    da = pytest.importorskip("dask.array")
    a, b = make(rng, 4000, 6, cond=1e6, beta=1e-2)
    ways = {"plain": {}, "high": {"accuracy": "high", "tol": 1e-9}, "sketch": {"method": "sketch-gram"}}
    whole = {name: lstsq(a, b, **keywords) for name, keywords in ways.items()}
    lazy = da.from_array(a, chunks=(500, 6))
    spawn = multiprocessing.get_context("spawn")
    with (
        concurrent.futures.ProcessPoolExecutor(2, mp_context=spawn) as pool,
        dask.config.set(scheduler="processes", pool=pool),
    ):
        for name, keywords in ways.items():
            result = lstsq(lazy, da.from_array(b, chunks=500), **keywords)
            assert result.success, (name, result)
            bound = 1e-12 if name == "high" else 1e-3
            assert np.linalg.norm(result.x - whole[name].x) <= bound * np.linalg.norm(result.x)
        assert result.certify(lazy, b) == result.certificate
        spoiled = a.copy()
        spoiled[3210, 4] = np.inf
        with pytest.raises(ValueError, match=r"a\[3210, 4\] is inf; expected finite values"):
            lstsq(da.from_array(spoiled, chunks=(500, 6)), b)


def test_dask_on_a_local_cluster(rng):
    distributed = pytest.importorskip("distributed", reason="dask.distributed is not installed")
    da = pytest.importorskip("dask.array")
    a, b = make(rng, 4000, 6, cond=1e2)
    with (
        distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster,
        distributed.Client(cluster),
    ):
        result = lstsq(da.from_array(a, chunks=(500, 6)), b, fit_intercept=True)
        hard, hard_b = make(rng, 4000, 6, cond=1e4)
        precise = lstsq(da.from_array(hard, chunks=(500, 6)), hard_b, accuracy="high", tol=1e-9)
    assert result.success and precise.success, result
    whole = lstsq(a, b, fit_intercept=True)
    assert np.linalg.norm(result.x - whole.x) <= 1e-12 * np.linalg.norm(whole.x)
    # Beyond that condition only residuals in twice the precision determine so many digits.
    whole = lstsq(hard, hard_b, accuracy="high", tol=1e-9)
    assert np.linalg.norm(precise.x - whole.x) <= 1e-12 * np.linalg.norm(whole.x)


def test_states_of_dask_partitions(rng):
    dask = pytest.importorskip("dask")
    a, b = make(rng, 4000, 5, cond=1e3)

    @dask.delayed
    def part(i, rows, side):
        return RowSketch(5, stream=i).update(rows, side)

    @dask.delayed
    def joined(left, right):
        return left.merge(right)

    states = [part(i, a[s], b[s]) for i, s in enumerate(np.array_split(np.arange(4000), 4))]
    tree = joined(joined(states[0], states[1]), joined(states[2], states[3]))
    total = tree.compute(scheduler="processes", num_workers=2)
    x = lstsq(a, b).x
    assert np.linalg.norm(total.solve().x - x) <= 1e-10 * np.linalg.norm(x)
