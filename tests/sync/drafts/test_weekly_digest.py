"""What a weekly digest says: its figures equal a naive reading, and what is kept of it is nobody's data."""

import json
from collections import Counter, defaultdict
from datetime import UTC, date, datetime, timedelta
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from sync.drafts import digest as digests
from sync.drafts.digest import composing, shown
from sync.models import AppointmentState, Draft, Insight, Message, TrainerDigest
from tests.sync.drafts import made_digests as made

pytestmark = pytest.mark.django_db
MONDAY = date(2026, 11, 16)
BERLIN = ZoneInfo("Europe/Berlin")
BEGINS = datetime(2026, 11, 15, 23, tzinfo=UTC)
DUE = datetime(2026, 11, 23, 6, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
KINDS = ("weekly_checkin", "at_risk_outreach", "no_show_recovery")
SECRET = "Marek Nowak has a bad knee"


def compose(trainer: str = "t-1") -> Any:
    return composing.compose(trainer, MONDAY, BERLIN)


def test_a_week_begins_and_ends_by_the_trainers_clock() -> None:
    for at in (
        BEGINS - timedelta(seconds=1),
        BEGINS,
        BEGINS + 7 * DAY - timedelta(seconds=1),
        BEGINS + 7 * DAY,
    ):
        made.draft(at, "sent")
    [sent] = compose()["sent"]
    assert sent["as_it_was"] == 2
    [worked] = compose()["worked"]
    assert (worked["sent"], worked["sent_before"]) == (2, 1)


@pytest.mark.parametrize(
    ("after_sending", "worked"),
    [
        (timedelta(0), 0),
        (timedelta(seconds=1), 1),
        (7 * DAY, 1),
        (7 * DAY + timedelta(seconds=1), 0),
    ],
)
@pytest.mark.parametrize("how", [made.message, made.booking])
def test_it_has_worked_where_the_client_did_something_within_seven_days(
    how: Any, after_sending: timedelta, worked: int
) -> None:
    made.draft(BEGINS + HOUR, "sent")
    how(BEGINS + HOUR + after_sending)
    assert [one["worked"] for one in compose()["worked"]] == [worked]


def test_both_weeks_have_had_as_much_time() -> None:
    """What came after seven on Monday counts for neither, or the week before would always look better."""
    for back in (0, 7):
        made.draft(DUE - DAY - back * DAY, "sent")
        made.message(DUE - back * DAY + HOUR)
    [worked] = compose()["worked"]
    assert (worked["worked"], worked["worked_before"]) == (0, 0)
    for back in (0, 7):
        made.message(DUE - back * DAY)
    [worked] = compose()["worked"]
    assert (worked["worked"], worked["worked_before"]) == (1, 1)


def test_what_we_wrote_ourselves_is_no_answer() -> None:
    made.draft(BEGINS + HOUR, "sent")
    made.message(BEGINS + 2 * HOUR, direction="outbound")
    made.message(BEGINS + 2 * HOUR, client="c-2")
    assert compose()["worked"][0]["worked"] == 0


def test_of_erased_clients_one_is_not_anothers_answer() -> None:
    made.draft(BEGINS + HOUR, "sent", contact_id="")
    made.booking(BEGINS + 2 * HOUR)
    AppointmentState.objects.update(contact_id="")
    assert compose()["worked"][0]["worked"] == 0


def test_who_is_at_risk_and_why() -> None:
    made.insight(BEGINS + HOUR, "risk", client_id="c-1", impact=70)
    made.insight(BEGINS + 2 * HOUR, "risk", client_id="c-1", impact=60)
    made.insight(BEGINS + HOUR, "progress", client_id="c-9")
    made.insight(BEGINS - HOUR, "attendance", client_id="c-9")
    made.draft(BEGINS + HOUR, "sent", client_id="c-2", kind="at_risk_outreach", impact=90)
    made.draft(BEGINS + HOUR, "dismissed", client_id="c-9", kind="at_risk_outreach")
    old = made.draft(BEGINS - 30 * DAY, "failed", client_id="c-3", impact=10)
    made.draft(BEGINS + 8 * DAY, "failed", client_id="c-9")
    made.draft(BEGINS + HOUR, "failed", client_id="c-9", trainer_id="t-2")
    found = {one["client"]: one for one in compose()["at_risk"]}
    assert list(found) == ["c-2", "c-1", "c-3"]
    assert [(one["what"], one["count"]) for one in found["c-1"]["reasons"]] == [("risk", 2)]
    assert [(one["what"], one["kind"]) for one in found["c-2"]["reasons"]] == [
        ("outreach", "at_risk_outreach")
    ]
    assert found["c-3"]["reasons"] == [
        {
            "what": "failed",
            "kind": "weekly_checkin",
            "id": str(old.pk),
            "count": 1,
            "at": old.created_at.isoformat(),
        }
    ]


def test_more_clients_than_anybody_reads_are_counted_only() -> None:
    for number in range(composing.MOST_CLIENTS + 3):
        made.insight(BEGINS + HOUR, client_id=f"c-{number}")
    content = compose()
    assert (len(content["at_risk"]), content["left_out"]) == (composing.MOST_CLIENTS, 3)


def _world(rng: Random) -> None:
    for _ in range(60):
        at = BEGINS + timedelta(minutes=rng.randrange(-8 * 1440, 8 * 1440))
        client, trainer = f"c-{rng.randrange(6)}", rng.choice(("t-1", "t-1", "t-2"))
        about = {"client_id": client, "trainer_id": trainer}
        match rng.randrange(4):
            case 0 | 1:
                made.draft(
                    at,
                    rng.choice(("sent", "sent", "dismissed", "failed", "review")),
                    kind=rng.choice(KINDS),
                    channel=rng.choice(("sms", "email")),
                    edited=rng.random() < 0.5,
                    **about,
                )
            case 2:
                rng.choice((made.message, made.booking))(at, client)
            case _:
                made.insight(at, rng.choice(("risk", "attendance", "progress")), **about)


def _naive(trainer: str) -> tuple[Any, Any, Any]:
    """Read all rows, one by one, as the words say."""
    drafts = [one for one in Draft.objects.all() if one.trainer_id == trainer]
    acts = [(one.contact_id, one.at) for one in Message.objects.filter(direction="inbound")]
    acts += [(one.contact_id, one.added_at) for one in AppointmentState.objects.all()]
    sent: Counter[Any] = Counter()
    worked: dict[str, list[int]] = defaultdict(lambda: [0, 0, 0, 0])
    for one in drafts:
        for place, begins in ((0, BEGINS), (2, BEGINS - 7 * DAY)):
            if one.state != "sent" or not begins <= one.sent_at < begins + 7 * DAY:
                continue
            until = min(one.sent_at + 7 * DAY, begins + 7 * DAY + 7 * HOUR)
            worked[one.kind][place] += 1
            worked[one.kind][place + 1] += any(
                who == one.contact_id and one.sent_at < at <= until for who, at in acts
            )
            if place == 0:
                sent[one.kind, one.channel, "edited" if one.edited else "as_it_was"] += 1
        if one.state == "dismissed" and BEGINS <= one.ended_at < BEGINS + 7 * DAY:
            sent[one.kind, one.channel, "dismissed"] += 1
    risk: dict[str, set[str]] = defaultdict(set)
    for one in drafts:
        is_of_week = BEGINS <= one.created_at < BEGINS + 7 * DAY
        if one.kind == "at_risk_outreach" and one.state != "dismissed" and is_of_week:
            risk[one.client_id].add("outreach")
        if one.state == "failed" and one.created_at < BEGINS + 7 * DAY:
            risk[one.client_id].add("failed")
    for found in Insight.objects.filter(trainer_id=trainer, kind__in=("risk", "attendance")):
        if BEGINS <= found.created_at < BEGINS + 7 * DAY:
            risk[found.client_id].add(found.kind)
    return dict(sent), dict(worked), dict(risk)


@pytest.mark.parametrize("seed", range(4))
def test_its_figures_equal_a_naive_reading(seed: int) -> None:
    _world(Random(seed))
    for trainer in ("t-1", "t-2"):
        content = compose(trainer)
        sent = Counter(
            {
                (one["kind"], one["channel"], how): one[how]
                for one in content["sent"]
                for how in ("as_it_was", "edited", "dismissed")
            }
        )
        worked = {
            one["kind"]: [one["sent"], one["worked"], one["sent_before"], one["worked_before"]]
            for one in content["worked"]
        }
        risk = {one["client"]: {reason["what"] for reason in one["reasons"]} for one in content["at_risk"]}
        assert (dict(+sent), worked, risk) == _naive(trainer)


def test_it_is_made_once_when_it_is_due_by_each_trainers_clock() -> None:
    berlin = made.location("loc-de", "Europe/Berlin", now=BEGINS)
    island = made.location("loc-ki", "Pacific/Kiritimati", now=BEGINS)
    made.draft(BEGINS, location=berlin)
    made.draft(BEGINS - DAY, location=island)
    made.draft(BEGINS, trainer_id="t-2", location=island)
    made.insight(BEGINS, trainer_id="t-3")
    made.draft(BEGINS - 30 * DAY, trainer_id="t-gone")

    def of_week() -> set[str]:
        return set(TrainerDigest.objects.filter(week=MONDAY).values_list("trainer_id", flat=True))

    # The island is thirteen hours ahead of Berlin.
    digests.make_due(now=DUE - 13 * HOUR - timedelta(seconds=1))
    assert of_week() == set()
    digests.make_due(now=DUE - 13 * HOUR)
    assert of_week() == {"t-2"}
    assert digests.make_due(now=DUE) == 1
    assert digests.make_due(now=DUE + HOUR) == 1
    assert of_week() == {"t-1", "t-2", "t-3"}
    assert digests.make_due(now=DUE + DAY) == 0


def test_there_may_be_more_trainers_than_are_looked_at_in_one_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sync.drafts.digest.making.AT_ONCE", 3)
    for number in range(8):
        made.draft(BEGINS, trainer_id=f"t-{number}")
        made.insight(BEGINS, trainer_id=f"t-{number}b")
    assert digests.make_due(now=DUE + DAY) == 16
    with CaptureQueriesContext(
        connection,
    ) as asked:
        assert digests.make_due(now=DUE + DAY) == 0
    # Who has theirs is not looked at again.
    assert len(asked) <= 3 * 7


def test_a_week_that_passed_while_nothing_ran_is_not_told_of_later() -> None:
    made.draft(BEGINS + DAY)
    digests.make_due(now=DUE + 8 * DAY)
    assert list(TrainerDigest.objects.values_list("week", flat=True)) == [MONDAY + timedelta(days=7)]


def test_what_is_kept_are_ids_kinds_and_figures() -> None:
    context = {"client": {"first_name": "Marek", "name": "Marek Nowak"}, "reason": SECRET}
    made.insight(BEGINS, text=SECRET)
    made.draft(BEGINS, "failed", context=context, why=SECRET, text=SECRET)
    digests.make_due(now=DUE + DAY)
    digest = TrainerDigest.objects.get()
    kept = json.dumps(digest.content)
    assert "Marek" not in kept
    assert "knee" not in kept
    assert "knee" in str(shown.clients(digest, with_details=True))


@pytest.mark.parametrize(
    ("client", "name"),
    [
        ({"first_name": "Marek", "name": "Somebody Else"}, "Marek"),
        ({"name": "Marek Nowak"}, "Marek"),
        ({"first_name": "  "}, ""),
        ({"first_name": ["x"], "name": 7}, ""),
        ("Marek", ""),
        (None, ""),
        ({"first_name": "a\u202eb" + "c" * 90}, "a\\u202eb" + "c" * 32),
    ],
)
def test_a_first_name_is_what_the_app_has_said(client: object, name: str) -> None:
    assert shown.first_name(client) == name


def test_a_client_is_called_by_what_the_newest_draft_knows_of_this_trainers() -> None:
    made.draft(BEGINS, "failed", context={"client": {"first_name": "Old"}})
    made.draft(BEGINS + HOUR, "failed", context={"client": {"first_name": "New"}})
    made.draft(BEGINS + 2 * HOUR, "failed")
    made.draft(BEGINS + 3 * HOUR, trainer_id="t-2", context={"client": {"first_name": "Other"}})
    made.draft(BEGINS, "failed", client_id="c-2")
    digests.make_due(now=DUE + DAY)
    [*found] = shown.clients(TrainerDigest.objects.get(trainer_id="t-1"), with_details=False)
    assert [one.name for one in found] == ["New", "c-2"]


@pytest.mark.parametrize(
    ("monday", "words"),
    [
        (date(2026, 11, 16), "16 to 22 November 2026"),
        (date(2026, 11, 30), "30 November to 6 December 2026"),
        (date(2026, 12, 28), "28 December 2026 to 3 January 2027"),
    ],
)
def test_a_week_has_a_name(monday: date, words: str) -> None:
    assert shown.name_week(monday) == words
