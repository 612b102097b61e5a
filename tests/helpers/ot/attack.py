"""Attack certificates: hostile small problems, hostile payloads, and the statements that must hold of each certificate.

What is certified is compared with Arb enclosures of the optimal value (`extended`) and with the linear program's optimum
in rational numbers (`lp`).  Nothing here knows how the package computes its bounds.
"""

import dataclasses
import math
from fractions import Fraction

import numpy as np

from helpers.ot import extended, lp, reference

UNIT = 2.0**-53
LAZY = 100.0
"""A solved problem's bound is at most this many times its true error, or the floor of double precision."""


@dataclasses.dataclass(frozen=True)
class Attack:
    """One problem: what `solvent.ot.solve` gets."""

    family: str
    C: np.ndarray
    a: np.ndarray
    b: np.ndarray
    reg: float
    unbalanced: tuple | None = None
    mass: float | None = None
    points: tuple | None = None
    """(X, Y, cost, p): the costs are theirs, and C what floats make of them."""

    def solve(self, ot, **keywords):
        """What `solvent.ot` answers."""
        keywords |= {"reg": self.reg, "unbalanced": self.unbalanced, "mass": self.mass}
        if self.points is None:
            return ot.solve(self.C, self.a, self.b, **keywords)
        X, Y, cost, p = self.points
        return ot.solve_points(X, Y, self.a, self.b, cost=cost, p=p, **keywords)

    def certify(self, result):
        """The certificate of the potentials that a result holds now."""
        return result.certify(*(self.points[:2] if self.points else (self.C,)), self.a, self.b)

    def exact(self):
        """The problem in ball arithmetic."""
        tau_a, tau_b = self.unbalanced or (math.inf, math.inf)
        costs = extended.ground_costs(*self.points) if self.points else None
        return extended.Problem(self.C, self.a, self.b, self.reg, tau_a, tau_b, self.mass, costs)

    def record(self):
        """Everything needed to repeat it, floats in hexadecimal."""
        return {
            "family": self.family,
            "dtype": str(self.C.dtype),
            "C": [[float(x).hex() for x in row] for row in self.C],
            "a": [x.hex() for x in self.a.tolist()],
            "b": [x.hex() for x in self.b.tolist()],
            "reg": float(self.reg).hex(),
            "unbalanced": self.unbalanced,
            "mass": self.mass,
            "points": self.points
            and [[[float(x).hex() for x in point] for point in cloud] for cloud in self.points[:2]]
            + list(self.points[2:]),
        }


# --- problems ----------------------------------------------------------------------------------------------------------


def _size(rng, most=4):
    return int(rng.integers(1, most + 1)), int(rng.integers(1, most + 1))


def _log(rng, low, high, size=None):
    return 10.0 ** rng.uniform(low, high, size)


def _spread(C):
    finite = C[np.isfinite(C)]
    return float(np.ptp(finite)) or 1.0


def _share(rng, n):
    return rng.dirichlet(np.ones(n)) + 1e-3


def _matched(a, b):
    """b scaled to a's sum as well as floats can."""
    return a, b * (math.fsum(a) / math.fsum(b))


def _build(family, rng, C, a, b, low=-3.0, high=0.0):
    a, b = _matched(a, b)
    return Attack(family, C, a, b, float(_log(rng, low, high)) * _spread(C))


def _random(rng):
    n, m = _size(rng)
    return rng.random((n, m)), _share(rng, n), _share(rng, m)


def plain(rng):
    return _build("plain", rng, *_random(rng))


def tiny_reg(rng):
    return _build("tiny_reg", rng, *_random(rng), low=-6.0, high=-3.0)


def skewed(rng):
    C, a, b = _random(rng)
    return _build("skewed", rng, C, _log(rng, -12, 0, a.size), _log(rng, -12, 0, b.size), low=-5.0)


def vanishing(rng):
    """Weights down to 1e-290 beside ordinary ones."""
    C, a, b = _random(rng)
    a[rng.random(a.size) < 0.4] *= 1e-290
    b[rng.random(b.size) < 0.4] *= 1e-290
    a[-1], b[0] = 0.5, 0.5
    return _build("vanishing", rng, C, a, b)


