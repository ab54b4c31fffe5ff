"""What holds for every operation of the API, whatever it is about."""

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
