"""Family `completion`: exact recovery to 1e-9, ratings and implicit feedback sweep by sweep.

The peers (none is needed to use or test the package):
``pip install pymanopt==2.2.1 lenskit==2025.8.1 cmfrec==3.5.1 implicit==0.7.3 irspack==0.5.2``.
"""

from __future__ import annotations

from benches.peers.completion import exact, feedback, problems, ratings
from benches.peers.completion.targets import targets
from benches.peers.contract import Family

FAMILY = Family(
    "completion", problems.problems, [*exact.EXACT, *ratings.RATINGS, *feedback.FEEDBACK], targets
)
"""What ``python -m benches.peers completion`` runs."""
