"""Command line: ``python -m benches.peers FAMILY [--quick] [--json F] [--threads 1,all] [--simd v3,v4]``."""

from __future__ import annotations

import argparse
import dataclasses
import json
import math
import pathlib
import sys
from typing import Any

from benches.peers import table
from benches.peers.contract import SIZES, Report, load_family
from benches.peers.harness import Settings, run_family
from benches.peers.overrides import ensure_clean

SCHEMA = 1
"""Version of the JSON layout."""


def parse(arguments: list[str]) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        "python -m benches.peers", description="Run solvent and its peers side by side."
    )
    parser.add_argument("family", help="a module of benches.peers, or an importable module with a FAMILY")
    parser.add_argument(
        "--quick", dest="size", action="store_const", const="quick", help="small problems only"
    )
    parser.add_argument("--size", choices=SIZES, help="tiny (tests), quick, full (default)")
    parser.add_argument("--json", type=pathlib.Path, help="store runs, targets and machine facts there")
    parser.add_argument("--threads", default="1,all", help="comma-separated counts; default 1,all")
    parser.add_argument("--simd", default="native", help="SIMD levels of ours, e.g. v3,v4; default native")
    parser.add_argument(
        "--clock",
        choices=("cpu", "wall"),
        default="cpu",
        help="clock of one-thread rows and targets; others are by the wall",
    )
    parser.add_argument("--rounds", type=int, help="best of this many (default 5 quick, 9 full)")
    parser.add_argument(
        "--seconds", type=float, default=20.0, help="time for the rounds of a problem, an entrant"
    )
    parser.add_argument(
        "--timeout", type=float, default=900.0, help="seconds for one answer before a process is killed"
    )
    parser.add_argument("--only", default="", help="comma-separated words: problems whose key contains one")
    parser.add_argument("--peers", default="", help="comma-separated names; default all")
    return parser.parse_args(arguments)


def settings(options: argparse.Namespace) -> Settings:
    """The harness's settings from the command line."""
    size = options.size or "full"
    return Settings(
        size=size,
        threads=tuple(0 if word == "all" else int(word) for word in options.threads.split(",")),
        simd=tuple(None if word == "native" else word for word in options.simd.split(",")),
        rounds=options.rounds or {"tiny": 2, "quick": 5}.get(size, 9),
        seconds=options.seconds,
        timeout=options.timeout,
        only=tuple(filter(None, options.only.split(","))),
        peers=tuple(filter(None, options.peers.split(","))),
    )


def _plain(value: Any) -> Any:
    """JSON has no inf and nan: as strings, so that any reader takes the file."""
    if isinstance(value, float) and not math.isfinite(value):
        return repr(value)
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return value


def main(arguments: list[str]) -> int:
    """Run, print, store; 0 unless one of ours failed or missed a problem's limit."""
    options = parse(arguments)
    ensure_clean("benches.peers", arguments)
    family, chosen = load_family(options.family), settings(options)
    runs, facts = run_family(family, options.family, chosen)
    targets = list(family.targets(Report(runs, options.clock)))
    print(table.facts_text(facts))
    print(table.clock_text(runs, options.clock), end="\n\n")
    print(table.runs_table(runs, options.clock), end="\n\n")
    print(table.targets_table(targets))
    if options.json:
        stored = {
            "schema": SCHEMA,
            "family": family.name,
            "settings": dataclasses.asdict(chosen),
            "clock": options.clock,
            "machine": facts,
            "runs": [dataclasses.asdict(run) for run in runs],
            "targets": [dataclasses.asdict(target) for target in targets],
        }
        options.json.write_text(json.dumps(_plain(stored), indent=1, allow_nan=False) + "\n")
    return int(any(run.ours and run.status in ("failed", "missed") for run in runs))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
