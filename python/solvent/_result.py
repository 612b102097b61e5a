"""What every solver returns: a payload under its domain names, an outcome, and a certificate."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np

if TYPE_CHECKING:  # numpy.typing would be a quarter of what `import solvent` costs
    from numpy.typing import NDArray

__all__ = ["STATUS", "Certificate", "Result"]

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

    and is made from what the core returns by ``VMFFit.from_core(raw, mu=mu, kappa=kappa)``.

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
    certificate : Certificate
        How wrong the payload can be.
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
    certificate: Certificate
    history: dict[str, NDArray[np.float64]] | None = None
    elapsed: float = float("nan")
    backend: str = "cpu"

    # Without this, Python would iterate by asking for result[0]. A family whose result unpacks defines it.
    __iter__: ClassVar[Any] = None

    @classmethod
    def from_core(cls, raw: Mapping[str, Any], *, backend: str = "cpu", **payload: Any) -> Self:
        """Build from the outcome that the core returns and the payload under its domain names.

        Parameters
        ----------
        raw : mapping
            With ``success``, ``status``, ``message``, ``nit``, ``certificate`` (a mapping with the fields of
            `Certificate`), ``history`` (None or a mapping of sequences of equal length), ``elapsed``. Other
            keys are ignored.
        backend : str
            Where it was computed.
        **payload
            The fields of the subclass.
        """
        history = raw["history"]
        if history is not None:
            history = {str(key): np.asarray(column, dtype=np.float64) for key, column in history.items()}
        return cls(
            **payload,
            success=bool(raw["success"]),
            status=str(raw["status"]),
            message=str(raw["message"]),
            nit=int(raw["nit"]),
            certificate=Certificate.from_core(raw["certificate"]),
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
        """The names of all fields, the payload first."""
        return [*self._payload_names(), *_COMMON]

    def __getitem__(self, key: str) -> Any:
        if key not in self.keys():
            raise KeyError(key)
        return getattr(self, key)

    def __contains__(self, key: object) -> bool:
        return key in self.keys()

    @classmethod
    def _payload_names(cls) -> list[str]:
        return [f.name for f in dataclasses.fields(cls) if f.name not in _COMMON]

    def __repr__(self) -> str:
        # SciPy's order (message first, payload in the middle), the certificate second.
        head = ["message", "certificate", "success", "status"]
        names = head + self._payload_names() + [name for name in _COMMON if name not in head]
        width = max(map(len, names)) + 1
        return "\n".join(f"{name:>{width}}: {_abbreviated(getattr(self, name))}" for name in names)


_COMMON = tuple(f.name for f in dataclasses.fields(Result))


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
