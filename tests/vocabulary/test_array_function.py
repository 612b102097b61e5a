"""`array_function`: functions of whole arrays keep the array type of their callers."""

import inspect
import pickle
import re
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from solvent._dispatch import SUPPORT, Support, array_function
from solvent._result import Result, ResultBatch

OUTCOME = {
    "success": True,
    "status": "converged",
    "message": "done",
    "nit": 1,
    "certificate": {
        "kind": "none",
        "bound": 0.0,
        "relative": False,
        "rigorous": True,
        "failure_probability": 0.0,
        "parts": {},
    },
    "history": {"nit": [1.0], "bound": [0.0], "elapsed": [0.0]},
    "elapsed": 0.0,
}


@dataclass(frozen=True, repr=False, eq=False)
class Mean(Result):
    """A payload of an array and a number."""

    mean: np.ndarray
    scale: float


seen = []


@array_function("x", "weights")
def center(x, p=2, *, weights=None):
    """Subtract the mean."""
    seen[:] = [x, weights]
    return x - x.mean(axis=0), x.mean(axis=0), p


@array_function("x")
def fit(x):
    return Mean.from_core(OUTCOME, mean=x.mean(axis=0), scale=2.0)


class Model:
    @array_function("x")
    def apply(self, x):
        return 2 * x


def test_numpy_passes_through():
    x = np.arange(6.0).reshape(3, 2)
    result = center(x, weights=[1, 2, 3])
    assert seen[0] is x and seen[1] == [1, 2, 3]
    assert isinstance(result[0], np.ndarray) and result[2] == 2


def test_identity_is_kept():
    assert center.__name__ == "center"
    assert center.__doc__ == "Subtract the mean."
    assert list(inspect.signature(center).parameters) == ["x", "p", "weights"]


def test_support_is_declared():
    assert SUPPORT[f"{__name__}.center"] == Support(array_api=True, dask=False, cuda=False)


def test_other_libraries():
    xp = pytest.importorskip("array_api_strict")
    x = xp.asarray([[1.0, 2.0], [3.0, 6.0]])
    centered, mean, p = center(x, 3)
    assert type(seen[0]) is np.ndarray
    assert type(centered) is type(mean) is type(x)
    assert p == 3
    assert_array_equal(np.from_dlpack(mean), [2.0, 4.0])
    center(x=x, weights=xp.ones(2))
    assert type(seen[1]) is np.ndarray


def test_methods():
    xp = pytest.importorskip("array_api_strict")
    result = Model().apply(xp.ones(2))
    assert type(result) is type(xp.ones(2))
    assert isinstance(Model().apply(np.ones(2)), np.ndarray)


def test_results_carry_the_callers_arrays():
    xp = pytest.importorskip("array_api_strict")
    result = fit(xp.asarray([[1.0, 2.0], [3.0, 6.0]]))
    assert type(result) is Mean
    assert type(result.mean) is type(xp.ones(2))
    assert result.scale == 2.0
    # The record of the run is not payload: NumPy, whatever the data were.
    assert isinstance(result.history["bound"], np.ndarray)
    assert "mean: Array of shape (2,), " in repr(result)


@dataclass(frozen=True, repr=False, eq=False)
class Lazy(Mean):
    """Centers more rows later."""

    _rows: Any = field(default=None, repr=False)

    def centered(self):
        return self._out(self._rows - self._rows.mean(axis=0))


@array_function("x")
def fit_lazily(x):
    return Lazy.from_core(OUTCOME, mean=x.mean(axis=0), scale=2.0, _rows=x)


def test_lazy_methods_give_the_callers_arrays():
    xp = pytest.importorskip("array_api_strict")
    x = np.array([[1.0, 2.0], [3.0, 6.0]])
    assert type(fit_lazily(x).centered()) is np.ndarray
    result = fit_lazily(xp.asarray(x))
    assert type(result._rows) is np.ndarray
    for again in (result, pickle.loads(pickle.dumps(replace(result, mean=None)))):
        assert type(again.centered()) is type(xp.ones(2))
        assert_array_equal(np.from_dlpack(again.centered()), [[-1.0, -2.0], [1.0, 2.0]])


