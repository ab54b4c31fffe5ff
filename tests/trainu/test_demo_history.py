"""The demo's history promises: the same past every time, and a past in which people make sense."""

import re
from collections import Counter, defaultdict
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import TypeVar

import pytest

from observability.capture import Occurrence
from observability.catalog import CATALOG, Event
from observability.catalog.agent import DraftEvent, MessageDrafted, MessageSent, TrainerApproved
from observability.catalog.booking import (
    BookingCanceled,
    BookingConfirmed,
    BookingEvent,
    BookingRescheduled,
    BookingScheduled,
    LeadCreated,
    NoShow,
)
from observability.catalog.goals import GoalAchieved, GoalEvent, GoalUpdated
from observability.catalog.onboarding import ClientOnboarded, OnboardingStepCompleted, UserRegistered
from observability.catalog.sync import AttemptEvent, SyncRetry
from trainu.demo import agent, arrivals, bookings, machines, people
from trainu.demo.history import day, identities
from trainu.demo.rhythm import BAD_DAY_EVERY, rough_hours

FIRST = date(2026, 9, 1)
DAYS = [FIRST + timedelta(days=number) for number in range(31)]
E = TypeVar("E", bound=Event)


@pytest.fixture(scope="module")
def month() -> dict[date, list[Occurrence]]:
    return {on: day(on) for on in DAYS}


@pytest.fixture(scope="module")
def past(month: dict[date, list[Occurrence]]) -> list[Occurrence]:
    return [occurrence for occurrences in month.values() for occurrence in occurrences]


def lives(past: list[Occurrence], kind: type[E], key: str) -> dict[str, list[tuple[datetime, E]]]:
    """Return events of a kind by one of their ids, each list in the order of time."""
    found: dict[str, list[tuple[datetime, E]]] = defaultdict(list)
    for occurrence in past:
        if isinstance(occurrence.event, kind):
            found[getattr(occurrence.event, key)].append((occurrence.timestamp, occurrence.event))
    return found


def begun(found: dict[str, list[tuple[datetime, E]]], first: type[Event]) -> list[list[tuple[datetime, E]]]:
    """Return the stories whose beginning lies within the month."""
    stories = [life for life in found.values() if any(isinstance(event, first) for _, event in life)]
    assert len(stories) > 20
    return stories


def joining(on: date) -> list[tuple[people.Client | people.Trainer, str, dict[str, float]]]:
    """Return who joins on a day, each with role and all steps of the role's onboarding."""
    clients = [(client, "client", people.CLIENT_STEPS) for client in people.clients_joining(7, on)]
    trainers = [(trainer, "trainer", people.TRAINER_STEPS) for trainer in people.trainers_joining(7, on)]
    return [*clients, *trainers]


def forget() -> None:
    for room in (people, bookings, agent, machines):
        for thing in vars(room).values():
            if hasattr(thing, "cache_clear"):
                thing.cache_clear()


def test_the_same_seed_gives_the_same_day(month: dict[date, list[Occurrence]]) -> None:
    forget()
    assert day(DAYS[20]) == month[DAYS[20]]


def test_rooms_look_back_as_far_as_their_stories_reach() -> None:
    reach = Counter[str]()
    for on in DAYS:
        clients = people.clients_joining(7, on)
        trainers = people.trainers_joining(7, on)
        ends: dict[str, list[datetime | None]] = {
            "onboarding": [client.onboarded_at for client in clients],
            "trainer's onboarding": [trainer.onboarded_at for trainer in trainers],
            "steps": [at for person in (*clients, *trainers) for _, at in person.steps],
            "first booking": [client.first_booking_at for client in clients],
            "first insight": [client.first_insight_at for client in clients],
            "booking": [booking.turns[-1][0] for booking in bookings.planned_on(7, on)],
            "draft": [
                draft.answered_at or draft.sent_at or draft.approved_at for draft in agent.drafts_of(7, on)
            ],
            "trouble": [at for at, _, _ in machines.troubles_of(7, on)],
        }
        for story, moments in ends.items():
            reach[story] = max([reach[story], *((at.date() - on).days + 1 for at in moments if at)])
    assert reach["onboarding"] < reach["trainer's onboarding"] <= arrivals.ONBOARDING_DAYS
    assert reach["steps"] <= arrivals.ONBOARDING_DAYS
    assert reach["first booking"] <= bookings.FIRST_BOOKING_DAYS
    assert reach["first insight"] <= agent.FIRST_INSIGHT_DAYS
    assert 20 < reach["booking"] <= bookings.STORY_DAYS
    assert reach["draft"] <= agent.DRAFT_DAYS
    assert reach["trouble"] <= machines.TROUBLE_DAYS


