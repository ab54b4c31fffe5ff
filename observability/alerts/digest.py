"""The daily digest: what happened since the last one, as an email that comes also when all is quiet.

Who does not get it knows that something is wrong. It also carries the head of the audit log's chain to where
nobody can rewrite it. The rule: written once a day, whoever is killed meanwhile; what it says was counted
then and is kept with it: numbers, ids and words of ours.

While email is off nothing is written, so that no old digests go out on the day it is turned on.
"""

from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import Count, Q, Sum
from django.template.loader import render_to_string
from django.urls import NoReverseMatch, reverse

from observability import counters
from observability.alerts import measures
from observability.audit import chain
from observability.charts import formatting
from observability.counters import Counter
from observability.models import Channel, ErrorMinute, Evaluation, Incident, Notification, Silence
from observability.redaction import redact
from sync.stats import backlog, dead_letters
from trainu.mail import Mail

CHANNEL, ACT = "email", "digest"
# After a longer pause it tells of the last day only.
LONGEST = timedelta(days=7)
DAY = timedelta(days=1)
MOST_LISTED = 50
MOST_CODES = 10
_SEVERITIES = ("SEV1", "SEV2", "SEV3")
Body = dict[str, Any]


def write_if_due(now: datetime) -> bool:
    """Write today's digest into the outbox, from DIGEST_HOUR (UTC) on; return whether it was written now."""
    now = now.astimezone(UTC)
    today = now.date()
    if now.hour < settings.DIGEST_HOUR or not _is_on():
        return False
    if Evaluation.objects.filter(pk=1, digest_on__gte=today).exists():
        return False
    Evaluation.objects.get_or_create(pk=1)
    with transaction.atomic():
        kept = Evaluation.objects.select_for_update().get(pk=1)
        if kept.digest_on and kept.digest_on >= today:
            return False
        since, until = _period(kept.digest_on, today)
        Notification.objects.get_or_create(
            key=f"{ACT}/{today}",
            defaults={
                "channel": CHANNEL,
                "act": ACT,
                "body": snapshot(since, until, broken=kept.broken, now=now),
                "due_at": now,
                "created_at": now,
            },
        )
        kept.digest_on = today
        kept.save(update_fields=["digest_on"])
    return True


def _is_on() -> bool:
    return bool(settings.EMAIL_URL) and Channel.objects.filter(pk=CHANNEL, is_enabled=True).exists()


def _period(last: date | None, today: date) -> tuple[datetime, datetime]:
    """Return from when to when it tells: digests join each other without a gap."""
    until = datetime.combine(today, time(settings.DIGEST_HOUR), UTC)
    gap = today - last if last else DAY
    return until - (gap if gap <= LONGEST else DAY), until


def snapshot(since: datetime, until: datetime, *, broken: list[str], now: datetime) -> Body:
    """Return what the digest says of [since, until), and of what is open now, as plain values."""
    by_severity, listed, left_out = _incidents(since, until)
    dropped = {
        kind.value: sum(counters.by_label(kind, since=since, until=until).values())
        for kind in (Counter.LOG_LINE_DROPPED, Counter.SENTRY_EVENT_DROPPED)
    }
    died = Notification.objects.filter(
        state=Notification.State.DEAD, due_at__gte=since, due_at__lt=until
    ).exclude(act="test")
    dead = dict(died.order_by().values_list("channel").annotate(Count("pk")).order_by("channel"))
    head = chain.head()
    is_quiet = not (listed or broken or dead or any(dropped.values())) and not any(
        one[what] for one in by_severity.values() for what in ("opened", "open")
    )
    return {
        "since": since.isoformat(),
        "until": until.isoformat(),
        "is_quiet": is_quiet,
        "incidents": by_severity,
        "listed": listed,
        "left_out": left_out,
        "errors": _errors(since, until),
        "dropped": dropped,
        "dead": dead,
        "broken": broken,
        "letters": _letters(since, now),
        "silences": _silences(now),
        "chain": {"seq": head[0], "hash": head[1]} if head else None,
    }


