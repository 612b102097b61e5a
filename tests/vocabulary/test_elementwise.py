"""`Elementwise`: a true ufunc inside, array type in = array type out.

The mechanics are tested over NumPy's own ufuncs, whose results are known; what is particular to the package (names,
dtypes, pickling, documentation) over every function of `solvent.special`.
"""

import copy
import doctest
import inspect
import itertools
import math
import pickle
import re
import subprocess
import sys

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from solvent import special
from solvent._dispatch import SUPPORT, Elementwise, Support

DOC = """A function for tests.

Notes
-----
{array_types}
"""

hypot = Elementwise(np.hypot, module=__name__, arguments=("a", "b"), doc=DOC)
div_mod = Elementwise(np.divmod, module=__name__, arguments=("a", "b"), doc=DOC, support=Support())

NAMES = [name for name in special.__all__ if name != "certified_regions"]
PAIRS = {
    "log_ivk",
    "log_abs_iv",
    "log_iv_grad",
    "log_kv_grad",
    "log_iv_certified",
    "log_kv_certified",
}


@pytest.fixture(params=NAMES)
def function(request):
    return getattr(special, request.param)


def outputs(result):
    return result if isinstance(result, tuple) else (result,)


class TestUfuncMechanics:
    def test_numpy_goes_straight_through(self, rng):
        a, b = rng.normal(size=(2, 7))
        assert_array_equal(hypot(a, b), np.hypot(a, b))
        for ours, theirs in zip(div_mod(a, b), np.divmod(a, b), strict=True):
            assert_array_equal(ours, theirs)
        assert type(hypot(3.0, 4.0)) is np.float64
        assert hypot(np.float32(3), np.float32(4)).dtype == np.float32

    def test_attributes(self):
        assert hypot.ufunc is np.hypot
        assert (hypot.nin, hypot.nout, hypot.nargs) == (2, 1, 3)
        assert (div_mod.nin, div_mod.nout, div_mod.nargs) == (2, 2, 4)
        assert hypot.types == np.hypot.types
        assert hypot.ntypes == np.hypot.ntypes

    def test_no_reductions(self):
        for name in ("reduce", "accumulate", "reduceat"):
            assert not hasattr(hypot, name)

    def test_options(self, rng):
        a, b = rng.normal(size=(2, 5))
        out = np.full(5, -1.0)
        where = np.array([True, False, True, False, True])
        assert hypot(a, b, out=out, where=where) is out
        assert_array_equal(out, np.where(where, np.hypot(a, b), -1.0))
        assert hypot(a, b, out) is out
        assert hypot(a, b, out=(out,)) is out
        assert_array_equal(out, np.hypot(a, b))
        assert hypot(a, b, dtype=np.float32).dtype == np.float32
        assert hypot(a, b, out=None).shape == (5,)

    def test_out_of_two_results(self, rng):
        a, b = rng.normal(size=(2, 5))
        second = np.empty(5)
        first, returned = div_mod(a, b, out=(None, second))
        assert returned is second
        assert_array_equal(first, np.divmod(a, b)[0])
        assert_array_equal(second, np.divmod(a, b)[1])
        assert len(div_mod(a, b, out=None)) == 2
        with pytest.raises(TypeError, match="tuple of arrays"):  # NumPy's own words
            div_mod(a, b, out=second)
        with pytest.raises(TypeError, match="divmod: out is a ndarray; expected a tuple of 2 arrays or None"):
            div_mod([1.0], b, out=second)

    @pytest.mark.parametrize("kind", [np.asarray, list])
    def test_positional_out(self, kind, rng):
        a, b = rng.normal(size=(2, 5))
        first = np.empty(5)
        returned, second = div_mod(kind(a), b, first)
        assert returned is first
        assert_array_equal(second, np.divmod(a, b)[1])
        assert hypot(kind(a), b, None).shape == (5,)
        with pytest.raises(TypeError):
            hypot(kind(a), b, None, None)
        with pytest.raises(TypeError):
            hypot(kind(a), b, first, out=first)

    def test_wrong_calls_raise_as_numpy_does(self):
        with pytest.raises(TypeError):
            hypot(1.0)
        with pytest.raises(TypeError):
            hypot(1.0, 2.0, np.empty(()), np.empty(()))
        with pytest.raises(TypeError):
            hypot(1.0, 2.0, nothing=3)
        with pytest.raises(TypeError):
            hypot(np.ones(2), np.ones(2), out=np.empty(2, int))
        with pytest.raises(TypeError):
            hypot("a", 1.0)
        with pytest.raises(TypeError):
            hypot(1j, 1.0)
        with pytest.raises(ValueError, match="broadcast"):
            hypot(np.ones(2), np.ones(3))

    def test_outer_and_at(self, rng):
        a, b = rng.normal(size=3), rng.normal(size=(2, 2))
        assert_array_equal(hypot.outer(a, b), np.hypot.outer(a, b))
        for ours, theirs in zip(div_mod.outer(a, b), np.divmod.outer(a, b), strict=True):
            assert_array_equal(ours, theirs)
        values, expected = a.copy(), a.copy()
        hypot.at(values, [0, 0, 2], 1.0)
        np.hypot.at(expected, [0, 0, 2], 1.0)
        assert_array_equal(values, expected)

    def test_subclasses_keep_their_protocol(self):
        class Tagged(np.ndarray):
            pass

        result = hypot(np.array([3.0]).view(Tagged), 4.0)
        assert type(result) is Tagged
        masked = hypot(np.ma.array([3.0, 6.0], mask=[False, True]), 4.0)
        assert isinstance(masked, np.ma.MaskedArray)
        assert masked[0] == 5.0

    def test_array_ufunc_is_asked(self):
        class Lazy:
            def __array_ufunc__(self, ufunc, method, *args, **kwargs):
                return ufunc, method, kwargs

        assert hypot(Lazy(), 1.0) == (np.hypot, "__call__", {})
        assert hypot.outer(1.0, Lazy()) == (np.hypot, "outer", {})

    def test_wrong_number_of_names(self):
        with pytest.raises(TypeError, match="hypot has 2 inputs but 1 names"):
            Elementwise(np.hypot, module=__name__, arguments=("a",), doc="")


