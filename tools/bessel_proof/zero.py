"""z0, the zero of sqrt(1 + z^2) - asinh(1/z), in three doubles: how close a pair of doubles comes to the line x = z0 v.

Doubles v, x have 53-bit significands a, b, and z0 lies in [1/2, 1), so up to powers of two x/v = b/a is an
approximation of z0 or of 2 z0 with a, b < 2^53.  The best ones are convergents or, beyond the last convergent below
2^53, the intermediate fraction with the largest denominator.
"""

from flint import arb, ctx

from .tables import shipped


def root():
    """A ball around z0: Newton in floating point, then a sign change of the increasing function encloses the root."""
    f = lambda z: (1 + z * z).sqrt() - (1 / z).asinh()
    z = arb("0.66274341934918158")
    for _ in range(12):
        z = (z - f(z) * z / (1 + z * z).sqrt()).mid()  # f' = sqrt(1 + z^2)/z
    radius = arb(2) ** -800
    if not (f(z - radius) < 0 and f(z + radius) > 0):
        raise ArithmeticError("z0 is not enclosed")
    return z + radius * arb(0, 1)


def best_fractions(z, limit):
    """Convergents of z with numerator and denominator below the limit, then the last intermediate fraction."""
    p0, q0 = 1, 0
    whole = int(z.floor().unique_fmpz())
    p1, q1, rest = whole, 1, z - whole
    while True:
        yield p1, q1
        rest = 1 / rest
        a = int(rest.floor().unique_fmpz())
        rest -= a
        if max(a * p1 + p0, a * q1 + q0) >= limit:
            k = min((limit - 1 - p0) // p1, (limit - 1 - q0) // q1)
            yield k * p1 + p0, k * q1 + q0
            return
        p0, q0, p1, q1 = p1, q1, a * p1 + p0, a * q1 + q0


def prove():
    """(log2 of the smallest relative distance |x - z0 v|/(z0 v), log2 of |z0 - three doubles|/z0)."""
    ctx.prec = 1000
    z0 = root()
    left = (
        abs(z0 - sum((arb(shipped("exponent.rs", name)[0]) for name in ("Z0_HI", "Z0_LO", "Z0_LO2")), arb(0)))
        / z0
    )
    gaps = [abs(p - f * z0 * q) / (f * z0 * q) for f in (1, 2) for p, q in best_fractions(f * z0, 2**53) if p]
    log2 = lambda b: float(b.log() / arb(2).log())
    return min(log2(g) for g in gaps), log2(left)
