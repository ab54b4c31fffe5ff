"""Causes: who can mend them, how they stand, whom they are about, how they go on, and what has worked."""

from collections.abc import Iterable
from datetime import timedelta
from itertools import product
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from observability.models import AuditEntry
from observability.retention import purge
from sync import tasks
from sync.dead_letters import changes, experience, fixers, groups, impact, letters, trend
from sync.dead_letters import standing as standings
from sync.dead_letters.fixers import Fixer
from sync.dead_letters.refusal import Refused
from sync.dead_letters.standing import Standing
from sync.ghl.errors import Code
from sync.models import BulkOperation, CauseGroup, CauseHour, DeadLetter, Location, SyncJob
from sync.signals import Act
from tests.sync.dying import HOUR, NOW, Destination, dead_jobs, dead_letters, dead_webhook, death, location
from trainu import datasets, lanes
from trainu.faults import WebhookCode

BY = "staff:7"
LATER = NOW + HOUR
KNOWN = [*Code, *WebhookCode, "worker_lost", "not_found", "found", "cannot_tell"]


@pytest.fixture(autouse=True)
def place(db: None) -> Location:
    return location()


def group(**which: Any) -> CauseGroup:
    return CauseGroup.objects.get(**which)


def made(number: int, **overrides: Any) -> CauseGroup:
    shape = {"fingerprint": f"f{number}", "version": 1, "integration": "ghl", "subject": "contact.update"}
    times = {"first_seen_at": NOW, "last_seen_at": NOW + number * HOUR}
    return CauseGroup(**shape | times | {"code": "status_422", "cause": "refused"} | overrides)


def keep(groups: Iterable[CauseGroup]) -> list[CauseGroup]:
    return CauseGroup.objects.bulk_create(groups)


# Who can fix it


def test_the_filter_of_who_can_fix_it_finds_the_same_groups() -> None:
    pairs = list(product([*KNOWN, "never_seen"], ["refused", "exhausted", "check_by_hand"]))
    keep(made(number, code=code, cause=cause) for number, (code, cause) in enumerate(pairs))
    found = {fixer: set(CauseGroup.objects.filter(fixers.rows(fixer))) for fixer in Fixer}
    assert sum(map(len, found.values())) == len(pairs)
    for fixer, there in found.items():
        assert {fixers.of(one.code, one.cause) for one in there} == {fixer}


# How it stands


def test_one_group_stands_in_one_way_and_filters_agree() -> None:
    whens = [None, NOW - HOUR, NOW + HOUR]
    counts = [None, 3, 9]
    acks = [{}, {"acknowledged_at": NOW, "acknowledged_by": BY}]
    every = product(["open", "regressed", "resolved"], whens, counts, acks)
    keep(
        made(number, state=state, snoozed_until=until, snoozed_to_count=count, open=5, total=5, **ack)
        for number, (state, until, count, ack) in enumerate(every)
    )
    seen = 0
    for standing in Standing:
        there = list(CauseGroup.objects.filter(standings.rows([standing], NOW)))
        assert {standings.of(one, NOW) for one in there} == {standing}
        assert groups.page(now=NOW, standing=[standing]).groups
        seen += len(there)
    assert seen == CauseGroup.objects.count()
    news = groups.news(NOW)
    assert news.causes == CauseGroup.objects.filter(standings.rows(standings.NEWS, NOW)).count() == 10
    assert (news.letters, news.since) == (50, NOW)


def test_what_is_news_comes_first_then_the_most_letters_then_the_oldest() -> None:
    ack = {"acknowledged_at": NOW, "acknowledged_by": BY}
    resolved = made(1, state="resolved")
    snoozed = made(2, open=900, total=900, snoozed_until=LATER)
    known = made(3, open=500, total=500, **ack)
    few = made(4, open=2, total=2, oldest_at=NOW)
    older = made(5, open=2, total=2, oldest_at=NOW - HOUR)
    many = made(6, open=50, total=50, state="regressed")
    keep([resolved, snoozed, known, few, older, many])
    every = groups.page(now=NOW, state="all").groups
    assert standings.by_urgency(every, NOW) == [many, older, few, known, snoozed, resolved]


