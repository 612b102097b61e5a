"""Who answers the elementwise problems: ours, SciPy, TensorFlow Probability, logbesselk, the switching table."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from benches.peers.contract import Implementation
from benches.peers.special.problems import SLOW, head

Call = Callable[[], Any]
Data = tuple[Any, Any]

_JUDGED = 2000
"""Certificates are taken at this many points."""


def _ours(name: str, data: Data) -> Call:
    from solvent import special

    return functools.partial(getattr(special, name), *data)


def _ours_in_double(name: str, data: Data) -> Call:
    return _ours(name, tuple(np.asarray(a, dtype=np.float64) for a in data))  # type: ignore[arg-type]


def _certificate(task: str, data: Data, answer: Any) -> float | None:
    """Largest certified bound over max(1, |L|) at the first points; None where the task has no certified form."""
    from solvent import special

    name = task.removesuffix("_certified")
    if name not in ("log_iv", "log_kv"):
        return None
    if task != name:
        value, bound = (a[:_JUDGED] for a in answer)
    else:
        value, bound = getattr(special, f"{name}_certified")(*head(data, _JUDGED))
    return float(np.max(bound / np.maximum(1, np.abs(value))))


def _scipy(kind: str, data: Data) -> Call:
    from scipy import special

    scaled, sign = (special.ive, np.add) if kind == "i" else (special.kve, np.subtract)
    v, x = data

    def call() -> Any:
        out = scaled(v, x)
        with np.errstate(all="ignore"):
            np.log(out, out=out)
        return sign(out, x, out=out)

    return call


def _tfp_function(kind: str) -> Callable[[Any, Any], Any]:
    import jax

    jax.config.update("jax_enable_x64", True)
    from tensorflow_probability.substrates import jax as tfp

    scaled, sign = (tfp.math.log_bessel_ive, 1) if kind == "i" else (tfp.math.log_bessel_kve, -1)
    return lambda v, x: scaled(v, x) + sign * x


def _jitted(function: Callable[[Any, Any], Any], data: Data) -> Call:
    """Compile now and put the data on the device, so that a call is the kernel and nothing else."""
    import jax

    compiled = jax.jit(function)
    v, x = (jax.device_put(a) for a in data)
    jax.block_until_ready(compiled(v, x))
    return lambda: jax.block_until_ready(compiled(v, x))


def _tfp(kind: str, data: Data) -> Call:
    return _jitted(_tfp_function(kind), data)


def _tfp_gradient(kind: str, data: Data) -> Call:
    import jax

    function = _tfp_function(kind)
    return _jitted(jax.grad(lambda v, x: function(v, x).sum(), argnums=(0, 1)), data)


def _logbesselk(data: Data) -> Call:
    import jax

    jax.config.update("jax_enable_x64", True)
    from logbesselk.jax import log_bessel_k

    v, x = data
    return _jitted(jax.vmap(log_bessel_k), (np.broadcast_to(v, x.shape), x))


def _switching(kind: str, data: Data) -> Call:
    from benches.peers.special.switching import log_bessel

    return functools.partial(log_bessel, kind, *data)


_NAMES = ("log_iv", "log_kv", "log_ivk", "log_iv_grad", "log_kv_grad", "log_iv_certified", "log_kv_certified")
_PLAIN = {
    **{f"log_{kind}v{form}": f"log_{kind}v" for kind in "ik" for form in ("_grad", "_certified")},
    "log_ivk": "log_iv",
}

ELEMENTWISE = [
    Implementation(
        "solvent",
        {
            **{name: functools.partial(_ours, name) for name in _NAMES},
            **{f"{name}_f32": functools.partial(_ours, name) for name in ("log_iv", "log_kv")},
        },
        ours=True,
        process="solvent",
        packages=("solvent",),
        certificate=_certificate,
    ),
    Implementation(
        "solvent plain",
        {
            **{task: functools.partial(_ours, plain) for task, plain in _PLAIN.items()},
            **{f"{name}_f32": functools.partial(_ours_in_double, name) for name in ("log_iv", "log_kv")},
        },
        uses_solvent=True,
        judged=False,
        process="solvent",
        note="yardstick: our log_iv or log_kv (float64) on the same points",
    ),
    Implementation(
        "scipy",
        {f"log_{kind}v{form}": functools.partial(_scipy, kind) for kind in "ik" for form in ("", "_f32")},
        packages=("scipy",),
        note="log(ive) + x, log(kve) - x",
    ),
    Implementation(
        "tfp-jax",
        {
            **{f"log_{kind}v": functools.partial(_tfp, kind) for kind in "ik"},
            **{f"log_{kind}v_grad": functools.partial(_tfp_gradient, kind) for kind in "ik"},
        },
        process="jax",
        packages=("tfp-nightly", "jax", "jaxlib"),
        environment={"JAX_PLATFORMS": "cpu"},
        note="jit, f64, compilation excluded",
    ),
    Implementation(
        "logbesselk",
        {"log_kv": _logbesselk},
        process="jax",
        packages=("logbesselk",),
        environment={"JAX_PLATFORMS": "cpu"},
        # Its series and quadratures grow with the order: 30 ms a point in "large", far outside its own box.
        largest={"*": SLOW, "log_kv/large": 0, "log_kv/golden all": 0, "log_kv/golden zero_K": 0},
        note="jit, vmap, f64, compilation excluded",
    ),
    Implementation(
        "switching",
        {f"log_{kind}v": functools.partial(_switching, kind) for kind in "ik"},
        largest={"log_iv": 200_000, "log_kv": SLOW, "log_kv/golden all": 20_000},
        note="NumPy re-implementation from a second-hand description",
    ),
]
