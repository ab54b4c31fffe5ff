"""A digest as it is shown, on its page and in an email: kept ids and figures, with names looked up.

The rules: a client is called by the first name that the newest draft knows, else by id. An email says nothing
else that is personal; what the agent has written about somebody is on the page only.
"""

from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from uuid import UUID

from django.conf import settings
from django.db.models import Q
from django.template.loader import render_to_string
from django.urls import NoReverseMatch, reverse

from sync.models import Draft, Insight, TrainerDigest
from trainu.admin_rendering import seen
from trainu.mail import Mail

LONGEST_NAME = 40
_WHAT = {
    "risk": "The agent sees a risk",
    "attendance": "Something about their attendance",
    "outreach": "A message to win them back was drafted",
    "failed": "A message waits for you that could not be written or sent",
}
_CODES = {
    "": "",
    "email_off": "Not mailed: email was off.",
    "no_address": "Not mailed: the trainer's login has no email address.",
    "unknown": "Perhaps mailed: the mail server's answer got lost. It is not sent again.",
    "in_hand": "It is being mailed.",
    "lost": "Not mailed: its worker ended each time.",
}


@dataclass(frozen=True, slots=True)
class Why:
    """A reason. words: in general. detail: what the agent has written of it; personal. draft_id: to open."""

    words: str
    count: int
    at: datetime
    kind: str = ""
    detail: str = ""
    draft_id: str = ""


@dataclass(frozen=True, slots=True)
class Client:
    name: str
    reasons: list[Why] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Row:
    """What was sent of a kind on a channel."""

    kind: str
    channel: str
    as_it_was: int
    edited: int
    dismissed: int


@dataclass(frozen=True, slots=True)
class Share:
    """What worked of a kind, of all that was sent; before: in the week before."""

    kind: str
    sent: int
    worked: int
    sent_before: int
    worked_before: int

    @property
    def words(self) -> str:
        return of(self.worked, self.sent)

    @property
    def before_words(self) -> str:
        return of(self.worked_before, self.sent_before)


def of(part: int, whole: int) -> str:
    """Return a share in words: "3 of 8 (38 %)"."""
    return f"{part} of {whole} ({100 * part / whole:.0f} %)" if whole else "none sent"


def name_week(monday: date) -> str:
    """Return a week as people call it: 23 to 29 November 2026."""
    sunday = monday + timedelta(days=6)
    first = f"{monday.day}"
    if monday.month != sunday.month:
        first += f" {monday:%B}"
    if monday.year != sunday.year:
        first += f" {monday.year}"
    return f"{first} to {sunday.day} {sunday:%B %Y}"


def clients(digest: TrainerDigest, *, with_details: bool, with_names: bool = True) -> list[Client]:
    """Return the clients at risk. with_details: with what the agent has written about them.

    with_names: by first name where one is known, else by id.
    """
    kept = digest.content.get("at_risk", [])
    names = _names(digest.trainer_id, [one["client"] for one in kept]) if with_names else {}
    details = _details(digest) if with_details else {}
    return [
        Client(
            names.get(one["client"], one["client"]),
            [
                Why(
                    _WHAT.get(reason["what"], "Something was found out"),
                    reason["count"],
                    datetime.fromisoformat(reason["at"]),
                    kind=_kind(reason["kind"]),
                    detail=details.get(reason["id"], ""),
                    draft_id=reason["id"] if reason["kind"] else "",
                )
                for reason in one["reasons"]
            ],
        )
        for one in kept
    ]


def rows(digest: TrainerDigest) -> list[Row]:
    """Return what was sent and dismissed."""
    channels = dict(Draft.Channel.choices)
    return [
        Row(
            _kind(one["kind"]),
            str(channels.get(one["channel"], one["channel"])),
            one["as_it_was"],
            one["edited"],
            one["dismissed"],
        )
        for one in digest.content.get("sent", [])
    ]


