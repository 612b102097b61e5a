"""The shipped one-variable polynomials against the functions they stand for, on whole intervals.

The doubles are read from the generated Rust files.  Each function is replaced by a Taylor polynomial whose coefficients
are closed forms (zeta values) or Arb series at an exact centre, with a rest bounded by hand; what is left is the
supremum of the difference of two polynomials, bounded from Taylor shifts on short intervals.
"""

import re
from pathlib import Path

from flint import acb, arb, arb_poly, arb_series, ctx, fmpq

from .outer import up, upper_abs

TABLES = Path(__file__).resolve().parents[2] / "rust/solvent-core/src/special/tables"
PRECISION = 320
NUMBER = re.compile(r"[-+]?\d[\d_]*\.?\d*(?:e[-+]?\d+)?")


def shipped(file, name):
    """The doubles of one constant of a generated table, as a list (rows of a matrix after one another)."""
    text = (TABLES / file).read_text()
    found = re.search(rf"const {name}: ([^=]+) = ([^;]+);", text)
    if not found:
        raise LookupError(f"{file} has no {name}")
    return [float(m) for m in NUMBER.findall(found.group(2))]


def polynomial(name, file):
    return arb_poly([arb(c) for c in shipped(file, name)])


def lower_abs(poly, low, high):
    """Lower bound of |poly| on [low, high]."""
    c = poly(arb_poly([(low + high) / 2, 1])).coeffs()
    half, rest, power = (high - low) / 2, arb(0), arb(1)
    for a in c[1:]:
        power *= half
        rest += abs(a) * power
    low_end = arb((abs(c[0]) - rest).lower())
    if not low_end > 0:
        raise ArithmeticError("a polynomial is not bounded away from zero")
    return low_end


def relative(gap, table, low, high, rest, pieces=64):
    """Upper bound of (|gap| + rest)/|table| on [low, high]."""
    width, worst = (arb(high) - arb(low)) / pieces, arb(0)
    for k in range(pieces):
        a = arb(low) + width * k
        b = a + width
        worst = max(worst, up((upper_abs(gap, a, b) + rest) / lower_abs(table, a, b)), key=float)
    return worst


# ---- v in [2, 26] ------------------------------------------------------------------------------------------------
def large_order(pieces=160, terms=18):
    """Absolute errors of g(v) = lgamma(v+1) - v log v + v - log(2 pi v)/2 and of digamma(v+1) on [2, 26].

    On [c - h, c + h] the error is expanded at c; Lagrange's coefficient of order K is bounded part by part at the
    smallest v: zeta(K, 1+v)/K for lgamma(v+1), v^{1-K}/(K (K-1)) for v log v, v^-K/K for log v, and Arb's series at
    the whole ball for the table.
    """
    scale, shift = (arb(shipped("inner_i.rs", name)[0]) for name in ("STIRLING_SCALE", "STIRLING_SHIFT"))
    g, psi = shipped("inner_i.rs", "STIRLING"), shipped("inner_i.rs", "DIGAMMA_REST")
    ctx.cap = terms + 1

    def table(coef, v):
        t, r = scale / v + shift, arb_series([arb(0)])
        for c in coef[::-1]:
            r = r * t + arb(c)
        return r

    worst_g = worst_psi = arb(0)
    ratio = (arb(13).log() / pieces).exp()  # intervals grow with v
    left = arb(2)
    for _ in range(pieces):
        right = left * ratio
        centre, half = (arb(((left + right) / 2).mid()), up((right - left) / 2 * (1 + arb(2) ** -200)))
        low = arb(left.lower())
        v, ball = arb_series([centre, 1]), arb_series([centre + half * arb(0, 1), 1])
        at_g = table(g, v) / (12 * v) - ((v + 1).lgamma() - v * v.log() + v - (2 * arb.pi() * v).log() / 2)
        k = terms
        last_g = abs((table(g, ball) / (12 * ball))[k]) + arb(k).zeta(1 + low) / k
        last_g += low ** (1 - k) / (k * (k - 1)) + low**-k / (2 * k)
        worst_g = max(worst_g, up(taylor(at_g, last_g, half, k)), key=float)

        ctx.cap = terms + 2
        exact = (arb_series([centre, 1]) + 1).lgamma().derivative()
        ctx.cap = terms + 1
        at_psi = v.log() + 1 / (2 * v) - table(psi, v) / (12 * v * v) - exact
        last_psi = abs((table(psi, ball) / (12 * ball * ball))[k]) + arb(k + 1).zeta(1 + low)
        last_psi += low**-k / k + low ** (-1 - k) / 2
        worst_psi = max(worst_psi, up(taylor(at_psi, last_psi, half, k)), key=float)
        left = right
    if not arb(left.upper()) >= 26:
        raise ArithmeticError("the intervals do not reach 26")
    return worst_g, worst_psi


