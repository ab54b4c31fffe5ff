"""Whether a contact wants messages: what they wrote, and do-not-disturb in GoHighLevel.

The rules: of each source the last word counts, by the time at which it was said, in whatever order the words
come in; at the same moment, no. Each source can forbid, and none can undo what the other forbids.
"""

import unicodedata
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import connection

from sync.drafts import suppressed
from sync.models import Consent, Draft

Source = Consent.Source

# The words that carriers in North America act on, as letters alone: a whole message, no part of one.
_STOP = frozenset({"stop", "stopall", "unsubscribe", "cancel", "end", "quit", "revoke", "optout"})
_START = frozenset({"start", "yes", "unstop"})
_LONGEST = 40

_NOTE = """
insert into sync_consent (contact_id, location_id, channel, source, may_be_sent, at)
select contact_id, location_id, channel, source, may_be_sent, at
from unnest(%s::text[], %s::text[], %s::text[], %s::text[], %s::bool[], %s::timestamptz[])
    as said(contact_id, location_id, channel, source, may_be_sent, at)
on conflict (contact_id, location_id, channel, source) do update
set may_be_sent = excluded.may_be_sent, at = excluded.at
where (excluded.at, not excluded.may_be_sent) > (sync_consent.at, not sync_consent.may_be_sent)
"""


@dataclass(frozen=True, slots=True)
class Said:
    """What was said about a channel, sms or email, and when."""

    contact_id: str
    location_id: str
    channel: str
    source: Source
    may_be_sent: bool
    at: datetime

    @property
    def key(self) -> tuple[str, str, str, str]:
        return (self.contact_id, self.location_id, self.channel, self.source.value)


def read(text: str, channel: str) -> bool | None:
    """Return whether a message asks for no more of them (False) or for them again (True); None: neither."""
    if len(text) > _LONGEST:
        return None
    word = "".join(one for one in unicodedata.normalize("NFKC", text).casefold() if one.isalnum())
    if channel == Draft.Channel.EMAIL:
        return False if word == "unsubscribe" else None
    if word in _STOP:
        return False
    return True if word in _START else None


def of_do_not_disturb(
    contact_id: str, location_id: str, *, everything: object, settings: object, is_whole: bool, at: datetime
) -> list[Said]:
    """Return what GoHighLevel says about a contact's channels; what it leaves open is left out.

    everything, settings: its `dnd` and `dndSettings`, as they came. is_whole: whether the one is told only
    with all of the other. Else `dnd` false says nothing of single channels.
    """
    says_no_more = everything is False and (is_whole or isinstance(settings, dict))
    found = []
    for channel, names in ((Draft.Channel.SMS, ("SMS", "sms")), (Draft.Channel.EMAIL, ("Email", "email"))):
        status = _status(settings, names)
        if everything is True or status in ("active", "permanent"):
            may_be_sent = False
        elif says_no_more or status == "inactive":
            may_be_sent = True
        else:
            continue
        found.append(Said(contact_id, location_id, channel.value, Source.DND, may_be_sent, at))
    return found


def note(said: Sequence[Said]) -> None:
    """Keep what was said. Inside the caller's transaction."""
    last: dict[tuple[str, str, str, str], Said] = {}
    for one in said:
        known = last.get(one.key)
        if known is None or (one.at, not one.may_be_sent) > (known.at, not known.may_be_sent):
            last[one.key] = one
    if not last:
        return
    rows = [(*key, one.may_be_sent, one.at) for key, one in sorted(last.items())]
    with connection.cursor() as cursor:
        cursor.execute(_NOTE, [list(column) for column in zip(*rows, strict=True)])


def allows(contact_id: str, location_id: str, channel: str) -> bool:
    """Whether a contact may be sent messages on a channel, for all that we know."""
    return (contact_id, location_id, channel) not in refused([contact_id])


def refused(contact_ids: Collection[str]) -> set[tuple[str, str, str]]:
    """Return contact, location and channel of whatever these contacts do not want.

    What somebody has said who was erased since counts on: until they say otherwise to the same source.
    """
    known_as = {name: contact for contact in contact_ids for name in suppressed.names_of(contact)}
    rows = Consent.objects.filter(contact_id__in=known_as).order_by()
    fields = ("at", "may_be_sent", "contact_id", "location_id", "channel", "source")
    last: dict[tuple[str, str, str, str], bool] = {}
    for _, may_be_sent, name, location_id, channel, source in sorted(
        rows.values_list(*fields), key=lambda row: (row[0], not row[1])
    ):
        last[known_as[name], location_id, channel, source] = may_be_sent
    return {key[:3] for key, may_be_sent in last.items() if not may_be_sent}


def _status(settings: object, names: tuple[str, ...]) -> object:
    if isinstance(settings, dict):
        for name in names:
            if isinstance(one := settings.get(name), dict):
                return one.get("status")
    return None