def shares(digest: TrainerDigest) -> list[Share]:
    """Return what worked."""
    return [
        Share(_kind(one["kind"]), one["sent"], one["worked"], one["sent_before"], one["worked_before"])
        for one in digest.content.get("worked", [])
    ]


def in_short(digest: TrainerDigest) -> str:
    """Return the whole of it in a few words, without anybody's name."""
    content = digest.content
    at_risk = len(content.get("at_risk", [])) + content.get("left_out", 0)
    sent = sum(one["as_it_was"] + one["edited"] for one in content.get("sent", []))
    risk = f"{at_risk} client{'' if at_risk == 1 else 's'} at risk" if at_risk else "no client at risk"
    return f"{risk}, {sent} message{'' if sent == 1 else 's'} sent"


def mailed_words(digest: TrainerDigest) -> str:
    """Return what came of its email, where there is something to say."""
    if digest.emailed_at is not None:
        return ""
    if digest.code in _CODES:
        return _CODES[digest.code]
    if digest.next_at is not None:
        return f"Not mailed yet ({digest.code}); it is tried again."
    return f"Not mailed: {digest.code}."


def mail(digest: TrainerDigest) -> Mail:
    """Return a digest as an email: plain text, and HTML that loads nothing."""
    context = said(digest, with_details=False) | {"url": address(digest)}
    return Mail(
        subject=f"Your week, {context['week']}: {context['in_short']}",
        text=render_to_string("email/trainer_digest.txt", context),
        html=render_to_string("email/trainer_digest.html", context),
    )


def said(digest: TrainerDigest, *, with_details: bool, with_names: bool = True) -> dict[str, object]:
    """Return what page and email have in common. with_details, with_names: as in `clients`."""
    return {
        "week": name_week(digest.week),
        "in_short": in_short(digest),
        "clients": clients(digest, with_details=with_details, with_names=with_names),
        "left_out": digest.content.get("left_out", 0),
        "rows": rows(digest),
        "shares": shares(digest),
    }


def address(digest: TrainerDigest) -> str:
    """Return where a digest is read in the admin, as its email links to it."""
    try:
        path = reverse("admin:sync_digest", args=[digest.pk])
    except NoReverseMatch:
        # A page that was taken away is no reason to send no digest.
        path = reverse("admin:index")
    return f"{settings.PUBLIC_URL}{path}?from=email"


def _kind(kind: str) -> str:
    return str(dict(Draft.Kind.choices).get(kind, kind))


def _names(trainer_id: str, client_ids: list[str]) -> dict[str, str]:
    """Return first names by client, of those whose drafts know one."""
    knows = Q(context__client__has_key="first_name") | Q(context__client__has_key="name")
    newest = (
        Draft.objects.filter(knows, trainer_id=trainer_id, client_id__in=client_ids)
        .order_by("client_id", "-created_at", "-id")
        .distinct("client_id")
        .values_list("client_id", "context__client")
    )
    return {client_id: name for client_id, client in newest if (name := first_name(client))}


def first_name(client: object) -> str:
    """Return the first name of a client as an app has described them; an empty text where there is none."""
    if not isinstance(client, dict):
        return ""
    given = client.get("first_name")
    words = given.split() if isinstance(given, str) else []
    if not words and isinstance(client.get("name"), str):
        words = client["name"].split()[:1]
    return seen(" ".join(words))[:LONGEST_NAME]


def _details(digest: TrainerDigest) -> dict[str, str]:
    """Return by id what the agent has written of the reasons that a digest names."""
    reasons = [reason for one in digest.content.get("at_risk", []) for reason in one["reasons"]]
    drafts = [UUID(one["id"]) for one in reasons if one["kind"]]
    insights = [UUID(one["id"]) for one in reasons if not one["kind"]]
    # Only this trainer's, whatever the digest says.
    mine = {"trainer_id": digest.trainer_id}
    found = dict(Draft.objects.filter(pk__in=drafts, **mine).values_list("pk", "why"))
    found |= dict(Insight.objects.filter(pk__in=insights, **mine).values_list("pk", "text"))
    return {str(pk): seen(text) for pk, text in found.items()}
