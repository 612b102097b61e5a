"""Generated Rust in the house format."""

import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def rustfmt(text):
    """`text` as rustfmt writes it with the settings of this repository."""
    done = subprocess.run(
        ["rustfmt", "--edition", "2024", "--emit", "stdout", "--config-path", str(ROOT / "rustfmt.toml")],
        input=text,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout
