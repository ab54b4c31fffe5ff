"""Reconciliation: what webhooks have missed is found in GoHighLevel, repaired, and told with its time."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connections
from django.test import Client
from pydantic import SecretStr

from observability import api_keys
from sync import credentials, signals
from sync.database_thread import DatabaseThread
from sync.ghl.response import Answer, Content
from sync.mirror import appointments
from sync.models import AppointmentState, Budget, ContactState, Location, Reconciliation
from sync.reconciliation import reading, regular, runs, span, stages, worker
from sync.signals import Act, BookingChanged, LeadAppeared, Trouble
from tests.sync.working import Studio
from trainu.demo.ghl import Simulator

HOUR = timedelta(hours=1)


class TestsConnection(DatabaseThread):
    """Works on the connection of the test, inside its transaction: nothing has to be emptied afterwards."""

    __test__ = False

    def __init__(self, connection: Any) -> None:
        super().__init__()
        self.connection = connection
        self.connection.inc_thread_sharing()

    async def __call__(self, work: Any, *args: Any, **kwargs: Any) -> Any:
        def on_it() -> Any:
            connections["default"] = self.connection
            return work(*args, **kwargs)

        return await super().__call__(on_it)

    def close(self) -> None:
        self._executor.shutdown()
        self.connection.dec_thread_sharing()


class Killed(BaseException):
    """The process is gone, at once."""


class Read:
    """A location whose webhooks are all lost, and reconciliation with a clock of its own."""

    def __init__(self, ghl: Simulator) -> None:
        self.ghl = ghl
        self.studio = Studio(ghl)
        self.id = self.studio.id
        self.clock = self.studio.clock
        self.staff = ghl.staff
        # Looked up here: inside an event loop it would be another one.
        self.thread = partial(TestsConnection, connections["default"])

    def begin(self, since: timedelta = 24 * HOUR, by: str = "command") -> Reconciliation:
        return runs.start(self.id, since=self.clock.now - since, now=self.clock.now, by=by).run

    def work(self, *, steps: int | None = None) -> int:
        """Work off what is due. steps: die after so many requests, without a word."""
        left = [steps]

        async def pause(seconds: float) -> None:
            self.clock.advance(seconds=seconds)
            if left[0] is not None:
                left[0] -= 1
                if not left[0]:
                    raise Killed

        try:
            return worker.work_off(
                self.ghl.url, lambda: False, clock=self.clock, pause=pause, thread=self.thread
            )
        except Killed:
            return 0

    def whole(self, since: timedelta = 24 * HOUR) -> Reconciliation:
        run = self.begin(since)
        self.work()
        run.refresh_from_db()
        return run

    def book(self, in_hours: float = 47, **fields: Any) -> str:
        """Let staff book somebody; return the appointment's id."""
        start = self.clock.now + in_hours * HOUR
        return str(self.staff.book(self.id, startTime=start.isoformat(), **fields)["id"])


@pytest.fixture
def read(db: None) -> Iterator[Read]:
    with Simulator(seed=3) as simulator:
        yield Read(simulator)


@pytest.fixture
def bookings() -> Iterator[list[BookingChanged]]:
    caught: list[BookingChanged] = []

    def hear(bookings: list[BookingChanged], **_signal: Any) -> None:
        caught.extend(bookings)

    signals.bookings_changed.connect(hear)
    yield caught
    signals.bookings_changed.disconnect(hear)


@pytest.fixture
def leads() -> Iterator[list[LeadAppeared]]:
    caught: list[LeadAppeared] = []

    def hear(leads: list[LeadAppeared], **_signal: Any) -> None:
        caught.extend(leads)

    signals.leads_appeared.connect(hear)
    yield caught
    signals.leads_appeared.disconnect(hear)


def changes(bookings: list[BookingChanged]) -> list[tuple[str, str]]:
    return [(one.appointment_id, one.change) for one in bookings]


