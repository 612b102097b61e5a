"""Directional statistics: the von Mises-Fisher distribution in any dimension, and mixtures of it.

=============================== ==================================================================
`vonmises_fisher`               the distribution, called like `scipy.stats.vonmises_fisher`
`VMFFit`                        what ``vonmises_fisher.fit`` returns: estimates and their certificate
`VonMisesFisherMixture`         mixtures by soft or hard EM, a scikit-learn estimator
=============================== ==================================================================
"""

import importlib
from typing import TYPE_CHECKING, Any

from ._fit import VMFFit
from ._vmf import vonmises_fisher

if TYPE_CHECKING:
    from ._mixture import VonMisesFisherMixture as VonMisesFisherMixture

__all__ = ["VMFFit", "VonMisesFisherMixture", "vonmises_fisher"]


def __getattr__(name: str) -> Any:
    # The estimator's base classes come from scikit-learn where that is installed: imported on first use.
    if name == "VonMisesFisherMixture":
        return importlib.import_module(f"{__name__}._mixture").VonMisesFisherMixture
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
