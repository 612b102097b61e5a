"""What this build and this machine offer."""

import platform
from typing import Any, Literal, overload

import numpy as np

from . import _core
from ._validate import check_choice

__all__ = ["show_config"]


@overload
def show_config(mode: Literal["print"] = "print") -> None: ...
@overload
def show_config(mode: Literal["dict"]) -> dict[str, Any]: ...
def show_config(mode: Literal["print", "dict"] = "print") -> dict[str, Any] | None:
    """Show the version, the SIMD level, the threads and the state of CUDA.

    Parameters
    ----------
    mode : {"print", "dict"}, default "print"
        Print to standard output, or return a dict.

    Returns
    -------
    dict or None
        With ``mode="dict"``: ``version``, ``python``, ``numpy``, ``simd`` (``level`` is one of "v2", "v3"
        (AVX2 and FMA), "v4" (AVX-512), "neon"; ``machine``), ``threads`` (``in_use``, ``available``) and
        ``cuda`` (``available``, ``driver``, ``devices``, ``reason``: why it is not available).

    Raises
    ------
    ValueError
        If `mode` is neither of the two.

    Examples
    --------
    >>> import solvent
    >>> sorted(solvent.show_config(mode="dict"))
    ['cuda', 'numpy', 'python', 'simd', 'threads', 'version']
    """
    mode = check_choice(mode, "mode", ("print", "dict"))
    config: dict[str, Any] = {
        "version": _core.__version__,
        "python": platform.python_version(),
        "numpy": np.__version__,
        "simd": {"level": _core.simd_level(), "machine": platform.machine()},
        "threads": {"in_use": _core.get_num_threads(), "available": _core.available_threads()},
        "cuda": {
            "available": False,
            "driver": None,
            "devices": [],
            "reason": "this build of solvent has no CUDA kernels",
        },
    }
    if mode == "dict":
        return config
    for key, value in config.items():
        if isinstance(value, dict):
            value = ", ".join(f"{k} {v}" for k, v in value.items() if v not in (None, []))
        print(f"{key + ':':<9}{value}")
    return None
