"""Inner regions: the polynomials for log K on 1 < x <= 25, and the tails of the two power series.

Polynomials.  With t = KA/(x + KC) + KB as shipped, P(t, m) = (F - 1)/((mu^2 - 1/4) u) and Q = (G - 1 - u/2)/(...) are
analytic in Bernstein ellipses of t and of m.  For Re x > 0
    |K_mu(x)| <= K_{|Re mu|}(Re x)          (the integral of exp(-x cosh s) cosh(mu s)),
and K_nu(y) e^y falls in y and grows in nu, so |F| and |G| on the product of the two ellipse boundaries, and by the
maximum principle inside, are bounded by one value of Arb each.  A Chebyshev interpolant of n points then errs by at most
4 M rho^{1-n}/(rho - 1) in each variable (Lebesgue constant 2/pi log n + 1 between them), and the shipped polynomial is
compared with that interpolant coefficient by coefficient.

Series.  The terms of 0F1 fall fastest relative to the sum at the largest x and at v = 0.  For Temme's series, see
`temme_tail`.
"""

from flint import arb, ctx, fmpq

from .outer import up
from .tables import shipped

PIECES = ((1.0, 2.9), (2.9, 8.5), (8.5, 25.0))
GRID_T, GRID_M = 48, 20
RHO_M = 20
PRECISION = 320


def shape(name):
    """A shipped matrix as rows."""
    lengths = [int(k) for k in shipped("inner_k.rs", name + "_LEN")]
    flat, width = shipped("inner_k.rs", name), max(lengths)
    rows = [flat[i : i + width] for i in range(0, len(flat), width)]
    if len(rows) != len(lengths) or any(any(r[n:]) for r, n in zip(rows, lengths, strict=True)):
        raise ValueError(f"{name} and its row lengths disagree")
    return rows


def power_to_chebyshev(n):
    """Rows of t^k = sum_j c_j T_j(t)."""
    rows = [[arb(1)]]
    while len(rows) < n:
        nxt = [arb(0)] * (len(rows[-1]) + 1)
        for j, c in enumerate(rows[-1]):  # t T_j = (T_{j+1} + T_{|j-1|})/2
            nxt[j + 1] += c if j == 0 else c / 2
            if j:
                nxt[j - 1] += c / 2
        rows.append(nxt)
    return rows


def cosines(n):
    return [[(arb.pi() * fmpq((2 * k + 1) * j, 2 * n)).cos() for k in range(n)] for j in range(n)]


def transform(values, cos):
    """Chebyshev coefficients of the interpolant of each row of values."""
    n = len(cos)
    return [
        [
            sum((c * y for c, y in zip(cos[j], row, strict=True)), arb(0)) * (1 if j == 0 else 2) / n
            for j in range(n)
        ]
        for row in values
    ]


def transpose(rows):
    return [list(col) for col in zip(*rows, strict=True)]


def scaled(m2, x):
    """F and G at mu^2 = m2."""
    mu, s = m2.sqrt(), (2 * x / arb.pi()).sqrt() * x.exp()
    return x.bessel_k(mu) * s, (x.bessel_k(1 + mu) + x.bessel_k(1 - mu)) / 2 * s


def ellipse_bounds(kc, ka, kb, reach):
    """Bounds of |P| and |Q| on the product of ellipses; `reach` is the largest |t|, below the cut."""
    # |t| <= reach maps to a disc with the real diameter [x(reach), x(-reach)], in Re x > 0
    low, high = ka / (reach - kb) - kc, ka / (-reach - kb) - kc
    low, high = min(low, high, key=float), max(low, high, key=float)
    if not low > 0:
        raise ArithmeticError("the ellipse leaves the right half plane")
    axis = (arb(RHO_M) + arb(1) / RHO_M) / 2  # |m| on the ellipse
    order = ((1 + axis) / 8).sqrt()  # |Re mu| <= |mu|
    s = (2 * high / arb.pi()).sqrt() * low.exp()
    size_f = s * low.bessel_k(order) + 1
    size_g = s * low.bessel_k(order + 1) + 1 + 1 / (2 * low)
    divide = high * 8 / (axis - 1)  # 1/|u| <= high; |mu^2 - 1/4| = |m - 1|/8, m = 1 is a focus
    return up(size_f * divide), up(size_g * divide)


