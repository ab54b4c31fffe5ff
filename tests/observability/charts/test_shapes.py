"""Funnels, grids, cohorts, dumbbells and bars: in the picture, in proportion, and with few cases said."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from observability.charts import bars, before_after, cohorts, funnel, heat, lettering
from observability.dashboards.panels import (
    Bars,
    BeforeAfter,
    Cohort,
    Cohorts,
    Funnel,
    Heat,
    Pair,
    Step,
)

names = st.text(max_size=80)
counts = st.integers(0, 10**9)
numbers = st.none() | st.floats(-1e9, 1e9)
shares = st.none() | st.floats(0, 1)


@given(st.lists(st.tuples(names, counts), min_size=1, max_size=12), st.booleans())
def test_a_funnel_is_in_proportion_and_inside_its_picture(
    people: list[tuple[str, int]], nested: bool
) -> None:
    chart = Funnel(key="dau", title="", steps=[Step(*one) for one in people], nested=nested)
    drawing = funnel.draw(chart)
    longest = max(number for _, number in people)
    assert (drawing is None) == (longest == 0)
    if drawing is None:
        return
    widest = max(bar.width for bar in drawing.bars)
    for bar, (_, number) in zip(drawing.bars, people, strict=True):
        assert abs(bar.width - number / longest * widest) < 0.02
        assert bar.y + drawing.bar_height <= drawing.height
        assert lettering.width(bar.label) <= drawing.left
    # Neither bars nor counts reach into the next column.
    room = max(lettering.width(bar.people) for bar in drawing.bars)
    assert drawing.left + widest + room <= drawing.counts
    assert drawing.counts + max(lettering.width(bar.share, 11) for bar in drawing.bars) <= drawing.width


def test_a_funnel_says_who_goes_on_and_how_many_are_lost() -> None:
    steps = [Step("All", 400), Step("Some", 295), Step("More", 300), Step("None", 0)]
    drawing = funnel.draw(Funnel(key="dau", title="", steps=steps))
    assert drawing is not None
    said = [bar.loss.replace("\u00a0", " ") for bar in drawing.bars]
    assert said == ["", "73.8 % continue, −105", "+5", "0 % continue, −300"]  # noqa: RUF001
    assert [bar.share.replace("\u00a0", " ") for bar in drawing.bars] == ["100 %", "73.8 %", "75.0 %", "0 %"]
    apart = funnel.draw(Funnel(key="dau", title="", steps=steps, nested=False))
    assert apart is not None
    assert {(bar.loss, bar.slope) for bar in apart.bars} == {("", "")}


@given(st.data(), st.integers(1, 12), st.integers(1, 40))
def test_a_grid_has_a_cell_for_each_known_value_and_all_are_inside(data: Any, high: int, wide: int) -> None:
    row = st.lists(numbers, min_size=wide, max_size=wide)
    values = data.draw(st.lists(row, min_size=high, max_size=high))
    grid = Heat(
        key="dau",
        title="",
        rows=data.draw(st.lists(names, min_size=high, max_size=high)),
        columns=[str(i) for i in range(wide)],
        values=values,
    )
    drawing = heat.draw(grid)
    known = [value for line in values for value in line if value is not None]
    assert (drawing is None) == (not known)
    if drawing is None:
        return
    assert len(drawing.cells) == len(known)
    for cell in drawing.cells:
        assert drawing.left <= cell.x
        assert cell.x + drawing.cell_width <= drawing.width + 1
        assert 0 <= cell.y <= drawing.height - drawing.cell_height
        assert cell.shade in drawing.legend.shades


def test_shades_go_evenly_from_nothing_to_the_most() -> None:
    assert [heat.shade(value, 8) for value in range(9)] == [f"q{number}" for number in range(9)]
    assert heat.shade(None, 8) == ""
    assert heat.shade(0, 0) == "q0"
    assert heat.shade(-1, 8) == "q0"


def test_a_cohort_whose_time_is_not_over_is_empty_and_one_with_nobody_left_is_not() -> None:
    chart = Cohorts(
        key="dau",
        title="",
        columns=["W0", "W1"],
        cohorts=[Cohort("2026-11-02", 1_200, [1.0, 0.0], "/x"), Cohort("2026-11-09", 7, [0.5, None])],
    )
    drawing = cohorts.draw(chart)
    assert drawing is not None
    assert [row.cells for row in drawing.rows] == [
        (("100", "q8"), ("0", "q0")),
        (("50.0", "q4"), ("", "")),
    ]
    assert [(row.label, row.people, row.url) for row in drawing.rows] == [
        ("2 Nov", "1,200", "/x"),
        ("9 Nov", "7", ""),
    ]
    assert drawing.in_percent


pairs = st.builds(
    Pair, names, shares, shares, st.integers(0, 500), st.integers(0, 500), shares, shares, st.just("")
)


@given(st.lists(pairs, min_size=1, max_size=15))
def test_dumbbells_lie_on_the_axis_and_their_words_beside_it(given_pairs: list[Pair]) -> None:
    drawing = before_after.draw(BeforeAfter(key="dau", title="", pairs=given_pairs, before="A", after="B"))
    if drawing is None:
        assert all(one.before is None and one.after is None for one in given_pairs)
        return
    for one, pair in zip(drawing.dumbbells, given_pairs, strict=True):
        for x in (one.before_x, one.after_x, one.from_x, one.to_x):
            assert x is None or drawing.left <= x <= drawing.right
        assert (one.before_x is None, one.after_x is None) == (pair.before is None, pair.after is None)
        assert lettering.width(one.label) <= drawing.left
        assert drawing.right + lettering.width(one.words) <= drawing.width
        assert one.y <= drawing.height


def test_too_few_cases_are_faint_and_say_how_few() -> None:
    few = Pair("few", 0.5, 0.9, 12, 31, 0.1, 0.6)
    many = Pair("many", 0.7, 0.8, 30, 31, 0.02, 0.18)
    drawing = before_after.draw(BeforeAfter(key="dau", title="", pairs=[few, many], before="A", after="B"))
    assert drawing is not None
    first, second = drawing.dumbbells
    assert (first.is_faint, first.words, first.detail, first.from_x) == (
        True,
        "too few to tell",
        "n = 12",
        None,
    )
    assert not second.is_faint
    assert second.words == "+10.0\u00a0pp"
    assert second.detail == "+2.0 to +18.0"
    # The interval of the difference lies beside what was before.
    assert second.before_x is not None
    assert second.after_x is not None
    assert second.from_x is not None
    assert second.to_x is not None
    assert second.before_x < second.from_x < second.after_x < second.to_x


@given(st.lists(st.tuples(names, numbers), min_size=1, max_size=40))
def test_bars_begin_at_nothing_and_stay_in_their_column(named: list[tuple[str, float | None]]) -> None:
    drawing = bars.draw(Bars(key="dau", title="", bars=named, urls=["/x"]))
    if drawing is None:
        assert all(value is None for _, value in named)
        return
    for bar, (_, value) in zip(drawing.bars, named, strict=True):
        assert bar.is_known == (value is not None)
        assert bar.x >= 0
        assert bar.x + bar.width <= bars.WIDTH + 0.02
        start = bar.x + bar.width if bar.is_below else bar.x
        assert abs(start - drawing.zero) < 0.02
    assert [bar.url for bar in drawing.bars][:2] == ["/x", ""][: len(named)]


@given(st.text(max_size=200), st.floats(20, 300))
def test_text_that_is_cut_fits_and_hides_nothing(text: str, room: float) -> None:
    shown = lettering.cut(text, room)
    assert lettering.width(shown) <= room
    assert "\u202e" not in shown


def test_pictures_of_nothing_are_none() -> None:
    assert funnel.draw(Funnel(key="dau", title="", steps=[])) is None
    assert heat.draw(Heat(key="dau", title="", rows=[], columns=[], values=[])) is None
    assert cohorts.draw(Cohorts(key="dau", title="", columns=[], cohorts=[])) is None
    assert before_after.draw(BeforeAfter(key="dau", title="", pairs=[], before="A", after="B")) is None
    assert bars.draw(Bars(key="dau", title="", bars=[])) is None
