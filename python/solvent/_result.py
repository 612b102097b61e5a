"""What every solver returns: a payload under its domain names, an outcome, and a certificate."""

from __future__ import annotations

import dataclasses
import importlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar, Self, SupportsIndex, overload

import numpy as np

if TYPE_CHECKING:  # numpy.typing would be a quarter of what `import solvent` costs
    from numpy.typing import NDArray

__all__ = ["STATUS", "Certificate", "Result", "ResultBatch"]

#: What each `Result.status` means.
STATUS: Mapping[str, str] = MappingProxyType(
    {
        "converged": "the certificate that was asked for holds: its bound is at most tol",
        "max_iterations": "maxiter is used up; the best iterate and its valid certificate are returned",
        "max_time": "maxtime is used up; the best iterate and its valid certificate are returned",
        "interrupted": "the callback raised StopIteration; the best iterate is returned",
        "stalled": "no progress for the method's patience; the message says what was tried",
        "rounding_floor": "the dtype allows no smaller bound for these data; the message gives the floor",
        "infeasible": "no feasible point exists; a checked ray is returned",
        "unbounded": "the objective has no bound; a checked ray is returned",
        "unbounded_or_infeasible": "one of the two; a checked ray is returned",
        "duality_gap": "a non-convex problem whose gap is open",
        "degenerate": "the maximiser is at infinity or not unique, as the message says",
        "diverged": "the caller's operator returned nan or grew without limit",
    }
)


@dataclass(frozen=True)
class Certificate:
    """How wrong the answer can be, computed from the caller's own data.

    Attributes
    ----------
    kind : str
        What `bound` proves, for example ``"duality-gap"`` or ``"kappa-bracket"``; the function that
        returned the result says it in full.
    bound : float
        The bound, in float64. inf where nothing can be said.
    relative : bool
        Whether `bound` is relative to the scale that the function names, or absolute.
    rigorous : bool
        True: it holds in exact arithmetic plus a stated allowance for rounding. False: an estimate.
    failure_probability : float
        The probability that `bound` does not hold; 0 for a deterministic bound.
    parts : dict of str to float
        The quantities that `bound` was made from.

    Examples
    --------
    >>> from solvent._result import Certificate
    >>> print(Certificate("kappa-bracket", 2e-13, relative=True, rigorous=True))
    kappa-bracket, bound 2e-13 (relative, rigorous)
    """

    kind: str
    bound: float
    relative: bool = field(kw_only=True)
    rigorous: bool = field(kw_only=True)
    failure_probability: float = field(default=0.0, kw_only=True)
    parts: dict[str, float] = field(default_factory=dict, kw_only=True, hash=False)

    @classmethod
    def from_core(cls, raw: Mapping[str, Any]) -> Self:
        """Build from the mapping that the core returns."""
        return cls(
            kind=str(raw["kind"]),
            bound=float(raw["bound"]),
            relative=bool(raw["relative"]),
            rigorous=bool(raw["rigorous"]),
            failure_probability=float(raw["failure_probability"]),
            parts={str(key): float(value) for key, value in dict(raw["parts"]).items()},
        )

    def __str__(self) -> str:
        scale = "relative" if self.relative else "absolute"
        trust = "rigorous" if self.rigorous else "estimate"
        chance = f", failure probability {self.failure_probability:.3g}" if self.failure_probability else ""
        return f"{self.kind}, bound {self.bound:.3g} ({scale}, {trust}{chance})"


