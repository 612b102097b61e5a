"""Array type in = array type out.

NumPy arrays go to the core as they are. Arrays of other libraries that live on the CPU and speak DLPack or the
array API go in without a copy, and the results come back as arrays of the same library. Objects with
``__array_ufunc__`` (Dask, pandas, xarray) keep their own protocol. CUDA arrays are refused with a message until
a kernel exists; nothing is copied silently between host and device.
"""

import inspect
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import wraps
from typing import Any, TypeVar, cast

import numpy as np

from ._result import Result, ResultBatch

__all__ = ["SUPPORT", "Elementwise", "Support", "array_function"]

F = TypeVar("F", bound=Callable[..., Any])


# --- which array types a function takes: declared once, read by the docs and by the tests ------------------------


@dataclass(frozen=True)
class Support:
    """The array types that a function takes, beside NumPy's.

    Attributes
    ----------
    array_api : bool
        CPU arrays that speak DLPack or the array API (PyTorch, JAX, array-api-strict).
    dask : bool
        Dask arrays, lazily.
    cuda : bool
        CUDA arrays.
    """

    array_api: bool = True
    dask: bool = False
    cuda: bool = False

    def __str__(self) -> str:
        taken = ["NumPy arrays"]
        if self.array_api:
            taken.append("CPU arrays of other libraries through DLPack or the array API, without a copy")
        if self.dask:
            taken.append("Dask arrays, lazily")
        if self.cuda:
            taken.append("CUDA arrays, on the caller's stream")
        refused = "" if self.cuda else " CUDA arrays raise `NotImplementedError`."
        return f"Array types: {'; '.join(taken)}. The result has the type of the input.{refused}"


#: Every public function that takes arrays, by its full name.
SUPPORT: dict[str, Support] = {}


# --- one look at an argument -------------------------------------------------------------------------------------

_CPU_DEVICES = frozenset({1, 3, 11})  # kDLCPU, kDLCUDAHost, kDLROCMHost: memory that the host can read
# Known without asking, because asking is slow.
_ON_HOST = (np.ndarray, np.generic, int, float, complex, str, list, tuple, type, type(None))
_HOST_COPY = {"torch": "{}.numpy(force=True)", "jax": "jax.device_get({})", "jaxlib": "jax.device_get({})"}


def _library(a: Any) -> str:
    return type(a).__module__.partition(".")[0]


def _is_on_device(a: Any) -> bool:
    """Whether `a` lives where the host cannot read it."""
    if isinstance(a, _ON_HOST):
        return False
    if hasattr(a, "__cuda_array_interface__"):
        return True
    device = getattr(a, "__dlpack_device__", None)
    return device is not None and int(device()[0]) not in _CPU_DEVICES


def _is_foreign(a: Any) -> bool:
    """Whether `a` is an array of another library that we must convert; raises nothing."""
    if isinstance(a, _ON_HOST) or hasattr(type(a), "__array_ufunc__"):
        return False
    return hasattr(a, "__array_namespace__") or hasattr(a, "__dlpack__")


def _refuse_device(a: Any, function: str, argument: str = "A") -> None:
    if _is_on_device(a):
        copy = _HOST_COPY.get(_library(a), "{}.get()").format(argument)
        raise NotImplementedError(f"{function} has no CUDA kernel; pass a NumPy array (for example {copy})")


def _to_numpy(a: Any) -> np.ndarray[Any, Any]:
    """A view of the CPU array `a`."""
    try:
        return np.from_dlpack(a)
    except (AttributeError, BufferError, TypeError, RuntimeError, ValueError):
        # Older DLPack producers cannot export read-only memory, bool or empty arrays. `__array__` is free of
        # a copy on the CPU too, and refuses by itself what must be refused (torch: requires_grad).
        return np.asarray(a)


def _namespace(arrays: Iterable[Any], function: str) -> Any:
    """The array API namespace that all `arrays` (foreign ones, and NumPy arrays) belong to."""
    import array_api_compat

    found = {}
    for a in arrays:
        if isinstance(a, np.ndarray):
            found["numpy"] = np
        elif _is_foreign(a):
            xp = array_api_compat.array_namespace(a)
            found[xp.__name__.removeprefix("array_api_compat.")] = xp
    if len(found) > 1:
        raise TypeError(
            f"{function} got arrays of {' and '.join(sorted(found))}; expected arrays of one library"
        )
    return found.popitem()[1]


