"""Attack the certificates of `solvent.completion` with small hostile problems, judged in long double.

``python tools/attack_completion.py --problems N --out FILE``: every problem is solved, stopped early, or its answer replaced by
arbitrary factors; a bound below the truth is kept with its seed, and the exit status is 1. The problems and their judges are
those of `tests/helpers/completion_attack.py`; every eighth nuclear-norm problem is judged by its optimum too. One line of
JSON a chunk; the same command goes on where it stopped."""

import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

import campaign

from helpers import completion_attack as attack

FAMILIES = list(attack.FAMILIES)


def chunk_of(seed, chunk, size):
    """One chunk: `size` problems of one family. Returns a JSON-able record."""
    family = FAMILIES[chunk % len(FAMILIES)]
    record = {"build": campaign.build(), "seed": seed, "size": size, "chunk": chunk, "family": family,
              "certificates": 0, "violations": [], "violation_count": 0}  # fmt: skip
    ratios = []
    for k in range(size):
        found = attack.FAMILIES[family](np.random.default_rng([seed, chunk, k]), k % 8 == 0)
        record["certificates"] += found.certificates
        ratios += found.ratios
        if found.violations:
            record["violation_count"] += 1
            record["violations"].append({"problem_number": k, "claims": found.violations})
    record["ratios"] = [float(q) for q in np.quantile(ratios, (0.5, 0.99, 1.0))] if ratios else []
    return record


def _job(task):
    return chunk_of(*task)


def summary(records, header):
    """What all chunks found, and how many problems have a bound that is too small."""
    violations = sum(r["violation_count"] for r in records)
    lines = [*header, "", f"certificates {sum(r['certificates'] for r in records)}, violations {violations}", "",
             f"{'family':6} {'problems':>8} {'certificates':>12} {'violations':>10} {'bound/true: median':>18} {'99 %':>10} "
             f"{'most':>10}"]  # fmt: skip
    for family in FAMILIES:
        own = [r for r in records if r["family"] == family]
        shown = np.array([r["ratios"] for r in own if r["ratios"]])
        middle, high, most = (np.median(shown[:, 0]), np.median(shown[:, 1]), shown[:, 2].max())
        lines.append(
            f"{family:6} {sum(r['size'] for r in own):8d} {sum(r['certificates'] for r in own):12d} "
            f"{sum(r['violation_count'] for r in own):10d} {middle:18.10g} {high:10.6g} {most:10.6g}"
        )
    lines += ["", "99 %: the median of the chunks' quantiles."]
    for r in records:
        for violation in r["violations"]:
            claims = "; ".join(violation["claims"])
            lines.append(f"VIOLATION chunk {r['chunk']} problem {violation['problem_number']}: {claims}")
    return "\n".join(lines) + "\n", violations


def main(argv=None):
    args = campaign.arguments(
        __doc__, argv, count=10_000, chunk=50, seed=20230211, out="completion-certificates.jsonl"
    )
    text, violations = summary(campaign.run(args, _job), campaign.header(args))
    args.out.with_suffix(".txt").write_text(text)
    print(text)
    return 1 if violations else 0


if __name__ == "__main__":
    sys.exit(main())