def mass(rng):
    C, a, b = _random(rng)
    scale = _log(rng, -6, 6)
    return _build("mass", rng, C, a * scale, b * scale)


def ulps(rng):
    """Weights an ulp apart, costs of 1e16: a rounding error of the marginals costs whole units."""
    C, a, b = _random(rng)
    a = np.full(a.size, 1 / a.size)
    b = np.full(b.size, 1 / b.size)
    a = a + rng.integers(-1, 2, a.size) * np.spacing(a)
    b = b + rng.integers(-1, 2, b.size) * np.spacing(b)
    C = np.round(C * 8) * float(rng.choice([1.0, 1e8, 1e16]))
    return Attack("ulps", C, a, b, float(_log(rng, -4, 0)) * _spread(C))


def rank_one(rng):
    """C = alpha + beta or alpha beta^T: every plan is optimal, or nearly."""
    _, a, b = _random(rng)
    x, y = rng.normal(size=a.size), rng.normal(size=b.size)
    C = x[:, None] + y if rng.random() < 0.5 else np.outer(x, y)
    return _build("rank_one", rng, C, a, b, low=-4.0)


def negative(rng):
    C, a, b = _random(rng)
    return _build("negative", rng, -C * float(_log(rng, -3, 3)), a, b)


def offset(rng):
    C, a, b = _random(rng)
    return _build("offset", rng, C + float(rng.choice([-1, 1])) * float(_log(rng, 3, 8)), a, b)


def ties(rng):
    C, a, b = _random(rng)
    n, m = C.shape
    C = rng.integers(0, 3, (n, m)).astype(float)
    if rng.random() < 0.5:
        a, b = np.full(n, 1 / n), np.full(m, 1 / m)
    return _build("ties", rng, C, a, b, low=-6.0)


def forbidden(rng):
    """+inf arcs around a random coupling; half of the time the coupling's support alone is open: nearly infeasible."""
    n, m = _size(rng)
    flow = np.zeros((n, m))
    index = np.arange(max(n, m))
    flow[index % n, index % m] = _log(rng, -3, 0, index.size)
    flow *= 1 + (rng.random((n, m)) < 0.3)
    C = rng.random((n, m))
    closed = (flow == 0) & (rng.random((n, m)) < rng.choice([0.5, 1.0]))
    C[closed] = np.inf
    return _build("forbidden", rng, C, flow.sum(1), flow.sum(0), low=-4.0)


def infeasible(rng):
    """Hall's condition broken or nearly so: some rows reach one column only, which holds less, or a hair more."""
    n, m = int(rng.integers(2, 4)), int(rng.integers(2, 4))
    rows = int(rng.integers(1, n))
    C, a, b = rng.random((n, m)), _share(rng, n), _share(rng, m)
    C[:rows, 1:] = np.inf
    b[0] = math.fsum(a[:rows]) * (1 - float(rng.choice([1, 1, -1])) * float(_log(rng, -9, -0.1)))
    b[1:] *= max(math.fsum(a) - b[0], 1e-3) / math.fsum(b[1:])
    a[rows:] *= (math.fsum(b) - math.fsum(a[:rows])) / math.fsum(a[rows:])
    return _build("infeasible", rng, C, a, b, low=-2.0)


def zeros(rng):
    C, a, b = _random(rng)
    a[rng.random(a.size) < 0.4] = 0
    b[rng.random(b.size) < 0.4] = 0
    a[0] += 0.1
    b[-1] += 0.1
    return _build("zeros", rng, C, a, b, low=-4.0)


def single(rng):
    """float32 costs: the given numbers are exact."""
    C, a, b = _random(rng)
    return _build("single", rng, C.astype(np.float32), a, b)


def unbalanced(rng):
    C, a, b = _random(rng)
    tau = tuple(float(x) for x in rng.choice([1e-3, 0.1, 1.0, 30.0, 1e3], 2))
    scale = float(_log(rng, -1, 1))
    return Attack("unbalanced", C, a, b * scale, float(_log(rng, -3, 0)), tau)


