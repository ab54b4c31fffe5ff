"""Which waiting jobs die soon: as the engine will have it, whatever has happened to them; and cheaply."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from hypothesis import given
from hypothesis import strategies as st

from sync import backoff, dying
from sync.ghl.errors import Code, Outcome, Verdict
from sync.models import Breaker, Location, SyncJob
from sync.stats.queues import Count
from sync.transitions import Standing, State, after_sending
from tests.sync.dying import dead_jobs, location

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)
FAILURE = Verdict(Outcome.TRANSIENT, Code.STATUS_503)
HELD_BACK = Verdict(Outcome.DEFERRED, Code.RATE_LIMITED, wait_s=30)


def died(tries: int, at: datetime, answers: list[Verdict]) -> datetime:
    """Try a job until it is dead, each time when it is due, as the engine decides; return when it died."""
    for answer in [*answers, *[FAILURE] * backoff.MOST_TRIES]:
        following = after_sending(Standing(tries, 0, repeatable=True, settle=MINUTE), answer)
        if following.state is State.DEAD:
            return at
        tries, at = following.tries, at + following.wait
    raise AssertionError("It never died.")


@given(tries=st.integers(0, backoff.MOST_TRIES - 1), wait_s=st.integers(0, 86_400))
def test_a_job_dies_when_the_engine_has_used_up_its_tries(tries: int, wait_s: int) -> None:
    next_at = NOW + timedelta(seconds=wait_s)
    assert dying.dies_at(tries, next_at) == died(tries, next_at, [])
    assert dying.tries_left(tries) == backoff.MOST_TRIES - tries


@given(
    tries=st.integers(0, backoff.MOST_TRIES - 1),
    answers=st.lists(
        st.just(HELD_BACK)
        | st.builds(Verdict, st.just(Outcome.TRANSIENT), st.just(Code.TIMEOUT), wait_s=st.floats(0, 90_000)),
        max_size=9,
    ),
)
def test_no_job_dies_sooner_than_is_said_whatever_gohighlevel_asks_for(
    tries: int, answers: list[Verdict]
) -> None:
    assert died(tries, NOW, answers) >= dying.dies_at(tries, NOW)


def test_our_schedule_leaves_seven_hours_and_twenty_minutes_after_the_first_failure() -> None:
    assert [dying.rest(tries) / MINUTE for tries in range(6)] == [441, 440, 435, 420, 360, 0]


@pytest.fixture
def place(db: None) -> Location:
    return location()


def waiting(count: int = 1, *, location_id: str = "loc-1", **fields: Any) -> list[UUID]:
    """Write jobs that failed with a 503 and wait for their next try."""
    ids = dead_jobs(count, location_id=location_id)
    stand = {"state": "waiting", "cause": "", "settled_at": None, "next_at": NOW, "code": "status_503"}
    SyncJob.objects.filter(pk__in=ids).update(**stand | fields)
    return ids


def found(hours: int) -> set[UUID]:
    return {job.id for job in dying.page(hours, now=NOW)[0]}


@pytest.mark.parametrize("hours", dying.HORIZONS)
def test_within_its_hours_exactly_those_are_found_whose_last_try_is(place: Location, hours: int) -> None:
    expected = set()
    for tries in range(6):
        for next_at in (NOW, NOW + 40 * MINUTE, NOW + hours * HOUR - dying.rest(tries), NOW + 25 * HOUR):
            for at in (next_at, next_at + timedelta(seconds=1)):
                [id] = waiting(tries=tries, next_at=at)
                if tries and died(tries, max(at, NOW), []) <= NOW + hours * HOUR:
                    expected.add(id)
    assert found(hours) == expected
    assert dying.count(hours, now=NOW) == dying.soon(hours, now=NOW).jobs == Count(len(expected))


def test_what_is_overdue_dies_no_sooner_than_its_tries_last(place: Location) -> None:
    waiting(tries=4, next_at=NOW - 9 * HOUR)
    assert found(4) == set()
    [job], _ = dying.page(8, now=NOW)
    assert job.dies_at == NOW + 6 * HOUR


def test_what_has_not_failed_is_looked_up_or_redriven_is_not_dying(place: Location) -> None:
    waiting(tries=0)
    waiting(tries=5, is_lookup=True)
    waiting(tries=5, is_redrive=True)
    waiting(tries=5, state="leased")
    dead_jobs(1, tries=6)
    assert found(24) == set()
    assert dying.count(24, now=NOW) == Count(0)
    [last] = waiting(tries=5, is_suspect=True)
    assert found(1) == {last}


@pytest.mark.parametrize(
    ("state", "until", "breaker", "holds"),
    [
        ("paused", None, "closed", True),
        ("paused", NOW + 5 * HOUR, "closed", True),
        ("paused", NOW + HOUR, "closed", False),
        ("misconfigured", None, "closed", True),
        ("active", None, "open", True),
        ("active", None, "ramping", False),
        ("active", None, "closed", False),
    ],
)
def test_what_its_location_holds_is_told_apart_for_nothing_tries_it(
    place: Location, state: str, until: datetime | None, breaker: str, holds: bool
) -> None:
    Location.objects.update(state=state, state_reason=state[: 99 * (state != "active")], paused_until=until)
    Breaker.objects.update(state=breaker, probe_at=NOW)
    waiting(2, tries=5)
    told = dying.soon(4, now=NOW)
    assert (told.jobs.number, told.held) == ((0, 1) if holds else (2, 0))
    assert len(found(4)) == told.jobs.number


def test_they_are_grouped_by_failure_and_operation_the_first_to_die_first(place: Location) -> None:
    waiting(3, tries=4, next_at=NOW + HOUR)
    waiting(2, tries=5, next_at=NOW + 3 * HOUR)
    waiting(1, tries=5, next_at=NOW + HOUR, code="timeout", operation="note.create")
    told = dying.soon(8, now=NOW)
    assert told.groups == [
        dying.Group("timeout", "note.create", 1, 1, 1, NOW + HOUR),
        dying.Group("status_503", "contact.update", 5, 1, 2, NOW + 3 * HOUR),
    ]
    assert [group.jobs for group in dying.soon(4, now=NOW).groups] == [1, 2]


def test_the_list_goes_on_where_it_ended_and_keeps_to_one_failure(
    place: Location, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dying, "MOST_ROWS", 3)
    ids = waiting(5, tries=5, next_at=NOW + HOUR)
    ids += waiting(2, tries=4, next_at=NOW + MINUTE)
    waiting(1, tries=5, code="timeout")
    seen: list[UUID] = []
    after = None
    for _ in range(4):
        jobs, after = dying.page(8, now=NOW, code="status_503", after=after)
        seen += [job.id for job in jobs]
        if after is None:
            break
    assert seen == sorted(ids[:5]) + sorted(ids[5:])


def test_more_than_can_be_counted_is_said(place: Location, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dying, "MOST", 4)
    waiting(5, tries=5)
    waiting(1, tries=4)
    assert str(dying.soon(8, now=NOW).jobs) == "more than 4"
    assert dying.count(1, now=NOW, most=5) == Count(5)
    assert dying.count(1, now=NOW, most=4) == Count(4, is_more=True)


def test_twenty_thousand_waiting_jobs_are_read_by_the_index_and_no_further_than_needed(
    place: Location,
) -> None:
    """Neither the jobs with more tries left, nor those that die later, nor what is done, are looked at."""
    with connection.cursor() as cursor:
        # What earlier tests have left in its pages would make the table look larger than it is.
        cursor.execute("truncate sync_syncjob cascade")
        cursor.execute(MANY, {"now": NOW})
        cursor.execute("analyze sync_syncjob")
    with CaptureQueriesContext(connection) as queries:
        assert dying.count(1, now=NOW, most=1000) == Count(1000, is_more=True)
        dying.soon(8, now=NOW)
        dying.page(8, now=NOW)
        jobs = SyncJob.objects.filter(state="waiting", tries__gt=0).defer("payload")
        list(jobs.order_by("-position")[:50])
    counted, grouped, _, listed, tried = [plan(one["sql"]) for one in queries]
    for one in (counted, grouped, listed):
        assert "job_dying" in one
        assert "Seq Scan on sync_syncjob" not in one
    assert read(counted) <= 1_001
    # A page and one more, and to sort those of one moment by id, the next.
    assert read(listed) <= 52 * len(dying.TRIES)
    assert "job_tried_before" in tried
    assert read(tried) == 50


# Two thousand each that have failed never to five times, and eight thousand that are done.
MANY = """
insert into sync_syncjob (id, location_id, operation, payload, idempotency_key, ordering_key, writes, state,
    cause, code, is_lookup, is_redrive, is_suspect, tries, lookups, fence, next_at, result, correlation_id,
    created_at, settled_at)
select gen_random_uuid(), 'loc-1', 'contact.update', '{}', '', '', '{}',
    case when number %% 10 < 6 then 'waiting' else 'succeeded' end, '', 'status_503', false, false, false,
    number %% 10 %% 6, 0, 1, %(now)s + number * interval '100 ms', '{}', 'c', %(now)s,
    case when number %% 10 < 6 then null else %(now)s::timestamptz end
from generate_series(1, 20000) number
"""


def plan(statement: str) -> str:
    with connection.cursor() as cursor:
        cursor.execute(f"explain (analyze, costs off, timing off, summary off) {statement}")
        return "\n".join(line for (line,) in cursor.fetchall())


def read(plan: str) -> int:
    """Return how many rows of jobs the plan has read, those that it threw away too."""
    total = 0
    for node, rest in re.findall(r"(Scan using job_\w+ on sync_syncjob[^\n]*)((?:\n(?!.*->).*)*)", plan):
        [rows, loops] = re.findall(r"rows=([\d.]+) loops=(\d+)", node)[0]
        thrown = re.search(r"Rows Removed by Filter: (\d+)", rest)
        total += round(float(rows) * int(loops)) + (int(thrown[1]) if thrown else 0)
    return total
