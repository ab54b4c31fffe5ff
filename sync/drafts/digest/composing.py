"""What a digest says of a week: clients at risk with the reasons, what was sent, and what worked.

The rules: ids, kinds and figures only. What was sent has worked where the client has answered or booked
within seven days, and before the digest was due; the week before is measured the same way, so that both have
had as much time.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta, tzinfo
from typing import Any, TypedDict
from uuid import UUID

from django.db.models import Count, Exists, ExpressionWrapper, F, OuterRef, Q
from django.db.models import DateTimeField as DateTime
from django.db.models.functions import Coalesce, Least

from sync.drafts.digest import week as weeks
from sync.models import AppointmentState, Draft, Insight, Message

WORKS_WITHIN = timedelta(days=7)
# Kinds of insight that say that a client may be lost.
RISKS = ("risk", "attendance")
MOST_CLIENTS = 50
# Of each source, the weightiest: more than anybody reads.
MOST_READ = 1_000
State = Draft.State


class Reason(TypedDict):
    """Why a client is at risk. what: risk, attendance, outreach, failed. kind: of the draft, if it is one.

    id: of the newest insight or draft. count: how many there were. at: when the newest came, ISO 8601.
    """

    what: str
    kind: str
    id: str
    count: int
    at: str


class AtRisk(TypedDict):
    client: str
    impact: int
    reasons: list[Reason]


class Sent(TypedDict):
    kind: str
    channel: str
    as_it_was: int
    edited: int
    dismissed: int


class Worked(TypedDict):
    """How many of those sent were answered or followed by a booking; before: in the week before."""

    kind: str
    sent: int
    worked: int
    sent_before: int
    worked_before: int


class Content(TypedDict):
    """What is kept. left_out: how many clients at risk are not listed."""

    at_risk: list[AtRisk]
    left_out: int
    sent: list[Sent]
    worked: list[Worked]


@dataclass(frozen=True, slots=True)
class _Found:
    client_id: str
    impact: int
    what: str
    kind: str
    id: UUID
    at: datetime


def compose(trainer_id: str, week: date, where: tzinfo) -> Content:
    """Return what is to be said of a week. week: its Monday; where: the trainer's time zone."""
    begins, ends = weeks.begins(week, where), weeks.ends(week, where)
    at_risk = _by_client(list(_risks(trainer_id, begins, ends)))
    return {
        "at_risk": at_risk[:MOST_CLIENTS],
        "left_out": len(at_risk[MOST_CLIENTS:]),
        "sent": _sent(trainer_id, begins, ends),
        "worked": _worked(trainer_id, week, where),
    }


def _risks(trainer_id: str, begins: datetime, ends: datetime) -> Iterator[_Found]:
    insights = Insight.objects.filter(
        trainer_id=trainer_id, kind__in=RISKS, created_at__gte=begins, created_at__lt=ends
    ).order_by("-impact", "-created_at", "-id")
    for insight in insights[:MOST_READ]:
        yield _Found(insight.client_id, insight.impact, insight.kind, "", insight.pk, insight.created_at)
    drafts = Draft.objects.filter(trainer_id=trainer_id, created_at__lt=ends).order_by(
        "-impact", "-created_at", "-id"
    )
    outreach = drafts.filter(kind=Draft.Kind.AT_RISK_OUTREACH, created_at__gte=begins)
    # Where the trainer has said no, the client was no case for it.
    yield from _of_drafts("outreach", outreach.exclude(state=State.DISMISSED))
    # However old: nobody has seen to them.
    yield from _of_drafts("failed", drafts.filter(state__in=[State.FAILED, State.UNDELIVERED]))


def _of_drafts(what: str, rows: Any) -> Iterator[_Found]:
    fields = rows.values_list("client_id", "impact", "kind", "pk", "created_at")
    for client_id, impact, kind, pk, at in fields[:MOST_READ]:
        yield _Found(client_id, impact, what, kind, pk, at)


