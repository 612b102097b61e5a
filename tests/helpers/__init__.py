"""What several test modules share: an Arb oracle, families of points, memory layouts, the metric."""
