"""What the functions of this family have in common."""

from typing import Final

from solvent import _core
from solvent._dispatch import Elementwise

OPTIONS: Final = """\
out : array or tuple of arrays, optional
    Where the results go, as for every `numpy.ufunc`.
where, casting, order, dtype, subok
    As for every `numpy.ufunc`; keyword-only."""

ORDER: Final = """\
v : array_like of real numbers
    The order."""

POINT: Final = """\
x : array_like of real numbers
    The argument, broadcast against `v`. float32 and float64 are computed in what is given; integers and
    bools become float64."""

RAISES: Final = """\
Raises
------
TypeError
    For complex, object and string input.
ValueError
    For shapes that do not broadcast.
NotImplementedError
    For CUDA arrays."""

ACCURACY: Final = """\
With L the exact value and w = hypot(v, x), the error is at most 5e-15 max(1, abs(L)) for v >= 0 while
w <= 1e15, and at most 5e-15 max(1, abs(L), log(w)/8) beyond; float32: 4e-7 max(1, abs(L)). L vanishes on a
curve, so a bound relative to L alone can hold for no method."""

PLESNER: Final = """\
A. Plesner, H. H. B. Sørensen, S. Hauberg, "Accurate Computation of the Logarithm of Modified Bessel
       Functions on GPUs", 2024, https://arxiv.org/abs/2409.08729"""

_SHARED: Final = {
    "{options}": OPTIONS,
    "{order}": ORDER,
    "{point}": POINT,
    "{raises}": RAISES,
    "{accuracy}": ACCURACY,
    "{plesner}": PLESNER,
}


def elementwise(name: str, doc: str, arguments: tuple[str, ...] = ("v", "x")) -> Elementwise:
    """The public function `name` over the core's ufunc; ``{options}`` etc. in `doc` are the texts above."""
    for mark, text in _SHARED.items():
        doc = doc.replace(mark, text)
    return Elementwise(getattr(_core.special, name), module="solvent.special", arguments=arguments, doc=doc)
