"""Every example in a docstring, in the README and in CONTRIBUTING runs."""

import doctest
import importlib
import pkgutil
import re
from pathlib import Path

import numpy as np
import pytest

import solvent

ROOT = Path(__file__).resolve().parents[2]
FLAGS = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS
PUBLIC = tuple(f"solvent.{family}" for family in solvent._FAMILIES)


def modules():
    """All modules of the package; `__main__` would run the demo."""
    yield solvent
    for found in pkgutil.walk_packages(solvent.__path__, "solvent."):
        if not found.name.endswith("__main__") and not found.name.startswith("solvent._core"):
            yield importlib.import_module(found.name)


def examples():
    """One test for each docstring that has examples."""
    finder = doctest.DocTestFinder(exclude_empty=True)
    for module in modules():
        for test in finder.find(module, module.__name__):
            if test.examples:
                yield pytest.param(test, id=test.name)


def run(test):
    """Run one doctest; its report is the failure's message."""
    report: list[str] = []
    with np.printoptions():  # what an example sets does not reach the next one
        failures = doctest.DocTestRunner(optionflags=FLAGS).run(test, out=report.append).failed
    assert not failures, "".join(report)


@pytest.mark.parametrize("test", list(examples()))
def test_docstring(test):
    run(test)


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md"])
def test_page(name):
    text = (ROOT / name).read_text(encoding="utf-8")
    test = doctest.DocTestParser().get_doctest(text, {}, name, name, 0)
    assert test.examples or name != "README.md", "the README has lost its examples"
    run(test)


def public_names():
    for family in PUBLIC:
        for name in importlib.import_module(family).__all__:
            yield pytest.param(family, name, id=f"{family}.{name}")


@pytest.mark.parametrize(("family", "name"), list(public_names()))
def test_every_public_name_is_documented_with_an_example(family, name):
    docstring = getattr(importlib.import_module(family), name).__doc__
    assert docstring, "no docstring"
    assert ">>> " in docstring, "no example"


@pytest.mark.parametrize(("family", "name"), list(public_names()))
def test_every_public_name_has_its_page(family, name):
    """The API pages name all that is public: an addition that they forget fails here."""
    page = (ROOT / "docs" / "api" / f"{family.removeprefix('solvent.')}.rst").read_text(encoding="utf-8")
    assert re.search(rf"\b{name}\b", page), f"docs/api does not list {family}.{name}"
