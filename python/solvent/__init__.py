"""Numerical algorithms of recent papers as NumPy-style calls; every answer carries a certificate.

A certificate is a number, computed from the caller's own data, that says how wrong the answer can be.

Submodules, imported on first use:

========================= ==================================================================
`solvent.completion`      low-rank matrix completion with a duality gap and error bars
`solvent.monotone`        monotone inclusions, fixed points, matrix games, linear programs
`solvent.ot`              entropic optimal transport with rigorous duality gaps
`solvent.regression`      least squares, lp and quantile regression with error bounds
`solvent.sketch`          random sketches, leverage scores and row sampling
`solvent.special`         log I_v and log K_v, their gradients, ratios and error bounds
`solvent.stats`           von Mises-Fisher distribution and mixture
========================= ==================================================================

Threads are set by `set_num_threads`, ``with threads(n)`` or the environment variable
``SOLVENT_NUM_THREADS``; `show_config` prints what this build and this machine offer.
"""

import importlib
import sys
from typing import TYPE_CHECKING

from . import _core
from ._config import show_config
from ._core import __version__
from ._threads import get_num_threads, register_threadpoolctl, set_num_threads, threads

if TYPE_CHECKING:
    from types import ModuleType

    from . import completion as completion
    from . import monotone as monotone
    from . import ot as ot
    from . import regression as regression
    from . import sketch as sketch
    from . import special as special
    from . import stats as stats

__all__ = [
    "__version__",
    "completion",
    "get_num_threads",
    "monotone",
    "ot",
    "register_threadpoolctl",
    "regression",
    "set_num_threads",
    "show_config",
    "sketch",
    "special",
    "stats",
    "threads",
]

# Each is a submodule here and one of the extension; type checkers need the names above spelled out too.
_FAMILIES = ("completion", "monotone", "ot", "regression", "sketch", "special", "stats")

# The families of the extension are module objects without a file. NumPy pickles a ufunc by the module that
# holds it, and pickle finds only modules that `sys.modules` lists: without these entries neither
# `f.ufunc` nor a lazy Dask array made by it could be sent to another process.
for _name in (*_FAMILIES, "rng", "probe"):
    sys.modules[f"{__name__}._core.{_name}"] = getattr(_core, _name)
del _name

# `register_threadpoolctl` costs nothing where threadpoolctl is loaded already and is left to the user elsewhere.
if "threadpoolctl" in sys.modules:
    register_threadpoolctl()


def __getattr__(name: str) -> "ModuleType":
    if name in _FAMILIES:
        return importlib.import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
