"""The show-rate's page counts what its words say, compares only what is enough, and costs the same always."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.db import connection
from django.test.utils import CaptureQueriesContext

from observability.charts import tables
from observability.dashboards import baseline, show_rate
from observability.dashboards.definitions import WORDS
from observability.dashboards.intervals import newcombe, wilson
from observability.dashboards.panels import BeforeAfter, Dashboard, Lines
from observability.dashboards.question import Question
from observability.models import Booking
from tests.observability.dashboards.made import at, booking, keep
from tests.observability.dashboards.walked import behind
from trainu import env

pytestmark = pytest.mark.django_db

# A Saturday, at noon.
NOW = at("2026-11-28")
WEEK = Question(date(2026, 11, 22), date(2026, 11, 28))


def of(first: str, last: str, **words: str) -> Question:
    return Question(date.fromisoformat(first), date.fromisoformat(last), **words)


def build(question: Question = WEEK, **changes: Any) -> Dashboard:
    return show_rate.build(question, now=changes.get("now", NOW))


def value(key: str, question: Question = WEEK, **changes: Any) -> float | None:
    return build(question, **changes).figure(key).value


def many(count: int, day: str, *, no_shows: int = 0, name: str = "m", **fields: Any) -> list[Booking]:
    """Return bookings on a day at noon, the first of which are no-shows."""
    return [
        booking(f"{name}-{day}-{i}", at(day), **({"state": "no_show"} if i < no_shows else {}) | fields)
        for i in range(count)
    ]


def listed(dashboard: Dashboard, key: str) -> dict[Any, Sequence[Any]]:
    """Return a table's rows by their first cell."""
    return {row[0]: row[1:] for row in dashboard.chart(key).table().rows}


def test_a_booking_is_due_when_its_start_has_passed_and_shown_unless_marked() -> None:
    keep(
        [
            booking(1, at("2026-11-24")),
            booking(2, at("2026-11-24"), state="no_show"),
            booking(3, at("2026-11-24"), state="canceled"),
            booking(4, at("2026-11-28", 12)),
            booking(5, at("2026-11-28", 12.01)),
            booking(6, at("2026-11-29")),
            booking(7, at("2026-11-21")),
        ]
    )
    dashboard = build(of("2026-11-22", "2026-11-30"))
    figures = {figure.key: figure.value for figure in dashboard.sections[0].figures}
    assert figures["due"] == 3
    assert figures["no_shows"] == 1
    assert figures["show_rate"] == pytest.approx(2 / 3)
    assert figures["canceled"] == pytest.approx(1 / 4)
    assert (dashboard.figure("show_rate").low, dashboard.figure("show_rate").high) == wilson(2, 3)
    assert dashboard.figure("due").before == 1


def test_today_goes_on_by_itself_and_is_never_in_twice() -> None:
    keep([booking(i, at("2026-11-28", i)) for i in range(1, 24)])
    assert value("due", now=at("2026-11-28", 6)) == 6
    assert value("due", now=at("2026-11-28", 12)) == 12
    assert value("due", now=at("2026-11-29", 0)) == 23
    # By now the day was counted as one that is over.
    auckland = replace(WEEK, zone="Pacific/Auckland")
    assert value("due", auckland, now=at("2026-11-28", 6)) == 6
    rows = listed(build(now=at("2026-11-28", 6)), "show_rate_trainers")
    assert rows["t-1"][0] == 6


def test_today_counts_for_the_period_it_is_in_and_with_the_filters() -> None:
    keep([booking(1, at("2026-11-28", 1)), booking(2, at("2026-11-28", 2), trainer_id="t-2", segment="old")])
    ahead = of("2026-11-29", "2026-12-05")
    assert (value("due", ahead), build(ahead).figure("due").before) == (0, 2)
    assert build(ahead).chart("show_rate_trainers").table().rows == []
    for words in ({"trainer": "t-2"}, {"segment": "old"}, {"trainer": "t-2", "segment": "old"}):
        one = build(replace(WEEK, **words))
        assert one.figure("due").value == 1
        assert list(listed(one, "show_rate_trainers")) == ["t-2"]
        assert list(listed(one, "show_rate_segments")) == ["old"]
    assert value("due", replace(WEEK, trainer="t-1", segment="old")) == 0


