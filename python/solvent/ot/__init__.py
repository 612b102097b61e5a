"""Optimal transport with certificates.

================ =================================================================
`exact`          transport without regularisation, with a dual certificate
`ExactResult`    what it returns
================ =================================================================
"""

from ._exact import ExactResult, exact

__all__ = ["ExactResult", "exact"]
