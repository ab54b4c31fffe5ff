"""What stands in which tab of the AI Inbox, for whom, in which order, and how far it is counted."""

from datetime import UTC, date, datetime, timedelta

import pytest
from django.contrib.auth.models import AnonymousUser, Permission, User
from django.db import connection
from django.test.utils import CaptureQueriesContext

from sync.drafts import inbox, visible
from sync.drafts.inbox import Filters
from sync.drafts.tabs import Tab
from sync.models import Draft, TrainerLogin
from tests import make

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


def member(name: str, *codenames: str, trainer: str = "") -> User:
    user = User.objects.create_user(name, is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=codenames))
    if trainer:
        TrainerLogin.objects.create(user=user, trainer_id=trainer)
    return user


def shown(tab: Tab = Tab.REVIEW, **filters: object) -> list[Draft]:
    """Walk a tab to its end, page by page."""
    found: list[Draft] = []
    after = ""
    while True:
        page = inbox.page(Draft.objects.all(), tab, Filters(**filters), now=NOW, after=after)  # type: ignore[arg-type]
        found += page.drafts
        if not page.following:
            return found
        after = page.following


def test_failed_ones_are_on_top_then_what_matters_most_and_of_that_the_oldest() -> None:
    low_failed = make.draft("failed", now=NOW, impact=5)
    high = make.draft(now=NOW - HOUR, impact=90)
    high_older = make.draft(now=NOW - 2 * HOUR, impact=90)
    low = make.draft(now=NOW - 9 * HOUR, impact=10)
    high_failed = make.draft("failed", now=NOW, impact=80)
    for state in ("waiting", "writing", "scheduled", "sent", "undelivered", "dismissed"):
        make.draft(state, now=NOW)
    make.draft(now=NOW, snoozed_until=NOW + HOUR)
    make.draft("failed", now=NOW, snoozed_until=NOW + HOUR)
    woken = make.draft(now=NOW, impact=0, snoozed_until=NOW)
    assert shown() == [high_failed, low_failed, high_older, high, low, woken]


def test_each_tab_has_its_states_and_its_order() -> None:
    later = make.draft("scheduled", now=NOW, send_at=NOW + 9 * HOUR)
    sooner = make.draft("scheduled", now=NOW, send_at=NOW + HOUR)
    whenever = make.draft("scheduled", now=NOW - HOUR, send_at=None)
    assert shown(Tab.SCHEDULED) == [whenever, sooner, later]

    before = make.draft("sent", now=NOW - 2 * HOUR)
    after = make.draft("sent", now=NOW - HOUR)
    assert shown(Tab.SENT) == [after, before]

    failed = make.draft("failed", now=NOW, impact=99)
    undelivered = make.draft("undelivered", now=NOW, impact=1)
    assert shown(Tab.FAILED) == [undelivered, failed]

    long = make.draft(now=NOW, snoozed_until=NOW + 2 * HOUR)
    short = make.draft("failed", now=NOW, snoozed_until=NOW + HOUR)
    assert shown(Tab.SNOOZED) == [short, long]