def one_sided(rng):
    """One hard marginal, one penalty."""
    C, a, b = _random(rng)
    tau = (math.inf, float(rng.choice([0.1, 1.0, 1e3])))
    if rng.random() < 0.5:
        tau = tau[::-1]
    return Attack("one_sided", C, a, b * float(_log(rng, -1, 1)), float(_log(rng, -3, 0)), tau)


def partial(rng):
    n, m = _size(rng, 2) if rng.random() < 0.5 else _size(rng)
    a, b = _share(rng, n), _share(rng, m) * float(_log(rng, -1, 1))
    least = min(math.fsum(a), math.fsum(b))
    moved = least * float(rng.choice([1e-3, rng.random(), 1 - 1e-9, 1.0]))
    return Attack("partial", rng.random((n, m)), a, b, float(_log(rng, -2, 0)), None, moved)


def left_out(rng):
    """Clouds with points so far off that a plan with penalties has nothing there."""
    n, m = _size(rng, 2) if rng.random() < 0.5 else _size(rng)
    x, y = rng.random(n), rng.random(m)
    x[0] += float(_log(rng, 0, 4))
    if rng.random() < 0.5:
        y[0] -= float(_log(rng, 0, 4))
    C, a, b = (x[:, None] - y) ** 2, _share(rng, n), _share(rng, m)
    tau = [(1.0, 1.0), (0.02, 0.5), (0.1, np.inf)][int(rng.integers(3))]
    if np.isinf(tau[1]):
        C = np.minimum(C, 10.0)
    return Attack("left_out", C, a, b, float(_log(rng, -2, 0)), tau, None)


def points(rng):
    """Clouds, some far from the origin, some with coinciding points, in either precision."""
    (n, m), d = _size(rng), int(rng.integers(1, 5))
    cost = str(rng.choice(["sqeuclidean", "euclidean", "l1", "cosine", "lp"]))
    X, Y = rng.normal(size=(n, d)), rng.normal(size=(m, d))
    if rng.random() < 0.3:
        Y[0] = X[-1]
    if cost != "cosine":
        scale, shift = float(_log(rng, -3, 3)), float(rng.choice([0.0, 0.0, 1e3, 1e6]))
        X, Y = scale * X + shift, scale * Y + shift
    if rng.random() < 0.3:
        X, Y = X.astype(np.float32), Y.astype(np.float32)
    p = float(rng.choice([1.0, 1.5, 2.0, 3.0])) if cost == "lp" else None
    with extended.precision():
        C = np.array([[float(extended.ground_costs([x], [y], cost, p)[0, 0]) for y in Y] for x in X])
    a, b = _matched(_share(rng, n), _share(rng, m))
    tau = None if rng.random() < 0.7 else (1.0, 0.3)
    return Attack("points", C, a, b, float(_log(rng, -3, 0)) * _spread(C), tau, None, (X, Y, cost, p))


FAMILIES = {
    make.__name__: make
    for make in (
        plain, tiny_reg, skewed, vanishing, mass, ulps, rank_one, negative, offset, ties, forbidden, infeasible, zeros,
        single,
        unbalanced, one_sided, left_out, partial, points,
    )
}  # fmt: skip


# --- payloads ----------------------------------------------------------------------------------------------------------


def payloads(rng, attack, result):
    """(name, result) pairs: potentials near the solved ones, far from them, and absurd."""
    f, g = np.asarray(result.f), np.asarray(result.g)

    def noisy(size):
        return f + size * rng.normal(size=f.size), g + size * rng.normal(size=g.size)

    near = attack.reg * float(_log(rng, -14, -3))
    far = attack.reg * float(_log(rng, -3, 3))
    shift = float(rng.choice([-1, 1])) * float(_log(rng, 0, 12))
    huge = float(rng.choice([-1, 1])) * 1e7 * attack.reg
    pairs = {
        "near": noisy(near),
        "far": noisy(far),
        "shifted": (f + shift, g - shift),
        "zero": (np.zeros_like(f), np.zeros_like(g)),
        "overflow": (np.full_like(f, huge), g),
        "one": (np.where(np.arange(f.size) == 0, f + huge, f), g),
    }
    for name, (u, v) in pairs.items():
        yield name, dataclasses.replace(result, f=u, g=v)


# --- statements --------------------------------------------------------------------------------------------------------


