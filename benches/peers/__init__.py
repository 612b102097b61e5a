"""Side-by-side runs of solvent and named peers: ``python -m benches.peers FAMILY``.

A family is a module here (or any importable module) with a `FAMILY` object, see `contract.Family`: problems with fixed
seeds, implementations (ours and the peers), a judge for the answers, and the figures that were promised.  Everything else
is family-agnostic: processes, interleaving, clocks, machine facts, tables, JSON.
"""