def test_what_webhooks_have_missed_is_told_once_and_with_its_time(
    read: Read, bookings: list[BookingChanged], leads: list[LeadAppeared]
) -> None:
    booked_at = read.clock.now
    person = read.staff.new_contact(read.id)["id"]
    first, second = read.book(contact_id=person), read.book(72, contact_id=person, appointmentStatus="new")
    read.clock.advance(minutes=30)
    run = read.whole()
    assert (run.state, run.contacts_read, run.appointments_read, run.missed, run.told) == ("done", 1, 2, 3, 4)
    assert changes(bookings) == [(first, "scheduled"), (first, "confirmed"), (second, "scheduled")]
    assert [lead.contact_id for lead in leads] == [person]
    assert all(abs(one.at - booked_at) < timedelta(minutes=1) for one in [*bookings, *leads])


def test_moves_cancellations_and_deletions_are_found_and_a_second_run_finds_nothing(
    read: Read, bookings: list[BookingChanged]
) -> None:
    moved, off, gone, missed = read.book(), read.book(), read.book(72), read.book(1)
    read.clock.advance(minutes=10)
    read.whole()
    bookings.clear()
    read.clock.advance(hours=2)
    changed_at = read.clock.now
    read.staff.move(moved, (read.clock.now + 99 * HOUR).isoformat())
    read.staff.cancel(off)
    read.staff.delete_appointment(gone)
    read.staff.no_show(missed)
    read.clock.advance(minutes=10)
    run = read.whole(3 * HOUR)
    assert (run.state, run.missed, run.told) == ("done", 4, 4)
    told = {one.appointment_id: one for one in bookings}
    assert {id: one.change for id, one in told.items()} == {
        moved: "rescheduled",
        off: "canceled",
        gone: "canceled",
        missed: "no_show",
    }
    assert all(abs(told[id].at - changed_at) < timedelta(minutes=1) for id in (moved, off, missed))
    # Nobody says when it was deleted: it was noticed now.
    assert told[gone].reason == "deleted"
    bookings.clear()
    again = read.whole(3 * HOUR)
    assert (again.missed, again.told, bookings) == (0, 0, [])
    # The deleted one is not asked for again: contacts, calendars, seven windows.
    assert again.requests == 1 + 1 + 7


def test_what_a_webhook_told_is_not_told_again_by_reading_it(
    read: Read, bookings: list[BookingChanged]
) -> None:
    booked = read.book()
    location = Location.objects.get()
    shown = read.staff.confirm(booked)
    seen = reading.appointment(shown, location, seen_at=read.clock.now, correlation_id="journey-1")
    assert seen is not None
    appointments.observe([seen], now=read.clock.now)
    assert changes(bookings) == [(booked, "scheduled"), (booked, "confirmed")]
    run = read.whole()
    assert (run.appointments_read, run.told) == (1, 0)


def test_pages_and_calendars_are_read_to_their_end(read: Read) -> None:
    with read.ghl.lock:
        home = read.ghl.world.location(read.id)
        home.calendars = (*home.calendars, "cal-2", "cal-3")
    for _ in range(230):
        read.staff.new_contact(read.id)
    booked = [read.book(24 * day, calendarId=home.calendars[day % 3]) for day in range(1, 50, 4)]
    read.clock.advance(minutes=5)
    run = read.whole()
    assert (run.contacts_read, run.appointments_read) == (230, len(booked))
    assert ContactState.objects.count() == 230
    assert set(AppointmentState.objects.values_list("appointment_id", flat=True)) == set(booked)


def test_killed_at_any_request_it_goes_on_where_it_was_and_tells_the_same(
    read: Read, bookings: list[BookingChanged]
) -> None:
    booked = {read.book(24 * day) for day in (1, 12, 23)}
    read.clock.advance(minutes=5)
    run = read.begin()
    for _ in range(30):
        read.work(steps=2)
        run.refresh_from_db()
        if run.state == "done":
            break
        assert runs.take(now=read.clock.now, most=5) == []
        read.clock.advance(seconds=61)
    assert (run.state, run.told) == ("done", 1 + 6)
    assert run.fence > 3
    # Nothing was asked twice but what was in hand when it was killed.
    assert read.ghl.ledger.total(read.id) == run.requests == 9
    assert sorted(changes(bookings)) == sorted(
        (id, what) for id in booked for what in ("confirmed", "scheduled")
    )


