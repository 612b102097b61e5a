"""SPEC 7: what `rng=` may be, and the seed that it stands for."""

import re

import numpy as np
import pytest

from solvent._rng import seed_from_random_state, seed_from_rng


def first_word(generator):
    return int(generator.integers(0, 2**64, dtype=np.uint64))


@pytest.mark.parametrize("make", [lambda: 5, lambda: np.int32(5), lambda: np.random.SeedSequence(5)])
@pytest.mark.parametrize("seed", [seed_from_rng, seed_from_random_state])
def test_seed_is_that_of_a_fresh_generator(seed, make):
    expected = first_word(np.random.default_rng(5))
    assert seed(make()) == seed(make()) == expected
    assert seed(np.random.default_rng(5)) == expected
    assert seed(np.random.PCG64(5)) == expected


def test_seeds_are_python_ints_of_64_bits(rng):
    seeds = [seed_from_rng(rng) for _ in range(200)]
    assert all(type(seed) is int and 0 <= seed < 2**64 for seed in seeds)
    # 200 draws that all leave the top bit clear would have probability 2^-200.
    assert max(seeds) >= 2**63
    assert len(set(seeds)) == 200


def test_generator_advances():
    generator = np.random.default_rng(1)
    assert seed_from_rng(generator) != seed_from_rng(generator)


def test_seed_sequence_is_not_spent():
    sequence = np.random.SeedSequence(9)
    seed_from_rng(sequence)
    assert sequence.n_children_spawned == 0


def test_none_is_fresh_entropy_or_the_fixed_seed():
    assert seed_from_rng(None) != seed_from_rng(None)
    assert seed_from_rng(None, fixed=17) == 17
    assert seed_from_rng(3, fixed=17) == seed_from_rng(3)


def test_large_integers():
    assert seed_from_rng(2**200) == first_word(np.random.default_rng(2**200))
    assert seed_from_rng(2**64) != seed_from_rng(0)


@pytest.mark.parametrize("name", ["rng", "seed"])
@pytest.mark.parametrize(
    ("value", "error"),
    [
        (-1, ValueError),
        (1.5, TypeError),
        ("a", TypeError),
        (True, TypeError),
        (np.random.RandomState(1), TypeError),
    ],
)
def test_misuse(value, error, name):
    with pytest.raises(error, match=f"^{name} = {re.escape(repr(value))}; expected None, an integer >= 0"):
        seed_from_rng(value, name=name)


def test_random_state_of_the_legacy_kind():
    seed = seed_from_random_state(np.random.RandomState(3))
    assert seed == int(np.random.RandomState(3).randint(0, 2**64, dtype=np.uint64))
    state = np.random.RandomState(3)
    assert seed_from_random_state(state) != seed_from_random_state(state)


def test_random_state_none_obeys_the_global_seed():
    saved = np.random.get_state()  # noqa: NPY002
    try:
        np.random.seed(11)  # noqa: NPY002
        first = seed_from_random_state(None)
        assert first != seed_from_random_state(None)
        np.random.seed(11)  # noqa: NPY002
        assert seed_from_random_state(None) == first
    finally:
        np.random.set_state(saved)  # noqa: NPY002
