//! Certified numerical algorithms: one module a family, and the vocabulary they share.
//!
//! * [`base`] is that vocabulary: errors, outcomes, certificates, the one loop, threads, random numbers,
//!   array views, dense factorisations, compensated sums. A family is built from it without changing it.
//! * [`special`], [`stats`] and [`ot`] are families. Each folder's `mod.rs` is its door: what the method is, the
//!   equations with their source, and what is public.
//!
//! This crate knows neither Python nor a device, and its public signatures name no array library: arrays
//! cross as [`base::view`] types.

#![forbid(unsafe_code)]

pub mod base;
pub mod completion;
pub mod monotone;
pub mod ot;
pub mod regression;
pub mod sketch;
pub mod special;
pub mod stats;