def test_whoever_was_taken_over_saves_and_tells_nothing_more(
    read: Read, bookings: list[BookingChanged]
) -> None:
    read.book()
    read.clock.advance(minutes=5)
    run = read.begin()
    [mine] = runs.take(now=read.clock.now, most=1)
    theirs = runs.take_over(run.pk, now=read.clock.now)

    carry_on = partial(worker.carry_on, progress=lambda run: None, longest_wait_s=1, thread=read.thread)
    carry_on(read.ghl.url, [mine], clock=read.clock)
    run.refresh_from_db()
    assert (run.fence, run.cursor, run.told) == (theirs.fence, stages.first(), 0)
    assert (bookings, ContactState.objects.count()) == ([], 0)


def test_it_stays_far_below_the_rate_limit_and_leaves_room_for_jobs(read: Read) -> None:
    for _ in range(350):
        read.staff.new_contact(read.id)
    with read.ghl.lock:
        home = read.ghl.world.location(read.id)
        home.calendars = tuple(f"cal-{number}" for number in range(12))
    Location.objects.update(burst_limit=30)
    read.ghl.limits.burst = 30
    read.clock.advance(minutes=5)
    run = read.whole()
    assert (run.state, run.requests) == ("done", read.ghl.ledger.total(read.id))
    assert run.requests > 80
    assert read.ghl.ledger.most_in(read.id) <= 21


def test_an_exhausted_budget_puts_it_down_until_there_is_some_again(read: Read) -> None:
    read.book()
    read.clock.advance(minutes=5)
    run = read.begin()
    Budget.objects.update(held_until=read.clock.now + HOUR)
    assert read.work() == 1
    run.refresh_from_db()
    assert (run.state, run.requests, run.next_at) == ("running", 0, read.clock.now + HOUR)
    read.clock.advance(hours=1)
    read.work()
    run.refresh_from_db()
    assert run.state == "done"


def test_a_429_lets_the_whole_location_rest_and_costs_no_failure(read: Read) -> None:
    read.book()
    read.clock.advance(minutes=5)
    run = read.begin()
    read.ghl.fail("429", count=1, retry_after=120)
    read.work()
    run.refresh_from_db()
    assert (run.state, run.failures, run.requests) == ("running", 0, 1)
    held = Budget.objects.get().held_until
    assert held is not None
    assert timedelta(seconds=100) < held - read.clock.now <= timedelta(seconds=125)
    read.clock.advance(seconds=125)
    read.work()
    run.refresh_from_db()
    assert run.state == "done"


def test_a_failure_that_passes_is_outlasted_and_one_that_lasts_stops_it_with_words(
    read: Read, troubles: list[Trouble]
) -> None:
    read.clock.advance(minutes=5)
    read.ghl.fail("503", count=2)
    assert read.whole().state == "done"
    read.ghl.fail("503")
    run = read.begin()
    for _ in range(8):
        read.work()
        read.clock.advance(hours=1)
    run.refresh_from_db()
    assert (run.state, run.requests) == ("failed", 6)
    assert "GoHighLevel" in run.reason
    assert [(one.code, one.location_id, one.words) for one in troubles] == [
        ("reconciliation_failed", read.id, run.reason)
    ]


def test_a_revoked_token_stops_it_with_words_and_repairs_nothing(read: Read, troubles: list[Trouble]) -> None:
    read.book()
    read.clock.advance(minutes=5)
    credentials.hold_private(read.id, SecretStr("pit-revoked"), now=read.clock.now)
    run = read.whole()
    assert (run.state, run.requests, run.missed) == ("failed", 1, 0)
    assert "token" in run.reason
    assert "pit-" not in run.reason
    assert len(troubles) == 1