def test_a_page_of_groups_is_narrowed_by_owner_fixer_and_location_and_goes_on() -> None:
    nora = User.objects.create_user("nora", is_staff=True)
    location("loc-2")
    dead_letters(1, code="status_503", cause="exhausted")
    dead_letters(2, location_id="loc-2")
    mine = group(code="status_503")
    groups.assign(mine.pk, nora.pk, by=BY)

    def found(**wanted: Any) -> list[CauseGroup]:
        return list(groups.page(now=NOW, **wanted).groups)

    other = group(code="status_422")
    assert found(owner_id=nora.pk) == found(fixer=Fixer.OUTAGE) == found(location_id="loc-1") == [mine]
    assert found(owner_id=0) == found(fixer=Fixer.DATA) == found(location_id="loc-2") == [other]
    first = groups.page(now=NOW, most=1)
    assert found(older_than=first.older, most=1) == [mine]
    assert groups.unresolved(NOW) == 2
    groups.snooze(mine.pk, until=LATER, by=BY, now=NOW)
    assert groups.unresolved(NOW) == 1


def test_a_group_is_acknowledged_once_audited_and_that_can_be_taken_back(acts: list[Act]) -> None:
    dead_letters(1)
    groups.acknowledge(group().pk, by=BY, now=NOW)
    assert (group().acknowledged_at, group().acknowledged_by) == (NOW, BY)
    with pytest.raises(Refused, match="already"):
        groups.acknowledge(group().pk, by="staff:8", now=LATER)
    assert group().acknowledged_by == BY
    groups.unacknowledge(group().pk, by="staff:8")
    assert (group().acknowledged_at, group().acknowledged_by) == (None, "")
    with pytest.raises(Refused, match="Nobody"):
        groups.unacknowledge(group().pk, by=BY)
    told = [(act.action, act.actor, act.changes["acknowledged_by"]) for act in acts]
    action = "dead_letter.acknowledge"
    assert told == [(action, BY, (None, BY)), (action, "staff:8", (BY, None))]
    assert AuditEntry.objects.filter(action=action, target_id=str(group().pk)).count() == 2


def test_what_is_not_there_or_resolved_is_not_acknowledged(acts: list[Act]) -> None:
    with pytest.raises(Refused) as refusal:
        groups.acknowledge(10**9, by=BY, now=NOW)
    assert refusal.value.code == "unknown_group"
    [id] = dead_letters(1)
    letters.discard([id], "Spam.", by=BY, now=NOW)
    acts.clear()
    with pytest.raises(Refused) as refusal:
        groups.acknowledge(group().pk, by=BY, now=NOW)
    assert refusal.value.code == "wrong_state"
    assert acts == []


def test_a_cause_that_comes_back_is_news_and_has_its_notes_and_owner() -> None:
    nora = User.objects.create_user("nora", is_staff=True)
    dead_letters(1)
    groups.note(group().pk, "Their form.", by=BY, now=NOW)
    groups.assign(group().pk, nora.pk, by=BY)
    groups.acknowledge(group().pk, by=BY, now=NOW)
    # What dies meanwhile is known already.
    dead_letters(1, at=LATER)
    assert standings.of(group(), NOW) is Standing.ACKNOWLEDGED
    groups.snooze(group().pk, to_count=100, by=BY, now=NOW)
    assert standings.of(group(), NOW) is Standing.SNOOZED
    letters.redrive(list(DeadLetter.objects.values_list("pk", flat=True)), by=BY, now=LATER)
    destination = Destination()
    while destination.work(LATER):
        pass
    assert standings.of(group(), NOW) is Standing.RESOLVED
    dead_letters(1, at=LATER + HOUR)
    assert standings.of(group(), LATER + HOUR) is Standing.REGRESSED
    assert (group().notes.get().words, group().owner) == ("Their form.", nora)


# How it goes on