class TestIntegersAndBools:
    """Integers and bools are computed in float64, whatever their width; NumPy alone takes float32 for the small ones."""

    @pytest.mark.parametrize(
        "dtype", [bool, np.int8, np.uint8, np.int16, np.uint16, np.int32, np.int64, np.uint64]
    )
    def test_arrays(self, dtype):
        a = np.array([0, 1], dtype)
        assert hypot(a, a).dtype == np.float64
        assert hypot(a, np.float32(1)).dtype == np.float64
        assert hypot.outer(a, a).dtype == np.float64
        assert hypot(dtype(1), dtype(1)).dtype == np.float64

    def test_python_numbers(self):
        assert hypot(True, 1).dtype == np.float64
        assert hypot([True, False], [1, 2]).dtype == np.float64
        assert hypot((1, 2), 3).dtype == np.float64
        # Python numbers are weak beside an array (NEP 50), bools included.
        for number in (1, 1.0, True):
            assert hypot(np.ones(2, np.float32), number).dtype == np.float32

    def test_dtype_is_obeyed(self):
        assert hypot(np.ones(2, np.int8), 1, dtype=np.float32).dtype == np.float32


class TestPickling:
    def test_by_name(self):
        for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
            assert pickle.loads(pickle.dumps(hypot, protocol)) is hypot
        assert copy.deepcopy(hypot) is hypot is copy.copy(hypot)

    def test_special(self, function):
        assert pickle.loads(pickle.dumps(function)) is function
        assert pickle.loads(pickle.dumps(function.ufunc)) is function.ufunc

    def test_special_in_another_process(self):
        sent = pickle.dumps([special.log_iv, special.log_iv_grad.ufunc]).hex()
        code = f"""
import pickle
function, ufunc = pickle.loads(bytes.fromhex("{sent}"))
from solvent import special
print(function is special.log_iv, ufunc is special.log_iv_grad.ufunc)
"""
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
        )
        assert done.stdout.split() == ["True", "True"]


