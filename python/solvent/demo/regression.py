"""`solvent.regression`: least squares on a third of a million flights, quantiles of what households spend on food."""

from ._flights import flights
from ._quantile import engel
from ._report import Report

__all__ = ["TITLE", "run"]

TITLE = "Regression"


def run(report: Report) -> None:
    """Two tables and a picture."""
    flights(report)
    engel(report)
