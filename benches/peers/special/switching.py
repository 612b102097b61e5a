"""log I_v and log K_v by a switching table attributed to arXiv 2409.08729, known to us second-hand only.

First match wins: the large-argument series with 3 or 20 terms, Debye's uniform expansion with 4, 6, 9 or 13, else the
power series (I) or a 600-interval Simpson rule for Rothwell's integral (K).  The constants come from a description of a
third-party port and are unverified: this is a peer labelled as such, and says nothing about the paper's own code.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

_CHUNK = 2048  # the fallbacks hold one row of nodes or terms an element


def _in_hankel_3(v: Array, x: Array) -> NDArray[np.bool_]:
    return ((x > 1400) & (v < 3.05)) | ((0.6229 * np.log(x) - 3.2318 > np.log(v)) & (v > 3.1))


def _in_hankel_20(v: Array, x: Array) -> NDArray[np.bool_]:
    return ((x > 30) & (v < 15.3919)) | ((0.5113 * np.log(x) + 0.7939 > np.log(v)) & (x > 59.6925))


_DEBYE = (
    (4, 274.2377, 0.3, 163.6993),
    (6, 84.4153, 0.46, 56.9971),
    (9, 35.9074, 0.6, 20.1534),
    (13, 19.6931, 0.7, 12.6964),
)
"""(terms, x above this with v above that, or v above this alone)."""


@functools.cache
def _debye_polynomials(count: int) -> tuple[Array, ...]:
    """u_1 .. u_count, highest power first: u_{k+1} = t^2 (1 - t^2) u_k'/2 + (1/8) int_0^t (1 - 5 s^2) u_k ds."""
    u = {0: Fraction(1)}
    found = []
    for _ in range(count):
        following: dict[int, Fraction] = {}
        for power, c in u.items():
            for where, term in (
                (power + 1, c * Fraction(power, 2) + c / (8 * (power + 1))),
                (power + 3, -c * Fraction(power, 2) - c * Fraction(5, 8 * (power + 3))),
            ):
                following[where] = following.get(where, Fraction(0)) + term
        u = following
        found.append(np.array([float(u.get(power, 0)) for power in range(max(u), -1, -1)]))
    return tuple(found)


def _hankel(kind: str, v: Array, x: Array, terms: int) -> Array:
    sign = -1 if kind == "i" else 1
    total, term = np.ones_like(x), np.ones_like(x)
    for k in range(1, terms + 1):
        term = term * sign * (4 * v * v - (2 * k - 1) ** 2) / (8 * k * x)
        total += term
    scale = x - 0.5 * np.log(2 * np.pi * x) if kind == "i" else 0.5 * np.log(np.pi / (2 * x)) - x
    value: Array = scale + np.log(np.abs(total))
    return value


def _debye(kind: str, v: Array, x: Array, terms: int) -> Array:
    sign = 1 if kind == "i" else -1
    z = x / v
    root = np.sqrt(1 + z * z)
    total, power = np.ones_like(x), np.ones_like(x)
    for u in _debye_polynomials(terms):
        power = power * sign / v
        total += power * np.polyval(u, 1 / root)
    front = 1 / (2 * np.pi * v) if kind == "i" else np.pi / (2 * v)
    exponent = v * (root + np.log(z / (1 + root)))
    value: Array = 0.5 * np.log(front) + sign * exponent - 0.25 * np.log1p(z * z) + np.log(np.abs(total))
    return value


def _log_sum_exp(rows: Array) -> Array:
    top: Array = rows.max(axis=1)
    sums: Array = top + np.log(np.exp(rows - top[:, None]).sum(axis=1))
    return sums


def _power_series(v: Array, x: Array) -> Array:
    from scipy.special import gammaln

    k = np.arange(120.0)
    rows = 2 * np.log(x / 2)[:, None] * k - gammaln(k + 1) - gammaln(k + v[:, None] + 1)
    return v * np.log(x / 2) + _log_sum_exp(rows)


def _rothwell(v: Array, x: Array, intervals: int = 600, n: int = 8) -> Array:
    """Simpson's rule in logs for Rothwell's integral of K_v, its two halves mapped to (0, 1)."""
    from scipy.special import gammaln

    inner = np.arange(1, intervals) / intervals
    weight = np.log(np.where(np.arange(1, intervals) % 2 == 1, 4.0, 2.0))
    beta, vv, xx = (2 * n / (2 * v + 1))[:, None], v[:, None], x[:, None]
    u_beta = inner**beta
    near = np.log(beta) - u_beta + (vv - 0.5) * np.log(2 * xx + u_beta) + (n - 1) * np.log(inner) + weight
    far = -1 / inner - (2 * vv + 1) * np.log(inner) + (vv - 0.5) * np.log(2 * xx * inner + 1) + weight
    end = -1 + (vv - 0.5) * np.log(2 * xx + 1)
    rows = np.concatenate([near, np.log(beta) + end, far, end], axis=1)
    front = 0.5 * np.log(np.pi) - gammaln(v + 0.5) - v * np.log(2 * x) - x
    value: Array = front + _log_sum_exp(rows) - np.log(3 * intervals)
    return value


def _in_chunks(kernel: Callable[[Array, Array], Array], v: Array, x: Array) -> Array:
    parts = [kernel(v[i : i + _CHUNK], x[i : i + _CHUNK]) for i in range(0, x.size, _CHUNK)]
    return np.concatenate(parts) if parts else np.empty(0)


def log_bessel(kind: str, v: Array, x: Array) -> Array:
    """log I_v(x) (kind "i") or log K_v(x) ("k") for v, x > 0 of one dimension."""
    v, x = (np.ascontiguousarray(a, dtype=np.float64) for a in np.broadcast_arrays(v, x))
    out = np.full(x.shape, np.nan)
    left = np.ones(x.shape, dtype=bool)

    def take(mask: NDArray[np.bool_], kernel: Callable[[Array, Array], Array]) -> None:
        chosen = left & mask
        if chosen.any():
            out[chosen] = kernel(v[chosen], x[chosen])
        left[chosen] = False

    with np.errstate(all="ignore"):
        take(_in_hankel_3(v, x), functools.partial(_hankel, kind, terms=3))
        take(_in_hankel_20(v, x), functools.partial(_hankel, kind, terms=20))
        for terms, x_low, v_low, v_alone in _DEBYE:
            mask = ((x > x_low) & (v > v_low)) | (v > v_alone)
            take(mask, functools.partial(_debye, kind, terms=terms))
        take(left, lambda a, b: _in_chunks(_power_series if kind == "i" else _rothwell, a, b))
    return out
