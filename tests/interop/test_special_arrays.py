"""Array type in = array type out: Dask stays lazy, array-API and DLPack arrays come back as they went in, CUDA is refused."""

import pickle
import re
from types import ModuleType

import numpy as np
import pytest

from helpers.bessel.functions import EVERY, ONE, arguments, call, same_bits
from solvent import special


def outputs(result):
    return result if isinstance(result, tuple) else (result,)


@pytest.fixture
def points(rng):
    return rng.uniform(0, 60, 24), rng.uniform(0.01, 60, 24)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of modules that pickle asks for the ufunc's name
@pytest.mark.parametrize("name", EVERY)
def test_dask_stays_lazy(name, points):
    da = pytest.importorskip("dask.array", reason="the [dask] extra is not installed")
    v, x = arguments(name, *points)
    ref = call(name, v, x)
    lazy_x = da.from_array(x, chunks=7)
    for args in ((da.from_array(v, chunks=7), lazy_x), (v, lazy_x), (2.5, lazy_x)):
        got = outputs(getattr(special, name)(*args))
        expected = ref if np.ndim(args[0]) else call(name, 2.5, x)
        for g, r in zip(got, expected, strict=True):
            assert isinstance(g, da.Array)
            assert g.chunks == ((7, 7, 7, 3),)
            assert g.dtype == np.float64
            assert same_bits(g.compute(scheduler="threads"), r)
    again = pickle.loads(pickle.dumps(outputs(getattr(special, name)(2.5, lazy_x))[0]))
    assert same_bits(again.compute(scheduler="sync"), call(name, 2.5, x)[0])


@pytest.mark.parametrize("name", EVERY)
def test_dask_integers(name):
    da = pytest.importorskip("dask.array", reason="the [dask] extra is not installed")
    v, x = np.array([1, 2, 3], np.int8), np.array([1, 1, 1], np.int8)
    for g, r in zip(
        outputs(getattr(special, name)(da.from_array(v), da.from_array(x))), call(name, v, x), strict=True
    ):
        assert g.dtype == np.float64
        assert same_bits(g.compute(scheduler="sync"), r)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("name", EVERY)
def test_array_api_strict(name, dtype, points):
    xp = pytest.importorskip("array_api_strict")
    v, x = (a.astype(dtype) for a in arguments(name, *points))
    kind = type(xp.asarray(1.0))
    ref = call(name, v, x)
    f = getattr(special, name)
    for args in (
        (xp.asarray(v), xp.asarray(x)),
        (xp.reshape(xp.asarray(v), (4, 6)), xp.reshape(xp.asarray(x), (4, 6))),
    ):
        for g, r in zip(outputs(f(*args)), ref, strict=True):
            assert type(g) is kind
            assert g.shape == args[0].shape
            assert str(g.dtype).endswith(dtype)
            assert same_bits(np.from_dlpack(g).ravel(), r)
    scalar = outputs(f(1.5, xp.asarray(x)))  # a Python number beside an array
    for g, r in zip(scalar, call(name, 1.5, x), strict=True):
        assert type(g) is kind
        assert same_bits(np.from_dlpack(g), r)
    integers = xp.asarray([1, 1, 1])
    for g, r in zip(outputs(f(integers, integers)), call(name, [1, 1, 1], [1, 1, 1]), strict=True):
        assert same_bits(np.from_dlpack(g), r)


def test_no_copy_of_the_input(points):
    """A foreign array on the CPU is read where it lies."""
    xp = pytest.importorskip("array_api_strict")
    x = xp.asarray(points[1])
    before = np.from_dlpack(x).__array_interface__["data"][0]
    special.log_iv(xp.asarray(points[0]), x)
    assert np.from_dlpack(x).__array_interface__["data"][0] == before
    assert same_bits(np.from_dlpack(x), points[1])


def test_jax(points):
    jax = pytest.importorskip("jax", reason="jax is not installed")
    v, x = (jax.numpy.asarray(a, dtype="float32") for a in points)
    got = special.log_kv(v, x)
    assert isinstance(got, jax.Array)
    assert same_bits(np.asarray(got), call("log_kv", np.asarray(v), np.asarray(x))[0])


class Producer:
    """A minimal array of a foreign library: DLPack, and a namespace that can take DLPack in."""

    def __init__(self, array, device=(1, 0)):
        self.array, self.device_pair, self.exports = array, device, 0

    def __dlpack_device__(self):
        return self.device_pair

    def __dlpack__(self, **kwargs):
        self.exports += 1
        return self.array.__dlpack__(**kwargs)

    def __array_namespace__(self, api_version=None):
        namespace = ModuleType("producer")
        namespace.from_dlpack = lambda a: Producer(np.from_dlpack(a))
        namespace.asarray = lambda a: Producer(np.asarray(a))
        return namespace


@pytest.mark.parametrize("name", ONE)
def test_dlpack(name, points):
    v, x = arguments(name, *points)
    a, b = Producer(v), Producer(x)
    got = getattr(special, name)(a, b)
    assert isinstance(got, Producer)
    assert same_bits(got.array, call(name, v, x)[0])
    assert (a.exports, b.exports) == (1, 1)


@pytest.mark.parametrize("name", EVERY)
def test_cuda_array_is_refused(name, points):
    message = re.escape(f"solvent.special.{name} has no CUDA kernel; pass a NumPy array")
    device = Producer(points[0], device=(2, 0))
    f = getattr(special, name)
    with pytest.raises(NotImplementedError, match=message):
        f(device, 1.0)
    with pytest.raises(NotImplementedError, match=message):
        f(1.0, device)
    assert device.exports == 0


def test_arrays_of_two_libraries(points):
    xp = pytest.importorskip("array_api_strict")
    with pytest.raises(TypeError):
        special.log_iv(xp.asarray(points[0]), Producer(points[1]))
