"""`solvent.ot.jax` and `solvent.ot.torch`: derivatives inside the frameworks, against differences and `grad`, `vjp`."""

import subprocess
import sys
from functools import partial

import numpy as np
import pytest

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


NAMES = (
    "value C",
    "value a",
    "value b",
    "plan C",
    "plan a",
    "value X",
    "value Y",
    "plan X",
    "plan Y",
    "divergence X",
    "monge gap TX",
)


def numeric(function, array, direction, h=1e-4):
    coarse, fine = (
        (function(array + t * direction) - function(array - t * direction)) / (2 * t) for t in (h, h / 2)
    )
    return float((4 * fine - coarse) / 3)


# --- JAX --------------------------------------------------------------------------------------------------------


@pytest.fixture
def jax():
    module = pytest.importorskip("jax", reason="JAX is not installed")
    before = module.config.jax_enable_x64
    module.config.update("jax_enable_x64", True)
    yield module
    module.config.update("jax_enable_x64", before)


@pytest.mark.parametrize("name", NAMES)
def test_jax(name, jax, rng):
    from solvent.ot import jax as wrapped

    function, array = losses(wrapped, jax.numpy.asarray, rng)[name]
    gradient = jax.jit(jax.grad(function))(array)
    direction = jax.numpy.asarray(rng.normal(size=array.shape))
    expected = float((gradient * direction).sum())
    assert numeric(function, array, direction) == pytest.approx(expected, rel=1e-5, abs=1e-8)
    value, same = jax.value_and_grad(function)(array)
    np.testing.assert_allclose(same, gradient, rtol=1e-12)
    np.testing.assert_allclose(value, jax.jit(function)(array), rtol=1e-12)


def test_jax_in_single_precision(jax, rng):
    """Potentials keep float64 though JAX has none: the derivative of a plan at small reg needs them."""
    from solvent.ot import jax as wrapped

    jax.config.update("jax_enable_x64", False)
    C, V = rng.random((8, 8)).astype(np.float32), rng.normal(size=(8, 8)).astype(np.float32)
    gradient = jax.grad(lambda C: (wrapped.plan(C, reg=0.02) * V).sum())(jax.numpy.asarray(C))
    assert gradient.dtype == np.float32
    expected = np.asarray(ot.solve(C.astype(float), reg=0.02, tol=1e-12).vjp(V)["C"])
    np.testing.assert_allclose(gradient, expected, atol=1e-4 * np.abs(expected).max())


def test_jax_maps_and_refuses(jax, rng):
    from solvent.ot import jax as wrapped

    C = jax.numpy.asarray(rng.random((3, 4, 5)))
    values = jax.vmap(lambda C: wrapped.value(C, reg=0.1))(C)
    np.testing.assert_allclose(values, ot.solve(np.asarray(C), reg=0.1).value, rtol=1e-12)
    with pytest.raises(ValueError, match="reg_scale makes reg depend on the cost"):
        wrapped.value(C[0], reg=0.1, reg_scale="max")
    integers = jax.numpy.asarray([[0, 1], [1, 0]])
    assert float(wrapped.value(integers, reg=0.01)) == pytest.approx(0.01 * np.log(2), rel=1e-6)


# --- PyTorch ----------------------------------------------------------------------------------------------------


@pytest.fixture
def torch():
    return pytest.importorskip("torch", reason="PyTorch is not installed")


@pytest.mark.filterwarnings("ignore")  # a build for another NumPy complains when it is imported
@pytest.mark.parametrize("name", NAMES)
def test_torch(name, torch, rng):
    from solvent.ot import torch as wrapped

    function, array = losses(wrapped, partial(to_torch, torch), rng)[name]
    array = array.clone().requires_grad_(True)
    function(array).backward()
    direction = to_torch(torch, rng.normal(size=tuple(array.shape)))
    expected = float((array.grad * direction).sum())
    with torch.no_grad():
        assert numeric(function, array, direction) == pytest.approx(expected, rel=1e-5, abs=1e-8)


@pytest.mark.filterwarnings("ignore")
def test_torch_single_precision_and_changes_in_place(torch, rng):
    from solvent.ot import torch as wrapped

    X = to_torch(torch, rng.normal(size=(6, 2))).float().requires_grad_(True)
    Y = to_torch(torch, rng.normal(size=(7, 2))).float()
    value = wrapped.value_points(X, Y, reg=0.2)
    assert value.dtype == torch.float32 and value.shape == ()
    value.backward()
    assert X.grad.dtype == torch.float32 and X.grad.shape == X.shape
    value = wrapped.value_points(X, Y, reg=0.2)
    Y += 1.0
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        value.backward()


def to_torch(torch, array):
    return torch.from_dlpack(np.array(array, dtype=np.float64))


# --- neither ----------------------------------------------------------------------------------------------------


def test_the_wrappers_import_without_the_frameworks():
    code = """
import sys
import solvent.ot.jax, solvent.ot.torch
assert solvent.ot.jax.value and solvent.ot.torch.value
print("jax" in sys.modules, "torch" in sys.modules)
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.stdout.strip() == "False False", done.stderr
