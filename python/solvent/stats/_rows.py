"""Checks of directions, mean directions and concentrations, shared by the distribution and its fit."""

from typing import Any, NoReturn

import numpy as np
from numpy.typing import ArrayLike, NDArray

from solvent._validate import as_float_array, check_entries, index_name

__all__ = ["check_columns", "check_kappa", "check_mu", "norm_tolerance", "refuse_rows"]


def norm_tolerance(dtype: np.dtype[Any]) -> float:
    """How far the norm of a unit row of this dtype may be from 1."""
    return 1e-3 if dtype == np.float32 else 1e-5


def check_mu(mu: ArrayLike | None, name: str = "mu") -> NDArray[Any]:
    """Unit vectors along the last axis, of two dimensions or more."""
    if mu is None:
        raise ValueError(f"{name} is None; expected a unit vector of shape (d,) with d >= 2")
    array = as_float_array(mu, name)
    if array.ndim == 0 or array.shape[-1] < 2:
        raise ValueError(f"{name} has shape {array.shape}; expected (d,) with d >= 2")
    norms = np.linalg.norm(array.astype(np.float64, copy=False), axis=-1)
    tolerance = norm_tolerance(array.dtype)
    bad = ~(np.abs(norms - 1) <= tolerance)
    if bad.any():
        index = np.unravel_index(int(np.argmax(bad)), bad.shape)
        raise ValueError(
            f"{index_name(name, index)} has norm {norms[index]:g}; "
            f"expected a unit vector (norm 1 within {tolerance:g})"
        )
    return array


def check_kappa(kappa: ArrayLike, name: str = "kappa") -> NDArray[Any]:
    """Finite numbers >= 0."""
    array = as_float_array(kappa, name, finite=False)
    check_entries(array, name, lambda k: np.isfinite(k) & (k >= 0), "expected a finite number >= 0")
    return array


def check_columns(x: ArrayLike, d: int, name: str = "x") -> NDArray[Any]:
    """Rows of dimension `d` along the last axis; their entries are checked by whoever passes over them."""
    array = as_float_array(x, name, finite=False)
    if array.ndim == 0:
        raise ValueError(f"{name} has shape (); expected (..., {d})")
    if array.shape[-1] != d:
        raise ValueError(f"{name} has {array.shape[-1]} columns but mu has {d}; expected (..., {d})")
    return array


def refuse_rows(x: NDArray[Any], name: str = "x") -> NoReturn:
    """Raise for the first entry of `x` that is not finite, or the first row that is not unit."""
    check_entries(x, name, np.isfinite, "expected finite values")
    norms = np.linalg.norm(x.astype(np.float64, copy=False), axis=-1)
    bad = ~(np.abs(norms - 1) <= norm_tolerance(x.dtype))
    index = np.unravel_index(int(np.argmax(bad)), bad.shape)
    raise ValueError(f"{index_name(name, index)} has norm {float(norms[index])!r}; expected unit rows")
