"""Tokens of locations: encrypted at rest, and refreshed by one process at a time.

The rules: a token leaves this room wrapped, in memory only. Whoever refreshes says so in the row first, asks
GoHighLevel outside of any transaction, and saves both new tokens in one; who dies in between leaves the
turn to the next after REFRESH_LEASE, within the 30 s in which GoHighLevel repeats its answer.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction
from pydantic import SecretStr

from sync.ghl.oauth import REFRESH_BEFORE, Tokens
from sync.models import Credential
from trainu import encryption
from trainu.encryption import Unreadable, open_sealed, seal

REFRESH_LEASE = timedelta(seconds=20)


@dataclass(frozen=True, slots=True)
class Held:
    """A location's tokens. refresh: None for a private integration. is_due: time to ask for new ones."""

    access: SecretStr
    refresh: SecretStr | None
    expires_at: datetime | None

    def is_due(self, now: datetime) -> bool:
        return self.expires_at is not None and now >= self.expires_at - REFRESH_BEFORE

    def is_usable(self, now: datetime) -> bool:
        return self.expires_at is None or now < self.expires_at


def hold_private(location_id: str, token: SecretStr, *, now: datetime) -> None:
    """Keep the token of a private integration, in place of whatever there was."""
    _save(location_id, Credential.Kind.PRIVATE, token, None, None, now=now)


def hold_oauth(location_id: str, tokens: Tokens, *, now: datetime) -> None:
    """Keep the tokens of an installation or of a refresh, both at once."""
    _save(location_id, Credential.Kind.OAUTH, tokens.access, tokens.refresh, tokens.expires_at, now=now)


def held(location_id: str) -> Held | None:
    """Return a location's tokens, None where there are none. Raises Unreadable."""
    row = Credential.objects.filter(pk=location_id).first()
    if row is None:
        return None
    refresh = open_sealed(row.refresh_token)
    return Held(
        open_sealed(row.access_token), refresh if refresh.get_secret_value() else None, row.expires_at
    )


def begin_refresh(location_id: str, *, now: datetime, refused: SecretStr | None = None) -> Held | None:
    """Take the turn to ask for new tokens; None when somebody else has it or has just done it.

    refused: an access token that GoHighLevel did not take, however long it was to last. If it is not the
    one that is kept, somebody has got a new one already.
    """
    with transaction.atomic():
        row = (
            Credential.objects.select_for_update().filter(pk=location_id, kind=Credential.Kind.OAUTH).first()
        )
        if row is None or row.expires_at is None:
            return None
        if row.refreshing_until is not None and row.refreshing_until > now:
            return None
        is_refused = refused is not None and open_sealed(row.access_token) == refused
        if not is_refused and row.expires_at > now + REFRESH_BEFORE:
            return None
        Credential.objects.filter(pk=location_id).update(refreshing_until=now + REFRESH_LEASE)
    return held(location_id)


def give_up_refresh(location_id: str) -> None:
    """Leave the turn to whoever comes next."""
    Credential.objects.filter(pk=location_id).update(refreshing_until=None)


def encrypt_anew(on_unreadable: Callable[[str], None] | None = None) -> int:
    """Encrypt every token with the first key, after keys were rotated; return how many rows changed.

    on_unreadable: is told the location of each row that no key opens, which stays as it is; without it,
    the first one raises Unreadable.
    """
    changed = 0
    for row in Credential.objects.iterator():
        try:
            access, refresh = seal(open_sealed(row.access_token)), seal(open_sealed(row.refresh_token))
        except Unreadable:
            if on_unreadable is None:
                raise
            on_unreadable(row.location_id)
            continue
        changed += Credential.objects.filter(
            pk=row.pk, access_token=row.access_token, refresh_token=row.refresh_token
        ).update(access_token=access, refresh_token=refresh)
    return changed


def declare() -> None:
    """Let tokens be encrypted anew when keys are rotated; called by the app's ready()."""
    encryption.hold("location's tokens", "locations' tokens", encrypt_anew)


def _save(
    location_id: str,
    kind: Credential.Kind,
    access: SecretStr,
    refresh: SecretStr | None,
    expires_at: datetime | None,
    *,
    now: datetime,
) -> None:
    Credential.objects.update_or_create(
        location_id=location_id,
        defaults={
            "kind": kind,
            "access_token": seal(access),
            "refresh_token": seal(refresh or SecretStr("")),
            "expires_at": expires_at,
            "refreshed_at": now,
            "refreshing_until": None,
        },
    )