class OnDevice:
    """What a CUDA array shows of itself; its data cannot be touched."""

    def __init__(self, module, **attributes):
        self.__dict__.update(attributes)
        type(self).__module__ = module

    def __array__(self, *args, **kwargs):
        raise AssertionError("a silent copy from the device")


def cupy_like():
    kind = type("ndarray", (OnDevice,), {"__array_ufunc__": lambda *args, **kwargs: NotImplemented})
    return kind("cupy", __cuda_array_interface__={"version": 3})


def torch_like(device=2):
    kind = type("Tensor", (OnDevice,), {"__dlpack_device__": lambda self: (device, 0), "__dlpack__": None})
    return kind("torch")


class TestDevices:
    def test_cuda_arrays_are_refused(self, function):
        name = f"solvent.special.{function.__name__}"
        message = f"{name} has no CUDA kernel; pass a NumPy array (for example v.get())"
        with pytest.raises(NotImplementedError, match=f"^{re.escape(message)}$"):
            function(cupy_like(), 1.0)
        with pytest.raises(NotImplementedError, match=re.escape(f"{name} has no CUDA kernel")):
            function(1.0, cupy_like())

    @pytest.mark.parametrize("device", [2, 13, 10, 8])
    def test_dlpack_device(self, device):
        with pytest.raises(NotImplementedError, match=re.escape("(for example a.numpy(force=True))")):
            hypot(torch_like(device), 1.0)

    def test_out_where_and_outer(self):
        with pytest.raises(NotImplementedError, match=re.escape("out.get()")):
            hypot(1.0, 2.0, out=cupy_like())
        with pytest.raises(NotImplementedError, match=re.escape("where.get()")):
            hypot(np.ones(2), 2.0, out=None, where=cupy_like())
        with pytest.raises(NotImplementedError, match=re.escape("b.get()")):
            hypot.outer(1.0, cupy_like())


class TestArrayApi:
    @pytest.fixture
    def xp(self):
        return pytest.importorskip("array_api_strict")

    def test_type_and_dtype_come_back(self, xp, rng):
        a, b = rng.normal(size=(2, 3, 4))
        for dtype in (xp.float64, xp.float32):
            x, y = xp.asarray(a, dtype=dtype), xp.asarray(b, dtype=dtype)
            result = hypot(x, y)
            assert type(result) is type(x)
            assert result.dtype == dtype
            assert_array_equal(np.from_dlpack(result), np.hypot(np.from_dlpack(x), np.from_dlpack(y)))

    def test_pairs_scalars_outer_and_zero_dimensions(self, xp):
        x = xp.asarray([7.0, 8.0])
        quotient, remainder = div_mod(x, 3.0)
        assert type(quotient) is type(remainder) is type(x)
        assert_array_equal(np.from_dlpack(quotient), [2.0, 2.0])
        assert_array_equal(np.from_dlpack(remainder), [1.0, 2.0])
        assert hypot.outer(x, xp.ones(3)).shape == (2, 3)
        assert hypot(xp.asarray(3.0), 4.0).shape == ()
        assert float(hypot(xp.asarray(3.0), 4.0)) == 5.0
        assert hypot(xp.zeros((0, 2)), 1.0).shape == (0, 2)

    def test_dtype_rules(self, xp):
        assert hypot(xp.asarray([3, 4], dtype=xp.int8), 4).dtype == xp.float64
        assert hypot(xp.asarray([True]), 4).dtype == xp.float64
        assert hypot(xp.asarray([3.0], dtype=xp.float32), 4.0).dtype == xp.float32
        with pytest.raises(TypeError):
            hypot(xp.asarray([1j]), 1.0)

    def test_out_is_written_in_place(self, xp):
        x, out = xp.asarray([3.0, 6.0]), xp.zeros(2)
        assert hypot(x, xp.asarray([4.0, 8.0]), out=out) is out
        assert_array_equal(np.from_dlpack(out), [5.0, 10.0])
        first = xp.zeros(2)
        returned, second = div_mod(x, 4.0, out=(first, None))
        assert returned is first
        assert_array_equal(np.from_dlpack(first), [0.0, 1.0])
        assert_array_equal(np.from_dlpack(second), [3.0, 2.0])

    def test_where(self, xp):
        out = xp.zeros(2)
        hypot(xp.asarray([3.0, 6.0]), 8.0, out=out, where=xp.asarray([False, True]))
        assert_array_equal(np.from_dlpack(out), [0.0, 10.0])

    def test_mixed_libraries_are_refused(self, xp):
        message = "got arrays of array_api_strict and numpy; expected arrays of one library"
        with pytest.raises(TypeError, match=message):
            hypot(xp.ones(2), np.ones(2))
        with pytest.raises(TypeError, match=message):
            hypot(xp.ones(2), xp.ones(2), out=np.ones(2))

    def test_special(self, xp, function):
        x = xp.asarray([0.5, 0.75], dtype=xp.float32)
        for ours, theirs in zip(
            outputs(function(x, x)), outputs(function.ufunc(*[np.from_dlpack(x)] * 2)), strict=True
        ):
            assert type(ours) is type(x)
            assert ours.dtype == xp.float32
            assert_array_equal(np.from_dlpack(ours), theirs)


