"""The Rust extension. One stub file a family, as the bindings have one source file a family."""

from typing import final

from . import completion as completion
from . import monotone as monotone
from . import ot as ot
from . import probe as probe
from . import regression as regression
from . import rng as rng
from . import sketch as sketch
from . import special as special
from . import stats as stats

__all__ = [
    "Info",
    "__version__",
    "available_threads",
    "completion",
    "get_num_threads",
    "monotone",
    "ot",
    "probe",
    "regression",
    "rng",
    "set_num_threads",
    "simd_level",
    "sketch",
    "special",
    "stats",
]

__version__: str

def simd_level() -> str: ...
def set_num_threads(n: int | None) -> None: ...
def get_num_threads() -> int: ...
def available_threads() -> int: ...

# Apart from Info because the extension holds it in a type slot, where stubtest finds no such attribute.
class _Extras:
    def __getattr__(self, name: str) -> float: ...

# Only the core makes one.
@final
class Info(_Extras):
    @property
    def nit(self) -> int: ...
    @property
    def bound(self) -> float: ...
    @property
    def elapsed(self) -> float: ...
    @property
    def index(self) -> int | None: ...
    def names(self) -> list[str]: ...
    def __dir__(self) -> list[str]: ...