def test_a_no_show_is_recovered_when_its_client_books_anew_in_time() -> None:
    keep(
        [
            booking(1, at("2026-11-10"), state="no_show", client_id="x"),
            booking(2, at("2026-12-20"), client_id="x", scheduled_at=at("2026-11-17", 12)),
            booking(3, at("2026-11-11"), state="no_show", client_id="y"),
            booking(4, at("2026-12-20"), client_id="y", scheduled_at=at("2026-11-18", 12.01)),
            booking(5, at("2026-11-12"), state="no_show", client_id="z"),
            booking(6, at("2026-12-20"), client_id="z", scheduled_at=at("2026-11-12", 12)),
        ]
    )
    recovery = build(of("2026-11-08", "2026-11-14")).figure("recovery")
    assert (recovery.value, recovery.sample) == (pytest.approx(1 / 3), 3)


def test_only_days_that_have_been_over_for_a_week_can_tell_of_recovery() -> None:
    keep(many(2, "2026-11-20", no_shows=2) + many(3, "2026-11-21", no_shows=3))
    period = of("2026-11-15", "2026-11-28")
    assert build(period, now=at("2026-11-27", 23.99)).figure("recovery").sample == 0
    assert "over for 7 days" in build(period, now=at("2026-11-27", 23.99)).figure("recovery").note
    assert build(period, now=at("2026-11-28", 0)).figure("recovery").sample == 2
    assert build(period, now=at("2026-11-29", 0)).figure("recovery").sample == 5


@pytest.mark.parametrize(
    ("day", "first", "last"),
    [
        ("2026-01-05", "2026-01-05", "2026-02-01"),  # a Monday
        ("2026-01-06", "2026-01-12", "2026-02-08"),
        ("2026-01-11", "2026-01-12", "2026-02-08"),  # a Sunday
    ],
)
def test_the_first_full_weeks_begin_with_a_monday(day: str, first: str, last: str) -> None:
    assert baseline.first_weeks(date.fromisoformat(day)) == (
        date.fromisoformat(first),
        date.fromisoformat(last),
    )


def test_the_baseline_is_of_each_trainers_first_four_full_weeks() -> None:
    keep(
        [
            # Canceled and on a Friday: weeks begin with the Monday after the one that was due on Wednesday.
            booking("c", at("2026-01-02"), state="canceled"),
            booking("w", at("2026-01-07"), state="no_show"),
            *many(3, "2026-01-12", no_shows=1, name="first"),
            *many(4, "2026-02-08", no_shows=1, name="last"),
            *many(9, "2026-02-09", no_shows=9, name="behind"),
            # Another trainer's weeks begin later.
            *many(5, "2026-03-02", no_shows=0, name="other", trainer_id="t-2"),
        ]
    )
    figure = build().figure("show_rate_baseline")
    assert (figure.sample, figure.value) == (12, pytest.approx(10 / 12))
    assert figure.note == "Of 2 trainers."
    one = build(replace(WEEK, trainer="t-1")).figure("show_rate_baseline")
    assert (one.sample, one.value, one.note) == (7, pytest.approx(5 / 7), "Of 1 trainer.")
    assert "from=2026-01-12&to=2026-02-08" in one.url
    assert figure.url == ""
    # The weeks are over when the Monday after them has begun.
    assert build(now=at("2026-02-08", 23.99)).figure("show_rate_baseline").sample == 0
    assert build(now=at("2026-02-09", 0)).figure("show_rate_baseline").sample == 7


def test_the_baseline_is_of_the_segment_that_is_asked_for() -> None:
    keep(many(3, "2026-01-12", segment="new") + many(4, "2026-01-13", no_shows=2, segment="old"))
    figure = build(replace(WEEK, segment="old")).figure("show_rate_baseline")
    assert (figure.sample, figure.value) == (4, 0.5)


def test_the_first_booking_is_that_of_the_zone() -> None:
    # Late on a Sunday in UTC, and Monday in Auckland.
    keep([booking(1, at("2026-01-11", 20)), *many(2, "2026-02-09")])
    assert build().figure("show_rate_baseline").sample == 0
    assert build(replace(WEEK, zone="Pacific/Auckland")).figure("show_rate_baseline").sample == 1


