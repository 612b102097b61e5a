"""The logarithms with a bound on their error, and where that bound is proven."""

from solvent import _core

from ._family import elementwise

__all__ = ["certified_regions", "log_iv_certified", "log_kv_certified"]

log_iv_certified = elementwise(
    "log_iv_certified",
    """log I_v(x) and a bound on its error.

Parameters
----------
{order}
    Negative orders are allowed.
{point}
{options}

Returns
-------
value : array or scalar
    Bit for bit what `log_iv` returns.
error_bound : array or scalar
    abs(value - exact) <= error_bound, absolute. nan where `value` is nan, 0 where it is infinite; inf beside a
    zero of I_v (v < 0 only), where the sign of I_v(x) is not decided.

{raises}

See Also
--------
certified_regions : where the bound is proven, and where it is an estimate.
log_iv : the value alone.

Notes
-----
The bound is the sum of

- truncation: for v^2 + x^2 >= 25^2 a constant a band, at most 4.9e-17, proven for all real v >= 0 from the
  differential equation that the truncated expansion [1]_ satisfies up to a known residual; below, the tail of the
  power series, a geometric series;
- rounding: an operation count over the terms that were added, with the tested errors of the logarithms;
- for v < 0: both bounds, carried through the sum of the two terms [2]_, which includes its condition number.

For v >= 0 it is at most 400 eps max(1, abs(value)), eps = 2^-53, while w = hypot(v, x) <= 1e15, and
400 eps max(1, abs(value), log(w)/8) beyond.

Time O(1) and memory O(1) an element.

{array_types}

References
----------
.. [1] NIST Digital Library of Mathematical Functions, https://dlmf.nist.gov/10.41.E3
.. [2] https://dlmf.nist.gov/10.27.E2

Examples
--------
>>> import numpy as np
>>> from solvent.special import log_iv_certified
>>> value, bound = log_iv_certified([0.5, 1000.0], [10.0, 1.0])
>>> value
array([    7.92976892, -6605.2751093 ])
>>> exact = np.log(np.sqrt(2 / (10 * np.pi)) * np.sinh(10.0))  # the closed form for v = 1/2
>>> abs(value[0] - exact) <= bound[0] + 4e-15  # NumPy's own rounding allowed for
np.True_
>>> np.all(bound <= 400 * 2.0**-53 * np.abs(value))
np.True_
""",
)

log_kv_certified = elementwise(
    "log_kv_certified",
    """log K_v(x) and a bound on its error.

Parameters
----------
{order}
    K_v is even in `v`.
{point}
{options}

Returns
-------
value : array or scalar
    Bit for bit what `log_kv` returns.
error_bound : array or scalar
    abs(value - exact) <= error_bound, absolute. nan where `value` is nan, 0 where it is infinite.

{raises}

See Also
--------
certified_regions : where the bound is proven, and where it is an estimate.
log_kv : the value alone.

Notes
-----
The bound is the sum of

- truncation: for v^2 + x^2 >= 25^2 a constant a band, at most 4.6e-17, proven for all real v >= 0 from the
  differential equation that the truncated expansion [1]_ satisfies up to a known residual; below, the coefficients
  dropped from the polynomials, or the tail of Temme's series;
- rounding: an operation count that includes the steps of the recurrence.

It is at most 400 eps max(1, abs(value)), eps = 2^-53, while w = hypot(v, x) <= 1e15, and
400 eps max(1, abs(value), log(w)/8) beyond.

Time O(1 + min(abs(v), 25)) and memory O(1) an element.

{array_types}

References
----------
.. [1] NIST Digital Library of Mathematical Functions, https://dlmf.nist.gov/10.41.E4

Examples
--------
>>> import numpy as np
>>> from solvent.special import log_kv_certified
>>> value, bound = log_kv_certified([0.5, 1000.0], [10.0, 1.0])
>>> value
array([ -10.92550119, 6597.67420634])
>>> exact = np.log(np.pi / 20) / 2 - 10  # the closed form for v = 1/2
>>> abs(value[0] - exact) <= bound[0] + 4e-15  # NumPy's own rounding allowed for
np.True_
>>> np.all(bound <= 400 * 2.0**-53 * np.abs(value))
np.True_
""",
)


def certified_regions() -> list[dict[str, str]]:
    """List where the error bounds are proven and where they are estimates.

    Returns
    -------
    list of dict
        One entry a function and region: ``function``, ``region`` (its name), ``bounds`` (where it is, as
        inequalities), ``status``: ``"proven"``, or ``"estimate"`` where the same formula is used, tested
        against ball arithmetic, but a constant in it is not yet enclosed.

    See Also
    --------
    log_iv_certified, log_kv_certified

    Examples
    --------
    >>> from solvent.special import certified_regions
    >>> regions = certified_regions()
    >>> sorted(regions[0])
    ['bounds', 'function', 'region', 'status']
    >>> {entry["status"] for entry in regions} <= {"proven", "estimate"}
    True
    """
    return _core.special.certified_regions()
