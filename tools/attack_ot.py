"""Attack the certificates of `solvent.ot.solve` with Arb and rational numbers.

    python tools/attack_ot.py --problems 10000 --out docs/evidence/ot-certificates.jsonl

Every problem is small (n, m <= 4) and drawn from a hostile family of `tests/helpers/ot/attack.py`: weights from
1e-290 to 1, totals of 1e+-6, costs of 1e16 with weights an ulp apart, rank-one, negative and shifted costs, integer ties,
forbidden arcs that leave one coupling, penalties from 1e-3 to 1e3 and infinite, partial mass, reg down to 1e-6 of the
spread.  It is solved, and solved again with a budget of 1 to 40 passes; then other potentials are put into the result
(near, far, shifted, zero, overflowing) and `certify` judges them.  Each certificate must satisfy

    lower <= optimum <= upper,  unreg_lower <= linear optimum <= unreg_upper,
    bound >= true marginal error / M,  bound >= true dual gap / (M s),

with the optimum enclosed by Newton's method in 300-bit ball arithmetic and the linear optimum by enumeration of all bases
in rational numbers; and on solved problems bound <= 100 max(true error, floor of double precision).

The work is cut into chunks, each reproducible from (seed, chunk number) alone.  A chunk's counts are one JSON line in
`--out`; a second run with the same arguments goes on where the first one stopped.  At the end a summary is written beside
it (`.txt`).  Exit status: 0 without violations, 1 otherwise."""

import collections
import math
import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

import campaign

from helpers.ot import attack
from solvent import ot

FAMILIES = list(attack.FAMILIES)


def chunk_of(seed, chunk, size):
    """One chunk: `size` problems of one family.  Returns a JSON-able record."""
    family = FAMILIES[chunk % len(FAMILIES)]
    record = {"build": campaign.build(), "seed": seed, "size": size, "chunk": chunk, "family": family, "problems": size,
              "certificates": 0, "tight": 0, "use": None, "slack": None, "statuses": {}, "violations": [],
              "violation_count": 0}  # fmt: skip
    statuses = collections.Counter()
    for k in range(size):
        rng = np.random.default_rng([seed, chunk, k])
        try:
            row = attack.run(rng, family, ot)
        except Exception as error:  # a failure to answer is a finding too, and the run goes on
            row = {"status": "raised", "payloads": 0, "tight": False, "use": None, "slack": None,
                   "violations": [{"payload": "solve", "claims": [f"{type(error).__name__}: {error}"]}]}  # fmt: skip
        statuses[row["status"]] += 1
        record["certificates"] += row["payloads"]
        record["tight"] += row["tight"]
        for name in ("use", "slack"):
            if row[name] is not None:
                record[name] = max(row[name], -math.inf if record[name] is None else record[name])
        record["violation_count"] += len(row["violations"])
        if row["violations"] and len(record["violations"]) < 5:
            record["violations"].append({"problem_number": k, **row})
    record["statuses"] = dict(statuses)
    return record


def _job(task):
    return chunk_of(*task)


class Report:
    """The sum of the records: what the summary prints."""

    def __init__(self):
        self.rows, self.violations, self.count = {}, [], 0

    def add(self, record):
        row = self.rows.setdefault(
            record["family"],
            {"problems": 0, "certificates": 0, "tight": 0, "use": -math.inf, "slack": 0.0, "violations": 0,
             "statuses": collections.Counter()},
        )  # fmt: skip
        for name in ("problems", "certificates", "tight"):
            row[name] += record[name]
        for name in ("use", "slack"):
            if record[name] is not None:
                row[name] = max(row[name], record[name])
        row["violations"] += record["violation_count"]
        row["statuses"].update(record["statuses"])
        self.count += record["violation_count"]
        self.violations += [(record["family"], record["chunk"], v) for v in record["violations"]]

    def text(self, header):
        total = {k: sum(r[k] for r in self.rows.values()) for k in ("problems", "certificates", "tight")}
        lines = [
            *header, "",
            f"problems {total['problems']}, certificates {total['certificates']}, optimum known to 22 digits in "
            f"{total['tight']}, violations {self.count}", "",
            f"{'family':12} {'problems':>8} {'certificates':>12} {'known':>7} {'violations':>10} {'err/allowed':>11} "
            f"{'bound/true':>10}  outcomes",
        ]  # fmt: skip
        for family, r in self.rows.items():
            outcomes = ", ".join(f"{name} {count}" for name, count in r["statuses"].most_common())
            lines.append(
                f"{family:12} {r['problems']:8d} {r['certificates']:12d} {r['tight']:7d} {r['violations']:10d} "
                f"{r['use']:11.3f} {r['slack']:10.3g}  {outcomes}"
            )
        for family, chunk, violation in self.violations[:50]:
            for each in violation["violations"]:
                lines.append(
                    f"VIOLATION {family} chunk {chunk} problem {violation['problem_number']} {each['payload']}: "
                    + "; ".join(each["claims"])
                )
        return "\n".join(lines) + "\n"


def main(argv=None):
    args = campaign.arguments(
        __doc__, argv, count=10_000, chunk=25, seed=20240112, out="ot-certificates.jsonl"
    )
    report = Report()
    for record in campaign.run(args, _job):
        report.add(record)
    text = report.text(campaign.header(args))
    args.out.with_suffix(".txt").write_text(text)
    print(text)
    return 1 if report.count else 0


if __name__ == "__main__":
    sys.exit(main())
