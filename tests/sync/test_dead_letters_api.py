"""The API of dead letters, groups and bulk operations: bounded, scoped, audited by key, and nobody's data."""

import json
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from observability import api_keys
from observability.models import AuditEntry
from sync.dead_letters import groups, impact, letters, ramp
from sync.models import BulkOperation, CauseGroup, DeadLetter, Location, SyncJob
from tests.sync.dying import HOUR, NOW, dead_letters, dead_webhook, location
from trainu.api import api

pytestmark = pytest.mark.django_db


class Caller:
    """An app with a key, and what it asks of the API."""

    def __init__(self, *scopes: str) -> None:
        self.client = Client()
        row, self.key = api_keys.issue(f"app-{uuid4()}", scopes, limit_per_minute=0)
        self.name = f"key:{row.pk}"

    def __call__(self, method: str, path: str, body: Any = None) -> Any:
        content = b"" if body is None else json.dumps(body).encode()
        headers = {"Authorization": f"Bearer {self.key}"}
        return self.client.generic(method, f"/api{path}", content, "application/json", headers=headers)


@pytest.fixture(autouse=True)
def place() -> Location:
    return location()


@pytest.fixture
def app() -> Caller:
    return Caller("sync:read", "sync:operate")


def paths() -> list[tuple[str, str, Any]]:
    """Return every operation of these addresses."""
    return [
        (path, method, operation)
        for path, methods in api.get_openapi_schema()["paths"].items()
        if path.startswith(("/api/dead-letters", "/api/bulk-operations"))
        for method, operation in methods.items()
    ]


def test_every_address_wants_a_scope_and_says_which_errors_there_are() -> None:
    found = paths()
    assert len(found) == 30
    reader = Caller("sync:read")
    writer = Caller("sync:write")
    for path, method, operation in found:
        assert {"401", "403", "429"} <= set(operation["responses"])
        assert operation["summary"]
        url = path.removeprefix("/api").replace("{letter_id}", "1").replace("{group_id}", "1")
        url = url.replace("{operation_id}", "1").replace("{view_id}", "1")
        assert writer(method.upper(), url, {}).status_code == 403
        refused = reader(method.upper(), url, {}).status_code == 403
        assert refused == (method == "post" and not path.endswith("/count")), path


def test_letters_are_listed_page_by_page_and_filtered(app: Caller) -> None:
    ids = dead_letters(3)
    other = dead_letters(1, at=NOW + HOUR, code="status_400")
    answer = app("GET", "/dead-letters?limit=2").json()
    assert [one["letter_id"] for one in answer["letters"]] == [other[0], ids[2]]
    rest = app("GET", f"/dead-letters?limit=2&cursor={answer['cursor']}").json()
    assert [one["letter_id"] for one in rest["letters"]] == [ids[1], ids[0]]
    assert rest["cursor"] is None
    for given, count in [("code=status_400", 1), ("location_id=loc-9", 0), ("state=discarded", 0)]:
        assert len(app("GET", f"/dead-letters?{given}").json()["letters"]) == count
    group = CauseGroup.objects.get(code="status_422")
    assert len(app("GET", f"/dead-letters?group_id={group.pk}&subject=contact.update").json()["letters"]) == 3
    for wrong in (
        "cursor=x",
        "cursor=1-",
        "cursor=9e99-1",
        "state=lost",
        "limit=101",
        "code=a b",
        "group_id=0",
    ):
        assert app("GET", f"/dead-letters?{wrong}").status_code == 422, wrong


def test_a_list_costs_the_same_however_long_it_is(app: Caller) -> None:
    app("GET", "/dead-letters")
    counts = []
    for _ in range(2):
        dead_letters(20)
        with CaptureQueriesContext(connection) as asked:
            app("GET", "/dead-letters")
        counts.append(
            len([one for one in asked if one["sql"].startswith("SELECT") and "sync_" in one["sql"]])
        )
    # Which they are, in an index's order, and then what they say.
    assert counts == [2, 2]