def test_another_seed_gives_another_day(month: dict[date, list[Occurrence]]) -> None:
    other = {occurrence.uuid for occurrence in day(FIRST, seed=8)}
    assert other.isdisjoint(occurrence.uuid for occurrence in month[FIRST])


def test_every_event_lies_within_its_day_and_in_order(month: dict[date, list[Occurrence]]) -> None:
    for on, occurrences in month.items():
        moments = [occurrence.timestamp for occurrence in occurrences]
        assert moments == sorted(moments)
        assert {moment.tzinfo for moment in moments} == {UTC}
        assert {moment.date() for moment in moments} == {on}


def test_every_event_of_the_catalog_appears_within_a_month(past: list[Occurrence]) -> None:
    assert {occurrence.event.name for occurrence in past} == set(CATALOG)


def test_a_day_has_a_plausible_number_of_events(month: dict[date, list[Occurrence]]) -> None:
    sizes = {on: len(occurrences) for on, occurrences in month.items()}
    assert 1_500 < sum(sizes.values()) / len(sizes) < 2_600
    assert min(sizes.values()) > 1_000
    assert max(sizes.values()) < 3_500
    weekend = [size for on, size in sizes.items() if on.weekday() >= 5]
    monday = [size for on, size in sizes.items() if on.weekday() == 0]
    assert sum(weekend) / len(weekend) < sum(monday) / len(monday)


def test_uuids_are_unique_over_a_quarter_even_at_one_moment() -> None:
    moment = datetime(2026, 9, 1, tzinfo=UTC)
    quarter = [FIRST + timedelta(days=number) for number in range(90)]
    uuids = {uuid.int for on in quarter for uuid in identities([moment] * 1_000, f"7:{on}")}
    assert len(uuids) == 90 * 1_000


def test_uuids_are_unique_over_a_month(past: list[Occurrence]) -> None:
    assert len({occurrence.uuid.int for occurrence in past}) == len(past)


def test_uuids_are_of_version_7_and_carry_the_time(month: dict[date, list[Occurrence]]) -> None:
    for occurrence in month[FIRST]:
        assert occurrence.uuid.version == 7
        assert occurrence.uuid.variant == "specified in RFC 4122"
        assert occurrence.uuid.int >> 80 == round(occurrence.timestamp.timestamp() * 1000)


def test_a_day_keeps_its_uuids_when_it_grows() -> None:
    moments = [datetime(2026, 9, 1, hour, tzinfo=UTC) for hour in range(24)]
    assert identities(moments, "7:day")[:10] == identities(moments[:10], "7:day")


def test_bookings_are_confirmed_after_they_are_made(past: list[Occurrence]) -> None:
    for life in begun(lives(past, BookingEvent, "booking_id"), BookingScheduled):
        assert isinstance(life[0][1], BookingScheduled)
        assert all(not isinstance(event, BookingScheduled) for _, event in life[1:])
        for at, event in life:
            if isinstance(event, BookingConfirmed):
                assert life[0][0] < at < event.starts_at


def test_bookings_move_from_the_start_that_they_had(past: list[Occurrence]) -> None:
    moved = 0
    for life in begun(lives(past, BookingEvent, "booking_id"), BookingScheduled):
        for (_, before), (at, event) in pairwise(life):
            if isinstance(event, BookingRescheduled):
                moved += 1
                assert event.previous_starts_at == before.starts_at > at
            else:
                assert event.starts_at == before.starts_at
    assert moved > 20


def test_clients_miss_appointments_after_the_start_and_cancel_them_before(past: list[Occurrence]) -> None:
    for life in lives(past, BookingEvent, "booking_id").values():
        for at, event in life:
            if isinstance(event, NoShow):
                assert at > event.starts_at
            else:
                assert at < event.starts_at
        assert not any(isinstance(event, (NoShow, BookingCanceled)) for _, event in life[:-1])


def test_clients_learn_to_come(past: list[Occurrence]) -> None:
    due, missed = Counter[str](), Counter[str]()
    for life in begun(lives(past, BookingEvent, "booking_id"), BookingScheduled):
        event = life[-1][1]
        if event.starts_at.date() in DAYS and not isinstance(event, BookingCanceled):
            due[str(event.segment)] += 1
            missed[str(event.segment)] += isinstance(event, NoShow)
    rates = {segment: missed[segment] / due[segment] for segment in due}
    assert rates.keys() == {"new", "regular", "returning"}
    assert 0.03 < rates["regular"] < rates["new"] < 0.35


