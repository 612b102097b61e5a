"""A family that needs neither solvent nor peers: squares, and every way in which a peer can misbehave."""

import os
import signal
import sys
import time

import numpy as np

from benches.peers.contract import Family, Implementation, Problem, Report, Target, Unavailable


def _make(n):
    return np.random.default_rng(5).uniform(1, 2, n)


class Cut(np.ndarray):
    """An answer that was not finished."""


def _digest(data, answer):
    remark = {"remark": "ran out of time"} if isinstance(answer, Cut) else {}
    answer = np.asarray(answer)
    return {"nonfinite": int((~np.isfinite(answer)).sum()), "values": answer[:4].tolist(), **remark}


def _judge(digest):
    exact = _make(4) ** 2
    return float(np.nanmax(np.abs(np.array(digest["values"]) - exact) / exact))


def problems(size):
    counts = {"tiny": (100,), "quick": (100, 200), "full": (100, 200, 5000)}[size]
    return [
        Problem("square", "uniform", n, lambda n=n: _make(max(n, 4)), _digest, _judge, limit=1e-6)
        for n in counts
    ]


def _good(data):
    return lambda: data * data


def _noisy(data):
    print("a peer that prints must not break the protocol")
    return lambda: np.where(np.arange(data.size) % 10 == 9, np.nan, data * data * (1 + 1e-9))


def _wrong(data):
    return lambda: data * data * (1 + 1e-5)


def _sums(data):
    return lambda: float(data.sum())


def _sleeps(data):
    return lambda: (time.sleep(5e-3), data * data)[1]


def _cut(data):
    return lambda: (time.sleep(5e-3), (data * data * (1 + 1e-5)).view(Cut))[1]


def _absent(data):
    import no_such_package_at_all  # noqa: F401


def _refuses(data):
    raise Unavailable("has no float64")


def _raises(data):
    return lambda: data @ np.ones(3)


def _dies(data):
    os.kill(os.getpid(), signal.SIGKILL)


def _hangs(data):
    time.sleep(600)


def _leaves(data):
    print("the last words", file=sys.stderr)
    sys.exit(3)


def _shows_environment(data):
    assert os.environ["TOY"] == "set" and "OPENBLAS_CORETYPE" not in os.environ
    assert int(os.environ["OMP_NUM_THREADS"]) == 1 and len(os.sched_getaffinity(0)) == 1
    return lambda: data**2


def targets(report: Report):
    found = report.ratio({"implementation": "noisy"}, {"ours": True}, threads=1)
    text, met = ("-", None) if found is None else (f"{found[0]:.2g}", found[0] > 0)
    return [Target("1", "ours against noisy", "> 0", text, met)]


FAMILY = Family(
    "toy",
    problems,
    [
        Implementation("ours", {"square": _good}, ours=True, certificate=lambda task, data, answer: 2.5e-16),
        Implementation("noisy", {"square": _noisy}, packages=("numpy",)),
        Implementation("absent", {"square": _absent}, packages=("no-such-package",)),
        Implementation("refuses", {"square": _refuses}),
        Implementation("raises", {"square": _raises}),
        Implementation("dies", {"square": _dies}, process="dies"),
        Implementation("leaves", {"square": _leaves}, process="leaves"),
        Implementation("hangs", {"square": _hangs}, process="hangs"),
        Implementation(
            "environment", {"square": _shows_environment}, process="env", environment={"TOY": "set"}
        ),
        Implementation("slow", {"square": _good}, largest={"*": 100}),
        Implementation("wrong", {"square": _wrong}, note="a note"),
        Implementation("cut", {"square": _cut}),
        Implementation("yardstick", {"square": _sums}, judged=False),
        Implementation("own clock", {"square": _sleeps}, clock=lambda task, data, answer: 1e-9 * data.size),
        Implementation("no clock", {"square": _sleeps}, clock=lambda task, data, answer: float("nan")),
    ],
    targets,
)
