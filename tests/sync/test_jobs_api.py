"""The API of jobs: taken in once, shown without anybody's data, and every mistake told precisely."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from observability import api_keys, rate_limit
from observability.models import ApiKey, AuditEntry
from sync.api.jobs import MAX_BYTES
from sync.ghl.operations import OPERATIONS
from sync.models import Location, SyncAttempt, SyncJob
from tests.sync.dying import dead_letters
from trainu.api import api
from trainu.partitioned_table import PartitionedTable
from trainu.scopes import Scope

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
EMAIL = "ada.lovelace@example.org"
UPSERT = {"operation": "contact.upsert", "location_id": "loc-1", "payload": {"email": EMAIL}}


class Caller:
    """An app with a key, and what it asks of the API."""

    def __init__(self, *scopes: str, limit_per_minute: int = 0) -> None:
        self.client = Client()
        self.key = api_keys.issue(f"app-{uuid4()}", scopes, limit_per_minute=limit_per_minute)[1]

    def __call__(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        content = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        return self.client.generic(
            method,
            f"/api/sync{path}",
            content,
            "application/json",
            headers={"Authorization": f"Bearer {self.key}", **headers},
        )

    def enqueue(self, **overrides: Any) -> Any:
        return self("POST", "/jobs", UPSERT | overrides)


@pytest.fixture(autouse=True)
def location() -> Location:
    return Location.objects.create(pk="loc-1", name="Studio", created_at=NOW)


@pytest.fixture
def app(location: Location) -> Caller:
    return Caller("sync:write", "sync:read")


def tried(job: SyncJob, fence: int, **overrides: Any) -> SyncAttempt:
    at = job.created_at + timedelta(seconds=fence)
    PartitionedTable("sync_attempt").ensure([at.date()])
    fields = {
        "started_at": at,
        "job_id": job.pk,
        "fence": fence,
        "kind": "send",
        "outcome": "transient",
        "code": "status_503",
        "status": 503,
        "duration_ms": 12.5,
        "request": {"method": "POST", "path": "/contacts/upsert", "body": {"email": "[masked]"}},
        "response": {"content": "json", "body": {"message": "[masked]"}},
    }
    return SyncAttempt.objects.create(**fields | overrides)


def test_a_job_is_taken_in_and_says_where_it_stands(app: Caller) -> None:
    answer = app.enqueue(**{"ordering_key": "mine"})
    assert answer.status_code == 202
    body = answer.json()
    job = SyncJob.objects.get(pk=body["job_id"])
    assert body == {"job_id": str(job.pk), "state": "waiting", "duplicate": False}
    assert (job.payload, job.ordering_key, job.state) == ({"email": EMAIL}, "mine", "waiting")
    assert job.correlation_id == answer["X-Correlation-ID"]


def test_the_same_idempotency_key_is_the_same_job(app: Caller) -> None:
    first = app.enqueue(idempotency_key="signup-1").json()
    again = app.enqueue(idempotency_key="signup-1")
    assert (again.status_code, again.json()) == (202, first | {"duplicate": True})
    SyncJob.objects.update(state="succeeded", settled_at=NOW)
    assert app.enqueue(idempotency_key="signup-1").json()["state"] == "succeeded"
    assert SyncJob.objects.count() == 1


@pytest.mark.parametrize(
    "other",
    [
        {"payload": {"email": EMAIL, "first_name": "Ada"}},
        {"operation": "contact.delete", "payload": {"contact_id": "c1"}},
    ],
)
def test_an_idempotency_key_is_for_one_thing_only(app: Caller, other: dict[str, Any]) -> None:
    first = app.enqueue(idempotency_key="signup-1").json()["job_id"]
    answer = app.enqueue(idempotency_key="signup-1", **other)
    assert (answer.status_code, answer.json()["code"]) == (409, "idempotency_key_reused")
    assert [str(job.pk) for job in SyncJob.objects.all()] == [first]
    Location.objects.create(pk="loc-2", name="Other", created_at=NOW)
    assert app.enqueue(idempotency_key="signup-1", location_id="loc-2").json()["duplicate"] is False


@pytest.mark.parametrize(
    ("overrides", "code", "words"),
    [
        ({"operation": "contact.explode"}, "unknown_operation", "contact.upsert"),
        ({"location_id": "loc-9"}, "unknown_location", "Add it in the admin"),
        ({"payload": {"email": "nonsense"}}, "invalid_payload", "email"),
        ({"payload": {"email": EMAIL, "colour": "red"}}, "invalid_payload", "colour"),
        ({"payload": []}, "invalid_request", ""),
        ({"location_id": 7}, "invalid_request", ""),
        ({"location_id": "a\x00b"}, "invalid_request", ""),
        ({"idempotency_key": "a\x00b"}, "invalid_request", ""),
        ({"idempotency_key": "x" * 201}, "invalid_request", ""),
        ({"ordering_key": ""}, "invalid_request", ""),
        ({"surprise": 1}, "invalid_request", ""),
    ],
)
def test_what_does_not_fit_is_refused_with_its_reason_and_stored_nowhere(
    app: Caller, overrides: dict[str, Any], code: str, words: str
) -> None:
    answer = app.enqueue(**overrides)
    assert (answer.status_code, answer.json()["code"]) == (422, code)
    assert answer["Content-Type"] == "application/problem+json"
    assert words in answer.json()["detail"]
    assert EMAIL not in answer.content.decode()
    assert "nonsense" not in answer.content.decode()
    if code == "invalid_request":
        assert answer.json()["errors"][0]["field"] == next(iter(overrides))
    assert not SyncJob.objects.exists()


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"{", 400, "malformed_json"),
        (b'"\\ud800"', 400, "malformed_json"),
        (b"\xff", 400, "malformed_json"),
        (b"", 400, "malformed_json"),
        (b"[]", 422, "invalid_request"),
        (b"null", 422, "invalid_request"),
        (b"[" * 2_000, 400, "malformed_json"),
        (b'{"payload": "' + b"x" * MAX_BYTES + b'"}', 413, "body_too_large"),
    ],
)
def test_a_body_that_is_no_job_gets_a_precise_answer(
    app: Caller, body: bytes, status: int, code: str
) -> None:
    answer = app("POST", "/jobs", body)
    assert (answer.status_code, answer.json()["code"]) == (status, code)


def test_a_packed_body_is_refused(app: Caller) -> None:
    answer = app("POST", "/jobs", UPSERT, **{"Content-Encoding": "gzip"})
    assert (answer.status_code, answer.json()["code"]) == (415, "unsupported_encoding")


def test_a_deeply_nested_payload_is_refused_and_breaks_nothing(app: Caller) -> None:
    deep: Any = {"email": EMAIL}
    for _ in range(300):
        deep = {"a": deep}
    assert app.enqueue(payload=deep).json()["code"] == "invalid_payload"


ANYTHING = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
FIELDS = sorted({name for kind in OPERATIONS.values() for name in kind.payload.model_fields})


@given(
    operation=st.sampled_from(sorted(OPERATIONS)),
    payload=st.dictionaries(st.sampled_from(FIELDS) | st.text(max_size=8), ANYTHING, max_size=5),
    name=st.none() | st.text(max_size=5),
)
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_a_payload_holds_it_is_taken_in_or_refused(
    app: Caller, operation: str, payload: dict[str, Any], name: str | None
) -> None:
    answer = app.enqueue(operation=operation, payload=payload, idempotency_key=name)
    assert answer.status_code in {202, 409, 422}, answer.content
    if answer.status_code == 202:
        assert app("GET", f"/jobs/{answer.json()['job_id']}").status_code == 200


def test_a_job_is_shown_with_its_attempts_newest_first_and_nothing_personal(app: Caller) -> None:
    job = SyncJob.objects.get(pk=app.enqueue(payload={"email": EMAIL, "source": "web"}).json()["job_id"])
    tried(job, 1)
    tried(job, 2, kind="lookup", outcome="not_found", code="not_found", status=None, response=None)
    SyncJob.objects.update(tries=1, code="not_found", result={"contact_id": "c1"})
    answer = app("GET", f"/jobs/{job.pk}")
    body = answer.json()
    assert EMAIL not in answer.content.decode()
    assert body["payload"] == {"email": "[masked]", "source": "web"}
    assert (body["state"], body["tries"], body["code"]) == ("waiting", 1, "not_found")
    assert body["result"] == {"contact_id": "c1"}
    assert body["next_at"] is not None
    assert [one["number"] for one in body["attempts"]] == [2, 1]
    assert body["words"] == body["attempts"][0]["words"]
    assert "had not been done" in body["words"]
    assert body["attempts"][1]["words"] == "GoHighLevel is not available at the moment."
    assert body["attempts"][1]["request"]["body"] == {"email": "[masked]"}


def test_a_job_that_died_names_its_letter(app: Caller) -> None:
    [letter] = dead_letters(1)
    [job] = SyncJob.objects.filter(state="dead")
    assert app("GET", f"/jobs/{job.pk}").json()["letter_id"] == letter
    assert app("GET", f"/jobs/{app.enqueue().json()['job_id']}").json()["letter_id"] is None


def test_a_payload_that_no_schema_knows_is_masked_whole(app: Caller) -> None:
    job = SyncJob.objects.get(pk=app.enqueue().json()["job_id"])
    SyncJob.objects.update(payload={"email": EMAIL, "source": EMAIL, "gone": True})
    assert EMAIL not in app("GET", f"/jobs/{job.pk}").content.decode()
    SyncJob.objects.update(operation="contact.forgotten")
    answer = app("GET", f"/jobs/{job.pk}")
    assert answer.status_code == 200
    assert EMAIL not in answer.content.decode()


def test_attempts_are_bounded_and_those_of_others_are_not_read(app: Caller) -> None:
    job, other = (SyncJob.objects.get(pk=app.enqueue().json()["job_id"]) for _ in range(2))
    for number in range(1, 61):
        tried(job, number)
    tried(other, 99)
    numbers = [one["number"] for one in app("GET", f"/jobs/{job.pk}").json()["attempts"]]
    assert numbers == list(range(60, 10, -1))


def test_an_attempt_of_a_host_whose_clock_is_behind_is_shown_too(app: Caller) -> None:
    job = SyncJob.objects.get(pk=app.enqueue().json()["job_id"])
    tried(job, 1, started_at=job.created_at - timedelta(seconds=30))
    assert len(app("GET", f"/jobs/{job.pk}").json()["attempts"]) == 1


@pytest.mark.parametrize(("path", "status"), [(f"/jobs/{UUID(int=7)}", 404), ("/jobs/nonsense", 422)])
def test_a_job_that_is_not_there_is_said_to_be_so(app: Caller, path: str, status: int) -> None:
    answer = app("GET", path)
    assert answer.status_code == status
    assert answer["Content-Type"] == "application/problem+json"


def test_the_list_is_newest_first_filtered_and_paged_without_gaps(app: Caller) -> None:
    Location.objects.create(pk="loc-2", name="Other", created_at=NOW)
    made = [
        app.enqueue(location_id=f"loc-{1 + number % 2}", payload={"email": f"n{number}@example.org"}).json()[
            "job_id"
        ]
        for number in range(7)
    ]
    SyncJob.objects.filter(pk=made[0]).update(state="dead", cause="refused", settled_at=NOW)

    def walked(query: str) -> list[str]:
        seen, cursor = [], ""
        while cursor is not None:
            page = app("GET", f"/jobs?limit=2{query}{cursor and f'&cursor={cursor}'}").json()
            assert len(page["jobs"]) <= 2
            seen += [one["job_id"] for one in page["jobs"]]
            cursor = page["cursor"]
        return seen

    assert walked("") == made[::-1]
    assert walked("&location_id=loc-1") == made[::-2]
    assert walked("&state=dead") == made[:1]
    assert walked("&location_id=loc-2&state=dead") == []
    [line] = app("GET", "/jobs?state=dead").json()["jobs"]
    assert (line["cause"], line["next_at"], "payload" in line) == ("refused", None, False)


@pytest.mark.parametrize(
    "query",
    ["limit=0", "limit=101", "cursor=x", "cursor=-1", f"cursor={2**63}", "state=lost", "location_id=%00"],
)
def test_a_parameter_that_does_not_fit_is_named(app: Caller, query: str) -> None:
    answer = app("GET", f"/jobs?{query}")
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")
    assert answer.json()["errors"][0]["field"].endswith(query.partition("=")[0])


def test_reading_costs_the_same_queries_however_much_there_is(app: Caller) -> None:
    job = SyncJob.objects.get(pk=app.enqueue().json()["job_id"])

    def cost(path: str) -> int:
        app("GET", path)
        with CaptureQueriesContext(connection) as queries:
            app("GET", path)
        assert not [one["sql"] for one in queries if "COUNT(" in one["sql"]]
        return len(queries)

    few = [cost("/jobs"), cost(f"/jobs/{job.pk}")]
    for number in range(30):
        app.enqueue(payload={"email": f"n{number}@example.org"})
        tried(job, number)
    assert [cost("/jobs"), cost(f"/jobs/{job.pk}")] == few == QUERIES


# The list's own, its transaction's two and its limits'; a job, its attempts and its letter.
QUERIES = [4, 3]


def test_every_operation_is_explained_with_its_schema(app: Caller) -> None:
    lines = {line["operation"]: line for line in app("GET", "/operations").json()}
    assert lines.keys() == OPERATIONS.keys()
    upsert, note = lines["contact.upsert"], lines["note.create"]
    assert (upsert["repeatable"], upsert["ordered"]) == (True, True)
    assert (note["repeatable"], note["ordered"]) == (False, False)
    assert upsert["payload"]["properties"].keys() >= {"email", "first_name"}
    assert all(line["description"] for line in lines.values())


@pytest.mark.parametrize(
    ("method", "path", "scope"),
    [
        ("POST", "/jobs", "sync:write"),
        ("GET", "/jobs", "sync:read"),
        ("GET", f"/jobs/{UUID(int=7)}", "sync:read"),
        ("GET", "/operations", "sync:read"),
        ("POST", f"/jobs/{UUID(int=7)}/retry-now", "sync:operate"),
    ],
)
def test_each_address_wants_its_scope(method: str, path: str, scope: str) -> None:
    everything_else = [one for one in ApiKey.Scope.values if one != scope]
    answer = Caller(*everything_else)(method, path, UPSERT)
    assert (answer.status_code, answer.json()["code"]) == (403, "missing_scope")
    assert scope in answer.json()["detail"]
    assert Client().generic(method, f"/api/sync{path}").status_code == 401
    assert not SyncJob.objects.exists()


def test_a_waiting_job_is_tried_now_or_it_is_said_why_not(app: Caller) -> None:
    job_id = app.enqueue().json()["job_id"]
    later = timezone.now() + timedelta(hours=6)
    SyncJob.objects.update(next_at=later, tries=5, code="status_503")
    operator = Caller("sync:operate")
    path = f"/jobs/{job_id}/retry-now"
    answer = operator("POST", path, {"reason": "It is back"})
    assert (answer.status_code, answer.json()["job_id"], answer.json()["tries"]) == (200, job_id, 5)
    assert SyncJob.objects.get().next_at < later
    entry = AuditEntry.objects.get(action="job.retry_now")
    assert (entry.actor_kind, entry.target_id, entry.reason) == ("key", job_id, "It is back")
    again = operator("POST", path, {})
    assert (again.status_code, again.json()["code"]) == (409, "already_due")
    unknown = operator("POST", f"/jobs/{uuid4()}/retry-now", {})
    assert (unknown.status_code, unknown.json()["code"]) == (404, "unknown_job")
    assert operator("POST", path, {"reason": "x" * 301}).status_code == 422
    assert operator("POST", path, {"surprise": 1}).status_code == 422
    assert AuditEntry.objects.filter(action="job.retry_now").count() == 1


def test_every_scope_that_an_operation_asks_for_can_be_given() -> None:
    asked = {
        hook.scope
        for _, router in api._routers
        for view in router.path_operations.values()
        for operation in view.operations
        for hook in operation.auth_callbacks
        if isinstance(hook, Scope)
    }
    assert "sync:write" in asked
    assert asked <= set(ApiKey.Scope.values)


def test_a_keys_limit_counts_requests_to_sync() -> None:
    app = Caller("sync:read", limit_per_minute=3)
    statuses = []
    for _ in range(5):
        # What another process has not been granted.
        rate_limit.forget()
        statuses.append(app("GET", "/operations").status_code)
    assert statuses == [200, 200, 200, 429, 429]
    assert app("GET", "/jobs")["Retry-After"]
    # Without the scope nothing is spent.
    assert app.enqueue().status_code == 403
