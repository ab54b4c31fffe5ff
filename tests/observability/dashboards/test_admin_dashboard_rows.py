"""The page of rows says what it lists, leads on, and costs the same however much there is."""

from datetime import timedelta
from itertools import product
from uuid import uuid4

import pytest
from django.test import Client
from django.utils import timezone
from pyroaring import BitMap

from observability.dashboards import rows
from observability.models import DraftedMessage, PeopleQuarter, Person
from observability.people_sets import pack
from observability.rollups.touched import Subject
from tests.conftest import Staff
from tests.costs import asked_again
from tests.observability.dashboards.made import booking, keep, keep_drafts, touch

pytestmark = pytest.mark.django_db

NOW = timezone.now()
PATH = "/admin/dashboards/rows/"
HOSTILE = "<script>alert(1)</script>\u202etxet {{ 7|add:7 }} ' onload=x"


def a_row_of_each(count: int = 1, name: str = "x") -> None:
    soon = NOW - timedelta(days=4)
    keep([booking(f"{name}-{i}", soon - timedelta(minutes=i), state="no_show") for i in range(count)])
    keep_drafts(
        DraftedMessage(
            draft_id=f"d-{name}-{i}",
            client_id=f"c-{i}",
            trainer_id="t-1",
            kind="general_reply",
            channel="sms",
            drafted_at=soon,
            sent_at=soon,
        )
        for i in range(count)
    )
    people = Person.objects.bulk_create(
        Person(distinct_id=f"client:{name}-{i}", role="client", signed_up_at=soon) for i in range(count)
    )
    numbers = pack(BitMap(one.number for one in people))
    PeopleQuarter.objects.create(
        quarter=soon - timedelta(seconds=count), event="goal_updated", people=numbers
    )
    touch(Subject.ACTIVITY, [soon, soon - timedelta(seconds=count)])


def test_it_opens_for_who_may_see_dashboards_and_for_nobody_else(client: Client, staff: Staff) -> None:
    assert client.get(f"{PATH}bookings/")["Location"].startswith("/admin/login/")
    reader = staff("view_dashboard")
    for kind in rows.KINDS:
        assert reader.get(f"{PATH}{kind}/").status_code == 200, kind
    assert reader.get(f"{PATH}nothing/").status_code == 404
    assert reader.post(f"{PATH}bookings/").status_code == 405


def test_without_the_permission_it_stays_closed(staff: Staff) -> None:
    assert staff("view_event").get(f"{PATH}bookings/").status_code == 403


def test_it_says_which_rows_these_are_and_of_what_time(boss: Client) -> None:
    asked = {
        "which": "signed_up",
        "role": "client",
        "from": "2026-03-02",
        "to": "2026-03-08",
        "zone": "Asia/Tokyo",
        "trainer": "t-1",
        "segment": "new",
    }
    shown = boss.get(f"{PATH}people/", asked).content.decode()
    assert "<h1>Signed up</h1>" in shown
    assert "People who signed up in the period." in shown
    assert "<b>2 Mar 2026 to 8 Mar 2026</b> in Asia/Tokyo." in shown
    for words in ("Role: <b>client</b>", "Trainer: <b>t-1</b>", "Segment: <b>new</b>"):
        assert words in shown
    assert "There are none" in shown
    query = "from=2026-03-02&amp;to=2026-03-08&amp;zone=Asia%2FTokyo&amp;trainer=t-1&amp;segment=new"
    assert f'href="?which=booked&amp;{query}&amp;role=client"' in shown
    assert 'aria-current="true">Signed up</a>' in shown


def test_ids_lead_to_the_persons_events_and_a_change_to_all_that_belongs_to_it(
    boss: Client, staff: Staff
) -> None:
    changed_by = uuid4()
    keep([booking(1, NOW - timedelta(days=40), client_id="c&1", trainer_id="t-9", changed_by=changed_by)])
    keep([booking(2, NOW - timedelta(days=1))])
    asked = {"range": "90d"}
    shown = boss.get(f"{PATH}bookings/", asked).content.decode()
    assert 'href="/admin/events/?distinct_id=client%3Ac%261&amp;range=2y"' in shown
    assert 'href="/admin/events/?distinct_id=trainer%3At-9&amp;range=2y"' in shown
    assert f'href="/admin/trace/?id=event+{changed_by}"' in shown
    # The events list looks back no further than it must.
    week = boss.get(f"{PATH}bookings/", {"range": "7d"}).content.decode()
    assert 'href="/admin/events/?distinct_id=client%3Ac-2&amp;range=7d"' in week
    # Who may not go there sees the ids alone.
    plain = staff("view_dashboard").get(f"{PATH}bookings/", asked).content.decode()
    assert "client:c&amp;1" in plain
    assert "/admin/events/" not in plain
    assert "/admin/trace/" not in plain


