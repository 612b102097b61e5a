"""Certified problems in ball arithmetic (Arb, 300 bits): dual values, feasible plans, and a bracket of the optimum.

Every number that is returned encloses the true one, so that a comparison with a float bound is a proof.  The problem is
the one that certificates are about: (C, a, b (sum a / sum b)) in real numbers, rows and columns of weight 0 and arcs of
cost +inf absent.
"""

import contextlib
import math
from fractions import Fraction

import numpy as np
from flint import arb, arb_mat, ctx

BITS = 300
UNIT = 2.0**-53


@contextlib.contextmanager
def precision(bits=BITS):
    """Arb's working precision for a block."""
    before = ctx.prec
    ctx.prec = bits
    try:
        yield
    finally:
        ctx.prec = before


def total(terms):
    """Sum of any terms as a ball."""
    result = arb(0)
    for term in terms:
        result += term
    return result


def below(x):
    """A float that is at most the ball's lower end."""
    return math.nextafter(float(x.lower()), -math.inf)


def above(x):
    """A float that is at least the ball's upper end."""
    return math.nextafter(float(x.upper()), math.inf)


def ground_costs(X, Y, cost, p=None):
    """{(i, j): c(x_i, y_j)} of two clouds as balls."""
    clouds = [[[arb(float(value)) for value in point] for point in cloud] for cloud in (X, Y)]
    return {
        (i, j): _ground_cost(x, y, cost, p) for i, x in enumerate(clouds[0]) for j, y in enumerate(clouds[1])
    }


def _ground_cost(x, y, cost, p):
    lengths = [abs(s - t) for s, t in zip(x, y)]
    if cost == "l1":
        return total(lengths)
    if cost == "lp":
        powers = total(arb(0) if length == 0 else length ** arb(p) for length in lengths)
        return arb(0) if powers == 0 else powers ** (1 / arb(p))
    squares = total(length * length for length in lengths)
    if cost == "sqeuclidean":
        return squares
    if cost == "euclidean":
        return squares.sqrt()
    inner = total(s * t for s, t in zip(x, y))
    return 1 - inner / (total(s * s for s in x) * total(t * t for t in y)).sqrt()


def _xlogx(x, y):
    """x log(x / y), 0 at x = 0."""
    return arb(0) if x == 0 else x * (x / y).log()