def test_clients_are_leads_before_they_register_and_onboarded_after(past: list[Occurrence]) -> None:
    leads = {o.distinct_id: o.timestamp for o in past if isinstance(o.event, LeadCreated)}
    accounts = {o.distinct_id: o.timestamp for o in past if isinstance(o.event, UserRegistered)}
    clients = {person for person in accounts if person.startswith("client:")}
    assert len(clients) > 200
    assert all(leads[person] < accounts[person] for person in clients)
    for occurrence in past:
        event = occurrence.event
        if isinstance(event, ClientOnboarded) and occurrence.distinct_id in accounts:
            took = occurrence.timestamp - accounts[occurrence.distinct_id]
            assert took.total_seconds() == event.duration_s > 0


def test_people_take_every_step_of_onboarding_or_stop_at_one(past: list[Occurrence]) -> None:
    taken = lives(past, OnboardingStepCompleted, "user_id")
    stopped: dict[str, Counter[str]] = {"client": Counter(), "trainer": Counter()}
    everybody = [person for on in DAYS[: -arrivals.ONBOARDING_DAYS] for person in joining(on)]
    for person, role, steps in everybody:
        user_id = person.distinct_id.partition(":")[2]
        told = [(event.step, at, event.position, event.role) for at, event in taken.get(user_id, [])]
        assert told == [(step, at, i + 1, role) for i, (step, at) in enumerate(person.steps)]
        assert [step for step, _ in person.steps] == list(steps)[: len(told)]
        moments = [at for _, at in person.steps]
        if person.onboarded_at:
            assert len(told) == len(steps)
            assert person.joined_at < moments[0]
            assert moments == sorted(moments)
            assert moments[-1] < person.onboarded_at
        else:
            stopped[role][list(steps)[len(told)]] += 1
    clients = stopped["client"]
    assert clients["payment"] > clients["intake_form"] > max(clients["goals"], clients["profile"]) > 0
    assert stopped["trainer"].most_common(1)[0][0] == "payout"


def test_messages_are_approved_before_they_are_sent(past: list[Occurrence]) -> None:
    order: list[type[Event]] = [MessageDrafted, TrainerApproved, MessageSent]
    for life in begun(lives(past, DraftEvent, "draft_id"), MessageDrafted):
        assert [type(event) for _, event in life] == order[: len(life)]


def test_goals_are_set_before_they_are_reached(past: list[Occurrence]) -> None:
    def is_new(event: Event) -> bool:
        return isinstance(event, GoalUpdated) and event.change == "created"

    reached = 0
    for life in lives(past, GoalEvent, "goal_id").values():
        assert not any(is_new(event) or isinstance(event, GoalAchieved) for _, event in life[1:-1])
        if is_new(life[0][1]) and isinstance(life[-1][1], GoalAchieved):
            reached += 1
    assert reached > 10


def test_jobs_are_tried_again_when_it_was_said(past: list[Occurrence]) -> None:
    for life in begun(lives(past, AttemptEvent, "job_id"), SyncRetry):
        for (before_at, before), (at, event) in pairwise(life):
            assert isinstance(before, SyncRetry)
            assert event.attempt == before.attempt + 1
            assert 0 <= (at - before_at).total_seconds() - before.retry_in_s < 5


def test_one_day_in_thirty_is_bad() -> None:
    first = FIRST.toordinal() // BAD_DAY_EVERY * BAD_DAY_EVERY
    for block in range(first, first + 20 * BAD_DAY_EVERY, BAD_DAY_EVERY):
        days = [date.fromordinal(block + number) for number in range(BAD_DAY_EVERY)]
        assert sum(bool(rough_hours(7, on)) for on in days) == 1


def test_a_bad_day_is_full_of_retries(month: dict[date, list[Occurrence]]) -> None:
    retries = {on: sum(isinstance(o.event, SyncRetry) for o in month[on]) for on in DAYS}
    bad = {on: count for on, count in retries.items() if rough_hours(7, on)}
    # The day after a bad one still has some of its retries.
    good = {on: count for on, count in retries.items() if not rough_hours(7, on - timedelta(days=1))}
    assert min(bad.values()) > 3 * max(count for on, count in good.items() if on not in bad)


def test_no_id_looks_like_personal_data(month: dict[date, list[Occurrence]]) -> None:
    shape = re.compile(r"(client|trainer):[ct]-[a-z]{12}|svc:[a-z]+")
    for occurrence in month[FIRST]:
        assert shape.fullmatch(occurrence.distinct_id)
        for name in CATALOG[occurrence.event.name].model_fields:
            if name.endswith("_id"):
                assert not re.search(r"\d{5}|@|\s", str(getattr(occurrence.event, name)))
