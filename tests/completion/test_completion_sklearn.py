"""The estimator passes scikit-learn's checks and does what it says."""

import numpy as np
import pytest

from helpers.completion import low_rank, matrix
from solvent.completion import MatrixCompletion

pytest.importorskip("sklearn")

from sklearn.model_selection import GridSearchCV
from sklearn.utils.estimator_checks import estimator_checks_generator

#: What cannot pass, and why.
PREDICT = "predict takes rows and columns, not samples"
EXPECTED = {
    "check_fit_score_takes_y": "partial_fit takes the numbers of its rows where the check passes a target",
    "check_estimators_unfitted": PREDICT,
    "check_n_features_in_after_fitting": PREDICT,
    "check_estimators_dtypes": PREDICT,
    "check_dtype_object": PREDICT,
    "check_estimator_sparse_array": PREDICT,
    "check_estimator_sparse_matrix": PREDICT,
    "check_estimators_pickle": PREDICT,
    "check_f_contiguous_array_estimator": PREDICT,
    "check_methods_sample_order_invariance": PREDICT,
    "check_methods_subset_invariance": PREDICT,
    "check_dict_unchanged": PREDICT,
    "check_fit_idempotent": PREDICT,
    "check_fit2d_predict1d": PREDICT,
}
CHECKS = list(estimator_checks_generator(MatrixCompletion(rank=2, lam=0.1, random_state=0)))


@pytest.mark.parametrize(
    ("estimator", "check"), CHECKS, ids=[getattr(c, "func", c).__name__ for _, c in CHECKS]
)
def test_estimator_checks(estimator, check):
    reason = EXPECTED.get(getattr(check, "func", check).__name__)
    if reason is None:
        check(estimator)
        return
    missing = "missing 1 required positional argument: 'cols'" if reason == PREDICT else "row_ids"
    with pytest.raises((TypeError, ValueError, AssertionError)) as failure:
        check(estimator)
    causes, error = [], failure.value
    while error is not None:
        causes.append(str(error))
        error = error.__cause__ or error.__context__
    assert any(missing in cause for cause in causes), causes


def holes(rng, m=80, n=40, noise=0.0):
    i, j, y, X = low_rank(rng, m, n, 2, 5, noise=noise)
    return matrix(i, j, y, (m, n)), X


def test_imputation_keeps_what_was_observed(rng):
    A, X = holes(rng)
    model = MatrixCompletion(rank=2, lam=0.0, tol=1e-9, maxiter=1000, random_state=0).fit(A)
    filled = model.impute(A)
    seen = ~np.isnan(A)
    assert np.array_equal(filled[seen], A[seen])
    np.testing.assert_allclose(filled, X, atol=1e-5)
    np.testing.assert_allclose(model.fit_transform(A), model.fit(A).transform(A))
    assert model.score(A) > -1e-4
    assert model.score_entries(np.arange(10), np.arange(10), X[np.arange(10), np.arange(10)]) > -1e-4
    values, std = model.predict([0, 1], [2, 3], return_std=True)
    np.testing.assert_allclose(values, X[[0, 1], [2, 3]], atol=1e-5)
    assert std.shape == (2,)


@pytest.mark.parametrize("bias", [False, True])
def test_codes_of_fitted_rows_are_their_factors(rng, bias):
    A, _ = holes(rng, noise=0.1)
    model = MatrixCompletion(rank=4, lam=1.0, bias=bias, tol=1e-10, maxiter=3000, random_state=0).fit(A)
    np.testing.assert_allclose(
        model.inverse_transform(model.transform(A)), model.result_.to_dense(), atol=1e-3
    )


def test_new_rows_join(rng):
    A, X = holes(rng)
    model = MatrixCompletion(rank=2, lam=0.0, tol=1e-9, maxiter=1000, random_state=0).fit(A[:60])
    model.partial_fit(A[60:])
    assert model.result_.shape == (80, 40)
    np.testing.assert_allclose(model.result_.to_dense(), X, atol=1e-4)
    model.partial_fit(A[:5], row_ids=np.arange(5))
    np.testing.assert_allclose(model.result_.to_dense(), X, atol=1e-4)


def test_grid_search_chooses_the_rank(rng):
    A, _ = holes(rng, m=150)
    search = GridSearchCV(MatrixCompletion(lam=0.0, tol=1e-6, random_state=0), {"rank": [1, 2]}, cv=3)
    assert search.fit(A).best_params_ == {"rank": 2}