class TestZeroCopy:
    """The ufunc works on the memory of the caller's array."""

    def test_in_and_out(self):
        class Producer:
            """Speaks DLPack and nothing else."""

            __module__ = "array_api_strict"

            def __init__(self, array):
                self.array = array

            def __array_namespace__(self, api_version=None):
                return pytest.importorskip("array_api_strict")

            def __dlpack__(self, **kwargs):
                return self.array.__dlpack__(**kwargs)

            def __dlpack_device__(self):
                return self.array.__dlpack_device__()

        seen = []

        class Spy(Elementwise):
            def _call_any(self, method, args, kwargs):
                def spy(*inputs, **options):
                    seen.extend([*inputs, *options.get("out", ())])
                    return method(*inputs, **options)

                return super()._call_any(spy, args, kwargs)

        spied = Spy(np.hypot, module=__name__, arguments=("a", "b"), doc="")
        a, b, out = np.array([3.0, 6.0]), np.array([4.0, 8.0]), np.zeros(2)
        given = Producer(out)
        assert spied(Producer(a), Producer(b), out=given) is given
        assert [np.shares_memory(x, y) for x, y in zip(seen, (a, b, out), strict=True)] == [True] * 3
        assert_array_equal(out, [5.0, 10.0])


class TestJax:
    @pytest.fixture
    def jnp(self):
        return pytest.importorskip("jax.numpy")

    def test_type_and_dtype_come_back(self, jnp):
        x = jnp.asarray([3.0, 6.0], dtype=jnp.float32)
        result = hypot(x, 4.0)
        assert type(result) is type(x)
        assert result.dtype == jnp.float32
        assert_array_equal(np.asarray(result), np.hypot(np.array([3, 6], np.float32), 4.0))

    def test_out_cannot_be_written(self, jnp):
        with pytest.raises(
            TypeError, match=r"hypot: out is a read-only \w+; expected an array that can be written"
        ):
            hypot(jnp.ones(2), 1.0, out=jnp.ones(2))


