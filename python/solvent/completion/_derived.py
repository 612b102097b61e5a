"""What follows from a completion: error bars, recommendations; and the half-sweep that distributed runs are made of."""

from __future__ import annotations

from typing import Any, Literal, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from solvent import _core
from solvent._dispatch import array_function
from solvent._validate import as_float_array, check_choice, check_int, check_scalar, check_workers

from ._data import Entries, observed
from ._result import CompletionResult, payload_of
from ._run import mad_scale

__all__ = ["entry_std", "half_sweep", "recommend"]


def payload_alone(result: CompletionResult) -> dict[str, Any]:
    """The arrays of a result as the core takes them, without data to check them against."""
    shaped = Entries(
        indptr=np.zeros(1, np.int64),
        indices=np.zeros(0, np.int32),
        data=np.zeros(0, np.asarray(result.U).dtype),
        weights=None,
        shape=result.shape,
    )
    return payload_of(result, shaped)


@array_function("A", "rows", "cols")
def entry_std(
    result: CompletionResult,
    rows: ArrayLike,
    cols: ArrayLike,
    *,
    kind: Literal["mean", "observation"] = "mean",
    method: Literal["joint", "gram"] = "joint",
    A: Any = None,
    mask: Any = None,
    weights: Any = None,
    shape: tuple[int, int] | None = None,
    duplicates: str = "error",
    tol: float = 1e-3,
    workers: int | None = None,
) -> NDArray[np.float64]:
    """Standard error of entries of a completed matrix.

    Parameters
    ----------
    result : CompletionResult
        The completion; ``noise_std`` is the noise that the data are taken to have.
    rows, cols : array_like of int
        Positions, broadcast against each other.
    kind : {"mean", "observation"}
        Of the entry itself, or of a new noisy observation of it.
    method : {"joint", "gram"}
        "joint": all rows and columns together. "gram": the row's and the column's own normal equations, which is faster
        and too small where few entries are observed.
    A, mask, weights, shape, duplicates
        The data, where the result was made with ``keep_data=False``.
    tol : float
        Relative accuracy of the variance.
    workers : int, optional
        Threads.

    Returns
    -------
    ndarray of float64
        inf where the observed entries do not determine the entry: between rows and columns that no path of observed
        entries connects, and wherever else the normal equations are singular.

    Notes
    -----
    ``noise_std² a^T (J^T J)^+ a``, J the Jacobian of the factors and biases into the weighted entries, a the gradient of
    the entry: first-order, for the rank that was fitted. Shrinkage bias (lam > 0) is not included.

    Examples
    --------
    >>> import numpy as np
    >>> from solvent import completion
    >>> rng = np.random.default_rng(0)
    >>> X = rng.standard_normal((80, 2)) @ rng.standard_normal(
    ...     (2, 60)
    ... ) + 0.1 * rng.standard_normal((80, 60))
    >>> result = completion.complete(
    ...     np.where(rng.random(X.shape) < 0.5, X, np.nan), 2, tol=1e-6
    ... )
    >>> bool(0.005 < completion.entry_std(result, 0, 0) < 0.1)
    True
    """
    check_choice(kind, "kind", ("mean", "observation"))
    check_choice(method, "method", ("joint", "gram"))
    accuracy = check_scalar(tol, "tol", gt=0, lt=1)
    if A is not None:
        entries, _ = observed(A, mask=mask, weights=weights, shape=shape, duplicates=duplicates)
    elif result._data is not None:
        entries = result._data
    else:
        raise ValueError("A = None but the result was made with keep_data=False; pass A=")
    i, j = result._indices(rows, cols)
    raw = _core.completion.variances(
        A=entries.core,
        payload=payload_of(result, entries),
        rows=np.ascontiguousarray(i.reshape(-1), dtype=np.uint32),
        cols=np.ascontiguousarray(j.reshape(-1), dtype=np.uint32),
        method=method,
        tol=accuracy,
        workers=check_workers(workers),
    )
    with np.errstate(invalid="ignore"):
        variance = np.where(np.isinf(raw), np.inf, result.noise_std**2 * raw)
    if kind == "observation":
        variance = variance + result.noise_std**2
    return np.asarray(np.sqrt(variance).reshape(i.shape))


