import numpy as np

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
