"""The metrics of Activation, computed naively, as their words say. See `oracle`."""

from datetime import date, datetime, timedelta
from typing import Any

from observability.dashboards.question import Question
from tests.observability.dashboards.asked import DAY, HOUR, Answer, Asked, Events, joined, share
from tests.observability.dashboards.past import FEATURES, Person, first_moment, monday_of, percentile


def activation(events: Events, question: Question, now: datetime) -> Answer:
    """Return Activation.

    clients_signed_up, trainers_signed_up: int.
    first_booking_median, first_booking_p75, first_booking_p90, first_insight_median: seconds | None.
    first_booking_in_time, first_insight_in_time, onboarded_clients, onboarded_trainers: share | None.
    activation_funnel: [signed up, of these booked, of these with an insight].
    feature_adoption: {"signed_up": int, and each of the eight features: int}.
    booking_cohorts, retention_cohorts: [{"week": Monday, "people": int, "values": [share | None, ...]}], all
    weeks of the period; values for 1..8 times 7 days, and for weeks 0..8; all None where "people" is 0.
    drop_off_clients, drop_off_trainers: [("Signed up", n), ((position, step), n), ..., ("Onboarded", n)], the
    steps that were told of any person of the period; drop_off_clients_furthest, drop_off_trainers_furthest:
    the same with those steps only that are somebody's furthest one.
    cases: of first_booking_* (booked), first_insight_*, first_booking_in_time, ..., onboarded_*.
    """
    asked = Asked(events, question, now)
    new = {
        role: [
            person
            for person in asked.past.people.values()
            if person.distinct_id.startswith(f"{role}:")
            and asked.covers(person.registered_at)
            and asked.keeps_person(person)
        ]
        for role in ("client", "trainer")
    }
    clients, trainers = new["client"], new["trainer"]
    answer: Answer = {"clients_signed_up": len(clients), "trainers_signed_up": len(trainers), "cases": {}}
    _waits(answer, asked, clients)
    for key, people in (("onboarded_clients", clients), ("onboarded_trainers", trainers)):
        answer[key] = share(sum(person.onboarded_at is not None for person in people), len(people))
        answer["cases"][key] = len(people)
    booked = [person for person in clients if person.booked_at]
    insights = [person for person in booked if person.insight_at]
    answer["activation_funnel"] = [len(clients), len(booked), len(insights)]
    uses = asked.uses()
    used = joined(uses[day] for day in asked.days)
    answer["feature_adoption"] = {"signed_up": len(clients)} | {
        feature: sum((person.distinct_id, feature) in used for person in clients) for feature in FEATURES
    }
    answer["booking_cohorts"] = _booking_cohorts(asked, clients)
    answer["retention_cohorts"] = _retention_cohorts(asked, clients)
    for key, people in (("drop_off_clients", clients), ("drop_off_trainers", trainers)):
        answer[key] = _drop_off(people, joined(person.steps for person in people))
        furthest = {person.furthest for person in people if person.furthest is not None}
        answer[f"{key}_furthest"] = _drop_off(people, furthest)
    return answer


def _waits(answer: Answer, asked: Asked, clients: list[Person]) -> None:
    """Add how long clients have waited for the first booking and the first insight."""
    percentiles = {
        "first_booking": {"median": 0.5, "p75": 0.75, "p90": 0.9},
        "first_insight": {"median": 0.5},
    }
    in_time = {"first_booking": 24 * HOUR, "first_insight": 7 * DAY}
    for key, limit in in_time.items():
        # From sign-up until the first one; None: not yet.
        waits: list[tuple[datetime, timedelta | None]] = []
        for person in clients:
            first = person.booked_at if key == "first_booking" else person.insight_at
            assert person.registered_at
            wait = max(timedelta(0), first - person.registered_at) if first else None
            waits.append((person.registered_at, wait))
        seconds = [wait.total_seconds() for _, wait in waits if wait is not None]
        for name, part in percentiles[key].items():
            answer[f"{key}_{name}"] = percentile(seconds, part)
            answer["cases"][f"{key}_{name}"] = len(seconds)
        # Open: exactly 24 hours ago is at least 24 hours ago, and exactly 24 hours later is within them.
        ripe = [wait for since, wait in waits if since + limit <= asked.now]
        hits = sum(wait is not None and wait <= limit for wait in ripe)
        answer[f"{key}_in_time"] = share(hits, len(ripe))
        answer["cases"][f"{key}_in_time"] = len(ripe)


def _weekly(asked: Asked, clients: list[Person]) -> dict[date, list[Person]]:
    by_week: dict[date, list[Person]] = {monday: [] for monday in asked.weeks}
    for person in clients:
        assert person.registered_at
        by_week[monday_of(asked.day(person.registered_at))].append(person)
    return by_week


def _booking_cohorts(asked: Asked, clients: list[Person]) -> list[Answer]:
    rows = []
    for monday, people in _weekly(asked, clients).items():
        # The last moment at which anybody of the cohort can have signed up.
        last = first_moment(asked.weeks[monday][-1] + DAY, asked.zone)
        values: list[float | None] = []
        for k in range(1, 9):
            hits = sum(
                person.booked_at is not None and person.booked_at - person.registered_at <= 7 * k * DAY
                for person in people
                if person.registered_at
            )
            values.append(share(hits, len(people)) if last + 7 * k * DAY <= asked.now else None)
        rows.append({"week": monday, "people": len(people), "values": values})
    return rows


def _retention_cohorts(asked: Asked, clients: list[Person]) -> list[Answer]:
    activity = asked.activity()
    rows = []
    for monday, people in _weekly(asked, clients).items():
        values: list[float | None] = []
        for k in range(9):
            # Open: all seven days of each week, also those before and behind the period.
            week = [monday + (7 * k + i) * DAY for i in range(7)]
            active = joined(activity[day] for day in week)
            hits = sum(person.distinct_id in active for person in people)
            values.append(share(hits, len(people)) if week[-1] < asked.today else None)
        rows.append({"week": monday, "people": len(people), "values": values})
    return rows


def _drop_off(people: list[Person], steps: set[tuple[int, str]]) -> list[tuple[Any, int]]:
    rows: list[tuple[Any, int]] = [("Signed up", len(people))]
    for position, step in sorted(steps):
        reached = sum(
            person.onboarded_at is not None
            or (person.furthest is not None and person.furthest[0] >= position)
            for person in people
        )
        rows.append(((position, step), reached))
    rows.append(("Onboarded", sum(person.onboarded_at is not None for person in people)))
    return rows