def test_a_letter_says_what_it_means_and_shows_nobodys_data(app: Caller, place: Location) -> None:
    [id] = dead_letters(1, words="mira.stone@example.org is no email")
    letters.note(id, "Asked them.", by="staff:7", now=NOW)
    Location.objects.update(state="paused", state_reason="Moving.")
    answer = app("GET", f"/dead-letters/{id}")
    told = answer.json()
    assert "Mira" not in answer.text
    assert "mira" not in answer.text
    assert told["payload"]["contact_id"] == "c-0"
    assert told["words"].startswith("GoHighLevel finds a field wrong")
    assert (told["in_the_way"]["kind"], told["notes"][0]["words"]) == ("held", "Asked them.")
    webhook = dead_webhook(place)
    assert app("GET", f"/dead-letters/{webhook.letter.pk}").json()["payload"] is None
    assert app("GET", "/dead-letters/999999999").json()["code"] == "unknown_letter"


def test_verbs_tell_what_became_of_each_letter_and_are_audited_by_key(app: Caller) -> None:
    first, second = dead_letters(2)
    done = app("POST", "/dead-letters/discard", {"letter_ids": [first], "reason": "Spam."}).json()
    assert done == {"done": [first], "superseded": [], "left": []}
    done = app("POST", "/dead-letters/redrive", {"letter_ids": [first, second, 10**9]}).json()
    assert (done["done"], [one["letter_id"] for one in done["left"]]) == ([second], [first, 10**9])
    assert "Restore it first" in done["left"][0]["why"]
    done = app("POST", "/dead-letters/restore", {"letter_ids": [first], "reason": "Wanted."}).json()
    assert done["done"] == [first]
    nora = User.objects.create_user("nora", is_staff=True)
    app("POST", "/dead-letters/assign", {"letter_ids": [first], "user_id": nora.pk})
    app("POST", f"/dead-letters/{first}/note", {"words": "Asked."})
    told = app("POST", f"/dead-letters/{first}/snooze", {"until": "2099-01-01T00:00:00Z"})
    assert (told.status_code, told.json()["code"]) == (422, "invalid_until")
    told = app("POST", f"/dead-letters/{first}/snooze", {"until": None}).json()
    assert (told["assigned_to"], told["notes"][0]["by"], told["state"]) == (nora.pk, app.name, "open")
    acts = AuditEntry.objects.filter(actor_id=app.name).order_by("id").values_list("action", flat=True)
    assert [act.partition(".")[2] for act in acts] == [
        "discard",
        "redrive",
        "restore",
        "assign",
        "note",
        "snooze",
    ]


def test_a_letter_is_tried_with_other_data(app: Caller) -> None:
    [id] = dead_letters(1)
    url = f"/dead-letters/{id}/redrive-with-changes"
    wrong = app("POST", url, {"payload": {"contact_id": "c-9", "first_name": "A"}, "reason": "x"})
    assert (wrong.status_code, wrong.json()["code"]) == (422, "locked_field")
    taken = app("POST", url, {"payload": {"contact_id": "c-0", "first_name": "Ada"}, "reason": "x"})
    assert taken.status_code == 202
    assert str(DeadLetter.objects.get().job_id) == taken.json()["job_id"]
    again = app("POST", url, {"payload": {"contact_id": "c-0", "first_name": "Ida"}, "reason": "x"})
    assert (again.status_code, again.json()["code"]) == (409, "wrong_state")