def test_batches_stack_in_the_callers_arrays():
    xp = pytest.importorskip("array_api_strict")

    @array_function("x")
    def many(x):
        return ResultBatch(Mean.from_core(OUTCOME, mean=rows.mean(axis=0), scale=2.0) for rows in x)

    batch = many(xp.asarray(np.arange(12.0).reshape(3, 2, 2)))
    assert type(batch.mean) is type(batch.scale) is type(batch[0].mean) is type(xp.ones(2))
    assert_array_equal(np.from_dlpack(batch.mean), [[1.0, 2.0], [5.0, 6.0], [9.0, 10.0]])
    assert_array_equal(np.from_dlpack(batch.scale), [2.0, 2.0, 2.0])
    assert type(batch.nit) is np.ndarray and type(batch.certificate) is np.ndarray


@array_function("x")
def start_from(x):
    seen[:] = [x]
    return {"same": x, "sum": np.ones(2), "n": 3}


class Pair(NamedTuple):
    f: Any
    g: Any


def test_arrays_in_tuples_dicts_and_results():
    xp = pytest.importorskip("array_api_strict")
    a = xp.ones(2)
    for x, inside in [
        ((a, None), lambda x: x[0]),
        ({"f": (1.0, a)}, lambda x: x["f"][1]),
        (Pair(a, 2.0), lambda x: x.f),
        (fit(xp.asarray([[1.0, 1.0], [1.0, 1.0]])), lambda x: x.mean),
    ]:
        answer = start_from(x)
        assert type(seen[0]) is type(answer["same"]) is type(x)
        assert type(inside(seen[0])) is np.ndarray
        assert_array_equal(inside(seen[0]), [1.0, 1.0])
        assert type(inside(answer["same"])) is type(answer["sum"]) is type(a)
        assert type(inside(x)) is type(a)
        assert answer["n"] == 3
    pair = (np.ones(2), np.ones(2))
    assert start_from(pair)["same"] is pair
    with pytest.raises(TypeError, match="expected arrays of one library"):
        start_from((a, np.ones(2)))


def test_dask_inside_a_tuple():
    da = pytest.importorskip("dask.array")
    with pytest.raises(TypeError, match=re.escape("x[0] is a Dask array; expected x[0].compute()")):
        start_from((da.ones(2), None))


def test_read_only_outputs():
    xp = pytest.importorskip("array_api_strict")

    @array_function("x")
    def constant(x):
        result = np.array([1.0, 2.0])
        result.flags.writeable = False
        return result

    assert_array_equal(np.from_dlpack(constant(xp.ones(1))), [1.0, 2.0])


def test_mixed_libraries():
    xp = pytest.importorskip("array_api_strict")
    with pytest.raises(
        TypeError, match="got arrays of array_api_strict and numpy; expected arrays of one library"
    ):
        center(xp.ones((2, 2)), weights=np.ones(2))


def test_dask_is_not_computed_silently():
    da = pytest.importorskip("dask.array")
    name = re.escape(f"{__name__}.center")
    with pytest.raises(TypeError, match=name + r": x is a Dask array; expected x.compute\(\)"):
        center(da.ones((4, 2), chunks=2))


class Device:
    @property
    def __cuda_array_interface__(self):
        return {"version": 3}


def test_cuda_arrays_are_refused():
    with pytest.raises(NotImplementedError, match=r"center has no CUDA kernel; pass .*weights\.get\(\)"):
        center(np.ones((2, 2)), weights=Device())


def test_cuda_arrays_are_refused_where_they_are_held():
    for x, where in [
        ((np.ones(2), Device()), "x[1]"),
        ({"f": Device()}, "x['f']"),
        (Mean.from_core(OUTCOME, mean=Device(), scale=2.0), "x.mean"),
        ((1, {"f": (Device(),)}), "x[1]['f'][0]"),
    ]:
        with pytest.raises(NotImplementedError, match=re.escape(f"(for example {where}.get())")):
            start_from(x)


def test_cuda_arrays_are_handed_on_where_a_kernel_exists():
    @array_function("x", cuda=True)
    def kernel(x):
        return x

    device = Device()
    assert kernel(device) is device
    assert kernel(np.float64(1)) == 1.0
    assert SUPPORT[f"{__name__}.{kernel.__qualname__}"].cuda


def test_wrong_calls_raise_as_python_does():
    with pytest.raises(TypeError, match="missing a required argument: 'x'"):
        center()
    with pytest.raises(TypeError, match=re.escape("has no parameter ['y']")):
        array_function("y")(lambda x: x)
