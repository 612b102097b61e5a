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

import argparse
import collections
import json
import math
import multiprocessing
import os
import platform
import sys
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

import solvent
from helpers.ot import attack
from solvent import ot

FAMILIES = list(attack.FAMILIES)


def build():
    """What computed: records of another build do not count when a run is resumed."""
    return f"solvent {solvent.__version__}, SIMD {solvent._core.simd_level()}"


def chunk_of(seed, chunk, size):
    """One chunk: `size` problems of one family.  Returns a JSON-able record."""
    family = FAMILIES[chunk % len(FAMILIES)]
    record = {"build": build(), "seed": seed, "size": size, "chunk": chunk, "family": family, "problems": size,
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


def read(path):
    """The records of an earlier run; a line that was cut short by an interruption is dropped from the file."""
    records = []
    if path.exists():
        for line in path.read_text().splitlines():
            try:
                records.append(json.loads(line))
            except ValueError:
                continue
        path.write_text("".join(json.dumps(r) + "\n" for r in records))
    return records


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--problems", type=int, default=10_000)
    parser.add_argument("--chunk", type=int, default=25, help="problems a chunk")
    parser.add_argument("--seed", type=int, default=20240112)
    parser.add_argument("--processes", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--out", type=Path, default=Path("docs/evidence/ot-certificates.jsonl"))
    args = parser.parse_args(argv)
    args.out.parent.mkdir(parents=True, exist_ok=True)
    records = {
        r["chunk"]: r
        for r in read(args.out)
        if (r["seed"], r["size"], r["build"]) == (args.seed, args.chunk, build())
    }
    total = -(-args.problems // args.chunk)
    todo = [(args.seed, c, args.chunk) for c in range(total) if c not in records]
    start = time.time()
    # Processes start afresh: a forked copy of a threaded parent is another test's subject.
    with multiprocessing.get_context("spawn").Pool(args.processes) as pool, args.out.open("a") as log:
        for k, record in enumerate(pool.imap_unordered(_job, todo)):
            records[record["chunk"]] = record
            log.write(json.dumps(record) + "\n")
            log.flush()
            if k % 50 == 0 or record["violation_count"]:
                print(
                    f"{k + 1}/{len(todo)} chunks, {time.time() - start:.0f} s, {record['family']}: "
                    f"violations {record['violation_count']}",
                    flush=True,
                )
    report = Report()
    for c in sorted(records):
        if c < total:
            report.add(records[c])
    header = [
        f"{build()}, {platform.machine()}, NumPy {np.__version__}",
        f"seed {args.seed}, {args.problems} problems in chunks of {args.chunk}; {time.time() - start:.0f} s this run",
    ]
    text = report.text(header)
    args.out.with_suffix(".txt").write_text(text)
    print(text)
    return 1 if report.count else 0


if __name__ == "__main__":
    sys.exit(main())
