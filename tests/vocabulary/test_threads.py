"""The thread setting, its context manager and threadpoolctl."""

import os
import re
import subprocess
import sys

import numpy as np
import pytest

import solvent


@pytest.fixture(autouse=True)
def default_setting():
    solvent.set_num_threads(None)
    yield
    solvent.set_num_threads(None)


def test_set_and_get():
    default = solvent.get_num_threads()
    assert default >= 1
    solvent.set_num_threads(3)
    assert solvent.get_num_threads() == 3
    solvent.set_num_threads(np.int64(2))
    assert solvent.get_num_threads() == 2
    solvent.set_num_threads(None)
    assert solvent.get_num_threads() == default


@pytest.mark.parametrize(
    ("n", "error", "message"),
    [
        (0, ValueError, "n = 0; expected an integer >= 1"),
        (-1, ValueError, "n = -1; expected an integer >= 1"),
        (2.0, TypeError, "n = 2.0; expected an integer >= 1"),
        ("2", TypeError, "n = '2'; expected an integer >= 1"),
        (True, TypeError, "n = True; expected an integer >= 1"),
    ],
)
def test_misuse(n, error, message):
    before = solvent.get_num_threads()
    with pytest.raises(error, match=re.escape(message)):
        solvent.set_num_threads(n)
    with pytest.raises(error, match=re.escape(message)):
        solvent.threads(n)
    assert solvent.get_num_threads() == before


def test_context_manager_nests_and_restores():
    default = solvent.get_num_threads()
    with solvent.threads(5):
        assert solvent.get_num_threads() == 5
        with solvent.threads(None):
            assert solvent.get_num_threads() == default
        with solvent.threads(1):
            assert solvent.get_num_threads() == 1
        assert solvent.get_num_threads() == 5
    assert solvent.get_num_threads() == default


def test_context_manager_restores_after_an_exception():
    default = solvent.get_num_threads()
    with pytest.raises(KeyError), solvent.threads(7):
        raise KeyError
    assert solvent.get_num_threads() == default


def test_constructing_changes_nothing():
    default = solvent.get_num_threads()
    solvent.threads(default + 1)
    assert solvent.get_num_threads() == default


def test_decorator_that_recurses():
    @solvent.threads(4)
    def depth(n):
        return [solvent.get_num_threads(), *(depth(n - 1) if n else [])]

    default = solvent.get_num_threads()
    assert depth(2) == [4, 4, 4]
    assert solvent.get_num_threads() == default


def run(code, **environment):
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_environment_variable():
    code = "import solvent; print(solvent.get_num_threads())"
    assert run(code, SOLVENT_NUM_THREADS="3") == "3"
    code = "import solvent as s; s.set_num_threads(2); s.set_num_threads(None); print(s.get_num_threads())"
    assert run(code, SOLVENT_NUM_THREADS="3") == "3"


class TestThreadpoolctl:
    """threadpoolctl sees exactly one library of ours and limits it."""

    @pytest.fixture(autouse=True)
    def registered(self):
        pytest.importorskip("threadpoolctl")
        solvent.register_threadpoolctl()

    def ours(self):
        import threadpoolctl

        return [entry for entry in threadpoolctl.threadpool_info() if entry["user_api"] == "solvent"]

    def test_info(self):
        solvent.set_num_threads(3)
        (entry,) = self.ours()
        assert entry["num_threads"] == 3
        assert entry["version"] == solvent.__version__
        assert os.path.samefile(entry["filepath"], solvent._core.__file__)

    def test_limits(self):
        import threadpoolctl

        solvent.set_num_threads(4)
        for user_api in (None, "solvent"):
            with threadpoolctl.threadpool_limits(2, user_api=user_api):
                assert solvent.get_num_threads() == 2
            assert solvent.get_num_threads() == 4
        with threadpoolctl.threadpool_limits(2, user_api="blas"):
            assert solvent.get_num_threads() == 4

    def test_second_registration_does_nothing(self):
        solvent.register_threadpoolctl()
        assert len(self.ours()) == 1

    @pytest.mark.parametrize(
        "code",
        [
            "import threadpoolctl, solvent",
            "import solvent, threadpoolctl; solvent.register_threadpoolctl()",
        ],
    )
    def test_registration_in_a_fresh_process(self, code):
        code += "\nprint([e['user_api'] for e in threadpoolctl.threadpool_info()].count('solvent'))"
        assert run(code) == "1"