class Truth:
    """What is known of a problem without the package: enclosures of both optima."""

    def __init__(self, attack, result):
        self.attack = attack
        with extended.precision():
            self.problem = attack.exact()
            self.low, self.high = self._best(result)
            self.linear_low, self.linear_high = self._linear()

    @property
    def tight(self):
        """Whether the optimum is known far beyond double precision."""
        if self.low is None or self.high is None:
            return False
        with extended.precision():
            width = (self.high - self.low).abs_upper()
            return bool(width < 1e-22 * (extended.arb(self.problem.spread) + abs(self.low)))

    def _best(self, result):
        """The tighter bracket of two starts: the reference solver's potentials, and those under test."""
        best, attack, problem = None, self.attack, self.problem
        for start in (self._reference, lambda: (*problem.restrict(result.f, result.g), self._lam(result))):
            try:
                low, high = problem.optimum(*start())
            except (ValueError, ZeroDivisionError, FloatingPointError, np.linalg.LinAlgError):
                continue  # a start at infinity: the other one decides
            low = low if low.is_finite() else None
            high = high if high is not None and high.is_finite() else None
            if low is None:
                continue
            if best is None:
                best = low, high
            else:
                highs = [h for h in (best[1], high) if h is not None]
                best = type(low).max(best[0], low), extended.min_(*highs) if highs else None
            if best[1] is not None and best[1] - best[0] < 1e-25 * (1 + abs(attack.reg)):
                break
        return best or (None, None)

    @staticmethod
    def _lam(result):
        return result.lam if math.isfinite(result.lam) else 0.0

    def _reference(self):
        C, a, b, reg = self.problem.floats
        with np.errstate(all="ignore"):
            if self.attack.mass is not None:
                f, g, lam = reference.partial(C, a, b, reg, self.attack.mass, sweeps=500)
            elif self.attack.unbalanced is not None:
                f, g, lam = *reference.unbalanced(C, a, b, reg, *self.attack.unbalanced), 0.0
            else:
                f, g, lam = *reference.balanced(C, a, b * (a.sum() / b.sum()), reg), 0.0
        if not (np.all(np.isfinite(f)) and np.all(np.isfinite(g))):
            raise ValueError("the reference solver left the finite numbers")
        return [extended.arb(x) for x in f.tolist()], [extended.arb(x) for x in g.tolist()], lam

    def _linear(self):
        """(low, high) of the unregularised optimum; the same rational number twice where enumeration is cheap."""
        C, a, b, _ = self.problem.floats
        if self.attack.mass is not None:
            if max(C.shape) > 2:
                return None, None
            optimum = lp.optimum_partial(C, a, b, self.attack.mass)
        elif self.attack.unbalanced is not None or self.attack.points is not None:
            start = self._start()
            plan = None if start is None else self.problem.feasible(self.problem.plan(*start))
            if plan is None:
                return None, None
            return self.problem.linear_low(start[0]), self.problem.linear_high(plan)
        else:
            if max(C.shape) > 3:
                return None, None
            optimum = lp.optimum(C, a, b)
        if optimum is None:
            return None, None
        ball = extended.arb(optimum.numerator) / extended.arb(optimum.denominator)
        return ball, ball

    def _start(self):
        """Potentials of the reference solver, refined; None where it fails."""
        try:
            f, _, _ = self._reference()
        except (ValueError, FloatingPointError, np.linalg.LinAlgError):
            return None
        return self.problem.refine(f)


@dataclasses.dataclass
class Verdict:
    """What is wrong with a certificate, and how tight it is."""

    violations: list
    use: float
    """Error of the dual value over its allowance in `lower` (nan: not comparable)."""
    slack: float
    """bound / max(true error, floor)."""


