"""From what callers pass as ``rng=`` or ``random_state=`` to the 64-bit key of the core's Philox."""

from typing import TypeAlias

import numpy as np

__all__ = ["RNGLike", "RandomStateLike", "seed_from_random_state", "seed_from_rng"]

RNGLike: TypeAlias = int | np.integer | np.random.Generator | np.random.BitGenerator | np.random.SeedSequence
RandomStateLike: TypeAlias = RNGLike | np.random.RandomState

_EXPECTED = "expected None, an integer >= 0, a numpy.random.Generator or a numpy.random.SeedSequence"


def seed_from_rng(rng: RNGLike | None, *, fixed: int | None = None, name: str = "rng") -> int:
    """Draw the seed that `rng` stands for, by the rule of SPEC 7.

    The seed is the first 64-bit word of ``numpy.random.default_rng(rng)``: an int and a fresh generator made
    from it give the same stream, a generator that is passed twice gives two streams (its state advances by
    one draw a call), and None gives fresh entropy.

    Parameters
    ----------
    rng : None, int, Generator, BitGenerator or SeedSequence
        The source.
    fixed : int, optional
        The seed that None stands for where randomness only preconditions and must not show in the answer.
    name : str
        The argument's name, for messages.

    Returns
    -------
    int
        In [0, 2**64).

    Raises
    ------
    TypeError
        If `rng` is none of these.
    ValueError
        If `rng` is a negative integer.
    """
    if rng is None:
        if fixed is not None:
            return fixed
    elif isinstance(rng, int | np.integer) and not isinstance(rng, bool):
        if rng < 0:
            raise ValueError(f"{name} = {rng}; {_EXPECTED}")
    elif not isinstance(rng, np.random.Generator | np.random.BitGenerator | np.random.SeedSequence):
        raise TypeError(f"{name} = {rng!r}; {_EXPECTED}")
    return _first_word(np.random.default_rng(rng))


def seed_from_random_state(random_state: RandomStateLike | None, *, name: str = "random_state") -> int:
    """The same for an estimator's ``random_state``, by scikit-learn's custom.

    Parameters
    ----------
    random_state : None, int, RandomState, Generator, BitGenerator or SeedSequence
        None draws from NumPy's global state, so that ``numpy.random.seed`` is obeyed as everywhere in
        scikit-learn; a `RandomState` advances by one draw; anything else is as in `seed_from_rng`.
    name : str
        The argument's name, for messages.

    Returns
    -------
    int
        In [0, 2**64).

    Raises
    ------
    TypeError, ValueError
        As `seed_from_rng`.
    """
    if random_state is None:
        return int(np.random.randint(0, 2**64, dtype=np.uint64))  # noqa: NPY002 (scikit-learn's custom)
    if isinstance(random_state, np.random.RandomState):
        return int(random_state.randint(0, 2**64, dtype=np.uint64))
    return seed_from_rng(random_state, name=name)


def _first_word(generator: np.random.Generator) -> int:
    return int(generator.integers(0, 2**64, dtype=np.uint64))
