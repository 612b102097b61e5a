import numpy as np

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

log_iv: np.ufunc
log_kv: np.ufunc
log_ive: np.ufunc
log_kve: np.ufunc
log_ivk: np.ufunc
log_abs_iv: np.ufunc
log_iv_grad: np.ufunc
log_kv_grad: np.ufunc
log_iv_certified: np.ufunc
log_kv_certified: np.ufunc
iv_ratio: np.ufunc
iv_ratio_c: np.ufunc
iv_ratio_inv: np.ufunc
kv_ratio: np.ufunc

def certified_regions() -> list[dict[str, str]]: ...
