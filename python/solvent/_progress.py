"""``callback=`` and ``progress=`` of the iterative functions, as the one callable that the core calls."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from ._validate import check_callback

__all__ = ["observer"]


@contextmanager
def observer(
    callback: Callable[[Any], object] | None, progress: bool, *, total: int | None = None, unit: str = "it"
) -> Iterator[Callable[[Any], object] | None]:
    """Give the callable for the core: `callback` itself, or one that also moves a tqdm bar.

    ::

        with observer(callback, progress, total=maxiter, unit="sweep") as observe:
            raw = _core.ot.sinkhorn(..., callback=observe)

    Parameters
    ----------
    callback : callable or None
        Gets ``info`` once per unit of work (``info.nit``, ``info.bound``, ...). What it raises passes through.
    progress : bool
        True: show a bar, closed on leaving, also after an exception. tqdm is imported only then.
    total, unit
        The budget and the name of its unit, for the bar.

    Raises
    ------
    TypeError
        If `callback` cannot be called.
    ImportError
        If `progress` is true and tqdm is not installed.
    """
    check_callback(callback)
    if not progress:
        yield callback
        return
    try:
        from tqdm.auto import tqdm
    except ImportError as error:
        raise ImportError("progress=True needs tqdm; install tqdm or pass progress=False") from error

    with tqdm(total=total, unit=unit) as bar:

        def observe(info: Any) -> object:
            bar.set_postfix_str(f"bound {info.bound:.3g}", refresh=False)
            bar.update(info.nit - bar.n)
            return None if callback is None else callback(info)

        yield observe
