"""`solvent.ot.jax` and `solvent.ot.torch`, each in a process of its own (`ot_frameworks.py` says why)."""

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

CHECKS = Path(__file__).resolve().parent / "ot_frameworks.py"


@pytest.mark.parametrize("framework", ["jax", "torch"])
def test_derivatives(framework, rng):
    if importlib.util.find_spec(framework) is None:
        pytest.skip(f"{framework} is not installed")
    command = [sys.executable, str(CHECKS), framework, str(rng.integers(2**31))]
    done = subprocess.run(command, capture_output=True, text=True, timeout=110, check=False)
    assert done.returncode == 0 and done.stdout.endswith("all is well\n"), done.stdout + done.stderr


def test_the_wrappers_import_without_the_frameworks():
    code = """
import sys
import solvent.ot.jax, solvent.ot.torch
assert solvent.ot.jax.value and solvent.ot.torch.value
print("jax" in sys.modules, "torch" in sys.modules)
"""
    command = [sys.executable, "-W", "error", "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout.strip() == "False False", done.stderr
