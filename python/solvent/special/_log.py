"""log I_v(x), log K_v(x), scaled, together, and with a sign."""

from ._family import elementwise

log_iv = elementwise(
    "log_iv",
    """Logarithm of the modified Bessel function of the first kind, log I_v(x).

I_0(x) itself overflows from x = 714 on, and I_v(x) underflows where v is large against x; the logarithm is finite
for every finite v >= 0 and x > 0, and so is the result here.

Parameters
----------
{order}
    Negative orders are allowed.
{point}
{options}

Returns
-------
array or scalar
    log I_v(x). nan for x < 0, for nan input, and where I_v(x) < 0 (only for negative non-integer `v`; see
    `log_abs_iv`).

{raises}

See Also
--------
log_ive : log I_v(x) - x, which stays small for large x.
log_abs_iv : keeps the sign of I_v(x) for negative orders.
log_ivk : log I_v(x) and log K_v(x) in one call.
log_iv_grad : its derivatives.
log_iv_certified : the value and a bound on its error.

Notes
-----
I_v(x) is the sum over k >= 0 of (x/2)^(v+2k) / (k! Gamma(v+k+1)) [1]_. The method depends on
w = sqrt(v^2 + x^2) only:

- w >= 25: Debye's uniform expansion [2]_ in powers of 1/w with coefficients in v^2/w^2, 2 to 17 terms. At v = 0
  it is Hankel's expansion, so that one expansion serves all orders. Its exponent w - v asinh(v/x), which
  vanishes near x = 0.6627 v, is computed without cancellation.
- w < 25: the power series above as a product-only recurrence, 10 to 46 terms.
- v < 0: I_{-m} = I_m + (2/pi) sin(pi m) K_m [3]_ in logarithms.

Plesner et al. [4]_ switch between several expansions for the same purpose.

{accuracy} For v < 0 beside a zero of I_v the error grows as the condition number does; `log_iv_certified`
includes it.

Special values: v = 0, x = 0 gives 0; v > 0 or a negative integer at x = 0 gives -inf; x = inf gives inf;
v = inf at finite x gives -inf; both infinite: nan. -0.0 is 0, subnormal numbers count as what they are.

Time O(1) and memory O(1) an element.

{array_types}

References
----------
.. [1] NIST Digital Library of Mathematical Functions, https://dlmf.nist.gov/10.25.E2
.. [2] https://dlmf.nist.gov/10.41.E3
.. [3] https://dlmf.nist.gov/10.27.E2
.. [4] {plesner}

Examples
--------
>>> import numpy as np
>>> import scipy.special
>>> from solvent.special import log_iv
>>> v, x = np.array([0.0, 10.0, 1000.0]), np.array([1.0, 10.0, 1000.0])
>>> log_iv(v, x)
array([2.35914359e-01, 3.08610785e+00, 5.28293887e+02])
>>> np.log(scipy.special.ive(v, x)) + x
array([2.35914359e-01, 3.08610785e+00, 5.28293887e+02])

Beyond the range of I_v(x) itself:

>>> log_iv([1000, 0.5], [1, 1e4])
array([-6605.2751093 ,  9994.47589128])
>>> scipy.special.iv([1000, 0.5], [1, 1e4])
array([ 0., inf])
""",
)

