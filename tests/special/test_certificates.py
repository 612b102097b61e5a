"""Error bounds are never below the true error, and never lazily wide: the seeded sample of `tools/attack_certificates.py`."""

import importlib
from pathlib import Path

import numpy as np
import pytest

from helpers.bessel import golden, oracle, regions
from helpers.bessel.functions import call
from solvent import special

TOOLS = Path(__file__).resolve().parents[2] / "tools"
EPS = oracle.EPS


@pytest.fixture(scope="module")
def attack():
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(TOOLS)
        return importlib.import_module("attack_certificates")


def test_sample_of_the_long_attack(attack, rng):
    """2000 points, drawn as `make long` draws its 10^6."""
    seed = int(rng.integers(2**40))
    per = -(-2000 // len(attack.TARGETS))
    report = attack.Report()
    for k, (name, family) in enumerate(attack.TARGETS):
        report.add(attack.attack(seed, k, name, family, per, climbs=2))
    assert report.points >= 2000
    assert not report.violations, report.violations[:5]
    assert not report.too_wide, report.too_wide[:5]


@pytest.mark.parametrize("region", golden.regions())
@pytest.mark.parametrize("kind", ["i", "k"])
def test_golden(kind, region):
    v, x, i, k = golden.region(region)
    hi, lo = i if kind == "i" else k
    value, bound = call(f"log_{kind}v_certified", v, x)
    e = oracle.error(value, hi, lo)
    j = int(np.argmax(e - bound))
    assert np.all(e <= bound), (
        f"v={v[j]!r} x={x[j]!r} value={value[j]!r} true={hi[j]!r}+{lo[j]!r} bound={bound[j]:.3e} error={e[j]:.3e}"
    )
    width = bound / (EPS * oracle.scale(v, x, hi))
    j = int(np.argmax(width))
    assert width[j] <= 400, f"v={v[j]!r} x={x[j]!r} bound is {width[j]:.0f} eps"
    if "zero" not in region:
        assert np.median(width) <= 40, f"median {np.median(width):.1f} eps"
    assert np.all(bound >= EPS / 2 * np.abs(value)), (
        "smaller than half an ulp of the result: cannot be a bound"
    )


def test_bound_beside_zeros_of_i(rng):
    """Within a few ulps of a zero of I_v (v < 0) the sign may be undecided: the bound says +inf; from 1e-8 on it is finite."""
    v, x = regions.zeros_of_I(rng, 400)
    hi, lo, sign = oracle.table("i", v, x)
    value, bound = call("log_iv_certified", v, x)
    _, s = call("log_abs_iv", v, x)
    undecided = np.isposinf(bound)
    assert np.array_equal(np.isnan(value)[~undecided], (s < 0)[~undecided])
    assert np.array_equal(np.isnan(bound), (s < 0) & ~undecided)
    assert np.array_equal(s[~undecided], sign[~undecided])
    claims = np.isfinite(bound)
    assert np.all(oracle.error(value, hi, lo)[claims] <= bound[claims])
    far = hi > call("log_iv", -v, x)[0] - 18  # less than 1e-8 of the two parts is left
    assert far.any()
    assert not undecided[far].any()


def test_certified_regions():
    """Every region says whether its bound is proven or estimated."""
    table = special.certified_regions()
    text = str(table)
    assert "proven" in text
    assert len(table) >= 3
