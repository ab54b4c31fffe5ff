"""Approved drafts through real lanes: sent by day, held at night, capped by the day, not where not wanted."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeout
from datetime import UTC, date, datetime, timedelta
from functools import partial
from typing import Any
from uuid import UUID

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from sync import kill_switch, personal, queue, signals
from sync.attempt import Ended
from sync.dead_letters import changes, letters
from sync.drafts import consent, deciding, delivery, departure
from sync.drafts.consent import Said
from sync.held_messages import deciding as holding
from sync.held_messages.chosen import Chosen
from sync.models import Breaker, Budget, DeadLetter, Draft, Location, SyncAttempt, SyncJob
from sync.signals import DraftSent
from tests.sync.drafts.approved import BOSS, TEXT, Desk, again
from tests.sync.working import NOW, Studio
from trainu.demo.ghl import Simulator

pytestmark = pytest.mark.usefixtures("transactional_db")

NEW_YORK = {"client": {"time_zone": "America/New_York"}}
# There it is eight in the morning, and nine in the evening.
MORNING, EVENING = datetime(2026, 11, 23, 13, tzinfo=UTC), datetime(2026, 11, 24, 2, tzinfo=UTC)


@pytest.fixture
def desk(transactional_db: None) -> Iterator[Desk]:
    with Simulator(seed=1, limits=False) as simulator:
        yield Desk(Studio(simulator))


@pytest.fixture
def sent() -> Iterator[list[DraftSent]]:
    told: list[DraftSent] = []

    def hear(sent: list[DraftSent], **_signal: Any) -> None:
        told.extend(sent)

    signals.drafts_sent.connect(hear)
    yield told
    signals.drafts_sent.disconnect(hear)


def delivered(desk: Desk) -> int:
    return sum(desk.studio.ghl.deliveries().values())


def refuses(desk: Desk, contact: str, *, may_be_sent: bool = False) -> None:
    source = consent.Source.MESSAGE
    consent.note([Said(contact, desk.studio.id, "sms", source, may_be_sent, desk.studio.clock.now)])


def test_an_approved_draft_is_sent_and_told_once(desk: Desk, sent: list[DraftSent]) -> None:
    contact = desk.studio.contact()
    one = desk.approved(contact)
    assert desk.studio.work() == 1
    one = again(one)
    assert (one.state, one.sent_at, one.ended_at, one.sent_on) == ("sent", NOW, NOW, date(2026, 11, 23))
    [told] = sent
    assert (told.draft_id, told.job_id, told.client_id) == (one.pk, one.job_id, "client-1")
    assert told.correlation_id == SyncJob.objects.get(pk=one.job_id).correlation_id == "journey-1"
    assert delivered(desk) == 1
    assert delivery.words(one) == ""


def test_what_is_approved_at_night_waits_for_the_clients_morning(desk: Desk) -> None:
    contact = desk.studio.contact()
    one = desk.approved(contact, context=NEW_YORK)
    assert (one.held_by, one.send_at) == ("quiet_hours", MORNING)
    assert "until Monday, 08:00 their time" in delivery.words(one, now=NOW)
    desk.at(MORNING - timedelta(seconds=1))
    assert desk.studio.work() == 0
    desk.at(MORNING)
    assert desk.studio.work() == 1
    assert again(one).state == "sent"


def test_what_came_due_by_day_and_is_claimed_at_night_goes_back_unsent_at_no_cost(desk: Desk) -> None:
    contact = desk.studio.contact()
    desk.at(MORNING)
    one = desk.approved(contact, context=NEW_YORK)
    desk.at(EVENING)
    requests = desk.studio.ghl.ledger.total()
    assert desk.studio.work() == 1
    one = again(one)
    assert one.job
    assert desk.studio.state(one.job.pk) == ("waiting", "quiet_hours", 0)
    assert one.job.next_at == one.send_at == MORNING + timedelta(days=1)
    assert (one.state, one.held_by, one.sent_on) == ("scheduled", "quiet_hours", None)
    attempt = SyncAttempt.objects.get(job_id=one.job.pk)
    assert (attempt.outcome, attempt.request) == ("deferred", None)
    # It is no limit of GoHighLevel's: the location goes on with everything else.
    assert (Budget.objects.get().held_until, Breaker.objects.get().state) == (None, "closed")
    assert desk.studio.ghl.ledger.total() == requests
    desk.at(MORNING + timedelta(days=1))
    desk.studio.work()
    assert (again(one).state, again(one).sent_on) == ("sent", date(2026, 11, 24))


def test_a_client_gets_three_a_day_by_their_calendar_over_all_their_contacts(desk: Desk) -> None:
    ada, other, grace = (desk.studio.contact(name) for name in ("ada", "adalbert", "grace"))
    desk.at(MORNING)
    contacts = [ada, other] * 2
    drafts = [desk.approved(one, context=NEW_YORK, text=f"{n}") for n, one in enumerate(contacts)]
    drafts.append(desk.approved(grace, client_id="client-2", text="Somebody else's"))
    desk.studio.work()
    states = [again(one).state for one in drafts]
    assert sorted(states) == ["scheduled", "sent", "sent", "sent", "sent"]
    late = again(drafts[states.index("scheduled")])
    assert (late.held_by, late.client_id) == ("daily_cap", "client-1")
    assert late.send_at == MORNING + timedelta(days=1)
    assert "3 messages today" in delivery.words(late, now=MORNING)
    assert desk.studio.state(late.job_id)[1:] == ("daily_cap", 0)  # type: ignore[arg-type]
    desk.at(MORNING + timedelta(days=1))
    desk.studio.work()
    assert again(late).state == "sent"


def test_what_is_in_another_hand_counts_and_what_was_not_sent_does_not(desk: Desk) -> None:
    contact, *others = (desk.studio.contact(f"ada{n * 'x'}") for n in range(4))
    drafts = [desk.approved(one) for one in others]
    jobs = queue.claim(now=desk.studio.clock.now, most=10)
    assert departure.held(jobs, now=NOW) == {}
    fourth = desk.approved(contact)
    desk.studio.work()
    assert again(fourth).held_by == "daily_cap"
    # One of them turns out not to have been sent, so the day has room for another; another may have been.
    ends = {
        one.job_id: delivery.End("dead", cause)
        for one, cause in zip(drafts, ("refused", "check_by_hand"), strict=False)
        if one.job_id
    }
    with transaction.atomic():
        delivery.ended(ends, now=NOW)
    assert [again(one).sent_on is None for one in drafts] == [True, False, False]
    SyncJob.objects.filter(pk=fourth.job_id).update(next_at=NOW)
    desk.studio.work()
    assert again(fourth).state == "sent"


def test_one_that_is_held_holds_up_no_other_of_its_contact(desk: Desk) -> None:
    contact = desk.studio.contact()
    held = desk.approved(contact, context=NEW_YORK)
    assert (held.held_by, held.send_at) == ("quiet_hours", MORNING)
    other = desk.approved(contact, text="See you at ten.")
    desk.studio.work()
    assert (again(held).state, again(other).state, delivered(desk)) == ("scheduled", "sent", 1)


def test_of_two_of_one_contact_in_one_batch_the_cap_lets_one_by(desk: Desk, settings: Any) -> None:
    settings.MESSAGES_A_DAY = 1
    contact = desk.studio.contact()
    for text in ("One", "Two"):
        desk.approved(contact, text=text)
    batch = queue.claim(now=NOW, most=10)
    assert len(batch) == 2
    [held] = departure.held(batch, now=NOW).values()
    assert held.verdict
    assert held.verdict.code == "daily_cap"


@pytest.mark.parametrize("names", [("ada", "grace"), ("ada", "ada")], ids=["two contacts", "one contact"])
def test_two_lanes_do_not_let_by_more_for_one_client(
    desk: Desk, settings: Any, names: tuple[str, str]
) -> None:
    settings.MESSAGES_A_DAY = 1
    contacts = {name: desk.studio.contact(name) for name in names}
    for name in names:
        desk.approved(contacts[name])
    first, second = queue.claim(now=NOW, most=10)

    def look() -> dict[UUID, Ended]:
        try:
            return departure.held([second], now=NOW)
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            assert departure.held([first], now=NOW) == {}
            later = pool.submit(look)
            with pytest.raises(FutureTimeout):
                later.result(timeout=0.3)
        assert set(later.result(timeout=10)) == {second.id}


def test_whoever_wrote_stop_since_gets_nothing_and_it_is_a_dead_letter_that_says_so(desk: Desk) -> None:
    contact = desk.studio.contact()
    one = desk.approved(contact, context=NEW_YORK)
    refuses(desk, contact)
    desk.at(MORNING)
    desk.studio.work()
    one = again(one)
    letter = DeadLetter.objects.get()
    assert (one.state, letter.job_id, letter.code) == ("undelivered", one.job_id, "opted_out")
    assert delivered(desk) == 0
    assert "do not want" not in delivery.words(one)
    assert "does not want such messages" in delivery.words(one)
    # Once they want messages again it goes at once, for nothing was ever sent that would be looked for.
    desk.studio.clock.advance(seconds=1)
    refuses(desk, contact, may_be_sent=True)
    letters.redrive([letter.pk], by=BOSS, now=desk.studio.clock.now, look_first=True)
    assert "tried again" in delivery.words(again(one))
    desk.studio.work()
    assert again(one).state == "sent"
    assert delivered(desk) == 1
    letter.refresh_from_db()
    assert letter.state == "recovered"


def test_a_redrive_asks_for_consent_too(desk: Desk) -> None:
    contact = desk.studio.contact()
    one = desk.approved(contact)
    desk.studio.ghl.fail("400", count=1)
    desk.studio.work()
    refuses(desk, contact)
    letters.redrive([DeadLetter.objects.get().pk], by=BOSS, now=NOW, look_first=False)
    desk.studio.work()
    assert (again(one).state, DeadLetter.objects.get().code, delivered(desk)) == (
        "undelivered",
        "opted_out",
        0,
    )


def test_a_redrive_waits_for_the_morning_too(desk: Desk) -> None:
    contact = desk.studio.contact()
    desk.at(MORNING)
    one = desk.approved(contact, context=NEW_YORK)
    desk.studio.ghl.fail("400", count=1)
    desk.studio.work()
    assert (again(one).state, again(one).sent_on) == ("undelivered", None)
    desk.at(EVENING)
    letters.redrive([DeadLetter.objects.get().pk], by=BOSS, now=EVENING, look_first=False)
    desk.studio.work()
    assert again(one).job.code == "quiet_hours"  # type: ignore[union-attr]
    desk.at(MORNING + timedelta(days=1))
    desk.studio.work()
    assert (again(one).state, delivered(desk)) == ("sent", 1)


def test_what_was_dismissed_after_it_failed_is_not_sent_by_a_redrive(desk: Desk) -> None:
    one = desk.approved(desk.studio.contact())
    desk.studio.ghl.fail("400", count=1)
    desk.studio.work()
    deciding.dismiss(one.pk, reason="Called them instead", by=BOSS, now=NOW)
    letter = DeadLetter.objects.get()
    letters.redrive([letter.pk], by=BOSS, now=NOW, look_first=False)
    desk.studio.work()
    letter.refresh_from_db()
    job = SyncJob.objects.get(pk=one.job_id)
    assert (job.state, job.code, letter.state) == ("superseded", "dismissed", "superseded")
    assert (again(one).state, delivered(desk)) == ("dismissed", 0)


def test_a_letter_redriven_with_another_text_takes_its_draft_along(desk: Desk) -> None:
    one = desk.approved(desk.studio.contact())
    desk.studio.ghl.fail("400", count=1)
    desk.studio.work()
    letter = DeadLetter.objects.get()
    payload = again(one).job.payload | {"message": "Shorter."}  # type: ignore[union-attr]
    copy = changes.redrive_with_changes(letter.pk, payload, by=BOSS, reason="Too long", now=NOW)
    assert (again(one).job_id, again(one).text, again(one).edited) == (copy, "Shorter.", True)
    desk.studio.work()
    assert (again(one).state, delivered(desk)) == ("sent", 1)


def test_what_is_discarded_while_the_kill_switch_holds_it_is_undelivered(desk: Desk) -> None:
    one = desk.approved(desk.studio.contact())
    kill_switch.turn_on("A test", by=BOSS, now=NOW)
    assert desk.studio.work() == 0
    assert delivery.words(one, now=NOW, stopped_since=NOW) == delivery.STOPPED
    holding.discard(Chosen(), most=10, reason="Not now", by=BOSS, now=NOW)
    one = again(one)
    assert one.state == "undelivered"
    assert (
        delivery.words(one) == "It could not be sent. Somebody discarded it while all messages were stopped."
    )


def test_a_trainer_is_told_in_plain_words_what_stops_a_message_or_did() -> None:
    job = SyncJob(state="waiting", code="kill_switch", next_at=NOW)
    one = Draft(state="scheduled", job=job, location=Location(pk="l"))
    told = partial(delivery.words, one, now=NOW)
    # It was held, then the switch was turned off; and it is on, and this one was let go.
    assert told() == "It is on its way."
    job.released_at = NOW
    assert told(stopped_since=NOW) == "It is on its way."
    job.released_at = NOW - timedelta(seconds=1)
    assert told(stopped_since=NOW) == delivery.STOPPED
    job.is_lookup = True
    assert "looked up" in told(stopped_since=NOW)
    job.state, one.state = "dead", "undelivered"
    for code, why in (
        ("target_gone", "This client is no longer in GoHighLevel. Tell support."),
        ("unauthorized", "The studio's connection with GoHighLevel is broken. Support has to mend it."),
    ):
        job.code = code
        assert told() == f"It could not be sent. {why}"
    job.cause = "check_by_hand"
    assert told().startswith("Nobody can tell whether it was sent.")


def test_a_draft_whose_client_is_erased_is_not_sent_any_more(desk: Desk) -> None:
    contact = desk.studio.contact()
    one = desk.approved(contact)
    with transaction.atomic():
        personal.erase(contact)
    assert desk.studio.work() == 0
    one = again(one)
    assert (one.state, one.dismissed_reason) == ("dismissed", delivery.NOT_SENT_ANY_MORE)


def test_messages_that_no_draft_has_cost_one_question_a_batch_and_others_none(desk: Desk) -> None:
    contact = desk.studio.contact()
    for number in range(5):
        message = {"channel": "SMS", "contact_id": contact, "message": f"{number}"}
        desk.studio.enqueue("message.send", message, ordering_key=f"x:{number}")
    jobs = queue.claim(now=NOW, most=10)
    assert len(jobs) == 5
    with CaptureQueriesContext(connection) as queries:
        assert departure.held(jobs, now=NOW) == {}
    assert len(queries) == 1
    with CaptureQueriesContext(connection) as queries:
        assert departure.held([], now=NOW) == {}
    assert len(queries) == 0


def test_a_draft_that_cannot_be_looked_at_is_held_and_takes_no_other_with_it(
    desk: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    contacts = [desk.studio.contact(name) for name in ("ada", "grace")]
    broken, fine = (desk.approved(contact) for contact in contacts)
    # It stands for whatever we have not thought of.
    with connection.cursor() as cursor:
        cursor.execute(
            "create function fails() returns trigger language plpgsql as 'begin raise exception ''no''; end';"
            "create trigger fails before update on sync_draft for each row"
            f" when (old.id = '{broken.pk}') execute function fails()"
        )
    try:
        desk.studio.work()
    finally:
        with connection.cursor() as cursor:
            cursor.execute("drop trigger fails on sync_draft; drop function fails")
    assert (again(broken).state, again(fine).state) == ("scheduled", "sent")
    assert desk.studio.state(again(broken).job_id) == ("waiting", "client_error", 0)  # type: ignore[arg-type]
    assert TEXT not in caplog.text
    desk.studio.clock.advance(minutes=2)
    desk.studio.work()
    assert again(broken).state == "sent"


def test_nothing_of_a_draft_is_kept_by_the_cap_that_was_recalled(desk: Desk) -> None:
    one = desk.approved(desk.studio.contact(), context=NEW_YORK)
    Draft.objects.filter(pk=one.pk).update(sent_on=NOW.date())
    deciding.recall(one.pk, by=BOSS, now=NOW)
    assert again(one).sent_on is None
