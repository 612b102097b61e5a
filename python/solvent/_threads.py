"""How many threads the package uses: one setting a process, kept in the core."""

import os
import sys
from contextlib import ContextDecorator
from types import TracebackType
from typing import Any, Self

from . import _core
from ._validate import check_int

__all__ = ["get_num_threads", "register_threadpoolctl", "set_num_threads", "threads"]


class _Setting:
    """What was asked for last: None (the default) cannot be read back from the core as a number."""

    requested: int | None = None


def set_num_threads(n: int | None) -> None:
    """Set the number of threads that calls without ``workers=`` use.

    The setting holds for the whole process. It changes how long a call takes, never its result: reductions
    have fixed block sizes and a fixed order, so results are bit-equal for any number of threads.

    Parameters
    ----------
    n : int >= 1 or None
        The number of threads. None returns to the default: ``SOLVENT_NUM_THREADS`` where it is set, else
        every processor that the affinity mask *and* the cgroup quota of this process allow.

    Raises
    ------
    TypeError, ValueError
        If `n` is not an integer >= 1 or None.

    See Also
    --------
    threads : the same for the body of a ``with`` statement.

    Examples
    --------
    >>> import solvent
    >>> solvent.set_num_threads(2)
    >>> solvent.get_num_threads()
    2
    >>> solvent.set_num_threads(None)
    """
    if n is not None:
        n = check_int(n, "n", ge=1)
    _core.set_num_threads(n)
    _Setting.requested = n


def get_num_threads() -> int:
    """Return the number of threads that a call without ``workers=`` uses.

    Returns
    -------
    int
        At least 1.

    Examples
    --------
    >>> import solvent
    >>> solvent.get_num_threads() >= 1
    True
    """
    return _core.get_num_threads()


class threads(ContextDecorator):  # noqa: N801 (a phrase: `with solvent.threads(2):`)
    """Use `n` threads in the body of a ``with`` statement, or in a decorated function.

    On leaving, the setting that held on entering comes back, also after an exception. The setting belongs to
    the process: other Python threads see it meanwhile.

    Parameters
    ----------
    n : int >= 1 or None
        As in `set_num_threads`.

    Raises
    ------
    TypeError, ValueError
        If `n` is not an integer >= 1 or None.

    Examples
    --------
    >>> import solvent
    >>> with solvent.threads(1):
    ...     solvent.get_num_threads()
    1
    """

    def __init__(self, n: int | None) -> None:
        self._n = None if n is None else check_int(n, "n", ge=1)
        # A stack, because a decorated function may call itself.
        self._before: list[int | None] = []

    def __enter__(self) -> Self:
        self._before.append(_Setting.requested)
        set_num_threads(self._n)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        set_num_threads(self._before.pop())


def register_threadpoolctl() -> None:
    """Make `threadpoolctl` see and limit this package's threads.

    ``import solvent`` calls this where threadpoolctl was imported before (scikit-learn imports it); call it
    yourself after importing threadpoolctl later. A second call does nothing.

    Raises
    ------
    ImportError
        If threadpoolctl is not installed.

    Examples
    --------
    >>> import solvent, threadpoolctl
    >>> solvent.register_threadpoolctl()
    >>> with threadpoolctl.threadpool_limits(1, user_api="solvent"):
    ...     solvent.get_num_threads()
    1
    """
    import threadpoolctl

    if "solvent" not in threadpoolctl._ALL_USER_APIS:
        threadpoolctl.register(_controller(threadpoolctl.LibController))


def _controller(base: Any) -> type:
    """The controller class: `base` exists only once threadpoolctl is imported."""

    class SolventController(base):  # type: ignore[misc]
        user_api = "solvent"
        internal_api = "solvent"
        filename_prefixes = ("_core.",)
        # threadpoolctl keeps a library only if `dynlib` has one of these. Other packages have a `_core` too,
        # so `dynlib` is our module for our own file and nothing for theirs.
        check_symbols = ("simd_level",)

        def set_additional_attributes(self) -> None:
            ours = os.path.samefile(self.filepath, _core.__file__)
            self.dynlib = sys.modules[_core.__name__] if ours else None

        def get_num_threads(self) -> int:
            return get_num_threads()

        def set_num_threads(self, num_threads: int) -> None:
            set_num_threads(num_threads)

        def get_version(self) -> str:
            return _core.__version__

    return SolventController
