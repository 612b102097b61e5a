"""The elementwise functions of `solvent.special`, by shape of their result, and arguments that fit each."""

import numpy as np

from solvent import special

ONE = ("log_iv", "log_kv", "log_ive", "log_kve", "iv_ratio", "iv_ratio_c", "iv_ratio_inv", "kv_ratio")
TWO = ("log_ivk", "log_abs_iv", "log_iv_grad", "log_kv_grad", "log_iv_certified", "log_kv_certified")
EVERY = ONE + TWO


def call(name, *args, **kwargs):
    """The outputs as a tuple; any floating-point flag the call leaves behind is an error."""
    with np.errstate(all="raise"):
        out = getattr(special, name)(*args, **kwargs)
    return out if isinstance(out, tuple) else (out,)


def arguments(name, v, x):
    """(v, x) turned into arguments of `name`: `iv_ratio_inv` takes an order >= 1/2 and a ratio in [0, 1]."""
    if name != "iv_ratio_inv":
        return v, x
    v = np.abs(v) + 0.5
    with np.errstate(all="ignore"):
        return v, (1 / (1 + v / x)).astype(x.dtype)


def same_bits(a, b):
    """Equal bit for bit, any nan being equal to any other."""
    a, b = np.asarray(a), np.asarray(b)
    if a.dtype != b.dtype or a.shape != b.shape:
        return False
    nan = np.isnan(a)
    if not np.array_equal(nan, np.isnan(b)):
        return False
    return np.where(nan, 0, a).tobytes() == np.where(nan, 0, b).tobytes()