@array_function("rows", "items")
def recommend(
    result: CompletionResult,
    rows: ArrayLike,
    n: int = 10,
    *,
    exclude: Any = None,
    items: ArrayLike | None = None,
    return_scores: bool = False,
    workers: int | None = None,
) -> Any:
    """Columns with the largest entries, for each of some rows.

    Parameters
    ----------
    result : CompletionResult
        The completion.
    rows : array_like of int
        Which rows.
    n : int
        How many columns a row.
    exclude : sparse matrix of shape (m, columns) or (len(rows), columns), optional
        What a row must not be given: its stored entries.
    items : array_like of int, optional
        The only columns to choose from.
    return_scores : bool
        Return the entries too.
    workers : int, optional
        Threads.

    Returns
    -------
    ndarray of int64, shape (len(rows), n)
        Descending by entry, ties by the lower column; -1 where a row has no more.
    ndarray of shape (len(rows), n)
        With `return_scores`: the entries; nan beside -1.

    Examples
    --------
    >>> import numpy as np
    >>> from solvent import completion
    >>> result = completion.complete(np.outer([1.0, 2.0], [3.0, 1.0, 2.0]), 1)
    >>> completion.recommend(result, [0, 1], 2)
    array([[0, 2],
           [0, 2]])
    """
    m, columns = result.shape
    chosen = np.atleast_1d(np.asarray(rows))
    i, _ = result._indices(chosen, 0)
    count = check_int(n, "n", ge=1)
    seen = None
    if exclude is not None:
        if not hasattr(exclude, "tocsr"):
            raise TypeError(f"exclude is a {type(exclude).__name__}; expected a sparse matrix")
        csr = exclude.tocsr()
        if (csr.shape == (m, columns) and csr.shape[0] != i.size) or (
            csr.shape == (m, columns) and not np.array_equal(i, np.arange(m))
        ):
            csr = csr[i]
        elif csr.shape != (i.size, columns):
            raise ValueError(f"exclude has shape {csr.shape}; expected {(m, columns)} or {(i.size, columns)}")
        seen = (csr.indptr.astype(np.int64), csr.indices.astype(np.int32))
    allowed = None
    if items is not None:
        _, j = result._indices(0, items)
        allowed = np.unique(j).astype(np.uint32)
    found, scores = _core.completion.recommend(
        payload=payload_alone(result),
        rows=np.ascontiguousarray(i.reshape(-1)),
        count=count,
        exclude=seen,
        items=allowed,
        columns=columns,
        workers=check_workers(workers),
    )
    return (found, scores) if return_scores else found


@overload
def half_sweep(
    shard: Any, V: ArrayLike, *, return_stats: Literal[True], **options: Any
) -> tuple[Any, Any]: ...
@overload
def half_sweep(shard: Any, V: ArrayLike, **options: Any) -> Any: ...
def half_sweep(shard: Any, V: ArrayLike, **options: Any) -> Any:
    """Solve the rows of a shard for a given V: one half of a sweep, a pure function.

    What distributed and out-of-core runs are made of: each worker holds some rows and the whole of V.

    Parameters
    ----------
    shard : sparse matrix of shape (rows, n)
        Observed entries; its arrays may be memory-mapped.
    V : array_like of shape (n, k)
        The other side's factor.
    U0 : array_like of shape (rows, k), optional
        Present solutions: where conjugate gradients begin, and robust weights come from. Default 0.
    lam : float
        The ridge, default 0.
    lam_scaling : {"none", "count"}
        "count": times the number of a row's entries.
    weights : array_like or sparse matrix, optional
        As for `complete`.
    loss : {"l2", "huber", "l1"}
        With a robust loss one reweighted step from `U0`.
    delta : float, optional
        Threshold of a robust loss; default from the residuals at `U0`.
    nonneg : bool
        Coefficients >= 0.
    bias_col : array_like of shape (n,), optional
        Biases of the columns, subtracted.
    mean : float
        Subtracted too.
    inner : {"auto", "cholesky", "cg"}
        The row solver.
    cg_steps : int
        Steps of conjugate gradients a row.
    return_stats : bool
        Return a dict of what was found on the way too: ``loss, squares, penalty, min_pivot_ratio, cg_steps, rows``.
    workers : int, optional
        Threads.

    Returns
    -------
    ndarray of shape (rows, k)
        In the dtype of the shard. Rows without entries are 0.
    dict
        With `return_stats`.

    Raises
    ------
    ValueError, TypeError
        If shapes do not fit or an option is refused.

    Examples
    --------
    >>> import numpy as np
    >>> from scipy.sparse import csr_array
    >>> from solvent import completion
    >>> V = np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])
    >>> completion.half_sweep(csr_array([[2.0, 3.0, 5.0]]), V).round(12)
    array([[2., 3.]])
    """
    return _half_sweep(shard, V, **options)


