"""Stored webhooks reach the mirror once each, whatever fails, whoever dies, in whatever order they came."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
from django.db import Error, connection, transaction
from pydantic import SecretStr
from pytest_django.live_server_helper import LiveServer

from sync import backoff, credentials, signals
from sync.mirror.seen import Status
from sync.models import AppointmentState, ContactState, DeadLetter, Location, Webhook
from sync.signals import BookingChanged, LeadAppeared, Trouble
from sync.webhooks import intake, processing, queue, reading, workflow
from sync.webhooks.reading import Unreadable
from tests.sync.webhooks import LOCATION, NOW, SIGNER, appointment, contact, number, signed
from tests.sync.webhooks import workflow as posted
from trainu import correlation
from trainu.demo.ghl import Simulator

MINUTE = timedelta(minutes=1)


@pytest.fixture(autouse=True)
def _key(settings: Any) -> None:
    settings.GHL_WEBHOOK_KEYS = [SIGNER.public_pem]
    settings.GHL_APP_ID = ""


@pytest.fixture
def location(db: None) -> Location:
    return Location.objects.create(pk=LOCATION, name="Studio", timezone="Europe/Berlin", created_at=NOW)


@pytest.fixture
def leads() -> Iterator[list[LeadAppeared]]:
    told: list[LeadAppeared] = []

    def hear(leads: list[LeadAppeared], **_signal: Any) -> None:
        told.extend(leads)

    signals.leads_appeared.connect(hear)
    yield told
    signals.leads_appeared.disconnect(hear)


@pytest.fixture
def bookings() -> Iterator[list[BookingChanged]]:
    told: list[BookingChanged] = []

    def hear(bookings: list[BookingChanged], **_signal: Any) -> None:
        told.extend(bookings)

    signals.bookings_changed.connect(hear)
    yield told
    signals.bookings_changed.disconnect(hear)


def stored(document: Any, *, now: datetime = NOW, correlation_id: str = "journey-1234") -> Webhook:
    """Take a webhook in through the door, and return its row."""
    raw, headers = signed(document)
    with correlation.bound(correlation_id):
        assert intake.accept(raw, headers, now=now).stored
    return Webhook.objects.latest("pk")


def work(now: datetime = NOW) -> None:
    while processing.work(now=now):
        pass


def again(webhook: Webhook) -> Webhook:
    webhook.refresh_from_db()
    return webhook


# --- reading -----------------------------------------------------------------------------------


def read(document: dict[str, Any]) -> reading.Reading:
    row = Webhook(
        kind="workflow" if "calendar" in document else "marketplace",
        topic=intake.envelope.topic_of(document.get("type")),
        location_id=LOCATION,
        received_at=NOW,
        correlation_id="journey-1234",
    )
    return reading.read(row, document, timezone="Europe/Berlin")


def test_of_a_contact_ids_and_moments_are_read_and_no_name() -> None:
    [seen] = read(contact()).contacts
    assert (seen.location_id, seen.contact_id) == (LOCATION, "nmFmQEsNgz6AVpgLVUJ0")
    assert seen.added_at == datetime(2026, 11, 23, 11, 58, 0, 193_000, UTC)
    assert seen.updated_at == datetime(2026, 11, 23, 11, 59, tzinfo=UTC)
    assert (seen.is_deleted, seen.lead_source, seen.source) == (False, "trial_form", "webhook")
    assert (seen.seen_at, seen.correlation_id) == (NOW, "journey-1234")
    assert "Mira" not in repr(seen)
    assert "example.org" not in repr(seen)
    [gone] = read(contact(type="ContactDelete")).contacts
    assert gone.is_deleted


def test_of_an_appointment_moments_are_instants_whatever_their_offset() -> None:
    [seen] = read(appointment()).appointments
    assert (seen.appointment_id, seen.contact_id) == ("0007BWpSzSwfiuSl0tR2", "9NkT25Vor1v4aQatFsv2")
    assert (seen.calendar_id, seen.assigned_user_id) == ("BqTwX8QFwXzpegMve9EQ", "YlWd2wuCAZQzh2cH1fVZ")
    assert (seen.starts_at, seen.ends_at) == (
        datetime(2026, 12, 1, 10, 30, tzinfo=UTC),
        datetime(2026, 12, 1, 11, 30, tzinfo=UTC),
    )
    assert (seen.added_at, seen.updated_at) == (
        datetime(2026, 11, 23, 11, 30, tzinfo=UTC),
        datetime(2026, 11, 23, 11, 35, tzinfo=UTC),
    )
    assert (seen.status, seen.booked_by, seen.is_deleted) == (Status.CONFIRMED, "booking_widget", False)
    [gone] = read(appointment(type="AppointmentDelete")).appointments
    assert gone.is_deleted
    # Without a moment of its own it has the webhook's, and a time without an offset is the location's.
    [zoneless] = read(appointment(dateUpdated=None, startTime="2026-12-01 09:00:00")).appointments
    assert zoneless.updated_at == datetime(2026, 11, 23, 11, 59, tzinfo=UTC)
    assert zoneless.starts_at == datetime(2026, 12, 1, 8, tzinfo=UTC)
    [unsaid] = read(appointment(startTime="soon", endTime=None, contactId=7, source="x" * 99)).appointments
    assert (unsaid.starts_at, unsaid.ends_at, unsaid.contact_id, unsaid.booked_by) == (None, None, "", None)


@pytest.mark.parametrize("nesting", ["appointment", "data", ""])
def test_an_appointment_is_found_wherever_it_is_nested(nesting: str) -> None:
    document = appointment()
    about = document.pop("appointment")
    document = document | ({nesting: about} if nesting else about)
    [seen] = read(document).appointments
    assert (seen.appointment_id, seen.status) == ("0007BWpSzSwfiuSl0tR2", Status.CONFIRMED)


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ("new", Status.NEW),
        ("booked", Status.NEW),
        ("Confirmed", Status.CONFIRMED),
        ("active", Status.ACTIVE),
        ("cancelled", Status.CANCELED),
        ("canceled", Status.CANCELED),
        ("invalid", Status.INVALID),
        ("noshow", Status.NO_SHOW),
        ("no_show", Status.NO_SHOW),
        ("no-show", Status.NO_SHOW),
        ("No Show", Status.NO_SHOW),
        ("showed", Status.SHOWED),
        ("completed", Status.COMPLETED),
        ("rebooked by owner", Status.UNKNOWN),
        ("", Status.UNKNOWN),
        (None, Status.UNKNOWN),
        (["confirmed"], Status.UNKNOWN),
    ],
)
def test_a_status_is_understood_however_it_is_spelled(theirs: Any, ours: Status) -> None:
    assert reading.status_of(theirs) is ours


def test_a_workflow_says_its_status_misspelled_and_its_times_without_offset() -> None:
    seen = read(posted())
    [person], [booking] = seen.contacts, seen.appointments
    assert (person.contact_id, person.lead_source) == ("9NkT25Vor1v4aQatFsv2", "calendar")
    assert person.added_at == datetime(2026, 11, 20, 9, tzinfo=UTC)
    assert (booking.appointment_id, booking.contact_id) == ("0007BWpSzSwfiuSl0tR2", person.contact_id)
    assert (booking.status, booking.calendar_id) == (Status.CANCELED, "BqTwX8QFwXzpegMve9EQ")
    assert booking.starts_at == datetime(2026, 12, 1, 15, tzinfo=UTC)
    assert (booking.updated_at, person.updated_at) == (None, None), "nobody has said when it came to that"
    calendar = {"appointmentId": "a1", "startTime": "2026-12-01T16:00:00", "selectedTimezone": "../x"}
    [unsaid] = read(posted(calendar=calendar)).appointments
    assert (unsaid.status, unsaid.starts_at) == (Status.UNKNOWN, datetime(2026, 12, 1, 15, tzinfo=UTC))


@pytest.mark.parametrize(
    "source", ["referred by mira.stone@example.org", "call 02079460958", "x" * 41, "a b c d e", "…", 7, None]
)
def test_a_source_that_may_be_about_a_person_is_no_word(source: Any) -> None:
    [seen] = read(contact(source=source)).contacts
    assert seen.lead_source is None


@pytest.mark.parametrize("document", [contact(id=""), appointment(id=None), contact(id={"a": 1})])
def test_what_names_nothing_cannot_be_read(document: dict[str, Any]) -> None:
    with pytest.raises(Unreadable):
        read(document)


# --- working off -------------------------------------------------------------------------------


def test_a_contact_becomes_a_lead_under_the_webhooks_own_correlation_id(
    location: Location, leads: list[LeadAppeared]
) -> None:
    webhook = stored(contact())
    later = NOW + MINUTE
    in_hand: list[str] = []

    def listen(**_signal: Any) -> None:
        in_hand.append(correlation.current())

    signals.leads_appeared.connect(listen)
    with correlation.bound("lane-of-the-tests"):
        work(later)
    signals.leads_appeared.disconnect(listen)
    assert in_hand == ["journey-1234"], "what is logged and told meanwhile belongs to the webhook"
    assert (again(webhook).state, webhook.tries, webhook.processed_at) == ("done", 1, later)
    assert [(one.contact_id, one.correlation_id, one.source) for one in leads] == [
        ("nmFmQEsNgz6AVpgLVUJ0", "journey-1234", "trial_form")
    ]


def test_an_appointment_becomes_a_booking(location: Location, bookings: list[BookingChanged]) -> None:
    stored(appointment())
    work()
    assert [one.change for one in bookings] == ["scheduled", "confirmed"]
    assert {one.correlation_id for one in bookings} == {"journey-1234"}


def test_a_workflows_webhook_reaches_the_mirror_too(location: Location) -> None:
    path = workflow.issue_address(location, now=NOW).path
    raw, _ = signed(posted())
    workflow.accept(raw, path.rpartition("/")[2], now=NOW)
    work()
    assert Webhook.objects.get().state == "done"
    assert AppointmentState.objects.get().status == "canceled"
    assert ContactState.objects.get().contact_id == "9NkT25Vor1v4aQatFsv2"


@pytest.mark.parametrize(
    ("document", "code"),
    [
        ({"type": "InboundMessage", "locationId": LOCATION, "messageType": "CALL"}, "not_used"),
        ({"type": "LocationUpdate", "id": LOCATION}, "not_used"),
        ({"type": "SomethingNew", "locationId": LOCATION}, "not_used"),
        ({"type": "INSTALL", "companyId": "c-1"}, "no_location"),
    ],
)
def test_what_the_mirror_has_no_use_for_is_ignored_with_a_reason(
    location: Location, document: dict[str, Any], code: str
) -> None:
    webhook = stored(document)
    work()
    assert (again(webhook).state, webhook.code) == ("ignored", code)


def test_a_batch_is_bounded_and_nothing_is_taken_before_its_time(location: Location) -> None:
    for count in range(5):
        stored(contact(number(count)))
    Webhook.objects.filter(dedupe_key=number(4)).update(next_at=NOW + MINUTE)
    assert processing.work(now=NOW, most=3)
    assert Counter(Webhook.objects.values_list("state", flat=True)) == {"done": 3, "waiting": 2}
    assert not processing.work(now=NOW, most=3)
    assert Webhook.objects.get(state="waiting").dedupe_key == number(4)


def test_one_webhook_is_in_one_hand(location: Location) -> None:
    for count in range(6):
        stored(contact(number(count)))
    hands = [{one.id for one in queue.claim(now=NOW, most=4)} for _ in range(3)]
    assert [len(hand) for hand in hands] == [4, 2, 0]
    assert not hands[0] & hands[1]


def test_nobody_waits_for_what_another_is_claiming(transactional_db: None, location: Location) -> None:
    for count in range(4):
        stored(contact(number(count)))
    taken = set(Webhook.objects.order_by("pk").values_list("pk", flat=True)[:2])
    with psycopg.connect(**connection.get_connection_params() | {"autocommit": False}) as other:
        other.execute("select from sync_webhook where id = any(%s) for update", [list(taken)])
        with connection.cursor() as cursor:
            cursor.execute("set lock_timeout = 500")
        claimed = {one.id for one in queue.claim(now=NOW, most=4)}
    assert len(claimed) == 2
    assert not claimed & taken


# --- uninstall ---------------------------------------------------------------------------------


def uninstall(count: int = 50, *, at: str = "2026-11-23T11:59:00Z", **overrides: Any) -> dict[str, Any]:
    document = {"type": "UNINSTALL", "locationId": LOCATION, "webhookId": number(count), "timestamp": at}
    return document | overrides


def test_an_uninstall_holds_its_location_and_says_what_to_do(
    location: Location, troubles: list[Trouble]
) -> None:
    webhook = stored(uninstall())
    work()
    location.refresh_from_db()
    assert (location.state, again(webhook).state) == ("misconfigured", "done")
    assert "Install it there again" in location.state_reason
    assert [(one.kind, one.code, one.location_id) for one in troubles] == [("sync", "unauthorized", LOCATION)]


def test_an_uninstall_that_a_newer_install_has_overtaken_holds_nothing(location: Location) -> None:
    stored(uninstall(51, type="INSTALL", at="2026-11-23T11:59:30Z"))
    late = stored(uninstall(50))
    work()
    location.refresh_from_db()
    assert (location.state, again(late).state, late.code) == ("active", "ignored", "overtaken")
    stored(uninstall(52, at="2026-11-23T11:59:45Z"))
    work()
    location.refresh_from_db()
    assert location.state == "misconfigured"


def test_an_uninstall_does_not_hold_whoever_is_entered_by_a_private_token(location: Location) -> None:
    credentials.hold_private(LOCATION, SecretStr("pit-1"), now=NOW)
    webhook = stored(uninstall())
    work()
    location.refresh_from_db()
    assert (location.state, again(webhook).state, webhook.code) == ("active", "ignored", "not_used")


def test_an_uninstall_of_a_company_is_left_to_people(location: Location, troubles: list[Trouble]) -> None:
    webhook = stored(uninstall(locationId=None, companyId="c-1"))
    work()
    assert (again(webhook).state, webhook.code) == ("ignored", "no_location")
    assert ["whole company" in one.words for one in troubles] == [True]


# --- what fails --------------------------------------------------------------------------------


@contextmanager
def poisoned(contact_id: str) -> Iterator[None]:
    """Have the database refuse to let webhooks about a contact be done."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            create function poison() returns trigger language plpgsql as $$ begin
                if new.state = 'done' and new.contact_id = '{contact_id}' then
                    raise exception 'poison of mira.stone@example.org';
                end if;
                return new;
            end $$;
            create trigger poison before update on sync_webhook for each row execute function poison();
            """
        )
    try:
        yield
    finally:
        with connection.cursor() as cursor:
            cursor.execute("drop trigger poison on sync_webhook; drop function poison()")


def test_a_poisonous_webhook_takes_no_neighbour_with_it_and_is_a_dead_letter_in_the_end(
    transactional_db: None, location: Location, leads: list[LeadAppeared]
) -> None:
    for count in range(5):
        stored(contact(number(count), id="poison" if count == 2 else f"c-{count}"))
    poison = Webhook.objects.get(contact_id="poison")
    with poisoned("poison"):
        work()
        assert Counter(Webhook.objects.values_list("state", flat=True)) == {"done": 4, "waiting": 1}
        assert (again(poison).tries, poison.code, poison.next_at) == (1, "handler_error", NOW + MINUTE)
        # What it had done is undone with it.
        assert not ContactState.objects.filter(contact_id="poison").exists()
        now = NOW
        for delay in backoff.DELAYS:
            work(now + delay - timedelta(seconds=1))
            assert again(poison).state == "waiting"
            now += delay
            work(now)
        assert (again(poison).state, poison.tries, poison.processed_at) == ("dead", 6, now)
        letter = DeadLetter.objects.get()
        assert (letter.webhook_id, letter.state, letter.died_at) == (poison.pk, "open", now)
        assert "mira.stone" not in letter.words
        work(now + timedelta(days=9))
        assert again(poison).state == "dead"
        # A person has it tried once more, and it dies once more.
        assert queue.revive([poison.pk], now=now) == {poison.pk}
        work(now)
        assert (again(poison).state, poison.is_redrive) == ("dead", True)
    assert queue.revive([poison.pk, Webhook.objects.exclude(pk=poison.pk).first().pk], now=now) == {poison.pk}
    work(now)
    assert (again(poison).state, poison.tries) == ("done", 6)
    letter.refresh_from_db()
    assert letter.state == "recovered"
    assert queue.revive([poison.pk], now=now) == set()


def test_what_names_nothing_is_a_dead_letter_at_once(location: Location) -> None:
    webhook = stored(contact(id=""))
    work()
    assert (again(webhook).state, webhook.code, webhook.tries) == ("dead", "bad_payload", 1)
    assert DeadLetter.objects.get().webhook_id == webhook.pk


def test_a_worker_that_dies_amid_a_webhook_leaves_it_whole_for_the_next(
    transactional_db: None, location: Location, leads: list[LeadAppeared]
) -> None:
    """For the database a killed process is a connection that ends; here it ends just before the commit."""

    def die(**_signal: Any) -> None:
        with psycopg.connect(**connection.get_connection_params() | {"autocommit": True}) as other:
            pid = connection.connection.info.backend_pid
            other.execute("select pg_terminate_backend(%s, 5000)", [pid])
        raise SystemExit

    first, second = stored(contact(number(1), id="c-1")), stored(contact(number(2), id="c-2"))
    signals.leads_appeared.connect(die)
    try:
        with pytest.raises(SystemExit):
            processing.work(now=NOW)
    finally:
        signals.leads_appeared.disconnect(die)
        connection.close()
    assert (again(first).state, again(second).state) == ("leased", "leased")
    assert not ContactState.objects.exists()
    leads.clear()
    work(NOW + queue.LEASE - timedelta(seconds=1))
    assert again(first).state == "leased", "whoever has it in hand may still be alive"
    work(NOW + queue.LEASE)
    assert (again(first).state, again(second).state) == ("done", "done")
    assert sorted(one.contact_id for one in leads) == ["c-1", "c-2"]


def test_a_webhook_that_kills_its_workers_is_tried_alone_and_given_up(location: Location) -> None:
    killer, bystander = stored(contact(number(1), id="c-1")), stored(contact(number(2), id="c-2"))
    now = NOW
    assert len(queue.claim(now=now, most=10)) == 2
    for lost in range(1, 6):
        now += queue.LEASE
        in_hand = queue.claim_lost(now=now)
        assert in_hand is not None
        if lost == 1:
            assert in_hand.id == killer.pk
            other = queue.claim_lost(now=now)
            assert other is not None
            processing.settle(other, now=now)
        # The next worker gets as far as to charge the try, and dies.
        assert not processing._is_given_up(in_hand, now=now)
    assert (again(bystander).state, bystander.tries) == ("done", 2)
    now += queue.LEASE
    work(now)
    assert (again(killer).state, killer.code, killer.tries) == ("dead", "worker_lost", 6)


def test_of_leases_that_run_out_together_the_older_webhook_is_taken_first(location: Location) -> None:
    ids = [stored(contact(number(n), id=f"c-{n}")).pk for n in range(1, 5)]
    queue.claim(now=NOW, most=10)
    # What is written last stands last in the index: that must not decide.
    for id in reversed(ids):
        for ends in (NOW, NOW + queue.LEASE):
            Webhook.objects.filter(pk=id).update(next_at=ends)
    taken = [queue.claim_lost(now=NOW + queue.LEASE) for _ in ids]
    assert [one.id for one in taken if one] == ids


def test_whose_lease_ran_out_changes_nothing_any_more(location: Location) -> None:
    webhook = stored(contact())
    [slow] = queue.claim(now=NOW, most=1)
    taken = queue.claim_lost(now=NOW + queue.LEASE)
    assert taken is not None
    processing.settle(slow, now=NOW + queue.LEASE)
    assert (again(webhook).state, ContactState.objects.count()) == ("leased", 0)
    processing.settle(taken, now=NOW + queue.LEASE)
    assert (again(webhook).state, ContactState.objects.count()) == ("done", 1)


def test_a_state_that_makes_no_sense_is_refused_by_the_database(location: Location) -> None:
    webhook = stored(contact())
    for wrong in (
        {"state": "done"},
        {"state": "dead", "processed_at": NOW},
        {"tries": 7},
        {"kind": "carrier_pigeon"},
        {"body": b"x" * (1024 * 1024 + 1)},
    ):
        with pytest.raises(Error), transaction.atomic():
            Webhook.objects.filter(pk=webhook.pk).update(**wrong)


# --- GoHighLevel itself, simulated -------------------------------------------------------------


def played(ghl: Simulator) -> None:
    """What happens at a studio within the hour."""
    ghl.clock.advance(-3600)
    home = ghl.location("studio00000000000001")[0].id
    people = [ghl.staff.new_contact(home)["id"] for _ in range(3)]
    first, second = (ghl.staff.book(home, person)["id"] for person in people[:2])
    for verb, target in (
        (ghl.staff.confirm, first),
        (ghl.staff.move, first),
        (ghl.staff.cancel, second),
        (ghl.staff.confirm, second),
        (ghl.staff.no_show, first),
        (ghl.staff.delete_appointment, second),
    ):
        ghl.clock.advance(60)
        verb(target)
    ghl.staff.change_contact(people[2], firstName="Otto")


def test_whatever_the_order_and_number_of_deliveries_the_same_is_told(
    live_server: LiveServer,
    settings: Any,
    monkeypatch: pytest.MonkeyPatch,
    leads: list[LeadAppeared],
    bookings: list[BookingChanged],
) -> None:
    # The server's threads would otherwise keep their connections to the database.
    monkeypatch.setitem(connection.settings_dict, "CONN_MAX_AGE", 0)
    told = []
    for options in ({}, {"copies": 3, "shuffle": True, "fresh_ids": True, "delay_ms": (1, 50)}):
        Location.objects.create(pk="studio00000000000001", name="Studio", created_at=NOW)
        with Simulator(seed=7) as ghl:
            settings.GHL_WEBHOOK_KEYS = [ghl.public_key]
            ghl.deliver(url=f"{live_server.url}/api/webhooks/ghl", **options)
            played(ghl)
            assert ghl.settle(30)
            emitted = len(ghl.webhooks.sent)
        assert Webhook.objects.count() == emitted
        work(datetime.now(UTC) + MINUTE)
        assert set(Webhook.objects.values_list("state", flat=True)) == {"done"}
        told.append(
            (
                Counter((one.change, one.appointment_id, one.reason) for one in bookings),
                sorted(one.contact_id for one in leads),
            )
        )
        bookings.clear()
        leads.clear()
        for model in (Webhook, AppointmentState, ContactState, Location):
            model.objects.all().delete()
    in_order, tripled = told
    assert tripled == in_order
    assert {change for change, _, _ in in_order[0]} == {
        "scheduled",
        "confirmed",
        "rescheduled",
        "no_show",
        "canceled",
    }
    assert len(in_order[1]) == 3