def _incidents(since: datetime, until: datetime) -> tuple[dict[str, dict[str, int]], list[Body], int]:
    """Return how many there were by severity, those to be listed, and how many of these are left out.

    Listed are those of SEV3, which nobody was told of before, and whatever is still open.
    """
    opened, resolved = (
        Q(opened_at__gte=since, opened_at__lt=until),
        Q(resolved_at__gte=since, resolved_at__lt=until),
    )
    is_open = ~Q(state=Incident.State.RESOLVED)
    rows = Incident.objects.filter(opened | resolved | is_open)
    counted = (
        rows.order_by()
        .values_list("severity")
        .annotate(
            opened=Count("pk", filter=opened),
            resolved=Count("pk", filter=resolved),
            still=Count("pk", filter=is_open),
        )
    )
    found = dict.fromkeys(_SEVERITIES, (0, 0, 0)) | {one: tuple(counts) for one, *counts in counted}
    shown = rows.filter(Q(severity="SEV3") | is_open).order_by("severity", "-opened_at", "-pk")
    listed = [_listed(one) for one in shown[: MOST_LISTED + 1]]
    left_out = shown.count() - MOST_LISTED if len(listed) > MOST_LISTED else 0
    names = ("opened", "resolved", "open")
    by_severity = {one: dict(zip(names, counts, strict=True)) for one, counts in found.items()}
    return by_severity, listed[:MOST_LISTED], left_out


def _listed(incident: Incident) -> Body:
    return {
        "id": incident.pk,
        "severity": incident.severity,
        "rule": incident.rule_id,
        "title": redact(incident.title),
        "value": incident.value,
        "opened_at": incident.opened_at.isoformat(),
        "state": incident.state,
    }


def _errors(since: datetime, until: datetime) -> list[Body]:
    rows = ErrorMinute.objects.filter(minute__gte=since, minute__lt=until).order_by()
    counted = rows.values("severity", "category", "code").annotate(times=Sum("errors"))
    return [dict(one) for one in counted.order_by("-times", "code")[:MOST_CODES]]


def _letters(since: datetime, now: datetime) -> Body:
    """Return how many letters are open, and how many were when the ledger was checked last before `since`."""
    letters = dead_letters.letters()
    checks = backlog.checks(since=since - DAY, until=now)
    before = [open for at, open in checks if at <= since] or [open for _, open in checks[:1]]
    return {
        "open": int(letters.open),
        "causes": letters.groups,
        "oldest_at": letters.oldest_at.isoformat() if letters.oldest_at else None,
        "growth": int(letters.open) - before[-1] if before else None,
    }


def _silences(now: datetime) -> list[Body]:
    # Without their reasons: staff write these, and an email is read on any screen.
    held = Silence.objects.filter(begins_at__lte=now, ends_at__gt=now).order_by("ends_at")[:MOST_LISTED]
    return [
        {"rule": one.rule_id, "group": redact(one.group), "ends_at": one.ends_at.isoformat()} for one in held
    ]


def mail(notification: Notification) -> Mail:
    """Return a digest as an email: plain text, and HTML that loads nothing."""
    body = notification.body
    context = _in_words(body)
    return Mail(
        subject=f"TrainU digest, {context['until']:%d %B %Y}: {context['in_short']}",
        text=render_to_string("email/digest.txt", context),
        html=render_to_string("email/digest.html", context),
    )


def _in_words(body: Body) -> dict[str, Any]:
    listed = [
        one
        | {
            "value": _value(one["rule"], one["value"]),
            "opened_at": datetime.fromisoformat(one["opened_at"]),
            "url": _address("admin:observability_incident_change", one["id"]),
        }
        for one in body["listed"]
    ]
    letters, oldest = body["letters"], body["letters"]["oldest_at"]
    return body | {
        "since": datetime.fromisoformat(body["since"]),
        "until": datetime.fromisoformat(body["until"]),
        "in_short": _in_short(body),
        "listed": listed,
        "letters": letters | {"oldest_at": datetime.fromisoformat(oldest) if oldest else None},
        "silences": [one | {"ends_at": datetime.fromisoformat(one["ends_at"])} for one in body["silences"]],
        "incidents_url": _address("admin:observability_incident_changelist"),
        "errors_url": _address("admin:errors"),
        "home_url": _address("admin:index"),
        "has_drops": any(body["dropped"].values()),
    }


def _in_short(body: Body) -> str:
    """Return the whole of it in a few words."""
    if body["is_quiet"]:
        return "all quiet"
    opened, open = (sum(one[what] for one in body["incidents"].values()) for what in ("opened", "open"))
    said = [f"{open} open", f"{opened} opened"]
    for what, words in (("broken", "not measured"), ("dead", "not told")):
        if body[what]:
            said.append(words)
    if any(body["dropped"].values()):
        said.append("lines lost")
    return ", ".join(said)


def _value(rule: str, value: float | None) -> str:
    measure = measures.find(rule)
    unit: Any = measure.unit if measure else "number"
    return formatting.write(value, unit)


def _address(name: str, *args: object) -> str:
    try:
        path = reverse(name, args=args)
    except NoReverseMatch:
        # A page that was taken away is no reason to send no digest.
        path = reverse("admin:index")
    return f"{settings.PUBLIC_URL}{path}"
