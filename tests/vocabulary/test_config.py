"""`solvent.show_config`."""

import re

import pytest

import solvent


def test_dict():
    config = solvent.show_config(mode="dict")
    assert config["version"] == solvent.__version__
    assert config["simd"]["level"] in {"v2", "v3", "v4", "neon"}
    assert config["threads"]["available"] >= 1
    assert config["cuda"]["available"] or config["cuda"]["reason"]


def test_dict_follows_the_thread_setting():
    with solvent.threads(3):
        assert solvent.show_config(mode="dict")["threads"]["in_use"] == 3


def test_print(capsys):
    assert solvent.show_config() is None
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(":")[0] for line in lines] == ["version", "python", "numpy", "simd", "threads", "cuda"]
    assert solvent.__version__ in lines[0]
    assert re.search(r"in_use \d+, available \d+", lines[4])


@pytest.mark.parametrize("mode", ["dicts", None, 1])
def test_mode_is_checked(mode):
    with pytest.raises(ValueError, match=re.escape(f"mode = {mode!r}; expected one of 'print', 'dict'")):
        solvent.show_config(mode=mode)
