"""Lazy calls on Dask arrays where Dask's own protocol stops: ufuncs with two results, and outer.

The one module that imports Dask; it is imported when a Dask array arrives.
"""

from typing import Any

import dask.array as da
import numpy as np

__all__ = ["call", "outer"]


def call(ufunc: np.ufunc, name: str, inputs: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, ...]:
    """The results of ``ufunc(*inputs)`` as Dask arrays. Dask itself does this for one result only."""
    unknown = set(kwargs) - {"dtype"}
    if unknown:
        raise TypeError(f"{name} takes no {min(unknown)}= with Dask arrays; expected dtype= at most")
    dtype = kwargs.get("dtype")
    if dtype is None:
        # Python numbers are weak in the choice of the loop (NEP 50); Dask would make float64 arrays of them.
        kinds = [type(a) if isinstance(a, int | float) else np.asanyarray(a).dtype for a in inputs]
        dtypes = ufunc.resolve_dtypes((*kinds, *[None] * ufunc.nout))
    else:
        dtypes = (np.dtype(dtype),) * ufunc.nargs
    arrays = [
        np.asarray(a, dtype) if isinstance(a, int | float) else a
        for a, dtype in zip(inputs, dtypes, strict=False)
    ]
    scalars = ",".join(["()"] * ufunc.nin) + "->" + ",".join(["()"] * ufunc.nout)
    # Broadcasting also gives all inputs the same chunks, which apply_gufunc demands.
    arrays = da.broadcast_arrays(*map(da.asarray, arrays))
    output_dtypes = list(dtypes[ufunc.nin :])
    results = da.apply_gufunc(ufunc, scalars, *arrays, output_dtypes=output_dtypes, **kwargs)  # type: ignore[no-untyped-call]
    return tuple(results)


def outer(a: Any, b: Any) -> tuple[Any, Any]:
    """`a` with the axes appended that broadcast it against `b` as ``ufunc.outer`` does, and `b`."""
    return da.asarray(a)[(..., *[None] * np.ndim(b))], b  # type: ignore[no-untyped-call]
