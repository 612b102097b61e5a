"""Directional statistics."""
