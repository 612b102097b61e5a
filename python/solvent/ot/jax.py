"""Transport as differentiable functions of JAX arrays on the CPU.

Each function is a `jax.custom_vjp` around the NumPy function of the same name: it runs under ``jit``, ``grad`` and
(one problem after the other) ``vmap``. Derivatives come from the envelope theorem (values) and from implicit
differentiation (plans), never from unrolled iterations. They are first derivatives: ``grad`` of ``grad`` is refused.

The solver's potentials keep float64 whatever ``jax_enable_x64`` says; results have the dtype of the data. A solve that
misses its tolerance issues a `solvent.ot.SinkhornWarning`::

    import jax, jax.numpy as jnp
    from solvent.ot.jax import value_points

    loss = lambda X: value_points(X, Y, reg=0.05)
    gradient = jax.jit(jax.grad(loss))(X)
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ._autodiff import Problem

__all__ = ["divergence", "monge_gap", "plan", "plan_points", "value", "value_points"]


def value(C: Any, a: Any = None, b: Any = None, *, reg: float, **options: Any) -> Any:
    """The optimal value of `solvent.ot.solve`, differentiable in C, a and b.

    Parameters
    ----------
    C : jax.Array of shape (n, m)
        Cost.
    a, b : jax.Array of shape (n,), (m,), optional
        Weights; uniform by default. Balanced problems: derivatives up to an additive constant.
    reg : float
        Regularisation > 0.
    **options
        Other keywords of `solvent.ot.solve`, but for `reg_scale`.

    Returns
    -------
    jax.Array of shape ()
    """
    return _value("solve", {"C": C, "a": a, "b": b}, {"reg": reg, **options})


def plan(C: Any, a: Any = None, b: Any = None, *, reg: float, **options: Any) -> Any:
    """The plan of `solvent.ot.solve`, differentiable in C, a and b; balanced or unbalanced.

    Parameters
    ----------
    C, a, b, reg, **options
        As for `value`.

    Returns
    -------
    jax.Array of shape (n, m)
    """
    return _plan("solve", {"C": C, "a": a, "b": b}, {"reg": reg, **options})


def value_points(X: Any, Y: Any, a: Any = None, b: Any = None, *, reg: float, **options: Any) -> Any:
    """The optimal value of `solvent.ot.solve_points`, differentiable in X, Y, a and b.

    Parameters
    ----------
    X, Y : jax.Array of shape (n, d), (m, d)
        The clouds.
    a, b : jax.Array of shape (n,), (m,), optional
        Weights; uniform by default.
    reg : float
        Regularisation > 0.
    **options
        Other keywords of `solvent.ot.solve_points`, but for `reg_scale`.

    Returns
    -------
    jax.Array of shape ()
    """
    return _value("solve_points", {"X": X, "Y": Y, "a": a, "b": b}, {"reg": reg, **options})


def plan_points(X: Any, Y: Any, a: Any = None, b: Any = None, *, reg: float, **options: Any) -> Any:
    """The plan of `solvent.ot.solve_points`, differentiable in X, Y, a and b; balanced or unbalanced.

    Parameters
    ----------
    X, Y, a, b, reg, **options
        As for `value_points`.

    Returns
    -------
    jax.Array of shape (n, m)
    """
    return _plan("solve_points", {"X": X, "Y": Y, "a": a, "b": b}, {"reg": reg, **options})


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
    jax.Array of shape ()
    """
    return _value("divergence", {"X": X, "Y": Y, "a": a, "b": b}, {"reg": reg, **options})


def monge_gap(X: Any, TX: Any, *, reg: float, **options: Any) -> Any:
    """The value of `solvent.ot.monge_gap`, differentiable in TX.

    Parameters
    ----------
    X, TX : jax.Array of shape (n, d)
        Points, which are held fixed, and their images.
    reg : float
        Regularisation > 0.
    **options
        Other keywords of `solvent.ot.monge_gap`.

    Returns
    -------
    jax.Array of shape ()
    """
    import jax

    X = jax.lax.stop_gradient(X)
    return _value("monge_gap", {"X": X, "TX": TX}, {"reg": reg, **options}, differentiable=("TX",))


# --- how --------------------------------------------------------------------------------------------------------


