"""asv suite of `solvent.special`: times, peak memory, achieved error and honesty of the certificates."""

from __future__ import annotations

import numpy as np

from benches.peers.special import oracle
from benches.peers.special.problems import points

_EPS = 2.0**-53
_PLAIN = ("log_iv", "log_kv", "log_ive", "log_kve", "log_ivk", "log_abs_iv")
_DERIVED = (
    "log_iv_grad",
    "log_kv_grad",
    "log_iv_certified",
    "log_kv_certified",
    "iv_ratio",
    "iv_ratio_c",
    "kv_ratio",
)
_GOLDEN_REGIONS = (
    "small", "inner", "ring", "mid", "large", "global", "tiny_x", "v15_xwide", "vlarge_xsmall", "zero_I", "zero_K", "seams",
    "x_seams",
)  # fmt: skip


class Functions:
    """Every function on the spec's problems; matern has one order for all points."""

    n = 200_000
    params = (_PLAIN + _DERIVED, ("small", "inner", "mid", "large", "matern 1.7"), ("float64", "float32"))
    param_names = ("function", "problem", "dtype")

    def setup(self, function, problem, dtype):
        from solvent import special

        self.function = getattr(special, function)
        self.v, self.x = points(problem, self.n, np.dtype(dtype).type)

    def time_call(self, function, problem, dtype):
        self.function(self.v, self.x)


class Orders:
    """Scalar order against the same order in every element: what hoisting saves; and half-integers."""

    n = 200_000
    params = (("log_iv", "log_kv"), (0.5, 2.5, 7.3, 100.0), ("scalar", "array"))
    param_names = ("function", "order", "given_as")

    def setup(self, function, order, given_as):
        from solvent import special

        self.function = getattr(special, function)
        _, self.x = points("matern 2.5", self.n)
        self.v = order if given_as == "scalar" else np.full(self.n, order)

    def time_call(self, function, order, given_as):
        self.function(self.v, self.x)


class NegativeOrders:
    """Orders of either sign cost a second kernel for I, nothing for K."""

    n = 200_000
    params = (("log_iv", "log_abs_iv", "log_kv"),)
    param_names = ("function",)

    def setup(self, function):
        from solvent import special

        self.function = getattr(special, function)
        v, self.x = points("small", self.n)
        self.v = np.where(np.arange(self.n) % 2, v, -v)

    def time_call(self, function):
        self.function(self.v, self.x)


class Inverse:
    """iv_ratio_inv at the orders of von Mises-Fisher fits."""

    n = 20_000
    params = ((1.5, 64.0, 1024.0),)
    param_names = ("order",)

    def setup(self, order):
        from solvent import special

        self.function = special.iv_ratio_inv
        self.r = np.random.default_rng(3).uniform(0, 1, self.n)

    def time_call(self, order):
        self.function(order, self.r)


class Memory:
    """Peak memory of one large call: the arrays, and no temporaries of their size."""

    n = 2_000_000
    params = (("log_iv", "log_ivk"),)
    param_names = ("function",)

    def setup(self, function):
        from solvent import special

        self.function = getattr(special, function)
        self.v, self.x = points("small", self.n)

    def peakmem_call(self, function):
        self.function(self.v, self.x)


class Accuracy:
    """Largest error over max(1, |L|) against the golden table, and how many answers are not finite."""

    step = 1
    params = (("log_iv", "log_kv"), _GOLDEN_REGIONS)
    param_names = ("function", "region")
    unit = "mixed error"

    def setup(self, function, region):
        from solvent import special

        table = oracle.golden(region, self.step)
        kind = function[4]
        self.reference = table[f"{kind}_hi"], table[f"{kind}_lo"]
        self.value = getattr(special, function)(table["v"], table["x"])

    def track_max_error(self, function, region):
        return oracle.mixed_error(self.value, self.reference)

    def track_nonfinite(self, function, region):
        return int(np.count_nonzero(~np.isfinite(self.value)))


class Derivatives:
    """Largest error of the derivatives against the golden table, relative to max(|derivative|, 0.1)."""

    params = (("log_iv_grad", "log_kv_grad"), ("v", "x"))
    param_names = ("function", "with_respect_to")
    unit = "mixed relative error"

    def setup(self, function, with_respect_to):
        from solvent import special

        with np.load(oracle.GOLDEN / "bessel_golden.npz") as table:
            exact = table[f"d{function[4]}_d{with_respect_to}"]
            derivatives = getattr(special, function)(table["g_v"], table["g_x"])
        value = derivatives["vx".index(with_respect_to)]
        self.error = np.abs(value - exact) / np.maximum(np.abs(exact), 0.1)

    def track_max_error(self, function, with_respect_to):
        return float(np.max(self.error))


class Ratios:
    """Largest relative error of the ratios against the golden table."""

    params = (("iv_ratio", "iv_ratio_c", "kv_ratio"),)
    param_names = ("function",)
    unit = "relative error"

    def setup(self, function):
        from solvent import special

        column = {"iv_ratio": "r_i", "iv_ratio_c": "r_ic", "kv_ratio": "r_k"}[function]
        with np.load(oracle.GOLDEN / "bessel_golden.npz") as table:
            exact = table[column]
            self.error = np.abs(getattr(special, function)(table["r_v"], table["r_x"]) / exact - 1)

    def track_max_error(self, function):
        return float(np.max(self.error))


class Certificates:
    """Bounds against true errors: never below (least ratio >= 1), and not lazily large."""

    step = 1
    params = (("log_iv_certified", "log_kv_certified"), _GOLDEN_REGIONS)
    param_names = ("function", "region")

    def setup(self, function, region):
        from solvent import special

        table = oracle.golden(region, self.step)
        hi, lo = table[f"{function[4]}_hi"], table[f"{function[4]}_lo"]
        value, self.bound = getattr(special, function)(table["v"], table["x"])
        self.error = np.abs((value - hi) - lo)
        self.scale = np.maximum(1, np.abs(hi))

    def track_median_width(self, function, region):
        return float(np.median(self.bound / (_EPS * self.scale)))

    track_median_width.unit = "2^-53 max(1, |L|)"

    def track_median_bound_over_error(self, function, region):
        return float(np.median(self.bound / np.maximum(self.error, 1e-3 * _EPS * self.scale)))

    def track_least_bound_over_error(self, function, region):
        wrong = self.error > 0
        return float(np.min(self.bound[wrong] / self.error[wrong])) if wrong.any() else float("inf")

    def track_violations(self, function, region):
        return int(np.count_nonzero(self.bound < self.error))


class Import:
    """A fresh interpreter's `import solvent`, beside NumPy's own."""

    params = (("numpy", "numpy, solvent", "numpy, solvent.special"),)
    param_names = ("modules",)
    repeat = (3, 10, 20.0)
    number = 1

    def time_import(self, modules):
        import subprocess
        import sys

        subprocess.run([sys.executable, "-c", f"import {modules}"], check=True)
