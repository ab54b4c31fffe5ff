"""The mirror: whatever is seen of contacts and appointments, in whatever order, each change is told once."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from threading import Barrier, Thread
from typing import Any

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from sync import jobs, queue, signals
from sync.mirror import appointments, contacts, history, personal, transitions
from sync.mirror.seen import AppointmentSeen, ContactSeen, Status
from sync.models import AppointmentState, ContactState, Location
from sync.signals import BookingChanged, LeadAppeared

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
SLOTS = [NOW + timedelta(days=day) for day in (1, 2, 3)]
INDIA = timezone(timedelta(hours=5, minutes=30))
A, B, C = range(3)
Told = set[tuple[str, int]]


def seen(minute: int, status: str | Status = "new", slot: int | None = A, **other: Any) -> AppointmentSeen:
    """An appointment as of a minute after NOW. slot: which of SLOTS it is at."""
    starts_at = None if slot is None else SLOTS[slot]
    fields: dict[str, Any] = {
        "location_id": "loc-1",
        "appointment_id": "a-1",
        "status": Status(status),
        "starts_at": starts_at,
        "ends_at": starts_at and starts_at + 30 * MINUTE,
        "calendar_id": "cal-1",
        "contact_id": "c-1",
        "assigned_user_id": "u-1",
        "added_at": NOW,
        "updated_at": NOW + minute * MINUTE,
        "is_deleted": False,
        "booked_by": "calendar",
        "source": "webhook",
        "seen_at": NOW + timedelta(hours=8),
        "correlation_id": "journey-1",
    }
    return AppointmentSeen(**(fields | other))


def told(batches: Sequence[Sequence[AppointmentSeen]]) -> Told:
    """What is told of one appointment, by pure comparison. Nothing is ever told twice."""
    known, found = None, []
    for batch in batches:
        known, news = transitions.after(known, *batch)
        # Kept as JSON in between, as in the row.
        known = history.from_document(history.to_document(known))
        found += [(one.kind, one.number) for one in news]
    assert len(found) == len(set(found))
    return set(found)


# In whatever order, however often

ANYTHING = st.builds(
    seen,
    st.integers(0, 7),
    st.sampled_from(list(Status)),
    st.sampled_from([A, B, C]),
    is_deleted=st.sampled_from([False] * 5 + [True]),
    source=st.sampled_from(["webhook", "webhook", "reconciliation"]),
)


@settings(max_examples=200, deadline=None)
@given(st.lists(ANYTHING, max_size=9), st.data())
def test_any_versions_in_any_order_and_number_and_batches_tell_the_same(
    versions: list[AppointmentSeen], data: st.DataObject
) -> None:
    in_order = sorted(versions, key=lambda one: one.updated_at or NOW)
    again = data.draw(st.lists(st.sampled_from(versions), max_size=8)) if versions else []
    shuffled = data.draw(st.permutations(versions + again))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(shuffled)), max_size=4)))
    batches = [shuffled[start:end] for start, end in zip([0, *cuts], [*cuts, len(shuffled)], strict=True)]
    assert told(batches) == told([[one] for one in in_order])


@st.composite
def lives(draw: st.DrawFn) -> list[AppointmentSeen]:
    """The life of an appointment, as GoHighLevel would tell it. At times, two things happen in one moment."""
    minute, status, slot, gone = 0, draw(st.sampled_from(["new", "confirmed"])), A, False
    life = [seen(minute, status, slot)]
    for _ in range(draw(st.integers(0, 8))):
        minute += draw(st.sampled_from([1, 1, 1, 0]))
        act = draw(
            st.sampled_from(["confirm", "move", "cancel", "void", "miss", "show", "again", "save", "delete"])
        )
        zone = draw(st.sampled_from([UTC, INDIA]))
        match act:
            case "confirm":
                status = "confirmed"
            case "move":
                slot = draw(st.sampled_from([A, B, C]))
            case "cancel":
                status = "canceled"
            case "void":
                status = "invalid"
            case "miss":
                status = "no_show"
            case "show":
                status = "showed"
            case "again":
                status, slot = "confirmed", draw(st.sampled_from([A, B, C]))
        gone = act == "delete"
        one = seen(minute, status, slot, is_deleted=gone)
        if one.starts_at and one.ends_at:
            # The offset is how it is written, not when it is.
            one = replace(one, starts_at=one.starts_at.astimezone(zone), ends_at=one.ends_at.astimezone(zone))
        life.append(one)
        if gone:
            break
    return life


def by_the_table(life: Sequence[AppointmentSeen]) -> Counter[str]:
    """What the table of the facts tells of a life in its order: compares each version with the one before."""
    told: Counter[str] = Counter(["scheduled"])
    before, at = "", life[0].starts_at
    for one in life:
        now = "gone" if one.is_deleted or one.status in {"canceled", "invalid"} else str(one.status)
        if now != "gone" and one.starts_at != at:
            told["rescheduled"] += 1
            at = one.starts_at
        word = {"confirmed": "confirmed", "no_show": "no_show", "gone": "canceled"}.get(now)
        if word and now != before:
            told[word] += 1
        before = now
    return told


@settings(max_examples=120, deadline=None)
@given(lives(), st.data())
def test_a_life_tells_what_the_table_says_also_when_its_webhooks_are_shuffled_and_tripled(
    life: list[AppointmentSeen], data: st.DataObject
) -> None:
    moments = [one.updated_at for one in life]
    expected = told([[one] for one in life])
    if len(set(moments)) == len(moments):
        assert Counter(kind.split()[0] for kind, _ in expected) == by_the_table(life)
    shuffled = data.draw(st.permutations(life * 3))
    assert told([[one] for one in shuffled]) == expected
    assert told([life * 3]) == expected


def test_a_late_version_in_between_adds_what_it_tells_and_takes_nothing_back() -> None:
    first, moved, moved_again = seen(0), seen(10, slot=B), seen(20, slot=C)
    known, news = transitions.after(None, first, moved_again)
    assert [(one.change, one.slot.starts_at) for one in news] == [
        ("scheduled", SLOTS[A]),
        ("rescheduled", SLOTS[C]),
    ]
    known, news = transitions.after(known, moved)
    [late] = news
    assert (late.change, late.at, late.slot.starts_at) == ("rescheduled", NOW + 10 * MINUTE, SLOTS[B])
    assert late.previous_starts_at == SLOTS[A]


def test_an_update_that_overtook_the_creation_is_told_as_booked_and_then_moved() -> None:
    assert told([[seen(10, "confirmed", B)]]) == {("scheduled", 1), ("confirmed", 1)}
    whole = told([[seen(10, "confirmed", B)], [seen(0, "new", A)]])
    assert {kind.split()[0] for kind, _ in whole} == {"scheduled", "confirmed", "rescheduled"}


def test_a_change_that_was_seen_later_than_it_happened_is_not_told_again_with_its_true_version() -> None:
    # The save at 20 was seen first, so that it looked like the confirmation.
    known, news = transitions.after(None, seen(0), seen(20, "confirmed"))
    assert [one.change for one in news] == ["scheduled", "confirmed"]
    assert transitions.after(known, seen(10, "confirmed"))[1] == []


ROWS: dict[str, tuple[list[AppointmentSeen], str]] = {
    "created, confirmed by its calendar": ([seen(0, "confirmed")], "scheduled confirmed"),
    "confirmed later": ([seen(0), seen(1, "confirmed")], "scheduled confirmed"),
    "moved and confirmed at once": ([seen(0), seen(1, "confirmed", B)], "scheduled rescheduled confirmed"),
    "saved without a change": ([seen(0), seen(1), seen(2)], "scheduled"),
    "first seen cancelled": ([seen(0, "canceled")], ""),
    "first seen missed": ([seen(0, "no_show")], ""),
    "first seen over": ([seen(0, "showed"), seen(1, "completed")], ""),
    "first seen deleted": ([seen(0, is_deleted=True)], ""),
    "cancelled, then deleted": (
        [seen(0), seen(1, "canceled"), seen(2, "canceled", is_deleted=True)],
        "scheduled canceled",
    ),
    "deleted": ([seen(0), seen(1, is_deleted=True)], "scheduled canceled"),
    "deleted, and told as an update too": (
        [seen(0), seen(1, is_deleted=True), seen(1)],
        "scheduled canceled",
    ),
    "moved while cancelled": ([seen(0), seen(1, "canceled"), seen(2, "canceled", B)], "scheduled canceled"),
    "booked again": (
        [seen(0), seen(1, "canceled"), seen(2, "confirmed")],
        "scheduled canceled confirmed",
    ),
    "booked again at another time": (
        [seen(0), seen(1, "canceled"), seen(2, "confirmed", B)],
        "scheduled canceled rescheduled confirmed",
    ),
    "missed": ([seen(0, "confirmed"), seen(1, "no_show")], "scheduled confirmed no_show"),
    "a word nobody knows": ([seen(0), seen(1, "unknown", B), seen(2)], "scheduled"),
    "another trainer": ([seen(0), seen(1, assigned_user_id="u-2", calendar_id="cal-2")], "scheduled"),
    "longer": ([seen(0), seen(1, ends_at=SLOTS[A] + 60 * MINUTE)], "scheduled rescheduled"),
    "its end not said": ([seen(0), seen(1, ends_at=None), seen(2)], "scheduled"),
    "its time not said": ([seen(0), seen(1, "confirmed", None)], "scheduled confirmed"),
    "another offset, the same moment": (
        [seen(0), seen(1, starts_at=SLOTS[A].astimezone(INDIA))],
        "scheduled",
    ),
}


@pytest.mark.parametrize(("versions", "expected"), ROWS.values(), ids=ROWS.keys())
def test_each_row_of_the_table(versions: list[AppointmentSeen], expected: str) -> None:
    assert " ".join(one.change for one in transitions.after(None, *versions)[1]) == expected


def test_a_void_booking_is_cancelled_for_a_reason_of_its_own() -> None:
    reasons = {}
    for name, end in [
        ("void", seen(1, "invalid")),
        ("off", seen(1, "canceled")),
        ("gone", seen(1, is_deleted=True)),
    ]:
        reasons[name] = transitions.after(None, seen(0), end)[1][-1].reason
    assert reasons == {"void": "invalid", "off": "canceled", "gone": "deleted"}


def test_what_bears_no_date_counts_as_of_its_telling_and_is_doubtful_until_it_was_read() -> None:
    known, _ = transitions.after(None, seen(0))
    assert not transitions.is_doubtful(known)
    undated = seen(0, "canceled", updated_at=None, seen_at=NOW + 5 * MINUTE)
    known, news = transitions.after(known, undated, undated)
    assert ([one.at for one in news], transitions.is_doubtful(known)) == ([NOW + 5 * MINUTE], True)
    # The reading says otherwise, and is the truth: somebody had told an old state late.
    read = seen(1, "confirmed", source="reconciliation", seen_at=NOW + 60 * MINUTE)
    known, news = transitions.after(known, read)
    assert ([one.change for one in news], transitions.is_doubtful(known)) == (["confirmed"], False)


def test_an_undated_word_that_it_is_booked_leaves_open_whether_it_is_confirmed() -> None:
    undated = seen(0, "new", updated_at=None, seen_at=NOW + 5 * MINUTE)
    changes = [
        one.change for one in transitions.after(None, seen(0, "confirmed"), undated, seen(9, "confirmed"))[1]
    ]
    assert changes == ["scheduled", "confirmed"]


def test_two_versions_of_one_moment_that_differ_are_doubtful_until_one_was_read() -> None:
    known, _ = transitions.after(None, seen(0), seen(5, slot=B), seen(5, slot=C))
    assert transitions.is_doubtful(known)
    known, _ = transitions.after(known, seen(5, slot=B, source="reconciliation"))
    last = transitions.last(known)
    assert last is not None
    assert last.slot is not None
    assert (last.slot.starts_at, transitions.is_doubtful(known)) == (SLOTS[B], False)


@settings(max_examples=10, deadline=None)
@given(st.integers(60, 130), st.randoms(use_true_random=False))
def test_a_very_long_life_keeps_few_versions_and_tells_each_change_once(length: int, rng: Any) -> None:
    life = [
        seen(minute, rng.choice(["new", "confirmed", "canceled"]), rng.randrange(3))
        for minute in range(length)
    ]
    known, changes = None, []
    for one in life:
        known, news = transitions.after(known, one)
        changes += [(one.kind, one.number) for one in news]
        again, nothing = transitions.after(known, one)
        assert (again, nothing) == (known, [])
        assert len(known.versions) <= transitions.MOST_VERSIONS
    assert len(changes) == len(set(changes))
    first = next((n for n, one in enumerate(life) if one.status != "canceled"), None)
    if first is not None:
        assert Counter(kind.split()[0] for kind, _ in changes) == by_the_table(life[first:])


# In the database


@pytest.fixture
def location(db: None) -> Location:
    return Location.objects.create(pk="loc-1", name="Studio", created_at=NOW)


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


def test_a_booking_is_told_with_all_that_is_known_of_it(
    location: Location, bookings: list[BookingChanged]
) -> None:
    assert appointments.observe([seen(3, "confirmed", added_at=NOW - MINUTE)], now=NOW) == 2
    scheduled, confirmed = bookings
    assert scheduled.identity != confirmed.identity
    assert (scheduled.change, scheduled.at, scheduled.source) == ("scheduled", NOW - MINUTE, "calendar")
    assert (confirmed.change, confirmed.at, confirmed.source) == ("confirmed", NOW + 3 * MINUTE, None)
    assert (scheduled.contact_id, scheduled.assigned_user_id, scheduled.correlation_id) == (
        "c-1",
        "u-1",
        "journey-1",
    )
    row = AppointmentState.objects.get()
    assert (row.status, row.starts_at, row.is_deleted) == ("confirmed", SLOTS[A], False)
    assert "c-1" not in str(row.history)


def test_a_booking_of_our_own_is_told_as_ours(location: Location, bookings: list[BookingChanged]) -> None:
    appointments.ours("loc-1", ["a-1"], now=NOW)
    appointments.observe([seen(0)], now=NOW)
    assert [one.source for one in bookings] == ["trainu"]


def test_what_was_told_rolls_back_with_its_cause_and_is_told_then(
    location: Location, bookings: list[BookingChanged]
) -> None:
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        appointments.observe([seen(0)], now=NOW)
        1 / 0  # noqa: B018
    assert AppointmentState.objects.count() == 0
    assert appointments.observe([seen(0)], now=NOW) == 1
    assert appointments.observe([seen(0), seen(0)], now=NOW) == 0
    assert bookings[0].identity == bookings[1].identity


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(lives(), st.integers(1, 4), st.randoms(use_true_random=False))
@example([seen(0), seen(1, slot=B), seen(2, "canceled", B)], 2, None)
def test_shuffled_webhooks_store_and_tell_the_same_as_webhooks_in_order(
    location: Location, bookings: list[BookingChanged], life: list[AppointmentSeen], size: int, rng: Any
) -> None:
    def deliver(
        appointment: str, versions: list[AppointmentSeen], size: int
    ) -> tuple[list[str], tuple[Any, ...]]:
        bookings.clear()
        AppointmentState.objects.filter(appointment_id="a-1").delete()
        for start in range(0, len(versions), size):
            appointments.observe(versions[start : start + size], now=NOW)
        row = AppointmentState.objects.get()
        identities = sorted(str(one.identity) for one in bookings)
        assert len(set(identities)) == len(identities)
        return identities, (row.status, row.starts_at, row.ends_at, row.is_deleted, row.updated_at)

    shuffled = life * 3
    if rng is not None:
        rng.shuffle(shuffled)
    else:
        shuffled.reverse()
    assert deliver("a-1", shuffled, size) == deliver("a-1", life, 1)


def test_the_same_webhook_in_two_workers_at_once_is_told_once(
    transactional_db: None, bookings: list[BookingChanged]
) -> None:
    Location.objects.create(pk="loc-1", name="Studio", created_at=NOW)
    appointments.observe([seen(0, appointment_id=f"a-{number}") for number in range(20)], now=NOW)
    bookings.clear()
    many = [seen(1, "confirmed", appointment_id=f"a-{number}") for number in range(20)]
    people = [person(f"c-{number}") for number in range(20)]
    told: list[int] = []
    together = Barrier(3)

    def work(turn: Callable[[list[Any]], list[Any]]) -> None:
        together.wait()
        told.append(appointments.observe(turn(many), now=NOW) + contacts.observe(turn(people), now=NOW))
        connection.close()

    threads = [Thread(target=work, args=(turn,)) for turn in (list, lambda all: all[::-1], sorted_by_end)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    # Twenty that were known are confirmed, and twenty are new.
    assert sum(told) == 20 + 20
    assert len({one.identity for one in bookings}) == len(bookings) == 20


def sorted_by_end(all: list[Any]) -> list[Any]:
    return sorted(all, key=lambda one: str(one)[::-1])


def test_a_batch_costs_a_handful_of_queries(location: Location) -> None:
    def cost(count: int, name: str) -> int:
        batch = [seen(0, "confirmed", appointment_id=f"{name}-{number}") for number in range(count)]
        with CaptureQueriesContext(connection) as queries:
            appointments.observe(batch, now=NOW)
        return len(queries)

    # The first of a process may have to make the day's partition.
    cost(1, "w")
    # Look, insert, lock, write, whether clients have drafts; and who listens: two savepoints, and the events.
    assert cost(40, "x") == cost(3, "y") <= 10


# Leads


def person(contact: str = "c-1", **other: Any) -> ContactSeen:
    fields: dict[str, Any] = {
        "location_id": "loc-1",
        "contact_id": contact,
        "added_at": NOW,
        "updated_at": None,
        "is_deleted": False,
        "lead_source": "form",
        "source": "webhook",
        "seen_at": NOW + MINUTE,
        "correlation_id": "journey-1",
    }
    return ContactSeen(**(fields | other))


def in_hand(state: str = "leased") -> Any:
    """A job of ours that is making a contact now."""
    job = jobs.enqueue("contact.upsert", "loc-1", {"email": "ada@example.org"}, now=NOW - MINUTE).job_id
    if state == "leased":
        assert [one.id for one in queue.claim(now=NOW - MINUTE, most=5)] == [job]
    return job


def settle(job: Any) -> None:
    with connection.cursor() as cursor:
        cursor.execute("update sync_syncjob set state = 'succeeded', settled_at = now() where id = %s", [job])


def test_a_person_who_appears_is_a_lead_once(location: Location, leads: list[LeadAppeared]) -> None:
    assert contacts.observe([person(), person()], now=NOW) == 1
    assert contacts.observe([person(updated_at=NOW + MINUTE)], now=NOW) == 0
    [lead] = leads
    assert (lead.contact_id, lead.source, lead.at, lead.correlation_id) == ("c-1", "form", NOW, "journey-1")
    assert ContactState.objects.get().lead_source == ""


def test_who_has_long_been_there_is_no_lead_and_who_bears_no_date_is_not_decided(
    location: Location, leads: list[LeadAppeared]
) -> None:
    contacts.observe(
        [person("c-old", added_at=NOW - timedelta(days=90)), person("c-new", added_at=None)], now=NOW
    )
    assert leads == []
    contacts.observe([person("c-old"), person("c-new")], now=NOW)
    assert [lead.contact_id for lead in leads] == ["c-new"]


def test_a_deletion_that_overtook_the_creation_hides_no_lead(
    location: Location, leads: list[LeadAppeared]
) -> None:
    contacts.observe([person(is_deleted=True)], now=NOW)
    assert leads == []
    contacts.observe([person()], now=NOW)
    assert len(leads) == 1
    assert ContactState.objects.get().is_deleted


def test_a_contact_that_we_have_made_is_no_lead_of_theirs(
    location: Location, leads: list[LeadAppeared]
) -> None:
    contacts.ours("loc-1", ["c-1"], now=NOW, since=NOW - MINUTE)
    contacts.observe([person()], now=NOW)
    assert (leads, ContactState.objects.get().lead) == ([], "ours")


def test_whom_our_job_only_found_there_is_a_lead(location: Location, leads: list[LeadAppeared]) -> None:
    contacts.ours("loc-1", ["c-1"], now=NOW + 20 * MINUTE, since=NOW + 19 * MINUTE)
    contacts.observe([person()], now=NOW + 30 * MINUTE)
    assert [lead.contact_id for lead in leads] == ["c-1"]


def test_a_webhook_that_overtakes_our_own_answer_waits_for_it(
    location: Location, leads: list[LeadAppeared]
) -> None:
    job = in_hand()
    assert contacts.observe([person(), person("c-2")], now=NOW) == 0
    assert contacts.decide(now=NOW + MINUTE) == 0
    contacts.ours("loc-1", ["c-1"], now=NOW + MINUTE, since=NOW - MINUTE)
    settle(job)
    # The other one was a lead indeed, and is told as soon as no job is left that could have made it.
    assert contacts.decide(now=NOW + 2 * MINUTE) == 1
    assert [(lead.contact_id, lead.source) for lead in leads] == [("c-2", "form")]
    assert contacts.decide(now=NOW + 60 * MINUTE) == 0
    assert set(ContactState.objects.values_list("contact_id", "lead", "lead_source")) == {
        ("c-1", "ours", ""),
        ("c-2", "told", ""),
    }


def test_a_job_that_does_not_end_holds_a_lead_back_for_a_quarter_of_an_hour(
    location: Location, leads: list[LeadAppeared]
) -> None:
    in_hand()
    contacts.observe([person()], now=NOW)
    assert contacts.decide(now=NOW + timedelta(minutes=14)) == 0
    assert contacts.decide(now=NOW + timedelta(minutes=15)) == 1
    assert leads[0].at == NOW


def test_a_job_that_was_never_sent_or_came_later_holds_nothing_back(
    location: Location, leads: list[LeadAppeared]
) -> None:
    in_hand("waiting")
    assert contacts.observe([person()], now=NOW) == 1
    assert [one.operation for one in queue.claim(now=NOW, most=5)] == ["contact.upsert"]
    assert contacts.observe([person("c-2", added_at=NOW - timedelta(minutes=30))], now=NOW) == 1


def test_a_person_is_taken_out_of_the_mirror_and_their_bookings_are_not_told_again(
    location: Location, bookings: list[BookingChanged]
) -> None:
    contacts.observe([person()], now=NOW)
    appointments.observe([seen(0)], now=NOW)
    assert (personal.find_contacts("c-1"), personal.find_appointments("c-1")) == (1, 1)
    assert (personal.erase_contacts("c-1"), personal.erase_appointments("c-1")) == (1, 1)
    assert (personal.find_contacts("c-1"), personal.find_appointments("c-1")) == (0, 0)
    assert appointments.observe([seen(0)], now=NOW) == 0
