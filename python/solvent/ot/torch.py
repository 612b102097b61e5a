"""Transport as differentiable functions of PyTorch tensors on the CPU.

Each function is a `torch.autograd.Function` around the NumPy function of the same name. Derivatives come from the
envelope theorem (values) and from implicit differentiation (plans), never from unrolled iterations, and are computed when
``backward`` asks for them. They are first derivatives.

A solve that misses its tolerance issues a `solvent.ot.SinkhornWarning`::

    import torch
    from solvent.ot.torch import value_points

    X = torch.randn(500, 3, requires_grad=True)
    value_points(X, torch.randn(600, 3) + 1, reg=0.05).backward()
    X.grad
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

from solvent._dispatch import _refuse_device, _to_numpy

from ._autodiff import Problem

__all__ = ["divergence", "monge_gap", "plan", "plan_points", "value", "value_points"]


def value(C: Any, a: Any = None, b: Any = None, *, reg: float, **options: Any) -> Any:
    """The optimal value of `solvent.ot.solve`, differentiable in C, a and b.

    Parameters
    ----------
    C : torch.Tensor of shape (n, m)
        Cost, on the CPU.
    a, b : torch.Tensor of shape (n,), (m,), optional
        Weights; uniform by default. Balanced problems: derivatives up to an additive constant.
    reg : float
        Regularisation > 0.
    **options
        Other keywords of `solvent.ot.solve`, but for `reg_scale`.

    Returns
    -------
    torch.Tensor of shape ()

    Raises
    ------
    NotImplementedError
        For tensors on a CUDA device.
    """
    return _call("value", "solve", {"C": C, "a": a, "b": b}, {"reg": reg, **options})


def plan(C: Any, a: Any = None, b: Any = None, *, reg: float, **options: Any) -> Any:
    """The plan of `solvent.ot.solve`, differentiable in C, a and b; balanced or unbalanced.

    Parameters
    ----------
    C, a, b, reg, **options
        As for `value`.

    Returns
    -------
    torch.Tensor of shape (n, m)
    """
    return _call("plan", "solve", {"C": C, "a": a, "b": b}, {"reg": reg, **options})


def value_points(X: Any, Y: Any, a: Any = None, b: Any = None, *, reg: float, **options: Any) -> Any:
    """The optimal value of `solvent.ot.solve_points`, differentiable in X, Y, a and b.

    Parameters
    ----------
    X, Y : torch.Tensor of shape (n, d), (m, d)
        The clouds, on the CPU.
    a, b : torch.Tensor of shape (n,), (m,), optional
        Weights; uniform by default.
    reg : float
        Regularisation > 0.
    **options
        Other keywords of `solvent.ot.solve_points`, but for `reg_scale`.

    Returns
    -------
    torch.Tensor of shape ()
    """
    return _call("value", "solve_points", {"X": X, "Y": Y, "a": a, "b": b}, {"reg": reg, **options})


def plan_points(X: Any, Y: Any, a: Any = None, b: Any = None, *, reg: float, **options: Any) -> Any:
    """The plan of `solvent.ot.solve_points`, differentiable in X, Y, a and b; balanced or unbalanced.

    Parameters
    ----------
    X, Y, a, b, reg, **options
        As for `value_points`.

    Returns
    -------
    torch.Tensor of shape (n, m)
    """
    return _call("plan", "solve_points", {"X": X, "Y": Y, "a": a, "b": b}, {"reg": reg, **options})


def divergence(X: Any, Y: Any, a: Any = None, b: Any = None, *, reg: float, **options: Any) -> Any:
    """The value of `solvent.ot.divergence`, differentiable in X, Y, a and b.

    Parameters
    ----------
    X, Y, a, b, reg
        As for `value_points`.
    **options
        Other keywords of `solvent.ot.divergence`.

    Returns
    -------
    torch.Tensor of shape ()
    """
    return _call("value", "divergence", {"X": X, "Y": Y, "a": a, "b": b}, {"reg": reg, **options})


def monge_gap(X: Any, TX: Any, *, reg: float, **options: Any) -> Any:
    """The value of `solvent.ot.monge_gap`, differentiable in TX.

    Parameters
    ----------
    X, TX : torch.Tensor of shape (n, d)
        Points, which are held fixed, and their images, on the CPU.
    reg : float
        Regularisation > 0.
    **options
        Other keywords of `solvent.ot.monge_gap`.

    Returns
    -------
    torch.Tensor of shape ()
    """
    return _call("value", "monge_gap", {"X": X.detach(), "TX": TX}, {"reg": reg, **options})


# --- how --------------------------------------------------------------------------------------------------------


def _call(what: str, kind: str, tensors: dict[str, Any], options: dict[str, Any]) -> Any:
    problem = Problem(kind, options)
    for name, tensor in tensors.items():
        _refuse_device(tensor, f"solvent.ot.torch.{what}", name)
    given = {name: tensor for name, tensor in tensors.items() if tensor is not None}
    return _function().apply(what, problem, tuple(given), *given.values())


def _forward(ctx: Any, what: str, problem: Problem, names: tuple[str, ...], *tensors: Any) -> Any:
    import torch

    # The result looks at the tensors' own memory: saving them makes PyTorch notice a change in place.
    ctx.save_for_backward(*tensors)
    arrays = {name: _to_numpy(t.detach()) for name, t in zip(names, tensors, strict=True)}
    result = problem.solve(arrays)
    ctx.what, ctx.problem, ctx.names, ctx.result = what, problem, names, result
    dtype = tensors[0].dtype if tensors[0].is_floating_point() else torch.float64
    return _tensor(np.asarray(result.value) if what == "value" else result.plan()).to(dtype)


def _backward(ctx: Any, cotangent: Any) -> Any:
    tensors = ctx.saved_tensors
    needed = ctx.needs_input_grad[3:]
    wanted = tuple(name for name, need in zip(ctx.names, needed, strict=True) if need)
    if ctx.what == "value":
        found = ctx.problem.gradients(ctx.result, wanted)
    else:
        found = ctx.problem.pull(ctx.result, _to_numpy(cotangent), wanted)
    out: list[Any] = [None, None, None]
    for name, tensor in zip(ctx.names, tensors, strict=True):
        gradient = found.get(name)
        if gradient is not None:
            gradient = _tensor(gradient).to(tensor.dtype)
            gradient = cotangent * gradient if ctx.what == "value" else gradient
        out.append(gradient)
    return tuple(out)


def _tensor(array: np.ndarray[Any, Any]) -> Any:
    import torch

    # Through DLPack, as everywhere here: a PyTorch built for another NumPy takes that too. It refuses what is read-only.
    return torch.from_dlpack(np.array(array, order="C", copy=None if array.flags.writeable else True))


@cache
def _function() -> Any:
    """The autograd function: its base class exists only once PyTorch is imported."""
    import torch

    once = torch.autograd.function.once_differentiable(_backward)
    methods = {"forward": staticmethod(_forward), "backward": staticmethod(once)}
    return type("Transport", (torch.autograd.Function,), methods)