class Problem:
    """One transport problem with exact data; `tau_a`, `tau_b` inf and `mass` None: balanced.

    `costs` are balls around the costs where floats (C) are not what they are.
    """

    def __init__(self, C, a, b, reg, tau_a=math.inf, tau_b=math.inf, mass=None, costs=None):
        C, a, b = (np.asarray(x, dtype=np.float64) for x in (C, a, b))
        self.rows, self.columns = np.flatnonzero(a > 0), np.flatnonzero(b > 0)
        self.a, self.b = [arb(x) for x in a[self.rows]], [arb(x) for x in b[self.columns]]
        self.reg, self.mass = arb(float(reg)), None if mass is None else self._moved(float(mass))
        self.tau_a = None if math.isinf(tau_a) else arb(float(tau_a))
        self.tau_b = None if math.isinf(tau_b) else arb(float(tau_b))
        self.balanced = self.tau_a is None and self.tau_b is None and mass is None
        live = C[np.ix_(self.rows, self.columns)]
        self.floats = (live, a[self.rows], b[self.columns], float(reg))
        if self.balanced:
            ratio = total(self.a) / total(self.b)
            self.b = [x * ratio for x in self.b]
        self.arcs = {(i, j): arb(x) for (i, j), x in np.ndenumerate(live) if np.isfinite(x)}
        if costs is not None:
            self.arcs = {(i, j): costs[self.rows[i], self.columns[j]] for i, j in self.arcs}
        finite = live[np.isfinite(live)]
        self.spread = float(np.ptp(finite)) if finite.size and np.ptp(finite) > 0 else 1.0
        self.product = total(self.a) * total(self.b)

    def _moved(self, mass):
        """The mass of a partial plan: within 4 u of the smaller total it means that total exactly."""
        least = min(sum(map(Fraction, self._floats(side))) for side in (self.a, self.b))
        if abs(Fraction(mass) - least) <= 4 * Fraction(UNIT) * least:
            return arb(least.numerator) / arb(least.denominator)
        return arb(mass)

    @staticmethod
    def _floats(balls):
        return [float(ball.mid()) for ball in balls]

    # --- the dual ------------------------------------------------------------------------------------------------------

    def restrict(self, f, g):
        """Potentials of the live rows and columns as exact balls."""
        return [arb(float(x)) for x in np.asarray(f)[self.rows]], [
            arb(float(x)) for x in np.asarray(g)[self.columns]
        ]

    def plan(self, f, g, lam=0):
        """{arc: P_ij}."""
        return {
            (i, j): self.a[i] * self.b[j] * ((f[i] + g[j] + lam - c) / self.reg).exp()
            for (i, j), c in self.arcs.items()
        }

    def sums(self, P):
        """(P1, P^T 1)."""
        rows, columns = [arb(0)] * len(self.a), [arb(0)] * len(self.b)
        for (i, j), p in P.items():
            rows[i] += p
            columns[j] += p
        return rows, columns

    def dual(self, f, g, lam=0):
        """D(f, g): at most the optimal value, whatever f and g are (f, g <= 0 in the partial problem)."""
        value = -self.reg * (total(self.plan(f, g, lam).values()) - self.product)
        for tau, weights, potential in ((self.tau_a, self.a, f), (self.tau_b, self.b, g)):
            if tau is None:
                value += total(x * w for x, w in zip(potential, weights))
            else:
                value -= tau * total(w * (-x / tau).expm1() for x, w in zip(potential, weights))
        return value if self.mass is None else value + lam * self.mass

    def residuals(self, f, g, lam=0):
        """l1 residuals of the rows and of the columns of the optimality conditions (and of the mass)."""
        rows, columns = self.sums(self.plan(f, g, lam))
        if self.mass is not None:
            left = total(abs(r - min_(w, r * (-x / self.reg).exp())) for r, w, x in zip(rows, self.a, f))
            right = total(abs(c - min_(w, c * (-x / self.reg).exp())) for c, w, x in zip(columns, self.b, g))
            return left, right + abs(total(rows) - self.mass)
        wanted_a = self.a if self.tau_a is None else [w * (-x / self.tau_a).exp() for w, x in zip(self.a, f)]
        wanted_b = self.b if self.tau_b is None else [w * (-x / self.tau_b).exp() for w, x in zip(self.b, g)]
        return (
            total(abs(r - w) for r, w in zip(rows, wanted_a)),
            total(abs(c - w) for c, w in zip(columns, wanted_b)),
        )

    def scale(self, P):
        """M: the total mass that bounds are relative to."""
        if self.mass is not None:
            return self.mass
        return total(self.a) if self.balanced else total(P.values())

    # --- the primal ----------------------------------------------------------------------------------------------------

    def cost(self, P):
        """<C, P>."""
        return total(self.arcs[arc] * p for arc, p in P.items())

    def penalties(self, P):
        """tau_a KL(P1 | a) + tau_b KL(P^T 1 | b), sides with tau = inf left out."""
        value = arb(0)
        for tau, weights, sums in zip((self.tau_a, self.tau_b), (self.a, self.b), self.sums(P)):
            if tau is not None:
                value += tau * total(_xlogx(s, w) - s + w for s, w in zip(sums, weights))
        return value

    def primal(self, P):
        """F(P), the objective at a feasible plan."""
        entropy = total(_xlogx(p, self.a[i] * self.b[j]) - p for (i, j), p in P.items()) + self.product
        return self.cost(P) + self.penalties(P) + self.reg * entropy

    def feasible(self, P):
        """A plan that satisfies the hard constraints exactly, near P; None where this finds none."""
        if self.mass is not None:
            return self._feasible_partial(P)
        if not self.balanced:
            rows, columns = self.sums(P)
            if self.tau_a is None:
                return {(i, j): p * (self.a[i] / rows[i]) for (i, j), p in P.items()}
            if self.tau_b is None:
                return {(i, j): p * (self.b[j] / columns[j]) for (i, j), p in P.items()}
            return P
        return self._along_tree(P) or self._rank_one(P)

    def _along_tree(self, P):
        """Residuals moved along the heaviest spanning tree of the support; None where a flow would turn negative."""
        n = len(self.a)
        component = list(range(n + len(self.b)))
        tree = []
        for arc in sorted(P, key=lambda arc: float(P[arc].mid().log()) if P[arc] > 0 else -math.inf)[::-1]:
            one, other = component[arc[0]], component[n + arc[1]]
            if one != other:
                tree.append(arc)
                component = [one if c == other else c for c in component]
        rows, columns = self.sums(P)
        left = [w - r for w, r in zip([*self.a, *self.b], [*rows, *columns])]
        moved, remaining = dict(P), set(tree)
        while remaining:
            degree = {}
            for i, j in remaining:
                degree[i] = degree.get(i, 0) + 1
                degree[n + j] = degree.get(n + j, 0) + 1
            i, j = next(arc for arc in remaining if degree[arc[0]] == 1 or degree[n + arc[1]] == 1)
            flow = left[i] if degree[i] == 1 else left[n + j]
            left[i] -= flow
            left[n + j] -= flow
            moved[i, j] += flow
            if not moved[i, j] > 0:
                return None
            remaining.remove((i, j))
        # One tree: the last node balances because sum a = sum b in real numbers; a forest proves nothing.
        return moved if len(tree) == n + len(self.b) - 1 else None

    def _rank_one(self, P):
        """Rows and columns scaled down to their weights, what is missing put back as an outer product."""
        if len(P) < len(self.a) * len(self.b):
            return None
        rows, columns = self.sums(P)
        Q = {(i, j): p * shrink(self.a[i], rows[i]) for (i, j), p in P.items()}
        columns = self.sums(Q)[1]
        Q = {(i, j): p * shrink(self.b[j], columns[j]) for (i, j), p in Q.items()}
        rows, columns = self.sums(Q)
        u, w = [x - r for x, r in zip(self.a, rows)], [x - c for x, c in zip(self.b, columns)]
        missing = total(u)
        return {(i, j): q + u[i] * w[j] / missing for (i, j), q in Q.items()} if missing > 0 else None

    def _feasible_partial(self, P):
        rows, _ = self.sums(P)
        Q = {(i, j): p * shrink(self.a[i], rows[i]) for (i, j), p in P.items()}
        columns = self.sums(Q)[1]
        Q = {(i, j): p * shrink(self.b[j], columns[j]) for (i, j), p in Q.items()}
        whole = shrink(self.mass, total(Q.values()))
        Q = {arc: q * whole for arc, q in Q.items()}
        if len(Q) < len(self.a) * len(self.b):
            return None
        rows, columns = self.sums(Q)
        u, w = [x - r for x, r in zip(self.a, rows)], [x - c for x, c in zip(self.b, columns)]
        missing = self.mass - total(Q.values())
        return {(i, j): q + missing * u[i] * w[j] / (total(u) * total(w)) for (i, j), q in Q.items()}

    # --- the optimum ---------------------------------------------------------------------------------------------------

    def columns_exact(self, f):
        """g that is optimal for f (balanced and unbalanced)."""
        sums = [arb(0)] * len(self.b)
        for (i, j), c in self.arcs.items():
            sums[j] += self.a[i] * ((f[i] - c) / self.reg).exp()
        slack = arb(1) if self.tau_b is None else self.tau_b / (self.tau_b + self.reg)
        return [-self.reg * slack * s.log().mid() for s in sums]

    def refine(self, f, steps=80):
        """Newton on the semi-dual in high precision from potentials of double precision; returns (f, g)."""
        f = [x.mid() for x in f]
        g = [x.mid() for x in self.columns_exact(f)]
        value, n = self.dual(f, g), len(f)
        for _ in range(steps):
            P = {arc: p.mid() for arc, p in self.plan(f, g).items()}
            rows, columns = self.sums(P)
            weights = (
                self.a if self.tau_a is None else [w * (-x / self.tau_a).exp() for w, x in zip(self.a, f)]
            )
            residual = [(w - r).mid() for w, r in zip(weights, rows)]
            if total(abs(x) for x in residual) < arb(2) ** -(BITS * 2 // 3) * total(rows):
                break
            S = arb_mat(n, n)
            for i in range(n):
                diagonal = rows[i] * (1 + arb(2) ** -(BITS * 2 // 3))
                S[i, i] = diagonal + (0 if self.tau_a is None else self.reg / self.tau_a * weights[i])
            slack = arb(1) if self.tau_b is None else 1 + self.reg / self.tau_b
            for (i, j), p in P.items():
                for k in range(n):
                    if (k, j) in P:
                        S[i, k] -= p * P[k, j] / (columns[j] * slack)
            if self.balanced:  # the null vector 1
                for i in range(n):
                    for k in range(n):
                        S[i, k] += total(rows) / n**2
            try:
                step = S.mid().solve(arb_mat([[x] for x in residual]))
            except ZeroDivisionError:
                break
            longest = max(float(abs(step[i, 0])) for i in range(n))
            length = arb(min(1.0, 60 / longest)) if longest > 0 else arb(1)
            for _ in range(40):
                moved = [(x + length * self.reg * step[i, 0]).mid() for i, x in enumerate(f)]
                answer = [x.mid() for x in self.columns_exact(moved)]
                reached = self.dual(moved, answer)
                if reached.mid() >= value.mid():
                    break
                length /= 2
            else:
                break
            f, g, value = moved, answer, reached
        return f, g

    def optimum(self, f, g, lam=0.0):
        """(low, high) balls around the optimal value, from potentials near the optimal ones; high None: not found."""
        f, g, lam = [x.mid() for x in f], [x.mid() for x in g], arb(lam)
        if self.mass is None:
            f, g = self.refine(f)
        feasible = self.feasible(self.plan(f, g, lam))
        return self.dual(f, g, lam), None if feasible is None else self.primal(feasible)

    def linear_low(self, f):
        """A lower bound of the unregularised problem: f made feasible by two hard transforms (not for partial)."""
        columns = [min_(*[c - f[i] for (i, k), c in self.arcs.items() if k == j]) for j in range(len(self.b))]
        rows = [
            min_(*[c - columns[k] for (j, k), c in self.arcs.items() if j == i]) for i in range(len(self.a))
        ]
        value = arb(0)
        for tau, weights, potential in ((self.tau_a, self.a, rows), (self.tau_b, self.b, columns)):
            if tau is None:
                value += total(x * w for x, w in zip(potential, weights))
            else:
                value -= tau * total(w * (-x / tau).expm1() for x, w in zip(potential, weights))
        return value

    def linear_high(self, P):
        """The unregularised objective at a plan that satisfies the hard constraints."""
        return self.cost(P) + self.penalties(P)


def min_(*balls):
    """A ball around the smallest of some."""
    result = balls[0]
    for ball in balls[1:]:
        result = arb.min(result, ball)
    return result


def shrink(weight, sum_):
    """An exact factor at most min(1, weight / sum), a hair below it."""
    factor = min_(arb(1), weight / sum_)
    return (factor.lower() * (1 - arb(2) ** -(BITS - 40))).mid()
