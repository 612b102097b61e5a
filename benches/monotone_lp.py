"""asv suite of `solvent.monotone.linprog`: times, iterations, achieved error and honesty of the certificates."""

from __future__ import annotations

import numpy as np

from benches.peers.contract import Unavailable
from benches.peers.monotone.lp import TOL, batch, kkt, read

NETLIB = ("afiro", "israel", "25fv47", "degen3")


class Netlib:
    """Netlib programs to a certified 1e-4 on one thread, with presolve and without."""

    params = (NETLIB, (True, False))
    param_names = ("problem", "presolve")

    def setup(self, problem, presolve):
        from solvent.monotone import linprog

        try:
            self.program = read(problem)
        except (Unavailable, ImportError) as error:
            raise NotImplementedError(str(error)) from error
        self.linprog = linprog

    def _result(self, presolve):
        lp = self.program
        bounds = np.column_stack([lp.lv, lp.uv])
        return self.linprog(
            lp.c, A=lp.A, lc=lp.lc, uc=lp.uc, bounds=bounds, tol=TOL, presolve=presolve, workers=1
        )

    def time_solve(self, problem, presolve):
        self._result(presolve)

    def peakmem_solve(self, problem, presolve):
        self._result(presolve)

    def track_iterations(self, problem, presolve):
        return int(self._result(presolve).nit)

    def track_error(self, problem, presolve):
        found = self._result(presolve)
        return kkt(self.program, found.x, found.y)

    def track_certificate_ratio(self, problem, presolve):
        found = self._result(presolve)
        return found.certificate.bound / kkt(self.program, found.x, found.y)


class Batch:
    """64 programs with one matrix, in one call and in 64."""

    params = (("batch", "one by one"),)
    param_names = ("how",)
    count = 64

    def setup(self, how):
        from solvent.monotone import linprog, linprog_batch

        self.data, self.linprog, self.linprog_batch = batch(self.count), linprog, linprog_batch

    def time_solve(self, how):
        data = self.data
        if how == "batch":
            self.linprog_batch(data.C, data.A, data.LC, bounds=(0, 1), tol=TOL, workers=1)
            return
        for c, lc in zip(data.C, data.LC, strict=True):
            self.linprog(c, A=data.A, lc=lc, bounds=(0, 1), tol=TOL, presolve=False, workers=1)
