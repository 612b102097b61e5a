"""Facts about the machine and the libraries that a measured number depends on."""

from __future__ import annotations

import importlib.metadata
import os
import pathlib
import platform
import sys
from collections.abc import Iterable
from typing import Any

_LEVELS = {
    "v2": {"sse4_2", "ssse3", "popcnt", "cx16"},
    "v3": {"avx2", "fma", "bmi1", "bmi2", "f16c", "movbe", "abm"},
    "v4": {"avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl"},
}


def _read(path: str) -> str:
    try:
        return pathlib.Path(path).read_text()
    except OSError:
        return ""


def _cpu() -> dict[str, str]:
    facts = {}
    for line in _read("/proc/cpuinfo").splitlines():
        key, _, value = line.partition(":")
        if not key.strip():
            break
        facts[key.strip()] = value.strip()
    return facts


def _level(flags: str) -> str | None:
    """Highest x86-64 micro-architecture level of the CPU (None where /proc does not tell)."""
    have, best = set(flags.split()), None
    for level, needed in _LEVELS.items():
        if not needed <= have:
            break
        best = level
    return best


def _caches() -> dict[str, str]:
    found = {}
    for index in sorted(pathlib.Path("/sys/devices/system/cpu/cpu0/cache").glob("index*")):
        level, kind, size = (_read(str(index / name)).strip() for name in ("level", "type", "size"))
        found[f"L{level} {kind.lower()}"] = size
    return found


def _quota() -> float | None:
    """CPUs that the cgroup allows (None: no limit, or not told)."""
    limit, _, period = _read("/sys/fs/cgroup/cpu.max").strip().partition(" ")
    return float(limit) / float(period) if limit not in ("", "max") else None


def cpus() -> list[int]:
    """CPUs that this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return sorted(os.sched_getaffinity(0))
    return list(range(os.cpu_count() or 1))


def all_threads() -> int:
    """Number of threads that "all" means: affinity and cgroup quota."""
    quota = _quota()
    return max(1, min(len(cpus()), int(quota) if quota else len(cpus())))


def machine() -> dict[str, Any]:
    """CPU, caches, memory, limits, load, system and Python."""
    cpu = _cpu()
    memory = next(
        (line.split()[1] for line in _read("/proc/meminfo").splitlines() if line.startswith("MemTotal")), None
    )
    return {
        "cpu": cpu.get("model name", platform.processor()),
        "cpu_family_model": f"{cpu.get('cpu family', '?')}/{cpu.get('model', '?')}",
        "x86_64_level": _level(cpu.get("flags", "")),
        "architecture": platform.machine(),
        "cpus_allowed": len(cpus()),
        "cgroup_cpus": _quota(),
        "all_threads": all_threads(),
        "caches": _caches(),
        "memory_kib": int(memory) if memory else None,
        "load_average": list(os.getloadavg()) if hasattr(os, "getloadavg") else None,
        "system": f"{platform.system()} {platform.release()}",
        "python": sys.version.split()[0],
    }


def versions(packages: Iterable[str]) -> dict[str, str | None]:
    """Installed versions (None: not installed)."""
    found: dict[str, str | None] = {}
    for package in packages:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            found[package] = None
    return found


def blas() -> list[dict[str, Any]]:
    """threadpool_info() of this process without paths; empty where threadpoolctl is missing."""
    try:
        from threadpoolctl import threadpool_info
    except ImportError:
        return []
    return [{k: v for k, v in info.items() if k != "filepath"} for info in threadpool_info()]


def solvent_level() -> str | None:
    """SIMD level that solvent runs at in this process (None: not imported here)."""
    core = sys.modules.get("solvent._core")
    return None if core is None else str(core.simd_level())


def solvent_version() -> str | None:
    """Version of the solvent that this process imported, which need not be an installed one."""
    core = sys.modules.get("solvent._core")
    return None if core is None else str(core.__version__)
