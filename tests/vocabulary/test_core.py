"""The house's promises, through the compiled core: gateway, pool, random numbers, array layouts."""

import math
import os
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pytest

from solvent import _core

FIELDS = ["success", "status", "message", "nit", "elapsed", "certificate", "history"]


def test_philox_known_answers():
    # Random123, kat_vectors: philox4x32 10
    ones = 0xFFFFFFFF
    pi = [0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344]
    philox = _core.rng.philox4x32
    assert list(philox([0] * 4, [0] * 2)) == [0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8]
    assert list(philox([ones] * 4, [ones] * 2)) == [0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD]
    assert list(philox(pi, [0xA4093822, 0x299F31D0])) == [0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1]


@pytest.mark.parametrize(
    ("draw", "law"),
    [
        (lambda n: _core.rng.uniform(1, n), "uniform"),
        (lambda n: _core.rng.normal(2, n), "norm"),
        (lambda n: _core.rng.exponential(3, n), "expon"),
        (lambda n: _core.rng.gamma(4, 0.3, n), ("gamma", 0.3)),
        (lambda n: _core.rng.gamma(5, 511.5, n), ("gamma", 511.5)),
    ],
)
def test_samples_follow_their_law(draw, law):
    stats = pytest.importorskip("scipy.stats")
    name, *args = (law,) if isinstance(law, str) else law
    assert stats.kstest(draw(100_000), name, args=args).pvalue > 1e-4


def test_streams_and_blocks_are_distinct_and_reproducible():
    normal = _core.rng.normal
    assert np.array_equal(normal(9, 50), normal(9, 100)[:50])
    other = [normal(9, 50, stream=1), normal(9, 50, block=1), normal(10, 50), normal(9 + 2**32, 50)]
    assert all(not np.any(normal(9, 50) == sample) for sample in other)


def test_outcome_has_the_common_fields():
    estimate, outcome = _core.probe.pi(7, tol=1e-2, history=True)
    assert list(outcome) == FIELDS
    assert outcome["success"] and outcome["status"] == "converged"
    certificate = outcome["certificate"]
    assert certificate["kind"] == "error-bars" and certificate["failure_probability"] == 1e-9
    assert abs(estimate - math.pi) <= certificate["bound"] <= 1e-2
    history = outcome["history"]
    assert list(history) == ["nit", "bound", "elapsed", "estimate"]
    assert {column.shape for column in history.values()} == {(outcome["nit"],)}
    assert all(column.dtype == np.float64 for column in history.values())


def test_the_same_bits_on_any_number_of_threads():
    one, *others = (_core.probe.pi(3, maxiter=4, workers=workers)[0] for workers in (1, 2, 5))
    assert others == [one, one]


def test_the_callback_sees_a_frozen_info():
    seen = []
    _core.probe.pi(1, maxiter=3, callback=seen.append)
    assert [info.nit for info in seen] == [1, 2, 3]
    info = seen[-1]
    assert info.names() == ["nit", "bound", "elapsed", "estimate"]
    assert abs(info.estimate - math.pi) < info.bound and info.elapsed > 0
    assert "estimate" in repr(info) and "estimate" in dir(info)
    with pytest.raises(AttributeError, match="no field 'gap'; it has nit, bound, elapsed, estimate"):
        info.gap  # noqa: B018
    with pytest.raises(AttributeError):
        info.nit = 4


def test_stop_iteration_brings_the_result_back():
    def stop(info):
        if info.nit == 2:
            raise StopIteration

    estimate, outcome = _core.probe.pi(1, maxiter=1000, callback=stop, history=True)
    assert (outcome["status"], outcome["nit"], outcome["success"]) == ("interrupted", 2, False)
    assert estimate == outcome["history"]["estimate"][-1]
    assert abs(estimate - math.pi) <= outcome["certificate"]["bound"]


def test_other_exceptions_propagate():
    def fail(info):
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        _core.probe.pi(1, callback=fail)
    assert _core.probe.pi(1, maxiter=1)[1]["nit"] == 1


def test_an_operators_exception_propagates():
    assert _core.probe.operator(math.sqrt, 4.0) == 2.0
    with pytest.raises(ValueError, match=r"math domain error|nonnegative"):
        _core.probe.operator(math.sqrt, -1.0)
    with pytest.raises(TypeError):
        _core.probe.operator(lambda x: "no number", 1.0)


def test_a_panic_is_an_error_and_not_a_crash(capfd):
    with pytest.raises(RuntimeError, match=r"bug of its own .on purpose.; please report"):
        _core.probe.panic()
    capfd.readouterr()
    assert _core.probe.pi(1, maxiter=1)[1]["nit"] == 1


def test_budgets():
    started = time.perf_counter()
    outcome = _core.probe.pi(1, maxiter=10**7, maxtime=0.1)[1]
    assert outcome["status"] == "max_time" and time.perf_counter() - started < 5
    estimate, outcome = _core.probe.pi(1, maxiter=0)
    assert math.isnan(estimate) and outcome["status"] == "max_iterations" and outcome["nit"] == 0
    with pytest.raises(ValueError, match="workers = 0; expected None or an integer >= 1"):
        _core.probe.pi(1, workers=0)


