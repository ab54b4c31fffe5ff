"""Incidents as tests want them: rules as they are seeded, one that has fired, and what its measure said."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from django.contrib.auth.models import Group, User
from django.test import Client
from django.utils import timezone

from observability.alerts import incidents, rules
from observability.alerts.measures import rates
from observability.models import AlertRule, Channel, Incident, MeasureMinute
from trainu.roles import Role

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
# Measures register when they are imported.
assert rates


def rule(code: str = "error_rate") -> AlertRule:
    rules.seed()
    return AlertRule.objects.get(pk=code)


def fire(code: str = "error_rate", group: str = "", *, ago: timedelta = HOUR, title: str = "") -> Incident:
    """Return an incident that was opened so long ago."""
    one = rule(code)
    at = timezone.now() - ago
    named = f"{one.title}: {group}" if group else one.title
    return incidents.fire(one, group, title=title or named, words="7 of 100", value=0.07, now=at)


def measured(
    code: str, bad: Sequence[float], *, until: datetime, total: float = 100, group: str = ""
) -> None:
    """Keep what a rate said of the last minutes before a time, one value a minute."""
    last = until.replace(second=0, microsecond=0)
    MeasureMinute.objects.bulk_create(
        MeasureMinute(
            measure=code,
            group=group,
            minute=last - (len(bad) - 1 - place) * MINUTE,
            bad=number,
            total=total,
        )
        for place, number in enumerate(bad)
    )


def channel(kind: str, **given: object) -> Channel:
    """Return a channel, set as given."""
    return Channel.objects.update_or_create(kind=kind, defaults=given)[0]


def member(role: Role) -> Client:
    """Return a browser in which somebody of a role is signed in; the name is the role's label."""
    user = User.objects.create_user(role.label, is_staff=True)
    user.groups.add(Group.objects.get(name=role.name))
    client = Client()
    client.force_login(user)
    return client
