"""Sets of people: exact up to a size, and beyond it of a sample that stays the same everywhere.

A set is a compressed bitmap of people's numbers (pyroaring). Beyond EXACT_UP_TO people, sets hold one in two
of them, then one in four … chosen by a hash of the number, so that any two sets can still be united and
intersected (a theta sketch with a fixed theta). The rule: whoever shows a count shows its error with it.
"""

from collections.abc import Iterable
from functools import lru_cache

from pyroaring import BitMap

# Knuth's multiplicative hash: numbers are given in the order of arrival, which may alternate in a pattern.
_FACTOR = 2_654_435_769
_32_BITS = 0xFFFF_FFFF
_CHUNK = 65_536


def is_sampled(number: int, level: int) -> bool:
    """Whether somebody is in the sample of one in 2**level."""
    return (number * _FACTOR & _32_BITS) >> (32 - level) == 0


def thinned(people: BitMap, level: int) -> BitMap:
    """Return those of the sample; a set of before may hold more."""
    if not level or not people:
        return people
    return people & BitMap.union(*(_sample(chunk, level) for chunk in range(people.max() // _CHUNK + 1)))


@lru_cache(maxsize=4096)
def _sample(chunk: int, level: int) -> BitMap:
    first = chunk * _CHUNK
    return BitMap(number for number in range(first, first + _CHUNK) if is_sampled(number, level))


def united(sets: Iterable[BitMap]) -> BitMap:
    """Return everybody who is in any of the sets."""
    return BitMap.union(BitMap(), *sets)


def pack(people: BitMap) -> bytes:
    """Return a set as bytes."""
    people.run_optimize()
    return bytes(people.serialize())


def unpack(packed: bytes | memoryview) -> BitMap:
    """Return the set that `pack` had packed."""
    return BitMap.deserialize(bytes(packed))
