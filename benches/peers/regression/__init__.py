"""Family `regression`: least squares."""

from __future__ import annotations

from benches.peers.contract import Family
from benches.peers.regression import least_squares

FAMILY = Family("regression", least_squares.problems, least_squares.LEAST_SQUARES, least_squares.targets)
"""What ``python -m benches.peers regression`` runs."""