def _from_numpy(value: Any, xp: Any) -> Any:
    """The array (or NumPy scalar, for 0-d results) `value` as an array of `xp`, without a copy where it can be."""
    array = np.asarray(value)
    if not array.flags.writeable:  # most libraries have no notion of it, and refuse
        array = array.copy()
    # The array API's one portable way in.
    return xp.from_dlpack(array) if hasattr(xp, "from_dlpack") else xp.asarray(array)


# --- elementwise functions ---------------------------------------------------------------------------------------

# Types that reach the ufunc without a further look. NumPy's small integers and bools are not among them: NumPy
# would compute them in float32.
_DIRECT = frozenset({float, int, np.float64, np.float32, np.int64, np.uint64})
_DIRECT_WHERE = frozenset({type(None), bool, np.ndarray})
# Looked up once: NumPy has one object for each native dtype.
_NDARRAY, _FLOAT64, _FLOAT32 = np.ndarray, np.dtype(np.float64), np.dtype(np.float32)


def _is_direct_out(out: Any) -> bool:
    if type(out) is tuple:
        return all(entry is None or type(entry) is _NDARRAY for entry in out)
    return type(out) is _NDARRAY


class Elementwise:
    """An elementwise function of arrays over a true `numpy.ufunc`.

    NumPy input goes straight to the ufunc, with all its options (``out=``, ``where=``, ``dtype=``, ...); other
    array types come back as they went in. Integers and bools are computed in float64. Pickles by name.

    Parameters
    ----------
    ufunc : numpy.ufunc
        What computes.
    module : str
        The public module that holds this object under the ufunc's name.
    arguments : tuple of str
        The names of the inputs, for the signature.
    doc : str
        The docstring, numpydoc; ``{array_types}`` in it becomes the text of `support`.
    support : Support
        Which array types are taken.

    Attributes
    ----------
    ufunc : numpy.ufunc
        The ufunc itself.
    nin, nout, nargs, ntypes, types
        As the ufunc's.
    """

    def __init__(
        self,
        ufunc: np.ufunc,
        *,
        module: str,
        arguments: tuple[str, ...],
        doc: str,
        support: Support = Support(dask=True),
    ) -> None:
        if len(arguments) != ufunc.nin:
            raise TypeError(f"{ufunc.__name__} has {ufunc.nin} inputs but {len(arguments)} names")
        self._ufunc = ufunc
        self.__name__ = self.__qualname__ = ufunc.__name__
        self.__module__ = module
        self.__doc__ = inspect.cleandoc(doc).replace("{array_types}", str(support))
        self.__signature__ = _ufunc_signature(arguments)
        self._full_name = f"{module}.{ufunc.__name__}"
        SUPPORT[self._full_name] = support

    def __call__(self, /, *args: Any, **kwargs: Any) -> Any:
        # The whole cost over a bare ufunc is this loop.
        for a in args:
            kind = type(a)
            if kind is _NDARRAY:
                dtype = a.dtype
                if dtype is not _FLOAT64 and dtype is not _FLOAT32:
                    return self._call_any(self._ufunc, args, kwargs)
            elif kind not in _DIRECT:
                return self._call_any(self._ufunc, args, kwargs)
        if kwargs and not (
            _is_direct_out(kwargs.get("out", ())) and type(kwargs.get("where")) in _DIRECT_WHERE
        ):
            return self._call_any(self._ufunc, args, kwargs)
        return self._ufunc(*args, **kwargs)

    def _call_any(self, method: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Call the ufunc, or its ``outer``, with arguments of any type."""
        nin = self._ufunc.nin
        inputs, outs = args[:nin], args[nin:]
        if "out" in kwargs:
            kwargs = dict(kwargs)
            outs += self._out_tuple(kwargs.pop("out"))
        if len(outs) > self._ufunc.nout:
            raise TypeError(f"{self._full_name} got {len(outs)} outputs; expected at most {self._ufunc.nout}")
        for name, a in zip((*self.__signature__.parameters,)[:nin], inputs, strict=False):
            _refuse_device(a, self._full_name, name)
        for name, a in (*(("out", a) for a in outs), ("where", kwargs.get("where"))):
            _refuse_device(a, self._full_name, name)
        foreign = any(map(_is_foreign, (*inputs, *outs)))
        if foreign:
            xp = _namespace((*inputs, *outs), self._full_name)
            inputs = tuple(_to_numpy(a) if _is_foreign(a) else a for a in inputs)
            views = tuple(self._writable_view(a) if _is_foreign(a) else a for a in outs)
            where = kwargs.get("where")
            if where is not None and _is_foreign(where):
                kwargs = {**kwargs, "where": _to_numpy(where)}
        else:
            views = outs
        if "dtype" not in kwargs and "signature" not in kwargs:
            inputs = tuple(map(_integers_to_float64, inputs))
        if any(view is not None for view in views):
            kwargs = {**kwargs, "out": (*views, *[None] * (self._ufunc.nout - len(views)))}
        if self._ufunc.nout > 1 and any(_library(a) == "dask" for a in inputs):
            from . import _dask

            if method == self._ufunc.outer:
                inputs = _dask.outer(*inputs)
            return _dask.call(self._ufunc, self._full_name, inputs, kwargs)
        result = method(*inputs, **kwargs)
        if not foreign:
            return result
        results = result if isinstance(result, tuple) else (result,)
        mapped = tuple(
            outs[i] if i < len(outs) and outs[i] is not None else _from_numpy(r, xp)
            for i, r in enumerate(results)
        )
        return mapped if isinstance(result, tuple) else mapped[0]

    def _out_tuple(self, out: Any) -> tuple[Any, ...]:
        """``out=`` in its one form; None, our default, is refused by NumPy where there are two results."""
        nout = self._ufunc.nout
        if out is None or isinstance(out, tuple):
            return out or ()
        if nout > 1:
            kind = type(out).__name__
            raise TypeError(f"{self._full_name}: out is a {kind}; expected a tuple of {nout} arrays or None")
        return (out,)

    def _writable_view(self, out: Any) -> np.ndarray[Any, Any]:
        view = _to_numpy(out)
        if not view.flags.writeable:
            kind = type(out).__name__
            raise TypeError(
                f"{self._full_name}: out is a read-only {kind}; expected an array that can be written"
            )
        return view

    def outer(self, a: Any, b: Any, /, **kwargs: Any) -> Any:
        """Apply the function to all pairs of an entry of `a` and an entry of `b`.

        The result (each result of a pair) has shape ``a.shape + b.shape``. As `numpy.ufunc.outer`.
        """
        return self._call_any(self._ufunc.outer, (a, b), kwargs)

    def at(self, a: np.ndarray[Any, Any], indices: Any, b: Any, /) -> None:
        """Replace ``a[indices]`` by the function of it and `b`, in place. As `numpy.ufunc.at`.

        For functions with one result; `a` is a NumPy array.
        """
        self._ufunc.at(a, indices, b)

    @property
    def ufunc(self) -> np.ufunc:
        """The `numpy.ufunc` that computes."""
        return self._ufunc

    @property
    def nin(self) -> int:
        """The number of inputs."""
        return self._ufunc.nin

    @property
    def nout(self) -> int:
        """The number of results."""
        return self._ufunc.nout

    @property
    def nargs(self) -> int:
        """The number of inputs and results together."""
        return self._ufunc.nargs

    @property
    def ntypes(self) -> int:
        """The number of loops."""
        return self._ufunc.ntypes

    @property
    def types(self) -> list[str]:
        """The loops, as ``"dd->d"``."""
        return self._ufunc.types

    def __repr__(self) -> str:
        return f"<elementwise function {self._full_name}>"

    def __reduce__(self) -> str:
        return self.__qualname__


def _ufunc_signature(arguments: tuple[str, ...]) -> inspect.Signature:
    positional, keyword = inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.KEYWORD_ONLY
    parameters = [inspect.Parameter(name, positional) for name in arguments]
    parameters.append(inspect.Parameter("out", inspect.Parameter.POSITIONAL_OR_KEYWORD, default=None))
    options = {"where": True, "casting": "same_kind", "order": "K", "dtype": None, "subok": True}
    parameters += [inspect.Parameter(name, keyword, default=value) for name, value in options.items()]
    return inspect.Signature(parameters)


def _integers_to_float64(a: Any) -> Any:
    """`a` in float64 if it holds integers or bools, else `a`: NumPy would take float32 for the small ones."""
    if isinstance(a, bool):
        return float(a)
    if isinstance(a, list | tuple):
        a = np.asarray(a)
    dtype = getattr(a, "dtype", None)
    # Dask, pandas and xarray arrays have NumPy dtypes and `astype` too.
    if isinstance(dtype, np.dtype) and dtype.kind in "biu" and hasattr(a, "astype"):
        return a.astype(np.float64)
    return a


# --- functions that take whole arrays ----------------------------------------------------------------------------


def array_function(*arguments: str, cuda: bool = False) -> Callable[[F], F]:
    """Decorate a function that is written for NumPy so that it keeps the array type of its callers.

    The arguments that are named here may be arrays of another library on the CPU, or tuples, dicts and earlier
    results that hold such arrays (``x0=(f, g)``, ``x0=result``); the function sees NumPy views of them. Arrays in
    what it returns (an array, or a tuple, dict or the payload of a `Result`) go back to that library. Lists are
    not looked into: they are NumPy's to convert. Calls with NumPy arrays only pass through. `SUPPORT` gets an
    entry.

    Parameters
    ----------
    *arguments : str
        The parameters that take arrays. Dask arrays among them raise `TypeError` (their values would have to be
        computed here and now), CUDA arrays `NotImplementedError`.
    cuda : bool
        The function handles CUDA arrays itself: they are handed on as they are.
    """

    def decorate(function: F) -> F:
        signature = inspect.signature(function)
        unknown = set(arguments) - set(signature.parameters)
        if unknown:
            raise TypeError(f"{function.__qualname__} has no parameter {sorted(unknown)}")
        name = f"{_public_module(function.__module__)}.{function.__qualname__}"
        SUPPORT[name] = Support(cuda=cuda)

        @wraps(function)
        def wrapper(*args: Any, **kwargs: Any) -> Any:
            call = signature.bind(*args, **kwargs)
            given = {key: call.arguments[key] for key in arguments if key in call.arguments}
            held = [entry for key, a in given.items() for entry in _held(a, key)]
            if cuda and any(_is_on_device(a) for _, a in held):
                return function(*args, **kwargs)
            for where, a in held:
                _refuse_device(a, name, where)
                if _library(a) == "dask":
                    raise TypeError(f"{name}: {where} is a Dask array; expected {where}.compute()")
            if not any(_is_foreign(a) for _, a in held):
                return function(*args, **kwargs)
            xp = _namespace((a for _, a in held), name)
            call.arguments.update({key: _map_arrays(a, _to_view) for key, a in given.items()})
            return _give_back(function(*call.args, **call.kwargs), xp)

        return cast(F, wrapper)

    return decorate


def _public_module(module: str) -> str:
    """``solvent.stats`` for ``solvent.stats._vmf``."""
    return module.partition("._")[0]


def _held(value: Any, where: str) -> Iterator[tuple[str, Any]]:
    """`value`, or what it holds if it is a tuple, a dict or a result, each with the expression that names it."""
    if isinstance(value, tuple):
        for i, entry in enumerate(value):
            yield from _held(entry, f"{where}[{i}]")
    elif isinstance(value, dict):
        for key, entry in value.items():
            yield from _held(entry, f"{where}[{key!r}]")
    elif isinstance(value, Result):
        for name in value._payload_names():
            yield from _held(value[name], f"{where}.{name}")
    elif isinstance(value, ResultBatch):
        for i, result in enumerate(value):
            yield from _held(result, f"{where}[{i}]")
    else:
        yield where, value


def _map_arrays(value: Any, convert: Callable[[Any], Any], xp_name: str | None = None) -> Any:
    """`value` with `convert` applied to all that `_held` finds; results note `xp_name` for their lazy methods."""
    if isinstance(value, tuple):
        entries = [_map_arrays(entry, convert, xp_name) for entry in value]
        return type(value)._make(entries) if hasattr(value, "_make") else tuple(entries)
    if isinstance(value, dict):
        return {key: _map_arrays(entry, convert, xp_name) for key, entry in value.items()}
    if isinstance(value, Result):
        payload = {name: _map_arrays(value[name], convert, xp_name) for name in value._payload_names()}
        return replace(value, _xp=xp_name, **payload)
    if isinstance(value, ResultBatch):
        return type(value)(_map_arrays(result, convert, xp_name) for result in value)
    return convert(value)


def _to_view(a: Any) -> Any:
    return _to_numpy(a) if _is_foreign(a) else a


def _give_back(value: Any, xp: Any) -> Any:
    """`value` with its NumPy arrays as arrays of `xp`; numbers and everything else as they are."""

    def convert(entry: Any) -> Any:
        return _from_numpy(entry, xp) if isinstance(entry, np.ndarray) else entry

    return _map_arrays(value, convert, xp.__name__)