def test_pages_go_on_with_the_same_question(boss: Client) -> None:
    a_row_of_each(rows.PAGE + 1)
    asked = {"which": "no_show", "range": "28d", "segment": "new"}
    first = boss.get(f"{PATH}bookings/", asked)
    assert len(first.context["rows"]) == rows.PAGE
    shown = first.content.decode()
    assert "Newer" not in shown
    [address] = [part.split('"')[0] for part in shown.split('href="?') if "older=" in part.split('"')[0]]
    second = boss.get(f"{PATH}bookings/?{address.replace('&amp;', '&')}")
    assert len(second.context["rows"]) == 1
    assert "which=no_show" in address
    assert "segment=new" in address
    assert ">Older<" not in second.content.decode()
    [back] = [
        part.split('"')[0]
        for part in second.content.decode().split('href="?')
        if "newer=" in part.split('"')[0]
    ]
    again = boss.get(f"{PATH}bookings/?{back.replace('&amp;', '&')}")
    assert [row[0].words for row in again.context["rows"]] == [row[0].words for row in first.context["rows"]]
    assert (
        "Nothing beyond this point" in boss.get(f"{PATH}bookings/", asked | {"older": "1_x"}).content.decode()
    )


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"which": "shown"}, "Write one of kept, no_show, canceled, recovered, not_recovered."),
        ({"from": "yesterday"}, "Write a day as 2026-11-28."),
        ({"zone": "Berlin"}, "There is no such time zone."),
        ({"role": "client"}, "of anything else, none."),
    ],
)
def test_what_cannot_be_answered_is_told_with_what_to_write(
    boss: Client, asked: dict[str, str], words: str
) -> None:
    answer = boss.get(f"{PATH}bookings/", asked)
    assert answer.status_code == 400
    assert words in answer.content.decode()
    [field] = asked
    assert f"<b>{field}</b>" in answer.content.decode()
    assert 'href="/admin/dashboards/rows/bookings/"' in answer.content.decode()


def test_a_question_that_takes_too_long_asks_for_less(boss: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    a_row_of_each()
    monkeypatch.setattr(rows, "TIME_LIMIT_MS", 1)
    monkeypatch.setattr(rows, "PAGE", 10**6)
    keep([booking(f"many-{i}", NOW - timedelta(days=3)) for i in range(20_000)])
    assert b"Choose fewer days" in boss.get(f"{PATH}bookings/").content


def test_no_strangers_text_becomes_markup_or_breaks_the_page(boss: Client) -> None:
    keep([booking(HOSTILE[:50], NOW - timedelta(days=1), client_id=HOSTILE[:60], segment=HOSTILE[:60])])
    Person.objects.create(distinct_id=HOSTILE, role="other", signed_up_at=NOW, step=HOSTILE[:60])
    for kind in ("bookings", "people"):
        shown = boss.get(f"{PATH}{kind}/").content.decode()
        assert "&lt;script&gt;alert(1)" in shown
        assert "<script>alert" not in shown
        assert "\u202e" not in shown
    # Every word in every field, and every field and word in every kind.
    fields = ("which", "role", "from", "to", "range", "zone", "trainer", "segment", "older", "newer")
    words = (
        "\x00",
        "<script>alert(1)</script>",
        "\u202etxet",
        "x" * 5_000,
        "²",
        "-1_1",
        "9" * 5_000,
    )
    kinds = list(rows.KINDS)
    for (place, field), (number, word) in product(enumerate(fields), enumerate(words)):
        kind = kinds[(place + number) % len(kinds)]
        answer = boss.get(f"{PATH}{kind}/", {field: word})
        assert answer.status_code in {200, 400}, (kind, field, word)
        assert b"<script>alert" not in answer.content


# Of each: two for who is asking, one for the banner of the kill switch.
QUERIES = {
    # The rows, in a transaction with a limit on their time.
    "bookings/?which=recovered": 3 + 4,
    "drafts/?segment=new": 3 + 4,
    "messages/?which=answered": 3 + 4,
    "people/?which=signed_up&role=client": 3 + 4,
    # Whether the days hold, the days, the people, the level of the sample; and for filters, whom they keep,
    # and the level again.
    "people/?which=active": 3 + 4,
    "people/?which=feature:goals&role=client": 3 + 6,
}


@pytest.mark.parametrize("address", QUERIES)
def test_a_page_costs_the_same_queries_however_much_there_is(boss: Client, address: str) -> None:
    def cost() -> int:
        statements = asked_again(lambda: boss.get(PATH + address))
        assert not [sql for sql in statements if "COUNT(*)" in sql and "observability_" in sql]
        return len(statements)

    a_row_of_each(1, "first")
    few = cost()
    a_row_of_each(80)
    assert (cost(), few) == (QUERIES[address], QUERIES[address])
