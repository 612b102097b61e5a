"""``python -m solvent.demo``: every family on real data, its certificates printed, its pictures written.

A family is one module here with a ``TITLE`` and a function ``run(report)``; its name stands in `FAMILIES`.
"""

__all__ = ["FAMILIES"]

#: The modules of this package that show a family, in the order in which they run.
FAMILIES = ("special_stats", "ot", "regression", "completion", "monotone")