def test_a_configured_baseline_is_everybodys(settings: Any) -> None:
    settings.SHOW_RATE_BASELINE = (date(2026, 3, 1), date(2026, 3, 10))
    keep(many(1, "2026-01-12") + many(40, "2026-03-10", no_shows=8) + many(3, "2026-03-11"))
    keep(many(10, "2026-03-01", no_shows=0, name="other", trainer_id="t-2"))
    dashboard = build()
    figure = dashboard.figure("show_rate_baseline")
    assert (figure.sample, figure.value) == (50, pytest.approx(42 / 50))
    assert figure.note == "Of 2 trainers, 2026-03-01 to 2026-03-10."
    assert behind(figure.url, now=NOW) == 50
    target = dashboard.figure("show_rate").target
    assert target is not None
    assert (
        target.words == "15 to 25 % above the baseline: 96.6\u00a0% to 100.0\u00a0% (100 % is all there is)"
    )
    assert (target.low, target.high) == (pytest.approx(0.84 * 1.15), 1.0)
    settings.SHOW_RATE_BASELINE = (date(2026, 11, 1), date(2026, 11, 28))
    assert build().figure("show_rate").note.endswith("the baseline is not over (2026-11-01 to 2026-11-28).")
    settings.SHOW_RATE_BASELINE = (date(2025, 11, 1), date(2025, 11, 28))
    assert "nothing was due in the baseline" in build().figure("show_rate").note


def test_a_baseline_of_few_sets_no_target() -> None:
    keep(many(29, "2026-01-12", no_shows=9) + many(40, "2026-11-25", no_shows=1))
    figure = build().figure("show_rate")
    assert (figure.target, figure.verdict) == (None, "")
    assert figure.note == "No target: only 29 bookings were due in the baseline."
    keep(many(1, "2026-01-13"))
    figure = build().figure("show_rate")
    assert figure.note == ""
    assert figure.verdict == "met"
    assert figure.target is not None
    assert (figure.target.low, figure.target.high) == (pytest.approx(0.7 * 1.15), pytest.approx(0.7 * 1.25))
    trend = build().chart("show_rate_trend")
    assert isinstance(trend, Lines)
    assert trend.target == figure.target


def test_few_cases_are_compared_with_nothing() -> None:
    keep(many(29, "2026-11-18", no_shows=9) + many(60, "2026-11-25", no_shows=10))
    dashboard = build()
    assert dashboard.figure("show_rate").before is None
    change = dashboard.chart("show_rate_change")
    assert isinstance(change, BeforeAfter)
    assert [(pair.low, pair.high, pair.is_small) for pair in change.pairs] == [(None, None, True)] * 2
    assert [row[5:] for row in change.table().rows] == [[None, None, None, "Too few to tell"]] * 2
    keep(many(1, "2026-11-18", name="one more"))
    dashboard = build()
    assert dashboard.figure("show_rate").before == pytest.approx(21 / 30)
    [everyone, new] = dashboard.chart("show_rate_change").table().rows
    assert everyone[:5] == ["All", pytest.approx(0.7), 30, pytest.approx(50 / 60), 60]
    assert everyone[5:8] == pytest.approx([50 / 60 - 0.7, *(newcombe(21, 30, 50, 60) or ())])
    assert new[1:] == everyone[1:]


def test_a_trainer_is_held_against_the_own_baseline_where_both_are_enough() -> None:
    base = [
        *many(30, "2026-01-12", no_shows=15, name="a", trainer_id="t-a"),
        *many(29, "2026-01-12", no_shows=15, name="b", trainer_id="t-b"),
        *many(30, "2026-01-12", no_shows=15, name="c", trainer_id="t-c"),
    ]
    now = [
        *many(40, "2026-11-25", no_shows=10, name="a", trainer_id="t-a"),
        *many(41, "2026-11-25", name="b", trainer_id="t-b"),
        *many(29, "2026-11-25", name="c", trainer_id="t-c"),
        *many(40, "2026-11-25", name="d", trainer_id="t-d"),
        booking("e", at("2026-11-25"), trainer_id="t-e", state="canceled"),
    ]
    keep(base + now)
    rows = listed(build(), "show_rate_trainers")
    assert list(rows) == ["t-b", "t-a", "t-d", "t-c"]
    assert rows["t-a"][:5] == [40, 30, 0.75, *(wilson(30, 40) or ())]
    assert rows["t-a"][5:] == [0.5, 0.25, *(newcombe(15, 30, 30, 40) or ()), ""]
    assert rows["t-b"][6:] == [None, None, None, "Too few to tell: baseline of 29"]
    assert rows["t-c"][5:] == [0.5, None, None, None, "Too few to tell"]
    assert rows["t-d"][5:] == [None, None, None, None, "Baseline is not over"]


