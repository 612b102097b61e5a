"""Hooks for the known-answer tests of the random numbers."""
