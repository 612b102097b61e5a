"""Attack the error bounds of `solvent.special.log_iv_certified` and `log_kv_certified` with Arb.

    python tools/attack_certificates.py --points 1000000 --out docs/evidence/special-certificates.jsonl

Every point (v, x) is drawn from one of the families of `tests/helpers/bessel/regions.py` (uniform regions; zero curves, seams and
scaled convergents of z0; orders just below half-integers; subnormal and huge arguments; negative orders beside the zeros
of I_v), the value and its bound are compared with Arb's, and the points with the largest error / bound are pushed further
uphill by steps of a few ulps in v and x.  A point where error > bound is a violation.  The other side is measured too:
how wide the bounds are, in units of 2^-53 max(1, |L|).

The work is cut into chunks, each reproducible from (seed, chunk number) alone.  A chunk's counts are one JSON line in
`--out`; a second run with the same arguments goes on where the first one stopped.  At the end a summary is written beside
it (`.txt`).  Exit status: 0 without violations, 1 otherwise."""

import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

import campaign

from helpers.bessel import oracle, regions
from solvent import special

EPS = 2.0**-53
WIDEST = 400.0  # documented: bound <= 400 eps max(1, |L|, and log(w)/8 beyond w = 1e15), v >= 0
MEDIAN = 40.0  # documented: per region, off the zero curves
TARGETS = [
    (name, family)
    for name in ("log_iv_certified", "log_kv_certified")
    for family in regions.EVERY
    if not (
        name == "log_kv_certified" and family in regions.NEGATIVE
    )  # K is even in v, bit for bit: nothing new there
]
ON_ZERO = ("zero_I", "zero_K", "zero_I_far", "zero_K_far")


def measure(name, v, x):
    """err / bound (nan where the bound is +inf or there is nothing to compare), error, bound, unit width, value and truth."""
    value, bound = getattr(special, name)(v, x)
    hi, lo, sign = oracle.table("i" if name == "log_iv_certified" else "k", v, x)
    unit = EPS * oracle.scale(v, x, hi)
    error = oracle.error(value, hi, lo)
    with np.errstate(all="ignore"):
        quotient = np.where(bound > 0, error / bound, np.where(error > 0, np.inf, 0.0))
    open_ = np.isposinf(bound)  # sign undecided: claims nothing
    negative = (sign < 0) & np.isnan(value) & (np.isnan(bound) | open_)
    # A value that is nan or inf where the truth is an ordinary number is a violation, and so is a nan bound.
    quotient = np.where(np.isfinite(value) & ~np.isnan(bound), quotient, np.inf)
    quotient = np.where(open_ | negative, np.nan, quotient)
    quotient = np.where(np.isnan(hi), np.nan, quotient)
    return quotient, error, bound, bound / unit, value, hi


def climb(name, v, x, steps, rng):
    """Greedy ascent of error / bound by a few ulps at a time: the best of `steps` neighbours becomes the centre."""
    best, centre, tried = -1.0, (v, x), []
    for _ in range(steps):
        dv, dx = rng.integers(-4, 5, 8), rng.integers(-4, 5, 8)
        vs = centre[0] + dv * np.spacing(centre[0])
        xs = np.maximum(centre[1] + dx * np.spacing(centre[1]), 5e-324)
        if v >= 0:
            vs = np.abs(vs)
        quotient, *rest = measure(name, vs, xs)
        tried.append((vs, xs, quotient, *rest))
        k = int(np.argmax(np.nan_to_num(quotient, nan=-1.0)))
        if quotient[k] > best:
            best, centre = quotient[k], (vs[k], xs[k])
    return tried


def attack(seed, chunk, name, family, n, climbs=4):
    """One chunk: `n` points of a family, then `climbs` ascents from the worst of them.  Returns a JSON-able record."""
    rng = np.random.default_rng([seed, chunk])
    v, x = regions.EVERY[family](rng, n)
    keep = (x > 0) & np.isfinite(x) & np.isfinite(v)
    v, x = v[keep], x[keep]
    runs = [(v, x, *measure(name, v, x))]
    order = np.argsort(-np.nan_to_num(runs[0][2], nan=-1.0))
    for k in order[:climbs]:
        runs += climb(name, v[k], x[k], 3, rng)
    vs, xs, quotient, error, bound, width, value, true = (np.concatenate(c) for c in zip(*runs, strict=True))
    bad = np.flatnonzero(quotient > 1)
    wide = np.flatnonzero((width > WIDEST) & (vs >= 0))
    k = int(np.argmax(np.nan_to_num(quotient, nan=-1.0)))

    def row(j):
        return {"function": name, "v": vs[j].hex(), "x": xs[j].hex(), "value": float(value[j]), "true": float(true[j]),
                    "error": float(error[j]), "bound": float(bound[j])}  # fmt: skip

    ordinary = width[np.isfinite(width) & (np.arange(len(width)) < len(v))]
    return {
        "build": campaign.build(), "seed": seed, "size": n, "chunk": chunk, "function": name, "family": family, "points": len(vs),
        "undecided": int(np.isposinf(bound).sum()), "compared": int(np.isfinite(quotient).sum()),
        "worst": row(k), "worst_quotient": float(np.nan_to_num(quotient[k], nan=0.0)),
        "median_width": float(np.median(ordinary)) if len(ordinary) else None,
        "max_width": float(ordinary.max()) if len(ordinary) else None,
        "violations": [row(j) for j in bad[:20]], "violation_count": len(bad),
        "too_wide": [row(j) for j in wide[:5]], "too_wide_count": len(wide),
    }  # fmt: skip


class Report:
    """The sum of the records: what the summary prints."""

    def __init__(self):
        self.points = self.undecided = self.compared = 0
        self.violations, self.too_wide, self.rows = [], [], {}

    def add(self, r):
        self.points += r["points"]
        self.undecided += r["undecided"]
        self.compared += r["compared"]
        self.violations += r["violations"]
        self.too_wide += r["too_wide"]
        row = self.rows.setdefault(
            (r["function"], r["family"]),
            {"points": 0, "quotient": 0.0, "worst": None, "medians": [], "widest": 0.0},
        )
        row["points"] += r["points"]
        if r["worst_quotient"] >= row["quotient"]:
            row["quotient"], row["worst"] = r["worst_quotient"], r["worst"]
        if r["median_width"] is not None:
            row["medians"].append(r["median_width"])
            row["widest"] = max(row["widest"], r["max_width"])

    def lazy(self):
        """Families whose median bound is above the documented one."""
        return [k for k, r in self.rows.items()
                if r["medians"] and k[1] not in ON_ZERO and k[1] not in regions.NEGATIVE and np.median(r["medians"]) > MEDIAN]  # fmt: skip

    def text(self, header):
        lines = [*header, "", f"points {self.points}, compared {self.compared}, sign undecided (bound +inf) {self.undecided}",
                 f"violations {len(self.violations)}, wider than {WIDEST:.0f} eps max(1, |L|) (v >= 0): {len(self.too_wide)}, "
                 f"median above {MEDIAN:.0f} eps: {self.lazy() or 'none'}", "",
                 f"{'function':18} {'family':22} {'points':>8} {'max err/bound':>13} {'median bound':>12} {'widest':>9}  worst point",
                 f"{'':18} {'':22} {'':>8} {'':>13} {'(eps unit)':>12} {'':>9}"]  # fmt: skip
        for (name, family), r in self.rows.items():
            w = r["worst"]
            at = f"v={float.fromhex(w['v']):.17g} x={float.fromhex(w['x']):.17g}" if w else ""
            median = np.median(r["medians"]) if r["medians"] else float("nan")
            lines.append(
                f"{name:18} {family:22} {r['points']:8d} {r['quotient']:13.3f} {median:12.1f} {r['widest']:9.3g}  {at}"
            )
        lines += [f"VIOLATION {v}" for v in self.violations[:50]]
        return "\n".join(lines) + "\n"


def _job(task):
    seed, chunk, size = task
    # Round robin over the targets.
    return attack(seed, chunk, *TARGETS[chunk % len(TARGETS)], size)


def main(argv=None):
    args = campaign.arguments(
        __doc__,
        argv,
        count=1_000_000,
        chunk=2000,
        seed=20240913,
        out="special-certificates.jsonl",
        unit="points",
    )
    report = Report()
    for record in campaign.run(args, _job):
        report.add(record)
    text = report.text(campaign.header(args))
    args.out.with_suffix(".txt").write_text(text)
    print(text)
    return 1 if report.violations else 0


if __name__ == "__main__":
    sys.exit(main())
