//! Distributions on the sphere.