def test_deaths_are_counted_by_the_hour_those_again_too_and_those_told_twice_once() -> None:
    ids = dead_letters(3)
    job = DeadLetter.objects.get(pk=ids[0]).job_id
    letters.died([death(job)], now=NOW)
    letters.redrive(ids, by=BY, now=LATER, look_first=False)
    Destination(takes=lambda job: False).work(LATER)
    dead_webhook(Location.objects.get(), at=LATER + timedelta(minutes=59))
    [other] = CauseGroup.objects.exclude(pk=group(code="status_422").pk)
    with CaptureQueriesContext(connection) as asked:
        told = trend.of([group(code="status_422").pk, other.pk], now=LATER, hours=3)
    assert len([one for one in asked if "causehour" in one["sql"]]) == 1
    assert told[group(code="status_422").pk].deaths == (0, 3, 3)
    assert told[other.pk].deaths == (0, 0, 1)
    assert told[other.pk].begins == NOW - HOUR
    assert [hour for hour, _ in told[other.pk].hours] == [NOW - HOUR, NOW, LATER]
    # Another batch in the same hour.
    dead_letters(2, at=LATER + timedelta(minutes=5))
    assert trend.of([group(code="status_422").pk], now=LATER)[group(code="status_422").pk].deaths[-2:] == (
        3,
        5,
    )


def test_a_trend_says_in_words_what_its_drawing_shows() -> None:
    quiet = trend.Trend(NOW, (0, 0))
    assert quiet.words == "Nothing has died of it in the last 2 hours."
    busy = trend.Trend(NOW, (1, 40, 2))
    assert busy.words == (
        "43 died of it in the last 3 hours, at most 40 in an hour (13:00 UTC); 2 in this hour so far."
    )


def test_a_death_that_is_undone_is_not_counted() -> None:
    [job] = dead_jobs(1)
    with pytest.raises(RuntimeError), transaction.atomic():
        letters.died([death(job)], now=NOW)
        raise RuntimeError
    assert not CauseHour.objects.exists()


def test_hours_go_after_their_time_and_causes_stay() -> None:
    dead_letters(1, at=NOW - timedelta(days=91))
    dead_letters(2, at=NOW - timedelta(days=89))
    dataset = datasets.find("cause_hours")
    assert dataset is not None
    assert purge.plan(dataset, now=NOW).rows == 1
    run = purge.run(dataset, now=NOW, by=BY)
    assert (run.state, run.rows, run.error) == ("done", 1, "")
    assert [one.deaths for one in CauseHour.objects.all()] == [2]
    assert run.oldest_left_at == NOW - timedelta(days=89)
    assert group().total == 3


# Whom it is about


def test_people_are_counted_once_however_their_jobs_name_them() -> None:
    other = location("loc-2")
    jobs = [*dead_jobs(5), *dead_jobs(1, location_id=other.pk)]
    named: list[dict[str, Any]] = [
        {"ordering_key": "contact:anna", "payload": {}},
        {"ordering_key": "messages:anna", "payload": {}},
        {"ordering_key": "appointment:a-1", "payload": {"contact_id": "anna"}},
        {"ordering_key": "person:0123456789abcdef", "payload": {"email": "x"}},
        {"ordering_key": "task:t-1", "payload": {"task_id": "t-1"}},
        {"ordering_key": "", "payload": {"contact_id": "ben"}},
    ]
    for job, how in zip(jobs, named, strict=True):
        SyncJob.objects.filter(pk=job).update(**how)
    letters.died([death(job) for job in jobs[:5]], now=NOW)
    letters.died([death(jobs[5], location_id=other.pk)], now=LATER)
    assert impact.count(now=LATER) == 1
    # The digest of a person and a contact's id cannot be told to be the same.
    assert (group().people, group().locations, group().oldest_at) == (3, 2, NOW)
    assert group().counted_at == LATER


def test_a_webhooks_letter_is_about_its_contact(place: Location) -> None:
    for contact in ("anna", "anna", "ben", ""):
        row = dead_webhook(place)
        row.contact_id = contact
        row.save(update_fields=["contact_id"])
    impact.count(now=LATER)
    assert (group().people, group().locations) == (2, 1)


