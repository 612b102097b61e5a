"""Attacks on the certificates of `solvent.monotone`, one problem at a time: what `tools/attack_monotone.py` runs by the
thousand and the tests in samples. Judges: exact rationals for programs and games, long double for operators."""

import dataclasses
from fractions import Fraction

import numpy as np

from helpers import games, inclusions
from helpers import linear_programs as lp
from solvent.monotone import Product, Simplex, linprog, matrix_game, solve_inclusion


@dataclasses.dataclass(frozen=True)
class Found:
    """What became of a problem: its status, the certificates judged, the largest bound / truth, and false claims."""

    status: str
    certificates: int
    slack: float
    violations: list


class Judge:
    """Collects claims that do not hold."""

    def __init__(self):
        self.count, self.slack, self.violations = 0, 0.0, []

    def claim(self, holds, words):
        if not holds:
            self.violations.append(words)

    def found(self, status):
        return Found(status, self.count, self.slack, self.violations)


# --- linear programs ------------------------------------------------------------------------------------------


def signed(program, y):
    """y without the signs of infinite limits."""
    _, _, lc, uc, _, _ = program
    return np.where((y > 0) & (lc == -lp.INF) | (y < 0) & (uc == lp.INF), 0.0, y)


def judge_point(judge, program, result, x, y):
    """The kkt certificate of any point."""
    held = dataclasses.replace(result.certificate, kind="kkt")
    judged = dataclasses.replace(result, x=x, y=y, ray=None, certificate=held).certify(**lp.keywords(program))
    judge.count += 1
    for part, value in zip(("primal", "dual", "gap"), lp.kkt(program, x, signed(program, y)), strict=True):
        bound = judged.parts[part]
        judge.claim(value <= bound, f"{part} {bound!r} < {value!r}")
        # Reduced costs enter the dual objective as doubles: that rounding, times the terms, is allowed for.
        rounding = 1e-13 + 1.2e-16 * lp.magnitude(program, x, y)
        judge.claim(bound <= 3 * value + rounding, f"{part} {bound!r} is lazy: {value!r}")
        if value > 1e-12:
            judge.slack = max(judge.slack, bound / value)
    return judged


def judge_program(judge, program, result):
    """Whatever a run says is so."""
    judge.count += 1
    certificate = result.certificate
    judge.claim(result.success == (result.status == 0), f"success with status {result.status}")
    if certificate.kind == "kkt":
        truth = max(lp.kkt(program, result.x, signed(program, result.y)))
        judge.claim(truth <= certificate.bound, f"bound {certificate.bound!r} < {truth!r}")
    elif certificate.kind == "farkas":
        value, violation = lp.farkas(program, result.ray)
        parts = certificate.parts
        judge.claim(parts["value"] <= value and violation <= parts["violation"], "farkas parts")
        if result.status == 2:
            judge.claim(certificate.bound == 0 < value, "farkas without proof")
            judge.claim(violation == 0 or parts["implied"] == 1, "farkas with a violation")
        elif violation:
            judge.claim(parts["radius"] <= value / violation * (1 + Fraction(1, 2**40)), "radius")
    else:
        descent, violation = lp.recession(program, result.ray)
        judge.claim(descent > 0 and violation <= certificate.parts["violation"], "recession parts")
        judge.claim(result.status == 4 or violation == 0, "recession with a violation")
        judge.claim(result.status != 3 or lp.is_feasible(program, result.x), "not a feasible point")


def program(rng):
    """A hostile program, its proof, and any points."""
    judge, data = Judge(), lp.hostile(rng)
    result = linprog(**lp.keywords(data), presolve=bool(rng.random() < 0.5), maxiter=20_000, workers=1)
    judge_program(judge, data, result)
    m, n = data[1].shape
    short = linprog(**lp.keywords(data), maxiter=64, tol=0, workers=1)
    judge_program(judge, data, short)
    for _ in range(3):
        x = rng.normal(size=n) * 10.0 ** rng.integers(-8, 9, n)
        y = rng.normal(size=m) * 10.0 ** rng.integers(-8, 9, m)
        if rng.random() < 0.5:
            x, y = np.round(x), np.round(y)
        judge_point(judge, data, short, x, y)
    return judge.found(result.status_name)


def solvable(kind):
    """A feasible and bounded program: it must be solved, and objective_lower must be below the planted optimum."""

    def run(rng):
        judge = Judge()
        m, n = int(rng.integers(1, 25)), int(rng.integers(2, 33))
        if kind == "planted":
            data, x, _, _ = lp.with_solution(rng, m, n)
            # The planted dual point is a lower bound, the planted x an upper one; both are exact rationals.
            upper = sum(
                (Fraction(float(c)) * Fraction(float(v)) for c, v in zip(data[0], x, strict=True)),
                Fraction(0),
            )
        else:
            data, upper = lp.bounded(rng, kind, m, n), None
        result = linprog(**lp.keywords(data), presolve=bool(rng.random() < 0.5), workers=1)
        judge.claim(result.success, f"missed: {result.status_name}, bound {result.certificate.bound:.1e}")
        judge_program(judge, data, result)
        nudged = result.x * (1 + 1e-6 * rng.normal(size=result.x.size))
        judged = judge_point(
            judge, data, result, nudged, result.y * (1 + 1e-6 * rng.normal(size=result.y.size))
        )
        if upper is not None and lp.is_feasible(data, x):
            for certificate in (judged, result.certificate):
                lower = certificate.parts["objective_lower"]
                judge.claim(not np.isfinite(lower) or Fraction(lower) <= upper, "objective_lower")
        return judge.found(result.status_name)

    return run


