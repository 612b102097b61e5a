"""Derivatives of log I_v(x) and log K_v(x) with respect to the order and to the argument."""

from ._family import elementwise

log_iv_grad = elementwise(
    "log_iv_grad",
    """Derivatives of log I_v(x) with respect to v and to x.

Parameters
----------
{order}
    v >= 0 has the accuracy below.
{point}
{options}

Returns
-------
dv : array or scalar
    The derivative with respect to the order.
dx : array or scalar
    The derivative with respect to the argument, I_v'(x) / I_v(x). Both are nan for x < 0 and for nan input.

{raises}

See Also
--------
log_iv : the function.
log_kv_grad : the same for K_v.
iv_ratio : I_v(x) / I_{v-1}(x), which is 1 / (dx + v/x).

Notes
-----
For v^2 + x^2 >= 25^2 both follow by differentiating the expansion of `log_iv` [1]_ term by term, in closed form;
below, from the power series, with d/dv of each term as a harmonic sum [2]_, and d/dx = v/x + I_{v+1}/I_v [3]_.

dv is accurate to 1e-13 relative to max(abs(dv), 0.1) for w = hypot(v, x) < 60 and to max(abs(dv), 1e-12)
beyond; dx to 2e-14 relative. No error bound is computed.

At x = 0 the limits where they exist: dx is 0 for v = 0 and inf for v > 0; else nan.

Time O(1) and memory O(1) an element.

{array_types}

References
----------
.. [1] NIST Digital Library of Mathematical Functions, https://dlmf.nist.gov/10.41.E3
.. [2] https://dlmf.nist.gov/10.38.E1
.. [3] https://dlmf.nist.gov/10.29.E2

Examples
--------
>>> from solvent.special import log_iv, log_iv_grad
>>> dv, dx = log_iv_grad([0.0, 2.5, 100.0], [2.0, 3.0, 50.0])
>>> dv
array([-0.04996254, -0.85207671, -1.44763838])
>>> dx
array([0.69777466, 1.21207205, 2.23408135])

Against a central difference:

>>> h = 1e-5
>>> abs((log_iv(2.5 + h, 3.0) - log_iv(2.5 - h, 3.0)) / (2 * h) - dv[1]) < 1e-9
np.True_
""",
)

log_kv_grad = elementwise(
    "log_kv_grad",
    """Derivatives of log K_v(x) with respect to v and to x.

Parameters
----------
{order}
    dv is odd and dx even in `v`.
{point}
{options}

Returns
-------
dv : array or scalar
    The derivative with respect to the order; exactly 0 at v = 0.
dx : array or scalar
    The derivative with respect to the argument, K_v'(x) / K_v(x). Both are nan for x < 0 and for nan input.

{raises}

See Also
--------
log_kv : the function.
log_iv_grad : the same for I_v.
kv_ratio : K_v(x) / K_{v-1}(x), which is -1 / (dx + v/x).

Notes
-----
For v^2 + x^2 >= 25^2 both follow by differentiating the expansion of `log_kv` [1]_ term by term, in closed form;
below, by carrying derivatives through the polynomials or Temme's series and through the recurrence, and
d/dx = -v/x - K_{v-1}/K_v [2]_.

dv is accurate to 1e-13 relative to max(abs(dv), 0.1) for w = hypot(v, x) < 60 and to max(abs(dv), 1e-12)
beyond; dx to 2e-14 relative. No error bound is computed.

At x = 0 and at x = inf the limits where they exist, else nan.

Time O(1 + min(abs(v), 25)) and memory O(1) an element.

{array_types}

References
----------
.. [1] NIST Digital Library of Mathematical Functions, https://dlmf.nist.gov/10.41.E4
.. [2] https://dlmf.nist.gov/10.29.E2

Examples
--------
>>> import numpy as np
>>> import scipy.special
>>> from solvent.special import log_kv_grad
>>> dv, dx = log_kv_grad([1.0, 2.5, 100.0], [0.5, 3.0, 50.0])
>>> dv
array([1.11615084, 0.68741919, 1.43963854])
>>> dx
array([-2.55807542, -1.4047619 , -2.23808143])

The derivative with respect to the smoothness v of the logarithm of the Matern covariance x**v K_v(x), at v = 1/2,
where it is log(x) + exp(2x) E_1(2x) (https://dlmf.nist.gov/10.38.E7):

>>> x = np.array([0.5, 1.0, 2.0])
>>> np.log(x) + log_kv_grad(0.5, x)[0]
array([-0.09679982,  0.36132862,  0.89949283])
>>> np.log(x) + np.exp(2 * x) * scipy.special.exp1(2 * x)
array([-0.09679982,  0.36132862,  0.89949283])
""",
)
