"""Arithmetic with a number for each of many people, without a loop over them: bit-sliced numbers.

A number is kept as one set of people for each of its bits, lowest first: whoever is in `slices[i]` has 2**i
in the own number, and who is in none has 0. Sums are made of unions and intersections of whole sets, as an
adder makes them of wires (carry-save); sums and comparisons as in P. O'Neil and D. Quass, "Improved query
performance with variant indexes", SIGMOD 1997. The rule: no set that comes in is changed.
"""

from collections.abc import Iterable, Sequence
from itertools import zip_longest

from pyroaring import BitMap

from observability.people_sets import united

Slices = Sequence[BitMap]


def added(columns: Iterable[Iterable[BitMap]]) -> list[BitMap]:
    """Return for each person the sum of 2**i for every set of column i that the person is in."""
    waiting = [list(column) for column in columns]
    slices: list[BitMap] = []
    i = 0
    while i < len(waiting):
        column, carries = waiting[i], waiting[i + 1] if i + 1 < len(waiting) else []
        while len(column) > 1:
            a, b = column.pop(), column.pop()
            c = column.pop() if column else BitMap()
            one_of_two = a ^ b
            column.append(one_of_two ^ c)
            carries.append((a & b) | (one_of_two & c))
        slices.append(column[0] if column else BitMap())
        if i + 1 == len(waiting) and carries:
            waiting.append(carries)
        i += 1
    return slices


def counted(sets: Iterable[BitMap]) -> list[BitMap]:
    """Return for each person in how many of the sets the person is."""
    return added([sets])


def plus(*numbers: Slices) -> list[BitMap]:
    """Return for each person the sum of these numbers of the person."""
    return added(list(column) for column in zip_longest(*numbers, fillvalue=BitMap()))


def times(slices: Slices, factor: int) -> list[BitMap]:
    """Return each person's number times a factor."""
    shifts = [shift for shift in range(factor.bit_length()) if factor >> shift & 1]
    return plus(*([BitMap()] * shift + list(slices) for shift in shifts))


def constant(value: int, people: BitMap) -> list[BitMap]:
    """Return the same number for all of these people."""
    return [people if value >> i & 1 else BitMap() for i in range(value.bit_length())]


def everybody(slices: Slices) -> BitMap:
    """Return whose number is not 0."""
    return united(slices)


def at_least(slices: Slices, bound: int) -> BitMap:
    """Return whose number is the bound or more; the bound is 1 or more."""
    if bound.bit_length() > len(slices):
        return BitMap()
    # not_less: as far as the bits down to this one tell.
    more, not_less = BitMap(), everybody(slices)
    for i in reversed(range(len(slices))):
        if bound >> i & 1:
            not_less &= slices[i]
        else:
            more |= not_less & slices[i]
    return more | not_less


def greatest(slices: Slices, people: BitMap) -> BitMap:
    """Return who of these people has the greatest number among them."""
    for one in reversed(slices):
        if people.intersect(one):
            people = people & one
    return people


def number_of(slices: Slices, person: int) -> int:
    """Return one person's number."""
    return sum(1 << i for i, people in enumerate(slices) if person in people)
