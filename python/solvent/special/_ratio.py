"""Ratios of Bessel functions of neighbouring orders, and the inverse of one."""

from ._family import elementwise

iv_ratio = elementwise(
    "iv_ratio",
    """Ratio of modified Bessel functions of the first kind, I_v(x) / I_{v-1}(x).

The mean resultant length of a von Mises-Fisher distribution in d dimensions with concentration kappa is
``iv_ratio(d/2, kappa)``.

Parameters
----------
v : array_like of real numbers
    The order of the numerator, v >= 0.
{point}
{options}

Returns
-------
array or scalar
    The ratio; for v >= 1/2 it rises from 0 to 1. nan for x < 0, v < 0 and for nan input.

{raises}

See Also
--------
iv_ratio_c : 1 - iv_ratio(v, x) without cancellation.
iv_ratio_inv : the inverse in x.
kv_ratio : the same for K_v.

Notes
-----
For v^2 + x^2 >= 25^2: 1 / (v/x + d log I_v/dx), where the derivative is that of Debye's expansion [1]_; below:
a quotient of two power series. For v >= 1/2, Amos [2]_:
x / (v - 1/2 + hypot(x, v + 1/2)) <= ratio <= x / (v - 1/2 + hypot(x, v - 1/2)).

The relative error is at most 5e-15; float32: 4e-7.

Special values: x = 0 gives 0 for v > 0 and inf for v = 0; x = inf gives 1.

Time O(1) and memory O(1) an element.

{array_types}

References
----------
.. [1] NIST Digital Library of Mathematical Functions, https://dlmf.nist.gov/10.41.E3
.. [2] D. E. Amos, "Computation of modified Bessel functions and their ratios", Math. Comp. 28 (1974) 239-251.

Examples
--------
>>> import numpy as np
>>> import scipy.special
>>> from solvent.special import iv_ratio
>>> iv_ratio([1.5, 512.0], [2.0, 1000.0])
array([0.53731472, 0.61159997])
>>> scipy.special.ive([1.5, 512], [2, 1000]) / scipy.special.ive([0.5, 511], [2, 1000])
array([0.53731472, 0.61159997])
>>> print(round(1 / np.tanh(2.0) - 1 / 2.0, 8))  # the closed form for v = 3/2
0.53731472
""",
)

iv_ratio_c = elementwise(
    "iv_ratio_c",
    """Complement of the ratio of modified Bessel functions, 1 - I_v(x) / I_{v-1}(x).

Computed without cancellation: for large x the ratio is so close to 1 that the difference would lose all digits.

Parameters
----------
v : array_like of real numbers
    The order of the numerator, v >= 0.
{point}
{options}

Returns
-------
array or scalar
    The complement. nan for x < 0, v < 0 and for nan input.

{raises}

See Also
--------
iv_ratio : the ratio itself.

Notes
-----
With q = I_{v-1}(x)/I_v(x) - 1 the result is q / (1 + q). For v^2 + x^2 >= 25^2, q comes from the expansion of
`iv_ratio` with its leading 1 taken out by hand; below, from Perron's continued fraction [1]_.

The relative error is at most 5e-14 for v >= 1 and at v = 1/2, where the complement is 2/(exp(2 x) + 1). Between
these and below 1/2, where it is negative for large x, the absolute error is at most 1e-14 times (1 + 1/x), and the
relative error grows as 1/abs(v - 1/2).

Special values: x = 0 gives 1 for v > 0 and -inf for v = 0; x = inf gives 0.

Time O(1) and memory O(1) an element.

{array_types}

References
----------
.. [1] W. Gautschi, J. Slavik, "On the computation of modified Bessel function ratios", Math. Comp. 32 (1978)
       865-875.

Examples
--------
>>> from solvent.special import iv_ratio, iv_ratio_c
>>> iv_ratio_c([1.5, 512.0], [2.0, 1000.0])
array([0.46268528, 0.38840003])

For v = 3/2 and large x the complement is 1/x to all digits; a difference finds none of them:

>>> iv_ratio_c(1.5, [1e17])
array([1.e-17])
>>> 1 - iv_ratio(1.5, [1e17])
array([0.])
""",
)