def taylor(series, last, half, terms):
    total, power = arb(0), arb(1)
    for k in range(terms):
        total += abs(series[k]) * power
        power *= half
    total += last * power
    if not total.is_finite():
        raise ArithmeticError("an interval is too wide")
    return total


# ---- v in [0, 2] -------------------------------------------------------------------------------------------------
def small_lgamma(terms=170):
    """Relative error of v (v - 1) LGAMMA1P(v - 1) for lgamma(1 + v) on [0, 2].

    s = v - 1.  lgamma(2 + s) = sum l_k s^k with l_1 = 1 - gamma, l_k = (-1)^k (zeta(k) - 1)/k, and
    phi(s) = lgamma(2 + s)/(s (1 + s)) has the coefficients sum_{i<=j} (-1)^{j-i} l_{i+1}.  phi is analytic for |s| < 2;
    on |s| = 3/2 it is at most (lgamma(1/2) + 3 (1 - gamma))/(3/4) because (-3/2)^k l_k > 0 from k = 2 on.
    """
    table = polynomial("LGAMMA1P", "inner_i.rs")
    one = 1 - arb.const_euler()
    phi, coefficient = [], arb(0)
    for i in range(terms):
        k = i + 1
        l_k = one if k == 1 else (arb(k).zeta() - 1) * (-1) ** k / k
        coefficient = l_k - coefficient
        phi.append(coefficient)
    size = (arb(fmpq(1, 2)).lgamma() + 3 * one) / arb(fmpq(3, 4))
    rest = 3 * size * arb(fmpq(2, 3)) ** terms
    return relative(table - arb_poly(phi), table, -1, 1, rest)


def small_digamma(terms=140):
    """Relative error of DIGAMMA1P against (digamma(1+v) - digamma(1+r))/(v - r) on [0, 2], and |digamma(1 + r)|.

    r is the sum of the two doubles of the root.  With digamma(1 + v) = sum_k d_k (v - 1)^k, |d_k| = zeta(k+1, 2) <=
    2^-k for k >= 2, the division by v - r is exact on the Taylor polynomial; the quotient of the rest is at most the
    largest derivative of the rest, sum_{k>=K} k 2^-k.
    """
    table = polynomial("DIGAMMA1P", "inner_i.rs")
    root = sum((arb(shipped("inner_i.rs", "DIGAMMA1P_ROOT_" + part)[0]) for part in ("HI", "LO")), arb(0))
    d = [1 - arb.const_euler()] + [(arb(k + 1).zeta() - 1) * (-1) ** (k + 1) for k in range(1, terms)]
    quotient, carry = [], arb(0)
    for c in d[:0:-1]:  # synthetic division by (s - s_0); the remainder is the value at the root
        carry = carry * (root - 1) + c
        quotient.append(carry)
    at_root = carry * (root - 1) + d[0]
    rest = arb(terms + 1) * arb(2) ** (1 - terms)
    error = relative(table - arb_poly(quotient[::-1]), table, -1, 1, rest)
    return error, up(abs(at_root) + rest)


