"""Family `ot`: entropic optimal transport to three accuracies, and exact transport.

The peers (none is needed to use or test the package):
``pip install POT==0.9.7.post1 regot==0.0.3 ott-jax==0.6.0 mdot-tnt==1.0.0 geomloss==0.3.1 torch threadpoolctl``.
MDOT's licence is non-commercial: it is run here through its documented functions, and its source is not read.
"""

from __future__ import annotations

from benches.peers.contract import Family
from benches.peers.ot import linear, problems, regularised
from benches.peers.ot.targets import targets

FAMILY = Family("ot", problems.problems, [*regularised.REGULARISED, *linear.LINEAR], targets)
"""What ``python -m benches.peers ot`` runs."""
