"""The golden tables of `tests/golden/bessel` (their README says what is in them and what made them), read once."""

from functools import cache
from pathlib import Path

import numpy as np

FOLDER = Path(__file__).resolve().parents[2] / "golden" / "bessel"
TABLES = ("golden", "edges")


@cache
def load(table="golden"):
    """Name -> array of one of `TABLES`; the low parts as float64, 0 where a table has none."""
    with np.load(FOLDER / f"bessel_{table}.npz") as data:
        out = {name: data[name].astype(float) if name.endswith("_lo") else data[name] for name in data.files}
    for name in ("di_dv", "di_dx", "dk_dv", "dk_dx", "r_i", "r_ic", "r_k"):
        out.setdefault(f"{name}_lo", np.zeros_like(out[name]))
    return out


def regions():
    """All regions, as "table/region"."""
    return [f"{t}/{name.decode()}" for t in TABLES for name in np.unique(load(t)["region"])]


def region(name):
    """v, x and (hi, lo) of log I and of log K, of one region."""
    table, name = name.split("/")
    g = load(table)
    m = g["region"] == name.encode()
    return g["v"][m], g["x"][m], (g["i_hi"][m], g["i_lo"][m]), (g["k_hi"][m], g["k_lo"][m])
