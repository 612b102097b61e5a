"""Truncation of the uniform expansion of log I_v and log K_v, for all real v >= 0 and all w = hypot(v, x) >= w0.

Setting.  p = v/w, z = x/v, eta = sqrt(1 + z^2) - asinh(1/z), so that v eta = T and dp/d eta = -p^2 (1 - p^2).
W_I = sqrt(2 pi w) I_v(x) = e^T iota and W_K = sqrt(2 w/pi) K_v(x) = e^-T kappa both solve W'' = (v^2 + psi) W in eta,
psi = 2 dU_1/d eta, with Wronskian 2v.  Because 2 U_{k+1}' + U_k'' - psi U_k = 0, the series cut before k = n,
Phi_n = sum_{k<n} (+-1)^k U_k(p)/v^k, leaves the residual -+ 2 U_n'(eta) v^{1-n} e^{+-T}.

Theorem K.  h = W_K - e^-T Phi_n is recessive at infinity, hence
    h(eta) = (1/2v) int_eta^inf [W_K(eta) W_I(tau) - W_I(eta) W_K(tau)] residual d tau.
I/K increases, so the bracket lies between 0 and its first product, and
    |kappa - Phi_n| <= kappa* iota* V_n / w^n,   V_n(p) = p^-n int_0^p |U_n'(t)| dt.

Theorem I.  h = W_I - e^T Phi_n has no W_I part at infinity.  With the Green's function on w >= w_c (v < w_c) or on the
whole line (v >= w_c, where the last term is absent), and v (eta(p) - eta(t)) >= w - w':
    |iota - Phi_n| <= kappa* iota* [V_n/w^n + R_n J_n(w)] + (kappa*/kappa_) e^{-2(w - w_c)} [eps_c + kappa* iota* V_n/w_c^n],
U_n'(t) = t^{n-1} R_n(t^2), J_n(w) = int_{w_c}^w e^{-2(w-w')} w'^{-n-1} dw', and J_n(w) <= max(J_n(w0), w0^{-n-1}/2) for
w >= w0 because J' = -2 J + w^{-n-1}.

kappa* = exp(V_1/w_c) and kappa_ = 2 - kappa* by Volterra's iteration; iota* - 1 bounds |iota - 1| on w >= w_c and
comes from the same inequality with n = 1, where Arb encloses iota on the circle w = w_c.  Every term falls with w: one
number a band is enough.
"""

from fractions import Fraction

from flint import arb, arb_poly, ctx, fmpq, fmpq_poly

BANDS = ((25, 17), (40, 13), (80, 10), (200, 7), (1000, 5), (10000, 3), (1000000, 2))
CUTS = (3, 4, 6, 10)
ORDER_MAX = 24
PRECISION = 160


def debye(kmax):
    """Exact coefficients of q_k(y), k <= kmax, with U_k(p) = p^k q_k(p^2) (DLMF 10.41.9)."""
    u, rows = [Fraction(1)], [[Fraction(1)]]
    for k in range(1, kmax + 1):
        nxt = [Fraction(0)] * (len(u) + 3)
        for j, c in enumerate(u):
            nxt[j + 1] += c * Fraction(j, 2) + c / (8 * (j + 1))
            nxt[j + 3] -= c * Fraction(j, 2) + 5 * c / (8 * (j + 3))
        u = nxt
        rows.append(u[k : 3 * k + 1 : 2])
    return rows


def rational(c):
    return fmpq(c.numerator, c.denominator)


def up(ball):
    """The upper end as an exact number."""
    return arb(ball.upper())


def orders_for(terms):
    """The cuts n of Phi_n that are tried for a band of so many terms."""
    return range(terms + 2, min(terms + 6, ORDER_MAX) + 1)