@dataclass(frozen=True, repr=False, eq=False, kw_only=True)
class Result:
    """Base of all results: frozen, picklable, attributes also as ``result["key"]``.

    A family's result is a frozen dataclass whose own fields are the payload::

        @dataclass(frozen=True, repr=False, eq=False)
        class VMFFit(Result):
            mu: NDArray
            kappa: float

    and is made from what the core returns by ``VMFFit.from_core(raw, mu=mu, kappa=kappa)``. A field whose name
    begins with ``_`` is private (what lazy methods compute from): it is pickled and kept by
    `dataclasses.replace`, but neither printed nor listed by `keys`, and its arrays stay NumPy's whatever the
    caller's are. What a lazy method returns goes through ``self._out``. Properties that shall be reached as
    ``result["key"]``, and stacked by a `ResultBatch`, are named in the class variable ``_derived``.

    Attributes
    ----------
    success : bool
        The certificate is of the kind that was asked for and ``certificate.bound <= tol``. With ``tol=0``,
        ``certify=None`` or where a function has no `tol`: the method's own stopping rule, named by the
        function.
    status : str
        One of `STATUS`. (An integer only where SciPy's own codes are kept.)
    message : str
        What happened and, without success, what to do.
    nit : int
        Units of work done (the function names the unit).
    certificate : Certificate, or None
        How wrong the payload can be. None only where the function documents that it was not asked for.
    history : dict of str to ndarray, or None
        float64 arrays of equal length, always with ``nit``, ``bound``, ``elapsed``; None unless asked for.
    elapsed : float
        Seconds.
    backend : str
        ``"cpu"`` or ``"cuda"``.
    """

    success: bool
    status: str
    message: str
    nit: int
    certificate: Certificate | None
    history: dict[str, NDArray[np.float64]] | None = None
    elapsed: float = float("nan")
    backend: str = "cpu"
    # The caller's array namespace if it is not NumPy, by name: modules do not pickle.
    _xp: str | None = None

    # Properties that `keys` lists beside the fields.
    _derived: ClassVar[tuple[str, ...]] = ()
    # Without this, Python would iterate by asking for result[0]. A family whose result unpacks defines it.
    __iter__: ClassVar[Any] = None

    @classmethod
    def from_core(cls, raw: Mapping[str, Any], *, backend: str = "cpu", **payload: Any) -> Self:
        """Build from the outcome that the core returns and the payload under its domain names.

        Parameters
        ----------
        raw : mapping
            With ``success``, ``status``, ``message``, ``nit``, ``certificate`` (None or a mapping with the fields
            of `Certificate`), ``history`` (None or a mapping of sequences of equal length), ``elapsed``. Other
            keys are ignored.
        backend : str
            Where it was computed.
        **payload
            The fields of the subclass.
        """
        certificate, history = raw["certificate"], raw["history"]
        if history is not None:
            history = {str(key): np.asarray(column, dtype=np.float64) for key, column in history.items()}
        return cls(
            **payload,
            success=bool(raw["success"]),
            status=str(raw["status"]),
            message=str(raw["message"]),
            nit=int(raw["nit"]),
            certificate=None if certificate is None else Certificate.from_core(certificate),
            history=history,
            elapsed=float(raw["elapsed"]),
            backend=backend,
        )

    def certify(self, *data: Any, **options: Any) -> Certificate:
        """Judge the payload that this result holds now against `data`.

        The contract, for every family: computed on the original, unscaled data in float64 with compensated
        sums; the same payload and the same data give the same number as `certificate`; a payload that was
        changed (``dataclasses.replace(result, kappa=...)``) is judged as it is now and never gets a stale
        bound; nothing of the solver's state is used.

        Parameters
        ----------
        *data, **options
            The data that the solver was given, as the subclass documents.

        Returns
        -------
        Certificate

        Raises
        ------
        NotImplementedError
            By this base class; every family's result overrides it.
        """
        raise NotImplementedError(f"{type(self).__name__} does not define certify")

    def keys(self) -> list[str]:
        """The names of all public fields, the payload first, and of the properties that belong to it."""
        return [*self._payload_names(), *self._derived, *_COMMON]

    def __getitem__(self, key: str) -> Any:
        if key not in self.keys():
            raise KeyError(key)
        return getattr(self, key)

    def __contains__(self, key: object) -> bool:
        return key in self.keys()

    @classmethod
    def _payload_names(cls) -> list[str]:
        return [f.name for f in dataclasses.fields(cls) if f.name not in _COMMON and f.name[0] != "_"]

    def _out(self, value: Any) -> Any:
        """`value`, which a lazy method computed in NumPy, with its arrays in the caller's type."""
        if self._xp is None:
            return value
        from ._dispatch import _give_back  # which imports this module

        return _give_back(value, importlib.import_module(self._xp))

    def __repr__(self) -> str:
        # SciPy's order (message first, payload in the middle), the certificate second.
        head = ["message", "certificate", "success", "status"]
        names = head + self._payload_names() + [name for name in _COMMON if name not in head]
        width = max(map(len, names)) + 1
        return "\n".join(f"{name:>{width}}: {_abbreviated(getattr(self, name))}" for name in names)


_COMMON = tuple(f.name for f in dataclasses.fields(Result) if f.name[0] != "_")


