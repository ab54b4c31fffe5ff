"""Taking the wish for a draft in, inside the caller's transaction, once for each idempotency key.

The rules: what is taken in commits with what caused it, and waits for the lane. Whatever the app says must
fit into a row and into a prompt; what does not is refused here, and not found out by the lane. What it says
besides, which we do not know, is no fault.
"""

import hashlib
import json
import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction
from uuid_utils.compat import uuid7

from sync.drafts import impact
from sync.drafts.refusal import Refused
from sync.models import Draft, Location
from sync.webhooks import fields
from trainu import correlation

LARGEST_CONTEXT = 32 * 1024
LONGEST_KEY = 200
_REUSED = (
    "This idempotency key belongs to a draft that was asked for in other words, which stays as it is. Ask for"
    " this one with a key of its own."
)
# Of trainers, clients, contacts and locations, as apps call them.
ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:\-]{0,63}", re.ASCII)
# PostgreSQL keeps no such character, and half of a pair is no character at all.
_UNKEPT = re.compile("[\x00\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Taken:
    """A draft that was taken in, or that already was. is_duplicate: its idempotency key was known."""

    draft_id: UUID
    state: str
    is_duplicate: bool


def ask(
    *,
    trainer_id: str,
    client_id: str,
    contact_id: str,
    location_id: str,
    channel: str,
    kind: str,
    context: dict[str, Any],
    idempotency_key: str = "",
    now: datetime,
) -> Taken:
    """Have a draft written: it waits for the lane, and commits with the transaction around it.

    context: what the app knows, at most 32 KiB of JSON. Raises Refused: "invalid_id", "invalid_kind",
    "invalid_channel", "invalid_context", "invalid_idempotency_key" for what does not fit;
    "unknown_location"; "idempotency_key_reused" for a key that was given to something else.
    """
    ids = {"trainer_id": trainer_id, "client_id": client_id, "contact_id": contact_id}
    _check(ids, channel, kind, idempotency_key)
    asked = {**ids, "channel": channel, "kind": kind, "context": context}
    digest = hashlib.sha256(_canonical(asked).encode()).hexdigest()
    if not Location.objects.filter(pk=location_id).exists():
        raise Refused("unknown_location", "There is no such location. Add it in the admin first.")
    draft = Draft(
        id=uuid7(),
        **asked,
        location_id=location_id,
        idempotency_key=idempotency_key,
        asked_digest=digest,
        impact=impact.score(kind, context, now=now),
        why=impact.why(kind, context),
        next_at=now,
        based_at=now,
        created_at=now,
        correlation_id=correlation.current() or correlation.new(),
    )
    with transaction.atomic():
        Draft.objects.bulk_create([draft], ignore_conflicts=bool(idempotency_key))
        if not idempotency_key:
            return Taken(draft.pk, draft.state, is_duplicate=False)
        known = Draft.objects.only("id", "state", "asked_digest").get(
            location_id=location_id, idempotency_key=idempotency_key
        )
    # Erasure empties the digest: then nobody can tell any more, and nothing is written a second time.
    if known.asked_digest not in (digest, ""):
        raise Refused("idempotency_key_reused", _REUSED)
    return Taken(known.pk, known.state, is_duplicate=known.pk != draft.pk)


def _check(ids: dict[str, str], channel: str, kind: str, idempotency_key: str) -> None:
    for name, value in ids.items():
        if not isinstance(value, str) or not ID.fullmatch(value):
            raise Refused("invalid_id", f"{name}: 1 to 64 letters, digits and _ . : - are an id.")
    if channel not in Draft.Channel.values:
        raise Refused("invalid_channel", f"channel: one of {', '.join(Draft.Channel.values)}.")
    if kind not in Draft.Kind.values:
        raise Refused("invalid_kind", f"kind: one of {', '.join(Draft.Kind.values)}.")
    if len(idempotency_key) > LONGEST_KEY or _UNKEPT.search(idempotency_key):
        raise Refused("invalid_idempotency_key", f"idempotency_key: at most {LONGEST_KEY} characters.")


def _canonical(asked: dict[str, Any]) -> str:
    """Return a request as a text that is the same for the same request, whatever the order of its keys."""
    context = asked["context"]
    if not isinstance(context, dict):
        raise Refused("invalid_context", "context: an object of JSON.")
    try:
        text = json.dumps(context, allow_nan=False, ensure_ascii=False)
        if len(text.encode()) > LARGEST_CONTEXT:
            raise Refused("invalid_context", f"context: at most {LARGEST_CONTEXT // 1024} KiB of JSON.")
        if _holds_unkept(context):
            raise Refused("invalid_context", "context: a text with a character that cannot be kept.")
        _check_known(context)
        return json.dumps(asked, allow_nan=False, sort_keys=True)
    except UnicodeEncodeError:
        raise Refused("invalid_context", "context: a text with a character that cannot be kept.") from None
    except (TypeError, ValueError, RecursionError) as error:
        if isinstance(error, Refused):
            raise
        raise Refused("invalid_context", "context: plain JSON, without infinities.") from None


def _check_known(context: dict[str, Any]) -> None:
    """Refuse what would be passed over in silence: the parts that decide something, where they are wrong."""
    said = context.get("impact")
    is_number = isinstance(said, int | float) and not isinstance(said, bool)
    if said is not None and not (is_number and 0 <= said <= impact.MOST):
        raise Refused("invalid_context", f"context.impact: a number from 0 to {impact.MOST}.")
    for name in ("starts_at", "previous_starts_at"):
        booking = fields.child(context, "booking")
        if booking.get(name) not in (None, "") and fields.moment(booking, name) is None:
            raise Refused(
                "invalid_context", f"context.booking.{name}: a moment such as 2026-11-23T13:00:00+01:00."
            )
    zone = fields.child(context, "client").get("time_zone")
    if zone not in (None, "") and not fields.is_zone(zone):
        raise Refused("invalid_context", "context.client.time_zone: a time zone such as Europe/Berlin.")


def _holds_unkept(value: Any) -> bool:
    if isinstance(value, str):
        return _UNKEPT.search(value) is not None
    if isinstance(value, dict):
        return any(_holds_unkept(part) for pair in value.items() for part in pair)
    return isinstance(value, list) and any(_holds_unkept(part) for part in value)
