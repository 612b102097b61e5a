"""Fresh processes, forked children, many Python threads: import stays cheap and quiet, results stay the same."""

import subprocess
import sys
import textwrap
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from helpers.bessel.functions import same_bits
from solvent import special


def run(script, *flags, timeout=100):
    done = subprocess.run(
        [sys.executable, *flags, "-c", textwrap.dedent(script)],
        capture_output=True,
        text=True,
        timeout=timeout,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_import_is_cheap():
    """Under 50 ms beyond NumPy's own, the best of several fresh processes."""
    script = """
    import time
    import numpy
    start = time.perf_counter()
    import solvent
    print(time.perf_counter() - start)
    """
    times = []
    for _ in range(9):
        times.append(float(run(script)))
        if times[-1] < 0.05:
            break
    assert min(times) < 0.05, (
        f"import solvent took {1e3 * min(times):.0f} ms beyond NumPy at best of {len(times)}"
    )


def test_import_is_quiet():
    """No warning, no thread, nothing heavy."""
    script = """
    import os, sys
    import numpy
    count = lambda: len(os.listdir("/proc/self/task")) if os.path.isdir("/proc/self/task") else 0
    before = count()
    import solvent
    assert count() == before, "import solvent started a thread"
    loaded = {m.partition(".")[0] for m in sys.modules}
    heavy = loaded & {"scipy", "sklearn", "dask", "matplotlib", "jax", "torch", "cupy", "tqdm", "pandas", "flint"}
    assert not heavy, heavy
    import solvent.special, solvent.stats
    assert count() == before, "a submodule started a thread"
    heavy = {m.partition(".")[0] for m in sys.modules} & {"sklearn", "dask", "matplotlib", "jax", "torch", "cupy", "tqdm"}
    assert not heavy, heavy
    solvent.special.log_iv(numpy.ones(100), numpy.ones(100))
    assert count() == before, "a small call started a thread"
    """
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", textwrap.dedent(script)],
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert done.returncode == 0, done.stderr
    assert not done.stdout
    assert not done.stderr


FORK = """
import os, signal, sys, time
import numpy as np
import solvent
from solvent import special

rng = np.random.default_rng(5)
v, x = rng.uniform(0, 100, 100003), rng.uniform(0, 100, 100003)
solvent.set_num_threads(1)
ref = special.log_ivk(v, x)
solvent.set_num_threads(4)
same = lambda got: all(a.tobytes() == b.tobytes() for a, b in zip(got, ref))
assert same(special.log_ivk(v, x))
"""


@pytest.mark.skipif(not hasattr(__import__("os"), "fork"), reason="no fork here")
def test_forked_child():
    """The parent's pool does not exist in a child: the child builds its own and does not hang; so does a grandchild."""
    script = (
        FORK
        + """
import warnings
warnings.simplefilter("ignore", DeprecationWarning)  # CPython warns about forking a threaded process: that is the test
def in_child(depth):
    pid = os.fork()
    if pid == 0:
        signal.alarm(30)  # a deadlock ends here
        ok = same(special.log_ivk(v, x))
        if ok and depth:
            ok = in_child(depth - 1)
        os._exit(0 if ok else 1)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
assert in_child(1)
assert same(special.log_ivk(v, x)), "the parent after the child"
solvent.set_num_threads(3)
assert in_child(0)
"""
    )
    run(script)


@pytest.mark.skipif(not hasattr(__import__("os"), "fork"), reason="no fork here")
def test_multiprocessing_by_fork():
    """A pool of forked workers that all use threads, as joblib and PyTorch loaders do."""
    script = (
        FORK
        + """
import multiprocessing, warnings
warnings.simplefilter("ignore", DeprecationWarning)
signal.alarm(60)
def work(n):
    solvent.set_num_threads(n)
    return same(special.log_ivk(v, x))
with multiprocessing.get_context("fork").Pool(3) as pool:
    assert all(pool.map(work, [1, 2, 5, 2, 1, 5]))
"""
    )
    run(script)


def test_many_python_threads(rng):
    """Calls from many Python threads at once, small and large, do not disturb one another."""
    jobs = []
    for n in (10, 1000, 40000, 100003) * 4:
        v, x = rng.uniform(0, 100, n), rng.uniform(0, 100, n)
        jobs.append((v, x, special.log_iv(v, x)))
    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(lambda job: special.log_iv(job[0], job[1]), jobs * 2))
    for got, job in zip(results, jobs * 2, strict=True):
        assert same_bits(got, job[2])
    assert np.isfinite(results[0]).all()


def test_spawned_process_unpickles():
    """A pickled callable, bound in a partial, works in a fresh interpreter."""
    script = """
    import functools, multiprocessing
    from solvent import special
    if __name__ == "__main__":
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            assert pool.apply(functools.partial(special.log_kv, 2.5), (3.0,)) == special.log_kv(2.5, 3.0)
            assert pool.apply(special.log_kv.ufunc, (2.5, 3.0)) == special.log_kv(2.5, 3.0)
    """
    run(script)
