"""Random linear maps that keep the geometry of tall matrices."""
