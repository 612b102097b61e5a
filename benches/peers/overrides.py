"""Environment variables that force a slower (or other) BLAS or SIMD path: a fair run has none of them."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Mapping

# They slow the peers down, so keeping one would flatter us; SOLVENT_SIMD is ours and set by the harness itself.
_PATTERN = re.compile(
    r"^(?:OPENBLAS_(?:CORETYPE|VERBOSE)|NVPL_.*|MKL_(?:DEBUG_CPU_TYPE|ENABLE_INSTRUCTIONS|CBWR|VERBOSE)|BLIS_ARCH_.*"
    r"|ATLAS_.*|(?:DNNL|ONEDNN)_(?:MAX_CPU_ISA|CPU_ISA_HINTS|DEFAULT_FPMATH_MODE)|TF_ENABLE_ONEDNN_OPTS"
    r"|NPY_(?:DISABLE|ENABLE)_CPU_FEATURES|ATEN_CPU_CAPABILITY|XLA_FLAGS|GLIBC_TUNABLES|NUMBA_CPU_(?:NAME|FEATURES)"
    r"|SOLVENT_SIMD)$"
)


def overrides(environment: Mapping[str, str]) -> list[str]:
    """Names of the overrides that are set, sorted."""
    return sorted(name for name in environment if _PATTERN.match(name))


def without_overrides(environment: Mapping[str, str]) -> dict[str, str]:
    """A copy of the environment without them."""
    return {name: value for name, value in environment.items() if not _PATTERN.match(name)}


def ensure_clean(module: str, arguments: list[str]) -> None:
    """Return if no override is set; else say so and start this program again without them (never returns then).

    A variable that a BLAS read while it was loaded cannot be unset afterwards, hence a fresh process.
    """
    found = overrides(os.environ)
    if not found:
        return
    print(f"unset for a fair run: {', '.join(found)}", file=sys.stderr, flush=True)
    os.execve(sys.executable, [sys.executable, "-m", module, *arguments], without_overrides(os.environ))
