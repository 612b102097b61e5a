"""Benchmarks: asv suites (one module a family) and side-by-side runs against peers (`benches.peers`)."""
