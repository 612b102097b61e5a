"""The mixture passes scikit-learn's estimator checks and works in its tools."""

import numpy as np
import pytest

pytest.importorskip("sklearn")

from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from sklearn.utils.estimator_checks import estimator_checks_generator

from solvent.stats import VonMisesFisherMixture, vonmises_fisher

#: What cannot pass, and why.
EXPECTED = {
    "check_estimators_dtypes": "rounds its data to integers, which leaves a zero row: it has no direction, and says so",
}
CHECKS = list(estimator_checks_generator(VonMisesFisherMixture(normalize=True)))


@pytest.mark.parametrize(
    ("estimator", "check"), CHECKS, ids=[getattr(c, "func", c).__name__ for _, c in CHECKS]
)
def test_estimator_checks(estimator, check, request):
    name = getattr(check, "func", check).__name__
    if name in EXPECTED:
        with pytest.raises(ValueError, match="has norm 0; expected a direction"):
            check(estimator)
        return
    check(estimator)


def test_cross_validation_finds_the_number_of_components():
    x = np.concatenate([vonmises_fisher(mu, 60.0).rvs(80, rng=i) for i, mu in enumerate(np.eye(30)[:3])])
    shuffled = np.random.default_rng(0).permutation(x)
    search = GridSearchCV(VonMisesFisherMixture(random_state=0, n_init=3), {"n_components": [1, 2, 3]}, cv=3)
    assert search.fit(shuffled).best_params_ == {"n_components": 3}
    copy = clone(search.best_estimator_)
    assert copy.get_params() == search.best_estimator_.get_params() and not hasattr(copy, "weights_")
