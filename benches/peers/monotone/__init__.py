"""Family `monotone`: zero-sum games.

The peers (none is needed to use or test the package): ``pip install highspy==1.15.1 nashpy``.
"""

from __future__ import annotations

from benches.peers.contract import Family
from benches.peers.monotone import game

FAMILY = Family("monotone", game.problems, game.IMPLEMENTATIONS, game.targets)
"""What ``python -m benches.peers monotone`` runs."""