def test_a_paused_location_is_not_read(read: Read) -> None:
    run = read.begin()
    Location.objects.update(state="paused", state_reason="Holidays")
    read.work()
    run.refresh_from_db()
    assert (run.state, run.requests) == ("failed", 0)
    assert "paused" in run.reason
    with pytest.raises(runs.Refused, match="paused"):
        read.begin()


@pytest.mark.parametrize("kind", ["wrong_json", "empty"])
def test_an_answer_without_its_list_is_no_reason_to_call_anything_deleted(
    read: Read, bookings: list[BookingChanged], kind: str
) -> None:
    read.book()
    read.clock.advance(minutes=5)
    read.whole()
    bookings.clear()
    read.ghl.fail(kind, path="/calendars/events", count=1)
    run = read.whole()
    assert (run.state, run.told, bookings) == ("done", 0, [])


@pytest.mark.parametrize("stage", ["contacts", "calendars", "events"])
def test_an_answer_of_another_shape_is_not_taken_for_an_empty_list(read: Read, stage: str) -> None:
    run = read.begin()
    window = {"calendars": ["cal-1"], "place": 0, "from": run.since.isoformat(), "days": 1, "missing": []}
    run.cursor = {"stage": stage} | window
    with pytest.raises(stages.NoList):
        stages.take_in(run, Answer(200, Content.JSON, {"message": "ok", stage: None}), now=read.clock.now)


def test_one_that_breaks_in_our_own_hands_takes_no_neighbour_with_it_and_stops_in_the_end(
    read: Read, troubles: list[Trouble]
) -> None:
    home, token = read.ghl.location("neighbour")
    Location.objects.create(pk=home.id, name="Neighbour", created_at=read.clock.now)
    credentials.hold_private(home.id, SecretStr(token), now=read.clock.now)
    broken = read.begin()
    Reconciliation.objects.update(cursor={"stage": "events"})
    neighbour = runs.start(home.id, since=read.clock.now - HOUR, now=read.clock.now, by="command").run
    for _ in range(10):
        read.work()
        read.clock.advance(hours=1)
    broken.refresh_from_db()
    neighbour.refresh_from_db()
    assert (broken.state, neighbour.state) == ("failed", "done")
    assert "developers" in broken.reason
    assert len(troubles) == 1


def test_a_calendar_that_is_gone_does_not_hide_what_became_of_its_appointments(
    read: Read, bookings: list[BookingChanged]
) -> None:
    with read.ghl.lock:
        home = read.ghl.world.location(read.id)
        home.calendars = (*home.calendars, "cal-2")
    booked = read.book(calendarId="cal-2")
    read.clock.advance(minutes=5)
    read.whole()
    bookings.clear()
    read.staff.cancel(booked)
    with read.ghl.lock:
        home.calendars = home.calendars[:1]
    read.clock.advance(minutes=5)
    read.whole()
    assert changes(bookings) == [(booked, "canceled")]


def test_it_reaches_back_thirty_days_at_most_and_two_begun_alike_are_one(read: Read) -> None:
    with pytest.raises(runs.Refused, match="30 days"):
        read.begin(timedelta(days=31))
    run = read.begin()
    assert read.begin(3 * HOUR).pk == run.pk
    farther = read.begin(timedelta(days=7))
    run.refresh_from_db()
    assert (run.state, run.reason, farther.state) == ("failed", runs.REPLACED, "running")
    assert read.begin(by="api").pk != farther.pk


def test_regular_ones_leave_no_gap(read: Read) -> None:
    assert regular.begin(regular.HOURLY, now=read.clock.now) == 1
    assert regular.begin(regular.HOURLY, now=read.clock.now) == 0
    read.work()
    read.clock.advance(days=2)
    assert regular.begin(regular.HOURLY, now=read.clock.now) == 1
    latest = Reconciliation.objects.filter(state="running").get()
    before = Reconciliation.objects.filter(state="done").get()
    assert latest.since <= before.until - regular.OVERLAP
    Location.objects.update(state="misconfigured", state_reason="Its token is refused.")
    assert regular.begin(regular.NIGHTLY, now=read.clock.now) == 0