def test_what_is_masked_is_shown_to_a_key_that_may_once_and_with_an_entry(
    app: Caller, place: Location
) -> None:
    [id] = dead_letters(1)
    webhook = dead_webhook(place, body=b'{"phone": 12345678901234567890123}')
    eye = Caller("sync:reveal")
    url = f"/dead-letters/{id}/reveal"
    assert app("POST", url, {"reason": "To call them."}).status_code == 403
    assert eye("POST", url, {"reason": " "}).json()["code"] == "reason_missing"
    assert eye("POST", "/dead-letters/999999999/reveal", {"reason": "x"}).status_code == 404
    assert not AuditEntry.objects.filter(action="data.reveal").exists()
    told = eye("POST", url, {"reason": "To call them."})
    assert told.json() == {"payload": {"contact_id": "c-0", "first_name": "Mira"}, "body": None}
    assert told["Cache-Control"] == "no-store"
    told = eye("POST", f"/dead-letters/{webhook.letter.pk}/reveal", {"reason": "To see the number."})
    assert told.json() == {"payload": None, "body": '{"phone": 12345678901234567890123}'}
    entries = AuditEntry.objects.filter(action="data.reveal").order_by("recorded_at")
    assert [(one.actor_id, one.target_id, one.reason) for one in entries] == [
        (eye.name, str(id), "To call them."),
        (eye.name, str(webhook.letter.pk), "To see the number."),
    ]


def test_groups_are_the_landing_page_and_are_worked_on(app: Caller) -> None:
    dead_letters(2)
    group = CauseGroup.objects.get()
    nora = User.objects.create_user("nora", is_staff=True)
    url = f"/dead-letters/groups/{group.pk}"
    assert app("POST", f"{url}/assign", {"user_id": nora.pk}).json()["owner"] == nora.pk
    assert app("POST", f"{url}/note", {"words": "Known."}).status_code == 201
    assert app("POST", f"{url}/snooze", {"to_count": 5}).json()["snoozed_to_count"] == 5
    assert app("GET", "/dead-letters/groups?snoozed=false").json()["groups"] == []
    [told] = app("GET", "/dead-letters/groups?location_id=loc-1&code=status_422").json()["groups"]
    assert (told["open"], told["state"], told["integration"]) == (2, "open", "ghl")
    assert told["next_step"]
    assert app("GET", "/dead-letters/groups?location_id=loc-9").json()["groups"] == []
    assert app("GET", "/dead-letters/groups?state=resolved").json()["groups"] == []
    assert app("GET", url).json()["notes"][0]["words"] == "Known."
    assert app("GET", "/dead-letters/groups/999999999").status_code == 404
    assert app("POST", "/dead-letters/groups/999999999/note", {"words": "x"}).status_code == 404
    assert app("POST", f"{url}/note", {"words": ""}).json()["code"] == "invalid_note"
    page = groups.page(now=NOW, state="all", most=1)
    assert page.older is None


def test_a_group_says_how_it_stands_who_can_fix_it_and_whom_it_is_about(app: Caller) -> None:
    dead_letters(2)
    group = CauseGroup.objects.get()
    url = f"/dead-letters/groups/{group.pk}"
    told = app("GET", url).json()
    assert (told["standing"], told["fixer"], told["people"], told["oldest_at"]) == (
        "open",
        "data",
        None,
        None,
    )
    impact.count(now=NOW)
    told = app("POST", f"{url}/acknowledge").json()
    assert (told["standing"], told["state"], told["acknowledged_by"]) == ("acknowledged", "open", app.name)
    assert (told["people"], told["locations"], told["oldest_at"]) == (2, 1, "2026-11-23T12:00:00Z")
    again = app("POST", f"{url}/acknowledge")
    assert (again.status_code, again.json()["code"]) == (409, "wrong_state")
    for query, count in [
        ("standing=acknowledged", 1),
        ("standing=open", 0),
        ("fixer=data", 1),
        ("fixer=bug", 0),
    ]:
        assert len(app("GET", f"/dead-letters/groups?{query}").json()["groups"]) == count, query
    assert app("GET", "/dead-letters/groups?fixer=nobody").status_code == 422
    assert app("POST", f"{url}/unacknowledge").json()["standing"] == "open"
    assert app("POST", "/dead-letters/groups/999999999/acknowledge").status_code == 404
    assert Caller("sync:read")("POST", f"{url}/acknowledge").status_code == 403
    entries = AuditEntry.objects.filter(action="dead_letter.acknowledge", actor_id=app.name)
    assert entries.count() == 2