def _by_client(found: list[_Found]) -> list[AtRisk]:
    """Return clients with their reasons: who matters most first, and of each what is newest first."""
    clients: dict[str, AtRisk] = {}
    reasons: dict[tuple[str, str, str], Reason] = {}
    for one in sorted(found, key=lambda one: (one.at, one.id), reverse=True):
        client = clients.setdefault(one.client_id, {"client": one.client_id, "impact": 0, "reasons": []})
        client["impact"] = max(client["impact"], one.impact)
        key = (one.client_id, one.what, one.kind)
        if key in reasons:
            reasons[key]["count"] += 1
            continue
        reasons[key] = {
            "what": one.what,
            "kind": one.kind,
            "id": str(one.id),
            "count": 1,
            "at": one.at.isoformat(),
        }
        client["reasons"].append(reasons[key])
    return sorted(clients.values(), key=lambda one: (-one["impact"], one["client"]))


def _sent(trainer_id: str, begins: datetime, ends: datetime) -> list[Sent]:
    of_week = Q(state=State.SENT, sent_at__gte=begins, sent_at__lt=ends)
    dismissed = Q(state=State.DISMISSED, ended_at__gte=begins, ended_at__lt=ends)
    rows = (
        Draft.objects.filter(of_week | dismissed, trainer_id=trainer_id)
        .order_by("kind", "channel")
        .values("kind", "channel")
        .annotate(
            as_it_was=Count("pk", filter=of_week & Q(edited=False)),
            was_edited=Count("pk", filter=of_week & Q(edited=True)),
            dismissed=Count("pk", filter=dismissed),
        )
    )
    return [
        {
            "kind": row["kind"],
            "channel": row["channel"],
            "as_it_was": row["as_it_was"],
            "edited": row["was_edited"],
            "dismissed": row["dismissed"],
        }
        for row in rows
    ]


def _worked(trainer_id: str, week: date, where: tzinfo) -> list[Worked]:
    now = _answered(trainer_id, week, where)
    before = _answered(trainer_id, week - weeks.WEEK, where)
    return [
        {
            "kind": kind,
            "sent": now.get(kind, (0, 0))[0],
            "worked": now.get(kind, (0, 0))[1],
            "sent_before": before.get(kind, (0, 0))[0],
            "worked_before": before.get(kind, (0, 0))[1],
        }
        for kind in sorted(now.keys() | before.keys())
    ]


def _answered(trainer_id: str, week: date, where: tzinfo) -> dict[str, tuple[int, int]]:
    """Return by kind how many were sent in a week, and after how many the client did something."""
    until = Least(
        ExpressionWrapper(OuterRef("sent_at") + WORKS_WITHIN, output_field=DateTime()),
        weeks.due_at(week, where),
        output_field=DateTime(),
    )
    # Of erased people only the fact is left that something was sent: they are not each other's answers.
    theirs = Q(contact_id=OuterRef("contact_id"), location_id=OuterRef("location_id")) & ~Q(contact_id="")
    wrote = Message.objects.filter(
        theirs, direction=Message.Direction.INBOUND, at__gt=OuterRef("sent_at"), at__lte=until
    )
    booked = AppointmentState.objects.annotate(booked_at=Coalesce(F("added_at"), F("first_seen_at"))).filter(
        theirs, booked_at__gt=OuterRef("sent_at"), booked_at__lte=until
    )
    rows = (
        Draft.objects.filter(
            trainer_id=trainer_id,
            state=State.SENT,
            sent_at__gte=weeks.begins(week, where),
            sent_at__lt=weeks.ends(week, where),
        )
        .annotate(has_worked=Exists(wrote) | Exists(booked))
        .order_by()
        .values("kind")
        .annotate(sent=Count("pk"), worked=Count("pk", filter=Q(has_worked=True)))
    )
    return {row["kind"]: (row["sent"], row["worked"]) for row in rows}
