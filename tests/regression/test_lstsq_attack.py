"""A sample of `tools/attack_regression.py`: every bound against rational numbers."""

import numpy as np
import pytest

from helpers import attack_lstsq as attack
from helpers.least_squares import optimal_backward_error
from solvent.regression import lstsq


def test_the_judge_agrees_with_walden_karlson_and_sun(rng):
    a, b = rng.standard_normal((9, 3)), rng.standard_normal(9)
    for size in (1e-6, 1e-1, 10.0):
        x = np.linalg.lstsq(a, b)[0] + size * rng.standard_normal(3)
        truth = optimal_backward_error(a, b, x)
        exact, rational = attack.Exact(a, b), attack._exact(x)
        assert not exact.proves(rational, truth * (1 - 1e-9))
        assert exact.proves(rational, truth * (1 + 1e-9))
        assert truth * (1 - 1e-9) <= exact.backward_error(rational) <= 1.42 * truth


@pytest.mark.parametrize("family", attack.FAMILIES)
def test_bounds_hold(rng, family):
    for _ in range(6):
        row = attack.run(rng, family, lstsq)
        assert not row["violations"], row
