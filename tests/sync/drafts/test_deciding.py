"""What a person decides about a draft: each verb, in which states, audited, and once where two do it."""

import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.db import connection

from observability.models import AuditEntry
from sync import signals
from sync.drafts import consent, deciding
from sync.drafts.consent import Said
from sync.drafts.deciding import Chosen, Refused, Text
from sync.drafts.states import ACTS, Act
from sync.models import Draft, Location, SyncJob
from sync.signals import DraftApproved
from tests.sync.drafts.approved import BOSS, TEXT, again, draft
from tests.sync.working import NOW

MINUTE = timedelta(minutes=1)
EMAIL = {"channel": "email", "subject": "Tuesday", "written_subject": "Tuesday"}
EVENING = {"client": {"time_zone": "Asia/Tokyo"}}
VERBS: dict[Act, Callable[[UUID], Draft]] = {
    Act.APPROVE: lambda id: deciding.approve(id, by=BOSS, now=NOW),
    Act.REGENERATE: lambda id: deciding.regenerate(id, hint="shorter", by=BOSS, now=NOW),
    Act.RETRY: lambda id: deciding.retry(id, by=BOSS, now=NOW),
    Act.SNOOZE: lambda id: deciding.snooze(id, length="4h", by=BOSS, now=NOW),
    Act.WAKE: lambda id: deciding.wake(id, by=BOSS),
    Act.DISMISS: lambda id: deciding.dismiss(id, reason="Not now", by=BOSS, now=NOW),
    Act.RECALL: lambda id: deciding.recall(id, by=BOSS, now=NOW),
}


def location() -> Location:
    return Location.objects.create(pk="loc-1", name="Studio", created_at=NOW)


@pytest.fixture
def studio(db: None) -> Location:
    return location()


@pytest.fixture
def approved() -> Iterator[list[DraftApproved]]:
    told: list[DraftApproved] = []

    def hear(approved: list[DraftApproved], **_signal: Any) -> None:
        told.extend(approved)

    signals.drafts_approved.connect(hear)
    yield told
    signals.drafts_approved.disconnect(hear)


def standing(state: str, **overrides: Any) -> Draft:
    """Write a draft in a state, with what the database wants it to have there."""
    given: dict[str, Any] = {"state": state, "code": "timeout" if state == "failed" else ""}
    if state in {"scheduled", "sent", "undelivered"}:
        given |= {"approved_at": NOW, "approved_by": BOSS}
    if state in {"sent", "dismissed"}:
        given |= {"ended_at": NOW, "sent_at": NOW}
    return draft(**(given | overrides))


def refusal(verb: Callable[[], object]) -> str:
    with pytest.raises(Refused) as refused:
        verb()
    return refused.value.code


def entries() -> list[tuple[str, str, str, str]]:
    found = AuditEntry.objects.order_by("recorded_at", "id")
    return list(found.values_list("action", "actor_id", "target_id", "reason"))


def job_of(one: Draft) -> SyncJob:
    return SyncJob.objects.get(pk=one.job_id)


# --- approving -----------------------------------------------------------------------------------


def test_an_approved_draft_is_a_job_of_its_story_and_is_told(
    studio: Location, approved: list[DraftApproved]
) -> None:
    one = deciding.approve(draft().pk, by=BOSS, now=NOW)
    job = job_of(one)
    assert job.payload == {"channel": "SMS", "contact_id": "c-1", "message": TEXT}
    assert (job.correlation_id, job.ordering_key, job.next_at) == ("journey-1", f"draft:{one.pk}", NOW)
    assert (one.state, one.approvals, one.approved_by, one.edited) == ("scheduled", 1, BOSS, False)
    assert [(told.draft_id, told.approval, told.edited) for told in approved] == [(one.pk, 1, False)]
    assert entries() == [("draft.approve", BOSS, str(one.pk), "")]
    assert TEXT not in str(AuditEntry.objects.values_list("changes"))


def test_a_changed_text_is_sent_and_what_the_model_wrote_is_kept(studio: Location) -> None:
    one = draft(**EMAIL, snoozed_until=NOW + MINUTE)
    deciding.approve(one.pk, by=BOSS, now=NOW, changed=Text("  Shorter.\n", "Your\n next  hour"))
    one = again(one)
    assert job_of(one).payload == {
        "channel": "Email",
        "contact_id": "c-1",
        "subject": "Your next hour",
        "message": "Shorter.",
    }
    assert (one.text, one.written_text, one.edited, one.snoozed_until) == ("Shorter.", TEXT, True, None)


