"""Optimal transport."""

from ._barycenter import BarycenterResult, barycenter
from ._sparse import SparseTransportResult, solve_sparse

__all__ = ["BarycenterResult", "SparseTransportResult", "barycenter", "solve_sparse"]
