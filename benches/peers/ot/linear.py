"""Who solves the linear program: ours and POT's network simplex."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from benches.peers.contract import Implementation
from benches.peers.ot.problems import Coupling, Transport

Call = Callable[[], Any]


def _ours(data: Transport) -> Call:
    from solvent import ot

    def call() -> Any:
        result = ot.exact(data.C, data.a, data.b)
        answer = Coupling(result.coupling, result.f, result.g)
        object.__setattr__(answer, "result", result)
        return answer

    return call


def _certificate(task: str, data: Transport, answer: Any) -> float:
    return float(answer.result.certificate.bound)


def _emd(data: Transport) -> Call:
    """Its default limit of pivots is lifted: it ends early with a warning otherwise."""
    import ot

    def call() -> Coupling:
        plan, log = ot.emd(data.a, data.b, data.C, numItermax=10_000_000, log=True)
        return Coupling(plan, log["u"], log["v"], remark=log["warning"] or "")

    return call


LINEAR = [
    Implementation("solvent exact", {"exact": _ours}, ours=True, certificate=_certificate),
    Implementation("pot emd", {"exact": _emd}, process="pot", packages=("POT",)),
]
"""Everyone who takes part in the task "exact"."""