def judge(truth, result, certificate):
    """Every statement that the certificate makes about the potentials that `result` holds."""
    wrong = []
    with extended.precision():
        problem, parts = truth.problem, certificate.parts
        f, g = problem.restrict(result.f, result.g)
        lam = extended.arb(truth._lam(result))
        value = problem.dual(f, g, lam)
        error = sum(problem.residuals(f, g, lam), extended.arb(0))
        P = problem.plan(f, g, lam)
        M = problem.scale(P)
        spread = extended.arb(problem.spread)

        def claim(holds, text):
            if not holds:
                wrong.append(text)

        bound = certificate.bound
        claim(bound >= 0, f"bound = {bound}")
        claim(not parts["lower"] > parts["upper"], f"lower {parts['lower']!r} > upper {parts['upper']!r}")
        if truth.high is not None:
            claim(not truth.high < _ball(parts["lower"]), f"lower {parts['lower']!r} > optimum {truth.high}")
        if truth.low is not None:
            claim(not truth.low > _ball(parts["upper"]), f"upper {parts['upper']!r} < optimum {truth.low}")
        for name, side in (("unreg_lower", truth.linear_high), ("unreg_upper", truth.linear_low)):
            if side is not None and name in parts:
                against = _ball(parts[name])
                bad = side < against if name == "unreg_lower" else side > against
                claim(not bad, f"{name} {parts[name]!r} beyond the linear optimum {side}")
        if math.isfinite(bound):
            claim(not error > bound * M, f"bound {bound!r} below the marginal error {error / M}")
            if truth.low is not None and math.isfinite(bound):
                claim(
                    not truth.low - value > bound * M * spread,
                    f"bound {bound!r} below the gap {(truth.low - value) / (M * spread)}",
                )
        deficit = None if truth.low is None else (truth.low - value) / (M * spread)
        if problem.mass is None and not problem.balanced and error.is_finite():
            # A steep penalty makes the nearest feasible plan that much worse than the potentials: no laziness.
            deficit = (problem.primal(problem.feasible(P)) - value) / (M * spread)
        worst = float((error / M).upper()) if error.is_finite() and M > 0 else math.inf
        if deficit is not None and deficit.is_finite():
            worst = max(worst, float(deficit.upper()))
        floor = _floor(problem, f, g, lam, P, M) + _cost_rounding(truth.attack, problem)
        slack = bound / max(worst, floor) if math.isfinite(worst) else math.nan
    return Verdict(wrong, _use(result, value, parts), slack)


def _ball(x):
    if math.isnan(x):
        raise AssertionError("a part of the certificate is nan")
    return extended.arb(x)


def _floor(problem, f, g, lam, P, M):
    """What double precision allows for these potentials: the larger floor of the marginals' part and of the gap's part."""
    summed = extended.total(
        p * (UNIT * (2 * abs(f[i] + g[j]) + 6 * abs(f[i] + g[j] + lam - problem.arcs[i, j])) + 8 * UNIT * problem.reg)
        # Weights are folded into potentials, which rounds those.
        + p * UNIT * (abs(f[i]) + abs(g[j]))
        for (i, j), p in P.items()
    )  # fmt: skip
    if not M > 0:
        return 4 * UNIT
    dual = extended.total(abs(x) * w for x, w in zip([*f, *g], [*problem.a, *problem.b]))
    cost = extended.total(abs(problem.arcs[arc]) * p for arc, p in P.items())
    smallest = extended.min_(*problem.a) * extended.min_(*problem.b)
    level = 40 + (M * M / smallest).log()
    marginals = 2 * summed / (problem.reg * M) + 4 * UNIT
    gap = summed + 8 * UNIT * (dual + cost + 4 * problem.reg * M) + 16 * UNIT * M * problem.reg * level
    floor = marginals + (gap + _penalty_rounding(problem, P, M)) / (M * problem.spread)
    return float(floor.upper()) if floor.is_finite() else math.inf


def _cost_rounding(attack, problem):
    """What computing the costs from points allows: their error over the spread, and over reg in the plan."""
    if attack.points is None:
        return 0.0
    X, Y, cost, _ = attack.points
    both = np.concatenate([X, Y]).astype(float)
    largest = float(np.abs(attack.C).max())
    if cost == "sqeuclidean":  # by a product of matrices, after centring
        largest = (2 * np.linalg.norm(both - both.mean(0), axis=1).max()) ** 2
    elif cost == "cosine":
        largest = 1.0
    error = (both.shape[1] + 30) * UNIT * largest
    return 2 * error * (1 / problem.spread + 1 / attack.reg)