def test_weeks_count_with_their_days_of_the_period() -> None:
    for day in range(14, 29):
        keep(many(2, f"2026-11-{day}", no_shows=day % 2))
    trend = build(of("2026-11-17", "2026-12-02")).chart("show_rate_trend")
    assert isinstance(trend, Lines)
    assert trend.xs == ["2026-11-16", "2026-11-23", "2026-11-30"]
    [series] = trend.series
    # Tuesday to Sunday, then Monday to Saturday at noon, then nothing yet.
    assert series.values == [pytest.approx(9 / 12), pytest.approx(9 / 12), None]
    assert (series.low[0], series.high[0]) == wilson(9, 12)
    assert (series.low[2], series.high[2]) == (None, None)
    assert trend.note.endswith("too few to tell: 2026-11-16 (12), 2026-11-23 (12).")


def test_the_page_has_fifty_trainers_and_the_file_a_thousand() -> None:
    keep([booking(i, at("2026-11-25"), trainer_id=f"t-{i:04}") for i in range(1_003)])
    chart = build().chart("show_rate_trainers")
    assert chart.shown == 50  # type: ignore[attr-defined]
    rows = chart.table().rows
    assert (len(rows), len(chart.table().urls)) == (1_000, 1_000)
    assert (rows[0][0], rows[999][0]) == ("t-0000", "t-0999")
    assert chart.note == "953 more are not shown; the CSV has the first 1,000."
    on_page = tables.written(chart)
    assert (len(on_page.rows), on_page.rows[49].name) == (50, "t-0049")
    assert len(list(tables.raw(chart))) == 1_000
    Booking.objects.filter(trainer_id__gt="t-0099").delete()
    keep([booking("x", at("2026-11-25"))])
    assert build().chart("show_rate_trainers").note == "51 more are in the CSV."


def test_everything_that_has_words_is_there() -> None:
    keys = list(WORDS)
    told = set(keys[keys.index("show_rate") : keys.index("sync_success")]) - {"show_rate_target"}
    dashboard = build()
    there = {one.key for section in dashboard.sections for one in [*section.figures, *section.charts]}
    assert there == told
    assert [figure.value for figure in dashboard.sections[0].figures] == [None, None, 0, 0, None, None]
    assert dashboard.notes == []
    assert build(replace(WEEK, location="l-1")).notes == [
        "Bookings are not filtered by location or operation."
    ]


def test_the_page_costs_the_same_statements_however_much_there_is() -> None:
    def cost(question: Question) -> int:
        build(question)
        with CaptureQueriesContext(connection) as queries:
            build(question)
        return len(queries)

    keep(many(1, "2026-01-12"))
    long = of("2026-09-01", "2026-11-28")
    few = [cost(WEEK), cost(replace(long, trainer="t-1", segment="new"))]
    for number in range(20):
        keep(many(3, f"2026-01-{number + 1:02}", name=f"x{number}", trainer_id=f"t-{number}"))
        keep(many(3, f"2026-11-{number + 1:02}", name=f"x{number}", segment=f"s-{number}"))
    # Whether days hold and what they hold, five times; today; first bookings; how new it all is.
    assert [cost(WEEK), cost(long)] == few == [13, 13]


def test_a_wrong_baseline_stops_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    def read(written: str) -> tuple[date, date] | None:
        monkeypatch.setenv("TRAINU_SHOW_RATE_BASELINE", written)
        return env.days("TRAINU_SHOW_RATE_BASELINE", otherwise="first-4-weeks")

    assert read("") is None
    assert read("first-4-weeks") is None
    assert read("2026-01-05/2026-02-01") == (date(2026, 1, 5), date(2026, 2, 1))
    assert read("2026-01-05/2026-01-05") == (date(2026, 1, 5), date(2026, 1, 5))
    for wrong in ("first-5-weeks", "2026-01-05", "2026-01-05/2026-02-30", "2026-01-05/2026-01-06/2026-01-07"):
        with pytest.raises(ImproperlyConfigured, match="must be first-4-weeks, or two days as 2026-01-05/"):
            read(wrong)
    with pytest.raises(ImproperlyConfigured, match="2026-02-01, lies behind the last one, 2026-01-05"):
        read("2026-02-01/2026-01-05")


def test_days_before_the_rows_begin_are_no_trouble() -> None:
    keep(many(1, "2026-11-25"))
    assert value("due", of("2000-01-01", "2000-01-02")) == 0
    assert value("due", of("2024-11-01", "2026-11-28")) == 1
    assert value("due", of("2100-12-30", "2100-12-31"), now=NOW + timedelta(days=1)) == 0
