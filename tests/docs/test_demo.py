"""The demo's own parts: the command line and the table. The whole demo runs in `.ci/run`."""

import importlib
import inspect
import subprocess
import sys

import pytest

from solvent.demo import FAMILIES
from solvent.demo._table import Table


@pytest.mark.parametrize("name", FAMILIES)
def test_family_has_the_contract(name):
    family = importlib.import_module(f"solvent.demo.{name}")
    assert family.TITLE
    assert list(inspect.signature(family.run).parameters) == ["report"]


def test_unknown_family_is_refused():
    command = [sys.executable, "-m", "solvent.demo", "astrology"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    assert "no family astrology; there are special_stats, ot, regression, completion, monotone" in done.stderr


def test_table_aligns_columns_and_refuses_short_rows():
    table = Table("T", ("name", "n"))
    table.add("a", "10000")
    table.notes.append("below")
    assert str(table) == "T\nname      n\n───────────\na     10000\n  below"
    with pytest.raises(ValueError, match="the row has 1 cells; expected 2"):
        table.add("b")