@array_function("V", "U0", "weights", "bias_col")
def _half_sweep(
    shard: Any,
    V: ArrayLike,
    *,
    U0: ArrayLike | None = None,
    lam: float = 0.0,
    lam_scaling: Literal["none", "count"] = "none",
    weights: Any = None,
    loss: Literal["l2", "huber", "l1"] = "l2",
    delta: float | None = None,
    nonneg: bool = False,
    bias_col: ArrayLike | None = None,
    mean: float = 0.0,
    inner: Literal["auto", "cholesky", "cg"] = "auto",
    cg_steps: int = 3,
    return_stats: bool = False,
    workers: int | None = None,
) -> Any:
    check_choice(lam_scaling, "lam_scaling", ("none", "count"))
    check_choice(loss, "loss", ("l2", "huber", "l1"))
    check_choice(inner, "inner", ("auto", "cholesky", "cg"))
    ridge = check_scalar(lam, "lam", ge=0)
    steps = check_int(cg_steps, "cg_steps", ge=1)
    centre = check_scalar(mean, "mean")
    entries, _ = observed(shard, weights=weights, name="shard", allow_empty=True)
    dtype = entries.data.dtype
    rows, columns = entries.shape
    factor = as_float_array(V, "V", ndim=2)
    if factor.shape[0] != columns or factor.shape[1] < 1:
        raise ValueError(
            f"V has shape {factor.shape} but shard has {columns} columns; expected ({columns}, k)"
        )
    k = factor.shape[1]
    factor = np.ascontiguousarray(factor, dtype=dtype)
    start = None
    if U0 is not None:
        start = as_float_array(U0, "U0", ndim=2)
        if start.shape != (rows, k):
            raise ValueError(f"U0 has shape {start.shape} but shard has {rows} rows; expected ({rows}, {k})")
        start = np.ascontiguousarray(start, dtype=dtype)
    offset = None
    if bias_col is not None:
        offset = as_float_array(bias_col, "bias_col", ndim=1)
        if offset.shape != (columns,):
            raise ValueError(f"bias_col has shape {offset.shape}; expected ({columns},)")
        offset = np.ascontiguousarray(offset, dtype=dtype)
    threshold = None
    if loss != "l2":
        if delta is not None:
            threshold = check_scalar(delta, "delta", gt=0)
        else:
            fit = centre + (0 if offset is None else offset[entries.indices])
            if start is not None:
                fit = fit + np.einsum("el,el->e", start[entries.rows], factor[entries.indices])
            scale = mad_scale(entries.data - fit) if entries.data.size else 1.0
            threshold = max((1.345 if loss == "huber" else 1e-3) * scale, 1e-300)
    raw = _core.completion.half_sweep(
        A=entries.core,
        sides={"V": factor, "offset": offset, "U0": start},
        penalty={
            "lam": ridge,
            "count": lam_scaling == "count",
            "bias": False,
            "nonneg": bool(nonneg),
            "delta": threshold,
        },
        how={"inner": inner, "cg_steps": steps, "mean": centre},
        workers=check_workers(workers),
    )
    U = raw.pop("U")
    return (U, raw) if return_stats else U