def _given(arrays: dict[str, Any]) -> tuple[tuple[str, ...], list[Any], Any]:
    """Names and arrays of what is not None, in one floating dtype each."""
    import jax.numpy as jnp

    names = tuple(name for name, array in arrays.items() if array is not None)
    held = [jnp.asarray(arrays[name]) for name in names]
    held = [x if jnp.issubdtype(x.dtype, jnp.floating) else x.astype(float) for x in held]
    return names, held, held[0].dtype


def _on_host(names: tuple[str, ...], arrays: Any) -> dict[str, Any]:
    return {name: np.asarray(array) for name, array in zip(names, arrays, strict=True)}


def _value(
    kind: str,
    arrays: dict[str, Any],
    options: dict[str, Any],
    differentiable: tuple[str, ...] | None = None,
) -> Any:
    import jax

    problem = Problem(kind, options)
    names, held, dtype = _given(arrays)
    wanted = names if differentiable is None else differentiable
    scalar = jax.ShapeDtypeStruct((), dtype)

    def host_value(*data: Any) -> Any:
        return np.asarray(problem.solve(_on_host(names, data)).value, dtype=dtype)

    def host_gradients(*data: Any) -> Any:
        given = _on_host(names, data)
        result = problem.solve(given)
        gradients = problem.gradients(result, wanted)
        out = [
            gradients[name].astype(given[name].dtype) if name in wanted else np.zeros_like(given[name])
            for name in names
        ]
        return np.asarray(result.value, dtype=dtype), *out

    def primal(*data: Any) -> Any:
        return jax.pure_callback(host_value, scalar, *data, vmap_method="sequential")

    def forward(*data: Any) -> Any:
        shapes = [jax.ShapeDtypeStruct(x.shape, x.dtype) for x in data]
        found, *gradients = jax.pure_callback(
            host_gradients, (scalar, *shapes), *data, vmap_method="sequential"
        )
        return found, tuple(gradients)

    def backward(gradients: Any, cotangent: Any) -> Any:
        return tuple((cotangent * g).astype(g.dtype) for g in gradients)

    function = jax.custom_vjp(primal)
    function.defvjp(forward, backward)
    return function(*held)


def _plan(kind: str, arrays: dict[str, Any], options: dict[str, Any]) -> Any:
    import jax

    problem = Problem(kind, options)
    names, held, dtype = _given(arrays)
    n, m = problem.shapes(dict(zip(names, held, strict=True)))
    matrix = jax.ShapeDtypeStruct((n, m), dtype)
    # Potentials are float64, which JAX has only with jax_enable_x64: they travel as pairs of 32-bit words.
    words = tuple(jax.ShapeDtypeStruct((size, 2), np.uint32) for size in (n, m))

    def host_plan(*data: Any) -> Any:
        return problem.solve(_on_host(names, data)).plan().astype(dtype, copy=False)

    def host_forward(*data: Any) -> Any:
        result = problem.solve(_on_host(names, data))
        f, g = (np.ascontiguousarray(p, dtype=np.float64) for p in (result.f, result.g))
        return (
            result.plan().astype(dtype, copy=False),
            f.view(np.uint32).reshape(n, 2),
            g.view(np.uint32).reshape(m, 2),
        )

    def host_backward(*data: Any) -> Any:
        *own, f_words, g_words, cotangent = (np.asarray(x) for x in data)
        given = _on_host(names, own)
        f, g = (np.ascontiguousarray(w).view(np.float64).reshape(-1) for w in (f_words, g_words))
        gradients = problem.pull(problem.revive(given, f, g), cotangent, names)
        return tuple(gradients[name].astype(given[name].dtype) for name in names)

    def primal(*data: Any) -> Any:
        return jax.pure_callback(host_plan, matrix, *data, vmap_method="sequential")

    def forward(*data: Any) -> Any:
        found, f, g = jax.pure_callback(host_forward, (matrix, *words), *data, vmap_method="sequential")
        return found, (data, f, g)

    def backward(saved: Any, cotangent: Any) -> Any:
        data, f, g = saved
        shapes = tuple(jax.ShapeDtypeStruct(x.shape, x.dtype) for x in data)
        return jax.pure_callback(host_backward, shapes, *data, f, g, cotangent, vmap_method="sequential")

    function = jax.custom_vjp(primal)
    function.defvjp(forward, backward)
    return function(*held)