@pytest.mark.parametrize("tab", list(Tab))
def test_pages_go_on_without_a_gap_or_a_double_whatever_is_equal(
    tab: Tab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inbox, "PAGE", 3)
    state, other = {
        Tab.REVIEW: ("failed", "review"),
        Tab.FAILED: ("undelivered", "failed"),
        Tab.SCHEDULED: ("scheduled", "scheduled"),
        Tab.SENT: ("sent", "sent"),
        Tab.SNOOZED: ("review", "failed"),
    }[tab]
    until = NOW + HOUR if tab is Tab.SNOOZED else None
    for number in range(10):
        at = NOW - HOUR * (number // 4)
        make.draft((state, other)[number % 2], now=at, impact=50 + number // 5, snoozed_until=until)
    found = shown(tab)
    assert len({draft.pk for draft in found}) == len(found) == 10


def test_a_word_that_no_page_has_ended_with_begins_at_the_top() -> None:
    draft = make.draft(now=NOW)
    for word in (
        "x",
        "review,5",
        "review,-1,2026-11-23T12:00:00+00:00,x",
        "sent,1,2026-11-23T12:00:00,y",
        ",",
    ):
        for tab in (Tab.REVIEW, Tab.SENT):
            found = inbox.page(Draft.objects.all(), tab, Filters(), now=NOW, after=word).drafts
            assert list(found) == ([draft] if tab is Tab.REVIEW else []), word


def test_filters_narrow_by_client_trainer_kind_day_and_age() -> None:
    draft = make.draft(now=NOW - 5 * HOUR, client_id="c-9", trainer_id="t-9", kind="general_reply")
    other = make.draft(now=NOW - timedelta(days=1, hours=5))
    assert shown(client_id="c-9") == shown(trainer_id="t-9") == shown(kind="general_reply") == [draft]
    assert shown(day=date(2026, 11, 23)) == [draft]
    assert shown(day=date(2026, 11, 22)) == [other]
    assert shown(age="over_4h") == [other, draft]
    assert shown(age="over_24h") == [other]
    assert shown(age="under_24h") == [draft]
    assert shown(age="under_1h") == []


def test_what_was_sent_is_found_by_the_day_of_its_sending() -> None:
    draft = make.draft("sent", now=NOW - timedelta(days=3), sent_at=NOW, ended_at=NOW)
    assert shown(Tab.SENT, day=NOW.date()) == shown(Tab.SENT, age="under_1h") == [draft]
    assert shown(Tab.SENT, day=NOW.date() - timedelta(days=3)) == []


def test_tabs_are_counted_in_one_question_and_no_further_than_there_is_room() -> None:
    first = make.draft(now=NOW)
    Draft.objects.bulk_create(
        Draft(
            **{field.attname: getattr(first, field.attname) for field in Draft._meta.fields}
            | {"id": make.id()}
        )
        for _ in range(inbox.MOST_COUNTED + 9)
    )
    make.draft("failed", now=NOW)
    make.draft("waiting", now=NOW)
    make.draft("writing", now=NOW)
    make.draft("sent", now=NOW, client_id="c-9")
    with CaptureQueriesContext(connection) as queries:
        counts, writing = inbox.counts(Draft.objects.all(), Filters(), now=NOW)
    assert len([query for query in queries if "sync_draft" in query["sql"]]) == 1
    assert {tab: str(count) for tab, count in counts.items()} == {
        "review": "99+",
        "scheduled": "0",
        "sent": "1",
        "failed": "1",
        "snoozed": "0",
    }
    assert writing.figure == 2
    assert inbox.counts(Draft.objects.all(), Filters(client_id="c-9"), now=NOW)[0]["sent"].figure == 1
    assert inbox.waiting(now=NOW, most=50) == 50


def test_failed_ones_are_told_with_the_oldest_unless_they_are_snoozed() -> None:
    assert inbox.failed(now=NOW) == inbox.Failed(0, None)
    make.draft("failed", now=NOW - HOUR)
    make.draft("failed", now=NOW - 5 * HOUR)
    make.draft("failed", now=NOW - 9 * HOUR, snoozed_until=NOW + HOUR)
    assert inbox.failed(now=NOW) == inbox.Failed(2, NOW - 5 * HOUR)


def test_trainers_read_their_own_staff_who_work_drafts_all_and_others_no_text() -> None:
    own, other = make.draft(now=NOW), make.draft(now=NOW, trainer_id="t-2")
    trainer = member("sam", "open_inbox", "work_draft", trainer="t-1")
    viewer = member("vic", "open_inbox", "view_draft")
    both = member("bo", "open_inbox", "view_draft", trainer="t-2")
    operator = member("olga", "open_inbox", "view_draft", "work_draft")
    for user, sees, reads in (
        (trainer, {own}, {own}),
        (viewer, {own, other}, set()),
        (both, {own, other}, {other}),
        (operator, {own, other}, {own, other}),
        (member("nora", "open_inbox"), set(), set()),
        (AnonymousUser(), set(), set()),
    ):
        seen = set(visible.drafts(user))
        assert seen == sees, user
        assert visible.readable(user, seen) == {draft.pk for draft in reads}, user
