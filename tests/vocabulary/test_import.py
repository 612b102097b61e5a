"""`import solvent`: lazy, silent, without threads."""

import subprocess
import sys
from pathlib import Path

import pytest

import solvent
from solvent import _core

ROOT = Path(__file__).resolve().parents[2]


def run(code):
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout.strip()


def test_import_loads_no_other_package():
    code = """
import sys, numpy
before = set(sys.modules)
import solvent
roots = {name.partition(".")[0] for name in set(sys.modules) - before}
print(sorted(roots - set(sys.stdlib_module_names) - {"solvent", "numpy"}))
"""
    assert run(code) == "[]"


def test_submodules_are_imported_on_first_use():
    code = """
import sys, solvent
assert "solvent.special" not in sys.modules and "solvent.stats" not in sys.modules
solvent.special.log_iv
print("solvent.special" in sys.modules, "scipy" in sys.modules, "array_api_compat" in sys.modules)
"""
    assert run(code) == "True False False"


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="counts threads in /proc")
def test_import_and_small_calls_start_no_thread():
    code = """
import os, numpy
before = len(os.listdir("/proc/self/task"))
import solvent
solvent.special.log_iv(1.0, 2.0)
solvent.show_config(mode="dict")
print(len(os.listdir("/proc/self/task")) - before)
"""
    assert run(code) == "0"


@pytest.mark.parametrize("family", solvent._FAMILIES)
def test_families_are_registered_everywhere(family):
    assert family in solvent.__all__ and family in _core.__dict__
    assert getattr(solvent, family).__name__ == f"solvent.{family}"
    assert sys.modules[f"solvent._core.{family}"] is getattr(_core, family)
    stubs = ROOT / "python" / "solvent" / "_core"
    assert (stubs / f"{family}.pyi").is_file()
    assert f"from . import {family} as {family}" in (stubs / "__init__.pyi").read_text()
    assert (
        f"    from . import {family} as {family}" in (ROOT / "python" / "solvent" / "__init__.py").read_text()
    )
    assert f"`solvent.{family}`" in solvent.__doc__
    assert family in (ROOT / "docs" / "api" / "index.rst").read_text().split()
    assert f"| `solvent.{family}` |" in (ROOT / "README.md").read_text()


def test_unknown_attribute():
    with pytest.raises(AttributeError, match="module 'solvent' has no attribute 'specail'"):
        solvent.specail  # noqa: B018


def test_dir_lists_the_public_names():
    assert dir(solvent) == sorted(solvent.__all__)
    for name in ("special", "threads", "show_config", "__version__"):
        assert name in dir(solvent)
        assert getattr(solvent, name) is not None


def test_version_is_the_distribution_s():
    metadata = pytest.importorskip("importlib.metadata")
    try:
        installed = metadata.version("solvent")
    except metadata.PackageNotFoundError:
        pytest.skip("solvent is used from its source folder, not installed")
    # Cargo writes 0.1.0-alpha.1 where Python writes 0.1.0a1.
    assert installed.split("a")[0] == solvent.__version__.split("-")[0]
