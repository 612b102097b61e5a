"""Checks of `solvent.ot.jax` and `solvent.ot.torch`, run by `test_ot_frameworks.py` as a process of its own.

The frameworks start threads and fill `sys.modules` with names that warn when pickle looks at them: no other test shall
share a process with them. Derivatives are compared with differences and with `grad` and `vjp`.
"""

import sys
from functools import partial
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from helpers.transport_oracle import clouds
from solvent import ot

TIGHT = {"tol": 1e-11}


def losses(module, to_array, rng):
    """name -> (function of one array, that array): every wrapper in every argument that it can be differentiated in."""
    X, Y = clouds(rng, 5, 6, 2)
    C = rng.random((5, 6))
    a, b = rng.dirichlet(np.ones(5)), rng.dirichlet(np.ones(6))
    # differentiable functions of weights keep the totals equal, as a softmax does
    V, X, Y, C, a, b = (to_array(x) for x in (rng.normal(size=(5, 6)), X, Y, C, a, b))
    soft = {"unbalanced": 1.0, **TIGHT}
    return {
        "value C": (lambda C: module.value(C, a, b, reg=0.1, **TIGHT), C),
        "value a": (lambda a: module.value(C, a, b, reg=0.1, **soft), a),
        "value b": (lambda b: module.value(C, a, b, reg=0.1, **soft), b),
        "plan C": (lambda C: (module.plan(C, a, b, reg=0.1, **TIGHT) * V).sum(), C),
        "plan a": (lambda a: (module.plan(C, a, b, reg=0.1, **soft) * V).sum(), a),
        "value X": (lambda X: module.value_points(X, Y, reg=0.3, **TIGHT), X),
        "value Y": (lambda Y: module.value_points(X, Y, a, b, reg=0.3, cost="euclidean", **TIGHT), Y),
        "plan X": (lambda X: (module.plan_points(X, Y, a, b, reg=0.5, **soft) * V).sum(), X),
        "plan Y": (lambda Y: (module.plan_points(X, Y, reg=0.5, cost="lp", p=2.5, **TIGHT) * V).sum(), Y),
        "divergence X": (lambda X: module.divergence(X, Y, reg=0.3, tol=1e-11), X),
        "monge gap TX": (lambda TX: module.monge_gap(X, TX, reg=0.3, tol=1e-11), Y[:5]),
    }


def numeric(function, array, direction, h=1e-4):
    steps = (h, h / 2)
    coarse, fine = (
        (function(array + t * direction) - function(array - t * direction)) / (2 * t) for t in steps
    )
    return float((4 * fine - coarse) / 3)


def close(found, expected, rel=1e-5, abs_=1e-8):
    assert np.all(np.abs(np.asarray(found) - np.asarray(expected)) <= abs_ + rel * np.abs(expected)), (
        found,
        expected,
    )


# --- JAX --------------------------------------------------------------------------------------------------------


def check_jax(rng):
    import jax

    from solvent.ot import jax as wrapped

    jax.config.update("jax_enable_x64", True)
    for name, (function, array) in losses(wrapped, jax.numpy.asarray, rng).items():
        print("jax,", name, flush=True)
        gradient = jax.jit(jax.grad(function))(array)
        direction = jax.numpy.asarray(rng.normal(size=array.shape))
        close(numeric(function, array, direction), float((gradient * direction).sum()))
        value, same = jax.value_and_grad(function)(array)
        close(same, gradient, rel=1e-12)
        close(value, jax.jit(function)(array), rel=1e-12)

    print("jax, vmap and misuse", flush=True)
    C = jax.numpy.asarray(rng.random((3, 4, 5)))
    close(jax.vmap(lambda C: wrapped.value(C, reg=0.1))(C), ot.solve(np.asarray(C), reg=0.1).value, rel=1e-12)
    with pytest.raises(ValueError, match="reg_scale makes reg depend on the cost"):
        wrapped.value(C[0], reg=0.1, reg_scale="max")
    integers = jax.numpy.asarray([[0, 1], [1, 0]])
    close(wrapped.value(integers, reg=0.01), 0.01 * np.log(2), rel=1e-6)

    print("jax, single precision", flush=True)
    # Potentials keep float64 though JAX has none: the derivative of a plan at small reg needs them.
    jax.config.update("jax_enable_x64", False)
    C, V = rng.random((8, 8)).astype(np.float32), rng.normal(size=(8, 8)).astype(np.float32)
    gradient = jax.grad(lambda C: (wrapped.plan(C, reg=0.02) * V).sum())(jax.numpy.asarray(C))
    assert gradient.dtype == np.float32
    expected = np.asarray(ot.solve(C.astype(float), reg=0.02, tol=1e-12).vjp(V)["C"])
    close(gradient, expected, rel=0, abs_=1e-4 * np.abs(expected).max())


# --- PyTorch ----------------------------------------------------------------------------------------------------


def check_torch(rng):
    import torch

    from solvent.ot import torch as wrapped

    to_torch = partial(tensor, torch)
    for name, (function, array) in losses(wrapped, to_torch, rng).items():
        print("torch,", name, flush=True)
        array = array.clone().requires_grad_(True)
        function(array).backward()
        direction = to_torch(rng.normal(size=tuple(array.shape)))
        with torch.no_grad():
            close(numeric(function, array, direction), float((array.grad * direction).sum()))

    print("torch, single precision and changes in place", flush=True)
    X = to_torch(rng.normal(size=(6, 2))).float().requires_grad_(True)
    Y = to_torch(rng.normal(size=(7, 2))).float()
    value = wrapped.value_points(X, Y, reg=0.2)
    assert value.dtype == torch.float32 and value.shape == ()
    value.backward()
    assert X.grad.dtype == torch.float32 and X.grad.shape == X.shape
    value = wrapped.value_points(X, Y, reg=0.2)
    Y += 1.0
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        value.backward()


def tensor(torch, array):
    return torch.from_dlpack(np.array(array, dtype=np.float64))


if __name__ == "__main__":
    {"jax": check_jax, "torch": check_torch}[sys.argv[1]](np.random.default_rng(int(sys.argv[2])))
    print("all is well")