def test_only_what_may_have_changed_is_counted_anew() -> None:
    ids = dead_letters(2)
    assert impact.count(now=LATER) == 1
    assert impact.count(now=LATER) == 0
    dead_letters(1, at=LATER + HOUR)
    assert impact.count(now=LATER + HOUR) == 1
    # What was discarded is out of the figures a little later, without a death.
    letters.discard(ids, "Spam.", by=BY, now=LATER + HOUR)
    assert impact.count(now=LATER + 2 * HOUR) == 1
    assert (group().people, group().oldest_at) == (1, LATER + HOUR)
    letters.discard([DeadLetter.objects.get(state="open").pk], "Spam.", by=BY, now=LATER + 2 * HOUR)
    assert impact.count(now=LATER + 2 * HOUR) == 1
    assert (group().state, group().people, group().oldest_at) == ("resolved", 0, None)
    assert impact.count(now=LATER + 9 * HOUR) == 0


def test_a_group_that_is_too_large_keeps_no_figure_and_holds_nobody_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    dead_letters(1_000)
    monkeypatch.setattr(impact, "TIME_LIMIT_MS", 1)
    impact.count(now=LATER)
    assert (group().people, group().locations, group().counted_at) == (None, None, LATER)
    # Not again at once, though more die of it.
    dead_letters(1, at=LATER + timedelta(minutes=1))
    assert impact.count(now=LATER + timedelta(minutes=1)) == 0
    assert impact.count(now=LATER + impact.AGAIN) == 1


def test_counting_ends_when_its_time_is_up_and_goes_on_with_the_rest() -> None:
    dead_letters(1)
    dead_letters(1, code="status_400")
    assert impact.count(now=LATER, budget_s=-1) == 0
    assert impact.count(now=LATER) == 2


def test_the_dead_letter_lane_counts_before_it_looks_for_work(monkeypatch: pytest.MonkeyPatch) -> None:
    dead_letters(1)
    lanes.stopping.set()
    try:
        tasks.run_bulk_operations()
    finally:
        lanes.stopping.clear()
    assert group().people == 1


# What worked last time


def bulk(kind: str, number: int, **counts: Any) -> BulkOperation:
    given = {"state": "done", "ended_at": NOW, "reason": "Mended.", "by": BY, "chosen": {}}
    at = NOW + number * HOUR
    total = sum(count for count in counts.values() if type(count) is int)
    whole = given | {"kind": kind, "group": group(), "started_at": at, "looked_at": at, "total": total}
    return BulkOperation.objects.create(**whole | counts)


def test_finished_operations_tell_what_worked_newest_first() -> None:
    dead_letters(1)
    assert experience.of(group()).advice == ""
    bulk("redrive", 1, recovered=180, failed_same_cause=20)
    bulk("discard", 2, done=40)
    bulk("redrive", 3, pending=5, state="running", ended_at=None)
    bulk("assign", 4, done=7)
    told = experience.of(group())
    assert [(one.kind, one.tried, one.recovered) for one in told.operations] == [
        ("discard", 40, 0),
        ("redrive", 200, 180),
    ]
    assert "enough to redrive" in told.advice
    bulk("redrive", 5, failed_same_cause=1, pending=99, state="stopped", state_reason="x", ended_at=None)
    told = experience.of(group())
    assert (told.operations[0].is_stopped, told.operations[0].tried) == (True, 1)
    assert "mend the cause first" in told.advice


def test_copies_with_changed_data_are_told_by_how_they_ended() -> None:
    ids = dead_letters(3)
    for id in ids[:2]:
        job = DeadLetter.objects.get(pk=id).job
        assert job is not None
        changed = {**job.payload, "first_name": "Ida"}
        changes.redrive_with_changes(id, changed, by=BY, reason="Typo.", now=LATER)
    refused = DeadLetter.objects.get(pk=ids[0]).job_id
    Destination(takes=lambda job: job.id != refused).work(LATER)
    told = experience.of(group())
    assert (told.changed_recovered, told.changed_failed, told.recovered) == (1, 1, 1)
    assert told.advice == "To redrive them has worked: 1 recovered."
