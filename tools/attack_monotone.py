"""Attack the certificates of `solvent.monotone` with rational numbers and long doubles.

    python tools/attack_monotone.py --problems 10000 --out docs/evidence/monotone-certificates.jsonl

Problems are small and drawn from hostile families: linear programs with free, fixed and boxed variables, equations,
contradictions, rays, duplicated and empty rows, units from 1e-8 to 1e8; games with ties, repeated rows, low rank, pure
saddles, entries 1e-13 apart, magnitudes of 1e+-150; operators with planted solutions on boxes, at points of any size. Each is
solved, with a full and with a short budget, and then other points are put into the result and `certify` judges them. Each
certificate must satisfy

    kkt           each part >= the exact measure (and <= 3 times it + 1e-13), objective_lower <= the optimum where the
                  rational one is known;
    farkas        value > 0 exact, violation >= the exact one, bound 0 only if it vanishes or the rows imply bounds;
    recession     descent > 0 exact, violation >= the exact one; an unbounded program's point is feasible exactly;
    duality-gap   bound >= the exact gap of the strategies, normalised, and |value - optimum| <= bound where enumerated;
    operator      bound x scale >= the residual in long double.

A linear program that has a solution must also be solved: a run that did not converge on the families that are feasible and
bounded by construction is counted as `missed`, and is a violation.

The work is cut into chunks, each reproducible from (seed, chunk number) alone. A chunk's counts are one JSON line in `--out`;
a second run with the same arguments goes on where the first one stopped. At the end a summary is written beside it (`.txt`).
Exit status: 0 without violations, 1 otherwise."""

import collections
import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

import campaign

from helpers import monotone_attack as attack

FAMILIES = list(attack.FAMILIES)


def chunk_of(seed, chunk, size):
    """One chunk: `size` problems of one family. Returns a JSON-able record."""
    family = FAMILIES[chunk % len(FAMILIES)]
    record = {"build": campaign.build(), "seed": seed, "size": size, "chunk": chunk, "family": family, "problems": size,
              "certificates": 0, "slack": 0.0, "statuses": {}, "violations": [], "violation_count": 0}  # fmt: skip
    statuses = collections.Counter()
    for k in range(size):
        rng = np.random.default_rng([seed, chunk, k])
        try:
            found = attack.FAMILIES[family](rng)
        except Exception as error:  # a failure to answer is a finding too, and the run goes on
            found = attack.Found("raised", 0, 0.0, [f"{type(error).__name__}: {error}"])
        statuses[found.status] += 1
        record["certificates"] += found.certificates
        record["slack"] = max(record["slack"], found.slack)
        record["violation_count"] += len(found.violations)
        if found.violations and len(record["violations"]) < 5:
            record["violations"].append({"problem": k, "status": found.status, "claims": found.violations})
    record["statuses"] = dict(statuses)
    return record


def _job(task):
    return chunk_of(*task)


def summary(records, header):
    """The table that is kept as evidence."""
    rows = {}
    for record in records:
        row = rows.setdefault(
            record["family"], {"n": 0, "c": 0, "v": 0, "slack": 0.0, "s": collections.Counter()}
        )
        row["n"] += record["problems"]
        row["c"] += record["certificates"]
        row["v"] += record["violation_count"]
        row["slack"] = max(row["slack"], record["slack"])
        row["s"].update(record["statuses"])
    total = {key: sum(row[key] for row in rows.values()) for key in "ncv"}
    lines = [*header, "", f"problems {total['n']}, certificates {total['c']}, violations {total['v']}", ""]
    lines.append(
        f"{'family':14} {'problems':>8} {'certificates':>12} {'violations':>10} {'bound/true':>10}  outcomes"
    )
    for family, row in rows.items():
        outcomes = ", ".join(f"{name} {count}" for name, count in row["s"].most_common())
        lines.append(
            f"{family:14} {row['n']:8d} {row['c']:12d} {row['v']:10d} {row['slack']:10.3g}  {outcomes}"
        )
    for record in records:
        for each in record["violations"]:
            where = f"{record['family']} chunk {record['chunk']} problem {each['problem']} ({each['status']})"
            lines.append(f"VIOLATION {where}: " + "; ".join(each["claims"]))
    return "\n".join(lines) + "\n", total["v"]


def main(argv=None):
    args = campaign.arguments(
        __doc__, argv, count=10_000, chunk=25, seed=20240311, out="monotone-certificates.jsonl"
    )
    text, violations = summary(campaign.run(args, _job), campaign.header(args))
    args.out.with_suffix(".txt").write_text(text)
    print(text)
    return 1 if violations else 0


if __name__ == "__main__":
    sys.exit(main())
