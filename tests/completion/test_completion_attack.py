"""A sample of `tools/attack_completion.py`: hostile problems, judged in long double."""

import pytest

from helpers import completion_attack as attack


@pytest.mark.parametrize("family", attack.FAMILIES)
def test_no_certificate_claims_more_than_is_true(family, rng):
    for k in range(10 if family == "norm" else 40):
        found = attack.FAMILIES[family](rng, k == 0)
        assert not found.violations, (found.status, found.violations)
