"""Make the repository's `benches` package importable and give the commands one way to be run."""

import os
import pathlib
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))


@pytest.fixture
def peers():
    """Run ``python -m benches.peers ...`` from the repository's root with extra environment variables."""

    def run(*arguments, **environment):
        path = os.pathsep.join([str(pathlib.Path(__file__).parent), os.environ.get("PYTHONPATH", "")])
        return subprocess.run(
            [sys.executable, "-m", "benches.peers", *arguments],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": path, **environment},
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )

    return run
