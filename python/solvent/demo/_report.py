"""Where a family's demo puts what it shows: text on the terminal, pictures in a folder."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ._table import Table

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["INK", "MISSING", "OURS", "THEIRS", "Report"]

OURS = "#0b6e75"  # every picture: teal is solvent,
THEIRS = "#d1602d"  # orange is the peer,
MISSING = "#c9c4ba"  # warm grey is "no number at all"
INK = "#22282c"

_STYLE: Any = {
    "font.family": "DejaVu Sans",
    "font.size": 9.5,
    "axes.titlesize": 10.5,
    "axes.titlelocation": "left",
    "axes.titlepad": 8,
    "axes.labelcolor": INK,
    "axes.edgecolor": "#8a9096",
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "xtick.labelsize": 8.5,
    "ytick.labelsize": 8.5,
    "legend.frameon": False,
    "figure.dpi": 100,
    "savefig.dpi": 170,
    "savefig.facecolor": "white",
}


class Report:
    """Prints at once and collects the pictures' paths.

    Parameters
    ----------
    folder : Path
        Where pictures go; made when the first one is written.

    Attributes
    ----------
    pictures : list of Path
        What was written so far.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.pictures: list[Path] = []

    def chapter(self, title: str) -> None:
        """Begin a family."""
        print(f"\n{title}\n{'═' * len(title)}")

    def say(self, text: str) -> None:
        """Print a line of text."""
        print(text, flush=True)

    def table(self, table: Table) -> None:
        """Print a table with an empty line above it."""
        print(f"\n{table}", flush=True)

    @contextmanager
    def picture(self, name: str, **options: Any) -> Iterator["Figure"]:
        """Yield a figure in the house style and write it as ``name.png`` afterwards.

        Parameters
        ----------
        name : str
            The file's name without its ending.
        **options
            For `matplotlib.pyplot.figure`.
        """
        import matplotlib.pyplot as plt

        with plt.rc_context(_STYLE):
            figure = plt.figure(layout="constrained", **options)
            try:
                yield figure
                self.folder.mkdir(parents=True, exist_ok=True)
                path = self.folder / f"{name}.png"
                figure.savefig(path)
            finally:
                plt.close(figure)
        self.pictures.append(path)
