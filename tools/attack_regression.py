"""Attack the certificates of `solvent.regression.lstsq` with rational numbers.

    python tools/attack_regression.py --problems 30000 --out docs/evidence/regression-certificates.jsonl

Every problem is small (n <= 13, d <= 4, an intercept perhaps) and drawn from a hostile family of
`tests/helpers/attack_lstsq.py`: condition up to 1e14 with residuals from 1e-16 to 1e8 of the fit, columns an ulp apart, integer
ties, dependent columns and dummies, columns of 2^+-200, right sides orthogonal to A, rows of 1e+-8, more columns than
rows; weights, a ridge and an intercept at random.  Each is solved for the backward error, moved twice and certified again,
and solved for the forward error.  Every bound must be at least the exact backward error (a secular equation in rational
numbers) or the exact error of each coefficient (exact elimination).  The medians of bound over truth are reported.

The work is cut into chunks, each reproducible from (seed, chunk number) alone.  A chunk's counts are one JSON line in
`--out`; a second run with the same arguments goes on where the first one stopped.  At the end a summary is written beside
it (`.txt`).  Exit status: 0 without violations, 1 otherwise."""

import collections
import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

import campaign

from helpers import attack_lstsq as attack
from solvent.regression import lstsq

FAMILIES = list(attack.FAMILIES)


def chunk_of(seed, chunk, size):
    """One chunk: `size` problems of one family.  Returns a JSON-able record."""
    family = FAMILIES[chunk % len(FAMILIES)]
    statuses = collections.Counter()
    record = {"build": campaign.build(), "seed": seed, "size": size, "chunk": chunk, "family": family, "certificates": 0,
              "ratios": [], "high": [], "violations": [], "violation_count": 0}  # fmt: skip
    for k in range(size):
        rng = np.random.default_rng([seed, chunk, k])
        try:
            row = attack.run(rng, family, lstsq)
        except Exception as error:  # a failure to answer is a finding too, and the run goes on
            row = {"statuses": ["raised"], "payloads": 0, "ratios": [], "high": [],
                   "violations": [f"{type(error).__name__}: {error}"]}  # fmt: skip
        statuses.update(row["statuses"])
        record["certificates"] += row["payloads"]
        for name in ("ratios", "high"):
            record[name] += row[name]
        record["violation_count"] += len(row["violations"])
        if row["violations"] and len(record["violations"]) < 5:
            record["violations"].append({"problem": k, "claims": row["violations"]})
    record |= {name: quantiles(record[name]) for name in ("ratios", "high")}
    record["statuses"] = dict(statuses)
    return record


def quantiles(ratios):
    """Median, 99 % and the largest, to three digits; nothing of nothing."""
    return [float(f"{np.quantile(ratios, q):.3g}") for q in (0.5, 0.99, 1.0)] if ratios else []


def _job(task):
    return chunk_of(*task)


def summary(records, header):
    """The text beside the records, and the number of violations."""
    count = sum(r["violation_count"] for r in records)
    certificates = sum(r["certificates"] for r in records)
    lines = [
        *header, "",
        f"problems {sum(r['size'] for r in records)}, certificates {certificates}, violations {count}", "",
        f"{'family':12} {'problems':>8} {'certificates':>12} {'violations':>10} {'backward':>9} {'forward':>9}  "
        "(medians of the chunks' medians of bound/truth) outcomes",
    ]  # fmt: skip
    for family in [*FAMILIES, "all"]:
        own = [r for r in records if family in (r["family"], "all")]
        statuses = collections.Counter()
        for r in own:
            statuses.update(r["statuses"])
        middle = [
            np.median([r[name][0] for r in own if r[name]]) if any(r[name] for r in own) else np.nan
            for name in ("ratios", "high")
        ]
        lines.append(
            f"{family:12} {sum(r['size'] for r in own):8d} {sum(r['certificates'] for r in own):12d} "
            f"{sum(r['violation_count'] for r in own):10d} {middle[0]:9.3g} {middle[1]:9.3g}  "
            + ", ".join(f"{name} {k}" for name, k in statuses.most_common())
        )
    for r in records:
        for v in r["violations"]:
            lines.append(
                f"VIOLATION {r['family']} chunk {r['chunk']} problem {v['problem']}: "
                + "; ".join(v["claims"])
            )
    return "\n".join(lines) + "\n", count


def main(argv=None):
    args = campaign.arguments(
        __doc__, argv, count=30_000, chunk=250, seed=20240205, out="regression-certificates.jsonl"
    )
    text, violations = summary(campaign.run(args, _job), campaign.header(args))
    args.out.with_suffix(".txt").write_text(text)
    print(text)
    return 1 if violations else 0


if __name__ == "__main__":
    sys.exit(main())