def test_waiting_jobs_are_tried_now(app: Caller) -> None:
    dead_letters(2)
    SyncJob.objects.update(state="waiting", cause="", settled_at=None, next_at=NOW.replace(year=2099))
    assert app("POST", "/dead-letters/retry-waiting", {}).json()["code"] == "invalid_choice"
    told = app("POST", "/dead-letters/retry-waiting", {"location_id": "loc-1", "reason": "Back."}).json()
    assert told == {"jobs": 2, "is_more": False}


def test_a_bulk_operation_is_counted_begun_watched_and_stopped(app: Caller) -> None:
    ids = dead_letters(3)
    wanted: dict[str, Any] = {"kind": "redrive", "filter": {"code": "status_422"}}
    assert app("POST", "/bulk-operations/count", wanted).json() == {"count": 3}
    wrong = app("POST", "/bulk-operations", wanted | {"reason": "Mended.", "shown_count": 2})
    assert (wrong.status_code, wrong.json()["code"]) == (409, "count_changed")
    begun = app("POST", "/bulk-operations", wanted | {"reason": "Mended.", "shown_count": 3})
    assert begun.status_code == 202
    url = f"/bulk-operations/{begun.json()['operation_id']}"
    ramp.step(now=NOW)
    told = app("GET", url).json()
    assert (told["counts"]["sent"], told["counts"]["pending"], told["total"]) == (1, 2, 3)
    assert (told["filter"], told["by"], told["percent"]) == ({"code": "status_422"}, app.name, 0)
    items = app("GET", f"{url}/items?limit=2").json()
    assert [(one["letter_id"], one["state"]) for one in items["items"]] == [
        (ids[0], "sent"),
        (ids[1], "pending"),
    ]
    rest = app("GET", f"{url}/items?cursor={items['cursor']}&state=pending").json()
    assert ([one["letter_id"] for one in rest["items"]], rest["cursor"]) == ([ids[2]], None)
    assert app("POST", f"{url}/pause", {"reason": "Lunch."}).json()["state"] == "paused"
    assert app("POST", f"{url}/pause", {}).status_code == 409
    assert app("POST", f"{url}/resume", {}).json()["state"] == "running"
    assert app("POST", f"{url}/cancel", {}).json()["counts"]["canceled"] == 2
    listed = app("GET", "/bulk-operations?state=canceled&limit=1").json()
    assert (len(listed["operations"]), listed["cursor"]) == (1, None)
    for missing in (app("GET", "/bulk-operations/999"), app("POST", "/bulk-operations/999/pause", {})):
        assert (missing.status_code, missing.json()["code"]) == (404, "unknown_operation")
    assert BulkOperation.objects.count() == 1


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/dead-letters/redrive", {"letter_ids": []}),
        ("/dead-letters/redrive", {"letter_ids": list(range(1, 102))}),
        ("/dead-letters/redrive", {"letter_ids": [2**63]}),
        ("/dead-letters/redrive", {"letter_ids": [1], "force": True}),
        ("/dead-letters/discard", {"letter_ids": [1], "reason": ""}),
        ("/dead-letters/1/snooze", {"until": "2026-11-23T12:00:00"}),
        ("/bulk-operations", {"kind": "purge", "filter": {}, "reason": "x", "shown_count": 1}),
        ("/bulk-operations", {"kind": "redrive", "filter": {"x": 1}, "reason": "x", "shown_count": 1}),
        ("/bulk-operations", {"kind": "redrive", "filter": {}, "reason": "x", "shown_count": 0}),
        ("/bulk-operations/count", {"kind": "redrive", "filter": {"code": "\x00"}}),
    ],
)
def test_what_does_not_fit_is_refused_precisely(app: Caller, path: str, body: Any) -> None:
    answer = app("POST", path, body)
    assert answer.status_code == 422
    assert answer.json()["detail"]
    assert not BulkOperation.objects.exists()
