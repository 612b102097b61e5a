"""The command line of the demo."""

import argparse
import importlib
import sys
import time
from pathlib import Path

import solvent

from . import FAMILIES
from ._report import Report


def main(arguments: list[str] | None = None) -> int:
    """Run the families that are asked for; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m solvent.demo", description="solvent on real data")
    parser.add_argument(
        "families", nargs="*", metavar="family", help=f"of {', '.join(FAMILIES)}; all of them by default"
    )
    parser.add_argument(
        "--out", type=Path, default=Path("demo-output"), help="folder for the pictures (default: %(default)s)"
    )
    options = parser.parse_args(arguments)
    unknown = set(options.families) - set(FAMILIES)
    if unknown:
        parser.error(f"no family {', '.join(sorted(unknown))}; there are {', '.join(FAMILIES)}")
    try:
        import matplotlib as mpl
        import sklearn  # noqa: F401 (the data sets come from it)
    except ModuleNotFoundError as missing:
        print(f"the demo needs {missing.name}: pip install 'solvent[demo]'", file=sys.stderr)
        return 2
    mpl.use("Agg")  # pictures go to files; there may be no display

    start = time.perf_counter()
    report = Report(options.out)
    report.say(
        f"solvent {solvent.__version__}, {solvent.get_num_threads()} threads, SIMD {solvent._core.simd_level()}"
    )
    for name in options.families or FAMILIES:
        family = importlib.import_module(f"{__package__}.{name}")
        report.chapter(family.TITLE)
        family.run(report)
    report.chapter("Pictures")
    for picture in report.pictures:
        report.say(f"  {picture}")
    report.say(f"\n{time.perf_counter() - start:.1f} s in all.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