def polynomial_error(piece):
    """((bound of |F_shipped - F|, its aliasing part), the same of G) on the piece, exact arithmetic, shipped doubles."""
    lo, hi = PIECES[piece]
    kc, ka, kb = (arb(shipped("inner_k.rs", name)[piece]) for name in ("KC", "KA", "KB"))
    stretch = 1 + arb(2) ** -50  # t = stretch * tau, |tau| <= 1, covers the rounding of KA and KB
    for end in (lo, hi):
        if not abs(ka / (arb(end) + kc) + kb) < stretch:
            raise ArithmeticError("the shipped map does not end at -1 and 1")
    cos_t, cos_m = cosines(GRID_T), cosines(GRID_M)
    p_rows, q_rows = [], []
    for t in (stretch * c for c in cos_t[1]):
        x = ka / (t - kb) - kc
        p_row, q_row = [], []
        for m in cos_m[1]:
            m2 = (1 + m) / 8
            f, g = scaled(m2, x)
            d = (m2 - arb(fmpq(1, 4))) / x
            p_row.append((f - 1) / d)
            q_row.append((g - 1 - 1 / (2 * x)) / d)
        p_rows.append(p_row)
        q_rows.append(q_row)
    # the half plane Re x > 0 is the disc of t around kb + ka/(2 kc) with radius |ka/(2 kc)|
    reach = arb(fmpq(3, 4)) * abs(ka / (2 * kc))
    size_p, size_q = ellipse_bounds(kc, ka, kb, reach)
    rho_t = reach / stretch + ((reach / stretch) ** 2 - 1).sqrt()
    lebesgue = 2 / arb.pi() * arb(GRID_T).log() + 1
    alias = 4 * rho_t ** (1 - GRID_T) / (rho_t - 1) + lebesgue * 4 * arb(RHO_M) ** (1 - GRID_M) / (RHO_M - 1)
    weight, out = arb(fmpq(1, 4)) / arb(lo), []
    to_t, to_m = power_to_chebyshev(GRID_T), power_to_chebyshev(GRID_M)
    for name, rows, size in (("P", p_rows, size_p), ("Q", q_rows, size_q)):
        exact = transpose(transform(transpose(transform(rows, cos_m)), cos_t))  # [j of T_j(tau)][i of T_i(m)]
        table = [[arb(0)] * GRID_M for _ in range(GRID_T)]
        for r, coef in enumerate(shape(f"{name}{piece}")):
            for c, value in enumerate(coef):
                for j, a in enumerate(to_t[r]):
                    for i, b in enumerate(to_m[c]):
                        table[j][i] += arb(value) * stretch**r * a * b
        gap = sum(
            (abs(a - b) for u, v in zip(exact, table, strict=True) for a, b in zip(u, v, strict=True)), arb(0)
        )
        out.append((float(up(weight * (gap + alias * size))), float(up(weight * alias * size))))
    return out


def smallest_f():
    """F >= F at mu = 0, x = 1 (F grows with mu^2 and with x there); G >= 1."""
    return float(scaled(arb(0), arb(1))[0].lower())


def hypergeometric_tails():
    """Upper bounds of the relative rest of 0F1(v+1; x^2/4) cut after N terms, v >= 0, x up to each end of SERIES_TO."""
    out = []
    for to, terms in zip(
        shipped("inner_i.rs", "SERIES_TO"), shipped("inner_i.rs", "SERIES_TERMS"), strict=True
    ):
        y, term, total, n = arb(to) ** 2 / 4, arb(1), arb(1), int(terms)
        for k in range(1, n + 1):
            term = term * y / (k * k)
            total += term
        first = term * y / (n + 1) ** 2
        out.append(float(up(first / (1 - y / (n + 2) ** 2) / total)))
    return out


