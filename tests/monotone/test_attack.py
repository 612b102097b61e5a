"""A sample of `tools/attack_monotone.py`: hostile problems, judged by rationals and long doubles."""

import pytest

from helpers import monotone_attack as attack


@pytest.mark.parametrize("family", attack.FAMILIES)
def test_no_certificate_claims_more_than_is_true(family, rng):
    for _ in range(6):
        found = attack.FAMILIES[family](rng)
        assert not found.violations, (found.status, found.violations)