def test_ctrl_c_is_answered_within_100_ms():
    # The delay is measured from the signal to the return: the best of a few, since the machine is shared.
    delays = []
    for workers in (1, 2, 2):
        sent = []

        def interrupt(sent=sent):
            sent.append(time.perf_counter())
            signal.raise_signal(signal.SIGINT)

        timer = threading.Timer(0.15, interrupt)
        timer.start()
        with pytest.raises(KeyboardInterrupt):
            _core.probe.pi(1, maxiter=10**7, workers=workers)
        delays.append(time.perf_counter() - sent[0])
        timer.join()
    assert min(delays) < 0.1


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this platform")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
@pytest.mark.filterwarnings("ignore:.*fork.*:RuntimeWarning")  # JAX's, where another test has loaded it
def test_forked_children_build_their_own_pools():
    expected = _core.probe.pi(5, maxiter=2, workers=2)[0]

    def in_child(depth):
        pid = os.fork()
        if pid == 0:
            same = _core.probe.pi(5, maxiter=2, workers=2)[0] == expected
            os._exit(0 if same and (depth == 0 or in_child(depth - 1) == 0) else 1)
        for _ in range(3000):
            done, status = os.waitpid(pid, os.WNOHANG)
            if done:
                return status
            time.sleep(0.01)
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        return "deadlock"

    busy = threading.Thread(target=_core.probe.pi, args=(6,), kwargs={"maxiter": 30, "workers": 2})
    busy.start()  # the fork happens while another thread uses the pool
    assert [in_child(0), in_child(2)] == [0, 0]
    busy.join()
    assert _core.probe.pi(5, maxiter=2, workers=2)[0] == expected


def test_threads_run_at_once():
    # The GIL is released: another Python thread gets on during long work.
    ticks = []
    worker = threading.Thread(target=_core.probe.pi, args=(1,), kwargs={"maxiter": 10**7, "maxtime": 0.3})
    worker.start()
    while worker.is_alive():
        ticks.append(time.perf_counter())
        time.sleep(0.001)
    worker.join()
    assert len(ticks) > 20


def test_contiguous_arrays_are_borrowed_and_others_copied():
    a = np.arange(12, dtype=np.float32).reshape(3, 4)
    a.flags.writeable = False
    for layout, borrowed in [
        (a, True),
        (a.T, True),
        (np.asfortranarray(a), True),
        (a[1:], True),
        (a[:, 1:], False),
        (a[::-1, ::2], False),
        (np.broadcast_to(a[0], (2, 4)), False),
        (a[:0], True),
    ]:
        assert _core.probe.matrix(layout) == (borrowed, layout.tolist())
    v = np.arange(6.0)
    for layout, borrowed in [(v, True), (v[2:], True), (v[::2], False), (v[::-1], False), (v[:0], True)]:
        assert _core.probe.vector(layout) == (borrowed, layout.tolist())


def run_fresh(code, **environment):
    command = [sys.executable, "-c", code]
    env = os.environ | environment
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=env, timeout=60)
    return done.stdout.strip() or done.stderr.strip().splitlines()[-1]


def test_number_of_threads():
    code = "from solvent import _core; print(_core.get_num_threads())"
    assert run_fresh(code, SOLVENT_NUM_THREADS="3") == "3"
    message = "ValueError: SOLVENT_NUM_THREADS = 'many'; expected an integer >= 1"
    assert run_fresh(code, SOLVENT_NUM_THREADS="many") == message
    if hasattr(os, "sched_getaffinity"):
        one = "import os; os.sched_setaffinity(0, [min(os.sched_getaffinity(0))]); " + code
        assert run_fresh(one, SOLVENT_NUM_THREADS="") == "1"
    before = _core.get_num_threads()
    _core.set_num_threads(7)
    assert _core.get_num_threads() == 7
    _core.set_num_threads(None)
    assert _core.get_num_threads() == before
    with pytest.raises(ValueError, match="n = 0; expected None or an integer >= 1"):
        _core.set_num_threads(0)
    assert _core.available_threads() >= 1


@pytest.mark.skipif(not os.path.isdir("/proc/self/task"), reason="needs /proc")
def test_no_thread_before_the_first_parallel_call():
    count = "len(os.listdir('/proc/self/task'))"
    # NumPy's own BLAS may start threads: it is imported before the count begins.
    code = f"""
import os
import numpy
before = {count}
from solvent import _core
imported = {count}
_core.probe.pi(1, maxiter=1, workers=1)
serial = {count}
_core.probe.pi(1, maxiter=1, workers=3)
print(imported - before, serial - before, {count} - before >= 2)
"""
    assert run_fresh(code) == "0 0 True"
