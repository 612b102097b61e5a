"""The SIMD levels of this machine agree within the documented error, each in a process of its own."""

import os
import subprocess
import sys

import numpy as np
import pytest

from helpers.bessel import oracle
from helpers.bessel.functions import call
from helpers.bessel.regions import HARD, PLAIN

SCRIPT = """
import sys
import numpy as np
import solvent
from solvent import special
data = np.load(sys.argv[1])
out = {"level": np.array(solvent._core.simd_level())}
for name in ("log_iv", "log_kv"):
    for c in "fd":
        v, x = data["v"].astype(c), data["x"].astype(c)
        out[name + c] = getattr(special, name)(v, x)
np.savez(sys.argv[2], **out)
"""


@pytest.mark.parametrize("level", ["v2", "v3", "v4"])
def test_level(level, rng, tmp_path):
    parts = [draw(rng, 100) for draw in (PLAIN | HARD).values()]
    v, x = (np.concatenate([p[k] for p in parts]) for k in (0, 1))
    keep = np.maximum(v, x) < 1e15
    v, x = v[keep], x[keep]
    np.savez(tmp_path / "in.npz", v=v, x=x)
    command = [sys.executable, "-c", SCRIPT, str(tmp_path / "in.npz"), str(tmp_path / "out.npz")]
    run = subprocess.run(
        command, env=os.environ | {"SOLVENT_SIMD": level}, capture_output=True, text=True, timeout=60
    )
    if run.returncode and level in run.stderr:
        pytest.skip(f"this machine has no {level}: {run.stderr.strip().splitlines()[-1]}")
    assert run.returncode == 0, run.stderr
    with np.load(tmp_path / "out.npz") as out:
        if str(out["level"]) != level:
            pytest.skip(f"this machine has no {level}")
        for name in ("log_iv", "log_kv"):
            here = call(name, v, x)[0]
            # Both are within 5e-15 of the truth, so within twice that of each other; in practice a few ulps.
            assert np.all(np.abs(out[name + "d"] - here) <= oracle.allowed(v, x, here, 1e-14))
            with np.errstate(all="ignore"):
                a, b = v.astype(np.float32), x.astype(np.float32)
            single = call(name, a.astype(float), b.astype(float))[0]
            ok = b > 0  # where x became 0 in single precision both are infinite
            e = np.abs(out[name + "f"][ok].astype(float) - single[ok]) / np.maximum(1, np.abs(single[ok]))
            assert np.all(e <= 4e-7)
