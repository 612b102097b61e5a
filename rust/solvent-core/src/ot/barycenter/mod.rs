//! Barycenters.
