"""Dead letters: one for whatever dies, in the group of its cause, until somebody or something ends it."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.auth.models import User
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext

from observability.models import AuditEntry
from sync import jobs, retrying
from sync.dead_letters import changes, explanations, groups, letters, personal, preflight, regrouping, search
from sync.dead_letters import fingerprint as fingerprints
from sync.dead_letters.chosen import Chosen
from sync.dead_letters.refusal import Refused
from sync.ghl.errors import Code
from sync.models import CauseGroup, DeadLetter, GroupNote, Location, SyncJob, Webhook
from sync.signals import Act
from sync.transitions import State
from tests.sync.dying import HOUR, NOW, Destination, dead_jobs, dead_letters, dead_webhook, death, location

BY = "staff:7"
LATER = NOW + HOUR


@pytest.fixture(autouse=True)
def place(db: None) -> Location:
    return location()


def group() -> CauseGroup:
    return CauseGroup.objects.get()


def letter() -> DeadLetter:
    return DeadLetter.objects.get()


def test_what_dies_has_one_letter_in_the_group_of_its_cause() -> None:
    [job] = dead_jobs(1)
    letters.died([death(job, words="Contact ocQHyuzHvysMo5N5VsXc with mira@example.org not found")], now=NOW)
    assert (letter().job_id, letter().state, letter().died_at, letter().deaths) == (job, "open", NOW, 1)
    # GoHighLevel's words may be personal.
    assert "mira" not in letter().words
    assert group().message == "contact # with # not found"
    assert (group().open, group().total, group().state, group().last_seen_at) == (1, 1, "open", NOW)
    # Told twice, for instance by a batch that was run again.
    letters.died([death(job)], now=LATER)
    assert (letter().deaths, group().open) == (1, 1)
    letters.died([], now=LATER)


def test_ten_thousand_letters_of_four_causes_are_four_groups_quickly() -> None:
    causes = [("status_422", "email {} is bad"), ("status_400", "x {}"), ("duplicate", "{}"), ("timeout", "")]
    ids = dead_jobs(10_000)
    # Deaths of many causes come in one batch: a constant number of statements for each.
    counts = []
    for start in range(0, 10_000, 500):
        with CaptureQueriesContext(connection) as asked:
            letters.died(
                [
                    death(job, code=causes[n % 4][0], words=causes[n % 4][1].format(f"id{n}"))
                    for n, job in enumerate(ids[start : start + 500])
                ],
                now=NOW,
            )
        counts.append(len(asked))
    assert max(counts) == 6
    with CaptureQueriesContext(connection) as asked:
        page = groups.page(now=NOW)
    assert [one.open for one in page.groups] == [2_500] * 4
    assert len(asked) == 1
    assert page.older is None


def test_a_letter_that_dies_again_opens_in_the_group_of_its_new_cause(acts: list[Act]) -> None:
    [id] = dead_letters(1)
    assert letters.redrive([id], by=BY, now=LATER, look_first=False).done == {id}
    assert (letter().state, group().redriving, group().state) == ("redriving", 1, "open")
    Destination(takes=lambda job: False, says=("status_400", "other")).work(LATER)
    old, new = CauseGroup.objects.order_by("pk")
    assert (letter().state, letter().group, letter().deaths) == ("open", new, 2)
    assert (letter().first_died_at, letter().died_at) == (NOW, LATER)
    assert (old.total, old.state, old.is_proven) == (0, "resolved", False)
    assert (new.open, new.total) == (1, 1)
    assert [(act.action, act.target_id, act.actor) for act in acts] == [("dead_letter.redrive", str(id), BY)]
    assert AuditEntry.objects.filter(action="dead_letter.redrive", actor_id=BY).count() == 1


def test_a_redriven_letter_recovers_and_its_group_is_resolved_by_proof_and_regresses() -> None:
    [id] = dead_letters(1)
    groups.note(group().pk, "Their form asks for no email.", by=BY, now=NOW)
    letters.redrive([id], by=BY, now=LATER)
    destination = Destination()
    while destination.work(LATER):
        pass
    assert (letter().state, letter().resolved_at) == ("recovered", LATER)
    assert (group().state, group().recovered, group().resolved_at, group().is_proven) == (
        "resolved",
        1,
        LATER,
        True,
    )
    dead_letters(1, at=LATER + HOUR)
    assert (group().state, group().open, group().total) == ("regressed", 1, 2)
    assert GroupNote.objects.get().words == "Their form asks for no email."


def test_a_group_that_was_only_discarded_does_not_regress_but_opens(acts: list[Act]) -> None:
    [id] = dead_letters(1)
    letters.discard([id], "Not wanted any more.", by=BY, now=LATER)
    assert (group().state, group().discarded) == ("resolved", 1)
    letters.restore([id], by=BY)
    assert (group().state, letter().discard_reason, letter().resolved_at) == ("open", "", None)
    letters.discard([id], "Really not.", by=BY, now=LATER)
    dead_letters(1, at=LATER)
    assert group().state == "open"
    assert [act.action for act in acts] == [
        "dead_letter.discard",
        "dead_letter.restore",
        "dead_letter.discard",
    ]


def test_what_is_restored_after_the_proof_is_open_and_has_not_come_back() -> None:
    recovers, discarded = dead_letters(2)
    letters.discard([discarded], "Not wanted.", by=BY, now=NOW)
    letters.redrive([recovers], by=BY, now=LATER, look_first=False)
    Destination().work(LATER)
    assert (group().state, group().is_proven) == ("resolved", True)
    letters.restore([discarded], by=BY)
    assert (group().state, group().is_proven) == ("open", False)


def test_a_redrive_costs_one_try_however_few_there_were() -> None:
    [id] = dead_letters(1, tries=1)
    letters.redrive([id], by=BY, now=LATER)
    assert SyncJob.objects.get().tries == 5


def test_every_letter_is_told_of_none_is_skipped_silently() -> None:
    [opened, discarded, trying] = dead_letters(3)
    letters.discard([discarded], "Spam.", by=BY, now=NOW)
    letters.redrive([trying], by=BY, now=NOW)
    outcome = letters.redrive([opened, discarded, trying, 10**9], by=BY, now=NOW)
    assert outcome.done == {opened}
    assert "Restore it first" in outcome.refused[discarded]
    assert "being tried" in outcome.refused[trying]
    assert "no such letter" in outcome.refused[10**9]
    # A second time nothing is left to do.
    assert letters.redrive([opened], by=BY, now=NOW).done == frozenset()


def test_a_letter_whose_job_is_not_dead_is_not_redriven() -> None:
    [id] = dead_letters(1)
    SyncJob.objects.update(state="succeeded", cause="")
    outcome = letters.redrive([id], by=BY, now=NOW)
    assert outcome.done == frozenset()
    assert "not dead" in outcome.refused[id]


@pytest.mark.parametrize(
    ("verb", "code"),
    [
        (lambda ids: letters.discard(ids, "  ", by=BY, now=NOW), "reason_missing"),
        (lambda ids: letters.discard(ids, "x" * 301, by=BY, now=NOW), "reason_missing"),
        (lambda ids: letters.assign(ids, 10**6, by=BY), "unknown_user"),
        (lambda ids: letters.note(10**9, "x", by=BY, now=NOW), "unknown_letter"),
        (lambda ids: letters.note(ids[0], "", by=BY, now=NOW), "invalid_note"),
        (lambda ids: letters.snooze(ids[0], NOW, by=BY, now=NOW), "invalid_until"),
        (lambda ids: letters.redrive(range(101), by=BY, now=NOW), "too_many"),
        (lambda ids: groups.snooze(group().pk, until=LATER, to_count=9, by=BY, now=NOW), "invalid_snooze"),
        (lambda ids: groups.snooze(group().pk, to_count=0, by=BY, now=NOW), "invalid_count"),
        (lambda ids: groups.note(10**9, "x", by=BY, now=NOW), "unknown_group"),
    ],
)
def test_what_cannot_be_done_is_refused_and_leaves_no_trace(verb: Any, code: str, acts: list[Act]) -> None:
    ids = dead_letters(1)
    with pytest.raises(Refused) as refused:
        verb(ids)
    assert refused.value.code == code
    assert (acts, letter().state) == ([], "open")


def test_letters_and_groups_are_assigned_noted_and_snoozed(acts: list[Act]) -> None:
    nora = User.objects.create_user("nora", is_staff=True)
    [id] = dead_letters(1)
    letters.assign([id], nora.pk, by=BY)
    letters.note(id, "Asked mira.stone@example.org.", by=BY, now=NOW)
    letters.snooze(id, LATER, by=BY, now=NOW)
    groups.assign(group().pk, nora.pk, by=BY)
    groups.snooze(group().pk, until=LATER, by=BY, now=NOW)
    assert (letter().assigned_to, letter().snoozed_until, group().owner) == (nora, LATER, nora)
    assert search.notes(letter())[0].words == "Asked [email]@example.org."
    assert (group().is_snoozed(NOW), group().is_snoozed(LATER)) == (True, False)
    assert groups.page(now=NOW, with_snoozed=False).groups == []
    groups.snooze(group().pk, to_count=1, by=BY, now=NOW)
    assert group().is_snoozed(LATER)
    dead_letters(1)
    assert not group().is_snoozed(NOW)
    assert len(groups.page(now=NOW, with_snoozed=False).groups) == 1
    assert [act.action.partition(".")[2] for act in acts] == [
        "assign",
        "note",
        "snooze",
        "assign",
        "snooze",
        "snooze",
    ]


def newer(letter_id: int, *, operation: str = "contact.update", **payload: Any) -> SyncJob:
    """Have something newer of the same order succeed."""
    old = SyncJob.objects.get(letter=letter_id)
    contact = old.payload["contact_id"]
    SyncJob.objects.filter(pk=old.pk).update(ordering_key=f"contact:{contact}", writes=["first_name"])
    made = jobs.enqueue(operation, "loc-1", {"contact_id": contact, **payload}, now=NOW).job_id
    SyncJob.objects.filter(pk=made).update(state="succeeded", settled_at=NOW)
    return old


def test_what_was_overtaken_is_not_sent_but_superseded() -> None:
    [id] = dead_letters(1)
    old = newer(id, first_name="Ada", city="Bonn")
    assert preflight.of([letter()])[id].kind == "overtaken"
    assert letters.redrive([id], by=BY, now=LATER).superseded == {id}
    old.refresh_from_db()
    assert (letter().state, old.state, old.cause) == ("superseded", "superseded", "")


def test_what_was_overtaken_in_part_or_deleted_is_left_to_a_person() -> None:
    ids = dead_letters(2)
    partly = newer(ids[0], first_name="Ada")
    SyncJob.objects.filter(pk=partly.pk).update(writes=["first_name", "city"])
    gone = newer(ids[1], operation="contact.delete")
    SyncJob.objects.filter(pk=gone.pk).update(operation="note.create", writes=[])
    outcome = letters.redrive(ids, by=BY, now=LATER)
    assert "still wanted" in outcome.undecided[ids[0]]
    assert "deleted" in outcome.undecided[ids[1]]
    assert not SyncJob.objects.exclude(state__in=["dead", "succeeded"]).exists()


def test_staff_are_told_that_a_location_is_held(place: Location) -> None:
    [id] = dead_letters(1)
    assert preflight.of([letter()]) == {}
    Location.objects.update(state="paused", state_reason="Moving.")
    assert preflight.of([letter()])[id].kind == "held"


def test_a_webhooks_letter_is_processed_again_and_recovers(place: Location) -> None:
    webhook = dead_webhook(place)
    assert (letter().webhook, group().integration, group().subject) == (webhook, "webhook", "contact_create")
    assert letters.redrive([letter().pk], by=BY, now=LATER).done == {letter().pk}
    assert Webhook.objects.get().state == "waiting"
    # Whoever processed it need not have told.
    Webhook.objects.update(state="done", processed_at=LATER)
    assert letters.catch_up(now=LATER) == 1
    assert letters.catch_up(now=LATER) == 0
    assert (letter().state, group().state) == ("recovered", "resolved")


def test_an_erased_webhook_is_not_tried_again(place: Location) -> None:
    dead_webhook(place, body=b"")
    assert "erased" in letters.redrive([letter().pk], by=BY, now=LATER).refused[letter().pk]
    assert letter().state == "open"


def test_changed_data_is_sent_as_a_copy_that_the_letter_goes_with(acts: list[Act]) -> None:
    [id] = dead_letters(1)
    old = SyncJob.objects.get()
    SyncJob.objects.update(correlation_id="journey-1")
    payload = {"contact_id": "c-0", "first_name": "Ada", "city": "Bonn"}
    copy = changes.redrive_with_changes(id, payload, by=BY, reason="Name was wrong.", now=LATER)
    old.refresh_from_db()
    new = SyncJob.objects.get(pk=copy)
    assert (old.state, new.replaces, new.payload, new.correlation_id) == (
        "superseded",
        old,
        payload,
        "journey-1",
    )
    assert (letter().job_id, letter().state) == (copy, "redriving")
    assert acts[0].changes["fields"] == (None, "city, first_name")
    assert "Ada" not in str(acts)
    # It dies: the same letter opens. It recovers: the same letter ends.
    Destination(takes=lambda job: False).work(LATER)
    assert (letter().state, letter().deaths) == ("open", 2)
    letters.redrive([id], by=BY, now=LATER)
    destination = Destination()
    while destination.work(LATER):
        pass
    assert letter().state == "recovered"
    assert destination.sends == [copy]


def test_a_letter_recovers_when_its_copy_succeeds_at_once() -> None:
    [id] = dead_letters(1)
    payload = {"contact_id": "c-0", "first_name": "Ada"}
    changes.redrive_with_changes(id, payload, by=BY, reason="Wrong name.", now=LATER)
    Destination().work(LATER)
    assert (letter().state, group().state) == ("recovered", "resolved")


@pytest.mark.parametrize(
    ("payload", "code", "words"),
    [
        ({"contact_id": "c-9", "first_name": "Ada"}, "locked_field", "contact_id"),
        ({"contact_id": "c-0", "first_name": "Mira"}, "nothing_changed", "Redrive"),
        ({"contact_id": "c-0", "first_name": 7}, "invalid_payload", "first_name"),
        ({"first_name": "Ada"}, "invalid_payload", "contact_id"),
    ],
)
def test_changes_that_do_not_fit_are_refused_without_values(
    payload: dict[str, Any], code: str, words: str
) -> None:
    [id] = dead_letters(1)
    with pytest.raises(Refused) as refused:
        changes.redrive_with_changes(id, payload, by=BY, reason="Wrong.", now=LATER)
    assert refused.value.code == code
    assert words in str(refused.value)
    assert "Ada" not in str(refused.value)
    assert SyncJob.objects.count() == 1


def test_a_webhook_or_a_letter_that_is_not_open_is_not_changed(place: Location) -> None:
    webhook = dead_webhook(place)
    with pytest.raises(Refused, match="cannot be changed"):
        changes.redrive_with_changes(webhook.letter.pk, {}, by=BY, reason="x", now=LATER)
    [id] = dead_letters(1)
    letters.discard([id], "Spam.", by=BY, now=NOW)
    with pytest.raises(Refused, match="Restore it first"):
        changes.redrive_with_changes(id, {}, by=BY, reason="x", now=LATER)


def test_the_database_holds_the_letters_rules() -> None:
    [id] = dead_letters(1)
    wrong: list[dict[str, Any]] = [
        {"state": "lost"},
        {"state": "recovered"},
        {"state": "open", "resolved_at": NOW},
        {"state": "discarded", "resolved_at": NOW},
        {"job": None},
        {"deaths": 0},
    ]
    for fields in wrong:
        with pytest.raises(IntegrityError), transaction.atomic():
            DeadLetter.objects.filter(pk=id).update(**fields)
    with pytest.raises(IntegrityError), transaction.atomic():
        CauseGroup.objects.update(open=2)


def test_counters_follow_letters_that_are_removed() -> None:
    ids = dead_letters(3)
    letters.discard(ids[:1], "Spam.", by=BY, now=NOW)
    DeadLetter.objects.filter(pk__in=ids[:2]).delete()
    assert (group().open, group().discarded, group().total) == (1, 0, 1)


def test_open_letters_are_grouped_anew_when_fingerprints_change(monkeypatch: pytest.MonkeyPatch) -> None:
    nora = User.objects.create_user("nora", is_staff=True)
    ids = dead_letters(3)
    letters.discard(ids[:1], "Spam.", by=BY, now=NOW)
    groups.assign(group().pk, nora.pk, by=BY)
    groups.note(group().pk, "Known.", by=BY, now=NOW)
    assert regrouping.step(now=LATER) == 0
    monkeypatch.setattr(fingerprints, "VERSION", fingerprints.VERSION + 1)
    assert [regrouping.step(now=LATER, most=1) for _ in range(3)] == [1, 1, 0]
    old, new = CauseGroup.objects.order_by("version")
    assert (old.total, old.state, new.open, new.state) == (1, "resolved", 2, "open")
    assert (new.owner, new.first_seen_at, new.notes.get().words) == (nora, NOW, "Known.")
    assert old.notes.count() == 1


def test_every_code_has_words_that_say_what_to_do() -> None:
    for code in [*Code, "not_found", "cannot_tell", "bad_payload", "handler_error", "worker_lost", "new"]:
        for cause in ("refused", "exhausted", "check_by_hand"):
            said = explanations.explain(code, cause)
            assert said.words.endswith((".", ")."))
            assert said.next_step
            # Nobody tries a dead letter again but people.
            assert "by itself" not in said.next_step or "stops by itself" in said.next_step


def test_jobs_that_wait_are_retried_now_one_after_another(acts: list[Act]) -> None:
    slow = location("loc-2", burst=10)
    chosen = {"state": "waiting", "cause": "", "settled_at": None, "next_at": NOW + 6 * HOUR, "tries": 3}
    ids = dead_jobs(5, location_id=slow.pk)
    SyncJob.objects.update(**chosen)
    lookup, fresh, suspect = ids[:3]
    SyncJob.objects.filter(pk=lookup).update(is_lookup=True)
    SyncJob.objects.filter(pk=fresh).update(tries=0)
    SyncJob.objects.filter(pk=suspect).update(is_suspect=True)
    retried = retrying.retry_now(location_id=slow.pk, by=BY, now=NOW)
    assert (retried.jobs, retried.is_more) == (2, False)
    due = sorted(SyncJob.objects.filter(pk__in=ids[3:]).values_list("next_at", flat=True))
    # Ten requests in ten seconds; half of it.
    assert due == [NOW, NOW + timedelta(seconds=2)]
    assert [(act.action, act.target_id) for act in acts] == [("job.retry_now", "loc-2")]
    assert retrying.retry_now(code="status_503", by=BY, now=NOW).jobs == 0
    assert len(acts) == 1


def waiting(**fields: Any) -> SyncJob:
    [id] = dead_jobs(1)
    stand: dict[str, Any] = {
        "state": "waiting",
        "cause": "",
        "settled_at": None,
        "next_at": LATER,
        "tries": 4,
    }
    SyncJob.objects.filter(pk=id).update(**stand | fields)
    return SyncJob.objects.get(pk=id)


def test_one_job_that_waits_is_due_now_and_who_asked_for_it_is_told(acts: list[Act]) -> None:
    job, other = waiting(), waiting()
    assert retrying.retry_one(job.pk, by=BY, reason="It is back.", now=NOW).next_at == NOW
    job.refresh_from_db()
    other.refresh_from_db()
    assert (job.next_at, job.tries, other.next_at) == (NOW, 4, LATER)
    [act] = acts
    assert (act.action, act.target_kind, act.target_id) == ("job.retry_now", "sync.syncjob", str(job.pk))
    assert (act.actor, act.reason, act.changes) == (BY, "It is back.", {"next_at": (LATER, NOW)})


@pytest.mark.parametrize(
    ("fields", "code", "said"),
    [
        ({"is_lookup": True}, "is_lookup", "keeps its time"),
        ({"next_at": NOW}, "already_due", "due already"),
        ({"state": "leased"}, "not_waiting", "being tried at this moment"),
        ({"state": "succeeded", "settled_at": NOW}, "not_waiting", "is done"),
        ({"state": "superseded", "settled_at": NOW}, "not_waiting", "needless"),
        ({"state": "dead", "cause": "refused", "settled_at": NOW}, "not_waiting", "Redrive it there"),
    ],
)
def test_a_job_that_cannot_be_tried_now_says_why_and_stays_as_it_is(
    acts: list[Act], fields: dict[str, Any], code: str, said: str
) -> None:
    job = waiting(**fields)
    with pytest.raises(retrying.Refused, match=said) as refused:
        retrying.retry_one(job.pk, by=BY, now=NOW)
    assert refused.value.code == code
    assert SyncJob.objects.get().next_at == job.next_at
    assert acts == []


def test_a_job_that_is_not_there_or_a_reason_without_end_is_refused() -> None:
    with pytest.raises(retrying.Refused, match="no such job"):
        retrying.retry_one(uuid4(), by=BY, now=NOW)
    with pytest.raises(retrying.Refused, match="300 characters"):
        retrying.retry_one(waiting().pk, by=BY, reason="x" * 301, now=NOW)


def test_retrying_says_whether_more_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retrying, "MOST", 3)
    dead_jobs(5)
    SyncJob.objects.update(state="waiting", cause="", settled_at=None, next_at=NOW + 6 * HOUR)
    told = [retrying.retry_now(code="status_422", by=BY, now=NOW) for _ in range(2)]
    assert [one.is_more for one in told] == [True, False]
    assert told[0].jobs == 3
    assert not SyncJob.objects.filter(next_at__gt=NOW + timedelta(seconds=1)).exists()
    with pytest.raises(ValueError, match="a location or a code"):
        retrying.retry_now(by=BY, now=NOW)


def test_a_persons_id_is_found_and_erased_in_words_and_notes(place: Location) -> None:
    [id] = dead_letters(1, words="Contact nmFmQEsNgz6AVpgLVUJ0 is gone")
    letters.note(id, "See nmFmQEsNgz6AVpgLVUJ0", by=BY, now=NOW)
    found = {one.name: one.find("nmFmQEsNgz6AVpgLVUJ0") for one in personal.places()}
    assert found == {
        "dead_letters": 1,
        "discard_reasons": 0,
        "letter_notes": 1,
        "group_notes": 0,
        "saved_views": 0,
    }
    assert sum(one.erase("nmFmQEsNgz6AVpgLVUJ0") for one in personal.places()) == 2
    assert sum(one.find("nmFmQEsNgz6AVpgLVUJ0") for one in personal.places()) == 0
    assert letter().state == "open"


def test_lists_go_on_from_a_letter_and_ask_two_questions_at_most() -> None:
    first = dead_letters(3, at=NOW)
    last = dead_letters(2, at=LATER, code="status_400")
    with CaptureQueriesContext(connection) as asked:
        page = search.page(Chosen(), most=3)
        assert [one.group.code for one in page.letters] == ["status_400", "status_400", "status_422"]
    # Which, by their index; and these. Besides, the limit of time with the transaction around it.
    assert len([one for one in asked if "sync_deadletter" in one["sql"]]) == 2
    rest = search.page(Chosen(), older_than=page.older, most=3)
    assert [one.pk for one in [*page.letters, *rest.letters]] == [*reversed(last), *reversed(first)]
    assert rest.older is None
    assert [one.pk for one in search.page(Chosen(code="status_400")).letters] == list(reversed(last))
    assert search.page(Chosen(location_id="other")).letters == []
    assert search.page(Chosen(subject="contact.update", died_before=LATER), state="open").older is None
    assert search.find(uuid4().int % 10**9) is None


def test_superseded_by_erasure_a_discarded_letter_is_over_too() -> None:
    [id] = dead_letters(1)
    letters.discard([id], "Spam.", by=BY, now=NOW)
    letters.ended({letter().job_id: State.SUPERSEDED}, now=LATER)
    assert (letter().state, letter().discard_reason) == ("superseded", "")
