"""Logarithms of the modified Bessel functions I_v and K_v, their gradients, ratios and error bounds.

All functions are elementwise over true NumPy ufuncs (``f.ufunc``): broadcasting, ``out=``, ``where=``, lazy Dask
arrays. They never raise for values and never warn: points outside a function's domain give nan.

============================================= ====================================================
`log_iv`, `log_kv`                            log I_v(x), log K_v(x)
`log_ive`, `log_kve`                          log I_v(x) - x, log K_v(x) + x
`log_ivk`                                     both logarithms, for little more than one
`log_abs_iv`                                  log abs(I_v(x)) and its sign, for negative orders
`log_iv_grad`, `log_kv_grad`                  derivatives with respect to the order and to x
`log_iv_certified`, `log_kv_certified`        the value and a bound on its error
`iv_ratio`, `iv_ratio_c`, `iv_ratio_inv`      I_v(x) / I_{v-1}(x), 1 minus it, its inverse in x
`kv_ratio`                                    K_v(x) / K_{v-1}(x)
`certified_regions`                           where the error bounds are proven
============================================= ====================================================

A call with 32 768 or more contiguous elements uses the package's threads (`solvent.set_num_threads`); results
are bit-equal for any number of them.
"""

from ._certified import certified_regions, log_iv_certified, log_kv_certified
from ._gradient import log_iv_grad, log_kv_grad
from ._log import log_abs_iv, log_iv, log_ive, log_ivk, log_kv, log_kve
from ._ratio import iv_ratio, iv_ratio_c, iv_ratio_inv, kv_ratio

__all__ = [
    "certified_regions",
    "iv_ratio",
    "iv_ratio_c",
    "iv_ratio_inv",
    "kv_ratio",
    "log_abs_iv",
    "log_iv",
    "log_iv_certified",
    "log_iv_grad",
    "log_ive",
    "log_ivk",
    "log_kv",
    "log_kv_certified",
    "log_kv_grad",
    "log_kve",
]

# doctest looks into functions and classes only: this is its door for other objects.
__test__ = {name: globals()[name].__doc__ for name in __all__ if name != "certified_regions"}


def __dir__() -> list[str]:
    return sorted(__all__)
