"""Shared fixtures.  Randomness is fresh at every run and printed: `SOLVENT_TEST_SEED=<seed> pytest ...` repeats a run."""

import os
import secrets
import sys
import zlib
from pathlib import Path

import hypothesis
import numpy as np
import pytest

import solvent  # early: pickle looks ufuncs up module by module, and mpmath's old modules warn when they are asked

TESTS = Path(__file__).resolve().parent
if str(TESTS) not in sys.path:  # `helpers` and `golden` are importable from every test and from tools/
    sys.path.insert(0, str(TESTS))

# Set once and inherited by xdist workers and by subprocesses that tests start.
SEED = int(os.environ.setdefault("SOLVENT_TEST_SEED", str(secrets.randbits(48))))

hypothesis.settings.register_profile(
    "solvent",
    deadline=None,
    max_examples=int(os.environ.get("SOLVENT_TEST_EXAMPLES", "60")),
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
    print_blob=True,
)
hypothesis.settings.load_profile("solvent")


def pytest_configure(config):
    """Drive hypothesis from the same seed, unless its own option was given."""
    if config.getoption("hypothesisseed", None) is None:
        hypothesis.core.global_force_seed = SEED


def pytest_report_header(config):
    """Print what a failure needs to be repeated: the seed, the SIMD level, the threads."""

    level = solvent._core.simd_level()
    return f"solvent: SOLVENT_TEST_SEED={SEED} simd={level} threads={solvent.get_num_threads()}"


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """Attach the seed to every failure, so that one failed test can be repeated alone."""
    report = (yield).get_result()
    if report.failed:
        report.sections.append(("seed", f'SOLVENT_TEST_SEED={SEED} pytest "{item.nodeid}"'))


@pytest.fixture
def rng(request):
    """A generator that depends on the run's seed and on the test's name only: tests can be repeated one by one."""
    return np.random.default_rng([SEED, zlib.crc32(request.node.nodeid.encode())])


@pytest.fixture(scope="session")
def shared_data():
    """`shared_data(name)`: a data set that is too large or not ours to ship; the test is skipped, with a reason, without it."""
    roots = [os.environ.get("SOLVENT_SHARED_DATA"), TESTS.parent.parent / "shared" / "data"]

    def find(name):
        for root in filter(None, roots):
            path = Path(root) / name
            if path.exists():
                return path
        pytest.skip(f"{name} is not there: set SOLVENT_SHARED_DATA to the folder that holds it")

    return find


@pytest.fixture(scope="session")
def simd_level():
    """The SIMD level that this run uses."""

    return solvent._core.simd_level()
