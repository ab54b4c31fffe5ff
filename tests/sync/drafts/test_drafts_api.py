"""The API of drafts: asked for once, read without strangers' texts, decided about for one trainer."""

import json
from datetime import UTC, timedelta
from typing import Any, get_args
from uuid import uuid4

import pytest
from django.test import Client
from django.utils import timezone
from uuid_utils.compat import uuid7

from observability import api_keys
from observability.models import AuditEntry
from sync import kill_switch
from sync.api import draft_shapes, drafts
from sync.drafts import deciding
from sync.models import Draft, DraftAttempt, SyncJob
from tests.sync.drafts.drafted import HERE, NOW, draft, place
from trainu.api import api

pytestmark = pytest.mark.django_db

EMAIL = "ada.lovelace@example.org"
WANTED = {
    "trainer_id": "t-1",
    "client_id": "c-1",
    "contact_id": "contact-1",
    "location_id": HERE,
    "channel": "sms",
    "kind": "weekly_checkin",
    "context": {"client": {"first_name": "Ada", "email": EMAIL, "time_zone": "UTC"}, "impact": 70},
}


class Caller:
    """An app with a key, and what it asks of the API."""

    def __init__(self, *scopes: str) -> None:
        self.client = Client()
        key, self.key = api_keys.issue(f"app-{uuid4()}", scopes, limit_per_minute=0)
        self.actor = f"key:{key.pk}"

    def __call__(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        content = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        return self.client.generic(
            method,
            f"/api/drafts{path}",
            content,
            "application/json",
            headers={"Authorization": f"Bearer {self.key}", **headers},
        )

    def ask(self, **overrides: Any) -> Any:
        return self("POST", "", WANTED | overrides)


@pytest.fixture
def app() -> Caller:
    place()
    return Caller("drafts:write", "drafts:read", "drafts:work")


# --- asking ------------------------------------------------------------------------------------


def test_a_draft_is_taken_in_and_says_where_it_stands(app: Caller) -> None:
    answer = app.ask()
    assert answer.status_code == 202
    [stored] = Draft.objects.all()
    assert answer.json() == {"draft_id": str(stored.pk), "state": "waiting", "duplicate": False}
    assert (stored.trainer_id, stored.kind, stored.state) == ("t-1", "weekly_checkin", "waiting")
    assert stored.correlation_id == answer["X-Correlation-ID"]


def test_the_same_idempotency_key_is_the_same_draft_and_for_nothing_else(app: Caller) -> None:
    first = app.ask(idempotency_key="monday-1").json()
    again = app.ask(idempotency_key="monday-1")
    assert (again.status_code, again.json()) == (202, first | {"duplicate": True})
    other = app.ask(idempotency_key="monday-1", kind="general_reply")
    assert (other.status_code, other.json()["code"]) == (409, "idempotency_key_reused")
    assert Draft.objects.count() == 1


@pytest.mark.parametrize(
    ("overrides", "code"),
    [
        ({"location_id": "loc-9"}, "unknown_location"),
        ({"kind": "love_letter"}, "invalid_request"),
        ({"channel": "pigeon"}, "invalid_request"),
        ({"client_id": "Ada Lovelace"}, "invalid_request"),
        ({"contact_id": 7}, "invalid_request"),
        ({"context": {"notes": "a\x00" + EMAIL}}, "invalid_request"),
        ({"context": []}, "invalid_request"),
        ({"idempotency_key": ""}, "invalid_request"),
        ({"surprise": EMAIL}, "invalid_request"),
    ],
)
def test_what_does_not_fit_is_refused_with_its_reason_and_stored_nowhere(
    app: Caller, overrides: dict[str, Any], code: str
) -> None:
    answer = app.ask(**overrides)
    assert (answer.status_code, answer.json()["code"]) == (422, code)
    assert answer["Content-Type"] == "application/problem+json"
    assert EMAIL not in answer.content.decode()
    assert not Draft.objects.exists()


@pytest.mark.parametrize("goal", ["1e400", "[" * 400 + "]" * 400, "[" * 5_000 + "]" * 5_000])
def test_what_no_row_can_hold_is_refused(app: Caller, goal: str) -> None:
    body = json.dumps(WANTED | {"context": {"goal": 0}}).replace('"goal": 0', f'"goal": {goal}')
    assert app("POST", "", body.encode()).status_code in {400, 422}
    assert not Draft.objects.exists()


@pytest.mark.parametrize(
    ("body", "headers", "status", "code"),
    [
        (b"{", {}, 400, "malformed_json"),
        (b'{"a": "' + b"x" * drafts.MAX_BYTES + b'"}', {}, 413, "body_too_large"),
        (b"{}", {"Content-Encoding": "gzip"}, 415, "unsupported_encoding"),
        (b"[]", {}, 422, "invalid_request"),
    ],
)
def test_a_body_that_cannot_be_read_says_why(
    app: Caller, body: bytes, headers: dict[str, str], status: int, code: str
) -> None:
    answer = app("POST", "", body, **headers)
    assert (answer.status_code, answer.json()["code"]) == (status, code)


def test_each_address_asks_for_its_scope() -> None:
    one = draft()
    calls = [("POST", "", "drafts:write"), ("GET", "", "drafts:read"), ("GET", f"/{one.pk}", "drafts:read")]
    verbs = ("approve", "recall", "regenerate", "retry", "snooze", "wake", "dismiss")
    calls += [("POST", f"/{one.pk}/{verb}", "drafts:work") for verb in verbs]
    calls.append(("POST", "/approve", "drafts:work"))
    for scope in ("drafts:write", "drafts:read", "drafts:work"):
        app = Caller(scope)
        for method, path, needed in calls:
            answer = app(method, path, {} if method == "POST" else None)
            assert (answer.status_code == 403) == (needed != scope), (scope, method, path)
    assert Client().get("/api/drafts").status_code == 401


def test_the_words_of_the_api_are_those_of_the_rows() -> None:
    assert list(get_args(draft_shapes.Kind)) == Draft.Kind.values
    assert list(get_args(draft_shapes.State)) == Draft.State.values
    assert list(get_args(draft_shapes.Channel)) == Draft.Channel.values
    lengths = draft_shapes.Snooze.model_fields["length"].annotation
    assert list(get_args(lengths)) == list(deciding.SNOOZES)


# --- reading -----------------------------------------------------------------------------------


def test_a_list_goes_from_the_newest_to_the_oldest_in_pages_that_nothing_shifts(app: Caller) -> None:
    made = [draft() for _ in range(5)]
    first = app("GET", "?limit=2").json()
    draft()
    second = app("GET", f"?limit=2&cursor={first['cursor']}").json()
    third = app("GET", f"?limit=2&cursor={second['cursor']}").json()
    told = [one["draft_id"] for page in (first, second, third) for one in page["drafts"]]
    assert told == [str(one.pk) for one in reversed(made)]
    assert third["cursor"] is None
    assert "How was your week" not in json.dumps(first)


def test_a_list_is_narrowed_by_trainer_client_kind_state_and_tab(app: Caller) -> None:
    later = timezone.now() + timedelta(hours=1)
    made = {
        "plain": draft(),
        "theirs": draft(trainer_id="t-2"),
        "other": draft(client_id="c-2", kind="general_reply"),
        "failed": draft("failed"),
        "undelivered": draft("undelivered"),
        "snoozed": draft(snoozed_until=later),
        "awake": draft(snoozed_until=timezone.now() - timedelta(hours=1)),
        "scheduled": draft("scheduled"),
        "sent": draft("sent"),
        "waiting": draft("waiting"),
    }
    names = {str(one.pk): name for name, one in made.items()}

    def told(query: str) -> set[str]:
        return {names[one["draft_id"]] for one in app("GET", query).json()["drafts"]}

    assert told("") == set(made)
    assert told("?trainer_id=t-2") == {"theirs"}
    assert told("?client_id=c-2") == told("?kind=general_reply") == {"other"}
    assert told("?state=waiting") == {"waiting"}
    assert told("?tab=review") == {"plain", "theirs", "other", "awake", "failed"}
    assert told("?tab=failed") == {"failed", "undelivered"}
    assert told("?tab=snoozed") == {"snoozed"}
    assert told("?tab=scheduled") == {"scheduled"}
    assert told("?tab=sent&trainer_id=t-1") == {"sent"}
    for query in ("?limit=101", "?limit=0", "?tab=lost", "?state=x", "?cursor=1", "?trainer_id=%00"):
        assert app("GET", query).status_code == 422, query


def test_one_draft_is_told_with_its_text_what_the_model_wrote_and_each_try(app: Caller) -> None:
    one = draft("failed", code="timeout", text="Mine", written_text="Its", why="Away for a week")
    for number, outcome in ((1, "transient"), (2, "permanent")):
        DraftAttempt.objects.create(
            draft=one, round=1, number=number, began_at=NOW, outcome=outcome, code="timeout", duration_ms=5
        )
    answer = app("GET", f"/{one.pk}")
    assert (answer.status_code, answer["Cache-Control"]) == (200, "no-store")
    told = answer.json()
    assert (told["text"], told["written_text"], told["why"]) == ("Mine", "Its", "Away for a week")
    assert [one["number"] for one in told["attempts"]] == [2, 1]
    assert "did not answer in time" in told["words"]
    assert "context" not in told
    assert app("GET", f"/{one.pk}?trainer_id=t-1").status_code == 200
    for path in (f"/{one.pk}?trainer_id=t-2", f"/{uuid7()}"):
        missing = app("GET", path)
        assert (missing.status_code, missing.json()["code"]) == (404, "unknown_draft")


def test_a_list_costs_the_same_queries_however_many_drafts(
    app: Caller, django_assert_max_num_queries: Any
) -> None:
    for _ in range(20):
        draft()
    app("GET", "")
    with django_assert_max_num_queries(6):
        app("GET", "")


# --- deciding ----------------------------------------------------------------------------------


def test_a_draft_is_approved_and_its_message_is_a_job(app: Caller) -> None:
    one = draft()
    answer = app("POST", f"/{one.pk}/approve", {})
    assert answer.status_code == 200, answer.content
    assert (answer.json()["state"], answer.json()["edited"]) == ("scheduled", False)
    job = SyncJob.objects.get()
    assert job.payload["message"] == "How was your week?"
    one.refresh_from_db()
    assert (one.approved_by, one.job_id) == (app.actor, job.pk)


def test_a_changed_text_is_sent_and_what_the_model_wrote_stays(app: Caller) -> None:
    one = draft(channel="email", subject="Your week", written_subject="Your week")
    assert app("POST", f"/{one.pk}/approve", {"text": "Well done!"}).json()["edited"] is True
    one.refresh_from_db()
    assert (one.subject, one.text, one.written_text) == ("Your week", "Well done!", "How was your week?")


def test_a_stale_draft_is_approved_when_what_the_client_did_was_seen(app: Caller) -> None:
    acted = NOW.replace(microsecond=123_456) + timedelta(minutes=5)
    one = draft(client_acted_at=acted, client_act="wrote")
    refused = app("POST", f"/{one.pk}/approve", {})
    assert (refused.status_code, refused.json()["code"]) == (409, "stale")
    assert "`client_acted_at` as `seen_act_at`" in refused.json()["detail"]
    told = app("GET", f"/{one.pk}").json()
    assert told["is_stale"]
    # To the microsecond, or nobody could ever give it back.
    assert told["client_acted_at"] == acted.astimezone(UTC).isoformat()
    seen = app("POST", f"/{one.pk}/approve", {"seen_act_at": told["client_acted_at"]})
    assert (seen.status_code, seen.json()["state"]) == (200, "scheduled")


def test_an_approved_one_says_that_all_messages_are_stopped(app: Caller) -> None:
    one = draft()
    assert app("POST", f"/{one.pk}/approve", {}).status_code == 200
    assert "stopped" not in app("GET", f"/{one.pk}").json()["words"]
    kill_switch.turn_on("A test", by="staff:9", now=timezone.now())
    assert "All messages are stopped for now." in app("GET", f"/{one.pk}").json()["words"]


def test_each_verb_does_what_it_says(app: Caller) -> None:
    def done(one: Draft, verb: str, **body: Any) -> Draft:
        answer = app("POST", f"/{one.pk}/{verb}", body)
        assert answer.status_code == 200, answer.content
        one.refresh_from_db()
        assert answer.json()["state"] == one.state
        return one

    approved = draft()
    assert done(done(approved, "approve"), "recall").state == "review"
    assert done(draft("failed"), "retry").state == "waiting"
    again = done(draft(), "regenerate", hint="shorter")
    assert (again.state, again.hint, again.round) == ("waiting", "shorter", 2)
    put_off = done(draft(), "snooze", length="4h")
    assert put_off.snoozed_until
    assert done(put_off, "wake").snoozed_until is None
    gone = done(draft(), "dismiss", reason="They have called.")
    assert (gone.state, gone.dismissed_reason) == ("dismissed", "They have called.")


@pytest.mark.parametrize(
    ("state", "verb", "body", "status", "code"),
    [
        ("sent", "approve", {}, 409, "wrong_state"),
        ("review", "recall", {}, 409, "wrong_state"),
        ("scheduled", "recall", {}, 409, "already_going"),
        ("review", "retry", {}, 409, "wrong_state"),
        ("review", "approve", {"text": "  "}, 422, "empty"),
        ("review", "approve", {"text": "x" * 1601}, 422, "too_long"),
        ("review", "approve", {"text": "Hi {{client_first_name}}"}, 422, "placeholder_left"),
        ("review", "approve", {"text": "a\x00b"}, 422, "invalid_request"),
        ("review", "approve", {"seen_act_at": "0001-01-01T00:00:00Z"}, 422, "invalid_request"),
        ("review", "dismiss", {"reason": " "}, 422, "no_reason"),
        ("review", "dismiss", {}, 422, "invalid_request"),
        ("review", "snooze", {"length": "1y"}, 422, "invalid_request"),
        ("review", "regenerate", {"hint": "x" * 301}, 422, "invalid_request"),
        ("review", "wake", {"surprise": 1}, 422, "invalid_request"),
    ],
)
def test_what_cannot_be_done_says_why_and_changes_nothing(
    app: Caller, state: str, verb: str, body: dict[str, Any], status: int, code: str
) -> None:
    one = draft(state)
    answer = app("POST", f"/{one.pk}/{verb}", body)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    before = {name: value for name, value in vars(one).items() if not name.startswith("_")}
    one.refresh_from_db()
    assert {name: vars(one)[name] for name in before} == before
    assert not SyncJob.objects.exists()


@pytest.mark.parametrize(
    ("state", "verb", "body"),
    [
        ("review", "approve", {}),
        ("review", "approve", {"text": "Well done!"}),
        ("scheduled", "recall", {}),
        ("review", "regenerate", {}),
        ("failed", "retry", {}),
        ("review", "snooze", {"length": "1h"}),
        ("review", "wake", {}),
        ("review", "dismiss", {"reason": "No."}),
    ],
)
def test_who_acts_for_a_trainer_reaches_no_other_trainers_draft(
    app: Caller, state: str, verb: str, body: dict[str, Any]
) -> None:
    one = draft(state)
    for path, given in ((f"/{one.pk}/{verb}", {"trainer_id": "t-2"}), (f"/{uuid7()}/{verb}", {})):
        answer = app("POST", path, body | given)
        assert (answer.status_code, answer.json()["code"]) == (404, "unknown_draft")
    assert not AuditEntry.objects.filter(action__startswith="draft.").exists()


def test_the_audit_log_says_which_app_has_decided_and_for_whom(app: Caller) -> None:
    one, other = draft(), draft()
    app("POST", f"/{one.pk}/approve", {"trainer_id": "t-1"})
    app("POST", f"/{other.pk}/dismiss", {"reason": "They have called."})
    approved, dismissed = AuditEntry.objects.filter(action__startswith="draft.").order_by("pk")
    assert (approved.action, approved.actor_id, approved.target_id) == (
        "draft.approve",
        app.actor,
        str(one.pk),
    )
    assert approved.changes == {"edited": [None, False], "acting_for": [None, "t-1"]}
    assert dismissed.changes == {}


def test_many_are_approved_each_by_itself(app: Caller) -> None:
    good, theirs, stale, unknown = draft(), draft(trainer_id="t-2"), draft(), uuid7()
    Draft.objects.filter(pk=stale.pk).update(client_acted_at=NOW + timedelta(hours=1), client_act="booked")
    ids = [good.pk, theirs.pk, stale.pk, unknown]
    body = {"drafts": [{"draft_id": str(pk)} for pk in ids], "trainer_id": "t-1"}
    answer = app("POST", "/approve", body)
    assert answer.status_code == 200, answer.content
    told = {one["draft_id"]: one for one in answer.json()["outcomes"]}
    assert {pk: told[str(pk)]["code"] for pk in ids} == {
        good.pk: "",
        theirs.pk: "unknown_draft",
        stale.pk: "stale",
        unknown: "unknown_draft",
    }
    assert [pk for pk in ids if told[str(pk)]["approved"]] == [good.pk]
    assert set(Draft.objects.filter(state="scheduled").values_list("pk", flat=True)) == {good.pk}
    too_many = {"drafts": [{"draft_id": str(good.pk)}] * (deciding.MOST_AT_ONCE + 1)}
    for body in (too_many, {"drafts": []}):
        assert app("POST", "/approve", body).status_code == 422


def test_every_address_of_drafts_is_behind_a_scope_and_documents_its_errors() -> None:
    paths = api.get_openapi_schema(path_prefix="")["paths"]
    found = [(path, one) for path, one in paths.items() if path.startswith("/drafts")]
    assert len(found) == 10
    for path, methods in found:
        for method, told in methods.items():
            assert told["security"], path
            if method == "post" and "{draft_id}" in path:
                assert {"404", "409", "422"} <= set(told["responses"]), path
