"""The question that is asked where there is no traffic: when, of whom, within what time, and what is kept."""

import time
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from pydantic import SecretStr
from uuid_utils.compat import uuid7

from sync import credentials, idle_probe
from sync.attempt_log import TABLE
from sync.ghl.oauth import Tokens
from sync.models import Breaker, Credential, IdleProbe, Location, SyncAttempt
from sync.stats import answering
from tests.sync.working import NOW, Studio
from trainu import schedules
from trainu.demo.ghl import Simulator

MINUTE = timedelta(minutes=1)

pytestmark = pytest.mark.django_db


@pytest.fixture
def studio(db: None, settings: Any) -> Iterator[Studio]:
    with Simulator(seed=1, limits=False) as ghl:
        settings.GHL_BASE_URL = ghl.url
        yield Studio(ghl)


def attempt(ago: timedelta, code: str = "ok", status: int | None = 200, **overrides: Any) -> None:
    TABLE.ensure({(NOW - ago).date()})
    given: dict[str, Any] = {
        "started_at": NOW - ago,
        "job_id": uuid7(),
        "fence": 1,
        "kind": "send",
        "outcome": "ok",
        "code": code,
        "status": status,
        "duration_ms": 250.0,
    }
    SyncAttempt.objects.create(**given | overrides)


def kept() -> tuple[bool, str]:
    row = IdleProbe.objects.get()
    return row.answers, row.code


def test_it_asks_once_nothing_has_told_for_five_minutes_and_keeps_the_answer(studio: Studio) -> None:
    attempt(5 * MINUTE)  # it ended a quarter of a second later
    assert idle_probe.ask(now=NOW) is None
    assert not IdleProbe.objects.exists()
    assert idle_probe.ask(now=NOW + timedelta(seconds=1)) is True
    assert kept() == (True, "")
    assert IdleProbe.objects.get().asked_at == NOW + timedelta(seconds=1)


def test_what_was_held_back_before_it_left_has_told_nothing(studio: Studio) -> None:
    attempt(MINUTE, "kill_switch", None, outcome="deferred")
    assert idle_probe.ask(now=NOW) is True


@pytest.mark.parametrize(
    ("kind", "code"), [("503", "status_503"), ("reset", "connection_reset"), ("hang", "timeout")]
)
def test_no_answer_is_kept_with_its_code_within_its_time(studio: Studio, kind: str, code: str) -> None:
    studio.ghl.fail(kind)
    begun = time.monotonic()
    assert idle_probe.ask(now=NOW) is False
    assert time.monotonic() - begun < idle_probe.LIMITS.total_s + 1
    assert kept() == (False, code)
    studio.ghl.heal()
    assert idle_probe.ask(now=NOW) is True
    assert kept() == (True, "")


def test_a_refused_token_is_an_answer_and_none_is_ever_refreshed(studio: Studio) -> None:
    ended = Tokens(SecretStr("old-access"), SecretStr("only-refresh"), NOW - MINUTE)
    credentials.hold_oauth(studio.id, ended, now=NOW - 60 * MINUTE)
    before = Credential.objects.get()
    assert idle_probe.ask(now=NOW) is True
    after = Credential.objects.get()
    assert bytes(after.refresh_token) == bytes(before.refresh_token)
    assert (after.refreshing_until, after.refreshed_at) == (before.refreshing_until, before.refreshed_at)


def test_nobody_is_asked_without_a_location_that_works_and_has_a_token(studio: Studio) -> None:
    Location.objects.update(state="paused", state_reason="moving", paused_until=NOW + MINUTE)
    assert idle_probe.ask(now=NOW) is None
    assert idle_probe.ask(now=NOW + MINUTE) is True  # its pause is over
    Location.objects.update(state="misconfigured", paused_until=None)
    assert idle_probe.ask(now=NOW) is None
    Location.objects.update(state="active", state_reason="")
    Credential.objects.all().delete()
    assert idle_probe.ask(now=NOW) is None


@pytest.mark.usefixtures("transactional_db")
def test_no_transaction_is_open_while_it_waits_for_the_answer(studio: Studio) -> None:
    """A transaction that began before the request would end after it: in between, others see it idle."""
    studio.ghl.fail("slow", ms=300)
    with CaptureQueriesContext(connection) as asked:
        assert idle_probe.ask(now=NOW) is True
    said = [one["sql"].lower() for one in asked]
    writing = next(
        number for number, sql in enumerate(said) if "sync_idleprobe" in sql and "select asked_at" not in sql
    )
    assert "begin" not in said[: writing - 1]


def test_it_is_scheduled_every_five_minutes() -> None:
    entry = schedules.find("idle probe")
    assert entry is not None
    assert (entry.func, entry.minutes) == ("sync.tasks.ask_when_idle", 5)


def test_what_attempts_have_shown_is_told_with_its_times_and_counts(studio: Studio) -> None:
    attempt(3 * MINUTE, "status_503", 503, outcome="transient")
    attempt(2 * MINUTE, "status_404", 404, outcome="permanent")  # an answer, if not the one hoped for
    attempt(30 * MINUTE, "timeout", None, outcome="ambiguous")
    attempt(90 * MINUTE)
    Breaker.objects.update(state="ramping", probe_at=NOW)
    seen = answering.look(now=NOW)
    took = timedelta(milliseconds=250)
    assert (seen.answered_at, seen.failed_at) == (NOW - 2 * MINUTE + took, NOW - 3 * MINUTE + took)
    assert (seen.failed_code, seen.answered, seen.failed) == ("status_503", 1, 1)
    assert (seen.opened, seen.ramping, seen.can_be_asked, seen.asked) == (0, 1, True, None)
    assert not seen.is_idle(NOW)
    assert seen.is_idle(NOW + 3 * MINUTE + took)


def test_attempts_are_found_by_their_key_however_many_there_are(studio: Studio) -> None:
    TABLE.ensure({NOW.date()})
    with connection.cursor() as cursor:
        cursor.execute(
            "insert into sync_attempt (started_at, job_id, fence, kind, outcome, code, duration_ms, trace_id)"
            " select %s - n * interval '1 second', gen_random_uuid(), 1, 'send', 'ok', 'ok', 5, ''"
            " from generate_series(1, 20000) n",
            [NOW],
        )
        cursor.execute("analyze sync_attempt")
    with CaptureQueriesContext(connection) as asked:
        answering.look(now=NOW)
    assert len(asked) == 3
    with connection.cursor() as cursor:
        cursor.execute(f"explain (analyze, timing off, summary off) {asked[0]['sql']}")
        plan = "\n".join(line for (line,) in cursor.fetchall())
    assert "Seq Scan on sync_attempt" not in plan, plan
    assert f"rows={answering.MOST}" in plan, plan
