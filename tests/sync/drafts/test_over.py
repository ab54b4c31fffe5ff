"""Which drafts announce a session whose time has passed."""

from datetime import UTC, datetime
from typing import Any

import pytest

from sync.drafts.over import is_over
from sync.models import Draft, Location

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)


def made(starts_at: Any, **fields: Any) -> Draft:
    context = {"booking": {"starts_at": starts_at}, "client": {"time_zone": "America/New_York"}}
    given = {"kind": "booking_reminder", "state": "review", "context": context} | fields
    return Draft(location=Location(pk="loc-1"), **given)


@pytest.mark.parametrize(
    ("starts_at", "expected"),
    [
        ("2026-11-23T12:00:00Z", True),
        ("2026-11-23T12:00:01Z", False),
        # By the client's clock it is seven in the morning.
        ("2026-11-23T07:00:00", True),
        ("2026-11-23T07:01:00", False),
        ("tomorrow", False),
        (None, False),
    ],
)
def test_a_session_is_over_once_its_time_has_come_by_the_clients_clock(
    starts_at: Any, expected: bool
) -> None:
    assert is_over(made(starts_at), NOW) is expected


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"kind": "booking_confirmation"}, True),
        ({"kind": "booking_reschedule"}, True),
        ({"kind": "no_show_recovery"}, False),
        ({"state": "failed"}, True),
        ({"state": "scheduled"}, True),
        ({"state": "sent"}, False),
        ({"state": "dismissed"}, False),
        ({"context": {}}, False),
        ({"context": {"booking": "soon"}}, False),
    ],
)
def test_it_is_asked_of_what_announces_a_session_and_has_not_gone(
    fields: dict[str, Any], expected: bool
) -> None:
    assert is_over(made("2026-11-22T12:00:00Z", **fields), NOW) is expected