def test_blanks_around_it_and_the_subject_of_an_sms_are_no_change(studio: Location) -> None:
    one = deciding.approve(
        draft(written_text=f"{TEXT}\n").pk, by=BOSS, now=NOW, changed=Text(f" {TEXT}", "Hello")
    )
    assert (one.edited, one.subject) == (False, "")


@pytest.mark.parametrize(
    ("overrides", "changed", "code"),
    [
        ({}, Text(" "), "empty"),
        (EMAIL, Text("Hello", " "), "empty"),
        ({}, Text("x" * 1601), "too_long"),
        (EMAIL, Text("x" * 5001, "Hello"), "too_long"),
        (EMAIL, Text("Hello", "x" * 201), "too_long"),
        ({}, Text("Hello {{ first_name }}"), "placeholder_left"),
        (EMAIL, Text("Hello", "{{ name }}"), "placeholder_left"),
        # What the operation itself refuses.
        ({}, Text("Hello\x00"), "invalid_payload"),
        ({"text": ""}, None, "empty"),
    ],
)
def test_what_cannot_be_sent_is_refused_and_changes_nothing(
    studio: Location, overrides: dict[str, Any], changed: Text | None, code: str
) -> None:
    one = draft(**overrides)
    assert refusal(lambda: deciding.approve(one.pk, by=BOSS, now=NOW, changed=changed)) == code
    assert (again(one).state, again(one).approvals, SyncJob.objects.count(), entries()) == (
        "review",
        0,
        0,
        [],
    )


def test_whoever_does_not_want_messages_is_not_approved_for(studio: Location) -> None:
    consent.note([Said("c-1", "loc-1", "sms", consent.Source.DND, may_be_sent=False, at=NOW)])
    one, other = draft(), draft(**EMAIL)
    assert refusal(lambda: deciding.approve(one.pk, by=BOSS, now=NOW)) == "opted_out"
    assert deciding.approve(other.pk, by=BOSS, now=NOW).state == "scheduled"


def test_a_stale_draft_asks_again_with_what_the_client_did_last(studio: Location) -> None:
    acted = NOW + MINUTE
    one = draft(based_at=NOW, client_acted_at=acted, client_act="wrote")
    for seen in (None, NOW):
        assert refusal(lambda: deciding.approve(one.pk, by=BOSS, now=NOW, seen_act_at=seen)) == "stale"  # noqa: B023
    assert deciding.approve(one.pk, by=BOSS, now=NOW, seen_act_at=acted).state == "scheduled"


def test_many_are_approved_each_for_itself(studio: Location) -> None:
    fine, empty, stale = draft(), draft(text=""), draft(client_acted_at=NOW + MINUTE, client_act="booked")
    gone = uuid4()
    chosen = [Chosen(one) for one in (fine.pk, empty.pk, gone, stale.pk, fine.pk)]
    outcomes = deciding.approve_many(chosen, by=BOSS, now=NOW)
    assert [one.code for one in outcomes] == ["", "empty", "unknown_draft", "stale", "wrong_state"]
    assert all(one.words for one in outcomes if one.code)
    assert SyncJob.objects.count() == 1
    assert refusal(lambda: deciding.approve_many(chosen * 11, by=BOSS, now=NOW)) == "too_many"


def test_without_an_audit_entry_nothing_is_approved(transactional_db: None) -> None:
    location()
    one = draft()

    def fails(**_signal: Any) -> None:
        raise OSError

    signals.acted.connect(fails)
    try:
        with pytest.raises(OSError):  # noqa: PT011
            deciding.approve(one.pk, by=BOSS, now=NOW)
    finally:
        signals.acted.disconnect(fails)
    assert (again(one).state, SyncJob.objects.count()) == ("review", 0)


# --- the other verbs -----------------------------------------------------------------------------


@pytest.mark.parametrize("state", Draft.State.values)
@pytest.mark.parametrize("act", list(Act))
def test_every_act_in_every_state(studio: Location, act: Act, state: str) -> None:
    one = standing(state)
    froms, to = ACTS[act]
    if state not in froms:
        assert refusal(lambda: VERBS[act](one.pk)) == "wrong_state"
        assert (again(one).state, entries()) == (state, [])
    elif act is Act.RECALL:
        # Without a job there is nothing to take back.
        assert refusal(lambda: VERBS[act](one.pk)) == "already_going"
    else:
        VERBS[act](one.pk)
        assert again(one).state == (to or state)
        assert [entry[:3] for entry in entries()] == [(f"draft.{act.value}", BOSS, str(one.pk))]


