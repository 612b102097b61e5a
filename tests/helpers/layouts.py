"""One array in many memory layouts: `LAYOUTS[name](a)` has the values of the 1-d array `a`, in its shape unless noted."""

import numpy as np


def _strided(a):
    out = np.full(3 * a.size, np.nan, a.dtype)[::3]
    out[:] = a
    return out


def _reversed(a):
    return np.ascontiguousarray(a[::-1])[::-1]


def _column(a):
    out = np.full((a.size, 5), np.nan, a.dtype)[:, 2]
    out[:] = a
    return out


def _unaligned(a):
    raw = np.zeros(a.nbytes + 1, np.uint8)[1:]
    out = raw.view(a.dtype)
    out[:] = a
    return out


def _read_only(a):
    out = a.copy()
    out.flags.writeable = False
    return out


def _swapped(a):
    return a.astype(a.dtype.newbyteorder())


LAYOUTS = {
    "contiguous": np.ascontiguousarray,
    "strided": _strided,
    "negative_stride": _reversed,
    "column": _column,
    "unaligned": _unaligned,
    "read_only": _read_only,
    "byte_swapped": _swapped,
}
