"""Activation: how those who signed up in the period find their way in.

The rule: the figures are about people, by the day of their sign-up. "Before" is given only where those of
before have had no more time than those of now; for the rest it would always look better.
"""

from collections.abc import Sequence
from datetime import datetime

from observability.dashboards import active_days, cohorts, features, sign_ups
from observability.dashboards.addresses import rows_url
from observability.dashboards.estimates import Estimates, ratio, share
from observability.dashboards.freshness import counted_at
from observability.dashboards.onboarding_steps import drop_off
from observability.dashboards.panels import Dashboard, Figure, Funnel, Section, Step, Target
from observability.dashboards.question import Question
from observability.dashboards.sign_ups import Role, SignUps, Week
from observability.people_sets import thinned, united

# Held against everybody who had the time: a median of those who have booked is the better, the fewer do.
BOOKED_IN_TIME = Target("half of them within 24 h", low=0.5)
INSIGHT_IN_TIME = Target("half of them within 7 days", low=0.5)


def build(question: Question, *, now: datetime) -> Dashboard:
    """Return the dashboard's numbers for a period; trainer and segment apply to all of them."""
    counted = sign_ups.count(question, now=now)
    clients, before = counted.now["client"], counted.before["client"]
    waits = sign_ups.waits(question)
    estimates = Estimates(active_days.sample_level())
    first_steps = [
        *_first_booking(question, clients, before, waits.booking),
        *_first_insight(question, clients, before, waits.insight),
    ]
    return Dashboard(
        name="activation",
        title="Activation",
        counted_at=counted_at(),
        sections=[
            Section(
                "Sign-ups",
                [
                    _signed_up(question, role, found, counted.before[role])
                    for role, found in counted.now.items()
                ],
                [_funnel(question, clients)],
            ),
            Section(
                "First booking and first insight",
                first_steps,
                [cohorts.booking(question, counted.weeks, now=now)],
            ),
            Section(
                "Onboarding",
                [_onboarded(question, role, found) for role, found in counted.now.items()],
                drop_off(question, counted.now),
            ),
            Section(
                "Use after sign-up",
                charts=[
                    _adoption(question, counted.weeks, estimates, now=now),
                    cohorts.retention(question, counted.weeks, estimates, now=now),
                ],
            ),
        ],
        notes=["Only clients have a segment; trainers count as unknown."] if question.segment else [],
    )


def _signed_up(question: Question, role: Role, counted: SignUps, before: SignUps) -> Figure:
    return Figure(
        f"{role}s_signed_up",
        f"{role.capitalize()}s signed up",
        counted.people,
        before=before.people,
        url=rows_url("people", question, which="signed_up", role=role),
    )


def _first_booking(
    question: Question, counted: SignUps, before: SignUps, waited: Sequence[float] | None
) -> list[Figure]:
    url = rows_url("people", question, which="booked", role="client")
    names = ("median", "p75", "p90")
    labels = ("Time to first booking, median", "Time to first booking, p75", "Time to first booking, p90")
    nobody: list[float | None] = [None] * len(names)
    waits = [
        Figure(
            f"first_booking_{name}",
            label,
            wait,
            "seconds",
            sample=counted.booked,
            url=url,
            note=_not_yet(counted.people - counted.booked, "have not booked yet"),
        )
        for name, label, wait in zip(names, labels, waited or nobody, strict=True)
    ]
    in_time = share(
        "first_booking_in_time",
        "Booked within 24 h",
        counted.booking_in_time,
        counted.booking_had_time,
        before=ratio(before.booking_in_time, before.booking_had_time),
        target=BOOKED_IN_TIME,
        url=rows_url("people", question, which="booked_in_time", role="client"),
        note=_not_yet(counted.people - counted.booking_had_time, "signed up less than 24 hours ago"),
    )
    return [*waits, in_time]


def _first_insight(
    question: Question, counted: SignUps, before: SignUps, waited: Sequence[float] | None
) -> list[Figure]:
    url = rows_url("people", question, which="insight", role="client")
    return [
        Figure(
            "first_insight_median",
            "Time to first insight, median",
            waited[0] if waited else None,
            "seconds",
            sample=counted.insight,
            url=url,
            note=_not_yet(counted.people - counted.insight, "have had no insight yet"),
        ),
        share(
            "first_insight_in_time",
            "Insight within 7 days",
            counted.insight_in_time,
            counted.insight_had_time,
            before=ratio(before.insight_in_time, before.insight_had_time),
            target=INSIGHT_IN_TIME,
            url=rows_url("people", question, which="insight_in_time", role="client"),
            note=_not_yet(counted.people - counted.insight_had_time, "signed up less than 7 days ago"),
        ),
    ]


def _not_yet(people: int, words: str) -> str:
    return f"{people:,} {words}." if people else ""


def _onboarded(question: Question, role: Role, counted: SignUps) -> Figure:
    return share(
        f"onboarded_{role}s",
        f"{role.capitalize()}s onboarded",
        counted.onboarded,
        counted.people,
        url=rows_url("people", question, which="onboarded", role=role),
    )


def _funnel(question: Question, counted: SignUps) -> Funnel:
    steps = [
        ("Signed up", counted.people, "signed_up"),
        ("Booked", counted.booked, "booked"),
        ("Had an insight", counted.activated, "booked_insight"),
    ]
    return Funnel(
        key="activation_funnel",
        title="From sign-up to insight",
        steps=[
            Step(label, people, rows_url("people", question, which=which, role="client"))
            for label, people, which in steps
        ],
        note="" if counted.people else "No client has signed up in this period.",
    )


def _adoption(question: Question, weeks: list[Week], estimates: Estimates, *, now: datetime) -> Funnel:
    people = thinned(united(week.people for week in weeks), estimates.level)
    by_day = active_days.by_event(question.zone, question.first, question.last, now=now)
    used = features.users(list(by_day.values()))
    url = rows_url("people", question, which="signed_up", role="client")
    steps = [Step("Signed up", estimates.count(people), url)]
    for feature, users in used.items():
        url = rows_url("people", question, which=f"feature:{feature}", role="client")
        steps.append(Step(features.LABELS[feature], estimates.count(people & users), url))
    return Funnel(
        key="feature_adoption",
        title="Features used by those who signed up",
        steps=steps,
        nested=False,
        note=f"Inbox, digest and templates are used by trainers. {estimates.note}".strip(),
    )
