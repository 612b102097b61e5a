//! Which instruction set runs, and the dispatch.

use std::sync::OnceLock;

use crate::arch;
use crate::lanes::Simd;

/// A computation written once for every instruction set.
pub trait Kernel {
    /// What it returns.
    type Output;
    /// Runs with the lanes of `S`. Must be `#[inline(always)]`, as must be every generic function that it calls:
    /// only code inlined into the dispatch is compiled for the instruction set.
    fn run<S: Simd>(self) -> Self::Output;
}

/// An instruction set that kernels are compiled for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// The baseline: x86-64-v2 (pairs of doubles, no fused multiply-add), or NEON on aarch64.
    Portable,
    /// x86-64-v3: AVX2 and FMA.
    V3,
    /// x86-64-v4: AVX-512 F, BW, CD, DQ, VL.
    V4,
}

impl Level {
    /// The name that `SOLVENT_SIMD` takes and `show_config` prints.
    pub fn name(self) -> &'static str {
        match self {
            Level::Portable if cfg!(target_arch = "aarch64") => "neon",
            Level::Portable => "v2",
            Level::V3 => "v3",
            Level::V4 => "v4",
        }
    }

    /// The widest level of this machine.
    fn detect() -> Level {
        #[cfg(target_arch = "x86_64")]
        {
            use std::arch::is_x86_feature_detected as has;
            let v3 =
                has!("avx2") && has!("fma") && has!("bmi1") && has!("bmi2") && has!("lzcnt") && has!("f16c");
            let v4 = v3
                && has!("avx512f")
                && has!("avx512bw")
                && has!("avx512cd")
                && has!("avx512dq")
                && has!("avx512vl");
            if v4 {
                return Level::V4;
            } else if v3 {
                return Level::V3;
            }
            assert!(
                has!("sse4.2") && has!("ssse3") && has!("popcnt"),
                "solvent needs x86-64-v2, that is SSE4.2"
            );
        }
        Level::Portable
    }
}

/// The level in use: the widest of the machine, or a narrower one named by `SOLVENT_SIMD` (`v2`, `v3`, `v4`).
///
/// Decided at the first call, then fixed for the life of the process. A name that is unknown or wider than the
/// machine allows is ignored.
pub fn level() -> Level {
    static LEVEL: OnceLock<Level> = OnceLock::new();
    *LEVEL.get_or_init(|| {
        let widest = Level::detect();
        let asked = match std::env::var("SOLVENT_SIMD").as_deref() {
            Ok("v2" | "neon") => Level::Portable,
            Ok("v3") => Level::V3,
            _ => Level::V4,
        };
        asked.min(widest)
    })
}

/// Runs `kernel` at the level in use.
#[inline]
pub fn dispatch<K: Kernel>(kernel: K) -> K::Output {
    // SAFETY: `level` never exceeds what `Level::detect` found on this machine.
    unsafe { run(level(), kernel) }
}

/// Runs `kernel` at a level of choice, for tests and measurements. `None` if the machine lacks it.
pub fn dispatch_at<K: Kernel>(level: Level, kernel: K) -> Option<K::Output> {
    // SAFETY: just checked against the machine.
    (level <= Level::detect()).then(|| unsafe { run(level, kernel) })
}

/// # Safety
/// The machine must have `level`.
#[inline]
unsafe fn run<K: Kernel>(level: Level, kernel: K) -> K::Output {
    #[cfg(target_arch = "x86_64")]
    return match level {
        // SAFETY: the caller's promise, as in the next two.
        Level::V4 => unsafe { run_v4(kernel) },
        // SAFETY: as above.
        Level::V3 => unsafe { run_v3(kernel) },
        // SAFETY: as above.
        Level::Portable => unsafe { run_v2(kernel) },
    };
    #[cfg(not(target_arch = "x86_64"))]
    {
        let _ = level;
        kernel.run::<arch::Portable>()
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bw,avx512cd,avx512dq,avx512vl,avx2,fma,bmi1,bmi2,lzcnt,f16c,popcnt")]
fn run_v4<K: Kernel>(kernel: K) -> K::Output {
    kernel.run::<arch::V4>()
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma,bmi1,bmi2,lzcnt,f16c,popcnt")]
fn run_v3<K: Kernel>(kernel: K) -> K::Output {
    kernel.run::<arch::V3>()
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "sse4.2,ssse3,popcnt")]
fn run_v2<K: Kernel>(kernel: K) -> K::Output {
    kernel.run::<arch::V2>()
}
