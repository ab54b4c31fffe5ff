"""How a location is entered: by the token of a private integration, or by OAuth.

The rule: GoHighLevel is asked outside of any transaction, and what it gave is stored in one. A token is
checked before it is stored; no text, no answer and no entry in the audit log holds one.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from django.db import transaction
from pydantic import SecretStr

from sync import credentials, locations, signals
from sync.ghl import oauth, reads, words
from sync.ghl.errors import READ, Code, Outcome, Verdict, classify, is_gone
from sync.ghl.oauth import Client, Tokens
from sync.ghl.request import Request
from sync.ghl.response import Answer, Failure, id_at, object_at
from sync.ghl.transport import send_once
from sync.locations import Refused
from sync.models import Credential, Location
from sync.signals import Act

# What our operations, lookups and reconciliation need.
SCOPES = (
    "contacts.readonly",
    "contacts.write",
    "calendars.readonly",
    "calendars/events.readonly",
    "calendars/events.write",
    "conversations.readonly",
    "conversations.write",
    "conversations/message.readonly",
    "conversations/message.write",
    "opportunities.readonly",
    "opportunities.write",
    "locations.readonly",
    "oauth.readonly",
    "oauth.write",
)
_LONGEST_TOKEN = 8192


@dataclass(frozen=True, slots=True)
class Connected:
    """A location that can be entered now. is_new: it was added with it.

    ends_at: when its token ends, where GoHighLevel gave nothing to renew it with; None: it stays.
    """

    location_id: str
    is_new: bool
    ends_at: datetime | None


@dataclass(frozen=True, slots=True)
class _About:
    """What GoHighLevel says of a location."""

    name: str = ""
    timezone: str = ""


def enter_private_token(
    location_id: str, token: SecretStr, *, now: datetime, actor: str | None = None
) -> Connected:
    """Check a private integration's token with GoHighLevel, keep it, and let the location go on.

    One that was held because its old token was refused is resumed; one that is paused stays paused. Raises
    Refused, and has changed nothing then. Not inside a transaction.
    """
    if not Location.objects.filter(pk=location_id).exists():
        raise locations.unknown()
    about = _look_at(location_id, _tidied(token), now)
    with transaction.atomic(durable=True):
        row = locations.locked(location_id)
        before = _kind(location_id)
        credentials.hold_private(location_id, _tidied(token), now=now)
        _settle(row, about, (before, Credential.Kind.PRIVATE), actor)
    return Connected(location_id, is_new=False, ends_at=None)


def is_configured() -> bool:
    """Whether this service is an app of GoHighLevel's marketplace, so that OAuth can be used."""
    return bool(settings.GHL_CLIENT_ID and settings.GHL_CLIENT_SECRET)


def authorize_url(redirect_uri: str, state: str) -> str:
    """Return the page of GoHighLevel where a location's owner lets our app in. Raises Refused."""
    query = {
        "response_type": "code",
        "redirect_uri": redirect_uri,
        "client_id": _client().id,
        "scope": " ".join(SCOPES),
        "state": state,
    }
    return f"{settings.GHL_AUTHORIZE_URL}?{urlencode(query)}"


def connect(
    code: SecretStr, redirect_uri: str, *, location_id: str = "", now: datetime, actor: str | None = None
) -> Connected:
    """Turn the code of an installation into tokens, keep them, and add the location if it is new.

    location_id: the one that is meant, where the app was installed for the whole agency; its token is then
    bought with the agency's. Raises Refused, and has stored nothing then. Not inside a transaction.
    """
    tokens = _read(_ask(oauth.exchange(_client(), code, redirect_uri), None), now)
    if tokens.location_id is None:
        tokens = _of_agency(tokens, location_id, now)
    found = str(tokens.location_id)
    if location_id and found != location_id:
        raise Refused(
            Code.WRONG_LOCATION,
            "The app was installed in another location than this one, so nothing was stored. Choose this"
            " location on GoHighLevel's page, or press Connect on the list of locations.",
        )
    # The code works once: what is only nice to know must not cost us the tokens.
    about = _about(_ask(reads.location(found), tokens.access), now)
    with transaction.atomic(durable=True):
        is_new = not Location.objects.filter(pk=found).exists()
        if is_new:
            locations.add(found, (about.name or found)[:120], now=now, actor=actor)
        row = locations.locked(found)
        before = _kind(found)
        credentials.hold_oauth(found, tokens, now=now)
        _settle(row, about, (before, Credential.Kind.OAUTH), actor)
    return Connected(found, is_new, ends_at=None if tokens.refresh else tokens.expires_at)