# ---- |mu| <= 1/2 -------------------------------------------------------------------------------------------------
def temme(terms=60, radius=3, arcs=256):
    """Relative errors of the three tables; all functions are even in mu.

    1/Gamma(1 + mu) = sum r_k mu^k (Arb's series at 0, the rest by Cauchy's bound on |mu| = 3, enclosed on arcs);
    pi mu/sin(pi mu) = 1 + sum_k 2 (1 - 2^{1-2k}) zeta(2k) mu^{2k}, coefficients below 4.
    """
    ctx.cap = terms
    r = (arb_series([arb(1), 1])).rgamma()
    size = arb(0)
    for k in range(arcs):
        angle = arb.pi() * (2 * k + 1) / arcs + arb(0, 1) * arb.pi() / arcs
        size = max(size, up(abs((1 + radius * acb(angle.cos(), angle.sin())).rgamma())), key=float)
    rest = 4 * size * arb(fmpq(1, 2 * radius)) ** (terms - 1)
    odd = [-r[k] if k % 2 else arb(0) for k in range(terms)]
    even = [arb(0) if k % 2 else r[k] for k in range(terms)]
    sinc = [arb(1)] + [
        2 * (1 - arb(2) ** (1 - k)) * arb(k).zeta() if k % 2 == 0 else arb(0) for k in range(1, 2 * terms)
    ]
    exact = {
        "GAMMA1": (arb_poly(odd[1:]), rest),
        "GAMMA2": (arb_poly(even), rest),
        "PI_MU_OVER_SIN": (arb_poly(sinc), 6 * arb(2) ** (-2 * terms)),
    }
    inner = arb_poly([arb(-1), 0, 8])
    out = {}
    for name, (taylor_polynomial, left_out) in exact.items():
        table = polynomial(name, "temme.rs")(inner)
        out[name] = relative(table - taylor_polynomial, table, 0, fmpq(1, 2), left_out)
    return out


def prove():
    """Named upper bounds, in exact arithmetic with the shipped doubles."""
    ctx.prec = PRECISION
    g, psi = large_order()
    psi_small, root = small_digamma()
    out = {
        "stirling": g,
        "digamma_rest": psi,
        "lgamma1p": small_lgamma(),
        "digamma1p": psi_small,
        "digamma1p_root": root,
    }
    out.update({"temme_" + name.lower(): value for name, value in temme().items()})
    ctx.cap = 10
    return {name: float(value) for name, value in out.items()}


def compare(bounds, points=600):
    """Print bound over the largest error at sampled points; fail where a sample exceeds its bound."""
    ctx.prec = PRECISION
    files = {
        "STIRLING": "inner_i.rs",
        "DIGAMMA_REST": "inner_i.rs",
        "LGAMMA1P": "inner_i.rs",
        "DIGAMMA1P": "inner_i.rs",
    }
    files.update(dict.fromkeys(("GAMMA1", "GAMMA2", "PI_MU_OVER_SIN"), "temme.rs"))
    poly = {name: polynomial(name, file) for name, file in files.items()}
    scale, shift = (arb(shipped("inner_i.rs", name)[0]) for name in ("STIRLING_SCALE", "STIRLING_SHIFT"))
    root = sum((arb(shipped("inner_i.rs", "DIGAMMA1P_ROOT_" + part)[0]) for part in ("HI", "LO")), arb(0))
    seen = dict.fromkeys(bounds, 0.0)

    def note(name, error):
        seen[name] = max(seen[name], abs(float(error)))

    for k in range(points):
        s = arb(fmpq(2 * k + 1, 2 * points))
        v = 1 / (arb(fmpq(1, 26)) + s * fmpq(6, 13))
        t = scale / v + shift
        exact = (v + 1).lgamma() - v * v.log() + v - (2 * arb.pi() * v).log() / 2
        note("stirling", poly["STIRLING"](t) / (12 * v) - exact)
        note(
            "digamma_rest", v.log() + 1 / (2 * v) - poly["DIGAMMA_REST"](t) / (12 * v * v) - (v + 1).digamma()
        )
        v = 2 * s
        note("lgamma1p", v * (v - 1) * poly["LGAMMA1P"](v - 1) / (v + 1).lgamma() - 1)
        note("digamma1p", (v - root) * poly["DIGAMMA1P"](v - 1) / (v + 1).digamma() - 1)
        mu = s / 2
        a, b, y = (1 - mu).rgamma(), (1 + mu).rgamma(), 8 * mu * mu - 1
        note("temme_gamma1", poly["GAMMA1"](y) * 2 * mu / (a - b) - 1)
        note("temme_gamma2", poly["GAMMA2"](y) * 2 / (a + b) - 1)
        note("temme_pi_mu_over_sin", poly["PI_MU_OVER_SIN"](y) * a * b - 1)
    for name, error in seen.items():
        if error > bounds[name]:
            raise ArithmeticError(f"a sample exceeds the bound of {name}")
    print(
        "  check bound/sampled error: " + ", ".join(f"{n} {bounds[n] / e:.2f}" for n, e in seen.items() if e)
    )