class TestTorch:
    @pytest.fixture
    def torch(self):
        return pytest.importorskip("torch")

    def test_type_and_dtype_come_back(self, torch):
        for dtype in (torch.float32, torch.float64):
            x = torch.tensor([3.0, 6.0], dtype=dtype)
            result = hypot(x, 4.0)
            assert isinstance(result, torch.Tensor)
            assert result.dtype == dtype
            assert_array_equal(result.numpy(), np.hypot(x.numpy(), 4.0))

    def test_out_is_written_in_place(self, torch):
        out = torch.zeros(2, dtype=torch.float64)
        assert hypot(torch.tensor([3.0, 6.0], dtype=torch.float64), 8.0, out=out) is out
        assert out[1] == 10.0

    def test_gradients_are_not_cut_silently(self, torch):
        with pytest.raises((RuntimeError, BufferError), match="grad"):
            hypot(torch.ones(2, requires_grad=True), 1.0)


class TestDask:
    @pytest.fixture
    def da(self):
        return pytest.importorskip("dask.array")

    def test_lazy(self, da, rng):
        a, b = rng.normal(size=(2, 10))
        x = da.from_array(a, chunks=4)
        result = hypot(x, b)
        assert isinstance(result, da.Array)
        assert result.dtype == np.float64
        assert_array_equal(result.compute(), np.hypot(a, b))
        quotient, remainder = div_mod(x, b)
        assert isinstance(quotient, da.Array) and isinstance(remainder, da.Array)
        assert_array_equal(quotient.compute(), np.divmod(a, b)[0])
        assert_array_equal(remainder.compute(), np.divmod(a, b)[1])

    def test_pairs_broadcast_and_keep_dtypes(self, da, rng):
        a, b = rng.normal(size=(3, 1, 4)).astype(np.float32), rng.normal(size=(2, 1)).astype(np.float32)
        x = da.from_array(a, chunks=(2, 1, 3))
        for other in (b, da.from_array(b, chunks=1), 0.25, 2):
            for ours, theirs in zip(div_mod(x, other), np.divmod(a, np.asarray(other)), strict=True):
                assert isinstance(ours, da.Array)
                assert ours.dtype == ours.compute().dtype == np.float32
                np.testing.assert_allclose(ours.compute(), theirs, rtol=1e-6, atol=1e-6)
        assert div_mod(x, 0.25, dtype=np.float64)[1].dtype == np.float64
        assert div_mod(x.astype(np.int8), 0.25)[1].dtype == np.float64
        outer = div_mod.outer(x, b)
        assert_array_equal(outer[1].compute(), np.divmod.outer(a, b)[1])
        with pytest.raises(TypeError, match="divmod takes no where= with Dask arrays"):
            div_mod(x, 0.25, where=np.array(True))

    def test_small_integers(self, da):
        result = hypot(da.from_array(np.array([3, 6], np.int8), chunks=1), 4)
        assert isinstance(result, da.Array)
        assert result.dtype == np.float64

    def test_special_is_lazy_and_can_be_sent(self, da, function):
        x = da.from_array(np.array([0.5, 0.75, 0.875]), chunks=2)
        for lazy, now in zip(outputs(function(x, 0.5)), outputs(function(x.compute(), 0.5)), strict=True):
            assert isinstance(lazy, da.Array)
            again = pickle.loads(pickle.dumps(lazy))
            assert_array_equal(again.compute(scheduler="synchronous"), now)


def test_pandas_keeps_its_index():
    pandas = pytest.importorskip("pandas")
    series = pandas.Series([3.0, 6.0], index=["a", "b"])
    result = hypot(series, 4.0)
    assert isinstance(result, pandas.Series)
    assert list(result.index) == ["a", "b"]
    assert result["a"] == 5.0


