"""Levels of SIMD: sums are cut differently, and nothing else. Answers agree to 1e-12 of their size."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest

LEVELS = ("v2", "v3", "v4")
SCRIPT = """
import json, sys
import numpy as np
import scipy.sparse as sp
from helpers import inclusions as make
from solvent.monotone import *

rng = np.random.default_rng(int(sys.argv[1]))
A, b = make.logistic(rng, 3000)
sparse = sp.csr_array(np.where(rng.random(A.shape) < 0.5, A, 0.0))
B, c, _ = make.tilted_sum(rng, 400)
S, s, _ = make.skew_sum(rng, 400)
M = rng.normal(size=(70, 50))
K = sp.random_array((60, 90), density=0.2, rng=rng, format="csr")
cost, demand = rng.random((9, 90)) + 0.1, 0.3 * (K @ np.ones(90)) * rng.random((9, 60))

def inclusion(F, G=None, method="auto"):
    # Few passes: what rounding has begun grows with every step.
    return solve_inclusion(F, G, method=method, maxiter=6, tol=0, rng=1).x

out = {
    "logistic": inclusion(LogisticRegression(A, b, 1e-2)),
    "logistic, sparse, boxed": inclusion(LogisticRegression(sparse, b, 1e-2), Box(-0.5, 0.5)),
    "logistic, halpern": inclusion(LogisticRegression(A, b, 1e-2), Simplex(), "halpern"),
    "tilted, vr-halpern": inclusion(Quadratic(B, c), NonNegative(), "vr-halpern"),
    "skew, vr-halpern": inclusion(Quadratic(S, s), L2Ball(3.0), "vr-halpern"),
    "skew, extragradient": inclusion(Quadratic(S, s), L1(0.01), "extragradient"),
    "skew, ogda": inclusion(Quadratic(S, s), None, "ogda"),
    "robust": inclusion(DROLogistic(A[:500], b[:500], 0.02, 0.01)),
    "game operator": inclusion(MatrixGame(M), Product([(Simplex(), 70), (Simplex(), 50)]), "ogda"),
    # The active set is the same and its equations are solved: so is the pair.
    "game": (lambda game: np.r_[game.x, game.y, game.value])(matrix_game(M)),
    "game, halpern": matrix_game(M, method="halpern", maxiter=2, tol=0, polish=False, precision="double").x,
    "program": linprog(cost[0], A=K, lc=demand[0], bounds=(0, 1), maxiter=64, tol=0, polish=False).x,
    "batch": linprog_batch(cost, K, demand, bounds=(0, 1), maxiter=64, tol=0, polish=False).x,
    "fixed point": fixed_point(lambda v: np.cos(v), np.zeros(5), tol=1e-13).x,
}
print(json.dumps({name: [float(x).hex() for x in np.ravel(values)] for name, values in out.items()}))
"""


def run(level, seed):
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(seed)],
        env=os.environ | {"SOLVENT_SIMD": level, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        timeout=120,
    )
    if done.returncode and "SOLVENT_SIMD" in done.stderr:
        return None
    assert done.returncode == 0, done.stderr
    return {
        name: np.array([float.fromhex(x) for x in values]) for name, values in json.loads(done.stdout).items()
    }


def test_levels_agree(rng):
    seed = int(rng.integers(2**31))
    runs = [found for level in LEVELS if (found := run(level, seed)) is not None]
    if len(runs) < 2:
        pytest.skip("one level of SIMD on this machine")
    for other in runs[1:]:
        for name, values in runs[0].items():
            np.testing.assert_allclose(
                other[name], values, rtol=0, atol=1e-12 * max(1.0, np.abs(values).max()), err_msg=name
            )
