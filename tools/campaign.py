"""A long run in chunks, each reproducible from its task alone: records are kept as they come, and a second run with the same
arguments goes on where the first one stopped."""

import argparse
import json
import multiprocessing
import os
import platform
import time
from pathlib import Path

import numpy as np

import solvent


def build():
    """What computed: records of another build do not count when a run is resumed."""
    return f"solvent {solvent.__version__}, SIMD {solvent._core.simd_level()}"


def arguments(doc, argv, *, count, chunk, seed, out, unit="problems"):
    """The command line that all have; `unit` says what is counted."""
    parser = argparse.ArgumentParser(description=doc.split("\n")[0])
    parser.add_argument(f"--{unit}", dest="count", type=int, default=count)
    parser.add_argument("--chunk", type=int, default=chunk, help=f"{unit} a chunk")
    parser.add_argument("--seed", type=int, default=seed)
    parser.add_argument("--processes", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--out", type=Path, default=Path("docs/evidence") / out)
    args = parser.parse_args(argv)
    args.unit = unit
    return args


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


def run(args, job):
    """The records of all chunks in order: `job((seed, chunk, size))` makes those that are missing."""
    args.out.parent.mkdir(parents=True, exist_ok=True)
    own = (args.seed, args.chunk, build())
    records = {r["chunk"]: r for r in read(args.out) if (r["seed"], r["size"], r["build"]) == own}
    total = -(-args.count // args.chunk)
    todo = [(args.seed, c, args.chunk) for c in range(total) if c not in records]
    start = time.time()
    # Processes start afresh: a forked copy of a threaded parent is another test's subject.
    with multiprocessing.get_context("spawn").Pool(args.processes) as pool, args.out.open("a") as log:
        for k, record in enumerate(pool.imap_unordered(job, todo)):
            records[record["chunk"]] = record
            log.write(json.dumps(record) + "\n")
            log.flush()
            if k % 50 == 0 or record["violation_count"]:
                print(
                    f"{k + 1}/{len(todo)} chunks, {time.time() - start:.0f} s, {record.get('family', '')} violations "
                    f"{record['violation_count']}",
                    flush=True,
                )
    return [records[c] for c in sorted(records) if c < total]


def header(args):
    """What a summary begins with."""
    return [
        f"{build()}, {platform.machine()}, NumPy {np.__version__}",
        f"seed {args.seed}, {args.count} {args.unit} in chunks of {args.chunk}",
    ]
