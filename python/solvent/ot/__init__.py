"""Optimal transport: entropic plans to machine precision, each with a rigorous duality gap.

=============================== ==================================================================
`solve`                         balanced, unbalanced, partial or batched, with a cost matrix
`solve_points`                  the same between clouds of points; the cost is never stored
`sinkhorn`                      called like POT's ``ot.sinkhorn``
`divergence`                    Sinkhorn divergence of two clouds, with a bracket and a gradient
`exact`                         transport without regularisation, with its own dual certificate
`barycenter`                    mean of histograms, with a bracket on its value
`solve_sparse`                  plans with at most so many arcs a column
`monge_gap`                     how far a map is from optimal, with a bracket and a gradient
`TransportResult`               what `solve` returns: potentials, certificate, the plan on demand
`PointTransportResult`          what `solve_points` returns: also a map and a gradient in the points
`DivergenceResult`              what `divergence` returns
`MongeGapResult`                what `monge_gap` returns
`ExactResult`                   what `exact` returns
`BarycenterResult`              what `barycenter` returns
`SparseTransportResult`         what `solve_sparse` returns
`SinkhornWarning`               what `sinkhorn` warns with where its tolerance is not met
=============================== ==================================================================

Everywhere the plan is ``P_ij = a_i b_j exp((f_i + g_j - C_ij) / reg)`` and the value
``min <C, P> + reg KL(P | a b^T)``. `solvent.ot.jax` and `solvent.ot.torch` wrap values and plans for automatic
differentiation; they need those packages only when they are called.
"""

import importlib
from types import ModuleType

from ._barycenter import BarycenterResult, barycenter
from ._divergence import DivergenceResult, divergence
from ._exact import ExactResult, exact
from ._monge_gap import MongeGapResult, monge_gap
from ._point_result import PointTransportResult
from ._points import solve_points
from ._result import TransportResult
from ._sinkhorn import SinkhornWarning, sinkhorn
from ._solve import solve
from ._sparse import SparseTransportResult, solve_sparse

__all__ = [
    "BarycenterResult",
    "DivergenceResult",
    "ExactResult",
    "MongeGapResult",
    "PointTransportResult",
    "SinkhornWarning",
    "SparseTransportResult",
    "TransportResult",
    "barycenter",
    "divergence",
    "exact",
    "monge_gap",
    "sinkhorn",
    "solve",
    "solve_points",
    "solve_sparse",
]


def __getattr__(name: str) -> ModuleType:
    if name in ("jax", "torch"):
        return importlib.import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