@pytest.mark.parametrize(
    ("text", "back"),
    [("24h", 24 * HOUR), (" 7D ", 168 * HOUR), ("90m", 1.5 * HOUR), ("2026-11-23T10:00Z", 2 * HOUR)],
)
def test_a_span_is_read_as_people_write_it(text: str, back: timedelta) -> None:
    now = datetime(2026, 11, 23, 12, tzinfo=UTC)
    assert now - span.since(text, now=now) == back


def test_the_command_says_what_it_found_and_goes_on_after_it_was_killed(
    transactional_db: None, settings: Any, acts: list[Act], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "PACE_S", 0.0)
    with Simulator(seed=3) as simulator:
        settings.GHL_BASE_URL = simulator.url
        now = datetime.now(UTC)
        simulator.clock.advance(-3600)
        home, token = simulator.location("studio-1")
        Location.objects.create(pk=home.id, name="Studio", created_at=now)
        credentials.hold_private(home.id, SecretStr(token), now=now)
        simulator.staff.book(home.id)
        simulator.clock.advance(3600)
        # One that was killed, its turn not over yet.
        killed = runs.start(home.id, since=now - timedelta(days=2), now=now, by="command").run
        runs.take(now=now, most=1)
        Reconciliation.objects.update(cursor={"stage": "calendars"})
        out, err = StringIO(), StringIO()
        call_command("reconcile", since="24h", stdout=out, stderr=err)
        killed.refresh_from_db()
        assert killed.state == "done"
        assert "goes on with the reconciliation" in out.getvalue()
        assert "0 contacts and 1 appointments read, 1 repaired, 2 missed events told" in out.getvalue()
        assert "requests" in err.getvalue()
        assert [(act.action, act.target_id) for act in acts] == [("reconciliation.start", str(killed.pk))]
        credentials.hold_private(home.id, SecretStr("pit-revoked"), now=now)
        with pytest.raises(CommandError, match="Not reconciled: studio-1"):
            call_command("reconcile", location="studio-1", stdout=out, stderr=err)
        for wrong in ({"since": "soon"}, {"since": "60d"}, {"location": "nowhere"}):
            with pytest.raises(CommandError):
                call_command("reconcile", **wrong, stdout=out, stderr=err)


def test_the_api_begins_one_and_tells_how_far_it_is(read: Read, acts: list[Act]) -> None:
    key = api_keys.issue("tests", ["sync:operate", "sync:read"], limit_per_minute=0)[1]
    client = Client(headers={"Authorization": f"Bearer {key}"})

    def post(body: Any) -> Any:
        return client.post("/api/reconciliations", json.dumps(body), content_type="application/json")

    answer = post({"location_id": read.id, "since": "3h"})
    assert answer.status_code == 202
    begun = answer.json()
    assert (begun["state"], begun["duplicate"], begun["started_by"]) == ("running", False, "api")
    assert post({"location_id": read.id, "since": "2h"}).json()["id"] == begun["id"]
    assert post({"location_id": read.id, "since": "2h"}).json()["duplicate"]
    [act] = acts
    assert (act.action, act.target_id) == ("reconciliation.start", str(begun["id"]))
    assert (act.actor or "").startswith("key:")
    shown = client.get(f"/api/reconciliations/{begun['id']}").json()
    assert (shown["location_id"], shown["events"]) == (read.id, 0)
    assert client.get("/api/reconciliations/999999").status_code == 404
    for wrong in ({"location_id": read.id, "since": "60d"}, {"location_id": "nowhere"}, {"location_id": 1}):
        assert post(wrong).status_code == 422
    reader = api_keys.issue("reader", ["sync:read"], limit_per_minute=0)[1]
    client = Client(headers={"Authorization": f"Bearer {reader}"})
    assert post({"location_id": read.id}).status_code == 403
