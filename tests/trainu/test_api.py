"""What holds for every operation of the API, whatever it is about."""

import json

import pytest
from django.test import Client

from observability import api_keys

# Half a character, as JavaScript's `slice` leaves it, and what JSON does not have.
NOT_JSON = [b'{"words": "\\ud83d"}', b'{"words": NaN}', b"{", b'{"words": "\xff"}', b"[" * 100_000]
PATHS = [
    "/api/sync/jobs",
    "/api/dead-letters/1/note",
    "/api/dead-letters/groups/1/note",
    "/api/dead-letters/discard",
    "/api/bulk-operations",
    "/api/bulk-operations/1/cancel",
    "/api/reconciliations",
]


@pytest.mark.django_db
@pytest.mark.parametrize("path", PATHS)
def test_a_body_that_is_no_json_is_refused_and_told_so(client: Client, path: str) -> None:
    _, key = api_keys.issue("app", ["sync:write", "sync:operate"], limit_per_minute=0)
    for body in NOT_JSON:
        answer = client.post(path, body, "application/json", headers={"Authorization": f"Bearer {key}"})
        assert (answer.status_code, answer.json()["code"]) == (400, "malformed_json"), body[:20]


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("method", "path", "body", "field"),
    [
        ("POST", "/api/drafts/0190163d-8694-739b-aea5-966c26f8ad91/snooze", {"length": 5}, "length"),
        ("POST", "/api/drafts/approve", {"drafts": [{"draft_id": "x"}]}, "drafts.0.draft_id"),
        ("POST", "/api/drafts", {"context": 7}, "context"),
        ("GET", "/api/drafts?tab=nope", None, "tab"),
        ("GET", "/api/drafts/nope", None, "draft_id"),
    ],
)
def test_a_fault_is_named_as_the_caller_knows_it(
    client: Client, method: str, path: str, body: object, field: str
) -> None:
    _, key = api_keys.issue("app", ["drafts:write", "drafts:read", "drafts:work"], limit_per_minute=0)
    answer = client.generic(
        method, path, json.dumps(body), "application/json", headers={"Authorization": f"Bearer {key}"}
    )
    assert answer.status_code == 422
    assert field in [one["field"] for one in answer.json()["errors"]]
