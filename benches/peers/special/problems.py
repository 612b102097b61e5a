"""Elementwise problems: orders and arguments in the spec's boxes, golden points, and how an answer is reduced and judged."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from benches.peers.contract import Problem
from benches.peers.special import oracle
from benches.peers.special.oracle import Array


@dataclasses.dataclass(frozen=True)
class Region:
    """v and x uniform in [low, high), or x alone with one order for all."""

    seed: int
    low: float
    high: float
    order: float | None = None


REGIONS = {
    "small": Region(101, 0, 150),
    "inner": Region(102, 0, 17),
    "mid": Region(103, 150, 1e4),
    "large": Region(104, 1e4, 1e6),
    "matern 0.5": Region(105, 0, 20, 0.5),
    "matern 1.7": Region(106, 0, 20, 1.7),
    "matern 2.5": Region(107, 0, 20, 2.5),
    "matern 7.3": Region(108, 0, 20, 7.3),
}
COUNTS = {"tiny": (2000,), "quick": (200_000,), "full": (200_000, 10_000_000)}
_VALUES = {"tiny": 20, "quick": 200, "full": 1000}
_GRADIENTS = {"tiny": 5, "quick": 40, "full": 150}
_BOXES = ("small", "inner", "mid", "large")


def points(name: str, n: int, dtype: Any = np.float64) -> tuple[Any, Array]:
    """(v, x) of a region; the first rows are the same for every n, so that one set of references judges all."""
    region = REGIONS[name]
    rng = np.random.default_rng(region.seed)
    if region.order is not None:
        return dtype(region.order), rng.uniform(region.low, region.high, n).astype(dtype)
    pairs = rng.uniform(region.low, region.high, (n, 2)).astype(dtype)
    return pairs[:, 0].copy(), pairs[:, 1].copy()


def head(data: tuple[Any, Array], m: int) -> tuple[Array, Array]:
    """The first m points as two float64 arrays."""
    x = np.asarray(data[1][:m], dtype=np.float64)
    return np.broadcast_to(np.atleast_1d(np.asarray(data[0], dtype=np.float64))[:m], x.shape), x


def digest(data: Any, answer: Any, m: int | None) -> dict[str, Any]:
    """Non-finite count over the whole answer, and its first m values (None: all); one list an output."""
    outputs = [np.asarray(a) for a in (answer if isinstance(answer, tuple) else (answer,))]
    return {
        "nonfinite": int(sum(np.count_nonzero(~np.isfinite(a)) for a in outputs)),
        "values": [np.asarray(a[:m], dtype=np.float64).tolist() for a in outputs],
    }


@functools.cache
def _reference(kind: str, name: str, m: int, dtype: str) -> oracle.Pair:
    return oracle.log_bessel(kind, *head(points(name, m, np.dtype(dtype).type), m))


@functools.cache
def _gradient(kind: str, name: str, m: int) -> tuple[oracle.Pair, oracle.Pair]:
    return oracle.gradient(kind, *head(points(name, m), m))


def _judge_values(digested: dict[str, Any], kinds: str, name: str, m: int, dtype: str = "float64") -> float:
    """Largest mixed error of the outputs named by `kinds`; further outputs (bounds) are not values."""
    return max(
        oracle.mixed_error(np.array(values), _reference(kind, name, m, dtype))
        for kind, values in zip(kinds, digested["values"], strict=False)
    )


def _judge_gradient(digested: dict[str, Any], kind: str, name: str, m: int) -> float:
    """Largest error of d/dv and d/dx relative to max(|derivative|, 0.1)."""
    worst = 0.0
    for values, (hi, lo) in zip(digested["values"], _gradient(kind, name, m), strict=True):
        worst = max(worst, float(np.max(np.abs((np.array(values) - hi) - lo) / np.maximum(np.abs(hi), 0.1))))
    return worst


def _judge_golden(digested: dict[str, Any], kind: str, region: str, step: int) -> float:
    table = oracle.golden(region, step)
    return oracle.mixed_error(np.array(digested["values"][0]), (table[f"{kind}_hi"], table[f"{kind}_lo"]))


def _golden_points(region: str, step: int) -> tuple[Array, Array]:
    table = oracle.golden(region, step)
    return table["v"], table["x"]


def _random(
    task: str, name: str, n: int, m: int, judge: Callable[[dict[str, Any]], float], dtype: Any = np.float64
) -> Problem:
    return Problem(
        task, name, n, functools.partial(points, name, n, dtype), functools.partial(digest, m=m), judge
    )


def problems(size: str) -> Sequence[Problem]:
    """Every elementwise problem of a size."""
    found = []
    for n in COUNTS[size]:
        m, g = _VALUES[size], _GRADIENTS[size]
        for kind in "ik":
            names = [*_BOXES, *(name for name in REGIONS if name.startswith("matern") and kind == "k")]
            for name in names:
                judge = functools.partial(_judge_values, kinds=kind, name=name, m=m)
                found.append(_random(f"log_{kind}v", name, n, m, judge))
            for name in _BOXES if size == "full" else _BOXES[:2]:
                judge = functools.partial(_judge_values, kinds=kind, name=name, m=m)
                found.append(_random(f"log_{kind}v_certified", name, n, m, judge))
                judge = functools.partial(_judge_gradient, kind=kind, name=name, m=g)
                found.append(_random(f"log_{kind}v_grad", name, n, g, judge))
            judge = functools.partial(_judge_values, kinds=kind, name="small", m=m, dtype="float32")
            found.append(_random(f"log_{kind}v_f32", "small", n, m, judge, np.float32))
        for name in _BOXES:
            judge = functools.partial(_judge_values, kinds="ik", name=name, m=m)
            found.append(_random("log_ivk", name, n, m, judge))
    step = 100 if size == "tiny" else 1
    for kind in "ik":
        for region in ("", f"zero_{kind.upper()}"):
            make = functools.partial(_golden_points, region, step)
            judge = functools.partial(_judge_golden, kind=kind, region=region, step=step)
            count = oracle.golden(region, step)["x"].size
            whole = functools.partial(digest, m=None)
            found.append(Problem(f"log_{kind}v", f"golden {region or 'all'}", count, make, whole, judge))
    return found
