"""The reference itself: the expansion summed in balls agrees with Arb's own I_v and K_v wherever both can answer."""

import numpy as np
import pytest

from golden.bessel import arb_reference
from helpers.bessel import oracle, regions


@pytest.mark.parametrize("kind", ["i", "k"])
def test_expansion_against_arb(kind, rng):
    v, x = regions.ring(rng, 12, 600, 2e5)
    seams = [w for w, _ in oracle.EXPANSION if w <= 1e5]
    v, x = np.append(v, [1.0, *seams, 0.0]), np.append(x, [*seams, 1.0, 700.0])
    for a, b in zip(v, x, strict=True):
        true = arb_reference.log_bessel(kind, a, b)
        got = oracle.log_bessel(kind, a, b)
        assert abs((got[0] - true[0]) + (got[1] - true[1])) <= 1e-28 * max(1, abs(true[0])), (kind, a, b)


def test_scaled_convergent():
    """T at a scaled convergent of z0, where two doubles for z0 give an error of 12 %."""
    v, x = 2.0**60 * 1944148994448227, 2.0**60 * 1288471952304891
    hi, _ = oracle.expansion("i", v, x, 4)
    w = np.hypot(v, x)
    assert abs(hi - (62.456549315527516 - 0.5 * np.log(2 * np.pi * w))) < 1e-13
    assert any(np.allclose([v, x], c * 2.0**60, rtol=0) for c in regions.convergents())