def _penalty_rounding(problem, P, M):
    """What the penalties' slopes make of a relative error of a few u in the marginals."""
    rounding, hard = extended.arb(0), problem.tau_a is None or problem.tau_b is None
    for tau, weights, sums in zip((problem.tau_a, problem.tau_b), (problem.a, problem.b), problem.sums(P)):
        if tau is None:
            continue
        slopes = [abs((s / w).log()) for s, w in zip(sums, weights) if s > 0]
        if not slopes:
            continue
        rounding += 8 * UNIT * tau * sum((s * x for s, x in zip(sums, slopes)), extended.arb(0))
        if hard:  # mass moved on the hard side shifts the soft side's sums
            rounding += 16 * UNIT * M * tau * -extended.min_(*[-x for x in slopes])
    return rounding


def _use(result, value, parts):
    """Error of the computed dual value over what `lower` allows for it; above 1 the allowance is too small."""
    allowed = result.value - parts["lower"]
    if not (math.isfinite(result.value) and allowed > 0) or result.certificate.parts is not parts:
        return math.nan  # a payload that was put in afterwards: `value` is not its value
    return float(((_ball(result.value) - value) / allowed).mid())


def trials(rng, attack, ot):
    """(name, result, certificate) of one problem: solved, interrupted, then with other potentials put in."""
    result = attack.solve(ot)
    yield "solved", result, result.certificate
    short = attack.solve(ot, maxiter=int(rng.integers(1, 41)), tol=0)
    yield "interrupted", short, short.certificate
    for name, changed in payloads(rng, attack, result):
        yield name, changed, attack.certify(changed)


def outcome(attack, result):
    """What is wrong with the outcome of a balanced problem with forbidden arcs, by rational numbers."""
    problem, wrong = attack.exact(), []
    C, a, b, _ = problem.floats
    if not problem.balanced or attack.points or np.isfinite(C).all():
        return wrong
    # Weights that are sums of the same flows in another order are off by ulps: no one can mean that.
    if result.success and lp.excess(C, a, b) > 8 * UNIT:
        wrong.append("success, but no coupling avoids the forbidden arcs")
    if result.status == "infeasible":
        if result.ray is None:
            return [*wrong, "infeasible without a ray"]
        a, b = ([Fraction(x) for x in side] for side in (attack.a, attack.b))
        u, v = ([Fraction(float(x)) for x in side] for side in result.ray)
        ratio = Fraction(sum(a), 1) / sum(b)
        excess = sum(x * y for x, y in zip(u, a)) + ratio * sum(x * y for x, y in zip(v, b))
        if excess <= 0:
            wrong.append(f"the ray proves nothing: its excess is {float(excess)!r}")
        if any(u[i] + v[j] > 0 for i, j in zip(*np.nonzero(np.isfinite(attack.C)))):
            wrong.append("the ray breaks a constraint of the dual's recession cone")
    return wrong


def run(rng, family, ot):
    """Attack one problem of a family; a JSON-able row with every violation, and the problem itself if there is one."""
    attack = FAMILIES[family](rng)
    row = {"status": "", "payloads": 0, "tight": False, "use": None, "slack": None, "violations": []}
    truth = None
    for name, result, certificate in trials(rng, attack, ot):
        if truth is None:
            truth = Truth(attack, result)
            row["status"], row["tight"] = result.status, truth.tight
        verdict = judge(truth, result, certificate)
        row["payloads"] += 1
        wrong = list(verdict.violations)
        if name in ("solved", "interrupted"):
            wrong += outcome(attack, result)
        if name == "solved" and result.success and math.isfinite(verdict.slack):
            row["slack"] = verdict.slack
            if verdict.slack > LAZY:
                wrong.append(
                    f"lazy: bound {certificate.bound!r} is {verdict.slack:.3g} times what is true or possible"
                )
        if math.isfinite(verdict.use):
            row["use"] = max(verdict.use, row["use"] or -math.inf)
        if wrong:
            row["violations"].append(
                {"payload": name, "claims": wrong, "f": [float(x).hex() for x in result.f],
                 "g": [float(x).hex() for x in result.g], "status": result.status}
            )  # fmt: skip
    if row["violations"]:
        row["problem"] = attack.record()
    return row