log_kv = elementwise(
    "log_kv",
    """Logarithm of the modified Bessel function of the second kind, log K_v(x).

K_0(x) itself underflows from x = 743 on, and K_v(x) overflows where v is large against x; the logarithm is finite
for every finite v and x > 0, and so is the result here.

Parameters
----------
{order}
    K_v is even in `v`.
{point}
{options}

Returns
-------
array or scalar
    log K_v(x). nan for x < 0 and for nan input.

{raises}

See Also
--------
log_kve : log K_v(x) + x, which stays small for large x.
log_ivk : log I_v(x) and log K_v(x) in one call.
log_kv_grad : its derivatives.
log_kv_certified : the value and a bound on its error.

Notes
-----
K_v(x) is the integral over t > 0 of exp(-x cosh t) cosh(v t) [1]_. The method depends on
w = sqrt(v^2 + x^2) and x:

- w >= 25: Debye's uniform expansion [2]_ as for `log_iv`, with alternating signs.
- w < 25, x > 1: polynomials for K_mu and its derivative, abs(mu) <= 1/2, then the upward recurrence
  K_{v+1} = K_{v-1} + (2v/x) K_v [3]_, which is stable.
- w < 25, x <= 1: Temme's series [4]_ and a recurrence scaled by (x/2)^n, which does not overflow.

Plesner et al. [5]_ switch between several expansions for the same purpose.

{accuracy}

Special values: x = 0 gives inf, x = inf gives -inf, v = +-inf at finite x gives inf; both infinite: nan. -0.0
is 0, subnormal numbers count as what they are.

Time O(1 + min(abs(v), 25)) and memory O(1) an element.

{array_types}

References
----------
.. [1] NIST Digital Library of Mathematical Functions, https://dlmf.nist.gov/10.32.E9
.. [2] https://dlmf.nist.gov/10.41.E4
.. [3] https://dlmf.nist.gov/10.29.E1
.. [4] N. M. Temme, "On the numerical evaluation of the modified Bessel function of the third kind",
       J. Comput. Phys. 19 (1975) 324-337.
.. [5] {plesner}

Examples
--------
>>> import numpy as np
>>> import scipy.special
>>> from solvent.special import log_kv
>>> v, x = np.array([0.0, 10.0, 1000.0]), np.array([1.0, 10.0, 1000.0])
>>> log_kv(v, x)
array([  -0.8650644 ,   -6.42888154, -536.24136319])
>>> np.log(scipy.special.kve(v, x)) - x
array([  -0.8650644 ,   -6.42888154, -536.24136319])

Beyond the range of K_v(x) itself:

>>> log_kv([1000, 0.5], [1, 1e4])
array([  6597.67420634, -10004.37937883])
>>> scipy.special.kv([1000, 0.5], [1, 1e4])
array([inf,  0.])
""",
)

log_ive = elementwise(
    "log_ive",
    """Logarithm of the exponentially scaled I_v: log I_v(x) - x.

Computed in this form, not as a difference: it keeps its digits where log I_v(x) and x agree in all of theirs.

Parameters
----------
{order}
    Negative orders are allowed.
{point}
{options}

Returns
-------
array or scalar
    log(exp(-x) I_v(x)). nan for x < 0, for nan input, and where I_v(x) < 0.

{raises}

See Also
--------
log_iv : without the scaling.
log_kve : the same for K_v.
scipy.special.ive : exp(-x) I_v(x), which underflows where v is large against x.

Notes
-----
The method is that of `log_iv`, with the exponent
w - v asinh(v/x) - x = v^2/(w + x) - v asinh(v/x), w = sqrt(v^2 + x^2) [1]_.

{accuracy}

Special values as for `log_iv`, but x = inf gives -inf: the scaled function falls as 1/sqrt(2 pi x).

Time O(1) and memory O(1) an element.

{array_types}

References
----------
.. [1] NIST Digital Library of Mathematical Functions, https://dlmf.nist.gov/10.41.E3

Examples
--------
>>> import numpy as np
>>> from solvent.special import log_ive
>>> log_ive(1.0, [1.0, 1e4, 1e300])
array([  -1.57064799,   -5.52414622, -346.30670248])
>>> print(round(np.log(np.pi * 2e300) / -2, 8))
-346.30670248
""",
)

