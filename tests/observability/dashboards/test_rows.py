"""Behind each number stand as many rows as it says, in pages that leave none out and show none twice."""

from dataclasses import replace
from datetime import date, timedelta
from itertools import product

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from pyroaring import BitMap

from observability.dashboards import active_days, cells, rows, show_rate
from observability.dashboards.cells import Span
from observability.dashboards.question import BadQuestion, Question
from observability.dashboards.rows import Asked
from observability.models import (
    ActiveDay,
    Booking,
    DraftedMessage,
    InboundMessage,
    PeopleQuarter,
    Person,
    SampleLevel,
)
from observability.people_sets import pack
from observability.rollups.touched import Subject
from tests.conftest import Staff
from tests.observability.dashboards.made import at, booking, keep, keep_drafts, touch
from tests.observability.dashboards.walked import behind, every

pytestmark = pytest.mark.django_db

NOW = at("2026-11-28")
PERIOD = Question(date(2026, 11, 1), date(2026, 11, 28))
WORDS = ({}, {"trainer": "t-1"}, {"segment": "old"}, {"trainer": "t-1", "segment": "old"})


def count(kind: str, which: str, question: Question = PERIOD, role: str = "") -> int:
    return len(every(Asked(kind, which, question, role), now=NOW))


def stored_bookings() -> None:
    states = product(("booked", "no_show", "canceled"), ("t-1", "t-2"), ("new", "old"), range(10, 30))
    found = [
        booking(
            i,
            # Some at the same moment; some today, before and after this moment.
            at(f"2026-11-{day}", 12 if i % 3 else i % 24),
            state=state,
            trainer_id=trainer,
            segment=segment,
            client_id=f"c-{i % 40}",
            scheduled_at=at(f"2026-11-{day}") - timedelta(days=i % 9),
        )
        for i, (state, trainer, segment, day) in enumerate(states)
    ]
    early = [
        booking(f"base-{i}", at("2026-01-07"), state="no_show" if i % 5 else "booked") for i in range(60)
    ]
    keep(found + early)


def test_behind_each_figure_of_the_show_rate_stand_its_bookings() -> None:
    stored_bookings()
    for words in WORDS:
        for question in (PERIOD, replace(PERIOD, zone="Asia/Kathmandu", first=date(2026, 11, 12))):
            dashboard = show_rate.build(replace(question, **words), now=NOW)
            for key in ("show_rate", "due", "no_shows", "canceled", "recovery", "show_rate_baseline"):
                figure = dashboard.figure(key)
                if key == "show_rate_baseline" and not figure.url:
                    assert not words.get("trainer")
                    continue
                # A share of cases: of canceled and recovered ones those are listed, of shown ones the cases.
                of_cases = key in ("canceled", "recovery")
                told = figure.sample if figure.unit == "share" else figure.value
                assert told is not None
                expected = told * (figure.value or 0) if of_cases else told
                assert behind(figure.url, now=NOW) == pytest.approx(expected), (key, words)
            assert dashboard.figure("due").value


def test_behind_each_row_of_its_charts_stand_as_many() -> None:
    stored_bookings()
    dashboard = show_rate.build(PERIOD, now=NOW)
    for key, column in (("show_rate_segments", 1), ("show_rate_trainers", 1), ("show_rate_change", 4)):
        table = dashboard.chart(key).table()
        assert len(table.rows) == len(table.urls) > 1
        for row, url in zip(table.rows, table.urls, strict=True):
            assert behind(url, now=NOW) == row[column], (key, row)


def test_recovered_and_not_recovered_are_all_that_had_time() -> None:
    stored_bookings()
    recovery = show_rate.build(PERIOD, now=NOW).figure("recovery")
    recovered, others = count("bookings", "recovered"), count("bookings", "not_recovered")
    assert recovered + others == recovery.sample
    assert recovered
    assert others


def client(number: int, segment: str) -> Person:
    return Person(distinct_id=f"client:c-{number}", role="client", segment=segment, trainer_id="t-1")


def stored_messages() -> None:
    """Store drafts in every state, with answers before, at the edges of, and behind their time."""
    Person.objects.bulk_create([client(i, ("new", "old", "unknown")[i % 3]) for i in range(1, 12)])
    drafts, answers = [], []
    for i in range(130):
        drafted = at("2026-11-05", i * 4) if i % 13 else None
        sent = at("2026-11-05", i * 4 + 1) if i % 3 else None
        drafts.append(
            DraftedMessage(
                draft_id=f"d-{i}",
                # Clients 0 and 12 are nobody whom events have told of.
                client_id=f"c-{i % 13}",
                trainer_id=f"t-{i % 2}",
                kind="general_reply",
                channel="sms",
                drafted_at=drafted,
                approved_at=drafted if i % 4 else None,
                edited=i % 5 == 0,
                sent_at=sent,
            )
        )
        took = (timedelta(0), timedelta(seconds=1), timedelta(hours=48), timedelta(hours=48.01))[i % 4]
        if sent and i % 5:
            answers.append(InboundMessage(client_id=f"c-{i % 13}", received_at=sent + took))
    keep_drafts(drafts, answers)


