"""Webhooks that stop coming: noticed by what usually comes, told once, and made up for by asking."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from itertools import count

import pytest

from sync.models import Location, Reconciliation, Silence, Webhook
from sync.reconciliation import silence
from sync.reconciliation.silence import Quiet, is_silent
from sync.signals import Trouble

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
NAMES = count()
Come = Callable[[Sequence[datetime]], None]


@pytest.fixture
def come(db: None) -> Come:
    """Let webhooks have come in at these moments."""
    Location.objects.create(pk="loc-1", name="Studio", created_at=NOW - 30 * DAY)

    def store(moments: Sequence[datetime], kind: str = "marketplace") -> None:
        Webhook.objects.bulk_create(
            Webhook(
                dedupe_key=f"hook-{next(NAMES)}",
                location_id="loc-1",
                kind=kind,
                topic="contact_update",
                body=b"{}",
                received_at=moment,
                correlation_id="journey-1",
                state="done",
                next_at=moment,
                processed_at=moment,
            )
            for moment in moments
        )

    return store


def every(gap: timedelta, *, until: datetime, number: int) -> list[datetime]:
    return [until - gap * step for step in range(number)]


def quiet(
    rest: timedelta,
    gap: timedelta,
    *,
    number: int = 50,
    before: Sequence[int] = (0,) * 7,
    known: timedelta = DAY,
) -> Quiet:
    last = NOW - rest
    return Quiet("loc-1", last, every(gap, until=last, number=number), before, last - known)


@pytest.mark.parametrize(
    ("one", "expected"),
    [
        (quiet(31 * MINUTE, MINUTE), True),
        (quiet(29 * MINUTE, MINUTE), False),
        (quiet(79 * MINUTE, 20 * MINUTE), False),
        (quiet(81 * MINUTE, 20 * MINUTE), True),
        # Too few to know what is usual.
        (quiet(DAY, MINUTE, number=9), False),
        # Known for more than a week: what came in the same hours counts, and a week ago by itself.
        (quiet(5 * HOUR, MINUTE, before=[40] * 7, known=8 * DAY), True),
        (quiet(5 * HOUR, MINUTE, before=[0] * 7, known=8 * DAY), False),
        (quiet(5 * HOUR, MINUTE, before=[40, 40, 40, 40, 40, 40, 3], known=8 * DAY), False),
        (quiet(5 * HOUR, MINUTE, before=[4, 3, 4, 0, 2, 40, 40], known=8 * DAY), False),
    ],
)
def test_a_rest_is_unusual_by_what_came_before(one: Quiet, expected: bool) -> None:
    assert is_silent(one, now=NOW) is expected


def test_a_silence_is_told_once_and_polled_every_quarter_of_an_hour(
    come: Come, troubles: list[Trouble]
) -> None:
    last = NOW - 45 * MINUTE
    come(every(5 * MINUTE, until=last, number=60))
    assert silence.watch(now=last + 29 * MINUTE) == 0
    for minutes in range(0, 60, 5):
        assert silence.watch(now=NOW + minutes * MINUTE) == 1
        Reconciliation.objects.filter(state="running").update(state="done", ended_at=NOW)
    [trouble] = troubles
    assert (trouble.kind, trouble.code, trouble.location_id) == ("webhook", "silence", "loc-1")
    assert "45" in trouble.words or "0.8 hours" in trouble.words
    first, *later = Reconciliation.objects.order_by("pk")
    assert (first.started_by, first.since) == ("silence", last - silence.MARGIN)
    assert [run.created_at - NOW for run in later] == [15 * MINUTE, 30 * MINUTE, 45 * MINUTE]
    # Each goes on where the one before it came to.
    assert [run.since for run in later] == [
        run.until - silence.MARGIN for run in Reconciliation.objects.order_by("pk")[:3]
    ]


def test_a_silence_ends_with_the_next_webhook_and_is_asked_about_a_last_time(
    come: Come, troubles: list[Trouble]
) -> None:
    come(every(5 * MINUTE, until=NOW - 45 * MINUTE, number=60))
    silence.watch(now=NOW)
    Reconciliation.objects.update(state="done", ended_at=NOW)
    come([NOW + 5 * MINUTE])
    assert silence.watch(now=NOW + 6 * MINUTE) == 0
    assert not Silence.objects.exists()
    assert Reconciliation.objects.filter(state="running").count() == 1
    # The next one is told anew.
    assert silence.watch(now=NOW + 2 * HOUR) == 1
    assert len(troubles) == 2


def test_a_quiet_night_is_no_silence_and_a_quiet_noon_is(come: Come, troubles: list[Trouble]) -> None:
    # From eight to six, each day until yesterday.
    for day in range(1, 16):
        come(every(10 * MINUTE, until=NOW - day * DAY + 6 * HOUR, number=61))
    assert silence.watch(now=NOW - 9 * HOUR) == 0
    assert silence.watch(now=NOW - 4 * HOUR) == 0
    assert silence.watch(now=NOW - 3 * HOUR) == 1
    assert len(troubles) == 1


def test_only_active_locations_with_webhooks_of_the_app_are_watched(
    come: Come, troubles: list[Trouble]
) -> None:
    assert silence.watch(now=NOW) == 0
    come(every(MINUTE, until=NOW - HOUR, number=60), kind="workflow")  # type: ignore[call-arg]
    assert silence.watch(now=NOW) == 0
    come(every(MINUTE, until=NOW - HOUR, number=60))
    Location.objects.update(state="paused", state_reason="Holidays")
    assert silence.watch(now=NOW) == 0
    Location.objects.update(state="active", state_reason="")
    assert silence.watch(now=NOW) == 1


def test_looking_costs_the_same_for_many_locations(
    come: Come, django_assert_max_num_queries: Callable[[int], object]
) -> None:
    come(every(5 * MINUTE, until=NOW - 10 * MINUTE, number=60))
    Location.objects.bulk_create(
        Location(pk=f"more-{number}", name="Studio", created_at=NOW) for number in range(30)
    )
    with django_assert_max_num_queries(3):  # type: ignore[attr-defined]
        silence.watch(now=NOW)
