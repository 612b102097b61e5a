"""The golden table of `tests/golden/bessel` (made by `make_golden.py` there), read once."""

from functools import lru_cache
from pathlib import Path

import numpy as np

PATH = Path(__file__).resolve().parents[1] / "golden" / "bessel" / "bessel_golden.npz"


@lru_cache(maxsize=1)
def load():
    """Name -> array, as the file's README lists them."""
    with np.load(PATH) as data:
        return {name: data[name] for name in data.files}


def regions():
    """The names of the regions."""
    return sorted(name.decode() for name in np.unique(load()["region"]))


def region(name):
    """v, x and (hi, lo) of log I and of log K, of one region."""
    g = load()
    m = g["region"] == name.encode()
    low = {k: g[k][m].astype(float) for k in ("i_lo", "k_lo")}
    return g["v"][m], g["x"][m], (g["i_hi"][m], low["i_lo"]), (g["k_hi"][m], low["k_lo"])