def test_behind_drafts_and_messages_stand_as_many_as_are_counted() -> None:
    stored_messages()
    for words in ({}, {"trainer": "t-1"}, {"segment": "old"}, {"segment": "unknown", "trainer": "t-0"}):
        question = replace(PERIOD, **words)
        span = Span("drafts", "UTC", question.first, question.last, question.trainer, question.segment)
        drafted = cells.total(cells.by_day(span, now=NOW).values(), 4)
        # On the 28th at noon, days up to the 25th have been over for 48 hours.
        settled = replace(span, name="replies", last=date(2026, 11, 25))
        sent, answered = cells.total(cells.by_day(settled, now=NOW).values(), 2)
        whiches = ("drafted", "approved", "edited", "sent")
        assert [count("drafts", which, question) for which in whiches] == drafted
        assert count("messages", "sent", question) == sent
        assert count("messages", "answered", question) == answered
        assert count("messages", "unanswered", question) == sent - answered
        assert min(*drafted, sent, answered, sent - answered) > 0


def test_a_message_tells_of_its_first_answer_in_time() -> None:
    sent = at("2026-11-10")
    keep_drafts(
        [DraftedMessage(draft_id="d", client_id="c", trainer_id="t", kind="x", channel="sms", sent_at=sent)],
        [
            InboundMessage(client_id="c", received_at=sent + timedelta(hours=hours))
            for hours in (-1, 5, 3, 49)
        ],
    )
    [row] = every(Asked("messages", "answered", PERIOD), now=NOW)
    assert row.answered_at == sent + timedelta(hours=3)


def stored_people() -> list[Person]:
    """Store people in every state of onboarding; the first two signed up outside of the period."""
    people = []
    for i in range(130):
        signed_up = at("2026-11-01") + timedelta(hours=5 * i) if i > 1 else at("2026-10-31", 23.9 + i * 672.2)
        people.append(
            Person(
                distinct_id=f"{('client', 'trainer')[i % 2]}:{i}",
                role=("client", "trainer")[i % 2],
                segment=("new", "old")[i % 5 == 0],
                trainer_id=f"t-{i % 3}",
                signed_up_at=signed_up if i % 7 else None,
                onboarded_at=signed_up if i % 3 == 0 else None,
                first_booking_at=signed_up if i % 4 == 0 else None,
                first_insight_at=signed_up if i % 5 == 0 else None,
                step=f"step-{i % 4}" if i % 4 else "",
                step_position=i % 4,
            )
        )
    return Person.objects.bulk_create(people)


def test_behind_sign_ups_stand_those_of_the_period() -> None:
    people = stored_people()
    for role, words in product(("client", "trainer", ""), WORDS):
        question = replace(PERIOD, **words)
        signed_up = [
            one
            for one in people
            if one.signed_up_at
            and question.starts_at <= one.signed_up_at < question.ends_at
            and role in ("", one.role)
            and question.trainer in ("", one.trainer_id)
            and question.segment in ("", one.segment)
        ]
        expected = {
            "signed_up": signed_up,
            "onboarded": [one for one in signed_up if one.onboarded_at],
            "not_onboarded": [one for one in signed_up if not one.onboarded_at],
            "booked": [one for one in signed_up if one.first_booking_at],
            "insight": [one for one in signed_up if one.first_insight_at],
            "booked_in_time": [
                one
                for one in signed_up
                if one.first_booking_at
                and one.first_booking_at - one.signed_up_at <= timedelta(hours=24)
                and one.signed_up_at <= NOW - timedelta(hours=24)
            ],
            "insight_in_time": [
                one
                for one in signed_up
                if one.first_insight_at
                and one.first_insight_at - one.signed_up_at <= timedelta(days=7)
                and one.signed_up_at <= NOW - timedelta(days=7)
            ],
            "booked_insight": [one for one in signed_up if one.first_booking_at and one.first_insight_at],
            "step:2": [one for one in signed_up if one.onboarded_at or one.step_position >= 2],
            "step:0": [one for one in signed_up if one.onboarded_at or one.step],
        }
        for which, those in expected.items():
            found = every(Asked("people", which, question, role), now=NOW)
            assert {one.pk for one in found} == {one.pk for one in those}, (which, role, words)
    assert rows.said(Asked("people", "step:2", PERIOD))[0] == "Step 2 of onboarding"


