"""Every function gives the same bits in every memory layout, at every length and position, for any number of threads."""

import itertools

import numpy as np
import pytest

import solvent
from helpers.bessel.functions import EVERY, arguments, call, same_bits
from helpers.bessel.regions import EVERY as REGIONS
from helpers.layouts import LAYOUTS

DTYPES = {"f64": np.float64, "f32": np.float32}
AROUND_BLOCKS = (*range(18), 1023, 1024, 1025, 32767, 32768, 32769, 100003)


def draw(name, region, rng, n, dtype):
    v, x = REGIONS[region](rng, n)
    with np.errstate(all="ignore"):
        v, x = v.astype(dtype), x.astype(dtype)
    return tuple(a.astype(dtype) for a in arguments(name, v, x))


def mixture(name, rng, n, dtype):
    """All regions, interleaved: neighbours in memory belong to different branches."""
    each = -(-n // len(REGIONS)) if n else 0
    parts = [draw(name, r, rng, each, dtype) for r in REGIONS]
    order = rng.permutation(each * len(REGIONS))[:n]
    return tuple(np.concatenate([p[k] for p in parts])[order] for k in (0, 1))


@pytest.mark.parametrize("dtype", DTYPES.values(), ids=DTYPES)
@pytest.mark.parametrize("name", EVERY)
def test_layout(name, dtype, rng):
    for region in REGIONS:
        v, x = draw(name, region, rng, 60, dtype)
        ref = call(name, v, x)
        for how, lay in LAYOUTS.items():
            for got, r in zip(call(name, lay(v), lay(x)), ref, strict=True):
                assert same_bits(got, r), (region, how)
        for got, r in zip(call(name, LAYOUTS["strided"](v), x), ref, strict=True):
            assert same_bits(got, r), (region, "mixed")
        fortran = (np.asfortranarray(v.reshape(6, 10)), np.asfortranarray(x.reshape(6, 10)))
        for args in (fortran, (fortran[0], x.reshape(6, 10)), (v.reshape(3, 4, 5), x.reshape(3, 4, 5))):
            for got, r in zip(call(name, *args), ref, strict=True):
                assert got.shape == args[0].shape
                assert same_bits(np.ascontiguousarray(got).ravel(), r), (region, "many dimensions")
        for k in (0, 17, 59):
            for got, r in zip(call(name, v[k], x[k]), ref, strict=True):
                assert same_bits(np.asarray(got), r[k]), (region, "scalar", k)
            for got, r in zip(call(name, v[k].reshape(()), x[k : k + 1]), ref, strict=True):
                assert same_bits(got, r[k : k + 1]), (region, "0-d and 1-d", k)


@pytest.mark.parametrize("dtype", DTYPES.values(), ids=DTYPES)
@pytest.mark.parametrize("name", EVERY)
def test_constant_argument(name, dtype, rng):
    """A scalar, a stride of zero, and a full array are one and the same (a scalar order is hoisted inside)."""
    n = 300
    for region in REGIONS:
        v, x = draw(name, region, rng, n, dtype)
        for a, b in ((v[7], x), (v, x[7])):
            full = [np.full(n, q) if q.ndim == 0 else q for q in (a, b)]
            ref = call(name, *full)
            zero_stride = [np.broadcast_to(q, (n,)) for q in (a, b)]
            for args in ((a, b), zero_stride):
                for got, r in zip(call(name, *args), ref, strict=True):
                    assert same_bits(got, r), (region, args[0])
        grid = call(name, v[:20, None], x[None, :30])
        flat = call(name, np.repeat(v[:20], 30), np.tile(x[:30], 20))
        for got, r in zip(grid, flat, strict=True):
            assert got.shape == (20, 30)
            assert same_bits(got.ravel(), r), (region, "outer shape")


@pytest.mark.parametrize("name", EVERY)
def test_empty(name):
    for shape in ((0,), (0, 3), (3, 0), (2, 0, 4)):
        for got in call(name, np.ones(shape), np.ones(shape)):
            assert got.shape == shape
            assert got.dtype == np.float64
    for got in call(name, np.ones((4, 0)), 1.0) + call(name, np.ones((4, 1)), np.ones((1, 0))):
        assert got.shape == (4, 0)


@pytest.mark.parametrize("dtype", DTYPES.values(), ids=DTYPES)
@pytest.mark.parametrize("name", EVERY)
def test_position_and_length(name, dtype, rng):
    """A result depends on its own (v, x) only: not on its place, its neighbours, the length, the block or the thread."""
    n = AROUND_BLOCKS[-1]
    v, x = mixture(name, rng, n, dtype)
    with solvent.threads(1):
        ref = call(name, v, x)
        for m in AROUND_BLOCKS:
            for got, r in zip(call(name, v[:m], x[:m]), ref, strict=True):
                assert same_bits(got, r[:m]), ("length", m)
        for start in (1, 2, 3, 5, 1023, 40001):
            for got, r in zip(call(name, v[start : start + 3000], x[start : start + 3000]), ref, strict=True):
                assert same_bits(got, r[start : start + 3000]), ("slice", start)
        order = rng.permutation(n)
        for got, r in zip(call(name, v[order], x[order]), ref, strict=True):
            assert same_bits(got, r[order]), "permuted"
        for got, r in zip(call(name, v[::-1], x[::-1]), ref, strict=True):
            assert same_bits(got, r[::-1]), "reversed"
    for threads in (2, 5):
        with solvent.threads(threads):
            for m in (32767, 32768, n):
                for got, r in zip(call(name, v[:m], x[:m]), ref, strict=True):
                    assert same_bits(got, r[:m]), ("threads", threads, m)
            for got, r in zip(call(name, v[7], x), call(name, np.full(n, v[7]), x), strict=True):
                assert same_bits(got, r), ("scalar order", threads)


@pytest.mark.parametrize("name", EVERY)
def test_one_region_at_a_time_over_threads(name, rng):
    """Blocks of a single class take another path than mixed ones: both, for each region, dtype and number of threads."""
    for region, dtype in itertools.product(REGIONS, DTYPES.values()):
        v, x = (np.resize(a, 33000) for a in draw(name, region, rng, 1500, dtype))
        with solvent.threads(1):
            ref = call(name, v, x)
        for r in ref:
            assert same_bits(r[:31500].reshape(-1, 1500), np.tile(r[:1500], (21, 1))), region
        for threads in (2, 5):
            with solvent.threads(threads):
                for got, r in zip(call(name, v, x), ref, strict=True):
                    assert same_bits(got, r), (region, threads)