class Debye:
    """q_k and R_k as polynomials, and the suprema that the theorems need, each computed once."""

    def __init__(self):
        rows = debye(ORDER_MAX)
        self.q = [arb_poly([arb(rational(c)) for c in row]) for row in rows]
        slope = [[(n + 2 * i) * c for i, c in enumerate(row)] for n, row in enumerate(rows)]
        self.r = [arb_poly([arb(rational(c)) for c in row]) for row in slope]
        self.r_exact = [fmpq_poly([rational(c) for c in row]) for row in slope]
        orders = {1}.union(*(orders_for(terms) for _, terms in BANDS))
        self.sup_q = [supremum(q) for q in self.q]
        self.sup_r = {n: supremum(self.r[n]) for n in orders}
        self.variation = {n: self._variation(n) for n in orders}

    def turning_points(self, n):
        """Balls around every zero of U_n' in (0, 1)."""
        found = []
        for root, _ in self.r_exact[n].numer().complex_roots():
            if not root.imag.contains(0) or root.real < 0 or root.real > 1:
                continue
            if not (root.real > 0 and root.real < 1):
                raise ArithmeticError(f"a zero of U_{n}' is not separated from the ends of (0, 1)")
            found.append(root.real.sqrt())
        return sorted(found, key=lambda t: float(t.mid()))

    def _variation(self, n, start=0.02, ratio=1.0006):
        """sup over p in (0, 1] of V_n(p) = p^-n (variation of U_n over [0, p])."""
        value = lambda t: t**n * self.q[n](t * t)
        turn = self.turning_points(n)
        at_turn, total = [arb(0)], [arb(0)]
        for t in turn:
            total.append(total[-1] + abs(value(t) - at_turn[-1]))
            at_turn.append(value(t))
        # below start: V_n(p) = int_0^1 s^{n-1} |R_n(p^2 s^2)| ds
        best = upper_abs(self.r[n], arb(0), arb(start) ** 2) / n
        low, passed = arb(start), 0
        while low < 1:
            high = min(up(low * ratio), arb(1), key=float)
            while passed < len(turn) and not turn[passed] > high:
                passed += 1  # a zero that is passed too early only adds variation
            v = up((total[passed] + abs(value(high) - at_turn[passed])) / low**n)
            best = max(best, v, key=float)
            low = high
        return best


def upper_abs(poly, low, high):
    """Upper bound of |poly| on [low, high] from its Taylor coefficients at the middle."""
    middle, half = (low + high) / 2, (high - low) / 2
    total, power = arb(0), arb(1)
    for c in poly(arb_poly([middle, 1])).coeffs():
        total += abs(c) * power
        power *= half
    return up(total)


def supremum(poly, slack=0.005):
    """Upper bound of |poly| on [0, 1] within a relative slack, by bisection."""
    todo = [(arb(fmpq(k, 64)), arb(fmpq(k + 1, 64))) for k in range(64)]
    seen, top = arb(0), arb(0)
    while todo:
        low, high = todo.pop()
        bound = upper_abs(poly, low, high)
        seen = max(seen, arb(abs(poly((low + high) / 2)).lower()), key=float)
        if bound > seen * (1 + slack) and high - low > arb(2) ** -22:
            middle = (low + high) / 2
            todo += [(low, middle), (middle, high)]
        else:
            top = max(top, bound, key=float)
    return top


def exponent(v, x, w):
    return w - v * ((v + w) / x).log()


def circle_deviation(w_c, boxes=3000):
    """Upper bound of |iota - 1| on the circle w = w_c: balls in the angle, and Volterra from z = 0 near p = 1."""
    w, top = arb(w_c), arb(0)
    last = arb.pi() / 2 - arb(0.1)
    for k in range(boxes):
        angle = last * (arb(fmpq(2 * k + 1, 2 * boxes)) + arb(0, 1) / (2 * boxes))
        v, x = abs(w * angle.sin()), w * angle.cos()
        deviation = abs(x.bessel_i(v) * (2 * arb.pi() * w).sqrt() * (-exponent(v, x, w)).exp() - 1)
        if not deviation.is_finite():
            raise ArithmeticError("a box on the circle is too wide")
        top = max(top, up(deviation), key=float)
    p = last.sin()
    v = w * (p + 1) / 2 + arb(0, 1) * w * (1 - p) / 2
    # As z -> 0, iota tends to C; from there |iota/C - 1| <= exp(variation of U_1 / v) - 1, and |U_1'| <= 1/2.
    c = (2 * arb.pi() * v).sqrt() * (v * v.log() - v - (v + 1).lgamma()).exp()
    growth = ((1 - p) / 2 / (w * p)).exp() - 1
    return max(top, up(abs(c - 1) + abs(c) * growth), key=float)


def green_tail(n, w0, w_c, steps=3000):
    """Upper bound of J_n(w) for all w >= w0."""
    floor = arb(w0) ** (-n - 1) / 2
    if w0 > 1000:  # cut the integral at w0/2
        rest = (-arb(w0)).exp() * arb(w_c) ** (-n - 1) * w0
        return up(max(arb(w0) ** (-n - 1) * arb(2) ** n + rest, floor, key=float))
    width, total = (arb(w0) - w_c) / steps, arb(0)
    for k in range(steps):
        left = arb(w_c) + width * k
        total += (-2 * (arb(w0) - left - width)).exp() * left ** (-n - 1)
    return max(up(total * width), up(floor), key=float)