log_kve = elementwise(
    "log_kve",
    """Logarithm of the exponentially scaled K_v: log K_v(x) + x.

Computed in this form, not as a sum: it keeps its digits where log K_v(x) and -x agree in all of theirs.

Parameters
----------
{order}
    K_v is even in `v`.
{point}
{options}

Returns
-------
array or scalar
    log(exp(x) K_v(x)). nan for x < 0 and for nan input.

{raises}

See Also
--------
log_kv : without the scaling.
log_ive : the same for I_v.
scipy.special.kve : exp(x) K_v(x), which overflows where v is large against x.

Notes
-----
The method is that of `log_kv`; the exponent is the negative of that of `log_ive` [1]_.

{accuracy}

Special values as for `log_kv`; x = inf gives -inf, as the scaled function falls as sqrt(pi / (2 x)).

Time O(1 + min(abs(v), 25)) and memory O(1) an element.

{array_types}

References
----------
.. [1] NIST Digital Library of Mathematical Functions, https://dlmf.nist.gov/10.41.E4

Examples
--------
>>> from solvent.special import log_kve
>>> log_kve(1.0, [1.0, 1e4, 1e300])
array([   0.49234805,   -4.37934134, -345.1619726 ])
""",
)

log_ivk = elementwise(
    "log_ivk",
    """log I_v(x) and log K_v(x) in one call.

The two share most of their work: together they cost little more than one of them.

Parameters
----------
{order}
{point}
{options}

Returns
-------
log_i, log_k : array or scalar
    Bit for bit what `log_iv` and `log_kv` return.

{raises}

See Also
--------
log_iv, log_kv

Notes
-----
For v^2 + x^2 >= 25^2 the expansions of both functions have the same terms, with equal and with alternating
signs [1]_: the sum of the even and the sum of the odd terms give both. Accuracy and special values are those
of `log_iv` and `log_kv`.

Time O(1 + min(abs(v), 25)) and memory O(1) an element.

{array_types}

References
----------
.. [1] NIST Digital Library of Mathematical Functions, https://dlmf.nist.gov/10.41.E3 and E4

Examples
--------
>>> from solvent.special import log_ivk
>>> log_i, log_k = log_ivk([0.0, 10.0, 1000.0], [1.0, 10.0, 1000.0])
>>> log_i
array([2.35914359e-01, 3.08610785e+00, 5.28293887e+02])
>>> log_k
array([  -0.8650644 ,   -6.42888154, -536.24136319])
""",
)

log_abs_iv = elementwise(
    "log_abs_iv",
    """Logarithm of abs(I_v(x)) and the sign of I_v(x).

For v >= 0 the sign is 1 or, at x = 0 < v, 0. For negative non-integer orders I_v changes sign, and the sign
carries what the nan of `log_iv` loses, as in `numpy.linalg.slogdet`.

Parameters
----------
{order}
    Negative orders are allowed.
{point}
{options}

Returns
-------
log_abs : array or scalar
    log abs(I_v(x)). nan for x < 0 and for nan input.
sign : array or scalar
    -1.0, 0.0 or 1.0, of the same dtype; nan where `log_abs` is.

{raises}

See Also
--------
log_iv : nan where I_v(x) is negative.

Notes
-----
For v = -m < 0 the two terms of I_{-m}(x) = I_m(x) + (2/pi) sin(pi m) K_m(x) [1]_ are added in logarithms, with
sin(pi m) from an exact reduction of m. Beside a zero of I_v the result is as well determined as the condition
number 1/abs(1 - b/a) of the sum a - b allows; `log_iv_certified` bounds the error there too.

At x = 0, non-integer v < 0: `log_abs` is inf and the sign is that of 1/Gamma(v + 1).

Time O(1 + min(abs(v), 25)) and memory O(1) an element.

{array_types}

References
----------
.. [1] NIST Digital Library of Mathematical Functions, https://dlmf.nist.gov/10.27.E2

Examples
--------
>>> import numpy as np
>>> import scipy.special
>>> from solvent.special import log_abs_iv
>>> log_abs, sign = log_abs_iv([-0.5, -1.5, -2.5], 1.0)
>>> log_abs
array([ 0.20798948, -1.22579135,  0.74752939])
>>> sign
array([ 1., -1.,  1.])
>>> sign * np.exp(log_abs)
array([ 1.23120021, -0.29352533,  2.11177619])
>>> scipy.special.iv([-0.5, -1.5, -2.5], 1.0)
array([ 1.23120021, -0.29352533,  2.11177619])
""",
)
