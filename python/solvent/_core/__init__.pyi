"""The Rust extension. One stub file a family, as the bindings have one source file a family."""

from . import rng as rng
from . import special as special
from . import stats as stats

__all__ = [
    "__version__",
    "available_threads",
    "get_num_threads",
    "rng",
    "set_num_threads",
    "simd_level",
    "special",
    "stats",
]

__version__: str

def simd_level() -> str: ...
def set_num_threads(n: int | None) -> None: ...
def get_num_threads() -> int: ...
def available_threads() -> int: ...