def test_an_approval_is_taken_back_and_given_anew_as_another_job(studio: Location) -> None:
    one = deciding.approve(draft(context=EVENING).pk, by=BOSS, now=NOW)
    first = job_of(one)
    back = deciding.recall(one.pk, by="staff:2", now=NOW + MINUTE)
    assert (back.state, back.job_id, back.held_by, back.send_at) == ("review", None, "", None)
    assert (again(one).approved_by, again(one).approved_at) == ("", None)
    first.refresh_from_db()
    assert (first.state, first.code, first.settled_at) == ("superseded", "recalled", NOW + MINUTE)
    second = job_of(deciding.approve(one.pk, by=BOSS, now=NOW + MINUTE))
    assert second.pk != first.pk
    assert [entry[:2] for entry in entries()] == [
        ("draft.approve", BOSS),
        ("draft.recall", "staff:2"),
        ("draft.approve", BOSS),
    ]


def test_a_draft_is_written_anew_with_a_hint_and_keeps_its_text_until_then(studio: Location) -> None:
    one = standing("review", round=1, tries=2, snoozed_until=NOW)
    deciding.regenerate(one.pk, hint="  shorter,\n please" + "!" * 400, by=BOSS, now=NOW + MINUTE)
    one = again(one)
    assert (one.state, one.round, one.tries, one.next_at) == ("waiting", 2, 0, NOW + MINUTE)
    assert (one.text, one.hint[:16], len(one.hint), one.snoozed_until) == (
        TEXT,
        "shorter, please!",
        300,
        None,
    )


def test_a_failed_one_is_tried_again_from_the_start(studio: Location) -> None:
    one = standing("failed", tries=3)
    deciding.retry(one.pk, by=BOSS, now=NOW + MINUTE)
    one = again(one)
    assert (one.state, one.round, one.tries, one.code, one.next_at) == ("waiting", 2, 0, "", NOW + MINUTE)


@pytest.mark.parametrize(("length", "hours"), [("1h", 1), ("4h", 4), ("24h", 24), ("3d", 72)])
def test_a_snoozed_one_comes_back_by_itself_or_is_woken(studio: Location, length: str, hours: int) -> None:
    one = standing("failed")
    deciding.snooze(one.pk, length=length, by=BOSS, now=NOW)
    assert (again(one).snoozed_until, again(one).state) == (NOW + timedelta(hours=hours), "failed")
    assert entries()[-1][3] == length
    deciding.wake(one.pk, by=BOSS)
    assert again(one).snoozed_until is None


def test_what_is_refused_for_what_was_said(studio: Location) -> None:
    one = draft()
    assert refusal(lambda: deciding.snooze(one.pk, length="2h", by=BOSS, now=NOW)) == "unknown_length"
    assert refusal(lambda: deciding.dismiss(one.pk, reason=" \n", by=BOSS, now=NOW)) == "no_reason"
    gone = deciding.dismiss(one.pk, reason=" Called\n them ", by=BOSS, now=NOW)
    assert (gone.dismissed_reason, gone.ended_at) == ("Called them", NOW)
    # It may be personal, and nothing in the audit log can be erased.
    assert entries()[-1] == ("draft.dismiss", BOSS, str(one.pk), "")
    assert "Called" not in str(list(AuditEntry.objects.values()))


# --- two at once ---------------------------------------------------------------------------------


def at_once(*verbs: Callable[[], object]) -> list[str]:
    """Do several things at the same moment; return what each came to: a refusal's code, or nothing."""
    barrier = threading.Barrier(len(verbs))
    codes = [""] * len(verbs)

    def run(place: int, verb: Callable[[], object]) -> None:
        try:
            barrier.wait(timeout=10)
            verb()
        except Refused as refused:
            codes[place] = refused.code
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=one) for one in enumerate(verbs)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)
    return codes


def test_two_who_approve_at_once_send_one_message(transactional_db: None) -> None:
    location()
    for _ in range(3):
        one = draft()
        codes = at_once(*[lambda id=one.pk: deciding.approve(id, by=BOSS, now=NOW)] * 3)  # type: ignore[misc]
        assert sorted(codes) == ["", "wrong_state", "wrong_state"]
        assert (again(one).approvals, again(one).state) == (1, "scheduled")
    assert SyncJob.objects.count() == 3


def test_approving_and_dismissing_at_once_comes_to_one_of_both(transactional_db: None) -> None:
    location()
    for number in range(4):
        one = draft()
        codes = at_once(
            lambda id=one.pk: deciding.approve(id, by=BOSS, now=NOW),  # type: ignore[misc]
            lambda id=one.pk: deciding.dismiss(id, reason="No", by=BOSS, now=NOW),  # type: ignore[misc]
        )
        assert sorted(codes) == ["", "wrong_state"], number
        has_job = again(one).job_id is not None
        assert (again(one).state, has_job) == (("scheduled", True) if not codes[0] else ("dismissed", False))
