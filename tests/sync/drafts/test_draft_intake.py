"""Taking wishes for drafts in: once for each key, only what fits, with its impact and its reason."""

from datetime import timedelta
from typing import Any

import pytest

from sync.drafts import impact, intake
from sync.drafts.refusal import Refused
from sync.models import Draft, Location
from tests.sync.drafts.drafting import NOW, STUDIO
from trainu import correlation

WISH: dict[str, Any] = {
    "trainer_id": "t-1",
    "client_id": "c-1",
    "contact_id": "contact1",
    "location_id": STUDIO,
    "channel": "sms",
    "kind": "booking_reminder",
    "context": {"client": {"first_name": "Ada"}, "notes": "é"},
    "now": NOW,
}


@pytest.fixture
def _studio(db: None) -> None:
    Location.objects.create(pk=STUDIO, name="Studio", created_at=NOW)


@pytest.mark.usefixtures("_studio")
def test_what_is_asked_for_waits_for_the_lane() -> None:
    with correlation.bound("abcdefgh-1"):
        taken = intake.ask(**WISH)
    draft = Draft.objects.get(pk=taken.draft_id)
    assert (taken.state, taken.is_duplicate, draft.tries) == ("waiting", False, 0)
    assert (draft.next_at, draft.based_at, draft.created_at) == (NOW, NOW, NOW)
    assert (draft.impact, draft.why) == (50, "The client has a booking ahead.")
    assert draft.correlation_id == "abcdefgh-1"


@pytest.mark.usefixtures("_studio")
def test_a_key_is_one_draft_and_no_other_words() -> None:
    first = intake.ask(**WISH, idempotency_key="k")
    turned = dict(reversed(WISH["context"].items()))
    again = intake.ask(**{**WISH, "context": turned, "now": NOW + timedelta(days=1)}, idempotency_key="k")
    assert (again.draft_id, again.is_duplicate) == (first.draft_id, True)
    with pytest.raises(Refused) as refusal:
        intake.ask(**{**WISH, "kind": "general_reply"}, idempotency_key="k")
    assert refusal.value.code == "idempotency_key_reused"
    # Of what was erased nobody can tell any more what it was.
    Draft.objects.update(asked_digest="", context={})
    assert intake.ask(**{**WISH, "kind": "general_reply"}, idempotency_key="k").is_duplicate
    assert not intake.ask(**WISH).is_duplicate
    assert Draft.objects.count() == 2


@pytest.mark.usefixtures("_studio")
@pytest.mark.parametrize(
    ("field", "value", "code"),
    [
        ("location_id", "nowhere", "unknown_location"),
        ("trainer_id", "", "invalid_id"),
        ("client_id", "a b", "invalid_id"),
        ("contact_id", "x" * 65, "invalid_id"),
        ("kind", "poem", "invalid_kind"),
        ("channel", "fax", "invalid_channel"),
        ("context", [], "invalid_context"),
        ("context", {"x": "é" * 17_000}, "invalid_context"),
        ("context", {"x": ["a\x00b"]}, "invalid_context"),
        ("context", {"\ud800": 1}, "invalid_context"),
        ("context", {"x": float("nan")}, "invalid_context"),
        ("context", {"x": {1, 2}}, "invalid_context"),
        ("idempotency_key", "k" * 201, "invalid_idempotency_key"),
    ],
)
def test_what_does_not_fit_is_refused_and_nothing_kept(field: str, value: Any, code: str) -> None:
    with pytest.raises(Refused) as refusal:
        intake.ask(**{**WISH, field: value})
    assert refusal.value.code == code
    assert not Draft.objects.exists()


@pytest.mark.usefixtures("_studio")
def test_what_would_be_passed_over_in_silence_is_refused_by_its_name() -> None:
    wrong: dict[str, list[dict[str, Any]]] = {
        "context.impact": [{"impact": one} for one in ("high", "70", -1, 101, True, [])],
        "context.booking.starts_at": [{"booking": {"starts_at": one}} for one in ("tomorrow", "31.2.", True)],
        "context.booking.previous_starts_at": [{"booking": {"previous_starts_at": "2026-13-01"}}],
        "context.client.time_zone": [
            {"client": {"time_zone": one}} for one in ("Berlin", "+01:00", 1, "../x")
        ],
    }
    for field, contexts in wrong.items():
        for context in contexts:
            with pytest.raises(Refused, match=f"^{field}: ") as refusal:
                intake.ask(**{**WISH, "context": context})
            assert refusal.value.code == "invalid_context"
    right = {
        "impact": 0.5,
        "booking": {"starts_at": "2026-11-23T13:00:00+01:00", "previous_starts_at": None, "sauna": "yes"},
        "client": {"time_zone": "Europe/Berlin", "starts_at": "x"},
        "impact_of": "high",
    }
    for context in (right, {"impact": None, "booking": "none", "client": {"time_zone": ""}}):
        assert intake.ask(**{**WISH, "context": context}).state == "waiting"


@pytest.mark.parametrize(
    ("kind", "context", "score"),
    [
        ("weekly_checkin", {}, 30),
        ("weekly_checkin", {"impact": 71}, 71),
        ("weekly_checkin", {"impact": 101}, 30),
        ("weekly_checkin", {"impact": True}, 30),
        ("weekly_checkin", {"booking": {"starts_at": "2026-11-23T13:00:00Z"}}, 30),
        ("booking_reminder", {"booking": {"starts_at": "2026-11-23T13:00:00Z"}}, 80),
        ("booking_reminder", {"booking": {"starts_at": "2026-11-24T11:00:00Z"}}, 65),
        ("booking_reminder", {"booking": {"starts_at": "2026-11-20T11:00:00Z"}}, 50),
        ("booking_reminder", {"impact": 90, "booking": {"starts_at": "2026-11-23T13:00:00Z"}}, 100),
    ],
)
def test_impact_is_what_the_app_says_else_the_kinds_and_more_for_a_near_booking(
    kind: str, context: dict[str, Any], score: int
) -> None:
    assert impact.score(kind, context, now=NOW) == score


def test_a_reason_that_the_app_gives_wins_and_is_cut() -> None:
    assert impact.why("weekly_checkin", {"reason": " two \n missed "}) == "two missed"
    assert len(impact.why("weekly_checkin", {"reason": "x" * 999})) == 300
    assert all(impact.why(kind, {"reason": 7}) for kind in Draft.Kind.values)
