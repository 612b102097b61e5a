"""References: Arb ball arithmetic for the random problems, the golden table for the adversarial ones.

Both live in tests/golden/bessel (the table, and the program that made it); the benchmarks judge with the same pieces as the
tests do.  Every reference is a double-double (hi, lo).
"""

from __future__ import annotations

import functools
import importlib.util
import pathlib
import types

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Pair = tuple[Array, Array]

GOLDEN = pathlib.Path(__file__).resolve().parents[3] / "tests" / "golden" / "bessel"


@functools.cache
def arb() -> types.ModuleType:
    """The module `arb_reference` beside the golden table (needs python-flint)."""
    spec = importlib.util.spec_from_file_location("bessel_arb_reference", GOLDEN / "arb_reference.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@functools.cache
def golden(region: str = "", step: int = 1) -> dict[str, Array]:
    """Columns v, x, i_hi, i_lo, k_hi, k_lo of the golden points with w <= 1e15, of one region or all."""
    with np.load(GOLDEN / "bessel_golden.npz") as table:
        columns = {name: table[name] for name in ("region", "v", "x", "i_hi", "i_lo", "k_hi", "k_lo")}
    keep = np.hypot(columns["v"], columns["x"]) <= 1e15
    if region:
        keep &= columns["region"] == region.encode()
    return {k: np.asarray(c[keep][::step], dtype=np.float64) for k, c in columns.items() if k != "region"}


def log_bessel(kind: str, v: Array, x: Array) -> Pair:
    """log I_v(x) ("i") or log K_v(x) ("k")."""
    rows = [arb().log_bessel(kind, a, b)[:2] for a, b in zip(v, x, strict=True)]
    return _pair(rows)


def gradient(kind: str, v: Array, x: Array) -> tuple[Pair, Pair]:
    """Its derivatives with respect to v and to x."""
    dv = [arb().grad_v(kind, a, b) for a, b in zip(v, x, strict=True)]
    dx = [arb().grad_x(kind, a, b) for a, b in zip(v, x, strict=True)]
    return _pair(dv), _pair(dx)


def _pair(rows: list[tuple[float, float]]) -> Pair:
    columns = np.array(rows, dtype=np.float64).reshape(-1, 2)
    return columns[:, 0], columns[:, 1]


def mixed_error(value: Array, reference: Pair) -> float:
    """max |value - L| / max(1, |L|) over the finite values (the others are counted elsewhere); nan if there is none."""
    hi, lo = reference
    with np.errstate(all="ignore"):
        errors = np.abs((value - hi) - lo) / np.maximum(1, np.abs(hi))
    errors = errors[np.isfinite(value) & np.isfinite(hi)]
    return float(errors.max()) if errors.size else float("nan")


def kappa_mle(d: int, resultant: float) -> float:
    """The kappa with I_{d/2}(kappa) / I_{d/2-1}(kappa) = resultant: Newton in 256 bits from Banerjee's start."""
    from flint import arb as ball
    from flint import ctx

    ctx.prec = 256
    r, half = ball(resultant), ball(d) / 2
    kappa = r * (d - r * r) / (1 - r * r)
    for _ in range(30):
        ratio = kappa.bessel_i(half) / kappa.bessel_i(half - 1)
        step = (ratio - r) / (1 - ratio * ratio - (d - 1) * ratio / kappa)
        # The midpoint: a ball that carries the radii of earlier steps would only widen.
        kappa = ball((kappa - step).mid())
        if abs(float(step.mid())) < 1e-40 * float(kappa.mid()):
            break
    return float(kappa.mid())


def log_vmf_constant(d: int, kappa: float) -> float:
    """log of the von Mises-Fisher normaliser C_d(kappa)."""
    from flint import arb as ball
    from flint import ctx

    ctx.prec = 256
    k, order = ball(kappa), ball(d) / 2 - 1
    value = order * k.log() - (order + 1) * (2 * ball.pi()).log() - k.bessel_i(order).log()
    return float(value.mid())