def _of_agency(agency: Tokens, location_id: str, now: datetime) -> Tokens:
    """Return a location's tokens, bought with its agency's."""
    if not location_id or not agency.company_id:
        raise Refused(
            "installed_for_agency",
            "The app was installed for the whole agency, which does not say for which location. Add the"
            " location, and press Connect on its own page.",
        )
    result = _ask(oauth.location_token(agency.company_id, location_id), agency.access)
    if isinstance(result, Answer) and is_gone(result):
        raise _refused(Verdict(Outcome.PERMANENT, Code.TARGET_GONE))
    bought = _read(result, now)
    if bought.location_id != location_id:
        raise Refused(Code.WRONG_LOCATION, "GoHighLevel gave a token for another location. Try again.")
    return bought


def _read(result: Answer | Failure, now: datetime) -> Tokens:
    tokens = oauth.read(result, now=now)
    if isinstance(tokens, Tokens):
        return tokens
    if tokens.code is Code.GRANT_REVOKED:
        raise Refused(
            tokens.code,
            "GoHighLevel does not take this installation's code: it works once, and for a few minutes."
            " Press Connect again.",
        )
    raise _refused(tokens)


def _look_at(location_id: str, token: SecretStr, now: datetime) -> _About:
    """Return what GoHighLevel says of a location to this token. Raises Refused."""
    result = _ask(reads.location(location_id), token)
    verdict = classify(READ, result, now=now)
    if verdict.outcome is not Outcome.OK:
        raise _refused(verdict)
    assert isinstance(result, Answer)
    if id_at(result.body, "location", "id") != location_id:
        raise _refused(Verdict(Outcome.CONFIGURATION, Code.WRONG_LOCATION))
    return _about(result, now)


def _about(result: Answer | Failure, now: datetime) -> _About:
    if classify(READ, result, now=now).outcome is not Outcome.OK or not isinstance(result, Answer):
        return _About()
    said = object_at(result.body, "location")
    name, zone = said.get("name"), said.get("timezone")
    return _About(
        name=name.replace("\x00", "").strip() if isinstance(name, str) else "",
        timezone=zone if isinstance(zone, str) and locations.is_timezone(zone) else "",
    )


_ADVICE = {
    Code.UNAUTHORIZED: "Copy it again from GoHighLevel, whole; it may have been replaced there since.",
    Code.UNUSABLE_TOKEN: "Copy it again from GoHighLevel: this one is empty or holds other characters.",
    Code.MISSING_SCOPE: "Give the private integration the permission View Locations (and those for contacts,"
    " calendars, conversations and opportunities) in GoHighLevel, then enter its token again.",
    Code.WRONG_LOCATION: "Enter the token that was made in this location.",
    Code.TARGET_GONE: "Check the location's id: GoHighLevel knows none like it.",
    Code.CLIENT_REFUSED: "Have GHL_CLIENT_ID and GHL_CLIENT_SECRET in the settings checked.",
}


def _refused(verdict: Verdict) -> Refused:
    said = words.explain(verdict).words
    if verdict.outcome in {Outcome.TRANSIENT, Outcome.DEFERRED}:
        return Refused(verdict.code, f"It could not be checked, so nothing was stored. {said} Try again.")
    advice = _ADVICE.get(verdict.code, "Try again; if it stays so, tell the developers.")
    return Refused(verdict.code, f"{said} Nothing was stored. {advice}")


def _ask(request: Request, bearer: SecretStr | None) -> Answer | Failure:
    return send_once(settings.GHL_BASE_URL, request, bearer)


def _client() -> Client:
    if not is_configured():
        raise Refused(
            "no_app",
            "This service is no app of GoHighLevel's marketplace yet: GHL_CLIENT_ID and GHL_CLIENT_SECRET are"
            " not set. Enter the token of a private integration instead.",
        )
    return Client(settings.GHL_CLIENT_ID, SecretStr(settings.GHL_CLIENT_SECRET))


def _tidied(token: SecretStr) -> SecretStr:
    """What was pasted has blanks around it, at times."""
    return SecretStr(token.get_secret_value().strip()[:_LONGEST_TOKEN])


def _kind(location_id: str) -> str | None:
    return Credential.objects.filter(pk=location_id).values_list("kind", flat=True).first()


def _settle(row: Location, about: _About, kind: tuple[str | None, str], actor: str | None) -> None:
    """Let a locked location go on with its new token, and say so in the audit log."""
    changes: dict[str, tuple[Any, Any]] = {"kind": kind}
    if row.state == Location.State.MISCONFIGURED:
        locations.let_go(row)
        changes["state"] = (Location.State.MISCONFIGURED, row.state)
    if about.timezone and about.timezone != row.timezone:
        changes["timezone"] = (row.timezone, about.timezone)
        row.timezone = about.timezone
        row.save(update_fields=["timezone"])
    act = Act(
        action="location.connect",
        target_kind=locations.TARGET_KIND,
        target_id=row.pk,
        actor=actor,
        changes=changes,
    )
    signals.acted.send(sender=None, acts=[act])
