"""What share of the true entries lies inside the nominal 95 % of `predict_std`.

    python tools/completion_coverage.py --out docs/evidence/completion-coverage.txt

Every problem is a matrix of low rank with noise on its observed entries; the entries judged are drawn uniformly from the whole
matrix, observed or not. "observation": fresh noisy values against the bars of an observation. Exit status: 0 if the shares
over all entries lie between 92 and 98 % for the joint bars, 1 otherwise."""

import argparse
import platform
import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

import solvent
from helpers.completion import low_rank
from solvent import completion

#: Nominal 95 % of a normal number.
WIDTH = 1.959964
#: Rank, rho, noise where the mean square entry is one.
PROBLEMS = ((5, 3.0, 0.5), (5, 3.5, 0.1), (5, 4.0, 0.1), (5, 5.0, 0.1), (3, 6.0, 0.02), (3, 6.0, 0.2))


def shares(rng, size, r, rho, noise, count):
    """Entries inside: joint, gram, observation; the median bar over the root mean square error."""
    i, j, y, X = low_rank(rng, size, size - size // 6, r, rho, noise=noise)
    result = completion.complete((i, j, y), r, shape=X.shape, tol=1e-6, rng=0)
    rows, cols = rng.integers(0, X.shape[0], count), rng.integers(0, X.shape[1], count)
    truth, guess = X[rows, cols], result.predict(rows, cols)
    joint = completion.entry_std(result, rows, cols)
    gram = completion.entry_std(result, rows, cols, method="gram")
    wide = completion.entry_std(result, rows, cols, kind="observation")
    fresh = truth + noise * rng.standard_normal(count)
    error = np.abs(guess - truth)
    inside = [error <= WIDTH * joint, error <= WIDTH * gram, np.abs(guess - fresh) <= WIDTH * wide]
    return [np.count_nonzero(x) for x in inside], result.noise_std / noise


def main(argv=None):
    """Run."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--entries", type=int, default=12_000, help="over all problems")
    parser.add_argument("--size", type=int, default=300, help="rows of a matrix")
    parser.add_argument("--draws", type=int, default=4, help="matrices of each problem")
    parser.add_argument("--seed", type=int, default=20230211)
    parser.add_argument("--out", type=Path, default=Path("docs/evidence/completion-coverage.txt"))
    given = parser.parse_args(argv)
    count = -(-given.entries // (len(PROBLEMS) * given.draws))
    lines = [
        f"solvent {solvent.__version__}, SIMD {solvent._core.simd_level()}, {platform.machine()}, NumPy {np.__version__}",
        f"seed {given.seed}, {given.size} rows, {given.draws} matrices of each problem, {count} entries of each matrix",
        "",
        f"{'rank':>4} {'rho':>4} {'noise':>6} {'entries':>8} {'joint':>7} {'gram':>7} {'observation':>11} {'noise_std / noise':>17}",
    ]
    total = np.zeros(3)
    for index, (r, rho, noise) in enumerate(PROBLEMS):
        inside, ratios = np.zeros(3), []
        for draw in range(given.draws):
            rng = np.random.default_rng([given.seed, index, draw])
            found, ratio = shares(rng, given.size, r, rho, noise, count)
            inside += found
            ratios.append(ratio)
        total += inside
        joint, gram, wide = 100 * inside / (count * given.draws)
        lines.append(
            f"{r:4d} {rho:4.1f} {noise:6.2f} {count * given.draws:8d} {joint:6.1f}% {gram:6.1f}% {wide:10.1f}% "
            f"{np.mean(ratios):17.3f}"
        )
        print(lines[-1], flush=True)
    share = total / (count * given.draws * len(PROBLEMS))
    entries = count * given.draws * len(PROBLEMS)
    joint, gram, wide = 100 * share
    lines.append(f"{'all':>16} {entries:8d} {joint:6.1f}% {gram:6.1f}% {wide:10.1f}%")
    text = "\n".join(lines) + "\n"
    given.out.parent.mkdir(parents=True, exist_ok=True)
    given.out.write_text(text)
    print(text)
    return 0 if all(0.92 <= share[k] <= 0.98 for k in (0, 2)) else 1


if __name__ == "__main__":
    sys.exit(main())
