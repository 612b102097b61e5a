"""Checks of arguments, with the messages that the package promises: argument, what it was, what was expected.

Type errors are `TypeError`, everything else is `ValueError`; both are raised before any work. Every function
returns the checked value in the form that the core takes, so that a call reads ``tol = check_tol(tol, 1e-9)``.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar, cast

import numpy as np

if TYPE_CHECKING:  # numpy.typing would be a quarter of what `import solvent` costs
    from numpy.typing import NDArray

__all__ = [
    "as_float_array",
    "check_callback",
    "check_choice",
    "check_entries",
    "check_finite",
    "check_int",
    "check_maxiter",
    "check_maxtime",
    "check_scalar",
    "check_shape",
    "check_tol",
    "check_workers",
    "index_name",
]

T = TypeVar("T")


# --- arrays ---------------------------------------------------------------------------------------------------


def as_float_array(
    a: Any, name: str, *, ndim: int | tuple[int, ...] | None = None, finite: bool = True
) -> NDArray[Any]:
    """Return `a` as a float32 or float64 array, without a copy where it is one already.

    float32 and float64 stay, float16 becomes float32, integers and bools become float64. Strides, order and
    the writeable flag are kept, but for entries that are not aligned, which are copied. Subclasses (`numpy.matrix`) come back as plain arrays.

    Raises
    ------
    TypeError
        For complex, object, string, date and extended precision data, sparse and masked arrays.
    ValueError
        If the number of dimensions is not `ndim` (or one of them), or an entry is not finite.
    """
    if isinstance(a, np.ma.MaskedArray):
        raise TypeError(f"{name} is a masked array; expected a plain array (for example {name}.filled(0))")
    if hasattr(a, "toarray") and hasattr(a, "tocsr"):
        raise TypeError(f"{name} is a sparse {type(a).__name__}; expected a dense array")
    array = np.asarray(a)
    if array.dtype.kind in "biu":
        array = array.astype(np.float64)
    elif array.dtype.char == "e":
        array = array.astype(np.float32)
    elif array.dtype.char not in "fd":
        raise TypeError(f"{name} has dtype {array.dtype}; expected real numbers (float32 or float64)")
    elif not array.dtype.isnative:
        array = array.astype(array.dtype.newbyteorder("="))
    elif not array.flags.aligned:  # out of a file or off a wire
        array = array.copy()
    if ndim is not None and array.ndim not in (ndim if isinstance(ndim, tuple) else (ndim,)):
        wanted = " or ".join(map(str, ndim)) if isinstance(ndim, tuple) else str(ndim)
        plural = "" if wanted == "1" else "s"
        raise ValueError(f"{name} has shape {array.shape}; expected {wanted} dimension{plural}")
    if finite:
        check_finite(array, name)
    return array


def check_finite(a: NDArray[Any], name: str) -> None:
    """Raise `ValueError` naming the first entry of `a` that is nan or infinite. One pass, no temporary."""
    # A sum is finite only if every term is. It can overflow where all terms are finite: then look closer.
    with np.errstate(all="ignore"):
        total = a.sum()
    if not np.isfinite(total):
        check_entries(a, name, np.isfinite, "expected finite values")


def check_entries(
    a: NDArray[Any], name: str, valid: Callable[[NDArray[Any]], NDArray[np.bool_]], expected: str
) -> None:
    """Raise `ValueError` naming the first entry (in C order) of `a` for which `valid(a)` is False."""
    bad = ~np.asarray(valid(a))
    if bad.any():
        index = np.unravel_index(int(np.argmax(bad)), bad.shape)
        raise ValueError(f"{index_name(name, index)} is {float(a[index])!r}; {expected}")


def check_shape(a: NDArray[Any], name: str, expected: tuple[int, ...], because: str) -> None:
    """Raise `ValueError` unless `a` has the shape that follows from another argument (`because`)."""
    if a.shape != expected:
        raise ValueError(f"{name} has shape {a.shape} but {because}; expected {expected}")


def index_name(name: str, index: Sequence[Any]) -> str:
    """``A[3, 7]``; the bare name for a 0-d array."""
    return f"{name}[{', '.join(str(int(i)) for i in index)}]" if len(index) else name


# --- scalars --------------------------------------------------------------------------------------------------


def _real(value: Any) -> float | None:
    """`value` as a float if it is a real number (Python, NumPy or 0-d array, of any library), else None."""
    if isinstance(value, bool | np.bool_ | str | bytes | complex | np.complexfloating):
        return None
    if getattr(value, "ndim", 0) != 0:
        return None
    try:
        if isinstance(value, np.ndarray) and value.dtype.kind not in "iuf":
            return None
        return float(value)
    except OverflowError:
        return math.inf
    except (TypeError, ValueError):
        return None


def check_scalar(
    value: Any,
    name: str,
    *,
    gt: float | None = None,
    ge: float | None = None,
    lt: float | None = None,
    le: float | None = None,
    finite: bool = True,
) -> float:
    """Return `value` as a float if it is a real number within the limits (nan never is)."""
    limits = [
        (">", gt, operator.gt),
        (">=", ge, operator.ge),
        ("<", lt, operator.lt),
        ("<=", le, operator.le),
    ]
    given = [(sign, limit, test) for sign, limit, test in limits if limit is not None]
    wanted = " and ".join(f"{sign} {limit:g}" for sign, limit, _ in given)
    expected = f"expected a {'finite ' if finite else ''}number {wanted}".rstrip()
    number = _real(value)
    if number is None:
        raise TypeError(f"{name} = {_shown(value)}; {expected}")
    outside = not all(test(number, limit) for _, limit, test in given)
    if math.isnan(number) or (finite and math.isinf(number)) or outside:
        raise ValueError(f"{name} = {_shown(value, number)}; {expected}")
    return number


def check_int(value: Any, name: str, *, ge: int | None = None, le: int | None = None) -> int:
    """Return `value` as an int if it is an integer (also NumPy's, also 0-d; no bool, no 3.0) within the limits."""
    limits = [f"{sign} {limit}" for sign, limit in ((">=", ge), ("<=", le)) if limit is not None]
    expected = f"expected an integer {' and '.join(limits)}".rstrip()
    try:
        if isinstance(value, bool | np.bool_) or getattr(value, "dtype", None) == np.bool_:
            raise TypeError
        number = operator.index(value)
    except TypeError:
        raise TypeError(f"{name} = {_shown(value)}; {expected}") from None
    if (ge is not None and number < ge) or (le is not None and number > le):
        raise ValueError(f"{name} = {number}; {expected}")
    return number


def check_choice(value: T, name: str, allowed: Sequence[T]) -> T:
    """Return `value` if it is one of `allowed`."""
    # `any` with a type check first: an array compared with a string is an array.
    if not any(isinstance(value, type(choice)) and value == choice for choice in allowed):
        expected = ", ".join(repr(choice) for choice in allowed)
        raise ValueError(f"{name} = {_shown(value)}; expected one of {expected}")
    return value


def _shown(value: Any, number: float | None = None) -> str:
    """The value as a message shows it: ``0.0``, never ``np.float64(0.0)``, and never a page of array."""
    if number is not None and not isinstance(value, int | np.integer):
        return repr(number)
    if isinstance(value, np.generic):
        return repr(value.item())
    if getattr(value, "ndim", 0):
        return f"array of shape {tuple(value.shape)}"
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."


# --- the keywords that every family shares --------------------------------------------------------------------


def check_tol(tol: Any, default: float) -> float:
    """``tol=None`` is `default`; a finite number >= 0 (0: use the whole budget)."""
    return default if tol is None else check_scalar(tol, "tol", ge=0)


def check_maxiter(maxiter: Any, default: int) -> int:
    """``maxiter=None`` is `default`; an integer >= 1."""
    return default if maxiter is None else check_int(maxiter, "maxiter", ge=1)


def check_maxtime(maxtime: Any) -> float | None:
    """``maxtime=None`` is no limit, and so is inf; else seconds > 0."""
    if maxtime is None:
        return None
    seconds = check_scalar(maxtime, "maxtime", gt=0, finite=False)
    return None if math.isinf(seconds) else seconds


def check_workers(workers: Any) -> int | None:
    """``workers=None`` is the package's thread setting; an integer >= 1."""
    return None if workers is None else check_int(workers, "workers", ge=1)


def check_callback(callback: Any) -> Callable[[Any], object] | None:
    """``callback=None`` or anything that can be called with one argument."""
    if callback is None or callable(callback):
        return cast("Callable[[Any], object] | None", callback)
    raise TypeError(f"callback = {_shown(callback)}; expected a callable or None")
