"""`callback=` and `progress=` as one callable."""

import builtins
import sys
from types import SimpleNamespace

import pytest

from solvent._progress import observer


def info(nit, bound=0.5):
    return SimpleNamespace(nit=nit, bound=bound, elapsed=0.0)


def test_without_a_bar_the_callback_goes_straight_through():
    with observer(print, False) as observe:
        assert observe is print
    with observer(None, False) as observe:
        assert observe is None


def test_callback_is_checked_first():
    with pytest.raises(TypeError, match="callback = 3; expected a callable or None"), observer(3, True):
        pass


def test_bar(capsys):
    pytest.importorskip("tqdm")
    seen = []
    with observer(seen.append, True, total=5, unit="sweep") as observe:
        first, second = info(1), info(5, 1.25e-9)
        observe(first)
        observe(second)
    assert seen == [first, second]
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "5/5" in captured.err and "bound 1.25e-09" in captured.err and "sweep" in captured.err


@pytest.mark.parametrize("error", [StopIteration, KeyError])
def test_exceptions_pass_through_and_close_the_bar(error, capsys):
    pytest.importorskip("tqdm")

    def callback(info):
        raise error

    # The core, not this context, turns StopIteration into a status.
    with observer(callback, True, total=2) as observe, pytest.raises(error):
        observe(info(1))
    assert capsys.readouterr().err.endswith("\n")


def test_missing_tqdm(monkeypatch):
    for name in [name for name in sys.modules if name.partition(".")[0] == "tqdm"]:
        monkeypatch.delitem(sys.modules, name)
    original = builtins.__import__

    def without(name, *args, **kwargs):
        if name.partition(".")[0] == "tqdm":
            raise ImportError(name)
        return original(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without)
    with (
        pytest.raises(ImportError, match="progress=True needs tqdm; install tqdm or pass progress=False"),
        observer(None, True),
    ):
        pass
