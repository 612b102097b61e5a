"""Under every function is a true `numpy.ufunc`, and the callable shows what a ufunc shows."""

import inspect
import pickle

import numpy as np
import pytest

from helpers.bessel.functions import EVERY, ONE, TWO, arguments, call, same_bits
from solvent import special


@pytest.mark.parametrize("name", EVERY)
def test_is_a_true_ufunc(name):
    f = getattr(special, name)
    nout = 2 if name in TWO else 1
    assert isinstance(f.ufunc, np.ufunc)
    assert type(f.ufunc) is np.ufunc
    assert f.ufunc.__name__ == name
    for g in (f, f.ufunc):
        assert (g.nin, g.nout, g.nargs) == (2, nout, 2 + nout)
        assert g.types == ["ff->" + "f" * nout, "dd->" + "d" * nout]


@pytest.mark.parametrize("name", EVERY)
def test_callable_is_its_ufunc(name, rng):
    v, x = arguments(name, rng.uniform(0, 50, 40), rng.uniform(0, 50, 40))
    f = getattr(special, name)
    direct = f.ufunc(v, x)
    for a, b in zip(call(name, v, x), direct if isinstance(direct, tuple) else (direct,), strict=True):
        assert same_bits(a, b)


@pytest.mark.parametrize("name", EVERY)
def test_outer(name, rng):
    f = getattr(special, name)
    v, x = arguments(name, rng.uniform(0, 50, 5), rng.uniform(0, 50, 5))
    with np.errstate(all="raise"):
        got = f.outer(v, x[:3])
    for a, b in zip(
        got if isinstance(got, tuple) else (got,), call(name, v[:, None], x[None, :3]), strict=True
    ):
        assert a.shape == (5, 3)
        assert same_bits(a, b)


@pytest.mark.parametrize("name", ONE)
def test_at(name):
    f = getattr(special, name)
    a = np.array([0.5, 1.5, 2.5])
    f.at(a, [0, 2], np.array([0.25, 0.75]))
    assert same_bits(a, np.array([call(name, 0.5, 0.25)[0], 1.5, call(name, 2.5, 0.75)[0]]))


# pickle looks for a ufunc's name in every module that is loaded, and some answer an attribute look-up with a warning.
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("protocol", range(2, pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize("name", EVERY)
def test_pickle(name, protocol):
    """By module attribute: the very object comes back, the callable as the ufunc."""
    f = getattr(special, name)
    assert pickle.loads(pickle.dumps(f, protocol)) is f
    assert pickle.loads(pickle.dumps(f.ufunc, protocol)) is f.ufunc


@pytest.mark.parametrize("name", EVERY)
def test_documented(name):
    f = getattr(special, name)
    assert name in special.__all__
    assert f.__name__ == name
    assert f.__module__ == "solvent.special"
    doc = inspect.getdoc(f)
    for section in ("Parameters", "Returns", "Examples"):
        assert f"{section}\n---" in doc, section


@pytest.mark.parametrize("name", EVERY)
def test_subclass_and_protocol(name):
    """`__array_ufunc__` is honoured, so subclasses, units and lazy arrays keep their say."""

    class Spy:
        def __array_ufunc__(self, ufunc, method, *inputs, **kwargs):
            return ufunc, method, len(inputs)

    f = getattr(special, name)
    assert f(Spy(), 1.0) == (f.ufunc, "__call__", 2)
    assert f(1.0, Spy()) == (f.ufunc, "__call__", 2)
    masked = f(np.ma.masked_array([1.0, 2.0], [False, True]), 0.5)
    for part in masked if isinstance(masked, tuple) else (masked,):
        assert isinstance(part, np.ma.MaskedArray)