class Cut:
    """kappa*, kappa_ and iota* on w >= w_c."""

    def __init__(self, series, w_c):
        v1, r1 = series.variation[1], series.sup_r[1]
        self.w_c, self.circle = w_c, circle_deviation(w_c)
        self.kappa = up((v1 / w_c).exp())
        self.kappa_low = 2 - self.kappa
        q = self.kappa / self.kappa_low
        gain = self.kappa * (v1 / w_c + r1 / (2 * arb(w_c) ** 2)) + q * self.kappa * v1 / w_c
        if not gain < 1:
            raise ArithmeticError(f"the bound of iota does not close at w_c = {w_c}")
        self.iota = up((1 + q * self.circle) / (1 - gain))


def band_bound(series, cuts, w0, terms):
    """(bound of log K, bound of log I, n, w_c) with the smallest sum over the order n and the cut."""
    best, w = None, arb(w0)
    partial = sum((series.sup_q[k] / w**k for k in range(1, terms + 1)), arb(0))
    for n in orders_for(terms):
        v_n, r_n = series.variation[n], series.sup_r[n]
        omitted = sum((series.sup_q[k] / w**k for k in range(terms + 1, n)), arb(0))
        for cut in cuts:
            w_c, both = arb(cut.w_c), cut.kappa * cut.iota
            start = (cut.iota - 1) + sum((series.sup_q[k] / w_c**k for k in range(1, n)), arb(0))
            k_bound = omitted + both * v_n / w**n
            i_bound = omitted + both * (v_n / w**n + r_n * green_tail(n, w0, cut.w_c))
            i_bound += cut.kappa / cut.kappa_low * (-2 * (w - w_c)).exp() * (start + both * v_n / w_c**n)
            # from the sums to their logarithms: both lie above 1 - partial - bound
            k_bound, i_bound = (up(b / (1 - partial - b)) for b in (k_bound, i_bound))
            if best is None or float(k_bound) + float(i_bound) < best[0] + best[1]:
                best = (float(k_bound), float(i_bound), n, cut.w_c)
    return best


def prove():
    """{(w0, N): (bound of log K, bound of log I, n, w_c)} for every band."""
    ctx.prec = PRECISION
    series = Debye()
    cuts = [Cut(series, w_c) for w_c in CUTS]
    print(f"outer: sup V_1 = {float(series.variation[1]):.5f}, sup |R_1| = {float(series.sup_r[1]):.4f}")
    for cut in cuts:
        print(
            f"  cut w_c = {cut.w_c}: |iota - 1| <= {float(cut.circle):.4f} on the circle,"
            f" kappa* = {float(cut.kappa):.4f}, iota* = {float(cut.iota):.4f}"
        )
    return {(w0, n): band_bound(series, cuts, w0, n) for w0, n in BANDS}


def compare(bounds, points=200):
    """Print bound over the largest true error on each circle w = w0 (samples, so the ratio is only indicative)."""
    ctx.prec = 400
    series = Debye()
    for (w0, terms), (k_bound, i_bound, *_) in bounds.items():
        w, worst_i, worst_k = arb(w0), 0.0, 0.0
        for j in range(points + 1):
            p = arb(fmpq(j, points)) if j < points else arb(fmpq(99999, 100000))
            v = p * w
            x = (w * w - v * v).sqrt()
            t = exponent(v, x, w)
            iota = x.bessel_i(v) * (2 * arb.pi() * w).sqrt() * (-t).exp()
            kappa = x.bessel_k(v) * (2 * w / arb.pi()).sqrt() * t.exp()
            term = [series.q[k](p * p) / w**k for k in range(terms + 1)]
            plus = sum(term, arb(0))
            minus = sum((c if k % 2 == 0 else -c for k, c in enumerate(term)), arb(0))
            worst_i = max(worst_i, abs(float((iota / plus).log())))
            worst_k = max(worst_k, abs(float((kappa / minus).log())))
        if worst_i > i_bound or worst_k > k_bound:
            raise ArithmeticError(f"a true error exceeds its bound at w = {w0}")
        print(
            f"  check w = {w0}, N = {terms}: true error of log I {worst_i:.3e} (bound/true {i_bound / worst_i:.2f}),"
            f" of log K {worst_k:.3e} ({k_bound / worst_k:.2f})"
        )