def temme_tail():
    """Upper bounds of the relative rests of Temme's two sums, 0 < x <= 1, |mu| <= 1/2.

    f_0, p_0 and q_0 are not negative: f_0 > 0 because 2 mu log 2 + lgamma(1+mu) - lgamma(1-mu) is concave on [0, 1/2]
    with zeros at both ends.  So f_0 <= K_mu(x) <= K_{1/2}(x) = sqrt(pi/(2x)) e^-x, and p_0, q_0 <= sqrt(pi/(2x)) too:
    all three are at most a = sqrt(pi/2) x^{-1/2}.  By the recurrences p_k <= p_{k-1}/(k - 1/2) and
    f_k <= (k f_{k-1} + 2 p_{k-1})/(k^2 - 1/4).  The sums are K_mu >= K_0(1) and (x/2) K_{mu+1} >= (x/2) K_{1/2}(x) >=
    sqrt(pi x/8)/e, and the terms from k = 12 on carry x^{2k - 1/2} <= x^{1/2}.
    """
    first = int(shipped("temme.rs", "TERMS")[0]) + 1
    f = p = (arb.pi() / 2).sqrt()
    c, rest_f, rest_p = arb(1), arb(0), arb(0)
    last = first + 30
    for k in range(1, last + 1):
        f, p, c = ((k * f + 2 * p) / (arb(k) ** 2 - arb(fmpq(1, 4))), p / (k - arb(fmpq(1, 2))), c / (4 * k))
        if k >= first:
            rest_f += c * f
            rest_p += c * (p + k * f)
    # every later term is less than half the one before, so the rest is at most the last term
    rest_f, rest_p = rest_f + c * f, rest_p + c * (p + last * f)
    k0 = arb(1).bessel_k(arb(0))
    k1 = (arb.pi() / 8).sqrt() / arb(1).exp()
    return float(up(rest_f / k0)), float(up(rest_p / k1))


def prove():
    ctx.prec = PRECISION
    return ([polynomial_error(k) for k in range(3)], smallest_f(), hypergeometric_tails(), temme_tail())


def compare(bounds, points=24):
    """Print bound over the largest error of F and G at a grid of points; fail where a sample exceeds its bound."""
    ctx.prec = PRECISION
    for piece, ((lo, hi), limits) in enumerate(zip(PIECES, bounds, strict=True)):
        kc, ka, kb = (arb(shipped("inner_k.rs", name)[piece]) for name in ("KC", "KA", "KB"))
        p_rows, q_rows = shape(f"P{piece}"), shape(f"Q{piece}")
        seen = [0.0, 0.0]
        for i in range(points + 1):
            x = arb(lo) + (arb(hi) - arb(lo)) * fmpq(i, points)
            for j in range(points + 1):
                m2 = arb(fmpq(j, points)) / 4
                t, m, d = ka / (x + kc) + kb, 8 * m2 - 1, (m2 - arb(fmpq(1, 4))) / x
                for side, (rows, head, exact) in enumerate(
                    zip((p_rows, q_rows), (arb(1), 1 + 1 / (2 * x)), scaled(m2, x), strict=True)
                ):
                    value = arb(0)
                    for coef in rows[::-1]:
                        inner = arb(0)
                        for c in coef[::-1]:
                            inner = inner * m + arb(c)
                        value = value * t + inner
                    seen[side] = max(seen[side], abs(float(head + d * value - exact)))
        ratios = [limit[0] / error for limit, error in zip(limits, seen, strict=True)]
        if min(ratios) < 1:
            raise ArithmeticError(f"a sample exceeds the bound on piece {piece}")
        print(f"  check ({lo}, {hi}]: bound/sampled error F {ratios[0]:.1f}, G {ratios[1]:.1f}")