iv_ratio_inv = elementwise(
    "iv_ratio_inv",
    """The x at which I_v(x) / I_{v-1}(x) equals r.

The maximum likelihood estimate of the concentration of a von Mises-Fisher distribution in d dimensions from data
with mean resultant length R is ``iv_ratio_inv(d/2, R)``.

Parameters
----------
v : array_like of real numbers
    The order of the numerator, v >= 1/2.
r : array_like of real numbers
    The value of the ratio, 0 <= r <= 1, broadcast against `v`. float32 and float64 are computed in what is
    given; integers and bools become float64.
{options}

Returns
-------
array or scalar
    x >= 0. nan for v < 1/2, r outside [0, 1] and for nan input.

{raises}

See Also
--------
iv_ratio : the function that is inverted.
solvent.stats.vonmises_fisher : uses it in `fit`.

Notes
-----
The start x = r (2v - r^2) / (1 - r^2) is that of Banerjee et al. [1]_; Newton's steps in log x follow (in x, where v is
next to 1/2 and 1 - r falls as an exponential), on the complement `iv_ratio_c` for r > 1/2, kept inside the bracket that inverting Amos's bounds [2]_ gives.

The backward error is at most 1e-14: the result is the exact inverse at a value of r (for r > 1/2: of 1 - r) that
is changed by no more than this, relatively; for 1/2 < v < 1, where `iv_ratio_c` knows 1 - r absolutely, r itself is
changed by no more than 1e-14 r. Near r = 1 the spacing of doubles below 1 limits what any r can say.

Special values: r = 0 gives 0, r = 1 gives inf.

Time O(1) and memory O(1) an element.

{array_types}

References
----------
.. [1] A. Banerjee, I. S. Dhillon, J. Ghosh, S. Sra, "Clustering on the Unit Hypersphere using von Mises-Fisher
       Distributions", J. Mach. Learn. Res. 6 (2005) 1345-1382, equation 4.4.
.. [2] D. E. Amos, "Computation of modified Bessel functions and their ratios", Math. Comp. 28 (1974) 239-251.

Examples
--------
>>> from solvent.special import iv_ratio, iv_ratio_inv
>>> x = iv_ratio_inv([1.5, 512.0], [0.5, 0.9])
>>> x
array([1.79675598e+00, 4.84628676e+03])
>>> iv_ratio([1.5, 512.0], x)
array([0.5, 0.9])
""",
    arguments=("v", "r"),
)

kv_ratio = elementwise(
    "kv_ratio",
    """Ratio of modified Bessel functions of the second kind, K_v(x) / K_{v-1}(x).

It appears in the moments of the generalised inverse Gaussian distribution.

Parameters
----------
{order}
    Any real number.
{point}
{options}

Returns
-------
array or scalar
    The ratio: > 1 for v > 1/2, 1 for v = 1/2, < 1 below. nan for x < 0 and for nan input.

{raises}

See Also
--------
iv_ratio : the same for I_v.

Notes
-----
For v^2 + x^2 >= 25^2, 1/q with q = K_{v-1}/K_v in a form of Debye's expansion [1]_ that does not cancel for v >> x;
below, from the functions that `log_kv` computes before it takes the logarithm. For v < 1/2, as K is even [2]_:
1 / kv_ratio(1 - v, x).

The relative error is at most 5e-15, for 0 < v < 1 and small x 5e-15 + 3e-16 abs(log x); float32: 4e-7.

Special values: x = 0 gives inf for v > 1/2, 1 for v = 1/2 and 0 below; x = inf gives 1.

Time O(1 + min(abs(v), 25)) and memory O(1) an element.

{array_types}

References
----------
.. [1] NIST Digital Library of Mathematical Functions, https://dlmf.nist.gov/10.41.E4
.. [2] https://dlmf.nist.gov/10.27.E3

Examples
--------
>>> import scipy.special
>>> from solvent.special import kv_ratio
>>> kv_ratio([0.5, 1.5, 100.0], [2.0, 2.0, 1.0])
array([  1.        ,   1.5       , 198.00510191])
>>> scipy.special.kve([0.5, 1.5, 100], [2, 2, 1]) / scipy.special.kve([-0.5, 0.5, 99], [2, 2, 1])
array([  1.        ,   1.5       , 198.00510191])
""",
)
