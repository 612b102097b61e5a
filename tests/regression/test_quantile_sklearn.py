"""The estimator passes scikit-learn's checks, and agrees with scikit-learn's own."""

import numpy as np
import pytest

pytest.importorskip("sklearn")

from sklearn import linear_model
from sklearn.utils.estimator_checks import estimator_checks_generator

from solvent.regression import QuantileRegressor

CHECKS = list(estimator_checks_generator(QuantileRegressor(alpha=0.1)))


@pytest.mark.parametrize(
    ("estimator", "check"), CHECKS, ids=[getattr(c, "func", c).__name__ for _, c in CHECKS]
)
def test_estimator_checks(estimator, check):
    check(estimator)


@pytest.mark.parametrize("alpha", [0.0, 0.05, 1.0])
@pytest.mark.parametrize("fit_intercept", [True, False])
def test_it_agrees_with_the_other_one(rng, alpha, fit_intercept):
    X = rng.standard_normal((150, 4))
    y = X @ [1.0, 0.0, -2.0, 0.1] + 3 + rng.standard_t(3, 150)
    w = rng.uniform(0.1, 2, 150)
    options = {"quantile": 0.3, "alpha": alpha, "fit_intercept": fit_intercept}
    ours = QuantileRegressor(**options).fit(X, y, w)
    theirs = linear_model.QuantileRegressor(solver="highs", **options).fit(X, y, w)
    np.testing.assert_allclose(ours.coef_, theirs.coef_, atol=1e-6)
    np.testing.assert_allclose(ours.intercept_, theirs.intercept_, atol=1e-6)
    np.testing.assert_allclose(ours.predict(X), theirs.predict(X), atol=1e-5)
    assert ours.result_.success and ours.rank_ == 4 + fit_intercept
    assert ours.score(X, y) == pytest.approx(theirs.score(X, y), abs=1e-6)