def active(day: str, event: str, people: list[Person]) -> None:
    PeopleQuarter.objects.create(
        quarter=at(day), event=event, people=pack(BitMap(one.number for one in people))
    )
    touch(Subject.ACTIVITY, [at(day)])


def test_behind_activity_stand_those_of_the_sets() -> None:
    people = stored_people()
    active("2026-11-02", "goal_updated", people[:70])
    active("2026-11-03", "progress_logged", people[60:100])
    active("2026-11-03", "user_logged_in", people[90:120])
    active("2026-10-31", "goal_updated", people[120:])

    def found(which: str, role: str = "", **words: str) -> set[int]:
        return {one.pk for one in every(Asked("people", which, replace(PERIOD, **words), role), now=NOW)}

    def those(chosen: list[Person]) -> set[int]:
        return {one.pk for one in chosen}

    assert found("active") == those(people[:120])
    assert found("active", "trainer") == those([one for one in people[:120] if one.role == "trainer"])
    assert found("active", segment="old") == those([one for one in people[:120] if one.segment == "old"])
    assert found("used:goals") == those(people[:100])
    assert found("used:login", trainer="t-1") == those(
        [one for one in people[90:120] if one.trainer_id == "t-1"]
    )
    in_time = [one for one in people[2:100] if one.signed_up_at and one.role == "client"]
    assert found("feature:goals", "client") == those(in_time)
    assert found("used:inbox") == set()


def test_a_list_from_a_sample_says_so_and_has_nobody_else() -> None:
    people = stored_people()
    active("2026-11-02", "goal_updated", people)
    assert rows.page(Asked("people", "active", PERIOD), now=NOW).one_in == 1
    SampleLevel.objects.create(level=2)
    ActiveDay.objects.all().delete()
    touch(Subject.ACTIVITY, [at("2026-11-02")])
    asked = Asked("people", "active", PERIOD)
    assert rows.page(asked, now=NOW).one_in == 4
    assert {one.pk for one in every(asked, now=NOW)} == set(
        active_days.people("UTC", PERIOD.first, PERIOD.last, now=NOW)[date(2026, 11, 2)]
    )
    assert len(every(asked, now=NOW)) < len(people) / 2


def test_what_a_kind_has_not_is_told_with_what_it_has() -> None:
    for kind, which in (
        ("bookings", "active"),
        ("people", "feature:nothing"),
        ("people", "step:x"),
        ("drafts", "\x00"),
    ):
        with pytest.raises(BadQuestion, match=r"Write one of \w+, ") as told:
            rows.page(Asked(kind, which, PERIOD), now=NOW)
        assert told.value.field == "which"
    for kind, role in (("people", "nobody"), ("bookings", "client")):
        with pytest.raises(BadQuestion, match="client, trainer") as told:
            rows.said(Asked(kind, next(iter(rows.KINDS[kind].whiches)), PERIOD, role))
        assert told.value.field == "role"


def test_a_key_that_no_row_has_leads_to_a_page_all_the_same() -> None:
    stored_people()
    stored_bookings()
    keys = (
        "",
        "_",
        "x_1",
        "1_x",
        "_5",
        "1_" + "9" * 30,
        "9" * 5_000 + "_1",
        "-62135596800000000_1",
        "1_\x00²",
    )
    for raw, (kind, which) in product(
        keys, (("bookings", "kept"), ("people", "signed_up"), ("people", "active"), ("drafts", "sent"))
    ):
        key = rows.parse_key(raw)
        for keywords in ({"older_than": key}, {"newer_than": key}):
            rows.page(Asked(kind, which, PERIOD), now=NOW, **keywords)


def test_a_page_takes_one_statement_for_its_rows_and_counts_nothing() -> None:
    stored_bookings()
    stored_messages()
    for kind, known in rows.KINDS.items():
        for which in known.whiches:
            with CaptureQueriesContext(connection) as queries:
                rows.page(Asked(kind, which, replace(PERIOD, trainer="t-1", segment="old")), now=NOW)
            told = [
                query["sql"] for query in queries if not query["sql"].startswith(("SAVEPOINT", "RELEASE"))
            ]
            assert len(told) == 2, (kind, which)
            assert "count(" not in " ".join(told).lower()
    assert Booking.objects.exists()


def test_the_way_back_leads_to_the_dashboard_with_the_same_question(staff: Staff) -> None:
    client = staff("view_dashboard")
    for kind, dashboard in (("people", "activation"), ("bookings", "show_rate"), ("drafts", "engagement")):
        asked = "from=2026-11-01&to=2026-11-20&zone=Asia%2FKathmandu"
        page = client.get(f"/admin/dashboards/rows/{kind}/?{asked}&which=").content.decode()
        assert f'href="/admin/dashboards/{dashboard}/?{asked.replace("&", "&amp;")}"' in page