def far(rng):
    """Bounds that are finite but far: converged, or at the rounding of the reduced costs, and never more than is true."""
    judge = Judge()
    m, n = int(rng.integers(1, 16)), int(rng.integers(2, 24))
    data, x = lp.far(rng, m, n)
    result = linprog(**lp.keywords(data), presolve=bool(rng.random() < 0.5), maxiter=200_000, workers=1)
    ended = result.status_name in ("converged", "rounding_floor")
    judge.claim(ended, f"missed: {result.status_name}, bound {result.certificate.bound:.1e}")
    judge_program(judge, data, result)
    # The active set's own reduced costs, and such as point either way by a few roundings.
    for y in (result.y, result.y * (1 + 4e-16 * rng.normal(size=m))):
        judged = judge_point(judge, data, result, result.x, y)
        lower = judged.parts["objective_lower"]
        upper = sum(
            (Fraction(float(a)) * Fraction(float(b)) for a, b in zip(data[0], x, strict=True)), Fraction(0)
        )
        if np.isfinite(lower) and lp.is_feasible(data, x):
            judge.claim(Fraction(lower) <= upper, "objective_lower")
    return judge.found(result.status_name)


# --- games ----------------------------------------------------------------------------------------------------


def game(rng):
    """A hostile game: its value by enumeration, and the exact gap of the solver's and other strategies."""
    judge = Judge()
    n, m = (int(v) for v in rng.integers(1, 5, 2))
    M = games.payoffs(rng, (n, m), games.KINDS[rng.integers(len(games.KINDS))])
    method = ["auto", "ipm", "halpern"][rng.integers(3)]
    result = matrix_game(M, method=method, maxiter=60, workers=1)
    size = Fraction(float(np.abs(M).max())) or Fraction(1)
    error = abs(games.exact_value(M) - Fraction(result.value))
    judge.claim(error <= Fraction(result.certificate.bound) * size, "value outside the bound")
    for k in range(3):
        x, y = result.x, result.y
        if k:
            x = games.strategies(rng, n, games.WEIGHTS[rng.integers(len(games.WEIGHTS))], x)
            y = games.strategies(rng, m, games.WEIGHTS[rng.integers(len(games.WEIGHTS))], y)
        lower, upper = games.exact_ends(M, x, y)
        judged = dataclasses.replace(result, x=x, y=y)
        bound, value = Fraction(judged.certify(M).bound) * size, Fraction(judged.value)
        truth = max(upper, value) - min(lower, value)
        judge.count += 1
        judge.claim(truth <= bound, f"gap {float(truth)!r} > {float(bound)!r}")
        judge.claim(
            bound <= truth * (1 + Fraction(1, 2**40)) + size / 2**80 + Fraction(1, 2**1060), "lazy gap"
        )
        if truth:
            judge.slack = max(
                judge.slack, float(min(bound / truth, Fraction(10**9))) if truth > size / 10**12 else 0
            )
    return judge.found(result.status)


# --- operators ------------------------------------------------------------------------------------------------


def inclusion(rng):
    """A hostile operator on a box, solved by some method; then any point."""
    judge = Judge()
    kinds, sets = ("logistic", "tilted", "skew", "game"), ("free", "orthant", "wide", "fixed", "half")
    F, value, d = inclusions.operator(rng, kinds[rng.integers(4)])
    prox, lo, hi = inclusions.box(rng, d, sets[rng.integers(5)])
    methods = ["auto", "halpern", "extragradient", "ogda"] + ["vr-halpern"] * (F.n > 1)
    result = solve_inclusion(
        F, prox, method=methods[rng.integers(len(methods))], maxiter=60, rng=1, workers=1
    )
    points = [
        result,
        dataclasses.replace(result, x=np.clip(10.0 ** rng.uniform(-5, 5) * rng.normal(size=d), lo, hi)),
    ]
    for point in points:
        certificate = point.certify(F, prox)
        judge.count += 1
        if certificate.parts.get("infeasibility", 0.0) == 0.0 and np.isfinite(point.x).all():
            truth = inclusions.box_residual(value(point.x), point.x, lo, hi)
            absolute = certificate.bound * certificate.parts["scale"]
            judge.claim(truth <= absolute * (1 + 1e-15), f"residual {float(truth)!r} > {absolute!r}")
            if point is result and truth > 1e-3 * certificate.parts["scale"]:
                judge.slack = max(judge.slack, absolute / float(truth))
    return judge.found(result.status)


def players(rng):
    """A game as an inclusion on two simplices: the residual in long double, against the caller's own projection."""
    judge = Judge()
    n, m = (int(v) for v in rng.integers(1, 9, 2))
    from solvent.monotone import MatrixGame

    M = rng.normal(size=(n, m)) if rng.random() < 0.5 else rng.integers(-2, 3, (n, m)).astype(float)
    F, G = MatrixGame(M), Product([(Simplex(), n), (Simplex(), m)])
    result = solve_inclusion(F, G, workers=1)
    judge.count += 1
    judge.claim(result.success, f"missed: {result.status}, bound {result.certificate.bound:.1e}")
    x, t = result.x, 0.7
    gap = np.linalg.norm(x - G(x - t * F(x), t))
    absolute = result.certificate.bound * result.certificate.parts["scale"]
    judge.claim(gap <= t * absolute * (1 + 1e-9) + 1e-14, f"residual {gap / t!r} > {absolute!r}")
    return judge.found(result.status)


FAMILIES = {
    "program": program,
    "game": game,
    "inclusion": inclusion,
    "players": players,
    "lp far": far,
    **{f"lp {kind}": solvable(kind) for kind in lp.BOUNDED},
}
