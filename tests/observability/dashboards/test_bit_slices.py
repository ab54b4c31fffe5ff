"""Sums, products and comparisons of whole sets of people come out as those of one person after another."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st
from pyroaring import BitMap

from observability.dashboards.bit_slices import (
    at_least,
    constant,
    counted,
    everybody,
    greatest,
    number_of,
    plus,
    times,
)

PEOPLE = range(12)
sets = st.lists(st.sets(st.sampled_from(PEOPLE)).map(BitMap), max_size=35)
numbers = st.dictionaries(st.sampled_from(PEOPLE), st.integers(0, 200))


def sliced(by_person: dict[int, int]) -> list[BitMap]:
    return [BitMap(one for one, number in by_person.items() if number >> i & 1) for i in range(8)]


@given(sets)
def test_everybody_is_counted_in_as_many_sets_as_they_are_in(given_sets: list[BitMap]) -> None:
    copies = [BitMap(one) for one in given_sets]
    slices = counted(given_sets)
    expected = Counter(person for one in given_sets for person in one)
    assert {person: number_of(slices, person) for person in PEOPLE} == {p: expected[p] for p in PEOPLE}
    assert given_sets == copies
    assert everybody(slices) == BitMap(expected)


def test_twenty_eight_sets_take_five_slices() -> None:
    slices = counted([BitMap([1])] * 28)
    assert [list(one) for one in slices] == [[], [], [1], [1], [1]]


@given(numbers, numbers, st.integers(1, 9))
def test_sums_and_products_are_those_of_each_person(
    some: dict[int, int], others: dict[int, int], factor: int
) -> None:
    total, product = plus(sliced(some), sliced(others)), times(sliced(some), factor)
    for person in PEOPLE:
        assert number_of(total, person) == some.get(person, 0) + others.get(person, 0)
        assert number_of(product, person) == some.get(person, 0) * factor


@given(numbers, st.integers(1, 600))
def test_a_bound_keeps_whoever_has_as_much_or_more(by_person: dict[int, int], bound: int) -> None:
    expected = [person for person, number in by_person.items() if number >= bound]
    assert at_least(sliced(by_person), bound) == BitMap(expected)


@given(numbers, st.sets(st.sampled_from(PEOPLE), min_size=1))
def test_the_greatest_are_all_who_have_the_greatest_number(by_person: dict[int, int], of: set[int]) -> None:
    most = max(by_person.get(person, 0) for person in of)
    expected = [person for person in of if by_person.get(person, 0) == most]
    assert greatest(sliced(by_person), BitMap(of)) == BitMap(expected)


@given(st.integers(0, 300))
def test_a_constant_is_the_same_for_all_of_them_and_nothing_for_others(value: int) -> None:
    slices = constant(value, BitMap([3, 4]))
    assert [number_of(slices, person) for person in (3, 4, 5)] == [value, value, 0]