class TestSpecial:
    """Every function of `solvent.special`."""

    def test_is_a_true_ufunc(self, function):
        assert type(function.ufunc) is np.ufunc
        assert function.ufunc.__name__ == function.__name__
        nout = 2 if function.__name__ in PAIRS else 1
        assert (function.nin, function.nout, function.nargs) == (2, nout, 2 + nout)
        assert function.types == [f"ff->{'f' * nout}", f"dd->{'d' * nout}"]

    def test_names(self, function):
        assert function.__module__ == "solvent.special"
        assert function.__qualname__ == function.__name__
        assert repr(function) == f"<elementwise function solvent.special.{function.__name__}>"

    def test_signature(self, function):
        parameters = inspect.signature(function).parameters
        second = "r" if function.__name__ == "iv_ratio_inv" else "x"
        assert list(parameters) == ["v", second, "out", "where", "casting", "order", "dtype", "subok"]

    def test_support_is_declared_and_documented(self, function):
        support = SUPPORT[f"solvent.special.{function.__name__}"]
        assert support == Support(array_api=True, dask=True, cuda=False)
        assert str(support) in function.__doc__

    def test_docstring_is_whole(self, function):
        lines = function.__doc__.splitlines()
        sections = [line for line, below in itertools.pairwise(lines) if below and set(below) == {"-"}]
        wanted = ["Parameters", "Returns", "Raises", "See Also", "Notes", "References", "Examples"]
        assert sections == wanted
        assert not re.search(r"\{[a-z_]{2,}\}", function.__doc__)  # no placeholder is left
        assert lines[0].endswith(".") and len(lines[0]) < 100

    def test_help_shows_the_docstring(self, function):
        import pydoc

        assert function.__doc__.splitlines()[0] in pydoc.render_doc(function, renderer=pydoc.plaintext)

    def test_examples_are_found_by_doctest(self):
        found = {test.name: len(test.examples) for test in doctest.DocTestFinder().find(special)}
        assert all(found[f"solvent.special.__test__.{name}"] >= 2 for name in NAMES)

    def test_values_reach_the_right_loop(self):
        # Closed forms: I_{1/2}(x) = sqrt(2 / (pi x)) sinh x, K_{1/2}(x) = sqrt(pi / (2 x)) exp(-x).
        x = 3.0
        log_i = math.log(math.sqrt(2 / (math.pi * x)) * math.sinh(x))
        log_k = math.log(math.pi / (2 * x)) / 2 - x
        assert special.log_iv(0.5, x) == pytest.approx(log_i, abs=1e-14)
        assert special.log_kv(0.5, x) == pytest.approx(log_k, abs=1e-14)
        assert special.log_ive(0.5, x) == pytest.approx(log_i - x, abs=1e-14)
        assert special.log_kve(0.5, x) == pytest.approx(log_k + x, abs=1e-14)
        assert special.log_ivk(0.5, x) == pytest.approx((log_i, log_k), abs=1e-14)
        assert special.log_abs_iv(0.5, x) == pytest.approx((log_i, 1.0), abs=1e-14)
        assert special.log_iv_certified(0.5, x)[0] == pytest.approx(log_i, abs=1e-14)
        assert special.log_kv_certified(0.5, x)[0] == pytest.approx(log_k, abs=1e-14)
        ratio = 1 / math.tanh(x) - 1 / x
        assert special.iv_ratio(1.5, x) == pytest.approx(ratio, abs=1e-14)
        assert special.iv_ratio_c(1.5, x) == pytest.approx(1 - ratio, abs=1e-14)
        assert special.iv_ratio_inv(1.5, ratio) == pytest.approx(x, rel=1e-12)
        assert special.kv_ratio(1.5, x) == pytest.approx(1 + 1 / x, abs=1e-14)
        assert special.log_iv_grad(0.5, x)[1] == pytest.approx(1 / math.tanh(x) - 1 / (2 * x), abs=1e-13)
        assert special.log_kv_grad(0.5, x)[1] == pytest.approx(-1 - 1 / (2 * x), abs=1e-13)

    def test_certified_regions(self):
        regions = special.certified_regions()
        assert {entry["function"] for entry in regions} == {"log_iv", "log_kv"}
        for entry in regions:
            assert set(entry) == {"function", "region", "bounds", "status"}
            assert entry["status"] in {"proven", "estimate"}
            assert all(isinstance(value, str) and value for value in entry.values())