class ResultBatch:
    """The results of many problems of one kind that were solved in one call, in the caller's order.

    ``batch[i]`` is one problem's result, ``batch[i:j]`` a batch; ``batch["key"]`` and ``batch.key`` stack a field
    of all of them along a new first axis. Numbers, strings and arrays of one shape become one array: the payload
    in the caller's array type, the record of the run (`success`, `nit`, ...) in NumPy. Everything else
    (certificates, histories, arrays of unequal shapes) becomes a NumPy array of objects. Stacking costs one copy
    on each access.

    Parameters
    ----------
    results : iterable of Result
        At least one, all of one class.

    Raises
    ------
    ValueError
        If `results` is empty.
    TypeError
        If an entry is no `Result` or the classes differ.

    Examples
    --------
    >>> from solvent._result import Result, ResultBatch
    >>> run = {"success": True, "status": "converged", "message": "", "certificate": None}
    >>> batch = ResultBatch(Result(nit=nit, **run) for nit in (3, 5))
    >>> batch.nit, batch[1].nit
    (array([3, 5]), 5)
    """

    _results: tuple[Result, ...]

    def __init__(self, results: Iterable[Result]) -> None:
        entries = tuple(results)
        if not entries:
            raise ValueError("results is empty; expected at least 1 Result")
        kinds = {type(entry) for entry in entries}
        if len(kinds) > 1 or not isinstance(entries[0], Result):
            names = ", ".join(sorted(kind.__name__ for kind in kinds))
            raise TypeError(f"results holds {names}; expected one subclass of Result")
        object.__setattr__(self, "_results", entries)

    def __len__(self) -> int:
        return len(self._results)

    def __iter__(self) -> Iterator[Result]:
        return iter(self._results)

    @overload
    def __getitem__(self, key: SupportsIndex) -> Result: ...
    @overload
    def __getitem__(self, key: slice) -> ResultBatch: ...
    @overload
    def __getitem__(self, key: str) -> Any: ...
    def __getitem__(self, key: Any) -> Any:
        if isinstance(key, slice):
            return ResultBatch(self._results[key])
        if not isinstance(key, str):
            return self._results[key]
        column = _stacked([result[key] for result in self._results])
        return column if key in _COMMON or column.dtype == object else self._results[0]._out(column)

    def __getattr__(self, name: str) -> Any:
        # Private names first: copy and pickle ask for some of them before `_results` is there.
        if name[0] == "_" or name not in self.keys():
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        return self[name]

    def __setattr__(self, name: str, value: Any) -> None:
        raise dataclasses.FrozenInstanceError(f"cannot assign to field {name!r}")

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self._results,)

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *self.keys()})

    def keys(self) -> list[str]:
        """The names of the fields that can be stacked, the payload first."""
        return self._results[0].keys()

    def __repr__(self) -> str:
        n, good = len(self), sum(result.success for result in self)
        bounds = [result.certificate.bound for result in self if result.certificate is not None]
        worst = f", largest bound {max(bounds):.3g}" if bounds else ""
        return f"ResultBatch of {n} {type(self._results[0]).__name__}: {good} of {n} with success{worst}"


def _stacked(values: list[Any]) -> np.ndarray[Any, Any]:
    """One array of all `values`, with a first axis more than each; of objects where they do not fit together."""
    from ._dispatch import _is_foreign, _to_numpy  # which imports this module

    values = [_to_numpy(value) if _is_foreign(value) else value for value in values]
    simple = all(isinstance(value, np.ndarray | np.generic | float | int | str) for value in values)
    if simple and len({np.shape(value) for value in values}) == 1:
        return np.stack([np.asarray(value) for value in values])
    column = np.empty(len(values), dtype=object)
    for i, value in enumerate(values):
        column[i] = value
    return column


def _abbreviated(value: Any) -> str:
    """`value` on one line."""
    if isinstance(value, Certificate | str):
        return str(value)
    if isinstance(value, float | np.floating):
        return f"{value:.10g}"
    if isinstance(value, dict):
        return f"{{{', '.join(f'{key}: {_abbreviated(entry)}' for key, entry in value.items())}}}"
    shape = getattr(value, "shape", None)
    if not isinstance(shape, tuple) or not shape:
        text = " ".join(repr(value).split())
        return text if len(text) <= 80 else f"{text[:77]}..."
    if isinstance(value, np.ndarray) and value.ndim == 1:
        text = np.array2string(value, precision=4, threshold=6, edgeitems=2, max_line_width=10**6)
        return text if value.size <= 6 else f"{text} (length {value.size})"
    return f"{type(value).__name__} of shape {shape}, {value.dtype}"
