#!/usr/bin/env python3
"""Print what pyproject.toml asks for, one requirement a line: the run-time dependencies and the extras named.

    python tools/requirements.py test docs      run time + [test] + [docs], extras of extras included
    python tools/requirements.py --build        what builds the package

pip installs an extra only together with its package; this lets the Makefile install the extras first and build once.
"""

import argparse
import re
import tomllib
from pathlib import Path

PYPROJECT = Path(__file__).resolve().parents[1] / "pyproject.toml"


def expand(name, project):
    """Yield the requirements of extra `name`; ``solvent[a,b]`` in it stands for the extras a and b."""
    for requirement in project["optional-dependencies"][name]:
        itself = re.fullmatch(rf"{re.escape(project['name'])}\[(.+)\]", requirement)
        if itself:
            for other in itself[1].split(","):
                yield from expand(other.strip(), project)
        else:
            yield requirement


def main():
    """Parse the command line and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("extras", nargs="*")
    parser.add_argument("--build", action="store_true", help="the build system's requirements instead")
    arguments = parser.parse_args()
    table = tomllib.loads(PYPROJECT.read_text(encoding="utf-8"))
    if arguments.build:
        wanted = list(table["build-system"]["requires"])
    else:
        wanted = list(table["project"]["dependencies"])
        for extra in arguments.extras:
            wanted += expand(extra, table["project"])
    print("\n".join(dict.fromkeys(wanted)))


if __name__ == "__main__":
    main()
