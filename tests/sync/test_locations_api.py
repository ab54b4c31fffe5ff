"""/api/sync/locations: the admin's verbs for programs, under the same rules."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from sync import locations
from sync.models import Location
from sync.signals import Act
from tests.sync.test_dead_letters_api import Caller

pytestmark = pytest.mark.django_db
HERE = "studioOfTheTests00001"


@pytest.fixture(autouse=True)
def place() -> Location:
    return locations.add(HERE, "Studio", now=timezone.now())


@pytest.fixture
def app() -> Caller:
    return Caller("sync:read", "sync:operate")


def test_a_location_is_paused_resumed_and_limited_under_the_name_of_the_key(
    app: Caller, acts: list[Act]
) -> None:
    until = timezone.now() + timedelta(hours=2)
    paused = app("POST", f"/sync/locations/{HERE}/pause", {"reason": "They move", "until": until.isoformat()})
    assert (paused.status_code, paused.json()["state"], paused.json()["is_held"]) == (200, "paused", True)
    resumed = app("POST", f"/sync/locations/{HERE}/resume", {"reason": "They have moved"})
    assert (resumed.json()["state"], resumed.json()["reason"]) == ("active", "")
    limited = app("POST", f"/sync/locations/{HERE}/limits", {"burst_limit": 20, "daily_limit": 1_000})
    assert (limited.json()["burst_limit"], limited.json()["daily_limit"]) == (20, 1_000)
    assert [(act.action, act.actor, act.reason) for act in acts] == [
        ("location.pause", app.name, "They move"),
        ("location.resume", app.name, "They have moved"),
        ("configuration.change", app.name, ""),
    ]


@pytest.mark.parametrize(
    ("verb", "body", "status", "code"),
    [
        ("pause", {"reason": " "}, 422, "no_reason"),
        ("pause", {"reason": "x", "until": "2020-01-01T00:00:00Z"}, 422, "invalid_until"),
        ("limits", {"burst_limit": 101, "daily_limit": 1}, 422, "invalid_burst_limit"),
    ],
)
def test_what_does_not_fit_is_refused_and_changes_nothing(
    app: Caller, acts: list[Act], verb: str, body: dict[str, Any], status: int, code: str
) -> None:
    answer = app("POST", f"/sync/locations/{HERE}/{verb}", body)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert acts == []


def test_one_with_a_refused_token_cannot_be_paused_and_one_that_is_not_there_is_404(app: Caller) -> None:
    locations.hold(HERE, "unauthorized", "Its token is refused.", now=timezone.now())
    answer = app("POST", f"/sync/locations/{HERE}/pause", {"reason": "They move"})
    assert (answer.status_code, answer.json()["code"]) == (409, "misconfigured")
    assert app("POST", "/sync/locations/nowhere/resume", {}).status_code == 404


def test_the_list_goes_on_from_an_id_and_a_reader_changes_nothing(app: Caller) -> None:
    locations.add("another", "Another", now=timezone.now())
    first = app("GET", "/sync/locations?limit=1").json()
    assert ([one["id"] for one in first["locations"]], first["after"]) == (["another"], "another")
    rest = app("GET", "/sync/locations?after=another").json()
    assert ([one["id"] for one in rest["locations"]], rest["after"]) == ([HERE], None)
    reader, writer = Caller("sync:read"), Caller("sync:write")
    assert reader("POST", f"/sync/locations/{HERE}/resume", {}).status_code == 403
    assert writer("GET", "/sync/locations").status_code == 403
